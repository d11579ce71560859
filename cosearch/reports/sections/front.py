"""The Pareto front: over any two numbers, and design by design."""

from __future__ import annotations

from ...studies.tables import option_text
from ..charts.explorer import explorer_data
from ..charts.pairs import objectives_chart
from ..charts.parallel import parallel_chart
from ..charts.style import METRIC_ROWS
from ..choose import beats_baseline
from ..figures.front import metric_of
from ..findings import Findings
from ..html_parts import chart_block, escape, frame_table, section

__all__ = ["front_section", "front_table"]

TITLE = "Pareto front"


def front_section(findings: Findings) -> str:
    """The explorer, and the two small pictures of the third objective."""
    info, spec = findings.info, findings.spec
    note = "Filled: no other trial is as good in every objective. Grey: feasible, but another trial is."
    if info.baseline is not None:
        note += " Star: the baseline."
    if info.sigma is not None:
        note += " Bars: one standard error of the predicted accuracy."
    if not len(info.numbers):
        return section(TITLE, "No feasible design yet.", short="Front")
    if len(spec.objectives) < 2:
        note = "The study has one objective; its designs against whatever else is known of them."
    data = explorer_data(
        findings.trials, spec.objectives, findings.context.baseline, findings.context.labels, findings.chosen,
        findings.baseline_choices,
    )  # fmt: skip
    how = "Pick any two numbers and a colour; click a design to see its choices."
    if data["left_out"]:
        how += f" {data['left_out']:,} dominated designs are left out of the picture."
    blocks = [chart_block(data, 560, note=how, kind="explorer")]
    if len(spec.objectives) > 2:
        pair = [
            chart_block(objectives_chart(info, x, 2, None), 380, f"{info.metrics[2].label} against {label}")
            for x, label in ((0, info.metrics[0].label.lower()), (1, info.metrics[1].label.lower()))
        ]
        blocks.append(f"<div class='pair'>{''.join(pair)}</div>")
    return section(TITLE, escape(note), *blocks, short="Front")


def front_table(findings: Findings) -> str:
    """Every design of the front as a line and as a row."""
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
    blocks = (chart_block(chart, 420), f"<div class='card'>{listing}</div>")
    return section("The front, design by design", note, *blocks, short="Designs")
