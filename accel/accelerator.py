"""What an accelerator is: a list of levels, outermost first, with every energy and area resolved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..energy.components import Figure
from ..models.op import ROLES, Op, Role, VectorOp
from .formats import Format
from .schemes import DramTiming, Packed, Skipping, Systolic

if TYPE_CHECKING:
    from .spec import AcceleratorSpec

__all__ = [
    "Accelerator", "Array", "Compute", "DramTiming", "Host", "Level", "Memory", "Packed", "Parameter", "Skipping",
    "Systolic", "Vector",
]  # fmt: skip


@dataclass(frozen=True)
class Memory:
    """A memory; ``size_bits`` and bandwidths are per instance, ``math.inf`` where unlimited.

    ``keeps`` are the tensors that may live here, ``may_bypass`` those among them a mapping may leave out. ``word_bits``
    overrides a tensor's word width in this memory (wide partial sums), ``finished_output_bits`` that of outputs once
    they are finished. ``shared_port`` says reads and writes share one bandwidth, stated as
    ``read_bandwidth_bits_per_s``. A ``double_buffered`` memory is filled while the compute works and gives each tile
    half its size (one n-th where ``fold`` is n); a ``prefetched`` one gives a tile all of it, as the next words wait in
    a queue before it or beside what is in use below it. ``latency_cycles`` pass for each tile that comes in from above
    or leaves upwards, besides the time of its words. ``compression`` says how finished words of a tensor
    are stored. ``refetch``: every step of a loop outside brings the operands' whole tiles in anew, even where they stay
    the same. ``origin`` maps each energy and area to "stated" or the estimator's source, ``figures`` to the number with
    its uncertainty and constants. ``may_reside`` are the tensors
    that may stay here between operators (weights: between runs), ``weight_room_bits`` the part set aside for such
    weights (None: they take what is left). ``resident`` are those that do stay during one operator (`with_residence`),
    and weights in a memory that they come from while activations come from another: their tiles take no room.
    ``line_bits`` and ``along`` are the simulator's: what crosses between this memory and those inside is moved in whole
    lines for each run of neighbouring words, which lie ``along`` a dimension of the tensor. ``gating`` and ``skipping``
    name, for a tensor that nothing further inside keeps, the operands whose zeros save its words: its reads or updates
    do not happen, and with ``skipping`` the step is not taken. A ``worst_case`` memory has room for tiles in no zeros.
    ``dram_kind`` is the kind of a memory off the chip ("" on it).
    """

    name: str
    keeps: frozenset[Role]
    may_bypass: frozenset[Role] = frozenset()
    size_bits: float = math.inf
    read_bandwidth_bits_per_s: float = math.inf
    write_bandwidth_bits_per_s: float = math.inf
    shared_port: bool = False
    double_buffered: bool = False
    latency_cycles: float = 0.0
    refetch: bool = False
    word_bits: Mapping[Role, float] = field(default_factory=dict)
    component: str = "sram"
    banks: int = 1
    width_bits: int = 64
    read_energy_j_per_bit: float = 0.0
    write_energy_j_per_bit: float = 0.0
    leakage_w: float = 0.0
    area_mm2: float = 0.0
    origin: Mapping[str, str] = field(default_factory=dict)
    prefetched: bool = False
    compression: Mapping[Role, Format] = field(default_factory=dict)
    may_reside: frozenset[Role] = frozenset()
    weight_room_bits: float | None = None
    resident: frozenset[Role] = frozenset()
    finished_output_bits: float | None = None
    fold: int = 2
    timing: DramTiming | None = None
    line_bits: float = 0.0
    along: Mapping[Role, str] = field(default_factory=dict)
    gating: Mapping[Role, frozenset[Role]] = field(default_factory=dict)
    skipping: Mapping[Role, frozenset[Role]] = field(default_factory=dict)
    worst_case: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)
    dram_kind: str = ""

    @property
    def buffers(self) -> int:
        """How many tiles of a tensor share its room: ``fold`` of a double-buffered memory, else one."""
        return self.fold if self.double_buffered else 1

    @property
    def copies(self) -> int:
        """How many tiles of a tensor may be under way at once, the one in use included: 2 of a prefetched memory."""
        return max(self.buffers, 2 if self.prefetched else 1)

    @property
    def overlaps(self) -> bool:
        """Whether it is filled and drained while the compute works."""
        return self.double_buffered or self.prefetched

    def bits(self, role: Role, default: float) -> float:
        """Width in bits of one word of the tensor ``role`` while it is in this memory."""
        return self.word_bits.get(role, default)

    @property
    def room_bits(self) -> float:
        """What the tiles of one instance may take: half of a double-buffered memory, an n-th of an n-fold one."""
        return self.size_bits / self.buffers


@dataclass(frozen=True)
class Array:
    """A spatial fan-out; everything below it exists ``size`` times.

    ``dims`` limits which dimensions may be laid along an axis (absent axis: any). ``multicast`` names the operands
    whose identical tiles are sent once to all instances that need them; ``reduces`` says partial sums of one output
    word are added on their way up. ``systolic``: passes take time to begin and to end. ``hop_energy_j_per_bit`` is
    paid for each word delivered to or collected from an instance. ``bandwidth_bits_per_s`` is that of its whole
    network, of which only the simulator knows. Instances in ``lockstep`` take or skip each step together.
    """

    name: str
    shape: tuple[tuple[str, int], ...]
    dims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    multicast: frozenset[Role] = frozenset(ROLES)
    reduces: bool = True
    systolic: Systolic | None = None
    hop_energy_j_per_bit: float = 0.0
    area_mm2: float = 0.0
    origin: Mapping[str, str] = field(default_factory=dict)
    bandwidth_bits_per_s: float = math.inf
    lockstep: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @cached_property
    def size(self) -> int:
        """Number of instances: the product of the shape."""
        return math.prod(extent for _, extent in self.shape)

    def allows(self, axis: str, dim: str) -> bool:
        """Whether ``dim`` may be spread along ``axis``."""
        return axis not in self.dims or dim in self.dims[axis]


@dataclass(frozen=True)
class Compute:
    """The multiply-accumulate unit: one MAC per instance and cycle, result ``pipeline_cycles`` later.

    A zero in one of the ``gating`` operands keeps it from switching; ``skipping`` saves the step. ``clock_energy_j`` is
    what the clock network takes per instance and cycle, busy or not. ``winograd``: 3x3 convolutions of stride 1 run as
    `dovetail.models.winograd` says. ``channel_extension``: strided convolutions are laid out with the positions of a
    stride as channels, so that filters are stored padded to whole strides and inputs are fetched whole, skipped
    positions too.
    """

    name: str
    operand_bits: int = 8
    accumulator_bits: int = 32
    number: str = "int"
    pipeline_cycles: int = 0
    winograd: bool = False
    channel_extension: bool = False
    energy_j: float = 0.0
    leakage_w: float = 0.0
    area_mm2: float = 0.0
    origin: Mapping[str, str] = field(default_factory=dict)
    gating: frozenset[Role] = frozenset()
    clock_energy_j: float = 0.0
    skipping: Skipping | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Vector:
    """The unit for vector operators: ``lanes`` scalar operations per cycle over the whole chip.

    ``fused_lanes`` stand at the outputs of the array for operators that are fused with their producer (0: the same
    lanes do both). Operators of the kinds it ``fuses`` take their producer's words as they come.
    """

    name: str
    lanes: int = 1
    fused_lanes: int = 0
    fuses: frozenset[str] = frozenset()
    bits: int = 8
    energy_j: float = 0.0
    leakage_w: float = 0.0
    area_mm2: float = 0.0
    origin: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)


Level = Memory | Array | Compute | Vector


@dataclass(frozen=True)
class Parameter:
    """A named knob of a spec. Values are ints or floats in SI units (bits, Hz, bit/s); ``unit`` is how YAML wrote it.

    ``choices`` (discrete) or ``bounds`` (a closed interval) describe the search range; both empty: fixed.
    """

    name: str
    default: float
    choices: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class Host:
    """The processor beside the accelerator, for vector operators of the kinds that the accelerator's compiler refuses.

    It finds and leaves their tensors in its own memory, so that they cost their operations alone. A network's inputs
    and outputs come and go over its link, of which only the simulator knows.
    """

    operators: frozenset[str] = frozenset()
    operations_per_s: float = math.inf
    link_bits_per_s: float = math.inf


@dataclass(frozen=True)
class Accelerator:
    """A resolved accelerator: ``levels`` outermost first; build it with `load_accelerator` or ``with_parameters``.

    ``call_overhead_s`` is what the host, its driver and the link take for each run of a network, whatever the batch;
    ``operator_overhead_s`` what it takes to start each operator (a fused one starts with its producer).
    ``back_to_back``: an operator's first tiles come in while the one before still computes. ``voltage_v`` is the supply
    that the tables' energies are scaled to (None: they are taken as they are).
    """

    name: str
    clock_hz: float
    technology_nm: float
    levels: tuple[Level, ...]
    parameters: tuple[Parameter, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    notes: tuple[str, ...] = ()
    spec: AcceleratorSpec | None = field(default=None, repr=False, compare=False)
    call_overhead_s: float = 0.0
    operator_overhead_s: float = 0.0
    host: Host | None = None
    back_to_back: bool = False
    voltage_v: float | None = None

    def __repr__(self) -> str:
        levels = " > ".join(level.name for level in self.levels)
        return f"<Accelerator {self.name}: {levels}; {self.technology_nm:g} nm, {self.clock_hz / 1e6:g} MHz>"

    def with_parameters(self, **values: Any) -> Accelerator:
        """The same spec with some parameters changed; values are numbers in the unit of the default or texts with one.

        Raises `BadInput` for an unknown parameter, a wrong unit, or a value outside the choices or bounds.
        """
        from .spec import with_parameters

        return with_parameters(self, values)

    def unlimited(self) -> Accelerator:
        """The same accelerator with unlimited bandwidth everywhere, where no tile waits in a queue for its latency.

        What halts the compute still does. Then the simulator takes exactly as long as the analytic model says.
        """
        levels: list[Level] = []
        for level in self.levels:
            if isinstance(level, Memory):
                latency = 0.0 if level.overlaps else level.latency_cycles
                free = {"read_bandwidth_bits_per_s": math.inf, "write_bandwidth_bits_per_s": math.inf}
                level = replace(level, **free, latency_cycles=latency, timing=None)  # type: ignore[arg-type]
            elif isinstance(level, Array):
                level = replace(level, bandwidth_bits_per_s=math.inf)
            levels.append(level)
        host = replace(self.host, link_bits_per_s=math.inf) if self.host else None
        return replace(self, levels=tuple(levels), host=host, spec=None)

    @cached_property
    def memories(self) -> tuple[Memory, ...]:
        """Memory levels, outermost first."""
        return tuple(level for level in self.levels if isinstance(level, Memory))

    def on_host(self, op: Op | VectorOp) -> bool:
        """Whether the operator is left to the host's processor."""
        return self.host is not None and isinstance(op, VectorOp) and op.kind in self.host.operators

    def keeper(self, role: Role) -> Memory:
        """The outermost memory that keeps the tensor: where operators find and leave it."""
        return next(memory for memory in self.memories if role in memory.keeps)

    def residence(self, role: Role) -> Memory | None:
        """The memory in which the tensor may stay between operators, if there is one."""
        return next((memory for memory in self.memories if role in memory.may_reside), None)

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """Array levels, outermost first."""
        return tuple(level for level in self.levels if isinstance(level, Array))

    @cached_property
    def compute(self) -> Compute:
        """The compute level."""
        return next(level for level in self.levels if isinstance(level, Compute))

    @cached_property
    def uses_zeros(self) -> bool:
        """Whether anything gates, skips or compresses, so that zeros save something."""
        if self.compute.gating or self.compute.skipping:
            return True
        return any(memory.compression or memory.gating or memory.skipping for memory in self.memories)

    @cached_property
    def vector(self) -> Vector | None:
        """The vector unit, if there is one."""
        return next((level for level in self.levels if isinstance(level, Vector)), None)

    @cached_property
    def instances(self) -> tuple[int, ...]:
        """Number of instances of each level: the product of the arrays above it (a vector unit counts once)."""
        counts, product = [], 1
        for level in self.levels:
            counts.append(1 if isinstance(level, Vector) else product)
            if isinstance(level, Array):
                product *= level.size
        return tuple(counts)

    @cached_property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle with every instance busy."""
        return math.prod(array.size for array in self.arrays)

    @cached_property
    def peak_ops_per_s(self) -> float:
        """Operations per second at peak, a multiply-accumulate counted as two."""
        return 2.0 * self.peak_macs_per_cycle * self.clock_hz

    @cached_property
    def area_mm2(self) -> float:
        """Silicon area of all instances; off-chip DRAM counts nothing."""
        return sum(level.area_mm2 * count for level, count in zip(self.levels, self.instances, strict=True))

    @cached_property
    def leakage_w(self) -> float:
        """Static power of all instances."""
        total = 0.0
        for level, count in zip(self.levels, self.instances, strict=True):
            total += 0.0 if isinstance(level, Array) else level.leakage_w * count
        return total

    @cached_property
    def clock_w(self) -> float:
        """Power of the clock network."""
        return self.compute.clock_energy_j * self.peak_macs_per_cycle * self.clock_hz

    @cached_property
    def standing_w(self) -> float:
        """Power that flows whether or not anything happens: leakage and the clock network."""
        return self.leakage_w + self.clock_w

    def arrays_below(self, memory: Memory) -> tuple[Array, ...]:
        """The arrays between ``memory`` and the compute."""
        inside = self.levels[[level.name for level in self.levels].index(memory.name) + 1 :]
        return tuple(level for level in inside if isinstance(level, Array))
