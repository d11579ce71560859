"""NAS-Bench-201 on Coral's dev board: the latencies of HW-NAS-Bench beside the model."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ....accel.accelerator import Accelerator
from ....accel.spec import load_accelerator
from ....document import load_document, shipped, validate
from ....errors import BadInput
from ....mapper.estimate import Estimate
from ....models.load import load_network
from ....models.zoo.nasbench201 import NASBENCH201_EDGES, live_edges, parse_cell
from ..calibration import Calibration, Constant
from ..fitting import fit_times
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target
from .edge_tpu import on_edge_tpu

__all__ = ["ABOUT", "CALIBRATES", "TITLE", "Cells", "fit", "run"]

TITLE = "Edge TPU: the cells of NAS-Bench-201"
ABOUT = """\
HW-NAS-Bench (Li et al., ICLR 2021) measured the CIFAR-10 networks of NAS-Bench-201 on Coral's dev board. What decides
their latency is what the compiler leaves of a cell: edges that are on no path from its input to its output are gone
(cells that differ in nothing else take equally long), every operator has to be started, poolings and additions run on
few vector lanes, and narrow convolutions fill a quarter to all of the array's rows and columns. All tensors stay on the
chip. Networks that did not compile (-1) are left out.

Three constants (time of a call, time to start an operator, vector lanes) are fitted to 100 cells, the first hundred
that were at hand when half of the measurements was kept aside; they are judged on all others.
"""
_TABLE = "nasbench201/nasbench201.csv"
_COLUMNS = ("idx", "arch_str", "cifar10_edgetpu_latency_ms")
_BAR = "rank correlation of multiply-accumulates with these latencies: 0.24 to 0.31"


_SPREAD = (
    "Cells that differ only in edges that no output depends on stay within 1 % of each other on average, cells of the "
    "same operators in another arrangement within 3 %: what the arrangement changes is not modelled."
)


class _Cell(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    arch: str
    latency_ms: Annotated[float, Field(gt=0)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    stated: list[_Cell]
    fitted: list[int]


@lru_cache(maxsize=1)
def _record() -> _Record:
    return validate(_Record, load_document(shipped("validation")["nasbench201_edge"]))


@dataclass(frozen=True)
class _Row:
    index: int
    arch: str
    latency_ms: float


class Cells:
    """Estimates of cells on one accelerator; cells of the same operators share one.

    Operators run one after another and all tensors stay on the chip, so that which node an edge leads to does not
    matter: what is left of a cell is its live operators and the number of its sums.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self._known: dict[tuple[object, ...], Estimate] = {}

    def estimate(self, arch: str) -> Estimate:
        """The network of a cell, or of one with the same operators."""
        operations = parse_cell(arch)
        live = live_edges(operations)
        arriving = Counter(end for (_, end), on in zip(NASBENCH201_EDGES, live, strict=True) if on)
        sums = sum(count - 1 for count in arriving.values())
        key = (tuple(sorted(op for op, on in zip(operations, live, strict=True) if on and op != "skip_connect")), sums)
        if key in self._known:
            return self._known[key]
        found = on_edge_tpu(load_network(f"nasbench201:{arch}"), self.accelerator)
        plan = found.schedule.plan
        if plan is not None and plan.resident_share == 1.0 and plan.streamed_bits == 0.0:
            self._known[key] = found
        return found

    def latency_ms(self, arch: str) -> float:
        """Milliseconds of an inference."""
        return 1e3 * self.estimate(arch).latency_s


def run(reference: Reference) -> list[SuiteResult]:
    """All cells but those the constants were fitted to; without the table, those stated in the project."""
    cells, rows = Cells(load_accelerator("coral_devboard")), _rows(reference)
    if rows is None:
        cases = tuple(Case(cell.arch, cell.latency_ms, cells.latency_ms(cell.arch)) for cell in _record().stated)
        return [SuiteResult("nasbench201_edge", "latency", cases, _BAR, "ms", calibration="nasbench201_edge")]
    fitted = frozenset(_record().fitted)
    judged = [row for row in rows if row.index not in fitted]
    cases = tuple(Case(row.arch, row.latency_ms, cells.latency_ms(row.arch)) for row in judged)
    return [
        SuiteResult(
            "nasbench201_edge", "latency of cells not fitted", cases, _BAR, "ms", targets=(Target("spearman", 0.9),),
            calibration="nasbench201_edge",
            notes=(
                f"{len(rows) - len(judged)} cells were fitted. {_SPREAD}",
            ),
        )
    ]  # fmt: skip


