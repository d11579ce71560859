"""The ten-criteria card: what a reader of a search asks, answered with figures of this very search or with "not known".

The criteria are those of a review of automated deep learning (Dong et al., "Automated Deep Learning: Neural
Architecture Search Is Not the End", 2021), each given a figure here.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...amounts import count_of, many, seconds_text, small
from ...life.deployment import Deployment
from ...life.search_energy import HOST_POWER_W, training_j_per_mac
from ...life.spent import in_data_centre
from ..choose import beats_baseline
from .ablation_read import gained_by

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..findings import Findings

__all__ = ["Card", "Criterion", "card"]


@dataclass(frozen=True)
class Criterion:
    """One row: the ``figure`` that answers it, and in ``detail`` what it rests on. Not ``known``: what would tell."""

    name: str
    asks: str
    figure: str
    detail: str
    known: bool = True


@dataclass(frozen=True)
class Card:
    """The criteria in the review's sense, quality first."""

    rows: tuple[Criterion, ...]

    def __getitem__(self, name: str) -> Criterion:
        """A row by its name; ``KeyError`` where there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def frame(self) -> DataFrame:
        """A row per criterion: ``criterion``, ``asks``, ``figure``, ``detail``, ``known``."""
        import pandas as pd

        rows = [(row.name, row.asks, row.figure, row.detail, row.known) for row in self.rows]
        return pd.DataFrame(rows, columns=["criterion", "asks", "figure", "detail", "known"])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(row.name)}</th>"
            f"<td style='text-align:left'><b>{html.escape(row.figure)}</b></td>"
            f"<td style='text-align:left'>{html.escape(row.detail)}</td></tr>"
            for row in self.rows
        )
        return f"<table>{cells}</table>"


def card(findings: Findings) -> Card:
    """All ten rows of a study."""
    rows = (_quality, _efficiency, _stability, _reproducibility, _interpretability, _scalability, _generality, _eco,
            _engineering, _novelty)  # fmt: skip
    return Card(tuple(row(findings) for row in rows))


def _quality(findings: Findings) -> Criterion:
    asks = "How good is what it found?"
    if not len(findings.front):
        return Criterion("Quality", asks, "no feasible design", "every trial was turned away", known=False)
    better = int(beats_baseline(findings.front, findings.spec.objectives, findings.context.baseline).sum())
    volume = findings.convergence.hypervolume_pct[-1]
    figure = f"hypervolume {volume:.1f} %"
    detail = f"of the box from zero to {findings.reference[1]}; {_designs(len(findings.front))} on the front"
    if findings.context.baseline:
        detail += f", {better or 'none'} of them better than the baseline and worse in nothing"
    return Criterion("Quality", asks, figure, detail + ". The true front is not known, so neither is the regret.")


def _efficiency(findings: Findings) -> Criterion:
    info, asks = findings.convergence, "What did it take?"
    if not len(info.trials):
        return Criterion("Efficiency", asks, "no trials", "nothing was evaluated", known=False)
    evaluations, seconds = int(info.evaluations[-1]), float(findings.trials["wall_s"].sum())
    figure = (
        f"{count_of(evaluations, 'accuracy', 'accuracies')} asked for" if evaluations else f"{len(info.trials)} trials"
    )
    reached = info.reached(0.95)
    detail = f"{count_of(len(info.trials), 'trial')}, {seconds_text(seconds)} of evaluation"
    if reached:
        detail += f"; 95 % of the final hypervolume after {count_of(reached, 'trial')}"
        detail += f" and {int(info.evaluations[reached - 1])} accuracies" if evaluations else ""
    paid = _accuracy_macs(findings)
    if paid > 0:
        detail += f"; {paid:.2g} MACs of training and inference to find the accuracies"
    return Criterion("Efficiency", asks, figure, detail + ".")


def _stability(findings: Findings) -> Criterion:
    asks, seeds = "Does another seed find as good a front?", findings.seeds
    if seeds is None or len(seeds) < 2:
        return Criterion("Stability", asks, "one seed", "cosearch run … --repeats 5 tells how much luck it is.", False)
    volumes = seeds["hypervolume_pct"].to_numpy(dtype=float)
    figure = f"± {volumes.std(ddof=1):.2f} points over {len(volumes)} seeds"
    detail = f"hypervolume {volumes.mean():.1f} % on average; the worst seed has {volumes.min():.1f} %"
    return Criterion("Stability", asks, figure, f"{detail}, the best {volumes.max():.1f} %.")


def _reproducibility(findings: Findings) -> Criterion:
    versions = ", ".join(f"{name} {version}" for name, version in findings.context.versions.items())
    detail = "the same seed gives the same trials with any number of workers, and after any interruption"
    detail += f"; made with {versions}." if versions else "."
    figure = f"seed {findings.spec.seed}, study {findings.context.fingerprint[:12]}"
    return Criterion("Reproducibility", "Can it be had again?", figure, detail)


def _interpretability(findings: Findings) -> Criterion:
    asks, info = "Is it known why?", findings.importance
    if not info.objectives:
        return Criterion("Interpretability", asks, "too few trials", "importance needs 20 feasible designs.", False)
    top = np.argsort(-info.mean, kind="stable")[:3]
    r2 = [one.r2 for one in info.objectives]
    figure = f"forest's R² {min(r2):.2f} to {max(r2):.2f}" if len(r2) > 1 else f"forest's R² {r2[0]:.2f}"
    named = ", ".join(f"{_plain(info.choices[place])} {100 * info.mean[place]:.0f} %" for place in top)
    detail = f"alone explain most, on average over the objectives: {named}"
    gained = gained_by(findings.ablation, 3)
    if gained is not None:
        detail += f"; the first three of {gained[1]} changes to the baseline bring {100 * gained[0]:.0f} % of the gain"
    return Criterion("Interpretability", asks, figure, f"{detail}.")


def _scalability(findings: Findings) -> Criterion:
    asks, trials = "Does it bear a larger space?", findings.trials
    choices = [name for name in trials.columns if str(name).startswith(("hw.", "net."))]
    figure = f"{many(findings.context.designs)} designs"
    fresh = trials["wall_s"].to_numpy(dtype=float)
    fresh = fresh[fresh > 0]
    detail = f"{count_of(len(choices), 'choice')}; {len(trials) / max(findings.context.designs, 1.0):.2g} of them tried"
    if len(fresh) >= 8:
        quarter = max(len(fresh) // 4, 1)
        early, late = float(np.median(fresh[:quarter])), float(np.median(fresh[-quarter:]))
        detail += f"; a trial takes {seconds_text(early)} in the first quarter and {seconds_text(late)} in the last"
    return Criterion("Scalability", asks, figure, detail + ".")


def _generality(findings: Findings) -> Criterion:
    asks, moved = "Is the hardware good for other networks?", findings.transfer
    name = "Generalisability"
    if moved is None or not len(moved):
        return Criterion(name, asks, "not tried", "report: {transfer: [resnet18]} in the study tries others.", False)
    ratios: list[str] = []
    gains: list[float] = []
    for network, rows in moved.groupby("network", sort=False):
        sides = rows.set_index("hardware")
        edp = [float(sides["edp"].get(side, np.nan)) for side in ("baseline", "chosen")]
        if not np.isfinite(edp[1]):
            ratios.append(f"{network} does not fit")
        elif np.isfinite(edp[0]) and edp[1] > 0:
            gains.append(edp[0] / edp[1])
            costs = f"{_ratio(sides, 'latency_s')} of the latency, {_ratio(sides, 'energy_j')} of the energy"
            ratios.append(f"{network} {costs}")
    figure = f"energy × delay {_times(float(np.exp(np.mean(np.log(gains)))))}" if gains else "runs none of them"
    detail = "the balanced design's hardware against the baseline's: " + "; ".join(ratios) + "."
    return Criterion(name, asks, figure, detail)


def _ratio(sides: Any, column: str) -> str:
    return f"{100 * float(sides[column]['chosen']) / float(sides[column]['baseline']):.0f} %"


def _times(gain: float) -> str:
    return f"{gain:.2f} times lower" if gain >= 1 else f"{1 / gain:.2f} times higher"


def _accuracy_macs(findings: Findings) -> float:
    """Multiply-accumulates of all accuracies of a search, the baseline's and what came before the first included."""
    trials, context = findings.trials, findings.context
    paid = float(trials["accuracy_macs"].sum()) if "accuracy_macs" in trials else 0.0
    return paid + context.baseline.get("accuracy_macs", 0.0) + context.preparation_macs


