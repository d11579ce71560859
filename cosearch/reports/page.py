"""The page's text: headline, verdict, and the sections in their order."""

from __future__ import annotations

import string
from importlib.resources import files

from .changes import change_text
from .choose import beats_baseline
from .figures.front import metric_of
from .findings import Findings
from .html_parts import escape, tile

__all__ = ["page", "tiles", "verdict"]


def page(findings: Findings) -> str:
    """The HTML text."""
    from plotly.offline import get_plotlyjs

    template = string.Template((files(__package__) / "report_template.html").read_text(encoding="utf-8"))
    body = [_front_section(findings), _search_section(findings)]
    if findings.chosen:
        body[1:1] = [_chosen_section(findings), _front_table(findings)]
        if findings.layers is not None and len(findings.layers):
            body.insert(2, _layers_section(findings, findings.layers))
    body += [_rejected_section(findings), _method_section(findings)]
    spec = findings.spec
    return template.substitute(
        title=escape(f"{spec.name} – Dovetail"), name=escape(spec.name), description=escape(spec.description),
        verdict=_verdict(findings), tiles=_tiles(findings), body="".join(body), plotly=get_plotlyjs(),
        footer="Made by Dovetail from the study's folder; the page loads nothing from elsewhere.",
    )  # fmt: skip


def _tiles(findings: Findings) -> str:
    trials, spec = findings.trials, findings.spec
    counts = trials["status"].value_counts().to_dict()
    seconds = float(trials["wall_s"].sum())
    budget = "" if len(trials) == spec.budget.trials else f" of {spec.budget.trials}"
    shown = [
        tile(f"{len(trials)}{budget}", "trials"),
        tile(str(counts.get("ok", 0)), "feasible designs"),
        tile(str(len(findings.front)), "on the Pareto front"),
        tile(_many(findings.context.designs), "designs in the space"),
        tile(f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.1f} s", "evaluation, all workers"),
        tile(str(spec.seed), f"seed, {spec.strategy.name}"),
    ]
    return "".join(shown)


def _many(count: float) -> str:
    """A count of any size: 2.2 × 10²⁶."""
    if count < 1e6:
        return f"{count:,.0f}"
    digits, _, power = f"{count:.1e}".partition("e+")
    return f"{digits} × 10" + power.lstrip("0").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _verdict(findings: Findings) -> str:
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
        uncertain = metric == "error_pct" and "error_sigma_pct" in row
        changes.append(change + (f" (predicted, ± {row['error_sigma_pct']:.1f})" if uncertain else ""))
    verb, balanced = "is" if better == 1 else "are", findings.chosen[0].number
    return (
        f"<b>{better} of {len(front)} designs on the front {verb} better than the baseline</b> ({name}) in at least "
        f"one objective and worse in none. The balanced one, trial {balanced}: {escape(', '.join(changes))}."
    )


def _short(name: str) -> str:
    return Path(name).stem if "/" in name else name
