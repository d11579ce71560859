"""The page's text: headline, verdict, and the sections in their order."""

from __future__ import annotations

import string
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ..amounts import many, seconds_text
from ..studies.spec import StudySpec
from .changes import change_text
from .choose import beats_baseline
from .figures.front import metric_of
from .findings import Findings
from .html_parts import contents, escape, tile
from .sections.card import card_section
from .sections.chosen import chosen_section
from .sections.effects import ablation_section, importance_section
from .sections.front import front_section, front_table
from .sections.layers import layers_section, timeline_section
from .sections.search import method_section, rejected_section, search_section

__all__ = ["filled", "page", "tiles", "verdict"]


def page(findings: Findings) -> str:
    """The HTML text."""
    sections = [front_section(findings)]
    if findings.chosen:
        sections += [
            chosen_section(findings), ablation_section(findings), importance_section(findings), front_table(findings),
            timeline_section(findings), layers_section(findings),
        ]  # fmt: skip
    sections += [search_section(findings), card_section(findings), rejected_section(findings), method_section(findings)]
    headline = f"{escape(findings.note)} {verdict(findings)}".strip()
    return filled(findings.spec, headline, tiles(findings), sections)


def filled(spec: StudySpec, headline: str, figures: str, sections: Sequence[str]) -> str:
    """The template with the study's name, the verdict and the tiles (HTML) and the sections, "" for those not there."""
    from plotly.offline import get_plotlyjs

    here = files(__package__)
    template, style, script = (
        here.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    kept = [text for text in sections if text]
    return string.Template(template).substitute(
        title=escape(f"{spec.name} – Dovetail"), name=escape(spec.name), description=escape(spec.description),
        verdict=headline, tiles=figures, contents=contents(kept), body="".join(kept), plotly=get_plotlyjs(),
        style=style, script=script,
        footer="Made by Dovetail from the study's folder; the page loads nothing from elsewhere.",
    )  # fmt: skip


def tiles(findings: Findings) -> str:
    """The headline's figures."""
    trials, spec = findings.trials, findings.spec
    counts = trials["status"].value_counts().to_dict()
    seconds = float(trials["wall_s"].sum())
    budget = "" if len(trials) == spec.budget.trials else f" of {spec.budget.trials}"
    shown = [
        tile(f"{len(trials)}{budget}", "trials"),
        tile(str(counts.get("ok", 0)), "feasible designs"),
        tile(str(len(findings.front)), "on the Pareto front"),
        tile(many(findings.context.designs), "designs in the space"),
        tile(seconds_text(seconds), "evaluation, all workers"),
        tile(str(spec.seed), f"seed, {spec.strategy.name}"),
    ]
    return "".join(shown)


def verdict(findings: Findings) -> str:
    """What was found, in a sentence or two."""
    front, objectives, baseline = findings.front, findings.spec.objectives, findings.context.baseline
    if not findings.chosen:
        return "No feasible design has been found yet; the reasons are listed below."
    if not baseline or findings.spec.baseline is None:
        return f"{len(front)} designs are on the front: none of the others is as good in every objective."
    name = escape(f"{_short(findings.spec.baseline.network)} on {_short(findings.spec.baseline.accelerator)}")
    better = int(beats_baseline(front, objectives, baseline).sum())
    if not better:
        return f"No design found so far is better than the baseline, {name}, without being worse in another objective."
    row = findings.row(findings.chosen[0].number)
    changes = []
    for metric in objectives:
        change = f"{metric_of(metric).label.lower()} {change_text(row[metric], baseline[metric], metric)[0]}"
        uncertain = metric == "error_pct" and row.get("error_sigma_pct", 0.0) > 0
        changes.append(change + (f" (predicted, ± {row['error_sigma_pct']:.1f})" if uncertain else ""))
    verb, balanced = "is" if better == 1 else "are", findings.chosen[0].number
    return (
        f"<b>{better} of {len(front)} designs on the front {verb} better than the baseline</b> ({name}) in at least "
        f"one objective and worse in none. The balanced one, trial {balanced}: {escape(', '.join(changes))}."
    )


def _short(name: str) -> str:
    return Path(name).stem if "/" in name else name
