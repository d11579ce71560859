"""What a search strategy promises, and whether one keeps it: for authors of plug-ins (`dovetail.testing`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from ...errors import DovetailError, UnknownName
from ..spaces.space import Choice, Space, Value
from ..studies.trial import Proposal, TrialResult
from .base import Strategy, StrategyOptions, Task
from .random_search import RandomSearch

__all__ = ["STRATEGY_PROMISES", "StrategyError", "check_strategy"]

TRIALS = 160  # of the search that is compared with chance
SEEDS = (1, 2, 3)
SLACK = 1.1  # a strategy that is chance itself, with other draws, may be unlucky by so much

_SPACE = Space((
    Choice("net.kind", ("x", "y", "z")), *(Choice(f"net.c{index}", tuple(range(6))) for index in range(6)),
    Choice("hw.size", (1, 2, 4, 8)), Choice("hw.fixed", (True,)), Choice("hw.rate", (0.5, 1.0, 1.5)),
))  # fmt: skip
_FIRST: dict[str, Value] = {
    "net.kind": "y", **{f"net.c{index}": 5 for index in range(6)}, "hw.size": 4, "hw.fixed": True, "hw.rate": 1.5,
}  # fmt: skip
_TASK = Task(_SPACE, ("error_pct", "latency_s"), 1, (_FIRST,), {"area_mm2": 10.0})

Judge = Callable[[Mapping[str, Value]], TrialResult]


class StrategyError(DovetailError):
    """A strategy breaks the ``promise``, one of `STRATEGY_PROMISES`."""

    def __init__(self, strategy: str, promise: str, what: str) -> None:
        super().__init__(f"strategy '{strategy}' breaks the promise '{promise}': {what}")
        self.strategy, self.promise, self.what = strategy, promise, what

    def __reduce__(self) -> tuple[object, ...]:
        return StrategyError, (self.strategy, self.promise, self.what)


def _judge(values: Mapping[str, Value]) -> TrialResult:
    """A design with known metrics, one that is too large, or none at all: quick, and the same for the same values."""
    size, rate = float(values["hw.size"]), float(values["hw.rate"])
    area = 1.5 * size + rate
    if area > 10.0:
        return TrialResult("constraint", {"area_mm2": area}, "too large", area / 10.0 - 1.0)
    if values["net.kind"] == "z" and size == 1:
        return TrialResult("infeasible", {"area_mm2": area}, "no mapping fits")
    far = sum((float(values[f"net.c{index}"]) - 2.0) ** 2 for index in range(6))
    error = 10.0 + far + (5.0 if values["net.kind"] == "x" else 0.0)
    return TrialResult("ok", {"area_mm2": area, "error_pct": error, "latency_s": 1e-3 * (1.0 + far / 50.0) / size})


def _nothing(values: Mapping[str, Value]) -> TrialResult:
    return TrialResult("infeasible", {}, "no mapping fits")


def _all_too_large(values: Mapping[str, Value]) -> TrialResult:
    return TrialResult("constraint", {"area_mm2": 20.0}, "too large", 1.0)


@dataclass
class _Candidate:
    """A strategy under examination, and how it is driven."""

    strategy: type[Strategy]
    options: Mapping[str, Any]
    promise: str = ""
    _runs: dict[tuple[int, int], list[Proposal]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class's name."""
        return str(getattr(self.strategy, "__name__", self.strategy))

    def require(self, holds: bool, what: str) -> None:
        """Raise `StrategyError` unless the present promise holds."""
        if not holds:
            raise StrategyError(self.name, self.promise, what)

    def made(self, task: Task) -> Strategy:
        """A new strategy with the options under examination."""
        return self.strategy(task, self.strategy.Options.model_validate(dict(self.options)))

    def run(self, trials: int, task: Task = _TASK, judge: Judge = _judge, piece: int | None = None) -> list[Proposal]:
        """Ask and tell as a study does, for so many trials or as many as there are; ``piece`` at a time."""
        strategy, seen = self.made(task), list[Proposal]()
        while len(seen) < trials:
            count = min(strategy.batch, trials - len(seen))
            self.require(count >= 1, f"batch is {strategy.batch}; it must be at least 1")
            proposals = _asked(strategy, count, piece or count)
            if not proposals:
                break
            self.require(len(proposals) <= count, f"asked for {count} proposals, it gives {len(proposals)}")
            strategy.tell([one.number for one in proposals], [judge(one.values) for one in proposals])
            seen += proposals
        return seen

    def usual(self, trials: int, seed: int = 1) -> list[Proposal]:
        """A run on the common task, kept for other promises."""
        if (trials, seed) not in self._runs:
            self._runs[trials, seed] = self.run(trials, replace(_TASK, seed=seed))
        return self._runs[trials, seed]


