"""Simulating whole networks: from a schedule to a timeline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from ..accel.accelerator import Accelerator
from ..accel.simulator.arbitration import Policy as Arbitration
from ..accel.simulator.checks import checked_number, checked_whole
from ..accel.simulator.cut import cut, without
from ..accel.simulator.drawn import with_drawn_zeros
from ..accel.simulator.jobs import Job, PortWork
from ..accel.simulator.network import Finished, NetworkSimulation, Progress
from ..accel.simulator.plan import with_density
from ..accel.simulator.timeline import OperatorRun, ResourceShare, Timeline
from ..accel.simulator.workload import Density
from ..errors import BadInput, ImpossibleResult, UnknownName, check_type
from ..models.network import Network
from .base import UNLIMITED, Limits
from .constraints import Constraints
from .estimate import Estimate, Schedule, estimate, estimate_schedule
from .jobs import POLICIES, Policy, network_jobs
from .objective import Objective
from .registry import DEFAULT_MAPPER

__all__ = ["Settings", "network_estimates", "simulate", "simulate_estimates"]

MOST_JOBS = 200_000
MOST_CORES = 1024


@dataclass(frozen=True)
class Settings:
    """How networks run: on how many cores, in which order, how often; see `simulate`. Raises `BadInput`."""

    cores: int = 1
    policy: Policy = "sequence"
    runs: int = 1
    prefetch: bool = False
    stepping: bool = True
    until_s: float | None = None
    density: Density | Literal["drawn"] | None = None
    arbitration: Arbitration = "fifo"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("cores", "runs"):
            most = MOST_CORES if name == "cores" else None
            checked_whole(getattr(self, name), name, maximum=most, remedy="give a whole number of at least 1")
        if self.policy not in POLICIES:
            raise BadInput(f"policy {self.policy!r}: choose one of {', '.join(POLICIES)}")
        if self.arbitration not in get_args(Arbitration):
            raise UnknownName("arbitration", self.arbitration, get_args(Arbitration))
        if self.policy != "sequence" and self.cores == 1 and self.policy == "pipeline":
            raise BadInput("policy 'pipeline' needs several cores; give cores=2 or more, or policy='sequence'")
        if self.policy == "sequence" and self.cores > 1:
            raise BadInput(f"policy 'sequence' uses one core of {self.cores}; choose 'branches' or 'pipeline'")
        if self.until_s is not None:
            checked_number(self.until_s, "until_s", positive=True, remedy="give a positive time in seconds")
        if self.density is not None and self.density != "drawn":
            check_type(self.density, Density, "density", "make one, such as Density(0.5), or write 'drawn'")
        checked_whole(self.seed, "seed", minimum=0)


def simulate(
    network: Network | Sequence[Network],
    accelerator: Accelerator,
    schedule: Schedule | Sequence[Schedule] | None = None,
    *,
    mapper: str = DEFAULT_MAPPER,
    objective: str | Objective = "edp",
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cores: int = 1,
    policy: Policy = "sequence",
    runs: int = 1,
    prefetch: bool = False,
    stepping: bool = True,
    until_s: float | None = None,
    density: Density | Literal["drawn"] | None = None,
    arbitration: Arbitration = "fifo",
    seed: int = 0,
    progress: Progress | None = None,
) -> Timeline:
    """Run a network, or several at once, in the discrete-event simulator.

    ``schedule`` is that of an estimate (one for each network); without one the networks are mapped first, with the
    ``mapper``, ``objective``, ``constraints`` and ``limits`` of `estimate`. ``cores`` copies of everything below the
    outermost memories share these; ``policy`` says which operators they take: "sequence" (one core, one operator after
    the other), "branches" (any that is ready) or "pipeline" (each core its stretch of the network, for several
    ``runs``). ``arbitration`` says whom a shared memory serves: "fifo" (who came first), "round_robin" (the cores in
    turns of 4 KiB) or "priority" (the lowest core, after the 4 KiB under way). With ``prefetch`` the next operator's
    first weights come in while one computes, where they fit. Regular stretches are stepped over unless ``stepping`` is
    False: the result is the same. ``until_s`` cuts the run short.

    ``density`` is for an array that skips zeros: of the iterations between two changes of tiles each instance has the
    share that is drawn for it (seeded by ``seed``, run and operator), and they last as long as its slowest instance.
    "drawn": on an accelerator that skips steps, the zeros of each tile are drawn from the network's own densities and
    patterns; without it each step takes what it takes in the mean.

    Raises `BadInput` for settings that make no sense, `Infeasible` where a tile does not fit, `CannotDo` at a deadlock.
    """
    settings = Settings(cores, policy, runs, prefetch, stepping, until_s, density, arbitration, seed)
    estimates = network_estimates(
        network, accelerator, schedule, mapper, objective, constraints=constraints, limits=limits
    )
    return simulate_estimates(estimates, settings, progress)


def network_estimates(
    network: Network | Sequence[Network],
    accelerator: Accelerator,
    schedule: Schedule | Sequence[Schedule] | None,
    mapper: str,
    objective: str | Objective,
    *,
    constraints: Constraints | None,
    limits: Limits,
) -> list[Estimate]:
    """The estimates of one network or of several, from their schedules where these are given."""
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    _check_bandwidths(accelerator)
    if not isinstance(network, Sequence):
        check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    networks = [network] if isinstance(network, Network) else list(network)
    for one in networks:
        check_type(one, Network, "network", "load it with load_network, from_torch or from_onnx")
    if not networks:
        raise BadInput("no network to simulate; give at least one")
    if schedule is None:
        return [
            estimate(one, accelerator, mapper, objective, constraints=constraints, limits=limits) for one in networks
        ]
    schedules: list[Any] = list(schedule) if isinstance(schedule, list | tuple) else [schedule]  # checked below
    if len(schedules) != len(networks):
        raise BadInput(f"{len(schedules)} schedules for {len(networks)} networks; give one for each")
    pairs = zip(networks, schedules, strict=True)
    return [estimate_schedule(one, accelerator, plan) for one, plan in pairs]


def _check_bandwidths(accelerator: Accelerator) -> None:
    """Raise `BadInput` where a memory could never move a word."""
    for memory in accelerator.memories:
        write = memory.read_bandwidth_bits_per_s if memory.shared_port else memory.write_bandwidth_bits_per_s
        for way, rate in (("reads", memory.read_bandwidth_bits_per_s), ("writes", write)):
            if not rate > 0.0:
                raise BadInput(
                    f"{accelerator.name}: {memory.name} {way} {rate:g} bits a second, what waits for it would wait for "
                    "ever; give it a bandwidth above zero"
                )


def simulate_estimates(estimates: Sequence[Estimate], settings: Settings, progress: Progress | None = None) -> Timeline:
    """`simulate` for networks that have been estimated on the same accelerator."""
    accelerator = estimates[0].accelerator
    _check_size(estimates, settings)
    jobs: list[Job] = []
    for number, one in enumerate(estimates):
        made = network_jobs(
            one, number=number, first=len(jobs), policy=settings.policy, cores=settings.cores, runs=settings.runs
        )
        jobs += made if settings.density is None else [_drawn(job, settings.density, settings.seed) for job in made]
    until = math.inf if settings.until_s is None else settings.until_s * accelerator.clock_hz
    simulation = NetworkSimulation(
        accelerator,
        jobs,
        cores=settings.cores,
        stepping=settings.stepping,
        prefetch=settings.prefetch,
        arbitration=settings.arbitration,
        until=until,
        progress=progress,
    )
    complete = simulation.run()
    return _Reader(estimates, settings, simulation, complete).timeline()


def _check_size(estimates: Sequence[Estimate], settings: Settings) -> None:
    """Raise `BadInput` where the timeline would not fit a computer's memory."""
    operators = sum(len(one.network.ops) for one in estimates)
    if settings.runs * operators > MOST_JOBS:
        raise BadInput(
            f"runs {settings.runs:,} of {operators:,} operators are more than the {MOST_JOBS:,} that a timeline holds; "
            f"give runs up to {max(1, MOST_JOBS // operators):,}, or serve requests"
        )


