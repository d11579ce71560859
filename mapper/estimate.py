"""A whole network on an accelerator: one mapping per operator, and the totals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..accel.accelerator import Accelerator
from ..accel.analytic import Cost, evaluate
from ..accel.mapping import Mapping
from ..accel.residence import with_residence
from ..accel.vector import evaluate_vector
from ..errors import BadInput, ImpossibleResult, Infeasible, check_type
from ..models.network import Network
from ..models.op import ROLES, Op, Role, VectorOp
from .base import UNLIMITED, Certificate, Limits, MappingResult
from .constraints import Constraints
from .execution import Fusion, back_to_back, changes, executed, fused
from .objective import Objective
from .registry import DEFAULT_MAPPER
from .residency import Plan, plan_residency
from .search import Progress, map_all, map_many

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..accel.citations import Citation
    from .uncertainty import Uncertainty

__all__ = [
    "Estimate", "Schedule", "costs_in_sequence", "estimate", "estimate_many", "estimate_schedule", "executed_pairs",
]  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """One mapping per operator, in the network's order (None for vector operators); layers run one after another.

    ``plan`` says which tensors stay on the chip between operators; None: the accelerator lets nothing stay.
    """

    mappings: tuple[Mapping | None, ...]
    plan: Plan | None = None


@dataclass(frozen=True)
class Estimate:
    """Analytic cost of a network: layers in sequence, each tensor in the memory where the schedule's plan has it.

    ``costs`` are the operators' own; latency and energy of the whole add `overhead_s`. ``certificates`` say how good
    each operator's mapping is known to be (None for vector operators).
    """

    network: Network
    accelerator: Accelerator
    objective: str
    schedule: Schedule
    costs: tuple[Cost, ...]
    certificates: tuple[Certificate | None, ...] = ()

    def __post_init__(self) -> None:
        total = math.fsum(self.breakdown().values())
        if not math.isclose(total, self.energy_j, rel_tol=1e-9):
            raise ImpossibleResult(f"{self.network.name}: the breakdown sums to {total} J of {self.energy_j} J")
        if self.utilization > 1.0:
            raise ImpossibleResult(f"{self.network.name}: utilization {self.utilization} is above the peak")

    def __repr__(self) -> str:
        figures = f"{self.latency_s:.4g} s, {self.energy_j:.4g} J, {self.area_mm2:.4g} mm2"
        return f"<Estimate {self.network.name} on {self.accelerator.name}: {figures}>"

    @cached_property
    def cycles(self) -> float:
        """Clock cycles of one run of the network."""
        return math.fsum(cost.cycles for cost in self.costs) + self.overhead_s * self.accelerator.clock_hz

    @cached_property
    def overhead_s(self) -> float:
        """Seconds of one run in which the accelerator waits to be told: for the call, and for each operator."""
        return self.accelerator.call_overhead_s + self.started_layers * self.accelerator.operator_overhead_s

    @cached_property
    def started_layers(self) -> int:
        """How many operators the accelerator is told to start: all but the fused ones and those left to the host."""
        return sum(1 for op in self.network.ops if self.starts(op))

    def starts(self, op: Op | VectorOp) -> bool:
        """A fused operator starts with its producer, one of the host's without the accelerator."""
        return isinstance(op, Op) or not (op.fused or self.accelerator.on_host(op))

    @cached_property
    def variants(self) -> tuple[Accelerator, ...]:
        """The accelerator as each operator finds it: what stays on the chip during it takes its room there."""
        return tuple(variant for _, variant in self.executions)

    @cached_property
    def executions(self) -> tuple[tuple[Op | VectorOp, Accelerator], ...]:
        """Each operator as it is executed (in Winograd's domain, perhaps), and the accelerator as it finds it.

        ``evaluate(op, variant, mapping)`` of such a pair with a mapping of the schedule gives the operator's cost.
        """
        variants = _variants(self.accelerator, self.schedule.plan, len(self.network.ops))
        run = iter(executed_pairs(fused(self.network, self.accelerator), self.accelerator, self.schedule.plan))
        return tuple(
            next(run) if isinstance(op, Op) else (op, variant)
            for op, variant in zip(self.network.ops, variants, strict=True)
        )

    @property
    def latency_s(self) -> float:
        """Seconds of one run."""
        return self.cycles / self.accelerator.clock_hz

    @cached_property
    def energy_j(self) -> float:
        """Joules of one run; leakage and the clock run on during overheads."""
        return math.fsum([*(cost.energy_j for cost in self.costs), self.accelerator.standing_w * self.overhead_s])

    @property
    def area_mm2(self) -> float:
        """Silicon area of the accelerator; off-chip memory not counted."""
        return self.accelerator.area_mm2

    @property
    def edp(self) -> float:
        """Energy-delay product in joule-seconds."""
        return self.energy_j * self.latency_s

    @property
    def utilization(self) -> float:
        """Share of the peak multiply-accumulates over the whole run, as executed: without skipped ones, in Winograd's
        domain where the accelerator has it.
        """
        done = math.fsum(cost.effectual_macs for cost in self.costs)
        return done / (self.cycles * self.accelerator.peak_macs_per_cycle) if self.cycles else 0.0

    @property
    def proven_layers(self) -> int:
        """How many of the network's contractions have a mapping that is proven optimal."""
        return sum(1 for one in self.certificates if one is not None and one.proven)

    def breakdown(self, by: str = "component") -> dict[str, float]:
        """Joules by "component" or by "tensor" ("" of the two is named "compute"); sums to ``energy_j``."""
        if by not in ("component", "tensor"):
            raise BadInput(f"breakdown by '{by}': choose 'component' or 'tensor'")
        parts: dict[str, list[float]] = {}
        for cost in self.costs:
            for (component, tensor), joules in cost.energy.items():
                parts.setdefault(component if by == "component" else tensor or "compute", []).append(joules)
        for name, power_w in (("leakage", self.accelerator.leakage_w), ("clock", self.accelerator.clock_w)):
            if power_w and self.overhead_s:
                parts.setdefault(name if by == "component" else "compute", []).append(power_w * self.overhead_s)
        return {name: math.fsum(joules) for name, joules in parts.items()}

    def rows(self) -> list[dict[str, Any]]:
        """A record per operator, in network order: cycles, latency_s, energy_j and by component, bound, mapping.

        ``overhead_s`` comes on top of latency_s, and the call's on top of all. ``gap`` is how far the mapping may be
        from the optimum (`Certificate.gap`), None where there is nothing to map. ``input_at``, ``weight_at`` and
        ``output_at`` name the memories where the operator finds and leaves its tensors ("" for none).
        """
        rows = []
        components = list(self.breakdown())
        proofs = self.certificates or (None,) * len(self.costs)
        layers = zip(self.network.ops, self.schedule.mappings, self.costs, proofs, strict=True)
        for at, (op, mapping, cost, proof) in enumerate(layers):
            row: dict[str, Any] = {
                "name": op.name,
                "kind": op.kind,
                "macs": op.macs,
                "effectual_macs": cost.effectual_macs,
                "cycles": cost.cycles,
                "latency_s": cost.latency_s,
                "energy_j": cost.energy_j,
                "utilization": cost.utilization,
                "bound": cost.bound,
                "overhead_s": self.accelerator.operator_overhead_s if self.starts(op) else 0.0,
            }
            row |= {f"{role}_at": "+".join(self._places(at, op, role)) for role in ROLES}
            spent = _by_component(cost.energy)
            row |= {f"energy_{name}_j": spent.get(name, 0.0) for name in components}
            rows.append(row | {"gap": proof.gap if proof else None, "mapping": str(mapping) if mapping else ""})
        return rows

    def _places(self, at: int, op: Op | VectorOp, role: Role) -> list[str]:
        """The memories that hold an operator's tensor before and after it."""
        if isinstance(op, VectorOp):
            words = {"input": op.words_in, "weight": op.params, "output": op.words_out}[role]
            if op.fused or not words:
                return []
        plan, home = self.schedule.plan, self.accelerator.residence(role)
        share = plan.inside(at)[role] if plan else 0.0
        outermost = [self.accelerator.keeper(role).name] if share < 1.0 else []
        return outermost + ([home.name] if home and share else [])

    def layers(self) -> DataFrame:
        """`rows` as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def sources(self) -> tuple[str, ...]:
        """Where the network, the accelerator and each of its constants come from."""
        lines = [f"network {self.network.name}: {self.network.source}"] if self.network.source else []
        if self.accelerator.source:
            lines.append(f"accelerator {self.accelerator.name}: {self.accelerator.source}")
        for level in self.accelerator.levels:
            lines.extend(f"{level.name}.{what}: {origin}" for what, origin in level.origin.items())
        return tuple(dict.fromkeys(lines))

    def citations(self) -> tuple[Citation, ...]:
        """Each technology constant used and each figure the accelerator's spec states, with source and uncertainty."""
        from ..accel.citations import citations

        return citations(self.accelerator)

    def uncertainty(self, samples: int = 0, seed: int = 0, *, stated: float = 0.0) -> Uncertainty:
        """How uncertain energy and area are as the constants are: to first order, or from so many ``samples``.

        See `dovetail.mapper.uncertainty`; ``stated`` is the relative standard deviation of the spec's own figures.
        """
        from .uncertainty import estimate_uncertainty

        return estimate_uncertainty(self, samples, seed, stated)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the network's and the accelerator's descriptions, and this estimate, leave out."""
        own, name = [], self.accelerator.name
        if self.accelerator.vector is None and len(self.network.contractions) < len(self.network.ops):
            own.append(f"{name} has no vector unit: vector operators only move their words")
        zeros = any(tensor.density < 1.0 for op in self.network.contractions for tensor in op.tensors)
        if zeros and not self.accelerator.uses_zeros:
            own.append(f"{name} makes no use of zeros: costs are those of dense tensors")
        away = sorted({op.kind for op in self.network.ops if self.accelerator.on_host(op)})
        if away:
            own.append(f"left to the host of {name}: {', '.join(away)}; its energy does not count")
        bits = self.accelerator.compute.operand_bits
        widest = max((t.bits for op in self.network.contractions for t in op.tensors[:2]), default=0)
        if widest > bits:
            own.append(f"{name} multiplies {bits}-bit operands; products of {widest}-bit ones count as its own")
        if self.schedule.plan is None and any(memory.may_reside for memory in self.accelerator.memories):
            own.append(f"{name} keeps nothing on the chip here: some operator has no mapping beside what would stay")
        origin, weights = self.accelerator.keeper("weight"), [op.tensor("weight") for op in self.network.contractions]
        words = [op.words("weight") for op in self.network.contractions]
        needed = sum(n * origin.bits("weight", t.bits) for n, t in zip(words, weights, strict=True) if t.is_parameter)
        if needed > origin.size_bits:
            room = f"{origin.name} of {origin.size_bits / 8:.4g} B"
            own.append(f"weights of {needed / 8:.4g} B come from {room} in {name}; loading them costs nothing here")
        return (*self.network.notes, *self.accelerator.notes, *own)


def _variants(accelerator: Accelerator, plan: Plan | None, operators: int) -> tuple[Accelerator, ...]:
    """The accelerator as each operator finds it; equal ones are one object."""
    if plan is None:
        return (accelerator,) * operators
    made = {residence: with_residence(accelerator, residence) for residence in dict.fromkeys(plan.residences)}
    return tuple(made[residence] for residence in plan.residences)


def _by_component(energy: MappingType[tuple[str, str], float]) -> dict[str, float]:
    spent: dict[str, float] = {}
    for (component, _), joules in energy.items():
        spent[component] = spent.get(component, 0.0) + joules
    return spent


def estimate(
    network: Network,
    accelerator: Accelerator,
    mapper: str = DEFAULT_MAPPER,
    objective: str | Objective = "edp",
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
) -> Estimate:
    """Map every operator of ``network`` on ``accelerator`` and add up.

    Layers run in sequence; a fused vector operator hides behind its producer. Where the accelerator lets tensors stay
    on the chip, `plan_residency` says which do. ``constraints`` and ``limits`` hold for each operator. ``cache`` is a
    folder, True (the user's cache folder) or False; ``workers`` threads map distinct operators at once (default: one
    per core). Raises `Infeasible` naming the operator, the memory where something does not fit and the words missing.
    """
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    wanted, ops = Objective.parse(objective), network.contractions
    if plan_residency(network, accelerator) is None and not changes(accelerator):
        found = map_all(
            ops, accelerator, wanted, mapper, constraints=constraints, limits=limits, cache=cache, workers=workers
        )
        return _added_up(network, accelerator, None, wanted, found)
    [answer] = estimate_many(
        network, [accelerator], mapper, wanted, constraints=constraints, limits=limits, cache=cache, workers=workers
    )
    if isinstance(answer, Infeasible):
        raise answer
    return answer


def estimate_many(
    network: Network,
    accelerators: Iterable[Accelerator],
    mapper: str = DEFAULT_MAPPER,
    objective: str | Objective = "edp",
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Estimate | Infeasible]:
    """One network on many accelerators, such as the variants of a co-search: an estimate each, or why there is none.

    All mappings are asked for at once (`map_many`, which see for ``progress``); the other arguments are `estimate`'s.
    """
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    wanted, chips = Objective.parse(objective), list(accelerators)
    for chip in chips:
        check_type(chip, Accelerator, "accelerator", "load it with load_accelerator")

    def ask(pairs: list[tuple[Op, Accelerator]]) -> list[MappingResult | Infeasible]:
        return map_many(
            pairs,
            wanted,
            mapper,
            constraints=constraints,
            limits=limits,
            cache=cache,
            workers=workers,
            progress=progress,
        )

    found: dict[int, Estimate | Infeasible] = {}
    fusions = [fused(network, chip) for chip in chips]
    plans = {number: plan_residency(fusions[number].network, chip) for number, chip in enumerate(chips)}
    for attempt in range(3):
        if plans:
            asked = [
                pair for number, plan in plans.items() for pair in executed_pairs(fusions[number], chips[number], plan)
            ]
            answers = ask(asked)
            plans = _sort_out(fusions, chips, wanted, plans, answers, found, last=attempt == 1)
    return [found[number] for number in range(len(chips))]


def estimate_schedule(network: Network, accelerator: Accelerator, schedule: Schedule) -> Estimate:
    """The estimate of a network whose mappings are given; it certifies nothing.

    Raises `BadInput` where the schedule is of another network or accelerator, `Infeasible` where a tile does not fit.
    """
    check_type(schedule, Schedule, "schedule", "take the one of an estimate")
    kinds = [isinstance(op, Op) for op in network.ops]
    if kinds != [mapping is not None for mapping in schedule.mappings]:
        raise BadInput(
            f"the schedule is of {len(schedule.mappings)} operators, {network.name} has {len(kinds)}, or others of "
            "them are mapped; take the schedule of an estimate of this network on this accelerator"
        )
    fusion = fused(network, accelerator)
    pairs = iter(executed_pairs(fusion, accelerator, schedule.plan))
    known: dict[tuple[object, ...], Cost] = {}
    results = []
    for mapping in schedule.mappings:
        if mapping is not None:
            op, variant = next(pairs)
            key = (op.shape_key, id(variant), mapping)
            cost = known.get(key) or known.setdefault(key, evaluate(op, variant, mapping))
            results.append(MappingResult(mapping, cost, Certificate(cost.latency_s, 0.0)))
    return _added_up(fusion.network, accelerator, schedule.plan, Objective.parse("latency"), results)


def executed_pairs(fusion: Fusion, accelerator: Accelerator, plan: Plan | None) -> list[tuple[Op, Accelerator]]:
    """Each contraction as it is executed, with the accelerator as it finds it."""
    ops = fusion.network.ops
    variants = _variants(accelerator, plan, len(ops))
    asked = [(op, variant) for op, variant in zip(ops, variants, strict=True) if isinstance(op, Op)]
    return executed(asked, fusion.moved)


def _sort_out(
    fusions: Sequence[Fusion],
    chips: Sequence[Accelerator],
    objective: Objective,
    plans: MappingType[int, Plan | None],
    answers: Sequence[MappingResult | Infeasible],
    found: dict[int, Estimate | Infeasible],
    *,
    last: bool,
) -> dict[int, Plan | None]:
    """Put what the answers settle into ``found``; returns the plans that are left to try, by the chip's number.

    Where an operator has no mapping beside what stays, first nothing stays during that operator, then nothing at all.
    """
    again: dict[int, Plan | None] = {}
    given = iter(answers)
    for number, plan in plans.items():
        network = fusions[number].network
        own = [next(given) for _ in network.contractions]
        wrong = [answer for answer in own if isinstance(answer, Infeasible)]
        if not wrong:
            results = [answer for answer in own if isinstance(answer, MappingResult)]
            found[number] = _added_up(network, chips[number], plan, objective, results)
        elif plan is None:
            found[number] = wrong[0]
        elif last:
            again[number] = None
        else:
            asked = zip(network.contractions, own, strict=True)
            crowded = frozenset(op.name for op, answer in asked if isinstance(answer, Infeasible))
            again[number] = plan_residency(network, chips[number], crowded)
    return again


def _added_up(
    network: Network,
    accelerator: Accelerator,
    plan: Plan | None,
    objective: Objective,
    results: Sequence[MappingResult],
) -> Estimate:
    """The estimate of a network from the results of its contractions, in their order."""
    found: Iterator[MappingResult] = iter(results)
    own = [next(found) if isinstance(op, Op) else None for op in network.ops]
    costs = costs_in_sequence(network, accelerator, plan, (result.cost for result in results))
    schedule = Schedule(tuple(result.mapping if result else None for result in own), plan)
    certificates = tuple(result.certificate if result else None for result in own)
    return Estimate(network, accelerator, objective.name, schedule, costs, certificates)


def costs_in_sequence(
    network: Network, accelerator: Accelerator, plan: Plan | None, contractions: Iterable[Cost]
) -> tuple[Cost, ...]:
    """The cost of every operator, from those of the contractions in their order; vector operators are costed here."""
    found = iter(contractions)
    cycles: dict[str, float] = {}
    costs: list[Cost] = []
    for at, layer in enumerate(network):
        if isinstance(layer.op, Op):
            cost = back_to_back(next(found), accelerator)
            cycles[layer.op.name] = cost.cycles
        else:
            hidden = cycles.get(layer.inputs[0], 0.0) if layer.inputs else 0.0
            inside = plan.inside(at) if plan else None
            cost = evaluate_vector(layer.op, accelerator, hidden_cycles=hidden, inside=inside)
            # A chain of fused operators hides behind its head.
            cycles[layer.op.name] = max(hidden, cost.cycles) if layer.op.fused else cost.cycles
        costs.append(cost)
    return tuple(costs)
