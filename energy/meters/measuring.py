"""`measure`: run a block again and again under the machine's meters."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import overload

from ...errors import BadInput, CannotDo
from .find import Found, find_meters
from .measured import Idle, Measured, Run
from .meter import Meter, Part

__all__ = ["Measuring", "measure"]

IDLE_SAMPLES = 10


@dataclass
class Measuring:
    """A context manager whose every use is one repetition; the first ``warmup`` do not count. Made by `measure`."""

    bench: _Bench
    name: str
    idle: Idle | None
    warmup: int
    calls: int
    confidence: float
    missing: tuple[str, ...]
    runs: list[Run] = field(default_factory=list)
    _entered: int = 0
    _running: bool = False

    def __enter__(self) -> Measuring:
        if self._running:
            raise BadInput("a repetition is being measured already; end it before the next")
        self.bench.start()
        self._running = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        if error is not None:
            self.bench.abandon()
            return
        duration_s, joules = self.bench.stop()
        self._entered += 1
        if self._entered > self.warmup:
            self.runs.append(Run(duration_s / self.calls, {part: used / self.calls for part, used in joules.items()}))

    @property
    def measured(self) -> Measured:
        """The repetitions so far; raises `CannotDo` before the first that counts."""
        if not self.runs:
            left = self.warmup + 1 - self._entered
            raise CannotDo(f"nothing was measured yet: run the block {left} more time{'s' if left > 1 else ''}")
        return Measured(
            self.name,
            self.bench.parts,
            tuple(self.runs),
            self.idle,
            self.warmup,
            self.calls,
            self.confidence,
            max(meter.refresh_s for meter in self.bench.meters),
            self.missing,
        )


@dataclass
class _Bench:
    """The meters, started and stopped together around a piece of time."""

    meters: Sequence[Meter]
    clock: Callable[[], float]
    _begun: float = 0.0

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for meter in self.meters for part in meter.parts)

    def start(self) -> None:
        _finish_gpu_work()
        started: list[Meter] = []
        try:
            for meter in self.meters:
                meter.start()
                started.append(meter)
        except CannotDo:
            _stop_quietly(started)
            raise
        self._begun = self.clock()

    def stop(self) -> tuple[float, Mapping[str, float]]:
        """Seconds and joules of every part since `start`."""
        try:
            _finish_gpu_work()
        except BaseException:
            self.abandon()
            raise
        duration_s = self.clock() - self._begun
        joules: dict[str, float] = {}
        for position, meter in enumerate(self.meters):
            try:
                joules |= meter.stop()
            except CannotDo:
                _stop_quietly(self.meters[position + 1 :])
                raise
        if duration_s <= 0:
            raise CannotDo("the block took no time that the clock can show; let a repetition make more calls")
        return duration_s, joules

    def abandon(self) -> None:
        _stop_quietly(self.meters)


def _stop_quietly(meters: Sequence[Meter]) -> None:
    for meter in meters:
        with suppress(CannotDo):
            meter.stop()


def _finish_gpu_work() -> None:
    """A GPU works on after the call that asked it to: wait where torch has used one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


@overload
def measure(
    block: Callable[[], object],
    *,
    repetitions: int = ...,
    warmup: int = ...,
    calls: int = ...,
    meters: Sequence[Meter] | None = ...,
    idle: Idle | float = ...,
    confidence: float = ...,
    name: str = ...,
    clock: Callable[[], float] = ...,
    sleep: Callable[[float], None] = ...,
) -> Measured: ...
@overload
def measure(
    block: None = None,
    *,
    warmup: int = ...,
    calls: int = ...,
    meters: Sequence[Meter] | None = ...,
    idle: Idle | float = ...,
    confidence: float = ...,
    name: str = ...,
    clock: Callable[[], float] = ...,
    sleep: Callable[[float], None] = ...,
) -> Measuring: ...


