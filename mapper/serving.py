"""Serving requests with whole networks: what one request asks of the device comes from the tile-level simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ..accel.accelerator import Accelerator
from ..accel.simulator.arrivals import Arrivals, parse_arrivals
from ..accel.simulator.network import Progress
from ..accel.simulator.power import PowerModel
from ..accel.simulator.profiles import Profile, Stage
from ..accel.simulator.queueing import Batching, Drop, Policy
from ..accel.simulator.served import Served
from ..accel.simulator.serving import serve_requests
from ..accel.simulator.timeline import Timeline
from ..accel.simulator.workload import Density, Workload
from ..errors import BadInput, UnknownName, check_type
from ..models.network import Network
from ..models.transforms import with_batch
from .base import UNLIMITED, Limits
from .constraints import Constraints
from .estimate import Estimate, Schedule, estimate
from .objective import Objective
from .registry import DEFAULT_MAPPER
from .simulation import Settings, network_estimates, simulate_estimates

__all__ = ["profile", "serve"]

SAMPLES = 8  # simulated runs from which a request's durations are drawn where they depend on its data


def serve(
    network: Network | Sequence[Network],
    accelerator: Accelerator,
    arrivals: Arrivals | str,
    schedule: Schedule | Sequence[Schedule] | None = None,
    *,
    mapper: str = DEFAULT_MAPPER,
    objective: str | Objective = "edp",
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    prefetch: bool = False,
    density: Density | Literal["drawn"] | None = None,
    requests: int | None = None,
    until_s: float | None = None,
    servers: int = 1,
    queue: Policy = "fifo",
    capacity: int | None = None,
    drop: Drop = "drop_new",
    deadline_s: float | None = None,
    batching: Batching | None = None,
    mix: Mapping[str, float] | None = None,
    priorities: Mapping[str, float] | None = None,
    power: PowerModel | None = None,
    workload: Workload | Mapping[str, Workload] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Served:
    """Requests as they arrive, each a run of the network (or of one of several) on one of ``servers`` devices.

    One run is simulated at the level of tiles (``schedule``, ``prefetch`` and what finds mappings as for `simulate`);
    its operators' durations are what each request takes. Where ``density`` makes work depend on the data, a request
    draws each operator's duration from several simulated runs. With ``batching`` batches of 1, 2, 4, … up to its size
    are mapped and simulated too; a batch runs on the smallest of these that holds it. ``arrivals`` may be text
    (`parse_arrivals`: "100/s", "poisson:100/s", a trace's path). ``power`` states when an idle device's clock and
    supply are cut; its leakage and clock power are the accelerator's unless it states them. The rest is
    `serve_requests`'.

    Raises `BadInput` for arrivals and settings that make no sense, `Infeasible` where a tile does not fit.
    """
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    wanted = parse_arrivals(arrivals) if isinstance(arrivals, str) else arrivals
    estimates = network_estimates(
        network, accelerator, schedule, mapper, objective, constraints=constraints, limits=limits
    )
    names = [one.network.name for one in estimates]
    if len(set(names)) < len(names):
        raise BadInput("two of the networks have one name; requests could not tell them apart")
    unknown = next((name for name in priorities or {} if name not in names), None)
    if unknown is not None:
        raise UnknownName("network to serve", unknown, names)
    found = []
    settings = Settings(runs=1 if density is None else SAMPLES, prefetch=prefetch, density=density, seed=seed)
    for one in estimates:
        for batch in _batches(batching):
            sized = one
            if batch > 1:
                several = with_batch(one.network, batch)
                sized = estimate(several, accelerator, mapper, objective, constraints=constraints, limits=limits)
            made = profile(sized, simulate_estimates([sized], settings))
            priority = (priorities or {}).get(one.network.name, 0.0)
            found.append(replace(made, name=one.network.name, priority=priority, batch=batch))
    power = power or PowerModel()
    if not power.leakage_w and not power.clock_w:
        power = replace(power, leakage_w=accelerator.leakage_w, clock_w=accelerator.clock_w)
    return serve_requests(
        found,
        wanted,
        servers=servers,
        policy=queue,
        capacity=capacity,
        drop=drop,
        deadline_s=deadline_s,
        power=power,
        workload=workload,
        batching=batching,
        mix=mix,
        requests=requests,
        until_s=until_s,
        seed=seed,
        progress=progress,
    )


def _batches(batching: Batching | None) -> list[int]:
    """The batch sizes to simulate: powers of two up to the largest batch, and that one."""
    largest = batching.size if batching else 1
    return sorted({2**power for power in range(largest.bit_length()) if 2**power < largest} | {1, largest})


def profile(estimated: Estimate, timeline: Timeline) -> Profile:
    """What one run asks of the device: a stage per operator, from its predecessor's end to its own.

    The timeline's runs, one after another, are its samples. Energy is the dynamic energy of the operator and of those
    fused with it, spread over the stages that are their own.
    """
    seconds: dict[str, list[float]] = {}
    before = 0.0
    for run in timeline.operators:
        seconds.setdefault(run.name, []).append((run.end - before) / timeline.clock_hz)
        before = run.end
    spent: dict[str, float] = {}
    last = next(iter(seconds))
    for op, cost in zip(estimated.network.ops, estimated.costs, strict=True):
        last = op.name if op.name in seconds else last
        dynamic = [joules for (what, _), joules in cost.energy.items() if what not in ("leakage", "clock")]
        spent[last] = spent.get(last, 0.0) + math.fsum(dynamic)
    stages = tuple(Stage(name, tuple(samples), spent.get(name, 0.0)) for name, samples in seconds.items())
    return Profile(estimated.network.name, stages)