def _eco(findings: Findings) -> Criterion:
    seconds, macs = float(findings.trials["wall_s"].sum()), _accuracy_macs(findings)
    amount = in_data_centre(seconds * HOST_POWER_W, Deployment())
    figure = f"{small(amount.energy_j / 3.6e6)} kWh, {small(1e3 * amount.co2e_kg)} gCO₂e"
    detail = f"{seconds_text(seconds)} of evaluation at {HOST_POWER_W:g} W and a data centre's overhead"
    detail += ", on the world's mean grid"
    if macs > 0:
        kwh = in_data_centre(macs * training_j_per_mac("a100"), Deployment()).energy_j / 3.6e6
        detail += f"; the {macs:.2g} MACs of finding accuracies take at least {small(kwh)} kWh on an A100"
        detail += " (what was trained here is in both)."
    else:
        detail += "; accuracies took nothing to look up or predict."
    return Criterion("Eco-cost", "What did the search itself burn?", figure, detail)


def _engineering(findings: Findings) -> Criterion:
    status = findings.trials["status"].value_counts().to_dict()
    early = int(findings.trials["latency_s"].isna().sum()) if "latency_s" in findings.trials else 0
    turned = int(status.get("constraint", 0)) + int(status.get("infeasible", 0))
    figure = f"{status.get('ok', 0)} of {len(findings.trials)} trials feasible"
    detail = f"{turned} turned away, each with its reason, {early} of them before any mapping was paid for; none lost."
    return Criterion("Engineering", "Does it hold up?", figure, detail)


def _novelty(findings: Findings) -> Criterion:
    asks, original = "How far is it from what was known?", findings.baseline_choices
    if not findings.chosen:
        return Criterion("Novelty", asks, "no feasible design", "nothing to compare.", known=False)
    row = findings.row(findings.chosen[0].number)
    names = [name for name in row if name.startswith(("hw.", "net."))]
    networks = findings.front[[name for name in names if name.startswith("net.")]].astype(str).drop_duplicates()
    chips = findings.front[[name for name in names if name.startswith("hw.")]].astype(str).drop_duplicates()
    held = f"the front holds {count_of(len(networks), 'network')} and {count_of(len(chips), 'accelerator')}"
    if not original:
        return Criterion("Novelty", asks, "not known", f"the baseline is no point of the space; {held}.", known=False)
    differ = sum(str(row[name]) != str(original.get(name)) for name in names)
    return Criterion("Novelty", asks, f"{differ} of {len(names)} choices differ",
                     f"the balanced design against the baseline; {held}.")  # fmt: skip


def _designs(count: int) -> str:
    return count_of(count, "design")


def _plain(choice: str) -> str:
    return choice.partition(".")[2].replace("_", " ").replace(".", " ")
