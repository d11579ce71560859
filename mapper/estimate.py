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
from ..accel.analytic import Cost
from ..accel.mapping import Mapping
from ..accel.vector import evaluate_vector
from ..errors import BadInput, ImpossibleResult, Infeasible, check_type
from ..models.network import Network
from ..models.op import Op
from .base import UNLIMITED, Certificate, Limits, MappingResult
from .constraints import Constraints
from .execution import executed, fused
from .objective import Objective
from .registry import DEFAULT_MAPPER
from .search import Progress, map_all, map_many

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Estimate", "Schedule", "estimate", "estimate_many"]


@dataclass(frozen=True)
class Schedule:
    """One mapping per operator, in the network's order (None for vector operators); layers run one after another."""

    mappings: tuple[Mapping | None, ...]


@dataclass(frozen=True)
class Estimate:
    """Analytic cost of a network: layers in sequence, every layer's tensors passing through the outermost memory.

    ``certificates`` say how good each operator's mapping is known to be (None for vector operators).
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
        return math.fsum(cost.cycles for cost in self.costs)

    @property
    def latency_s(self) -> float:
        """Seconds of one run."""
        return self.cycles / self.accelerator.clock_hz

    @cached_property
    def energy_j(self) -> float:
        """Joules of one run."""
        return math.fsum(cost.energy_j for cost in self.costs)

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
        """Share of the peak multiply-accumulates over the whole run, as executed: Winograd's are fewer."""
        done = sum(cost.macs for cost in self.costs)
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
        return {name: math.fsum(joules) for name, joules in parts.items()}

    def rows(self) -> list[dict[str, Any]]:
        """A record per operator, in network order: cycles, latency_s, energy_j and by component, bound, mapping.

        ``gap`` is how far the mapping may be from the optimum (`Certificate.gap`), None where there is nothing to map.
        """
        rows = []
        components = list(self.breakdown())
        proofs = self.certificates or (None,) * len(self.costs)
        layers = zip(self.network.ops, self.schedule.mappings, self.costs, proofs, strict=True)
        for op, mapping, cost, proof in layers:
            row: dict[str, Any] = {
                "name": op.name,
                "kind": op.kind,
                "macs": op.macs,
                "cycles": cost.cycles,
                "latency_s": cost.latency_s,
                "energy_j": cost.energy_j,
                "utilization": cost.utilization,
                "bound": cost.bound,
            }
            spent = _by_component(cost.energy)
            row |= {f"energy_{name}_j": spent.get(name, 0.0) for name in components}
            rows.append(row | {"gap": proof.gap if proof else None, "mapping": str(mapping) if mapping else ""})
        return rows

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

    @property
    def notes(self) -> tuple[str, ...]:
        """What the network's and the accelerator's descriptions, and this estimate, leave out."""
        own, name = [], self.accelerator.name
        if self.accelerator.vector is None and len(self.network.contractions) < len(self.network.ops):
            own.append(f"{name} has no vector unit: vector operators only move their words")
        bits = self.accelerator.compute.operand_bits
        widest = max((t.bits for op in self.network.contractions for t in op.tensors[:2]), default=0)
        if widest > bits:
            own.append(f"{name} multiplies {bits}-bit operands; products of {widest}-bit ones count as its own")
        return (*self.network.notes, *self.accelerator.notes, *own)


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

    Layers run in sequence; a fused vector operator hides behind its producer. ``constraints`` and ``limits`` hold for
    each operator. ``cache`` is a folder, True (the user's cache folder) or False; ``workers`` threads map distinct
    operators at once (default: one per core). Raises `Infeasible` naming the operator, the memory where something does
    not fit and the words missing.
    """
    check_type(network, Network, "network", "load it with load_network, from_torch or from_onnx")
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    wanted, ops = Objective.parse(objective), network.contractions
    if not _changes(accelerator):
        found = map_all(
            ops, accelerator, wanted, mapper, constraints=constraints, limits=limits, cache=cache, workers=workers
        )
        return _added_up(network, accelerator, wanted, found)
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
    wanted, ops, chips = Objective.parse(objective), network.contractions, list(accelerators)
    fusions = [fused(network, chip) for chip in chips]
    pairs = [
        pair
        for chip, fusion in zip(chips, fusions, strict=True)
        for pair in executed(((op, chip) for op in ops), fusion.moved)
    ]
    answers = iter(
        map_many(
            pairs,
            wanted,
            mapper,
            constraints=constraints,
            limits=limits,
            cache=cache,
            workers=workers,
            progress=progress,
        )
    )
    estimates: list[Estimate | Infeasible] = []
    for chip, fusion in zip(chips, fusions, strict=True):
        own = [next(answers) for _ in ops]
        wrong = next((answer for answer in own if isinstance(answer, Infeasible)), None)
        results = [answer for answer in own if isinstance(answer, MappingResult)]
        estimates.append(wrong or _added_up(fusion.network, chip, wanted, results))
    return estimates


def _changes(accelerator: Accelerator) -> bool:
    """Whether the accelerator executes operators in another form than the network states them."""
    compute, vector = accelerator.compute, accelerator.vector
    return compute.winograd or compute.channel_extension or bool(vector and vector.fuses)


def _added_up(
    network: Network, accelerator: Accelerator, objective: Objective, results: Sequence[MappingResult]
) -> Estimate:
    """The estimate of a network from the results of its contractions, in their order."""
    found: Iterator[MappingResult] = iter(results)
    cycles: dict[str, float] = {}
    costs: list[Cost] = []
    mappings: list[Mapping | None] = []
    certificates: list[Certificate | None] = []
    for layer in network:
        if isinstance(layer.op, Op):
            result = next(found)
            cost = result.cost
            cycles[layer.op.name] = cost.cycles
            mappings.append(result.mapping)
            certificates.append(result.certificate)
        else:
            hidden = cycles.get(layer.inputs[0], 0.0) if layer.inputs else 0.0
            cost = evaluate_vector(layer.op, accelerator, hidden_cycles=hidden)
            # A chain of fused operators hides behind its head.
            cycles[layer.op.name] = max(hidden, cost.cycles) if layer.op.fused else cost.cycles
            mappings.append(None)
            certificates.append(None)
        costs.append(cost)
    schedule = Schedule(tuple(mappings))
    return Estimate(network, accelerator, objective.name, schedule, tuple(costs), tuple(certificates))
