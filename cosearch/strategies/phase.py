"""Phase search: hardware first, for the baseline network, then networks on the best of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, field_validator

from ...document import field_errors
from ...errors import UnknownName
from ..spaces.space import Value
from ..studies.trial import OBJECTIVES, Proposal, TrialResult
from .base import Strategy, StrategyOptions, Task
from .mode_base import ModeOptions, fixed_part, part_of, restricted
from .registry import strategy_class
from .rewards import ERRORS, RewardOptions, make_reward

__all__ = ["Phase"]

_TARGETS = ("latency_s", "energy_j", "edp", "co2e_kg", "life_energy_j")  # what hardware is improved for, if limited


class PhaseOptions(ModeOptions):
    """``phase_trials``: how many trials go to the hardware; ``objective``: what it is improved for meanwhile.

    Without ``objective``, the study's objectives but the error; where the error is the only one, the latency, energy
    or carbon that the study limits, since hardware does not move a network's error.
    """

    phase_trials: int = Field(default=100, ge=1, le=1_000_000)
    objective: str | None = None

    @field_validator("objective")
    @classmethod
    def _objective_exists(cls, name: str | None) -> str | None:
        with field_errors():
            if name is not None and name not in OBJECTIVES:
                raise UnknownName("objective", name, OBJECTIVES)
        return name


class Phase:
    """Hardware is searched for the baseline network first, then networks on the best of it."""

    Options: ClassVar[type[ModeOptions]] = PhaseOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The same strategy twice, with the trials of both numbered through."""
        return _PhaseSearch(name, task, options, mode_options)


class _PhaseSearch:
    """The strategy of the phase at hand, and what carries over to the next."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions

    def __init__(self, name: str, task: Task, options: StrategyOptions, phase: PhaseOptions) -> None:
        self._name, self._task, self._options = name, task, options
        self._left = phase.phase_trials  # trials of hardware that may still be asked for
        self._hardware_phase = True
        self._asked = 0
        self._start = 0  # number of the present phase's first trial
        self._waiting: dict[int, Mapping[str, Value]] = {}
        self._best: tuple[float, Mapping[str, Value]] | None = None
        objectives = _hardware_objectives(task, phase.objective)
        self._reward = make_reward(RewardOptions(), objectives, task.limits, task.baseline)
        hardware = restricted(replace(task, objectives=objectives), fixed_part(task, "network", "phase"))
        self._inner = strategy_class(name)(hardware, options)

    @property
    def batch(self) -> int:
        """The batch of the present phase; its last one may be cut short."""
        return min(self._inner.batch, self._left) if self._hardware_phase and self._left else self._inner.batch

    def ask(self, count: int) -> list[Proposal]:
        """As the strategy; networks come once the hardware's trials are all told."""
        asked = self._inner.ask(min(count, self._left) if self._hardware_phase else count)
        self._left -= len(asked)
        if not asked and count and self._hardware_phase and not self._waiting and self._best is not None:
            self._turn_to_networks(self._best[1])
            asked = self._inner.ask(count)
        proposals = [Proposal(self._start + proposal.number, proposal.values) for proposal in asked]
        self._asked += len(proposals)
        self._waiting.update((proposal.number, proposal.values) for proposal in proposals)
        return proposals

    def _turn_to_networks(self, best: Mapping[str, Value]) -> None:
        """The best design goes first again: the strategy learns it under the objectives of the whole task."""
        self._hardware_phase, self._start = False, self._asked
        networks = restricted(replace(self._task, first=(best,)), part_of(best, "hardware"))
        self._inner = strategy_class(self._name)(networks, self._options)

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """Hardware is ranked by the reward `hard`: least cost among what keeps the limits."""
        for number, result in zip(numbers, results, strict=True):
            values = self._waiting.pop(number)
            score = self._reward.score(result)
            if self._hardware_phase and (self._best is None or score > self._best[0]):
                self._best = (score, values)
        self._inner.tell([number - self._start for number in numbers], results)


def _hardware_objectives(task: Task, asked: str | None) -> tuple[str, ...]:
    if asked is not None:
        return (asked,)
    costs = tuple(name for name in task.objectives if name not in ERRORS)
    return costs or tuple(name for name in _TARGETS if name in task.limits) or task.objectives
