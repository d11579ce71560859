"""How the search went, what it turned away, and how all of it was made."""

from __future__ import annotations

import math

from ...amounts import count_of
from ..charts.curves import curves_data
from ..charts.limits import limits_chart
from ..figures.front import metric_of
from ..findings import Findings
from ..html_parts import chart_block, escape, frame_table, section

__all__ = ["method_section", "rejected_section", "search_section"]


def search_section(findings: Findings) -> str:
    """Convergence, and all trials by what was known of them before mapping."""
    reference, origin = findings.reference
    stated = ", ".join(
        f"{metric_of(name).label.lower()} {value * metric_of(name).scale:.4g} {metric_of(name).unit}".rstrip()
        for name, value in zip(findings.spec.objectives, reference, strict=True)
    )
    blocks = []
    if len(findings.trials):
        box = f"Hypervolume: share of the box from zero to {origin} ({stated}) that is dominated."
        blocks.append(chart_block(curves_data(findings.convergence), 340, "Convergence", box, kind="curves"))
    limits = limits_chart(findings.trials, findings.context.limits)
    if limits is not None:
        note = "Area and peak rate are known without mapping; what is over the limit is never mapped."
        blocks.append(chart_block(limits, 380, "All trials, before mapping", note))
    return section("How the search went", "", f"<div class='pair'>{''.join(blocks)}</div>", short="Convergence")


def rejected_section(findings: Findings) -> str:
    """Designs that broke a limit or cannot be had, with their reasons, and networks that never became one."""
    rejected = findings.trials[findings.trials["status"] != "ok"][["number", "status", "reason"]]
    dropped = _dropped_text(findings)
    if not len(rejected):
        note = "Every trial was feasible." if len(findings.trials) else "There was no trial."
        return section("Turned away", f"{note} {dropped}".strip())
    listing = frame_table(rejected, {"number": "Trial", "status": "Status", "reason": "Reason"}, wrapped=["reason"])
    told = count_of(len(rejected), "design")
    note = f"{told} broke a limit or have no mapping; a search learns from them as from the others."
    note = f"{note} {dropped}".strip()
    summary = f"<details open><summary>All {len(rejected)}</summary><div class='card'>{listing}</div></details>"
    return section("Turned away", note, summary)


def _dropped_text(findings: Findings) -> str:
    """Networks that were dropped before a trial, or that no accelerator is within the area; empty where none was."""
    context = findings.context
    missed = []
    for name, least in context.least_dropped.items():
        metric, most = metric_of(name), context.limits.get(name, math.inf)
        told = f"{metric.label.lower()} at most {most * metric.scale:.4g} {metric.unit}".rstrip()
        missed.append(f"{told}, the least found is {least * metric.scale:.4g}")
    why = f" ({'; '.join(missed)})" if missed else ""
    if context.dropped:
        networks = count_of(context.dropped, "network")
        return f"Before any trial {networks} had no hardware within the limits and fell away{why}."
    return f"No accelerator swept keeps the limits{why}." if missed else ""


def method_section(findings: Findings) -> str:
    """Accuracy, limits, strategy, and the study itself."""
    spec, context = findings.spec, findings.context
    lines = [f"Accuracy: {context.accuracy}"] if context.accuracy else []
    for name, most in context.limits.items():
        metric = metric_of(name)
        lines.append(f"Limit: {metric.label.lower()} at most {most * metric.scale:.4g} {metric.unit}.")
    lines.append(
        f"Strategy {spec.strategy.name}, seed {spec.seed}; each layer mapped by '{spec.mapper.name}' for least "
        f"{spec.mapper.objective}. The same seed gives the same trials with any number of workers."
    )
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    source = f"<details><summary>study.yaml</summary><pre>{escape(findings.study_yaml)}</pre></details>"
    return section("How this was made", "", paragraphs, source, short="Method")
