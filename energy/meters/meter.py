"""What a meter is: it says which parts of a machine it covers and how many joules each used between two moments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...errors import CannotDo

__all__ = ["Meter", "Part", "Sampler"]


@dataclass(frozen=True)
class Part:
    """One thing a meter reads.

    ``counted`` is False where its energy lies inside another part's (cores inside their package): it is reported and
    not added. ``method`` says where joules come from: a ``"counter"`` of energy, or ``"sampled power"`` over time.
    """

    name: str
    meter: str
    device: str
    method: str
    counted: bool = True


@runtime_checkable
class Meter(Protocol):
    """Something that measures energy; any object with these members can be given to `measure`.

    ``refresh_s`` is the time between two updates of what the meter reads: much shorter blocks cannot be resolved.
    ``missing`` says in words what the meter found and could not read.
    """

    name: str
    parts: tuple[Part, ...]
    refresh_s: float
    missing: tuple[str, ...]

    def start(self) -> None:
        """Begin a measurement; raises `CannotDo` where the hardware cannot be read."""
        ...

    def stop(self) -> Mapping[str, float]:
        """End it: joules of every part, by its name, since `start`; raises `CannotDo`."""
        ...


class Sampler:
    """Calls ``sample`` every ``interval_s`` seconds from a thread of its own, until told to stop.

    What ``sample`` raises ends the sampling and is raised again by `stop`.
    """

    def __init__(self, sample: Callable[[], None], interval_s: float) -> None:
        self._sample, self._interval_s = sample, interval_s
        self._over = threading.Event()
        self._failure: CannotDo | None = None
        self._thread = threading.Thread(target=self._run, name="dovetail-meter", daemon=True)

    def start(self) -> None:
        """Begin; the first sample is taken after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """End after the sample under way; raises `CannotDo` where a sample failed."""
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            try:
                self._sample()
            except CannotDo as error:
                self._failure = error
                return
