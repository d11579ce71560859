"""Nested search: networks are proposed, and for each the whole hardware is swept before its accuracy is asked for.

Costs come from a model and take milliseconds, an accuracy takes a training run. So the two are not searched as equals:
a network without hardware within the limits is dropped for nothing, one with hardware is tried on the best of it, and
what is learnt from accuracies is a matter of networks alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from ..spaces.space import Value
from ..studies.trial import Proposal, Status, TrialResult
from .base import Batched, Strategy, StrategyOptions, Task
from .candidates import Key, key_of
from .hardware_fronts import HardwareFronts
from .mode_base import ModeOptions
from .nested_predictor import NestedPredictor
from .registry import strategy_class

__all__ = ["Nested", "NestedOptions"]

_ROUNDS = 500  # of batches of networks none of which has hardware, before the search ends
_NO_NETWORK = 1e3  # violation of choices that make no network, or one that fits nothing


class NestedOptions(ModeOptions):
    """``designs``: accelerators a network is tried on at most in a batch, where costs are objectives.

    ``points``: accelerators that are swept where the study has no tables of all of them (``mapper: {name: tables}``).
    """

    designs: int = Field(default=8, ge=1, le=64)
    points: int = Field(default=64, ge=1, le=1_000_000)


class Nested:
    """Networks are searched; each is tried on the best of all hardware, and only if there is any within the limits."""

    Options: ClassVar[type[ModeOptions]] = NestedOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy over networks alone; ``predictor`` knows what is swept and chooses by it.

        Raises `BadInput` for a task without a sweep, with objectives it does not know, or without the error.
        """
        if name == "predictor":
            return NestedPredictor(task, options, mode_options.designs)
        return _Outer(name, task, options, mode_options.designs)


class _Outer(Batched):
    """Any strategy over networks, which is told what became of each on its best hardware."""

    def __init__(self, name: str, task: Task, options: StrategyOptions, designs: int) -> None:
        self._fronts = HardwareFronts(task)
        networks = tuple(self._fronts.network(values) for values in task.first)
        self._inner = strategy_class(name)(
            replace(task, space=self._fronts.networks, first=networks, sweep=None), options
        )
        self._designs = designs if self._fronts.costs else 1
        self._pending: list[Proposal] = []
        self._known: dict[Key, TrialResult] = {}
        super().__init__(task, self._inner.batch * self._designs + len(task.first))

    @property
    def rejected(self) -> int:
        """Networks that were dropped for want of hardware, without asking for their accuracy."""
        return self._fronts.rejected

    def _propose(self, count: int) -> list[dict[str, Value]]:
        for _ in range(_ROUNDS):
            self._pending = self._inner.ask(self._inner.batch)
            points = [point for proposal in self._pending for point in self._on_hardware(proposal.values)]
            if points or not self._pending:
                return points
            self._answer()
        return []

    def _on_hardware(self, network: Mapping[str, Value]) -> list[dict[str, Value]]:
        """The designs of a network that was not tried yet, spread along its front."""
        front, key = self._fronts.of(network), key_of(network)
        if key in self._known:
            return []
        if not len(front):
            violation = math.expm1(front.margin) if front.margin < math.log(_NO_NETWORK) else _NO_NETWORK
            status: Status = "constraint" if math.isfinite(front.margin) else "infeasible"
            self._known[key] = TrialResult(status, {}, "no hardware within the limits", violation)
            return []
        places = np.unique(np.linspace(0, len(front) - 1, self._designs).round().astype(int))
        return [self._fronts.design(network, int(front.numbers[place])) for place in places]

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        asked = {key_of(proposal.values) for proposal in self._pending}
        for values, result in zip(points, results, strict=True):
            key = key_of(self._fronts.network(values))
            if key in asked:
                self._known[key] = self._better(self._known.get(key), result)
        self._answer()

    def _answer(self) -> None:
        """Tell the strategy what became of the networks it proposed."""
        nothing = TrialResult("infeasible", {}, "not tried")
        results = [self._known.get(key_of(proposal.values), nothing) for proposal in self._pending]
        self._inner.tell([proposal.number for proposal in self._pending], results)
        self._pending = []

    def _better(self, before: TrialResult | None, result: TrialResult) -> TrialResult:
        """Of two designs of a network the one that is cheaper, as a product of the costs."""
        if before is None or before.status != "ok":
            return result
        if result.status != "ok":
            return before
        return min(before, result, key=lambda one: math.fsum(math.log(one.metrics[n]) for n in self._fronts.costs))
