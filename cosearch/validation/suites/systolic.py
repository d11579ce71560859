"""Closed forms of systolic arrays beside SCALE-Sim 3's cycles, for its ResNet-18 or for products on record."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ....accel.systolic import Dataflow, Gemm, SystolicArray, convolution_output, scalesim_cycles
from ....document import load_document, shipped, validate
from ....errors import BadInput
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "run"]

TITLE = "Systolic arrays beside SCALE-Sim 3"
ABOUT = """\
SCALE-Sim 3.0.0 lists what each cycle reads and writes; Dovetail states the cycles of a fold in closed form. Compared
are the layers of its ResNet-18 on 32 × 32 elements with bandwidth not limiting, in the three dataflows, and single
matrix products on other arrays that the project states itself (`configs/validation/systolic.yaml`).

Every cycle is accounted for. A fold takes 2R + C + T − 2 cycles for T streamed words where weights or inputs stay
(R to load, R + C − 2 of skew), and R + C + T − 2 where outputs stay, as SCALE-Sim takes each result where it is
finished; an array that shifts them out takes R more. Partial folds cost as much as full ones. Its topology pads nothing
and rounds the output size up, so that a last window may reach beyond the input. It reports the number of the last cycle
counted from zero: one less than there are.
"""
_TABLE = "scalesim/resnet18_cycles.csv"
_FLOWS: dict[str, Dataflow] = {"ws": "weight_stationary", "os": "output_stationary", "is": "input_stationary"}
_SIDE = 32
_SHAPE = ("ifmap_h", "ifmap_w", "filter_h", "filter_w", "channels", "num_filter", "stride")
_BAR = "the same cycles: SCALE-Sim lists them one by one"

_Count = Annotated[int, Field(gt=0)]


class _Product(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: _Count
    columns: _Count
    m: _Count
    k: _Count
    n: _Count
    cycles: dict[Dataflow, _Count]


class _Products(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    products: Annotated[list[_Product], Field(min_length=1)]


def run(reference: Reference) -> list[SuiteResult]:
    """Cycles of each dataflow: the layers of the reference table where it is there, and the products on record."""
    layers = reference.table(_TABLE, ("layer", *_SHAPE, *(f"cycles_{_SIDE}x{_SIDE}_{flow}" for flow in _FLOWS)))
    return [
        SuiteResult(
            "systolic",
            f"cycles, {dataflow.replace('_', ' ')}",
            (*_layers(layers or [], flow), *_products(dataflow)),
            published_bar=_BAR,
            unit="cycles",
            targets=(Target("each_abs_error_pct", 0.0),),
        )
        for flow, dataflow in _FLOWS.items()
    ]


def _layers(rows: list[dict[str, str]], flow: str) -> list[Case]:
    """The layers of the table in one dataflow; blank cycles are left out."""
    array = SystolicArray(_SIDE, _SIDE, _FLOWS[flow])
    cases = []
    for line, row in enumerate(rows, start=2):
        published = number(row, f"cycles_{_SIDE}x{_SIDE}_{flow}", f"{_TABLE}:{line}")
        if published is not None:
            cases.append(Case(row["layer"], published, scalesim_cycles(array, _gemm(row, f"{_TABLE}:{line}"))))
    return cases


def _gemm(row: dict[str, str], where: str) -> Gemm:
    """A row of SCALE-Sim's topology as a matrix product; raises `BadInput` where a shape is missing."""
    shape = []
    for column in _SHAPE:
        value = number(row, column, where)
        if value is None:
            raise BadInput(f"{where}: {column} is blank; a layer needs its whole shape")
        shape.append(int(value))
    height, width, window_h, window_w, channels, filters, stride = shape
    pixels = convolution_output(height, window_h, stride) * convolution_output(width, window_w, stride)
    return Gemm(pixels, channels * window_h * window_w, filters)


def _products(dataflow: Dataflow) -> list[Case]:
    """The products on record that were run in this dataflow."""
    record = validate(_Products, load_document(shipped("validation")["systolic"]))
    return [
        Case(
            f"{one.m}x{one.k} by {one.k}x{one.n} on {one.rows}x{one.columns}",
            one.cycles[dataflow],
            scalesim_cycles(SystolicArray(one.rows, one.columns, dataflow), Gemm(one.m, one.k, one.n)),
            record.source,
        )
        for one in record.products
        if dataflow in one.cycles
    ]