def _asked(strategy: Strategy, count: int, piece: int) -> list[Proposal]:
    proposals: list[Proposal] = []
    while len(proposals) < count:
        more = strategy.ask(min(piece, count - len(proposals)))
        if not more:
            break
        proposals += more
    return proposals


# ---- the promises --------------------------------------------------------------------------------------------------


def _has_options(candidate: _Candidate) -> None:
    options = getattr(candidate.strategy, "Options", None)
    good = isinstance(options, type) and issubclass(options, StrategyOptions) and issubclass(options, BaseModel)
    candidate.require(good, "its class needs `Options`, a subclass of StrategyOptions")
    batch = candidate.made(_TASK).batch
    whole = isinstance(batch, int) and not isinstance(batch, bool) and batch >= 1
    candidate.require(whole, f"batch is {batch!r}; it must be a whole number, at least 1")


def _stays_in_space(candidate: _Candidate) -> None:
    proposals = candidate.usual(90)
    candidate.require(len(proposals) == 90, f"of {_SPACE.size} designs it proposes only {len(proposals)}")
    numbers = [one.number for one in proposals]
    candidate.require(numbers == list(range(90)), f"proposals must be numbered 0, 1, 2, …; it numbers {numbers[:8]} …")
    _require_points(candidate, _SPACE, proposals)


def _require_points(candidate: _Candidate, space: Space, proposals: Sequence[Proposal]) -> None:
    for one in proposals:
        try:
            own = space.validate(one.values)
        except DovetailError as error:
            raise StrategyError(candidate.name, candidate.promise, f"proposal {one.number}: {error}") from error
        candidate.require(own == dict(one.values), f"proposal {one.number} is {dict(one.values)}, not {own}")


def _repeats(candidate: _Candidate) -> None:
    again = candidate.run(90)
    candidate.require(again == candidate.usual(90), "two runs of one seed propose different designs")


def _same_in_pieces(candidate: _Candidate) -> None:
    for piece in (1, 3):
        cut = candidate.run(90, piece=piece)
        what = f"asked for {piece} at a time it proposes other designs than for a batch at once"
        candidate.require(cut == candidate.usual(90), what)


def _given_first(candidate: _Candidate) -> None:
    proposed = candidate.usual(90)[0].values
    candidate.require(dict(proposed) == _FIRST, f"the task's first design is not proposed first, but {dict(proposed)}")


def _longer_adds(candidate: _Candidate) -> None:
    short = candidate.run(47)
    candidate.require(short == candidate.usual(90)[:47], "47 trials are not the first 47 of 90")


def _bears_failure(candidate: _Candidate) -> None:
    for what, judge in (("no mapping fits any design", _nothing), ("every design is too large", _all_too_large)):
        found = len(candidate.run(90, judge=judge))
        candidate.require(found == 90, f"where {what} it stops after {found} proposals")


def _ends_with_space(candidate: _Candidate) -> None:
    small = Space((Choice("net.a", (1, 2, 3)), Choice("hw.size", (1, 2))))

    def judge(values: Mapping[str, Value]) -> TrialResult:
        return TrialResult("ok", {"error_pct": 10.0 * float(values["net.a"]), "latency_s": 1.0, "area_mm2": 1.0})

    proposals = candidate.run(60, replace(_TASK, space=small, first=()), judge)
    _require_points(candidate, small, proposals)
    distinct = len({tuple(one.values.values()) for one in proposals})
    candidate.require(len(proposals) >= 6, f"of a space of 6 designs it proposes {len(proposals)}")
    candidate.require(distinct == 6 or len(proposals) == 60, f"it stops when {distinct} of 6 designs are tried")