def measure(
    block: Callable[[], object] | None = None,
    *,
    repetitions: int = 10,
    warmup: int | None = None,
    calls: int = 1,
    meters: Sequence[Meter] | None = None,
    idle: Idle | float = 5.0,
    confidence: float = 0.95,
    name: str = "",
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Measured | Measuring:
    """Joules that the machine's meters count while ``block`` runs: ``repetitions`` times, after ``warmup`` (1) others.

    Each repetition makes ``calls`` calls of the block, and figures are for one call. Before, the machine is watched at
    rest for ``idle`` seconds and that power is taken off; give the ``idle`` of an earlier `Measured` to use it again,
    0 to take nothing off. ``meters`` are those of `find_meters` unless given.

    Without a block the answer is a context manager, entered once a repetition (``warmup`` 0), with ``.measured``:

    >>> session = measure(name="epoch")  # doctest: +SKIP
    >>> for _ in range(10):  # doctest: +SKIP
    ...     with session:
    ...         train_one_epoch()
    >>> session.measured.table()  # doctest: +SKIP

    Raises `CannotDo` where no meter works (it says what was looked for and what helps) or one fails, `BadInput` for
    impossible numbers. What the block raises is passed on.
    """
    if warmup is None:
        warmup = 0 if block is None else 1
    _check(block, repetitions, warmup, calls, idle, confidence)
    found = find_meters() if meters is None else Found(_checked(meters))
    meters = found.meters
    missing = found.missing or tuple(reason for meter in meters for reason in meter.missing)
    bench = _Bench(meters, clock)
    at_rest = idle if isinstance(idle, Idle) else _watch_idle(bench, idle, sleep)
    if at_rest is not None:
        _check_idle(at_rest, bench.parts)
    title = name or getattr(block, "__name__", "") or "block"
    session = Measuring(bench, title, at_rest, warmup, calls, confidence, missing)
    if block is None:
        return session
    for _ in range(warmup + repetitions):
        with session:
            for _ in range(calls):
                block()
    return session.measured


def _watch_idle(bench: _Bench, seconds: float, sleep: Callable[[float], None]) -> Idle | None:
    if seconds == 0:
        return None
    samples = []
    for _ in range(IDLE_SAMPLES):
        bench.start()
        try:
            sleep(seconds / IDLE_SAMPLES)
        except BaseException:
            bench.abandon()
            raise
        duration_s, joules = bench.stop()
        samples.append({part: used / duration_s for part, used in joules.items()})
    return Idle(tuple(samples), seconds / IDLE_SAMPLES)


def _check(block: object, repetitions: int, warmup: int, calls: int, idle: object, confidence: float) -> None:
    if block is not None and not callable(block):
        raise BadInput(f"block is of type {type(block).__name__}; give a function, or nothing and use 'with'")
    for argument, value, least in (("repetitions", repetitions, 1), ("warmup", warmup, 0), ("calls", calls, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise BadInput(f"{argument} is {value!r}; give a whole number of at least {least}")
    watched = isinstance(idle, int | float) and not isinstance(idle, bool) and 0 <= idle < math.inf
    if not watched and not isinstance(idle, Idle):
        raise BadInput(f"idle is {idle!r}; give seconds to watch the idle machine, 0 for none, or an earlier Idle")
    if isinstance(confidence, bool) or not isinstance(confidence, float) or not 0 < confidence < 1:
        raise BadInput(f"confidence is {confidence!r}; give a share between 0 and 1, such as 0.95")


def _checked(meters: Sequence[Meter]) -> tuple[Meter, ...]:
    if not isinstance(meters, Sequence):
        raise BadInput(f"meters is of type {type(meters).__name__}; give a list of them, such as [Rapl()]")
    if not meters:
        raise BadInput("meters is empty; give one, or leave it out for all that work here")
    for meter in meters:
        if not isinstance(meter, Meter):
            raise BadInput(
                f"meters: a {type(meter).__name__} has not all of name, parts, refresh_s, missing, start, stop"
            )
    names = [part.name for meter in meters for part in meter.parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"meters: '{twice[0]}' is measured by two of them; give one of them")
    return tuple(meters)


def _check_idle(idle: Idle, parts: Sequence[Part]) -> None:
    names = {part.name for part in parts}
    if len(idle.measured_samples_w) < 2 or any(set(sample) != names for sample in idle.measured_samples_w):
        raise BadInput(f"idle was not measured on {', '.join(sorted(names))} in two samples at least; measure it anew")
