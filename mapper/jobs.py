"""A network's estimate as jobs for the simulator: every operator of every run, what it waits for and where it runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from ..accel.accelerator import Memory
from ..accel.mapping import Mapping
from ..accel.simulator.jobs import Carry, Job, PortWork
from ..accel.simulator.plan import TilePlan, plan_tiles
from ..accel.vector import vector_traffic
from ..models.op import Op, VectorOp
from .estimate import Estimate

__all__ = ["POLICIES", "Policy", "network_jobs"]

Policy: TypeAlias = Literal["sequence", "branches", "pipeline"]
POLICIES: tuple[Policy, ...] = ("sequence", "branches", "pipeline")


def network_jobs(
    estimate: Estimate, *, number: int = 0, first: int = 0, policy: Policy = "sequence", cores: int = 1, runs: int = 1
) -> list[Job]:
    """The jobs of ``runs`` runs of network ``number``; ``first`` is the number of the first of them.

    "sequence": one operator after the other, all on core 0. "branches": an operator may run on any core as soon as its
    inputs are there. "pipeline": each core has a stretch of the network, of about equal analytic time, and takes the
    runs one after another.
    """
    return _Maker(estimate, number, policy, cores).jobs(first, runs)


class _Maker:
    def __init__(self, estimate: Estimate, number: int, policy: Policy, cores: int) -> None:
        self.estimate, self.number, self.policy = estimate, number, policy
        self.accelerator = estimate.accelerator
        self.layers = estimate.network.layers
        self.plans: dict[tuple[object, ...], TilePlan] = {}
        self.cores = self._cores(cores)

    def _cores(self, cores: int) -> list[int | None]:
        """By operator, the core it has to run on."""
        costs = [cost.cycles for cost in self.estimate.costs]
        if cores == 1 or self.policy == "sequence":
            return [0] * len(costs)
        if self.policy == "branches":
            return [None] * len(costs)
        return list(_stretches(costs, cores))

    # ---- runs ------------------------------------------------------------------------------------------------------

    def jobs(self, first: int, runs: int) -> list[Job]:
        found: list[Job] = []
        templates = self._templates()
        for run in range(runs):
            named: dict[str, int] = {}
            start = first + len(found)
            for at, job in enumerate(templates):
                number = first + len(found)
                inputs = sorted({named[name] for name in self._inputs[at] if name in named})
                if self.policy == "sequence":
                    found.append(replace(job, run=run, after=(number - 1,) if number > first else ()))
                else:
                    after = inputs or self._ends_before(templates, at, start)
                    carries = self._carries[at].items()
                    carried = tuple(replace(one, producer=named[name]) for name, one in carries if name in named)
                    found.append(replace(job, run=run, after=tuple(after), carried=carried))
                named |= dict.fromkeys(self._provides[at], number)
        return found

    @staticmethod
    def _ends_before(templates: Sequence[Job], at: int, start: int) -> list[int]:
        """What a job without inputs from others waits for: the call, the inputs over the link; outputs for all."""
        if templates[at].kind == "outputs":
            return [start + k for k in range(at)]
        return [start + k for k in range(min(at, 2)) if templates[k].kind in ("call", "inputs")]

    def _templates(self) -> list[Job]:
        """The jobs of one run, but for their numbers."""
        self._inputs: list[tuple[str, ...]] = []
        self._provides: list[list[str]] = []
        self._carries: list[dict[str, Carry]] = []
        made: list[Job] = []
        clock, chip, core = self.accelerator.clock_hz, self.accelerator, self.cores[0]

        def add(job: Job, inputs: Sequence[str] = (), provides: Sequence[str] = ()) -> None:
            made.append(job)
            self._inputs.append(tuple(inputs))
            self._provides.append(list(provides))
            self._carries.append({})

        if chip.call_overhead_s:
            cycles = chip.call_overhead_s * clock
            add(replace(self._job("call", "call", cycles, core), hosted=cycles))
        incoming, outgoing = self._link_cycles()
        if incoming:
            add(replace(self._job("inputs", "inputs", 0.0, core), linked=incoming))
        for at, layer in enumerate(self.layers):
            op = layer.op
            if isinstance(op, VectorOp) and op.fused and self._fuse(made, at, op, layer.inputs):
                continue
            add(self._operator(at), layer.inputs, [op.name])
            self._carries[-1] = self._carry(at)
        if outgoing:
            add(replace(self._job("outputs", "outputs", 0.0, self.cores[-1]), linked=outgoing))
        return made

    def _job(self, name: str, kind: str, analytic: float, core: int | None) -> Job:
        return Job(name, kind, self.number, 0, (), analytic, core)

    # ---- operators -------------------------------------------------------------------------------------------------

    def _operator(self, at: int) -> Job:
        op, cost, chip = self.layers[at].op, self.estimate.costs[at], self.accelerator
        job = self._job(op.name, op.kind, cost.cycles, self.cores[at])
        if self.estimate.starts(op):
            job = replace(job, overhead=chip.operator_overhead_s * chip.clock_hz)
        if isinstance(op, Op):
            return replace(job, plan=self._plan(at))
        if chip.on_host(op):
            return replace(job, hosted=cost.cycles)
        if op.fused:  # what its producer cannot hide
            return replace(job, computing=cost.cycles)
        plan = self.estimate.schedule.plan
        words = vector_traffic(op, chip, plan.inside(at) if plan else {})
        computing = op.operations / chip.vector.lanes if chip.vector else 0.0
        return replace(job, words=tuple(self._port_words(words)), computing=computing)

    def _port_words(self, words: Iterable[tuple[Memory, float, float]]) -> list[PortWork]:
        found: list[PortWork] = []
        for memory, read, written in words:
            if read:
                found.append(PortWork(memory.name, "read", read, read * self._per_bit(memory, "read")))
            if written:
                found.append(PortWork(memory.name, "write", written, written * self._per_bit(memory, "write")))
        return found

    def _per_bit(self, memory: Memory, way: str) -> float:
        shared = way == "read" or memory.shared_port
        rate = memory.read_bandwidth_bits_per_s if shared else memory.write_bandwidth_bits_per_s
        return self.accelerator.clock_hz / rate

    def _plan(self, at: int) -> TilePlan:
        op, variant = self.estimate.executions[at]
        mapping = self.estimate.schedule.mappings[at]
        if not isinstance(op, Op) or not isinstance(mapping, Mapping):
            raise TypeError(f"{op.name} has no mapping")
        key = (op.shape_key, op.tensor("weight").is_parameter, id(variant), mapping)
        if key not in self.plans:
            self.plans[key] = plan_tiles(op, variant, mapping)
        return self.plans[key]

    def _fuse(self, made: list[Job], at: int, op: VectorOp, inputs: Sequence[str]) -> bool:
        """Hide a fused operator behind the job that provides its input; False where it takes longer than that."""
        vector, cost = self.accelerator.vector, self.estimate.costs[at]
        owner = next((k for k in reversed(range(len(made))) if inputs and inputs[0] in self._provides[k]), None)
        if owner is None or cost.cycles:
            return False
        cycles = op.operations / (vector.fused_lanes or vector.lanes) if vector else 0.0
        made[owner] = replace(made[owner], fused=(*made[owner].fused, (op.name, cycles)))
        self._inputs[owner] = tuple({*self._inputs[owner], *inputs[1:]})
        self._provides[owner].append(op.name)
        return True

    # ---- between cores, and to the host ----------------------------------------------------------------------------

    def _carry(self, at: int) -> dict[str, Carry]:
        """By input that stays in a core's memory, the words to move where its producer ran on another core."""
        plan, home = self.estimate.schedule.plan, self.accelerator.residence("input")
        if plan is None or home is None:
            return {}
        outer, found = self.accelerator.keeper("input"), {}
        names = {layer.op.name: number for number, layer in enumerate(self.layers)}
        for name in self.layers[at].inputs:
            producer = names[name]
            op = self.layers[producer].op
            if plan.inside(producer)["output"] < 1.0 or plan.inside(at)["input"] <= 0.0:
                continue
            words, bits = (
                (op.words("output"), op.tensor("output").bits) if isinstance(op, Op) else (op.words_out, op.bits)
            )
            size = float(words * home.bits("output", bits))
            out = self._port_words([(home, size, 0.0), (outer, 0.0, size)])
            back = self._port_words([(outer, size, 0.0), (home, 0.0, size)])
            found[name] = Carry(-1, tuple(out), tuple(back))
        return found

    def _link_cycles(self) -> tuple[float, float]:
        """Cycles of the network's inputs and outputs over the host's link."""
        host = self.accelerator.host
        if host is None or math.isinf(host.link_bits_per_s):
            return 0.0, 0.0
        names, read = (
            {layer.op.name for layer in self.layers},
            set(itertools.chain(*(one.inputs for one in self.layers))),
        )
        incoming = outgoing = 0.0
        for layer in self.layers:
            op = layer.op
            if not names & set(layer.inputs) and not (isinstance(op, VectorOp) and op.fused):
                words = (op.words("input"), op.tensor("input").bits) if isinstance(op, Op) else (op.words_in, op.bits)
                incoming += words[0] * words[1]
            if op.name not in read:
                words = (
                    (op.words("output"), op.tensor("output").bits) if isinstance(op, Op) else (op.words_out, op.bits)
                )
                outgoing += words[0] * words[1]
        per_bit = self.accelerator.clock_hz / host.link_bits_per_s
        return incoming * per_bit, outgoing * per_bit


def _stretches(costs: Sequence[float], cores: int) -> list[int]:
    """The core of each operator: contiguous stretches whose longest is as short as can be."""

    def needed(limit: float) -> list[int]:
        placed, core, filled = [], 0, 0.0
        for cost in costs:
            if filled and filled + cost > limit:
                core, filled = core + 1, 0.0
            filled += cost
            placed.append(core)
        return placed

    low, high = max(costs, default=0.0), math.fsum(costs)
    for _ in range(60):
        middle = (low + high) / 2
        if needed(middle)[-1] < cores:
            high = middle
        else:
            low = middle
    return needed(high * (1.0 + 1e-12))
