"""The accelerator YAML as pydantic models: which keys there are, and what kind of quantity each number is.

A number stays as YAML wrote it (a literal with unit, a parameter's name, arithmetic on both), so that a spec can be
resolved again for other parameter values and written back unchanged.
"""

from __future__ import annotations

import keyword
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..energy.number_formats import NumberName
from ..models.op import Role
from .expressions import KINDS, Kind
from .spec_formats import FormatChoice
from .spec_scalars import Bits, Count, Dimension, Scalar
from .spec_scalars import OptionalScalar as _Optional
from .systolic import Dataflow

__all__ = [
    "LEVEL_MODELS", "AcceleratorSpec", "ArraySpec", "ComputeSpec", "HostSpec", "LevelSpec", "MemorySpec", "PackedSpec",
    "ParameterSpec", "ScanSpec", "SkippingSpec", "StructureSpec", "SystolicSpec", "TimingSpec", "VectorSpec", "kinds",
]  # fmt: skip

RESERVED = ("min", "max", "s", "bit", "byte", "B", "cycle", "unbounded", "unlimited")


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]\w*", value):
        raise ValueError(f"'{value}' cannot be a name; use a letter, then letters, digits or '_'")
    return value


def _parameter_name(value: str) -> str:
    if keyword.iskeyword(value) or value in RESERVED:
        raise ValueError(f"'{value}' is a word of Python or of the arithmetic; choose another name")
    return _identifier(value)


def _distinct(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"'{value}' stands twice in this list; keep one of them")
    return values


