"""What one request asks of a device: a few numbers per operator, made from a finer simulation or from measurements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import BadInput
from .checks import checked_number, checked_whole

__all__ = ["Profile", "Stage"]


@dataclass(frozen=True)
class Stage:
    """One operator: samples of its duration (one: always the same) and its dynamic energy.

    Raises `BadInput` for no samples and for negative or infinite ones.
    """

    name: str
    seconds: tuple[float, ...]
    energy_j: float = 0.0

    def __post_init__(self) -> None:
        samples = self.seconds if isinstance(self.seconds, Iterable) else (self.seconds,)
        where = f"stage '{self.name}'"
        seconds = tuple(
            checked_number(one, f"{where}: seconds", remedy="a duration is at least 0 s") for one in samples
        )
        if not seconds:
            raise BadInput(f"{where}: no samples of its duration; give at least one")
        object.__setattr__(self, "seconds", seconds)
        checked_number(self.energy_j, f"{where}: energy_j", remedy="an energy is at least 0 J")

    @property
    def mean_s(self) -> float:
        """Mean of the samples."""
        return math.fsum(self.seconds) / len(self.seconds)


@dataclass(frozen=True)
class Profile:
    """What one run of a network asks of a device.

    ``overhead_s`` comes on top of each run and holds the device; ``priority``: the larger, the sooner; ``deadline_s``
    counts from the arrival and stands before the one of the whole run. ``batch`` is how many requests one run
    answers: the stages are then those of the whole batch. Raises `BadInput` where there are no stages, or two of one
    name.
    """

    name: str
    stages: tuple[Stage, ...]
    overhead_s: float = 0.0
    priority: float = 0
    deadline_s: float | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        where = f"profile '{self.name}'"
        object.__setattr__(self, "stages", tuple(self.stages))
        names = [stage.name for stage in self.stages]
        if not names:
            raise BadInput(f"{where}: it has no stages; give one for each operator")
        double = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if double is not None:
            raise BadInput(f"{where}: two stages are named '{double}'; rename one")
        checked_number(self.overhead_s, f"{where}: overhead_s", remedy="an overhead is at least 0 s")
        checked_number(self.priority, f"{where}: priority", minimum=-math.inf)
        checked_whole(self.batch, f"{where}: batch", remedy="a run answers at least one request")
        if self.deadline_s is not None:
            checked_number(
                self.deadline_s, f"{where}: deadline_s", positive=True, remedy="leave it out for no deadline"
            )

    @property
    def mean_s(self) -> float:
        """Expected duration of a run that computes everything: what shortest-job-first goes by."""
        return self.overhead_s + math.fsum(stage.mean_s for stage in self.stages)

    @property
    def energy_j(self) -> float:
        """Dynamic energy of a run that computes everything."""
        return math.fsum(stage.energy_j for stage in self.stages)
