"""The balanced design, operator by operator, and in time."""

from __future__ import annotations

from ..charts.gantt import gantt_chart
from ..charts.stacks import layers_chart
from ..findings import Findings
from ..html_parts import chart_block, escape, frame_table, section

__all__ = ["layers_section", "timeline_section"]


def timeline_section(findings: Findings) -> str:
    """The simulated run of the balanced design."""
    info = findings.timeline
    if info is None or not info.operators:
        return ""
    height = 150 + 46 * len(info.lanes) + 44 * len(info.rows)
    note = (
        f"Discrete-event simulation of the balanced design: {info.title}; {info.subtitle}. Operators above; below, how "
        "busy each resource is (right: of the whole time)."
    )
    return section(
        "The balanced design in time", escape(note), chart_block(gantt_chart(info), height), short="Timeline"
    )


def layers_section(findings: Findings) -> str:
    """Each operator's cost."""
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
    empty = [name for name in shown if shown[name].dtype.kind in "iuf" and not shown[name].any()]
    shown = shown.drop(columns=empty)
    listing = f"<div class='card'>{frame_table(shown.fillna(''), titles)}</div>"
    title, note = f"Layer by layer: the balanced design (trial {trial})", "Each operator's cost, bound and mapping."
    return section(title, note, *blocks, listing, short="Layers")