Name = Annotated[str, AfterValidator(_identifier)]
ParameterName = Annotated[str, AfterValidator(_parameter_name)]
Roles = Annotated[list[Role], AfterValidator(_distinct)]
Operands = Annotated[list[Literal["input", "weight"]], AfterValidator(_distinct)]
Dimensions = Annotated[list[Dimension], AfterValidator(_distinct)]
Fusible = Annotated[list[Literal["add", "average_pool", "max_pool"]], AfterValidator(_distinct)]
Energy = Annotated[_Optional, KINDS["energy"]]
EnergyPerBit = Annotated[_Optional, KINDS["energy_per_bit"]]
Power = Annotated[_Optional, KINDS["power"]]
Area = Annotated[_Optional, KINDS["area"]]
Bandwidth = Annotated[_Optional, KINDS["bandwidth"]]
Time = Annotated[_Optional, KINDS["time"]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParameterSpec(_Strict):
    """A knob: its default and, for a search, ``choices`` or a ``range`` (two ends); neither: fixed."""

    default: Scalar
    choices: list[Scalar] | None = None
    range: list[Scalar] | None = None
    description: str = ""


class TimingSpec(_Strict):
    """What a DRAM takes besides its words' time, for the simulator; its bandwidth is that of all channels."""

    channels: Count = 1
    burst: Annotated[_Optional, KINDS["burst"]] = None
    row: Annotated[_Optional, KINDS["size"]] = None
    row_miss: Time = None
    banks: Count = 1
    refresh_interval: Time = None
    refresh_time: Time = None


class MemorySpec(_Strict):
    """A memory level; ``bandwidth`` is one port shared by reads and writes, without any bandwidth it is unlimited.

    ``resident`` tensors may stay here between operators (weights: between runs), weights in ``resident_size`` of it.
    ``buffers`` from two on say how many tiles of a tensor share a double-buffered memory. Neighbouring words of a
    tensor lie ``along`` a dimension, and the simulator moves them in whole lines (``line``). ``gating`` and
    ``skipping`` list, for a tensor that the multipliers take from here, the operands whose zeros save its words.
    ``capacity``: room for compressed tiles as they are in the mean, or without a zero (worst). ``width``, ``banks`` and
    ``ports`` are for the tables, as is a ``link`` that a dram's words cross besides.
    """

    name: Name
    type: Literal["memory"]
    component: Literal["dram", "sram", "register_file"] = "sram"
    dram_kind: str | None = None
    link: str | None = None
    size: Annotated[Scalar, KINDS["size"]]
    keeps: Roles
    may_bypass: Roles = []
    resident: Roles = []
    resident_size: Annotated[_Optional, KINDS["size"]] = None
    bandwidth: Bandwidth = None
    read_bandwidth: Bandwidth = None
    write_bandwidth: Bandwidth = None
    double_buffered: bool = False
    buffers: Annotated[_Optional, KINDS["count"]] = None
    prefetched: bool = False
    compression: dict[Role, FormatChoice] = {}
    latency: Annotated[Scalar, KINDS["latency"]] = "0 cycle"
    refetch: bool = False
    word: Annotated[dict[Role, Scalar], KINDS["bits"]] = {}
    width: Bits = "64 bit"
    banks: Count = 1
    ports: Annotated[_Optional, KINDS["count"]] = None
    timing: TimingSpec | None = None
    line: Annotated[_Optional, KINDS["burst"]] = None
    along: dict[Role, Dimension] = {}
    gating: dict[Role, Operands] = {}
    skipping: dict[Role, Operands] = {}
    capacity: Literal["expected", "worst"] = "expected"
    read_energy: EnergyPerBit = None
    write_energy: EnergyPerBit = None
    energy_scale: Annotated[Scalar, KINDS["factor"]] = 1
    leakage: Power = None
    area: Area = None


class SystolicSpec(_Strict):
    """How data moves through an array; ``rows`` and ``columns`` name its axes, or as ``array.axis`` those of others."""

    dataflow: Dataflow
    rows: str
    columns: str
    overlapped: bool = False


class ArraySpec(_Strict):
    """A spatial fan-out; ``shape`` names its axes, ``dims`` limits the loops an axis may unroll.

    ``bandwidth`` is that of its whole network, for the simulator. Instances in ``lockstep`` skip steps together. Words
    reach an instance over wires, or over a ``link`` between dies or machines.
    """

    name: Name
    type: Literal["array"]
    shape: Annotated[dict[Name, Scalar], KINDS["count"], Field(min_length=1)]
    dims: dict[str, Dimensions] = {}
    multicast: Roles = ["input", "weight", "output"]
    reduces: bool = True
    systolic: SystolicSpec | None = None
    bandwidth: Bandwidth = None
    hop_energy: EnergyPerBit = None
    link: str | None = None
    area: Area = None
    lockstep: bool = False


class StructureSpec(_Strict):
    """Zeros that are looked for where of ``m`` neighbouring words at most ``n`` are not zero."""

    n: Count
    m: Count


class PackedSpec(_Strict):
    """Of each ``tile`` of a tensor, the words that are not zero go to the multipliers ``lanes`` at a time."""

    tile: Annotated[dict[Dimension, Scalar], KINDS["count"], Field(min_length=1)]
    lanes: Count


class ScanSpec(_Strict):
    """Words beside which the ``leaders`` are not zero are looked at, ``rate`` a cycle."""

    leaders: Annotated[Operands, Field(min_length=1)]
    rate: Annotated[Scalar, KINDS["factor"]] = 1


class SkippingSpec(_Strict):
    """Steps that are not taken, as a zero among the ``leaders`` makes their products zero.

    Zeros are found for aligned ``blocks`` of words, for single words, or with ``structured`` where a pattern is kept.
    All instances skip for zeros of the ``common`` leaders; else each skips on its own, and they wait for each other
    after ``window`` steps, or where one is ``queue`` windows ahead of another. What is left of ``packed`` leaders is
    dealt to lanes in step; for ``padded`` ones the zero words of their run-length code are steps, too. ``scan``: the
    intersection of operands takes time of its own.
    """

    leaders: Annotated[Operands, Field(min_length=1)]
    common: Operands = []
    blocks: Annotated[dict[Dimension, Scalar], KINDS["count"]] = {}
    structured: StructureSpec | None = None
    window: Annotated[_Optional, KINDS["count"]] = None
    queue: Annotated[_Optional, KINDS["count"]] = None
    packed: dict[Literal["input", "weight"], PackedSpec] = {}
    padded: Operands = []
    scan: ScanSpec | None = None


class ComputeSpec(_Strict):
    """The multiply-accumulate unit; ``winograd`` and ``channel_extension`` say how it executes convolutions.

    A ``number`` format with a width of its own needs no ``operand``. ``flip_flops`` of an instance let the tables say
    what its clock takes.
    """

    name: Name
    type: Literal["compute"]
    operand: Bits = "8 bit"
    accumulator: Bits = "32 bit"
    number: NumberName = "int"
    pipeline: Annotated[Scalar, KINDS["cycles"]] = "0 cycle"
    gating: Operands = []
    skipping: SkippingSpec | None = None
    winograd: bool = False
    channel_extension: bool = False
    energy: Energy = None
    clock_energy: Energy = None
    flip_flops: Annotated[_Optional, KINDS["count"]] = None
    leakage: Power = None
    area: Area = None


class VectorSpec(_Strict):
    """The unit for operators that are no contraction; ``lanes`` counts the whole chip, ``energy`` is per operation.

    ``fused_lanes`` are lanes of their own for what is fused with a contraction (activation functions). ``fuses`` lists
    kinds of operators that take their producer's words as they come and leave nothing else behind. Without a
    ``number`` format its lanes have the compute's.
    """

    name: Name
    type: Literal["vector"]
    lanes: Count
    fused_lanes: Annotated[_Optional, KINDS["count"]] = None
    fuses: Fusible = []
    bits: Bits = "8 bit"
    number: NumberName | None = None
    energy: Energy = None
    leakage: Power = None
    area: Area = None


class HostSpec(_Strict):
    """The processor beside the accelerator: the kinds of vector operators left to it, scalar operations a second.

    ``link`` is what a network's inputs and outputs come and go over, for the simulator.
    """

    operators: Annotated[list[str], AfterValidator(_distinct), Field(min_length=1)] = []
    rate: Annotated[_Optional, KINDS["frequency"]] = None
    link: Bandwidth = None


LevelSpec = MemorySpec | ArraySpec | ComputeSpec | VectorSpec
LEVEL_MODELS: dict[str, type[LevelSpec]] = {
    "memory": MemorySpec, "array": ArraySpec, "compute": ComputeSpec, "vector": VectorSpec,
}  # fmt: skip


class AcceleratorSpec(_Strict):
    """A whole accelerator; ``levels`` outermost first.

    ``voltage`` is the chip's supply: what the tables estimate is for it, and not for the voltage that they hold for.
    """

    name: str
    description: str = ""
    source: str = ""
    notes: list[str] = []
    technology: Annotated[Scalar, KINDS["length"]]
    voltage: Annotated[_Optional, KINDS["voltage"]] = None
    process: Literal["low_leakage", "low_standby", "high_performance"] = "low_leakage"
    clock: Annotated[Scalar, KINDS["frequency"]]
    call_overhead: Annotated[Scalar, KINDS["time"]] = "0 s"
    operator_overhead: Annotated[Scalar, KINDS["time"]] = "0 s"
    host: HostSpec | None = None
    back_to_back: bool = False
    parameters: dict[ParameterName, ParameterSpec] = {}
    levels: Annotated[list[Annotated[LevelSpec, Field(discriminator="type")]], Field(min_length=1)]


def kinds(model: type[BaseModel]) -> dict[str, Kind]:
    """The fields of a model that are quantities (a mapping: each of its values), and of which kind."""
    return {
        name: entry for name, info in model.model_fields.items() for entry in info.metadata if isinstance(entry, Kind)
    }
