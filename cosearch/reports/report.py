"""The report of a study: one HTML page that needs nothing but itself, made from the study's folder alone."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...document import load_document
from ...errors import BadInput
from ..studies.files import Context
from ..studies.load import check_shape
from ..studies.log import read_trials, write_atomically
from ..studies.spec import StudySpec
from ..studies.tables import front_frame, option_text, trials_frame
from . import charts
from .choose import Chosen, beats_baseline, chosen_designs
from .figures import FrontInfo, front_info, metric_of, plot_front
from .html_parts import Cell, cell, chart_block, escape, frame_table, number, section, table, tile

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Findings", "report"]


def report(folder: str | Path) -> Path:
    """Write ``report.html``, ``trials.csv``, ``front.csv`` and the figure of the front again; the page's path.

    Works on an unfinished study too. Raises `BadInput` where the folder holds no study, `SpecError` where its log or
    study is damaged.
    """
    findings = Findings.read(Path(folder))
    out = findings.folder
    write_atomically(out / "trials.csv", findings.trials.to_csv(index=False))
    write_atomically(out / "front.csv", findings.front.to_csv(index=False))
    if len(findings.spec.objectives) > 1 and len(findings.front):
        figure: Any = plot_front(findings.info).figure
        for kind in ("png", "pdf"):
            figure.savefig(out / f"front.{kind}", dpi=200)
    write_atomically(out / "report.html", page(findings))
    return out / "report.html"


@dataclass(frozen=True)
class Findings:
    """Everything a report shows."""

    folder: Path
    spec: StudySpec
    context: Context
    trials: DataFrame
    layers: DataFrame | None = None

    @staticmethod
    def read(folder: Path) -> Findings:
        """What a study's folder holds."""
        import pandas as pd

        if not (folder / "study.yaml").is_file():
            raise BadInput(f"{folder}: no study's folder (study.yaml is missing); name the --out folder of a run")
        spec = check_shape(load_document(folder / "study.yaml"))
        context = Context.read(folder / "context.json")
        logged = [trial for trial in read_trials(folder / "trials.jsonl") if trial.number < spec.budget.trials]
        layers = folder / "layers.csv"
        return Findings(
            folder, spec, context, trials_frame(logged, spec.objectives),
            pd.read_csv(layers) if layers.is_file() else None,
        )  # fmt: skip

    @cached_property
    def front(self) -> DataFrame:
        """The trials no other dominates."""
        return front_frame(self.trials, self.spec.objectives)

    @cached_property
    def info(self) -> FrontInfo:
        """The feasible designs as points."""
        return front_info(self.trials, self.spec.objectives, self.context.baseline)

    @cached_property
    def chosen(self) -> list[Chosen]:
        """The designs shown in full."""
        return chosen_designs(self.front, self.spec.objectives, self.context.baseline)

    @cached_property
    def reference(self) -> tuple[list[float], str]:
        """The hypervolume's reference point, and where it comes from."""
        if all(self.context.baseline.get(name, 0.0) > 0 for name in self.spec.objectives):
            return [2.0 * self.context.baseline[name] for name in self.spec.objectives], "twice the baseline"
        feasible = self.trials[self.trials["status"] == "ok"]
        worst = [float(feasible[name].max()) if len(feasible) else 1.0 for name in self.spec.objectives]
        return [1.1 * value or 1.0 for value in worst], "1.1 times the worst feasible trial, 1 where that is 0"


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


# ---- headline ------------------------------------------------------------------------------------------------------


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
    row = _row(findings, findings.chosen[0].number)
    changes = []
    for metric in objectives:
        change = f"{metric_of(metric).label.lower()} {_change(row[metric], baseline[metric], metric)[0]}"
        uncertain = metric == "error_pct" and "error_sigma_pct" in row
        changes.append(change + (f" (predicted, ± {row['error_sigma_pct']:.1f})" if uncertain else ""))
    verb, balanced = "is" if better == 1 else "are", findings.chosen[0].number
    return (
        f"<b>{better} of {len(front)} designs on the front {verb} better than the baseline</b> ({name}) in at least "
        f"one objective and worse in none. The balanced one, trial {balanced}: {escape(', '.join(changes))}."
    )


def _short(name: str) -> str:
    return Path(name).stem if "/" in name else name


def _change(value: float, base: float, metric: str) -> Cell:
    """How a value differs from the baseline's, and whether that is better."""
    kind = "better" if value < base else "worse" if value > base else ""
    if metric in ("error_pct", "tracking_loss_pct"):
        return f"{value - base:+.1f} points".replace("-", "−"), kind
    change = 100.0 * (value / base - 1.0) if base else 0.0
    return f"{change:+.0f} %".replace("-", "−"), kind


