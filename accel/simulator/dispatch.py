"""Which job a core takes next, without looking at all of them each time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

from .jobs import Job

__all__ = ["Queue"]


class Queue:
    """Jobs that have not begun. Of those that may start, one of the network that has begun the fewest comes first,
    of these the first in order.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.waiting = set(range(len(jobs)))
        self._begun: dict[int, int] = {}  # jobs by network
        self._missing = [len(set(job.after)) for job in jobs]
        self._followers: dict[int, list[int]] = {}
        self._ready: dict[int | None, dict[int, list[int]]] = {}  # by core and network, a heap of numbers
        self._contractions: dict[tuple[int | None, int], deque[int]] = {}  # by core and network, in order
        for number, job in enumerate(jobs):
            for before in set(job.after):
                self._followers.setdefault(before, []).append(number)
            if job.plan is not None:
                self._contractions.setdefault((job.core, job.network), deque()).append(number)
            if not self._missing[number]:
                self._may_start(number)

    def take(self, core: int) -> int | None:
        """The job that the core begins now; None where it has to wait for another's end."""
        heaps = [heap for owner in (core, None) for heap in self._ready.get(owner, {}).values() if heap]
        chosen = min(
            (heap[0] for heap in heaps), key=lambda one: (self._begun.get(self.jobs[one].network, 0), one), default=None
        )
        if chosen is None:
            return None
        job = self.jobs[chosen]
        heapq.heappop(self._ready[job.core][job.network])
        self.waiting.discard(chosen)
        self._begun[job.network] = self._begun.get(job.network, 0) + 1
        return chosen

    def over(self, number: int) -> None:
        """A job has ended: those that waited for it alone may start."""
        for one in self._followers.pop(number, ()):
            self._missing[one] -= 1
            if not self._missing[one]:
                self._may_start(one)

    def contraction(self, core: int, network: int) -> int | None:
        """The first contraction of a network that has to run on this core and has not begun."""
        ahead = self._contractions.get((core, network), deque())
        while ahead and ahead[0] not in self.waiting:
            ahead.popleft()
        return ahead[0] if ahead else None

    def _may_start(self, number: int) -> None:
        job = self.jobs[number]
        heapq.heappush(self._ready.setdefault(job.core, {}).setdefault(job.network, []), number)