def _takes_one_point(candidate: _Candidate) -> None:
    single = Space((Choice("net.a", (1,)), Choice("hw.size", (2,))))
    proposals = candidate.run(5, replace(_TASK, space=single, first=()), _nothing)
    _require_points(candidate, single, proposals)
    candidate.require(len(proposals) >= 1, "a space of one design is not proposed at all")


def _takes_conditions(candidate: _Candidate) -> None:
    conditional = Space((
        Choice("net.depth", (1, 2)), Choice("net.c0", tuple(range(6))), Choice("net.c1", (3, 5), {"net.depth": [2]}),
        Choice("net.extra", (False, True), {"net.c1": [5]}), Choice("hw.size", (1, 2, 4)),
    ))  # fmt: skip

    def judge(values: Mapping[str, Value]) -> TrialResult:
        error = 10.0 + float(values["net.c0"]) + float(values.get("net.c1", 0))
        return TrialResult("ok", {"error_pct": error, "latency_s": 1.0, "area_mm2": float(values["hw.size"])})

    first = {"net.depth": 2, "net.c0": 1, "net.c1": 5, "net.extra": True, "hw.size": 4}
    proposals = candidate.run(50, replace(_TASK, space=conditional, first=(first,)), judge)
    _require_points(candidate, conditional, proposals)
    candidate.require(len(proposals) == 50, f"of {conditional.size} designs it proposes only {len(proposals)}")


def _keeps_global_randomness(candidate: _Candidate) -> None:
    before = _global_state()
    candidate.run(20)
    same = _global_state() == before
    candidate.require(same, "it draws from numpy's global random state; use numpy.random.default_rng(task.seed)")


def _global_state() -> tuple[list[int], int]:
    state: Any = np.random.get_state(legacy=False)
    return state["state"]["key"].tolist(), int(state["state"]["pos"])


def _no_worse_than_chance(candidate: _Candidate) -> None:
    task = replace(_TASK, objectives=("error_pct",), first=())
    chance = _Candidate(RandomSearch, {})
    own, random = (
        math.fsum(_best(one.run(TRIALS, replace(task, seed=seed))) for seed in SEEDS) / len(SEEDS)
        for one in (candidate, chance)
    )
    candidate.require(
        own <= SLACK * random,
        f"after {TRIALS} trials of an easy search the least error is {own:.1f} on average; chance finds {random:.1f}",
    )


def _best(proposals: Sequence[Proposal]) -> float:
    results = [_judge(one.values) for one in proposals]
    return min((result.metrics["error_pct"] for result in results if result.status == "ok"), default=1e3)


STRATEGY_PROMISES: dict[str, Callable[[_Candidate], None]] = {
    "has options and a batch": _has_options,
    "proposes points of its space": _stays_in_space,
    "repeats itself by its seed": _repeats,
    "does not mind how it is asked": _same_in_pieces,
    "tries the given designs first": _given_first,
    "only adds with a longer budget": _longer_adds,
    "bears that nothing is feasible": _bears_failure,
    "ends with its space, or repeats": _ends_with_space,
    "takes a space of one design": _takes_one_point,
    "takes conditional choices": _takes_conditions,
    "leaves global randomness alone": _keeps_global_randomness,
    "is no worse than chance": _no_worse_than_chance,
}


def check_strategy(
    strategy: type[Strategy], promise: str | None = None, *, options: Mapping[str, Any] | None = None
) -> None:
    """Run a strategy on searches that cost nothing, a few hundred trials in all, with these ``options`` of its own.

    ``promise`` picks one of `STRATEGY_PROMISES`, None takes all. Raises `StrategyError`, which names the promise, where
    one is broken.
    """
    if promise is not None and promise not in STRATEGY_PROMISES:
        raise UnknownName("promise", promise, tuple(STRATEGY_PROMISES))
    candidate = _Candidate(strategy, dict(options or {}))
    for name, check in STRATEGY_PROMISES.items():
        if promise in (None, name):
            candidate.promise = name
            check(candidate)
