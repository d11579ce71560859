"""Why the designs are good: importance of choices, and the way from the baseline to the balanced design."""

from __future__ import annotations

import math

from ..analysis.ablation_read import path_of, worth_of
from ..analysis.importance import LEAST_TRIALS
from ..changes import change_text
from ..charts.effects import MOST_CHOICES, ablation_chart, importance_chart, title_of
from ..figures.front import metric_of
from ..findings import Findings
from ..html_parts import Cell, cell, chart_block, escape, section, table

__all__ = ["ablation_section", "importance_section"]

POOR_R2 = 0.3


def importance_section(findings: Findings) -> str:
    """Shares of variance by choice, with what the forest they come from is worth."""
    title, info = "Which choices matter", findings.importance
    if not info.objectives:
        few = f"Too few feasible designs to say ({info.trials}; {LEAST_TRIALS} are needed)."
        return section(title, few, short="Importance")
    note = (
        "Share of each objective's variance over all feasible trials that a choice explains by itself, the others "
        "averaged out (functional analysis of variance of random forests; Hutter et al., 2014). Bars: standard error "
        "over resampled trials. A search looks where it is good, so this is the importance among designs like these."
    )
    heads: list[Cell] = [("Objective", "text"), ("explained by forest, R²", ""), ("choices alone", ""),
                         ("only in combination", ""), ("strongest pair", "text")]  # fmt: skip
    rows = []
    for one in info.objectives:
        pair = "–" if one.pair is None else f"{title_of(one.pair[0])} × {title_of(one.pair[1])} ({_share(one.pair[2])})"
        kind = "worse" if one.r2 < POOR_R2 else ""
        combined = f"{100 * one.interactions:.0f} ± {_share(one.interactions_error)}"
        rows.append(("", [
            cell(metric_of(one.objective).label, "text"), (f"{one.r2:.2f}", kind),
            (_share(float(one.share.sum())), ""), (combined, ""), (escape(pair), "text"),
        ]))  # fmt: skip
    poor = [metric_of(one.objective).label.lower() for one in info.objectives if one.r2 < POOR_R2]
    if poor:
        note += f" Of {' and '.join(poor)} the forest explains little (R² on trials left out): trust those bars least."
    more = (
        f"The {MOST_CHOICES} that matter most of {len(info.choices)} choices."
        if len(info.choices) > MOST_CHOICES
        else ""
    )
    height = 130 + min(MOST_CHOICES, len(info.choices)) * (14 + 9 * len(info.objectives))
    chart = chart_block(importance_chart(info), height, note=more)
    return section(title, escape(note), chart, f"<div class='card'>{table(heads, rows)}</div>", short="Importance")


def ablation_section(findings: Findings) -> str:
    """The path as a chart, and what every change is worth at the beginning, on the way and at the end."""
    ablation = findings.ablation
    if ablation is None or not len(ablation) or not findings.chosen:
        return ""
    path, objectives = path_of(ablation), findings.spec.objectives
    note = (
        f"One change at a time, at each step the one that helps most, each judged anew: what of trial "
        f"{findings.chosen[0].number} brings what. Crosses on red: designs that break a limit or cannot be had, and "
        "are only passed through."
    )
    height = 430 + min(160, 4 * max(len(str(text)) for text in path["text"]))
    blocks = [chart_block(ablation_chart(path, objectives, findings.context.baseline), height)]
    blocks.append(f"<div class='card'>{_ablation_table(findings)}</div>")
    meaning = (
        " Worth: by how much the change lowers the mean of the objectives, each scaled to 0…100 over the front and the "
        "baseline; on the baseline alone, on the way, and at the end (what undoing it would lose)."
    )
    return section("From the baseline to the balanced design", escape(note + meaning), *blocks, short="Ablation")


def _ablation_table(findings: Findings) -> str:
    ablation = findings.ablation
    if ablation is None:
        return ""
    path, objectives = path_of(ablation), findings.spec.objectives
    worth = worth_of(ablation)
    head: list[Cell] = [("Step", ""), ("Change", "text")]
    head += [(escape(metric_of(name).title), "") for name in objectives]
    head += [("worth alone", ""), ("on the way", ""), ("at the end", "")]
    rows: list[tuple[str, list[Cell]]] = []
    for place, row in path.iterrows():
        cells: list[Cell] = [cell(int(row["step"])), cell(str(row["text"]), "wrap")]
        before = path.iloc[max(int(str(place)) - 1, 0)]
        for name in objectives:
            cells.append(_value(float(row[name]), float(before[name]), name))
        gains = worth[worth["step"] == row["step"]]
        for column in ("alone", "on_the_way", "at_the_end"):
            cells.append(_gain(float(gains[column].iloc[0])) if len(gains) else ("", ""))
        if row["status"] != "ok":
            cells[1] = (f"{escape(row['text'])}<br><small class='worse'>{escape(row['reason'])}</small>", "wrap")
        rows.append(("", cells))
    return table(head, rows)


def _value(value: float, before: float, name: str) -> Cell:
    if not math.isfinite(value):
        return "–", ""
    metric = metric_of(name)
    text = f"{value * metric.scale:.4g}"
    if not math.isfinite(before) or value == before:
        return text, ""
    change, kind = change_text(value, before, name)
    return f"{text}<small class='{kind}'>{change}</small>", ""


def _gain(value: float) -> Cell:
    if not math.isfinite(value):
        return "–", ""
    text = f"{100 * value:+.1f}".replace("-", "−")
    return text, "better" if value > 5e-4 else "worse" if value < -5e-4 else ""


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
