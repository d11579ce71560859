"""The designs people ask for first, parameter by parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...studies.tables import option_text
from ..changes import change_text
from ..charts.stacks import phases_chart
from ..charts.style import METRIC_ROWS
from ..choose import Chosen
from ..figures.front import metric_of
from ..findings import Findings
from ..html_parts import Cell, cell, chart_block, escape, number, section, table

__all__ = ["chosen_section"]


def chosen_section(findings: Findings) -> str:
    """The balanced design and the best in each objective, beside the baseline."""
    unique: dict[int, list[Chosen]] = {}
    for design in findings.chosen:
        unique.setdefault(design.number, []).append(design)
    rows = {number_: findings.row(number_) for number_ in unique}
    head: list[Cell] = [("", "text"), ("Baseline", "")] if findings.context.baseline else [("", "text")]
    for number_, designs in unique.items():
        titles = " & ".join(design.title for design in designs)
        head.append((f"{escape(titles[0] + titles[1:].lower())}<small>trial {number_}</small>", ""))
    body = [*_metric_rows(findings, rows), *_choice_rows(findings, rows)]
    meanings = "; ".join(f"{design.title.lower()}: {design.meaning}" for design in findings.chosen[:1])
    note = (
        f"The designs people ask for first, with every parameter ({meanings}). Changes are against the baseline; "
        "green: a choice other than the baseline's."
    )
    blocks = [f"<div class='card full'>{table(head, body)}</div>", *_life(findings)]
    return section("Chosen designs", escape(note), *blocks, short="Chosen")


def _life(findings: Findings) -> list[str]:
    """The chosen designs' life-cycle carbon by phase, where the study describes a life."""
    if findings.spec.life_cycle is None:
        return []
    designs: list[tuple[str, Mapping[str, float]]] = []
    if findings.context.baseline:
        designs.append(("Baseline", findings.context.baseline))
    designs += [(f"{design.title}, trial {design.number}", findings.row(design.number)) for design in findings.chosen]
    note = f"{findings.spec.life_cycle.uses:.3g} uses; search, training and manufacture counted."
    return [chart_block(phases_chart(designs), 120 + 60 * len(designs), "Life-cycle carbon by phase", note)]


def _metric_rows(findings: Findings, rows: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, list[Cell]]]:
    baseline, lines = findings.context.baseline, []
    for name in (name for name in findings.front.columns if name in METRIC_ROWS):
        metric = metric_of(name)
        cells = [cell(metric.title, "text")]
        if baseline:
            cells.append(cell(baseline.get(name, float("nan")) * metric.scale))
        for row in rows.values():
            text = number(float(row[name]) * metric.scale)
            if name in (*findings.spec.objectives, "area_mm2") and name in baseline:
                change, kind = change_text(float(row[name]), baseline[name], name)
                text, kind = f"{text}<small>{change}</small>", kind if name in findings.spec.objectives else ""
            else:
                kind = ""
            cells.append((text, kind))
        lines.append(("", cells))
    return lines


def _choice_rows(findings: Findings, rows: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, list[Cell]]]:
    """Hardware parameters a row each; a network's choices gathered by block ("net.b01.kernel", "net.b01.op")."""
    lines: list[tuple[str, list[Cell]]] = []
    original = findings.baseline_choices
    groups: dict[str, dict[str, list[str]]] = {}
    for name in (name for name in findings.front.columns if name.partition(".")[0] in ("hw", "net")):
        side, _, rest = name.partition(".")
        block, _, _ = rest.partition(".")
        groups.setdefault(side, {}).setdefault(block, []).append(name)
    for side in ("hw", "net"):
        if side in groups:
            lines.append(("", [({"hw": "Hardware", "net": "Network"}[side], "")]))
        for block, names in groups.get(side, {}).items():
            single = len(names) == 1 and names[0].count(".") == 1
            label = block.replace("_", " ") if single else _block_label(block, names)
            texts = [
                " · ".join(option_text(findings.context.labels, name, row[name]) for name in names)
                for row in rows.values()
            ]
            kind = "same" if len(set(texts)) == 1 < len(texts) else ""
            known = [option_text(findings.context.labels, name, original[name]) for name in names if name in original]
            before = " · ".join(known)
            marks = ["changed" if before and text != before else "" for text in texts]
            cells = [cell(text, mark) for text, mark in zip(texts, marks, strict=True)]
            if findings.context.baseline:
                cells.insert(0, cell(before))
            lines.append((kind if not any(marks) else "", [cell(label, "text"), *cells]))
    return lines


def _block_label(block: str, names: list[str]) -> str:
    return f"{block}: {' · '.join(name.rpartition('.')[2] for name in names)}"