def _drawn(job: Job, density: Density | Literal["drawn"], seed: int) -> Job:
    """The job with tiles as long as their slowest instances, drawn for its run and its operator."""
    if job.plan is None:
        return job
    rng = np.random.default_rng([seed, job.network, job.run, *job.name.encode()])
    if density == "drawn":
        return replace(job, plan=with_drawn_zeros(job.plan, rng))
    return replace(job, plan=with_density(job.plan, density, rng))


class _Reader:
    """Reads a simulation that has ended as a `Timeline`."""

    def __init__(
        self, estimates: Sequence[Estimate], settings: Settings, simulation: NetworkSimulation, complete: bool
    ) -> None:
        self.estimates, self.settings = estimates, settings
        self.simulation, self.complete = simulation, complete
        self.accelerator = simulation.accelerator
        end = settings.until_s * self.accelerator.clock_hz if settings.until_s and not complete else 0.0
        self.cycles = simulation.clock.now if complete else end
        self.finished = [one for _, one in sorted(simulation.done.items())]
        self.log, self.beyond = (simulation.log, []) if complete else cut(simulation.log, self.cycles)

    def timeline(self) -> Timeline:
        names = [one.network.name for one in self.estimates]
        moved = self._moved()
        if self.complete:
            self._check_words(moved)
        analytic = sum(one.cycles for one in self.estimates) * self.settings.runs
        return Timeline(
            " + ".join(names),
            self.accelerator.name,
            self.accelerator.clock_hz,
            self.cycles,
            self._energy(),
            self.log,
            tuple(self._shares()),
            tuple(self._operator(one) for one in self.finished),
            self._critical(),
            moved,
            self.settings.seed,
            self.complete,
            tuple(self._notes()),
            analytic,
        )

    def _notes(self) -> list[str]:
        """What the networks' estimates leave out, and what running them together does."""
        notes = list(dict.fromkeys(note for one in self.estimates for note in one.notes))
        if len(self.estimates) > 1 and any(one.schedule.plan for one in self.estimates):
            notes.append("what stays on the chip is planned for each network as if it had the chip to itself")
        if self.settings.density is not None and self.settings.density != "drawn":
            notes.append("energy is that of the dense network: only time depends on the density")
        return notes

    # ---- operators -------------------------------------------------------------------------------------------------

    def _operator(self, one: Finished) -> OperatorRun:
        job, end = one.job, self.cycles if one.end is None else one.end
        path = one.path or {}
        core = self.simulation.cores[one.core]
        units = (core.compute.name, core.vector.name)
        late = [part for part in self.beyond if part.op == job.name and part.track in units and one.end is None]
        spent = {name: max(0.0, cycles - one.path_before.get(name, 0.0)) for name, cycles in path.items()}
        total = math.fsum(spent.values())
        if total > end - one.start:  # its path runs through operators of other cores, from before its own start
            spent = {name: cycles * (end - one.start) / total for name, cycles in spent.items()}
        return OperatorRun(
            job.name,
            job.kind,
            self.estimates[job.network].network.name,
            job.run,
            one.core,
            one.start,
            max(end, one.start),
            job.analytic,
            one.steps,
            one.walked,
            without(one.stalls or {}, late),
            {name: cycles for name, cycles in spent.items() if cycles > 0.0},
        )

    def _critical(self) -> dict[str, float]:
        ended = [one for one in self.finished if one.end is not None]
        last = max(ended, key=lambda one: one.end or 0.0, default=None)
        path = dict(last.path or {}) if last else {}
        left = self.cycles - math.fsum(path.values())
        if left > 1e-9 * self.cycles and not self.complete:
            path["unfinished"] = left
        return {name: cycles for name, cycles in path.items() if cycles > 0.0}

    # ---- resources -------------------------------------------------------------------------------------------------

    def _shares(self) -> list[ResourceShare]:
        simulation, shares = self.simulation, []
        stalls = self._stalls()
        for resource in simulation.resources:
            resource.account()
            late = [one for one in self.beyond if one.track == resource.name]
            busy = resource.busy - math.fsum(one.end - one.start for one in late if one.kind != "stall")
            causes = without(stalls.get(resource.name) or resource.held, late)
            stall = math.fsum(causes.values())
            if not self.complete and resource.name not in stalls:  # words inside a step are booked as it begins
                busy = min(busy, self.cycles)
                causes = causes if busy + stall <= self.cycles else {}
                stall = math.fsum(causes.values())
            idle = self.cycles - busy - stall
            if idle < -1e-6 * max(1.0, self.cycles):
                raise ImpossibleResult(f"{resource.name} works and waits {busy + stall} of {self.cycles} cycles")
            if idle < 0.0 and causes:  # rounding
                largest = max(causes, key=causes.__getitem__)
                causes[largest] = max(0.0, causes[largest] + idle)
                stall = math.fsum(causes.values())
            idle = max(0.0, self.cycles - busy - stall)
            if busy or stall:
                shares.append(ResourceShare(resource.name, busy, stall, idle, causes))
        return shares

    def _stalls(self) -> dict[str, dict[str, float]]:
        """By the name of a computing resource, what it waited for."""
        found: dict[str, dict[str, float]] = {}
        for one in self.finished:
            core = self.simulation.cores[one.core]
            resource = core.compute if one.job.plan else core.vector
            own = found.setdefault(resource.name, {})
            for cause, cycles in (one.stalls or {}).items():
                own[cause] = own.get(cause, 0.0) + cycles
        return {name: causes for name, causes in found.items() if causes}

    # ---- words and energy ------------------------------------------------------------------------------------------

    def _works(self) -> list[PortWork]:
        """Words of vector operators and of tensors carried from core to core."""
        found: list[PortWork] = []
        for one in self.finished:
            if one.end is not None:
                found += one.job.words
                for carry in one.job.carried:
                    if self.simulation.done[carry.producer].core != one.core:
                        found += (*carry.out, *carry.back)
        return found

    def _moved(self) -> dict[tuple[str, str], float]:
        moved: dict[tuple[str, str], float] = {}
        for one in self.finished:
            if one.end is not None and one.job.plan:
                for place, bits in one.job.plan.moved.items():
                    moved[place] = moved.get(place, 0.0) + bits
        for work in self._works():
            moved[work.memory, work.way] = moved.get((work.memory, work.way), 0.0) + work.bits
        return moved

    def _check_words(self, moved: dict[tuple[str, str], float]) -> None:
        """Raise `ImpossibleResult` where a memory has moved other bits than the operators' models count."""
        measured: dict[str, float] = {}
        for resource in self.simulation.resources:
            measured[resource.place] = measured.get(resource.place, 0.0) + resource.bits
        for memory in self.accelerator.memories:
            names = [memory.name, f"{memory.name} read", f"{memory.name} write"]
            found = sum(measured.get(core.prefix + name, 0.0) for core in self.simulation.cores for name in names)
            if self.settings.cores > 1:
                found += sum(measured.get(name, 0.0) for name in names)
            expected = moved.get((memory.name, "read"), 0.0) + moved.get((memory.name, "write"), 0.0)
            if not math.isclose(found, expected, rel_tol=1e-6, abs_tol=1.0):
                raise ImpossibleResult(f"{memory.name} moved {found:.0f} bits, the model counts {expected:.0f}")

    def _energy(self) -> float:
        """Dynamic energy of what has ended, and standing power of all cores for the whole time."""
        parts = [self.accelerator.standing_w * self.settings.cores * self.cycles / self.accelerator.clock_hz]
        memories = {memory.name: memory for memory in self.accelerator.memories}
        ended = {(one.job.network, one.job.run, name) for one in self.finished if one.end is not None
                 for name in (one.job.name, *(fused for fused, _ in one.job.fused))}  # fmt: skip
        for number, estimated in enumerate(self.estimates):
            for op, cost in zip(estimated.network.ops, estimated.costs, strict=True):
                times = sum((number, run, op.name) in ended for run in range(self.settings.runs))
                dynamic = [joules for (what, _), joules in cost.energy.items() if what not in ("leakage", "clock")]
                parts.append(times * math.fsum(dynamic))
        for one in self.finished:
            for carry in one.job.carried if one.end is not None else ():
                if self.simulation.done[carry.producer].core != one.core:
                    for work in (*carry.out, *carry.back):
                        memory = memories[work.memory]
                        reads = work.way == "read"
                        per_bit = memory.read_energy_j_per_bit if reads else memory.write_energy_j_per_bit
                        parts.append(work.bits * per_bit)
        return math.fsum(parts)
