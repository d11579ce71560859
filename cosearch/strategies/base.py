"""Search strategies: each proposes designs (`ask`) and learns from their results (`tell`).

A strategy is one class behind the `Strategy` protocol. Its proposals depend on the task, its options and what it was
told, on nothing else: a run is continued by asking again and telling it the logged results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..accuracy.source import Accuracy
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Space, Value
from ..studies.foreknown import Foreknown
from ..studies.trial import Proposal, TrialResult
from ..sweep.base import Sweep

__all__ = ["Batched", "Strategy", "StrategyOptions", "Task"]


class StrategyOptions(BaseModel):
    """Base of a strategy's options as a study writes them under ``strategy:``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Task:
    """What a strategy is told of a search.

    ``objectives`` are minimised; ``limits`` is the most each constrained metric may be (SI units); ``first`` are
    designs to propose before any other. ``baseline`` holds the baseline design's metrics, may be empty.

    What can be known without asking for a network's accuracy, where the study offers it: ``sweep`` gives its costs on
    all hardware, ``statistics`` numbers that tell of its accuracy (log MACs, log parameters, depth, …; always as many).
    ``networks`` is the space of networks, ``judge`` gives a design's result with an accuracy found elsewhere.
    ``foreknown`` says of a design what takes no mapping; `BadInput` or `Infeasible` where there is no such design.
    """

    space: Space
    objectives: tuple[str, ...]
    seed: int = 1
    first: tuple[Mapping[str, Value], ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    sweep: Sweep | None = None
    statistics: Callable[[Mapping[str, Value]], NDArray[np.float64]] | None = None
    networks: NetworkSpace | None = None
    judge: Callable[[Mapping[str, Value], Accuracy], TrialResult] | None = None
    foreknown: Callable[[Mapping[str, Value]], Foreknown] | None = None


class Strategy(Protocol):
    """Asks for results and is told them, a batch at a time.

    A strategy that takes long to think of each proposal may say in ``at_once`` how many of a batch a run should ask for
    before it evaluates them, so that the first need not wait for the last.
    """

    Options: ClassVar[type[StrategyOptions]]

    def __init__(self, task: Task, options: Any) -> None:
        """``options`` is an instance of ``Options``."""

    @property
    def batch(self) -> int:
        """How many proposals can be had before results are needed; asking in such batches is independent of workers."""

    def ask(self, count: int) -> list[Proposal]:
        """The next ``count`` proposals, numbered on from the last; fewer where results are needed first or the space
        has no more. The same ones come whether they are asked for at once or piece by piece.
        """

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """The results of proposals asked for earlier, in the order of their numbers."""


class Batched(ABC):
    """A strategy that thinks once a batch: what it proposes depends on whole batches' results alone.

    Subclasses give ``_propose`` and ``_learn``. Numbers, the first designs, and asking and telling piece by piece are
    kept here.
    """

    Options: ClassVar[type[StrategyOptions]] = StrategyOptions

    def __init__(self, task: Task, batch: int) -> None:
        self.task = task
        self.batch = batch
        self._first = deque(task.space.validate(values) for values in task.first)
        self._queue: deque[Mapping[str, Value]] = deque()
        self._coming: Iterator[Mapping[str, Value]] = iter(())  # of this batch, behind the queue
        self._asked: dict[int, Mapping[str, Value]] = {}
        self._told: dict[int, TrialResult] = {}
        self._next = 0

    @abstractmethod
    def _propose(self, count: int) -> Iterable[Mapping[str, Value]]:
        """``count`` points for the next batch; fewer where the space has no more.

        A generator is taken from as points are asked for; it must not depend on results told meanwhile.
        """

    @abstractmethod
    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        """A whole batch's results, in the order in which its points were proposed."""

    def ask(self, count: int) -> list[Proposal]:
        """The next points of this batch; of the next one once all of this one's results are told."""
        proposals: list[Proposal] = []
        while len(proposals) < count:
            if not self._queue and not self._refill():
                break
            values = self._queue.popleft()
            self._asked[self._next] = values
            proposals.append(Proposal(self._next, values))
            self._next += 1
        return proposals

    def _refill(self) -> bool:
        """Whether the queue holds a point: the next of this batch, or the first of the next one."""
        if self._queue_next():
            return True
        if len(self._told) < len(self._asked):
            return False
        if self._asked:
            numbers = sorted(self._asked)
            self._learn([self._asked[number] for number in numbers], [self._told[number] for number in numbers])
            self._asked, self._told = {}, {}
        given = [self._first.popleft() for _ in range(min(self.batch, len(self._first)))]
        self._queue.extend(given)
        if len(given) < self.batch:
            self._coming = iter(self._propose(self.batch - len(given)))
        return bool(self._queue) or self._queue_next()

    def _queue_next(self) -> bool:
        for values in self._coming:
            self._queue.append(values)
            return True
        return False

    def tell(self, numbers: Sequence[int], results: Sequence[TrialResult]) -> None:
        """Kept until the batch is whole."""
        self._told.update(zip(numbers, results, strict=True))
