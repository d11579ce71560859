"""Search strategies: each proposes designs (`ask`) and learns from their results (`tell`).

A strategy is one class behind the `Strategy` protocol, found by name here or as an entry point in the group
``dovetail.strategies``. Its proposals may depend on the seed and on what it was told, on nothing else: a run is
continued by asking again and telling it the logged results.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadInput, UnknownName
from .space import Space, Value
from .trial import Proposal, TrialResult

if TYPE_CHECKING:
    import optuna

__all__ = ["NSGA2", "RandomSearch", "Strategy", "StrategyOptions", "strategy_class", "strategy_names"]


class StrategyOptions(BaseModel):
    """Base of a strategy's options as a study writes them under ``strategy:``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Strategy(Protocol):
    """Asks for results and is told them, a batch at a time."""

    Options: ClassVar[type[StrategyOptions]]

    def __init__(
        self, space: Space, objectives: Sequence[str], seed: int, first: Sequence[Mapping[str, Value]], options: Any
    ) -> None:
        """``first`` are designs to propose before any other; ``options`` is an instance of ``Options``."""

    @property
    def batch(self) -> int:
        """How many proposals can be had before results are needed; asking in such batches is independent of workers."""

    def ask(self, count: int) -> list[Proposal]:
        """The next ``count`` proposals, numbered on from the last; fewer where the space has no more."""

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """The results of proposals asked for earlier, in the order of their numbers."""


class RandomSearch:
    """Every design drawn uniformly and independently: the baseline any other strategy has to beat."""

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions
    batch = 64

    def __init__(
        self, space: Space, objectives: Sequence[str], seed: int, first: Sequence[Mapping[str, Value]], options: Any
    ) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._first = deque(space.validate(values) for values in first)
        self._next = 0

    def ask(self, count: int) -> list[Proposal]:
        """``count`` independent draws."""
        proposals = []
        for _ in range(count):
            values = self._first.popleft() if self._first else self._space.sample(self._rng)
            proposals.append(Proposal(self._next, values))
            self._next += 1
        return proposals

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """Nothing is learnt."""


class NSGA2Options(StrategyOptions):
    """``population``: designs in a generation; ``crossover``: probability of two parents; ``mutation``: of a choice.

    ``around_first`` is the share of the first generation that are variations of the given first designs; the rest is
    drawn from the whole space.
    """

    population: int = Field(default=40, ge=2, le=10_000)
    around_first: float = Field(default=0.0, ge=0.0, le=1.0)
    crossover: float = Field(default=0.9, ge=0.0, le=1.0)
    mutation: float | None = Field(default=None, ge=0.0, le=1.0)


class NSGA2:
    """The elitist genetic algorithm with constrained domination of Deb et al. (IEEE Trans. Evol. Comp. 2002), optuna's.

    Every choice is a gene holding an option's index. A design without a result is worse than any that has one.
    """

    Options: ClassVar[type[StrategyOptions]] = NSGA2Options

    def __init__(
        self, space: Space, objectives: Sequence[str], seed: int, first: Sequence[Mapping[str, Value]], options: Any
    ) -> None:
        import optuna

        self._space = space
        self._objectives = tuple(objectives)
        self.batch: int = options.population
        self._trials: dict[int, optuna.Trial] = {}
        with _Quiet():
            sampler = optuna.samplers.NSGAIISampler(
                population_size=options.population, crossover_prob=options.crossover,
                mutation_prob=options.mutation, seed=seed,
            )  # fmt: skip
            self._study = optuna.create_study(directions=["minimize"] * len(self._objectives), sampler=sampler)
        known = [space.encode(values) for values in first]
        count = round(options.around_first * options.population) if known else 0
        for code in [*known, *variations(space, known, max(0, count - len(known)), np.random.default_rng(seed))]:
            self._study.enqueue_trial(dict(zip(space.names, code, strict=True)))

    def ask(self, count: int) -> list[Proposal]:
        """The next members of this generation, or children of the last one once it is complete."""
        proposals = []
        with _Quiet():
            for _ in range(count):
                trial = self._study.ask()
                code = [trial.suggest_int(choice.name, 0, len(choice.options) - 1) for choice in self._space.choices]
                self._trials[trial.number] = trial
                proposals.append(Proposal(trial.number, self._space.decode(code)))
        return proposals

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """Feasible designs compete by their objectives, the others by how far they break the constraints."""
        with _Quiet():
            for number, result in zip(numbers, results, strict=True):
                trial = self._trials.pop(number)
                trial.set_constraint("feasibility", 0.0 if result.status == "ok" else _violation(result))
                self._study.tell(trial, [result.metrics.get(name, _NO_VALUE) for name in self._objectives])


def variations(
    space: Space, known: Sequence[Sequence[int]], count: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Index vectors near ``known`` ones, in turn: one to half of the choices are redrawn, small numbers as likely
    as large ones (log-uniform), so that single steps are tried beside bold ones.
    """
    sizes = np.array([len(choice.options) for choice in space.choices])
    free = np.flatnonzero(sizes > 1)
    for index in range(count if len(free) else 0):
        code = np.array(known[index % len(known)])
        most = max(1.0, len(free) / 2)
        redrawn = rng.choice(free, size=round(float(np.exp(rng.uniform(0.0, np.log(most))))), replace=False)
        code[redrawn] = (code[redrawn] + rng.integers(1, sizes[redrawn])) % sizes[redrawn]
        yield code.tolist()


_NO_VALUE = 1e30  # finite, because crowding distances are differences
_NO_DESIGN = 1e3  # no mapping at all is worse than any exceeded limit


def _violation(result: TrialResult) -> float:
    return min(max(result.violation, 1e-9), _NO_DESIGN / 2) if result.status == "constraint" else _NO_DESIGN


class _Quiet:
    """optuna's messages about each trial are not for our users; its settings are restored for whoever else uses it."""

    def __enter__(self) -> None:
        import optuna

        self._before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore", category=FutureWarning)

    def __exit__(self, *exception: object) -> None:
        import optuna

        optuna.logging.set_verbosity(self._before)
        self._warnings.__exit__(None, None, None)


_BUILT_IN: dict[str, type[Strategy]] = {"nsga2": NSGA2, "random": RandomSearch}


def _plugged_in() -> Iterable[tuple[str, Any]]:
    return ((point.name, point) for point in entry_points(group="dovetail.strategies"))


def strategy_names() -> tuple[str, ...]:
    """Names a study may give under ``strategy:``."""
    return tuple(sorted({*_BUILT_IN, *(name for name, _ in _plugged_in())}))


def strategy_class(name: str) -> type[Strategy]:
    """The strategy called ``name``; `UnknownName` where there is none, `BadInput` where a plug-in cannot be loaded."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    point = dict(_plugged_in()).get(name)
    if point is None:
        raise UnknownName("strategy", name, strategy_names())
    try:
        loaded: type[Strategy] = point.load()
    except (ImportError, AttributeError) as error:
        raise BadInput(f"the strategy '{name}' cannot be loaded ({error}); is its package installed whole?") from error
    return loaded
