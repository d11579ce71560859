"""What the requests of each network ask for: profiles by batch size, deadlines, draws, and the mix of networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import BadInput, UnknownName
from .arrivals import Arrivals, Merged, Trace
from .checks import checked_number
from .profiles import Profile
from .queueing import Batching, Discipline
from .workload import Draws, Workload

__all__ = ["Networks"]

_BLOCK = 4096


class Networks:
    """The profiles by network and batch size, their draws, and which network a request without a name is for."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        workload: Workload | Mapping[str, Workload] | None,
        batching: Batching,
        mix: Mapping[str, float] | None,
        deadline_s: float | None,
        seed: int,
    ) -> None:
        if not profiles or not all(isinstance(one, Profile) for one in profiles):
            raise BadInput("profiles: give a Profile for each network, at least one")
        if deadline_s is not None:
            checked_number(deadline_s, "deadline_s", positive=True, remedy="leave it out for no deadline")
        by_name: dict[str, dict[int, Profile]] = {}
        for one in profiles:
            if one.batch in by_name.setdefault(one.name, {}):
                raise BadInput(f"profiles: '{one.name}' has two of batch {one.batch}; leave one out")
            by_name[one.name][one.batch] = one
        self.names = tuple(by_name)
        self.index = {name: at for at, name in enumerate(self.names)}
        self.base = [sizes[min(sizes)] for sizes in by_name.values()]
        self.deadlines = [math.inf if d is None else d for d in (one.deadline_s or deadline_s for one in self.base)]
        if isinstance(workload, Mapping) and (
            unknown := next((name for name in workload if name not in by_name), None)
        ):
            raise UnknownName("network with a profile", unknown, self.names)
        works = workload if isinstance(workload, Mapping) else dict.fromkeys(self.names, workload)
        self.runs: list[list[Draws]] = []  # [network][number of requests in the batch − 1]
        for at, (name, sizes) in enumerate(by_name.items()):
            draws = {size: Draws(one, works.get(name) or Workload(), seed, at) for size, one in sizes.items()}
            self.runs.append([_fitting(draws, count, name) for count in range(1, batching.size + 1)])
        self._bounds = _mix_bounds(mix, self.names)
        self.seed, self._blocks = seed, dict[int, list[int]]()

    def check(self, discipline: Discipline, arrivals: Arrivals) -> None:
        """Raise `BadInput` where the discipline needs deadlines, `UnknownName` where arrivals name another network."""
        if math.inf in self.deadlines and (discipline.policy == "edf" or discipline.drop == "drop_late"):
            name = self.names[self.deadlines.index(math.inf)]
            what = "edf" if discipline.policy == "edf" else "drop_late"
            raise BadInput(f"{what}: '{name}' has no deadline; give deadline_s for the run or for its profile")
        for name, part in arrivals.parts if isinstance(arrivals, Merged) else (("", arrivals),):
            if name and name not in self.index:
                raise UnknownName("network with a profile", name, self.names)
            other = set(part.networks) - {"", *self.names} if isinstance(part, Trace) else set()
            if isinstance(part, Trace) and other:
                at = next(at for at, one in enumerate(part.networks) if one in other)
                error = UnknownName("network with a profile", part.networks[at], self.names)
                raise BadInput(f"{part.place(at)}: {error}")

    def of(self, request: int) -> int:
        """The network of a request that names none."""
        if len(self.names) == 1:
            return 0
        block, place = divmod(request, _BLOCK)
        if block not in self._blocks:
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1, block)))
            self._blocks[block] = np.searchsorted(self._bounds, rng.random(_BLOCK), side="right").tolist()
        return self._blocks[block][place]


def _mix_bounds(mix: Mapping[str, float] | None, names: Sequence[str]) -> list[float]:
    """Upper bounds, but for the last network's, of each network's part of the unit interval."""
    if mix is None:
        return [at / len(names) for at in range(1, len(names))]
    if unknown := next((name for name in mix if name not in names), None):
        raise UnknownName("network with a profile", unknown, names)
    shares = [checked_number(mix.get(name, 0.0), f"mix: '{name}'", remedy="a share is at least 0") for name in names]
    if not sum(shares):
        raise BadInput("mix: all shares are 0; give one network more")
    return [float(bound) for bound in np.cumsum(shares[:-1]) / math.fsum(shares)]


def _fitting(draws: Mapping[int, Draws], count: int, name: str) -> Draws:
    """The run that serves ``count`` requests of a network at once, or one after the other."""
    large = [size for size in draws if size >= count]
    if not large and list(draws) != [1]:
        raise BadInput(
            f"batch size: a batch of {count} is larger than the profiles of '{name}', which go to {max(draws)}"
        )
    return draws[min(large)] if large else draws[1]
