"""The first TPU's six applications: achieved TOPS and what the matrix unit waits for, beside the measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ....accel.spec import load_accelerator
from ....document import load_document, shipped, validate
from ....errors import BadInput
from ....mapper.constraint_file import load_constraints
from ....mapper.estimate import Estimate, estimate
from ....models.network import Layer, Network
from ....models.op import Op, VectorOp, conv2d, linear
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "Application", "Prediction", "applications", "matrix_time_s", "network", "predict", "run"]

TITLE = "TPU v1: applications in the datacentre"
ABOUT = """\
Jouppi et al. (ISCA 2017) measured six production applications on the first TPU. The model runs them on `tpu_v1` with
nothing fitted: 34 GB/s of weights, whole tiles of 256 × 256 in the matrix unit, activations in the unified buffer,
inputs and outputs over PCIe.

The applications are built from what is published: numbers of layers, weights, batch, operations per byte of weights.
Widths are not. Layers of one kind are therefore equal and square; LSTM1 consists of the 600 × 600 matrices that the
paper names. A filter is 3 × 3 (assumed) and its output has as many pixels as the operations per byte ask for; where an
application has fully connected layers behind convolutions, each kind holds half of the weights (assumed). Weights fill
whole columns of the matrix unit, and whole rows in fully connected layers, with zeros where a matrix ends, as the
weight memory holds whole tiles. LSTMs run with 16-bit activations at half speed (inferred: their useful operations in
Table 3 are twice their TOPS); such an activation enters the array as two 8-bit rows.
"""
_TABLE = "tpu_v1/tpuv1_isca17.csv"
_COLUMNS = ("app", "tops_measured", "array_active_pct", "weight_stall_pct", "weight_shift_pct")
_SIDE = 256
_FILTER = 3
_DENSE_SHARE = 0.5
_VECTOR_OPERATIONS = 4  # a sigmoid or tanh, as in the network builder
_WEIGHT_MEMORIES = ("dram", "weight_fifo")
_BAR = "Google's own model against hardware counters: 5.4 to 10.9 % of the cycles (Table 7)"
_BAR_PCT = 7.7  # the mean of its four MLPs and LSTMs

_Count = Annotated[int, Field(gt=0)]
_Maybe = Annotated[int, Field(ge=0)]


class Application(BaseModel):
    """What is published of one application; ``matrix`` is the side of its weight matrices where that is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    fully_connected: _Maybe = 0
    convolutions: _Maybe = 0
    vectors: _Maybe = 0
    pools: _Maybe = 0
    weights: _Count
    batch: _Count
    ops_per_weight_byte: _Count | None = None
    input_bits: _Count = 8
    matrix: _Count | None = None
    tops: Annotated[float, Field(gt=0)]


