"""The queue in front of the servers: who is next, and who has to go when it is full."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Literal

from ...errors import BadInput, UnknownName
from .checks import checked_number, checked_whole
from .profiles import Profile

__all__ = ["DROPS", "POLICIES", "Batching", "Discipline", "Drop", "Policy", "RequestQueue"]

Policy = Literal["fifo", "priority", "sjf", "edf"]
Drop = Literal["drop_new", "drop_oldest", "drop_late", "none"]
POLICIES: tuple[Policy, ...] = ("fifo", "priority", "sjf", "edf")
DROPS: tuple[Drop, ...] = ("drop_new", "drop_oldest", "drop_late", "none")
_MOST_TOGETHER = 4096


@dataclass(frozen=True)
class Batching:
    """Up to ``size`` requests of one network are served together; a free server waits at most ``wait_s`` for more.

    The wait counts from the arrival of the oldest one.
    """

    size: int
    wait_s: float = 0.0

    def __post_init__(self) -> None:
        checked_whole(self.size, "batch size", maximum=_MOST_TOGETHER, remedy="1 serves each request alone")
        checked_number(self.wait_s, "batch wait", remedy="it is at least 0 s")


@dataclass(frozen=True)
class Discipline:
    """Who is served next and who is refused.

    ``policy``: "fifo"; "priority" (the larger the sooner); "sjf", the network with the shortest mean run; "edf", the
    earliest deadline. Ties go by arrival, a run once begun is not interrupted. ``capacity`` bounds the requests that
    wait for a server (None: any number). When it is full, "drop_new" refuses the one that comes, "drop_oldest" the
    one that waits longest; "drop_late" refuses the one that comes and, whenever one's turn comes after its deadline,
    that one; "none" goes only with an unbounded queue. Raises `BadInput` for other names and for a bounded queue that
    drops nothing.
    """

    policy: Policy = "fifo"
    capacity: int | None = None
    drop: Drop = "drop_new"

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UnknownName("queue policy", str(self.policy), POLICIES)
        if self.drop not in DROPS:
            raise UnknownName("drop policy", str(self.drop), DROPS)
        if self.capacity is not None:
            checked_whole(self.capacity, "capacity", minimum=0, remedy="leave it out for an unbounded queue")
            if self.drop == "none":
                raise BadInput("capacity: a bounded queue must drop some; choose drop_new, drop_oldest or drop_late")

    def key(self, profile: Profile, deadline_s: float) -> float:
        """What the waiting are sorted by: the smallest is next."""
        if self.policy == "priority":
            return -profile.priority
        if self.policy == "sjf":
            return profile.mean_s
        return deadline_s if self.policy == "edf" else 0.0


class RequestQueue:
    """Waiting requests by network, numbered in the order of arrival; the smallest key is next, whatever the network."""

    def __init__(self, networks: int, batching: Batching) -> None:
        self._batching = batching
        self._sorted: Sequence[list[tuple[float, int]]] = [[] for _ in range(networks)]
        self._aged: Sequence[deque[tuple[int, float]]] = [deque() for _ in range(networks)]
        self._counts = [0] * networks
        self._waiting: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, request: int, network: int, key: float, now_s: float) -> None:
        """A request has come; it may be served alone from the end of the batch's wait on."""
        heappush(self._sorted[network], (key, request))
        self._aged[network].append((request, now_s + self._batching.wait_s))
        self._counts[network] += 1
        self._waiting.add(request)

    def oldest(self) -> int:
        """The request that has waited longest; some must wait."""
        return min(self._oldest(network)[0] for network, count in enumerate(self._counts) if count)

    def remove(self, request: int, network: int) -> None:
        """Take out a waiting request."""
        self._waiting.remove(request)
        self._counts[network] -= 1

    def next_network(self, now_s: float) -> int | None:
        """The network whose requests are to be served now; None where none wait or a batch may still grow."""
        best, best_key = None, (math.inf, 0)
        for network, count in enumerate(self._counts):
            if not count or (count < self._batching.size and now_s < self._oldest(network)[1]):
                continue
            key = self._head(network)
            if best is None or key < best_key:
                best, best_key = network, key
        return best

    def take(self, network: int) -> int:
        """The next request of a network that has some."""
        request = self._head(network)[1]
        heappop(self._sorted[network])
        self.remove(request, network)
        return request

    def count(self, network: int) -> int:
        """How many requests of a network wait."""
        return self._counts[network]

    def _head(self, network: int) -> tuple[float, int]:
        waiting = self._sorted[network]
        while waiting[0][1] not in self._waiting:
            heappop(waiting)
        return waiting[0]

    def _oldest(self, network: int) -> tuple[int, float]:
        aged = self._aged[network]
        while aged[0][0] not in self._waiting:
            aged.popleft()
        return aged[0]
