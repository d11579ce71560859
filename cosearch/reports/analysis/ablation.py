"""The way from the baseline to a chosen design, one change at a time: what each change brings, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ...spaces.space import Value
from ...studies.tables import option_text
from ...studies.trial import TrialResult

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Change", "Judged", "Labels", "Step", "ablation", "ablation_frame", "changes_between"]

Values = Mapping[str, Value]
Labels = Mapping[str, Mapping[str, str]]
Evaluate = Callable[[Sequence[Values]], Sequence[TrialResult]]
Score = Callable[[TrialResult], float]
Kind = Literal["start", "path", "alone", "undone"]
LOOK = 3
"""Changes tried at each step: those that promised most when they were last tried."""
_ABSENT = "–"


@dataclass(frozen=True)
class Change:
    """Choices that change together: the ``goal``'s values of ``names``; a name the goal lacks is taken away."""

    label: str
    text: str
    names: tuple[str, ...]

    def made(self, values: Values, goal: Values) -> dict[str, Value]:
        """``values`` with this change made."""
        kept = {name: value for name, value in values.items() if name not in self.names}
        kept |= {name: goal[name] for name in self.names if name in goal}
        order = list(dict.fromkeys([*goal, *values]))
        return {name: kept[name] for name in order if name in kept}


@dataclass(frozen=True)
class Judged:
    """A design and what became of it; ``score`` is what the path goes down, infinite where there is no such design."""

    values: Values
    result: TrialResult
    score: float

    @property
    def rank(self) -> tuple[int, float]:
        """Order among candidates: feasible ones by score, then those over a limit by how much, then impossible ones."""
        if self.result.status == "ok":
            return 0, self.score
        return (1, self.result.violation) if self.result.status == "constraint" else (2, 0.0)


@dataclass(frozen=True)
class Step:
    """A row of the ablation. ``start``: the baseline. ``path``: a change on top of all before it. ``alone``: that
    change on the baseline. ``undone``: the chosen design without it.
    """

    kind: Kind
    number: int
    change: Change
    judged: Judged = field(repr=False)


def changes_between(start: Values, goal: Values, labels: Labels, most: int, whole_network: bool) -> list[Change]:
    """The differences as changes, as fine as ``most`` evaluations allow.

    The finest are single choices; then the choices of one block (``net.b03.*``) go together, then all of the network,
    then all of the hardware. ``whole_network``: the network is one change from the outset, because the accuracy of
    networks between the two would have to be paid for.
    """
    differ = [name for name in dict.fromkeys([*goal, *start]) if not _equal(start.get(name), goal.get(name))]
    levels: list[Callable[[str], str]] = [_by_network, _by_side]
    if not whole_network:
        levels[:0] = [lambda name: name, _by_block]
    groups: dict[str, list[str]] = {}
    for level in levels:
        groups = {}
        for name in differ:
            groups.setdefault(level(name), []).append(name)
        if _cost(len(groups)) <= most:
            break
    return [_change(label, tuple(names), start, goal, labels) for label, names in groups.items()]


def _equal(left: Value | None, right: Value | None) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _by_block(name: str) -> str:
    side, _, rest = name.partition(".")
    return name if side != "net" else f"net.{rest.partition('.')[0]}"


def _by_network(name: str) -> str:
    return "net" if name.startswith("net.") else name


def _by_side(name: str) -> str:
    return name.partition(".")[0]


def _cost(count: int) -> int:
    """Evaluations of an ablation with so many changes: each alone, a few at each step, each undone."""
    return 2 * count + sum(min(LOOK, left) for left in range(1, count))


def _change(label: str, names: tuple[str, ...], start: Values, goal: Values, labels: Labels) -> Change:
    parts = []
    for name in names:
        before, after = (option_text(labels, name, side[name]) if name in side else _ABSENT for side in (start, goal))
        parts.append(f"{name.rpartition('.')[2].replace('_', ' ')} {before} → {after}")
    title = {"net": "network", "hw": "hardware"}.get(label, label.partition(".")[2].replace("_", " ").replace(".", " "))
    kept = f"{len(names)} choices" if len(parts) > 4 else ", ".join(parts)
    text = f"{parts[0]}" if len(parts) == 1 and label == names[0] and label.count(".") == 1 else f"{title}: {kept}"
    return Change(title, text, names)


def ablation(start: Values, goal: Values, changes: Sequence[Change], evaluate: Evaluate, score: Score) -> list[Step]:
    """The greedy path: at each step the change that lowers ``score`` most, among the few that promised most.

    A change that cannot be made yet (no such design, or over a limit) waits; one that makes it worse comes last, and
    is shown. After the path, each change alone and each undone.
    """

    def judge(points: Sequence[Values]) -> list[Judged]:
        results = evaluate(points)
        return [
            Judged(values, result, score(result) if result.status == "ok" else math.inf)
            for values, result in zip(points, results, strict=True)
        ]

    first, last, *alone = judge([start, goal, *(change.made(start, goal) for change in changes)])
    found = [Step("start", 0, Change("baseline", "the baseline", ()), first)]
    gains = {change.names: (one.rank[0], one.score - first.score) for change, one in zip(changes, alone, strict=True)}
    left, current = list(changes), first
    while left:
        best, current = _next(left, current, goal, gains, judge, last)
        left.remove(best)
        found.append(Step("path", len(found), best, current))
    order = {step.change.names: step.number for step in found}
    undone = judge([change.made(goal, start) for change in changes])
    found += [Step("alone", order[c.names], c, one) for c, one in zip(changes, alone, strict=True)]
    found += [Step("undone", order[c.names], c, one) for c, one in zip(changes, undone, strict=True)]
    return found


def _next(
    left: Sequence[Change], current: Judged, goal: Values, gains: dict[tuple[str, ...], tuple[int, float]],
    judge: Callable[[Sequence[Values]], list[Judged]], last: Judged,
) -> tuple[Change, Judged]:  # fmt: skip
    """The next change of the path and the design it leads to; ``gains`` learns what the tried ones brought."""
    if len(left) == 1:
        return left[0], last
    promising = sorted(left, key=lambda change: (gains[change.names][0], _number(gains[change.names][1])))
    tried: list[tuple[Change, Judged]] = []
    for place in range(0, len(promising), LOOK):
        some = promising[place : place + LOOK]
        tried += zip(some, judge([change.made(current.values, goal) for change in some]), strict=True)
        if any(one.result.status == "ok" for _, one in tried):
            break
    for change, one in tried:
        gains[change.names] = (one.rank[0], one.score - current.score)
    return min(tried, key=lambda pair: pair[1].rank)


def _number(gain: float) -> float:
    """NaN (infinite less infinite) says nothing: it comes last."""
    return gain if gain == gain else math.inf


def ablation_frame(steps: Sequence[Step]) -> DataFrame:
    """A row per step: kind, step, change, text, choices, status, reason, score, and the metrics."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for step in steps:
        result = step.judged.result
        row = {"kind": step.kind, "step": step.number, "change": step.change.label, "text": step.change.text}
        row |= {"choices": " ".join(step.change.names), "status": result.status, "reason": result.reason}
        rows.append({**row, "score": step.judged.score, **result.metrics})
    return pd.DataFrame(rows)