class _Time(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    elements: _Count
    us: Annotated[float, Field(gt=0)]


class _MatrixTimes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    application: str
    times: Annotated[list[_Time], Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    matrix_times: _MatrixTimes
    applications: Annotated[list[Application], Field(min_length=1)]


@dataclass(frozen=True)
class Prediction:
    """Achieved operations per second in units of 10¹², and shares of the cycles in percent.

    ``active_pct``: inputs move through the matrix unit; ``weights_pct``: it waits for weights to arrive or to shift in.
    """

    tops: float
    active_pct: float
    weights_pct: float


def applications() -> list[Application]:
    """The six applications on record."""
    return _record().applications


def _record() -> _Record:
    return validate(_Record, load_document(shipped("validation")["tpu_v1"]))


# ---- the applications as networks ------------------------------------------------------------------------------------


def network(app: Application, *, tile: int = _SIDE) -> tuple[Network, int]:
    """The application by the rules of `ABOUT`, and its multiply-accumulates without the zeros that fill up tiles."""
    dense = app.weights if not app.convolutions else app.weights * _DENSE_SHARE if app.fully_connected else 0.0
    layers, macs = _convolutions(app, app.weights - dense, tile)
    if app.fully_connected:
        more, dense_macs = _dense(app, dense, layers[-1].op.name if layers else None, tile)
        layers, macs = layers + more, macs + dense_macs
    return Network(app.name, tuple(layers)), macs


def _dense(app: Application, weights: float, before: str | None, tile: int) -> tuple[list[Layer], int]:
    """Equal square layers, or as many matrices of the published size as hold the weights; vectors spread among them."""
    side = app.matrix or round(math.sqrt(weights / app.fully_connected))
    count = round(weights / side**2) if app.matrix else app.fully_connected
    rows, width = app.batch * math.ceil(app.input_bits / 8), _whole(side, tile)
    layers: list[Layer] = []
    inputs = (before,) if before else ()
    for index in range(count):
        op = linear(f"fc{index}", n=rows, k=width, c=width, bias=False)
        layers.append(Layer(op, inputs))
        for extra in range(_spread(app.vectors, count, index)):
            layers.append(Layer(_vector(f"fc{index}.vector{extra}", app, side), (layers[-1].op.name,)))
        inputs = (layers[-1].op.name,)
    return layers, count * side**2 * app.batch


def _convolutions(app: Application, weights: float, tile: int) -> tuple[list[Layer], int]:
    """Equal layers with as many input as output channels; pools spread among them, without changing the size."""
    if not app.convolutions:
        return [], 0
    if app.ops_per_weight_byte is None:
        raise BadInput(f"{app.name}: convolutions need ops_per_weight_byte; it says how many pixels there are")
    dense = app.weights - weights
    pixels = (app.ops_per_weight_byte * app.weights - app.batch * dense) / weights / app.batch
    height = round(math.sqrt(pixels))
    width = round(pixels / height)
    channels = round(math.sqrt(weights / app.convolutions) / _FILTER)
    layers: list[Layer] = []
    for index in range(app.convolutions):
        op = conv2d(
            f"conv{index}", n=app.batch, k=_whole(channels, tile), c=channels, p=height, q=width,
            r=_FILTER, s=_FILTER, bias=False,
        )  # fmt: skip
        layers.append(Layer(op, (layers[-1].op.name,) if layers else ()))
        for extra in range(_spread(app.pools, app.convolutions, index)):
            pool = _vector(f"conv{index}.pool{extra}", app, height * width * channels)
            layers.append(Layer(pool, (layers[-1].op.name,)))
    macs = app.convolutions * app.batch * height * width * (channels * _FILTER) ** 2
    return layers, macs


def _vector(name: str, app: Application, words: int) -> VectorOp:
    total = app.batch * words
    return VectorOp(name, "vector", _VECTOR_OPERATIONS * total, total, total, app.input_bits)


def _whole(size: int, tile: int) -> int:
    return -(-size // tile) * tile


def _spread(things: int, places: int, at: int) -> int:
    """How many of ``things`` fall to place ``at`` when they are spread evenly."""
    return things * (at + 1) // places - things * at // places


# ---- the prediction --------------------------------------------------------------------------------------------------


def predict(app: Application) -> Prediction:
    """What the model says of an application; mapped for latency with whole tiles of weights in the matrix unit."""
    described, macs = network(app)
    found = _mapped(described, _SIDE)
    return Prediction(2e-12 * macs / found.latency_s, *_shares(found))


def matrix_time_s(app: Application, elements: int) -> float:
    """Seconds for one weight matrix of the application on ``elements`` x ``elements`` multipliers, its inputs there."""
    described, _ = network(app, tile=elements)
    middle = len(described.contractions) // 2  # neither from the host nor to it
    found = _mapped(described, elements)
    at = found.network.ops.index(described.contractions[middle])
    return found.costs[at].latency_s


def _mapped(described: Network, side: int) -> Estimate:
    """The application on an array of ``side`` x ``side``, tiles of as many weights, mapped for latency."""
    chip = load_accelerator("tpu_v1").with_parameters(pes_x=side, pes_y=side)
    stated = load_constraints("tpu_v1_weight_stationary")
    levels = {
        name: replace(
            level,
            axes={axis: replace(one, factors=dict.fromkeys(one.factors, side)) for axis, one in level.axes.items()},
        )
        for name, level in stated.levels.items()
    }
    whole = replace(stated, levels=levels)
    return estimate(described, chip, objective="latency", constraints=whole, cache=False)


def _shares(found: Estimate) -> tuple[float, float]:
    """Percent of the cycles in which the matrix unit works, and in which it waits for weights."""
    active = waiting = 0.0
    for op, cost in zip(found.network.ops, found.costs, strict=True):
        if isinstance(op, Op):
            active += cost.compute_cycles
            waiting += cost.cycles - cost.compute_cycles if cost.bound in _WEIGHT_MEMORIES else 0.0
    return 100.0 * active / found.cycles, 100.0 * waiting / found.cycles


# ---- the comparison --------------------------------------------------------------------------------------------------


def run(reference: Reference) -> list[SuiteResult]:
    """TOPS of all applications; where the reference table is there, also what the matrix unit does and waits for."""
    known = {app.name: app for app in applications()}
    rows = reference.table(_TABLE, _COLUMNS)
    for line, row in enumerate(rows or [], start=2):
        if row["app"] not in known:
            raise BadInput(f"{_TABLE}:{line}: no application '{row['app']}'; described are {', '.join(known)}")
    predicted = {name: predict(app) for name, app in known.items()}
    if rows is None:
        tops = {name: app.tops for name, app in known.items()}
        return [*_tops_results({name: Case(name, tops[name], predicted[name].tops) for name in tops}), _matrix_result()]
    numbers = {
        row["app"]: {column: number(row, column, f"{_TABLE}:{line}") for column in _COLUMNS[1:]}
        for line, row in enumerate(rows, start=2)
    }
    cases = {
        name: Case(name, value, predicted[name].tops)
        for name, row in numbers.items()
        if (value := row["tops_measured"]) is not None
    }
    return [*_tops_results(cases), _matrix_result(), *_share_results(numbers, predicted)]


def _tops_results(cases: dict[str, Case]) -> list[SuiteResult]:
    """One result for the applications that wait for weights, with the target, and one for the convolutions."""
    streaming = [case for name, case in cases.items() if not name.startswith("CNN")]
    others = [case for name, case in cases.items() if name.startswith("CNN")]
    found = []
    if streaming:
        found.append(
            _result(
                "achieved operations, MLPs and LSTMs", streaming, "TOPS", _BAR_PCT, (_LSTM1_NOTE, _MLP1_NOTE),
                (Target("each_abs_error_pct", 15.0),),
            )
        )  # fmt: skip
    if others:
        found.append(_result("achieved operations, CNNs", others, "TOPS", None, (_CNN_NOTE,)))
    return found


def _matrix_result() -> SuiteResult:
    """The paper's own times for one matrix, which it derives from the weight memory's bandwidth."""
    stated, known = _record().matrix_times, {app.name: app for app in applications()}
    app = known[stated.application]
    cases = [
        Case(
            f"{app.matrix} x {app.matrix} on {one.elements} x {one.elements}",
            one.us,
            1e6 * matrix_time_s(app, one.elements),
        )
        for one in stated.times
    ]
    return _result(f"time of one matrix of {app.name}", cases, "us", None, ())


def _share_results(numbers: dict[str, dict[str, float | None]], predicted: dict[str, Prediction]) -> list[SuiteResult]:
    """Shares of the cycles; those measured as zero cannot be compared in percent and are left out."""
    active, waiting = [], []
    for name, row in numbers.items():
        if row["array_active_pct"]:
            active.append(Case(name, row["array_active_pct"], predicted[name].active_pct))
        stall, shift = row["weight_stall_pct"], row["weight_shift_pct"]
        if stall is not None and shift is not None and stall + shift > 0.0:
            waiting.append(Case(name, stall + shift, predicted[name].weights_pct))
    found = []
    if active:
        found.append(_result("matrix unit active", active, "% of cycles", None, (_SHARE_NOTE,)))
    if waiting:
        found.append(_result("matrix unit waits for weights", waiting, "% of cycles", None, (_SHARE_NOTE,)))
    return found


def _result(
    quantity: str, cases: list[Case], unit: str, bar_pct: float | None, notes: tuple[str, ...],
    targets: tuple[Target, ...] = (),
) -> SuiteResult:  # fmt: skip
    kind: dict[str, Any] = {"unit": unit, "published_pct": bar_pct, "notes": notes, "targets": targets}
    return SuiteResult("tpu_v1", quantity, tuple(cases), published_bar=_BAR, **kind)


_LSTM1_NOTE = (
    "LSTM1: the paper gives one of its 600 x 600 matrices 18 us, which is 3.8 TOPS with a batch of 96, and the model "
    "agrees with the 18 us; the application is measured at 2.8. The paper's counters side with the former: a tile "
    "takes at most 256 cycles to shift in and shifting takes 17.1 % of the cycles, so that a tile takes at most 1,497 "
    "cycles, and with 60 % of the multipliers useful that is 3.5 TOPS or more. The paper says that its TOPS come from "
    "production code and its other rows from counters, and that they are not perfectly consistent."
)
_MLP1_NOTE = (
    "MLP1: four equal square layers of 5 million weights are 1,118 wide and fill 76 % of their tiles; the paper's "
    "counters say 89 %, and at 76 % the measured TOPS would need 38 GB/s. Its layers are of another shape."
)
_CNN_NOTE = (
    "The widths decide, and none is published. CNN0: equal layers are 236 channels wide and fill 85 % of the tiles, "
    "where the counters see no unused multiplier; with 256 channels the model gives 74.7 TOPS. CNN1: with 10, 25, 50, "
    "75 and 90 % of the weights in the fully connected layers the model gives 43, 35, 23, 37 and 9 TOPS."
)
_SHARE_NOTE = (
    "The counters leave 10 to 32 % of the cycles to neither; the paper cannot explain all of them (pipeline hazards "
    "and waiting for inputs are two reasons). The model fetches weights all the time, so that its shares add up to "
    "nearly 100 %."
)
