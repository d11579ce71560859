"""The balanced design, operator by operator."""

from __future__ import annotations

from ..charts.stacks import layers_chart
from ..findings import Findings
from ..html_parts import chart_block, frame_table, section

__all__ = ["layers_section"]


def layers_section(findings: Findings) -> str:
    layers = findings.layers
    if layers is None or not len(layers):
        return ""
    trial = int(layers["trial"].iloc[0])
    shown = layers.drop(columns=["trial"])
    blocks, titles = [], {"utilization": "utilisation"}
    joules = [str(name) for name in shown.columns if str(name).endswith("_j")]
    parts = {name: name[len("energy_") : -len("_j")].replace("_", " ") for name in joules if name != "energy_j"}
    parts = {name: title for name, title in parts.items() if shown[name].sum() > 0}
    if parts and "name" in shown:
        chart = layers_chart(shown, list(parts), list(parts.values()))
        blocks.append(chart_block(chart, 430, "Energy by component"))
    for name in [*joules, *(name for name in ("latency_s",) if name in shown)]:
        shown[name] = shown[name] * 1e6
        titles[name] = f"{parts.get(name, name.rpartition('_')[0])} ({'µs' if name == 'latency_s' else 'µJ'})"
    shown = shown.drop(columns=[name for name in joules if name not in parts and name != "energy_j"])
    title, note = f"Layer by layer: the balanced design (trial {trial})", "Each operator's cost, bound and mapping."
    return section(title, note, *blocks, f"<div class='card'>{frame_table(shown.fillna(''), titles)}</div>")
