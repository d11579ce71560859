"""The Pareto front: over any two numbers, and design by design."""

from __future__ import annotations

from ...studies.tables import option_text
from ..charts.pairs import objectives_chart
from ..charts.parallel import parallel_chart
from ..charts.style import METRIC_ROWS
from ..choose import beats_baseline
from ..figures.front import metric_of
from ..findings import Findings
from ..html_parts import chart_block, escape, frame_table, section

__all__ = ["front_section", "front_table"]


def front_section(findings: Findings) -> str:
    info, names = findings.info, findings.spec.objectives
    note = "Filled: no other trial is as good in every objective. Grey: feasible, but another trial is."
    if info.baseline is not None:
        note += " Star: the baseline."
    if len(names) < 2:
        return section("The best design", "The study has one objective.")
    colour = 2 if len(names) > 2 else None
    blocks = [chart_block(objectives_chart(info, 0, 1, colour, findings.chosen), 560)]
    if colour is not None:
        bars = " Bars: one standard error of the predicted accuracy." if info.sigma is not None else ""
        pair = [
            chart_block(objectives_chart(info, x, 2, None), 400, f"{info.metrics[2].label} against {label}")
            for x, label in ((0, info.metrics[0].label.lower()), (1, info.metrics[1].label.lower()))
        ]
        blocks.append(f"<div class='pair'>{''.join(pair)}</div>")
        note += bars
    return section("Pareto front", escape(note), *blocks)


def front_table(findings: Findings) -> str:
    front = findings.front
    shown = front[["number"]].copy()
    for name in (name for name in front.columns if name in METRIC_ROWS):
        shown[name] = front[name] * metric_of(name).scale
    for name in (name for name in front.columns if name.startswith("hw.") or name.count(".") == 1):
        shown[name] = [option_text(findings.context.labels, name, value) for value in front[name]]
    titles = {name: metric_of(name).title for name in shown.columns if "." not in name and name != "number"}
    titles |= {name: name.partition(".")[2].replace("_", " ") for name in shown.columns if "." in name}
    better = beats_baseline(front, findings.spec.objectives, findings.context.baseline)
    listing = frame_table(shown, {**titles, "number": "Trial"}, ["beats" if beats else "" for beats in better])
    chart = parallel_chart(front, findings.spec.objectives, findings.context.labels)
    note = "Every design of the front. ★: worse than the baseline in no objective. All choices are in front.csv."
    return section("The front, design by design", note, chart_block(chart, 420), f"<div class='card'>{listing}</div>")
