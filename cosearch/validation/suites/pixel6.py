"""MobileNetEdgeTPU and its successors on the Edge TPU of the Pixel 6."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ....accel.spec import load_accelerator
from ....document import load_document, shipped, validate
from ....mapper.constraint_file import load_constraints
from ....mapper.estimate import estimate
from ....models.load import load_network
from ....models.network import Network
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "latency_ms", "run"]

TITLE = "Edge TPU: the Pixel 6"
ABOUT = """\
TensorFlow's model garden gives the latency of nine classifiers on the Edge TPU of the Pixel 6 (int8, 224 × 224). The
model runs them on `pixel6`, which has published figures only: nothing is calibrated, no time of a call is known, and
that the phone has the class of Edge TPU described in the literature is an inference. What is asked is therefore the
order of the nine, which is what a search for networks needs; the times are shown beside it.
"""
_TABLE = "edge_tpu/pixel6_latency_ms.csv"
_COLUMNS = ("model", "pixel6_edgetpu_latency_ms")
_BAR = "the order by multiply-accumulates is the measured one, too"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    network: str
    options: dict[str, Any] = {}
    latency_ms: Annotated[float, Field(gt=0)] | None = None


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    table: list[_Row]


@lru_cache(maxsize=1)
def _record() -> _Record:
    return validate(_Record, load_document(shipped("validation")["pixel6"]))


def latency_ms(network: Network) -> float:
    """Milliseconds of an inference on `pixel6`, mapped for latency with sums that stay in the registers."""
    constraints = load_constraints("pixel6_output_stationary")
    return 1e3 * estimate(network, load_accelerator("pixel6"), objective="latency", constraints=constraints).latency_s


def run(reference: Reference) -> list[SuiteResult]:
    """The order of the networks; without the table, of those whose latency the project states itself."""
    cases = [
        Case(row.model, value, latency_ms(load_network(row.network, **row.options)))
        for row, value in _measured(reference)
    ]
    return [
        SuiteResult("pixel6", "latency", tuple(cases), _BAR, "ms", targets=(Target("spearman", 1.0),), notes=_NOTES)
    ]


_NOTES = (
    "The times are predictions of the chip alone: the measurements include calls, drivers and clocks below nominal.",
)


def _measured(reference: Reference) -> list[tuple[_Row, float]]:
    rows = _record().table
    given = reference.table(_TABLE, _COLUMNS)
    if given is None:
        return [(row, row.latency_ms) for row in rows if row.latency_ms is not None]
    known, found = {row.model: row for row in rows}, []
    for line, row in enumerate(given, 2):
        where = f"{_TABLE}:{line}"
        value = number(row, _COLUMNS[1], where)
        if value is not None and row["model"] in known:  # a network that the zoo lacks is left out
            found.append((known[row["model"]], value))
    return found