def _row(findings: Findings, number_: int) -> Mapping[str, Any]:
    row = findings.front[findings.front["number"] == number_].iloc[0]
    return {str(name): value for name, value in row.items()}


# ---- sections ------------------------------------------------------------------------------------------------------


def _front_section(findings: Findings) -> str:
    info, names = findings.info, findings.spec.objectives
    note = "Filled: no other trial is as good in every objective. Grey: feasible, but another trial is."
    if info.baseline is not None:
        note += " Star: the baseline."
    if len(names) < 2:
        return section("The best design", "The study has one objective.")
    colour = 2 if len(names) > 2 else None
    blocks = [chart_block(charts.objectives_chart(info, 0, 1, colour, findings.chosen), 560)]
    if colour is not None:
        bars = " Bars: one standard error of the predicted accuracy." if info.sigma is not None else ""
        pair = [
            chart_block(charts.objectives_chart(info, x, 2, None), 400, f"{info.metrics[2].label} against {label}")
            for x, label in ((0, info.metrics[0].label.lower()), (1, info.metrics[1].label.lower()))
        ]
        blocks.append(f"<div class='pair'>{''.join(pair)}</div>")
        note += bars
    return section("Pareto front", escape(note), *blocks)


def _chosen_section(findings: Findings) -> str:
    unique: dict[int, list[Chosen]] = {}
    for design in findings.chosen:
        unique.setdefault(design.number, []).append(design)
    rows = {number_: _row(findings, number_) for number_ in unique}
    head: list[Cell] = [("", "text"), ("Baseline", "")] if findings.context.baseline else [("", "text")]
    for number_, designs in unique.items():
        titles = " & ".join(design.title for design in designs)
        head.append((f"{escape(titles[0] + titles[1:].lower())}<small>trial {number_}</small>", ""))
    body = [*_metric_rows(findings, rows), *_choice_rows(findings, rows)]
    meanings = "; ".join(f"{design.title.lower()}: {design.meaning}" for design in findings.chosen[:1])
    note = f"The designs people ask for first, with every parameter ({meanings}). Changes are against the baseline."
    blocks = [f"<div class='card full'>{table(head, body)}</div>", *_life(findings)]
    return section("Chosen designs", escape(note), *blocks)


def _life(findings: Findings) -> list[str]:
    """The chosen designs' life-cycle carbon by phase, where the study describes a life."""
    if findings.spec.life_cycle is None:
        return []
    designs: list[tuple[str, Mapping[str, float]]] = []
    if findings.context.baseline:
        designs.append(("Baseline", findings.context.baseline))
    designs += [(f"{design.title}, trial {design.number}", _row(findings, design.number)) for design in findings.chosen]
    note = f"{findings.spec.life_cycle.uses:.3g} uses; search, training and manufacture counted."
    return [chart_block(charts.phases_chart(designs), 120 + 60 * len(designs), "Life-cycle carbon by phase", note)]


def _metric_rows(findings: Findings, rows: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, list[Cell]]]:
    baseline, lines = findings.context.baseline, []
    for name in (name for name in findings.front.columns if name in charts.METRIC_ROWS):
        metric = metric_of(name)
        cells = [cell(metric.title, "text")]
        if baseline:
            cells.append(cell(baseline.get(name, float("nan")) * metric.scale))
        for row in rows.values():
            text = number(float(row[name]) * metric.scale)
            if name in (*findings.spec.objectives, "area_mm2") and name in baseline:
                change, kind = _change(float(row[name]), baseline[name], name)
                text, kind = f"{text}<small>{change}</small>", kind if name in findings.spec.objectives else ""
            else:
                kind = ""
            cells.append((text, kind))
        lines.append(("", cells))
    return lines


def _choice_rows(findings: Findings, rows: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, list[Cell]]]:
    """Hardware parameters a row each; a network's choices gathered by block ("net.b01.kernel", "net.b01.op")."""
    lines: list[tuple[str, list[Cell]]] = []
    original = _baseline_choices(findings)
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
            if findings.context.baseline:
                texts.insert(0, " · ".join(known))
            lines.append((kind, [cell(label, "text"), *(cell(text) for text in texts)]))
    return lines


def _baseline_choices(findings: Findings) -> Mapping[str, Any]:
    """The baseline's choices where it was the first trial: then it costs what the first trial costs."""
    trials, baseline = findings.trials, findings.context.baseline
    first = trials[trials["number"] == 0]
    if not len(first) or not baseline:
        return {}
    row = {str(name): value for name, value in first.iloc[0].items()}
    return row if all(row.get(name) == baseline.get(name) for name in findings.spec.objectives) else {}


def _block_label(block: str, names: list[str]) -> str:
    return f"{block}: {' · '.join(name.rpartition('.')[2] for name in names)}"