def _rows(reference: Reference) -> list[_Row] | None:
    """The cells that compiled and whose latency is at hand, by index."""
    given = reference.table(_TABLE, _COLUMNS)
    if given is None:
        return None
    found = []
    for line, row in enumerate(given, 2):
        where = f"{_TABLE}:{line}"
        value, index = number(row, _COLUMNS[2], where), number(row, "idx", where)
        if value is not None and value > 0.0 and index is not None:
            found.append(_Row(int(index), row["arch_str"], value))
    return sorted(found, key=lambda row: row.index)


# ---- the constants ---------------------------------------------------------------------------------------------------

_START = {"call_overhead": 0.25e-3, "operator_overhead": 4e-6, "vector_cycles": 1 / 12}
_MEANING = {
    "call_overhead": "driver and link, for each inference",
    "operator_overhead": "time to start an operator",
    "vector_lanes": "scalar operations a cycle of what is no contraction",
}


def fit(reference: Reference) -> Calibration:
    """Call overhead, operator overhead and vector lanes of the dev board; raises `BadInput` where rows are absent."""
    wanted = frozenset(_record().fitted)
    rows = [row for row in _rows(reference) or () if row.index in wanted]
    if len(rows) < len(wanted):
        raise BadInput(f"the constants are fitted to {len(wanted)} rows of {_TABLE}, {len(rows)} are there; "
                       "give --reference")  # fmt: skip
    cells = Cells(load_accelerator("coral_devboard"))
    parts = [_parts(cells.estimate(row.arch)) for row in rows]

    def times(now: Mapping[str, float]) -> list[float]:
        clock = cells.accelerator.clock_hz
        return [
            1e3 * (part.array_s + now["call_overhead"] + part.operators * now["operator_overhead"]
                   + part.operations * now["vector_cycles"] / clock)
            for part in parts
        ]  # fmt: skip

    measured = [row.latency_ms for row in rows]
    found = fit_times(times, _START, measured)
    lanes = round(1.0 / found["vector_cycles"])
    texts: dict[str, str | int] = {
        "call_overhead": f"{1e3 * found['call_overhead']:.3g} ms",
        "operator_overhead": f"{1e6 * found['operator_overhead']:.3g} us",
        "vector_lanes": lanes,
    }
    rounded = Cells(cells.accelerator.with_parameters(**texts))
    errors = [abs(rounded.latency_ms(row.arch) / row.latency_ms - 1.0) for row in rows]
    return Calibration(
        accelerators=["coral_devboard"],
        constants=[Constant(name=name, value=value, meaning=_MEANING[name]) for name, value in texts.items()],
        reference=_TABLE,
        rows="the first 100 by idx that compiled and were at hand, listed in configs/validation/nasbench201_edge.yaml",
        row_count=len(rows),
        method="least sum of absolute relative errors (linear programme), rounded to three digits and to whole lanes",
        residual=f"mean absolute error {100.0 * sum(errors) / len(errors):.1f} %",
        date=datetime.date.today(),
    )


@dataclass(frozen=True)
class _Parts:
    """Time on the array and in memories, operators started, operations on the vector lanes of one inference."""

    array_s: float
    operators: int
    operations: float


def _parts(found: Estimate) -> _Parts:
    vector = found.accelerator.vector
    lanes = vector.lanes if vector else 1
    slow = [cost for cost in found.costs if cost.bound == "vector"]
    operations = sum(cost.cycles for cost in slow) * lanes
    return _Parts(found.latency_s - found.overhead_s - sum(cost.latency_s for cost in slow), found.started_layers,
                  operations)  # fmt: skip


CALIBRATES = {"nasbench201_edge": fit}
