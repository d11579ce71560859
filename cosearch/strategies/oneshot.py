"""One-shot search: a supernet is trained first, designs are searched with its weights, the best are tried for real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from ..accuracy.registry import accuracy_source
from ..accuracy.supernet.source import SupernetOptions
from ..spaces.space import Value
from ..studies.pareto import non_dominated
from ..studies.trial import TrialResult
from .base import Batched, Strategy, StrategyOptions, Task
from .foresight import Costs, Foresight
from .mode_base import ModeOptions
from .registry import strategy_class

__all__ = ["OneShot", "OneShotOptions"]

_BATCH = 16


class OneShotOptions(ModeOptions):
    """``supernet``: how it is trained; ``inner_trials``: how many designs are looked at with its weights.

    ``costs``: ``mapper`` maps each such design, ``sweep`` takes its costs from a sweep of all hardware; ``auto`` is the
    sweep where the study has one.
    """

    supernet: SupernetOptions = SupernetOptions()
    inner_trials: int = Field(default=400, ge=1, le=1_000_000)
    costs: Costs = "auto"


class OneShot:
    """A supernet is trained, the strategy searches with its weights, and the best of that become trials.

    After TuNAS (Bender et al., CVPR 2020) and the one-shot mode of NAHAS (arXiv 2102.08619): no accuracy is paid for
    until designs are final, and then only theirs.
    """

    Options: ClassVar[type[ModeOptions]] = OneShotOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The search for finalists; `BadInput` where the space has no supernet or costs cannot be foreseen."""
        supernet = accuracy_source("supernet", task.networks, mode_options.supernet.model_dump())
        foresight = Foresight(task, supernet, mode_options.costs)
        inner = strategy_class(name)(task, options)
        return _Finalists(task, inner, foresight, mode_options.inner_trials)


class _Finalists(Batched):
    """Proposes the designs that look best with shared weights, rank by rank of domination."""

    def __init__(self, task: Task, inner: Strategy, foresight: Foresight, trials: int) -> None:
        super().__init__(task, _BATCH)
        self._inner, self._foresight, self._trials = inner, foresight, trials
        self._ranked: Iterator[Mapping[str, Value]] | None = None

    @property
    def preparation_macs(self) -> float:
        """Multiply-accumulates of training the supernet."""
        return self._foresight.preparation_macs

    def _propose(self, count: int) -> list[Mapping[str, Value]]:
        if self._ranked is None:
            self._ranked = self._search()
        return [values for values, _ in zip(self._ranked, range(count), strict=False)]

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        """Nothing: the supernet has said what it knows."""

    def _search(self) -> Iterator[Mapping[str, Value]]:
        seen: dict[tuple[int, ...], tuple[Mapping[str, Value], TrialResult]] = {}
        asked = 0
        while asked < self._trials:
            proposals = self._inner.ask(min(self._inner.batch, self._trials - asked))
            if not proposals:
                break
            asked += len(proposals)
            results = []
            for proposal in proposals:
                key = self.task.space.encode(proposal.values)
                if key not in seen:
                    seen[key] = (proposal.values, self._foresight.result(proposal.values))
                results.append(seen[key][1])
            self._inner.tell([proposal.number for proposal in proposals], results)
        first = {self.task.space.encode(values) for values in self.task.first}
        return ranked([pair for key, pair in seen.items() if key not in first], self.task.objectives)


def ranked(
    designs: Sequence[tuple[Mapping[str, Value], TrialResult]], objectives: Sequence[str]
) -> Iterator[Mapping[str, Value]]:
    """Feasible designs front after front, each front by its first objective; designs that break a limit never come."""
    feasible = [(values, result.metrics) for values, result in designs if result.status == "ok"]
    left = [(values, [metrics[name] for name in objectives]) for values, metrics in feasible]
    while left:
        front = non_dominated([costs for _, costs in left])
        best = [pair for pair, on_front in zip(left, front, strict=True) if on_front]
        left = [pair for pair, on_front in zip(left, front, strict=True) if not on_front]
        yield from (values for values, _ in sorted(best, key=lambda pair: pair[1]))