def _front_table(findings: Findings) -> str:
    front = findings.front
    shown = front[["number"]].copy()
    for name in (name for name in front.columns if name in charts.METRIC_ROWS):
        shown[name] = front[name] * metric_of(name).scale
    for name in (name for name in front.columns if name.startswith("hw.") or name.count(".") == 1):
        shown[name] = [option_text(findings.context.labels, name, value) for value in front[name]]
    titles = {name: metric_of(name).title for name in shown.columns if "." not in name and name != "number"}
    titles |= {name: name.partition(".")[2].replace("_", " ") for name in shown.columns if "." in name}
    better = beats_baseline(front, findings.spec.objectives, findings.context.baseline)
    listing = frame_table(shown, {**titles, "number": "Trial"}, ["beats" if beats else "" for beats in better])
    chart = charts.parallel_chart(front, findings.spec.objectives, findings.context.labels)
    note = "Every design of the front. ★: worse than the baseline in no objective. All choices are in front.csv."
    return section("The front, design by design", note, chart_block(chart, 420), f"<div class='card'>{listing}</div>")


def _layers_section(findings: Findings, layers: DataFrame) -> str:
    trial = int(layers["trial"].iloc[0])
    shown = layers.drop(columns=["trial"])
    blocks, titles = [], {"utilization": "utilisation"}
    joules = [str(name) for name in shown.columns if str(name).endswith("_j")]
    parts = {name: name[len("energy_") : -len("_j")].replace("_", " ") for name in joules if name != "energy_j"}
    parts = {name: title for name, title in parts.items() if shown[name].sum() > 0}
    if parts and "name" in shown:
        chart = charts.layers_chart(shown, list(parts), list(parts.values()))
        blocks.append(chart_block(chart, 430, "Energy by component"))
    for name in [*joules, *(name for name in ("latency_s",) if name in shown)]:
        shown[name] = shown[name] * 1e6
        titles[name] = f"{parts.get(name, name.rpartition('_')[0])} ({'µs' if name == 'latency_s' else 'µJ'})"
    shown = shown.drop(columns=[name for name in joules if name not in parts and name != "energy_j"])
    title, note = f"Layer by layer: the balanced design (trial {trial})", "Each operator's cost, bound and mapping."
    return section(title, note, *blocks, f"<div class='card'>{frame_table(shown.fillna(''), titles)}</div>")


def _search_section(findings: Findings) -> str:
    reference, origin = findings.reference
    stated = ", ".join(
        f"{metric_of(name).label.lower()} {value * metric_of(name).scale:.4g} {metric_of(name).unit}"
        for name, value in zip(findings.spec.objectives, reference, strict=True)
    )
    history = charts.history_chart(findings.trials, findings.spec.objectives, reference)
    box = f"Share of the box from zero to {origin} ({stated}) that is dominated."
    blocks = [chart_block(history, 380, "Hypervolume", box)]
    limits = charts.limits_chart(findings.trials, findings.context.limits)
    if limits is not None:
        note = "Area and peak rate are known without mapping; what is over the limit is never mapped."
        blocks.append(chart_block(limits, 380, "All trials, before mapping", note))
    return section("How the search went", "", f"<div class='pair'>{''.join(blocks)}</div>")


def _rejected_section(findings: Findings) -> str:
    rejected = findings.trials[findings.trials["status"] != "ok"][["number", "status", "reason"]]
    if not len(rejected):
        return section("Turned away", "Every trial was feasible.")
    listing = frame_table(rejected, {"number": "Trial", "status": "Status", "reason": "Reason"}, wrapped=["reason"])
    note = f"{len(rejected)} designs broke a limit or have no mapping; a search learns from them as from the others."
    summary = f"<details open><summary>All {len(rejected)}</summary><div class='card'>{listing}</div></details>"
    return section("Turned away", note, summary)


def _method_section(findings: Findings) -> str:
    spec, context = findings.spec, findings.context
    lines = [f"Accuracy: {context.accuracy}"] if context.accuracy else []
    for name, most in context.limits.items():
        metric = metric_of(name)
        lines.append(f"Limit: {metric.label.lower()} at most {most * metric.scale:.4g} {metric.unit}.")
    lines.append(
        f"Strategy {spec.strategy.name}, seed {spec.seed}; each layer mapped by '{spec.mapper.name}' for least "
        f"{spec.mapper.objective}. The same seed gives the same trials with any number of workers."
    )
    text = (findings.folder / "study.yaml").read_text(encoding="utf-8")
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    source = f"<details><summary>study.yaml</summary><pre>{escape(text)}</pre></details>"
    return section("How this was made", "", paragraphs, source)
