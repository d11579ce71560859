"""Made-up timelines for the tests of traces and pictures: random logs with nested repeats, and regular networks."""

from __future__ import annotations

import random
from collections.abc import Sequence

from dovetail.accel.simulator.recorder import Log, Repeat, Slice
from dovetail.accel.simulator.stretch import stretches
from dovetail.accel.simulator.timeline import OperatorRun, ResourceShare, Timeline

LAGS = {"dram": 0.0, "local_memory write": 7.25, "mac": 19.5}  # cycles by which a track is behind the first


def random_log(seed: int, most_times: int = 4, depth: int = 3) -> Log:
    """Slices, some of no length, on three tracks, in blocks that recur and hold blocks that recur."""
    rng = random.Random(seed)
    log: Log = []
    now = 0.0
    for number in range(rng.randint(1, 4)):
        now = _block(rng, log, now, depth, f"conv{number}", most_times)
    return log


def _block(rng: random.Random, log: Log, start: float, depth: int, op: str, most_times: int) -> float:
    first, now = len(log), start
    for _ in range(rng.randint(1, 4)):
        if depth and rng.random() < 0.5:
            now = _block(rng, log, now, depth - 1, op, most_times)
        else:
            end = now + rng.choice([0.0, 0.1, 1 / 3, 2.0, 17.0])
            track = rng.choice(list(LAGS))
            stalls = track == "mac" and rng.random() < 0.4
            kind, cause = ("stall", rng.choice(["weight from dram", "input from dram"])) if stalls else ("compute", "")
            log.append(Slice(track, now + LAGS[track], end + LAGS[track], "tile", kind, op, cause))
            now = end
    now += rng.choice([0.0, 1.7])
    times, period = rng.randint(0, most_times), now - start
    if rng.random() < 0.8 and period > 0.0:
        log.append(Repeat(first, times, period))
        now = start + (1 + times) * period
    return now


def timeline(
    log: Log, operators: Sequence[OperatorRun] = (), *, clock_hz: float = 1e9, cycles: float = 0.0
) -> Timeline:
    """A timeline whose totals are the log's; all its time hangs on the first track."""
    extents = stretches(log).extents
    cycles = max([cycles, *(extent.end for extent in extents.values()), *(run.end for run in operators)])
    shares = [
        ResourceShare(track, one.busy, one.stall, cycles - one.busy - one.stall, one.causes)
        for track, one in extents.items()
    ]
    critical = {shares[0].track: cycles} if shares else {}
    return Timeline(
        "toy",
        "toy_chip",
        clock_hz,
        cycles,
        1e-3,
        log,
        tuple(shares),
        tuple(operators),
        critical,
        {("dram", "read"): 8.0},
    )


def network(layers: int, steps: int, *, core: int | None = None, name: str = "toy") -> tuple[Log, list[OperatorRun]]:
    """Layers one after another, every other one waiting for dram; their steps recur. A core's tracks bear its name."""
    prefix = "" if core is None else f"core {core}: "
    dram, mac = "dram" if core is None else f"{prefix}dram", f"{prefix}mac"
    log: Log = []
    runs = []
    now = 0.0
    for layer in range(layers):
        op, start = f"layer{layer}.conv", now
        compute, fetch = 100.0, 125.0 if layer % 2 else 40.0
        period = max(compute, fetch)
        log.append(Slice(dram, now, now + fetch, "weight 0", "fetch", op))
        log.append(Slice(mac, now, now + fetch, "waits", "stall", op, "weight from dram"))
        now += fetch
        first = len(log)
        log.append(Slice(dram, now, now + fetch, "weight", "fetch", op))
        log.append(Slice(mac, now, now + compute, "step", "compute", op))
        if period > compute:
            log.append(Slice(mac, now + compute, now + period, "waits", "stall", op, "weight from dram"))
        log.append(Repeat(first, steps - 1, period))
        now += steps * period
        stalls = {"weight from dram": fetch + steps * (period - compute)}
        path = {mac: steps * min(compute, period) * (fetch < compute), dram: fetch + steps * fetch * (fetch > compute)}
        analytic = steps * compute
        runs.append(OperatorRun(op, "conv", name, 0, core or 0, start, now, analytic, steps, 1, stalls, path))
    return log, runs
