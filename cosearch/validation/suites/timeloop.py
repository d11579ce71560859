"""Timeloop and Accelergy: eight nests' counts, and two thousand mappings of Gemmini-like arrays, cycles and energy."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ....accel.accelerator import Accelerator, Array, Compute, Memory
from ....accel.analytic import evaluate
from ....accel.mapping import LevelMapping, Loop, Mapping
from ....accel.mapping_text import parse_mapping
from ....accel.nest import Nest
from ....accel.spec import load_accelerator
from ....accel.traffic import Traffic
from ....errors import BadInput, DovetailError
from ....models.op import ROLES, Op, conv2d
from ..calibration import Calibration, Constant
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "CALIBRATES", "TITLE", "fit_areas", "fixed_nest", "row_op", "run", "timeloop_cycles"]

TITLE = "Timeloop and Accelergy"
ABOUT = """\
Eight fixed nests (Eyeriss-like, weight stationary, three levels) are compared by the words that every level reads, is
filled with and is updated with. Two thousand mappings of Gemmini-like arrays from 2 × 2 to 128 × 128, given as text,
are evaluated on `gemmini_timeloop`, the accelerator with the sizes and component energies of those results.

*cycles* is Timeloop's own rule on Dovetail's counts: the slowest of the compute steps and each memory's reads, fills
and updates over its bandwidth. *latency* is Dovetail's, which also waits for the first tiles and the last outputs, and
counts the read of every partial sum that leaves the accumulator, which Timeloop leaves out. Nothing is fitted, apart
from the areas of three components.
"""
_RESULTS = "timeloop_gemmini/timeloop_results.csv"
_COUNTS = "timeloop_counts/cases.json"
_SIZES = ("arch.meshX", "arch.mem2_entries", "arch.mem1_entries")
_DIMS = "NKCPQRS"
_TARGETS = ("target.cycle", "target.energy", "target.area")
_COLUMNS = (
    "mapping.mapping", *_SIZES, *_TARGETS, *(f"prob.{dim}" for dim in _DIMS), "prob.Wstride", "prob.Hstride",
)  # fmt: skip
_COUNTED = {"reads": "reads_per_instance", "fills": "fills_per_instance", "updates": "updates_per_instance"}


def run(reference: Reference) -> list[SuiteResult]:
    """Counts of the fixed nests; cycles, latency, energy and area of the mappings."""
    results = []
    nests = reference.json(_COUNTS)
    if nests is not None:
        results.append(_counts(nests))
    rows = reference.table(_RESULTS, _COLUMNS)
    if rows is not None:
        results.extend(_mappings(rows))
    return results


# -- the fixed nests -------------------------------------------------------------------------------------------------


def fixed_nest(case: dict[str, Any]) -> Traffic:
    """The traffic of one of the fixed nests: loops outer to inner by level, ``spatial_below`` the fan-out below it."""
    dims: dict[str, int] = case["dims"]
    levels: list[Memory | Array] = []
    mapped: list[LevelMapping] = []
    n, k, c, p, q, r, s = (dims[dim] for dim in _DIMS)
    op = conv2d("nest", n=n, k=k, c=c, p=p, q=q, r=r, s=s, stride=(case["stride"][0], case["stride"][1]))
    for index, level in enumerate(case["levels_outermost_first"]):
        keeps = frozenset(level["keeps"]) if index else frozenset(ROLES)
        levels.append(Memory(level["name"], keeps))
        mapped.append(LevelMapping(level["name"], tuple(Loop(dim, bound) for dim, bound in level["temporal"])))
        if level["spatial_below"]:
            array, loops = f"{level['name']} array", level["spatial_below"]
            levels.append(Array(array, (("x", 1 << 20),)))
            mapped.append(LevelMapping(array, tuple(Loop(dim, bound, "x") for dim, bound in loops)))
    accelerator = Accelerator("timeloop", 1e9, 45.0, (*levels, Compute("mac")))
    return Traffic(Nest(op, accelerator, Mapping(tuple(mapped))))


def _counts(nests: dict[str, Any]) -> SuiteResult:
    cases = tuple(case for name, nest in nests.items() for case in _count_cases(name, nest))
    return SuiteResult(
        "timeloop",
        "counts",
        cases,
        "an exact count is possible",
        unit="words",
        targets=(Target("each_abs_error_pct", 1.0),),
        notes=(
            "All but one are equal. conv_16pe_halo's input differs by three corners of 2 × 2 × 16 words: Timeloop "
            "credits overlap only along the innermost loop that changes, Dovetail keeps every word that is there.",
        ),
    )


def _count_cases(name: str, nest: dict[str, Any]) -> Iterator[Case]:
    """Every count that is not zero, of all instances; a zero that the model does not share is an error."""
    traffic = fixed_nest(nest)
    places = [level.name for level in traffic.nest.places]
    for level, tensors in nest["counts"].items():
        for role, published in tensors.items():
            modelled = traffic.counts[places.index(level), role]
            for kind, column in _COUNTED.items():
                theirs, ours = published[column] * published["instances"], getattr(modelled, kind)
                if theirs:
                    yield Case(f"{name}: {level} {role} {kind}", float(theirs), float(ours))
                elif ours:
                    raise BadInput(f"{name}: {level} {role} {kind} is zero in the reference and {ours} in the model")


# -- the mappings of Gemmini -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Modelled:
    """What one row comes to: cycles by Timeloop's rule and Dovetail's latency, energy in µJ, area in mm²."""

    cycles: float
    latency: float
    energy_uj: float
    area_mm2: float


def _mappings(rows: list[dict[str, str]]) -> list[SuiteResult]:
    pairs = [(f"line {line}", row, _evaluate(row, f"{_RESULTS}:{line}")) for line, row in enumerate(rows, 2)]
    published = "an exact model is possible"

    def cases(column: str, attribute: str) -> tuple[Case, ...]:
        found = []
        for name, row, modelled in pairs:
            theirs = number(row, column, f"{_RESULTS}, {name}")
            if theirs is not None:
                found.append(Case(name, theirs, getattr(modelled, attribute), row["mapping.mapping"]))
        return tuple(found)

    return [
        SuiteResult(
            "timeloop", "cycles", cases("target.cycle", "cycles"), published, unit="cycles",
            targets=_CYCLE_TARGETS, notes=_CYCLE_NOTES,
        ),
        SuiteResult(
            "timeloop", "latency", cases("target.cycle", "latency"), published, unit="cycles",
            targets=_CYCLE_TARGETS, notes=_LATENCY_NOTES,
        ),
        SuiteResult(
            "timeloop", "energy", cases("target.energy", "energy_uj"), published, unit="uJ",
            targets=(Target("median_abs_error_pct", 5.0),), notes=_ENERGY_NOTES,
        ),
        SuiteResult(
            "timeloop", "area", cases("target.area", "area_mm2"), published, unit="mm2",
            calibration="gemmini_timeloop_area", notes=_AREA_NOTES,
        ),
    ]  # fmt: skip


_CYCLE_TARGETS = (Target("median_abs_error_pct", 2.0), Target("p90_abs_error_pct", 10.0))
_CYCLE_NOTES = (
    "The largest errors are strided 1 × 1 convolutions: Timeloop moves the positions between the strides too, which no "
    "multiplier reads (line 176: its input tile is 55 × 3 positions instead of 28 × 2, which makes up the difference).",
    "Sums that come back after a spill: Timeloop counts a read for each of them that starts at zero as well (+5 %).",
)
_LATENCY_NOTES = (
    "A sixth of the mappings spill partial sums so often that reading them out of the accumulator decides. Timeloop "
    "counts no such read, and its cycles are up to a third lower: without those reads (and the first tiles and last "
    "outputs) the same counts give the row above.",
)
_ENERGY_NOTES = (
    "Component energies are those of the published DOSA code, affine in the memory's size; Accelergy's own figures "
    "come from CACTI and differ by a few percent. The largest errors are halos, as for the cycles.",
)
_AREA_NOTES = ("CACTI's area is not linear in the size; a fit of three areas leaves its steps.",)


@lru_cache(maxsize=256)
def _accelerator(pes: int, scratchpad_words: int, accumulator_words: int) -> Accelerator:
    return load_accelerator("gemmini_timeloop").with_parameters(
        pes=pes, scratchpad=f"{scratchpad_words} B", accumulator=f"{4 * accumulator_words} B"
    )


def row_op(row: dict[str, str], where: str) -> Op:
    """The convolution of a row of the Gemmini files, from its ``prob.*`` columns."""
    n, k, c, p, q, r, s = (_whole(row, f"prob.{dim}", where) for dim in _DIMS)
    stride = _whole(row, "prob.Wstride", where), _whole(row, "prob.Hstride", where)
    return conv2d(where, n=n, k=k, c=c, p=p, q=q, r=r, s=s, stride=stride)


def _whole(row: dict[str, str], column: str, where: str) -> int:
    value = number(row, column, where)
    if value is None or value < 1 or value != int(value):
        raise BadInput(f"{where}: {column} is '{row[column]}'; a whole number of at least 1 is needed")
    return int(value)


def _evaluate(row: dict[str, str], where: str) -> _Modelled:
    accelerator = _accelerator(*(_whole(row, column, where) for column in _SIZES))
    op = row_op(row, where)
    try:
        mapping = parse_mapping(row["mapping.mapping"], accelerator)
        cost = evaluate(op, accelerator, mapping)
    except DovetailError as error:
        raise BadInput(f"{where}: {error}; check the reference folder") from error
    cycles = timeloop_cycles(Traffic(Nest(op, accelerator, mapping)), accelerator)
    return _Modelled(cycles, cost.cycles, cost.energy_j * 1e6, accelerator.area_mm2)


def timeloop_cycles(traffic: Traffic, accelerator: Accelerator) -> float:
    """Cycles by Timeloop's rule: the slowest of the steps and each memory's reads, fills and updates.

    Nothing waits for first tiles or last outputs, and partial sums leave a memory without being read (Parashar et al.,
    "Timeloop", ISPASS 2019, and the counts of the fixed nests). Words are as wide as the memory says, or 8 bits.
    """
    slowest, nest = float(traffic.steps), traffic.nest
    for place, memory in enumerate(nest.places):
        if not isinstance(memory, Memory):
            continue
        bits = 0.0
        for role in ROLES:
            count = traffic.counts[place, role]
            bits += (count.reads + count.fills + count.updates) * memory.bits(role, nest.op.tensor(role).bits)
        used = 1
        for loop in nest.spatial_above(place):
            used *= loop.bound
        slowest = max(slowest, bits / (memory.read_bandwidth_bits_per_s / accelerator.clock_hz * used))
    return slowest


# -- the areas -------------------------------------------------------------------------------------------------------


def fit_areas(reference: Reference) -> Calibration:
    """Areas of a multiplier and of a KiB of either memory that give Accelergy's areas.

    Non-negative least squares of the relative errors, over every second of the distinct sizes in the order of the file.
    Raises `BadInput` where the rows are absent.
    """
    import numpy as np
    from scipy.optimize import nnls

    rows = reference.table(_RESULTS, _COLUMNS)
    if rows is None:
        raise BadInput(f"areas are fitted to {_RESULTS}; give --reference")
    found: dict[tuple[int, ...], float] = {}
    for line, row in enumerate(rows, 2):
        where = f"{_RESULTS}:{line}"
        area = number(row, "target.area", where)
        if area is not None:
            found.setdefault(tuple(_whole(row, column, where) for column in _SIZES), area)
    chosen = list(found.items())[::2]
    parts = np.array([[pes**2, words / 1024, pes * 4 * sums / 1024] for (pes, words, sums), _ in chosen])
    areas = np.array([area for _, area in chosen])
    fitted, _ = nnls(parts / areas[:, None], np.ones_like(areas))
    errors = np.abs(parts @ fitted / areas - 1.0)
    meanings = {
        "pe_area": "a multiplier and its register",
        "scratchpad_area": "a KiB of scratchpad",
        "accumulator_area": "a KiB of accumulator",
    }
    return Calibration(
        accelerators=["gemmini_timeloop"],
        constants=[
            Constant(name=name, value=f"{value:.4g} mm2", meaning=f"area of {meaning}")
            for (name, meaning), value in zip(meanings.items(), fitted, strict=True)
        ],
        reference=_RESULTS,
        rows="every second of the distinct sizes (pes, scratchpad, accumulator), in the order of the file",
        row_count=len(chosen),
        method="non-negative least squares of the relative errors",
        residual=f"mean absolute error {100.0 * float(errors.mean()):.1f} %",
        date=datetime.date.today(),
    )


CALIBRATES = {"gemmini_timeloop_area": fit_areas}
