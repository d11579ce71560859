"""The front explorer's data: every feasible design in every number it has, for the page's script to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...studies.tables import option_text
from ..choose import Chosen
from ..figures.front import metric_of
from .style import METRIC_ROWS

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["MOST_DOMINATED", "explorer_data"]

MOST_DOMINATED = 4000
"""Dominated designs that are sent to the page; of more, evenly spread ones."""


def explorer_data(
    trials: DataFrame, objectives: Sequence[str], baseline: Mapping[str, float],
    labels: Mapping[str, Mapping[str, str]], chosen: Sequence[Chosen], original: Mapping[str, Any],
    extra: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """What the page's script draws: ``axes`` with a value per design, which of them are on the front, the chosen ones,
    and the choices of each design of the front beside the baseline's (``original``).

    Axes are the objectives first, then the other metrics, the hardware's numbers, columns named in ``extra`` and the
    trial's number; the colour starts as the first of ``extra``, or the third axis.
    """
    shown = _shown(trials)
    front = shown["on_front"].to_numpy(dtype=bool)
    axes = [_axis(name, shown, baseline, name in objectives) for name in _metrics(shown, objectives)]
    axes += [_choice_axis(name, shown, labels) for name in _hardware(shown)]
    axes += [
        {"name": name, "title": name.capitalize(), "unit": "", "values": shown[name].tolist(), "objective": False}
        for name in extra
    ]
    axes.append({"name": "number", "title": "Trial", "unit": "", "values": shown["number"].astype(int).tolist(),
                 "objective": False})  # fmt: skip
    uncertain = "error_sigma_pct" in shown and bool((shown["error_sigma_pct"] > 0).any())
    sigma = shown["error_sigma_pct"].round(4).tolist() if uncertain else None
    places = {int(number): place for place, number in enumerate(shown["number"])}
    titles: dict[int, list[str]] = {}
    for design in chosen:
        titles.setdefault(places[design.number], []).append(design.title)
    marks = [[place, " & ".join([names[0], *(n.lower() for n in names[1:])])] for place, names in titles.items()]
    rows = [int(row) for row in np.flatnonzero(front)]
    choices = [str(name) for name in shown.columns if str(name).startswith(("hw.", "net."))]
    records = {row: shown.iloc[row] for row in rows}
    designs = {row: [option_text(labels, name, records[row][name]) for name in choices] for row in rows}
    return {
        "axes": axes, "front": front.tolist(), "sigma": sigma, "chosen": marks, "choices": choices,
        "designs": designs, "original": [option_text(labels, n, original[n]) if n in original else "" for n in choices],
        "left_out": len(trials[trials["status"] == "ok"]) - len(shown),
        "start": [axes[0]["name"], axes[1]["name"], extra[0] if extra else axes[2]["name"]],
    }  # fmt: skip


def _shown(trials: DataFrame) -> DataFrame:
    feasible = trials[trials["status"] == "ok"]
    dominated = np.flatnonzero(~feasible["on_front"].to_numpy(dtype=bool))
    if len(dominated) <= MOST_DOMINATED:
        return feasible.reset_index(drop=True)
    kept = dominated[np.linspace(0, len(dominated) - 1, MOST_DOMINATED).astype(int)]
    rows = np.sort(np.concatenate([kept, np.flatnonzero(feasible["on_front"])]))
    return feasible.iloc[rows].reset_index(drop=True)


def _metrics(shown: DataFrame, objectives: Sequence[str]) -> list[str]:
    others = [name for name in METRIC_ROWS if name in shown.columns and shown[name].notna().all()]
    return list(dict.fromkeys([*objectives, *(name for name in others if name != "error_sigma_pct")]))


def _axis(name: str, shown: DataFrame, baseline: Mapping[str, float], objective: bool) -> dict[str, Any]:
    metric = metric_of(name)
    values = [float(f"{value * metric.scale:.6g}") for value in shown[name]]
    known = baseline[name] * metric.scale if name in baseline else None
    return {"name": name, "title": metric.title, "unit": metric.unit, "values": values, "objective": objective,
            "baseline": known}  # fmt: skip


def _hardware(shown: DataFrame) -> list[str]:
    names = [str(name) for name in shown.columns if str(name).startswith("hw.")]
    return [name for name in names if shown[name].dtype.kind in "iuf" and shown[name].nunique() > 1]


def _choice_axis(name: str, shown: DataFrame, labels: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    texts = [text.split(" ", 1)[1] for text in labels.get(name, {}).values() if " " in text]
    unit = texts[0] if texts else ""
    title = name.partition(".")[2].replace("_", " ")
    return {"name": name, "title": f"{title} ({unit})" if unit else title, "unit": unit,
            "values": shown[name].tolist(), "objective": False}  # fmt: skip
