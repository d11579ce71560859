"""From a spec and parameter values to an `Accelerator`: every quantity in SI units, every energy and area filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..document import YamlPath
from ..energy.number_formats import number_format, operand_width
from ..energy.voltage import check_voltage
from ..errors import BadInput, SpecError
from ..models.op import ROLES, Role
from .accelerator import (
    Accelerator,
    Array,
    Compute,
    DramTiming,
    Host,
    Level,
    Memory,
    Parameter,
    Systolic,
    Vector,
)  # fmt: skip
from .expressions import KINDS, Unit
from .frozen import FrozenDict
from .resolve_skipping import lockstep_problems, resolve_skipping
from .spec_check import Evaluator, Placer
from .spec_costs import Costs, Pricer, known_node
from .spec_formats import formats_of
from .spec_levels import systolic_axis
from .spec_models import (
    AcceleratorSpec,
    ArraySpec,
    ComputeSpec,
    HostSpec,
    LevelSpec,
    MemorySpec,
    TimingSpec,
    VectorSpec,
)  # fmt: skip

__all__ = ["resolve"]

Scalar = str | int | float


def resolve(
    spec: AcceleratorSpec,
    parameters: tuple[Parameter, ...],
    units: Mapping[str, Unit],
    values: Mapping[str, float],
    place: Placer,
) -> Accelerator:
    """The accelerator for these parameter ``values`` (SI units); raises `SpecError` with every problem found."""
    evaluator = Evaluator(units, values, place)
    evaluator.clock_hz = evaluator.number(("clock",), spec.clock, KINDS["frequency"])
    metres = evaluator.number(("technology",), spec.technology, KINDS["length"])
    technology_nm = round(metres * 1e9, 6)
    voltage_v = _voltage(spec, evaluator, technology_nm)
    call_s = evaluator.number(("call_overhead",), spec.call_overhead, KINDS["time"])
    operator_s = evaluator.number(("operator_overhead",), spec.operator_overhead, KINDS["time"])
    host = None if spec.host is None else _host(spec.host, evaluator)
    resolver = _Resolver(spec, evaluator, technology_nm, voltage_v)
    levels = resolver.levels()
    for index, what in lockstep_problems(levels):
        evaluator.complain(("levels", index, "lockstep"), what)
    if evaluator.problems:
        raise SpecError(evaluator.problems)
    return Accelerator(
        name=spec.name,
        clock_hz=evaluator.clock_hz,
        technology_nm=technology_nm,
        levels=tuple(levels),
        parameters=parameters,
        values=FrozenDict(values),
        source=spec.source,
        notes=tuple(spec.notes),
        spec=spec,
        call_overhead_s=call_s,
        operator_overhead_s=operator_s,
        host=host,
        back_to_back=spec.back_to_back,
        voltage_v=voltage_v,
    )


def _voltage(spec: AcceleratorSpec, evaluator: Evaluator, technology_nm: float) -> float | None:
    """The stated supply voltage; one that no energies are known for is a problem of its own."""
    if spec.voltage is None:
        return None
    voltage_v = evaluator.number(("voltage",), spec.voltage, KINDS["voltage"])
    if known_node(technology_nm) and not evaluator.problems:
        try:
            check_voltage(voltage_v, technology_nm)
        except BadInput as error:
            evaluator.complain(("voltage",), str(error))
    return voltage_v


def _host(spec: HostSpec, evaluator: Evaluator) -> Host:
    rate = link = math.inf
    if spec.rate is not None:
        rate = evaluator.number(("host", "rate"), spec.rate, KINDS["frequency"])
    if spec.link is not None:
        link = evaluator.number(("host", "link"), spec.link, KINDS["bandwidth"], "host")
    return Host(frozenset(spec.operators), rate, link)


class _Resolver:
    """Resolves the levels from inside out, since a network's wires are as long as what lies below is large."""

    def __init__(
        self, spec: AcceleratorSpec, evaluator: Evaluator, technology_nm: float, voltage_v: float | None
    ) -> None:
        self.spec, self.evaluator = spec, evaluator
        self.pricer = Pricer(spec, evaluator, technology_nm, voltage_v)
        formats = [level.number for level in spec.levels if isinstance(level, ComputeSpec)]
        self.number_format = formats[0] if formats else "int"
        self.operand_bits = 8  # until the compute level, resolved before any memory, says otherwise

    def levels(self) -> list[Level]:
        """All levels, outermost first."""
        found: list[Level] = []
        inner_mm2 = 0.0
        for index in range(len(self.spec.levels) - 1, -1, -1):
            level = self._level(self.spec.levels[index], ("levels", index), inner_mm2)
            found.append(level)
            if isinstance(level, Array):
                inner_mm2 = inner_mm2 * level.size + level.area_mm2
            elif not isinstance(level, Vector):
                inner_mm2 += level.area_mm2
        return [self._with_passes(self._as_origin(level), found) for level in reversed(found)]

    def _as_origin(self, level: Level) -> Level:
        """The level; a memory inside the outermost one that weights come from holds all of them."""
        memories = [one for one in self.spec.levels if isinstance(one, MemorySpec)]
        origin = next(one for one in memories if "weight" in one.keeps)
        if isinstance(level, Memory) and level.name == origin.name != memories[0].name:
            return replace(level, resident=frozenset({"weight"}))
        return level

    def _with_passes(self, level: Level, levels: list[Level]) -> Level:
        """The level; an array that is systolic knows its rows and columns, which may be another array's axis."""
        given = next((one for one in self.spec.levels if one.name == level.name), None)
        if not isinstance(level, Array) or not isinstance(given, ArraySpec) or given.systolic is None:
            return level
        extents = {(one.name, axis): size for one in levels if isinstance(one, Array) for axis, size in one.shape}
        stated = given.systolic
        rows, columns = (extents[systolic_axis(level.name, axis)] for axis in (stated.rows, stated.columns))
        return replace(level, systolic=Systolic(stated.dataflow, rows, columns, stated.overlapped))

    def _level(self, level: LevelSpec, path: YamlPath, inner_mm2: float) -> Level:
        numbers = self.evaluator.numbers(level, path)
        if isinstance(level, MemorySpec):
            return self._memory(level, numbers, path)
        if isinstance(level, ArraySpec):
            return self._array(level, numbers, path, inner_mm2)
        if isinstance(level, ComputeSpec):
            return self._compute(level, numbers, path)
        return self._vector(level, numbers, path)

    def _memory(self, level: MemorySpec, numbers: dict[str, float], path: YamlPath) -> Memory:
        size, width, banks = numbers["size"], numbers["width"], numbers["banks"]
        words = self.evaluator.each(level.word, "bits", (*path, "word"))
        widths = {role: words.get(role, self.operand_bits) for role in ROLES}
        buffers = self._buffers(level, numbers, path)
        self._check_room(level, numbers, words, buffers, path)
        costs = self._memory_costs(level, numbers, path)
        shared = level.bandwidth is not None
        return Memory(
            name=level.name,
            keeps=frozenset(level.keeps),
            may_bypass=frozenset(level.may_bypass),
            size_bits=size,
            read_bandwidth_bits_per_s=numbers.get("bandwidth" if shared else "read_bandwidth", math.inf),
            write_bandwidth_bits_per_s=numbers.get("bandwidth" if shared else "write_bandwidth", math.inf),
            shared_port=shared,
            double_buffered=buffers > 1,
            prefetched=level.prefetched,
            compression=FrozenDict(formats_of(level.compression, widths, self.evaluator, (*path, "compression"))),
            latency_cycles=numbers["latency"],
            refetch=level.refetch,
            word_bits=FrozenDict(words),
            component=level.component,
            banks=int(banks),
            width_bits=int(width),
            read_energy_j_per_bit=costs["read_energy"],
            write_energy_j_per_bit=costs["write_energy"],
            leakage_w=costs["leakage"],
            area_mm2=costs["area"],
            origin=costs.origin,
            figures=costs.figures,
            may_reside=frozenset(level.resident),
            weight_room_bits=numbers.get("resident_size"),
            fold=max(2, buffers),
            timing=None if level.timing is None else self._timing(level.timing, (*path, "timing")),
            line_bits=numbers.get("line", 0.0),
            along=FrozenDict(level.along),
            gating=_operands(level.gating),
            skipping=_operands(level.skipping),
            worst_case=level.capacity == "worst",
            dram_kind=(level.dram_kind or "lpddr4") if level.component == "dram" else "",
        )

    def _buffers(self, level: MemorySpec, numbers: Mapping[str, float], path: YamlPath) -> int:
        """How many tiles share the memory: as stated, else two where it is double-buffered."""
        buffers = int(numbers.get("buffers", 2 if level.double_buffered else 1))
        stated = "double_buffered" in level.model_fields_set and "buffers" in numbers
        if stated and level.double_buffered != (buffers > 1):
            what = f"{buffers} stands beside 'double_buffered: {str(level.double_buffered).lower()}'"
            self.evaluator.complain((*path, "buffers"), f"{what}; keep the line that is true of it")
        return buffers

    def _timing(self, timing: TimingSpec, path: YamlPath) -> DramTiming:
        """A DRAM's timing; a row holds a burst, and between two refreshes there is time to work."""
        numbers = self.evaluator.numbers(timing, path)
        found = DramTiming(
            channels=int(numbers["channels"]),
            burst_bits=numbers.get("burst", 0.0),
            row_bits=numbers.get("row", math.inf),
            row_miss_s=numbers.get("row_miss", 0.0),
            banks=int(numbers["banks"]),
            refresh_interval_s=numbers.get("refresh_interval", math.inf),
            refresh_time_s=numbers.get("refresh_time", 0.0),
        )
        if found.row_bits < found.burst_bits:
            what = f"a row of {found.row_bits / 8:g} B is smaller than a burst of {found.burst_bits / 8:g} B"
            self.evaluator.complain((*path, "row"), f"{what}; state what one channel has open of a bank")
        if found.refresh_time_s >= found.refresh_interval_s:
            what = f"{found.refresh_time_s:g} s of refresh every {found.refresh_interval_s:g} s leave no time to work"
            self.evaluator.complain((*path, "refresh_time"), f"{what}; keep it below refresh_interval")
        return found

    def _check_room(
        self, level: MemorySpec, numbers: Mapping[str, float], words: Mapping[Role, int], buffers: int, path: YamlPath
    ) -> None:
        """A memory must hold one word of every tensor it cannot leave out, as often as it is buffered.

        That is beside what is set aside for weights.
        """
        size_bits, aside = numbers["size"], numbers.get("resident_size")
        kept = [role for role in level.keeps if role not in level.may_bypass]
        needed = sum(words.get(role, self.operand_bits) for role in kept) * buffers
        if size_bits < needed:
            often = "twice as it is double-buffered" if buffers == 2 else f"{buffers} times as it is so often buffered"
            twice = f", {often}" if buffers > 1 else ""
            what = f"{size_bits:g} bits cannot hold one word of each tensor that '{level.name}' keeps{twice}"
            self.evaluator.complain((*path, "size"), f"{what}; make it at least {needed} bits")
        elif aside is not None and size_bits - aside < needed:
            what = f"{aside:g} of {size_bits:g} bits leave no room for the tiles of '{level.name}'"
            self.evaluator.complain((*path, "resident_size"), f"{what}; leave at least {needed} bits")

    def _memory_costs(self, level: MemorySpec, numbers: Mapping[str, float], path: YamlPath) -> Costs:
        """Of the component; a banked register file is so many small ones: area and leakage add up, an access is one's.

        What a dram's words cross on a ``link`` comes on top of the dram's energy.
        """
        actions = {"read_energy": "read", "write_energy": "write"}
        size, width, banks, name = numbers["size"], numbers["width"], numbers["banks"], level.name
        scale = self.pricer.scale(level, numbers)
        times = dict.fromkeys(actions, scale.values["energy_scale"])
        ports = {key: numbers[key] for key in ("ports",) if key in numbers}
        if level.component == "dram":
            kind = level.dram_kind or "lpddr4"
            found = self.pricer.price(name, numbers, actions, path, "dram", {"dram_kind": kind}, times=times)
            found = found if level.link is None else self._behind_link(found, level.link, numbers, path)
            return found.joined(scale)
        if level.link is not None:
            self.evaluator.complain((*path, "link"), f"'{name}' is on the chip; only a dram lies behind a link")
        if level.component == "sram":
            sram = {"size_bits": size, "width_bits": width, "banks": banks, **ports}
            return self.pricer.price(name, numbers, actions, path, "sram", sram, times=times).joined(scale)
        times |= {"leakage": banks, "area": banks}
        file = {"size_bits": size / banks, "width_bits": width, **ports}
        return self.pricer.price(name, numbers, actions, path, "register_file", file, times=times).joined(scale)

    def _behind_link(self, costs: Costs, link: str, numbers: Mapping[str, float], path: YamlPath) -> Costs:
        """A dram's costs and its link's; where an energy is stated, it is meant with the link."""
        open_keys = {key: "transfer" for key in ("read_energy", "write_energy") if key not in numbers}
        crossing = self.pricer.price("", {}, open_keys, (*path, "link"), "link", {"link_kind": link}, of=())
        return costs.plus(crossing)

    def _array(self, level: ArraySpec, numbers: dict[str, float], path: YamlPath, inner_mm2: float) -> Array:
        """A hop is as long as the side of one instance, taken as a square: words pass from neighbour to neighbour."""
        if level.link is not None and "hop_energy" in numbers:
            self.evaluator.complain((*path, "link"), "'hop_energy' is stated, too; keep one of the two")
        hop, here = {"hop_energy": "hop"}, (*path, "link")
        if level.link is None:
            length = math.sqrt(inner_mm2)
            costs = self.pricer.price(level.name, numbers, hop, path, "wire", {"length_mm": length}, of=())
        else:
            hop = {"hop_energy": "transfer"}
            costs = self.pricer.price(level.name, numbers, hop, here, "link", {"link_kind": level.link}, of=())
        if "area" in numbers:
            costs = costs.joined(self.pricer.price(level.name, numbers, {}, path, "", {}, of=("area",)))
        return Array(
            name=level.name,
            shape=tuple(self.evaluator.each(level.shape, "count", (*path, "shape")).items()),
            dims=FrozenDict({axis: frozenset(dims) for axis, dims in level.dims.items()}),
            multicast=frozenset(level.multicast),
            reduces=level.reduces,
            hop_energy_j_per_bit=costs["hop_energy"],
            area_mm2=costs["area"] if "area" in numbers else 0.0,
            bandwidth_bits_per_s=numbers.get("bandwidth", math.inf),
            lockstep=level.lockstep,
            origin=FrozenDict({"area": "not counted"} | costs.origin),
            figures=costs.figures,
        )

    def _compute(self, level: ComputeSpec, numbers: dict[str, float], path: YamlPath) -> Compute:
        number = number_format(level.number)
        operand = self._width(level, "operand", numbers, (*path, "operand"))
        self.operand_bits = int(operand)
        accumulator = numbers["accumulator"]
        if "accumulator" not in level.model_fields_set:
            accumulator = max(accumulator, number.bits)
        widths = {"operand_bits": operand, "weight_bits": operand, "accumulator_bits": accumulator}
        mac: dict[str, float | str] = {**widths, "number": number.name}
        costs = self.pricer.price(level.name, numbers, {"energy": "mac"}, path, "mac", mac)
        costs = costs.joined(self._clock(level, numbers, path))
        return Compute(
            name=level.name,
            operand_bits=int(operand),
            accumulator_bits=int(accumulator),
            number=level.number,
            pipeline_cycles=int(numbers["pipeline"]),
            gating=frozenset(level.gating),
            skipping=resolve_skipping(level.skipping, (*path, "skipping"), self.evaluator) if level.skipping else None,
            clock_energy_j=costs.values.get("clock_energy", 0.0),
            winograd=level.winograd,
            channel_extension=level.channel_extension,
            energy_j=costs["energy"],
            leakage_w=costs["leakage"],
            area_mm2=costs["area"],
            origin=costs.origin,
            figures=costs.figures,
        )

    def _width(self, level: ComputeSpec | VectorSpec, key: str, numbers: Mapping[str, float], path: YamlPath) -> float:
        """Width of a word, which a number format may decide."""
        stated = numbers[key] if key in level.model_fields_set else None
        try:
            return operand_width(level.number or "int", stated, numbers[key])
        except BadInput as error:
            self.evaluator.complain(path, str(error))
            return numbers[key]

    def _clock(self, level: ComputeSpec, numbers: Mapping[str, float], path: YamlPath) -> Costs:
        """The clock network: as stated, or of so many flip-flops, or not counted."""
        if "flip_flops" not in numbers and "clock_energy" not in numbers:
            return self.pricer.none
        if "flip_flops" in numbers and "clock_energy" in numbers:
            self.evaluator.complain((*path, "flip_flops"), "'clock_energy' is stated, too; keep one of the two")
        count, action = numbers.get("flip_flops", 0.0), {"clock_energy": "cycle"}
        return self.pricer.price(level.name, numbers, action, path, "clock", {"flip_flops": count}, of=())

    def _lane_format(self, level: VectorSpec, bits: float) -> str:
        """The lanes' own format, or the compute's; where that has another width, floating point of the lanes'."""
        if level.number is not None:
            return level.number
        own = number_format(self.number_format).bits
        return self.number_format if own in (0, bits) else "float"

    def _vector(self, level: VectorSpec, numbers: dict[str, float], path: YamlPath) -> Vector:
        """Area and leakage are those of all lanes: the unit is one instance."""
        lanes = numbers["lanes"] + numbers.get("fused_lanes", 0)
        inherits = level.number is None and "bits" not in level.model_fields_set
        bits = self._width(level, "bits", numbers, (*path, "bits"))
        bits = (number_format(self.number_format).bits or bits) if inherits else bits
        lane: dict[str, float | str] = {"bits": bits, "number": self._lane_format(level, bits)}
        times = {"leakage": lanes, "area": lanes}
        costs = self.pricer.price(level.name, numbers, {"energy": "op"}, path, "vector", lane, times=times)
        return Vector(
            name=level.name,
            lanes=int(numbers["lanes"]),
            fused_lanes=int(numbers.get("fused_lanes", 0)),
            fuses=frozenset(level.fuses),
            bits=int(bits),
            energy_j=costs["energy"],
            leakage_w=costs["leakage"],
            area_mm2=costs["area"],
            origin=costs.origin,
            figures=costs.figures,
        )


def _operands(stated: Mapping[Role, Sequence[Role]]) -> FrozenDict:
    return FrozenDict({role: frozenset(leaders) for role, leaders in stated.items() if leaders})
