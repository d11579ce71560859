"""Nested search: networks are proposed, and for each the whole hardware is swept before its accuracy is asked for.

Costs come from a model and take milliseconds, an accuracy takes a training run. So the two are not searched as equals:
a network without hardware within the limits is dropped for nothing, one with hardware is tried on the best of it, and
what is learnt from accuracies is a matter of networks alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from ..spaces.space import Value
from ..studies.trial import Dropped, Proposal, Status, TrialResult
from .base import Batched, Strategy, StrategyOptions, Task
from .candidates import Key, key_of
from .hardware_fronts import HardwareFronts
from .mode_base import ModeOptions
from .nested_predictor import NestedPredictor
from .registry import strategy_class

__all__ = ["Nested", "NestedOptions"]

_MOST_REPEATS = 300  # proposals of known networks in a row, before the search ends
_AT_ONCE = 8  # networks that are swept before the first of them is tried
_NO_NETWORK = 1e3  # violation of choices that make no network, or one that fits nothing


class NestedOptions(ModeOptions):
    """``designs``: accelerators a network is tried on at most in a batch, where costs are objectives.

    ``points``: accelerators that are swept where the study has no tables of all of them (``mapper: {name: tables}``).
    ``patience``: networks without hardware within the limits after which the search ends, ten times as many in a row
    once one had some: 300 by default, and 60 where accelerators are sampled.
    """

    designs: int = Field(default=8, ge=1, le=64)
    points: int = Field(default=64, ge=1, le=1_000_000)
    patience: int | None = Field(default=None, ge=1, le=1_000_000)


class Nested:
    """Networks are searched; each is tried on the best of all hardware, and only if there is any within the limits."""

    Options: ClassVar[type[ModeOptions]] = NestedOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy over networks alone; ``predictor`` knows what is swept and chooses by it.

        Raises `BadInput` for a task without a sweep, with objectives it does not know, or without the error.
        """
        if name == "predictor":
            return NestedPredictor(task, options, mode_options.designs, mode_options.patience)
        return _Outer(name, task, options, mode_options)


class _Outer(Batched):
    """Any strategy over networks, which is told what became of each on its best hardware."""

    def __init__(self, name: str, task: Task, options: StrategyOptions, nested: NestedOptions) -> None:
        self._fronts = HardwareFronts(task, nested.patience)
        networks = tuple(self._fronts.network(values) for values in task.first)
        self._inner = strategy_class(name)(
            replace(task, space=self._fronts.networks, first=networks, sweep=None, foreknown=None), options
        )
        self._designs = nested.designs if self._fronts.costs else 1
        self._pending: list[Proposal] = []
        self._known: dict[Key, TrialResult] = {}
        self._repeats = 0  # proposals of known networks in a row
        super().__init__(task, self._inner.batch * self._designs + len(task.first))
        self.at_once = min(self._inner.batch, _AT_ONCE) * self._designs
        self._proposed = {key_of(values) for values in self._first}
        self._judged: dict[Key, TrialResult] = {}  # designs of earlier batches

    @property
    def rejected(self) -> int:
        """Networks that were dropped for want of hardware, without asking for their accuracy."""
        return self._fronts.rejected

    @property
    def dropped(self) -> Dropped:
        """Those networks, and by how much the limits were missed."""
        return self._fronts.dropped

    def _propose(self, count: int) -> Iterator[dict[str, Value]]:
        """The designs of the strategy's next batch that has any; a network is swept when its designs are asked for."""
        waiting = False
        while not waiting and not self._over:
            self._pending = self._inner.ask(self._inner.batch)
            if not self._pending:
                return
            for proposal in self._pending:
                for values in self._on_hardware(proposal.values):
                    design = key_of(values)
                    if design in self._judged:
                        self._note(proposal.values, self._judged[design])
                        continue
                    waiting = True
                    if design not in self._proposed:
                        self._proposed.add(design)
                        self._repeats = 0
                        yield values
                if self._over:
                    break
            if not waiting:
                self._answer()

    @property
    def _over(self) -> bool:
        """Whether all networks are known, or the search leads to known ones and those without hardware alone."""
        if self._repeats >= _MOST_REPEATS or len(self._known) >= self._fronts.networks.size:
            return True
        return self._fronts.given_up

    def _on_hardware(self, network: Mapping[str, Value]) -> list[dict[str, Value]]:
        """The designs of a network that was not tried yet, spread along its front."""
        front, key = self._fronts.of(network), key_of(network)
        if key in self._known:
            self._repeats += 1
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
            network = self._fronts.network(values)
            self._judged[key_of(values)] = result
            if key_of(network) in asked:
                self._note(network, result)
        self._answer()

    def _note(self, network: Mapping[str, Value], result: TrialResult) -> None:
        self._known[key_of(network)] = self._better(self._known.get(key_of(network)), result)

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
