"""Published training throughput of GPUs and TPUs beside `estimate_training`."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ....document import load_document, shipped, validate
from ....mapper.training import TrainingEstimate, estimate_training
from ....models.load import load_network
from ..reference import Reference
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "estimate_row", "rows", "run"]

TITLE = "Training on GPUs and TPUs"
ABOUT = """\
Samples per second that NVIDIA, Google and MLPerf publish for training ResNet-50, BERT-large and GPT-2 on A100, H100 and
TPU v4, beside `estimate_training` with the same batch, precision, optimiser and number of devices. Specifications,
links and operators come from publications; no constant is fitted to any of these rows.
"""
_BAR = "at its peak rate an A100 would train ResNet-50 3.7 times as fast as MLPerf's best"
_NOTES = (
    "MLPerf's submissions are tuned by the vendors for these very networks; the rows of frameworks are what public "
    "training scripts reach. The same A100s run the same network at 3,400 images/s in the one and 2,078 in the other "
    "(8 devices): that part of the difference is software, of which the model knows nothing but a kernel's start.",
    "On the TPU v4 the model is slow where its compiler is not: it fuses norms and activation functions with the "
    "products before them, here they are passes over the memory of their own.",
)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    network: str
    options: dict[str, Any] = {}
    accelerator: str
    recipe: str
    devices: int = 1
    batch: int | None = None
    micro_batches: int | None = None
    precision: str | None = None
    optimizer: str | None = None
    per_s: Annotated[float, Field(gt=0)]
    source: str
    note: str = ""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[_Row]


@lru_cache(maxsize=1)
def rows() -> tuple[_Row, ...]:
    """The published rows that the project states."""
    return tuple(validate(_Record, load_document(shipped("validation")["training"])).rows)


def estimate_row(row: _Row, mapper: str = "annealing") -> TrainingEstimate:
    """The training of one row."""
    network = load_network(row.network, **row.options)
    return estimate_training(
        network,
        row.accelerator,
        recipe=row.recipe,
        devices=row.devices,
        batch=row.batch,
        micro_batches=row.micro_batches,
        precision=row.precision,
        optimizer=row.optimizer,
        mapper=mapper,
    )


def run(reference: Reference) -> list[SuiteResult]:
    """Throughput of vendors' tuned submissions, and of public training scripts; all figures are stated here."""
    cases = [
        Case(row.name, row.per_s, estimate_row(row).samples_per_s, "; ".join(filter(None, (row.source, row.note))))
        for row in rows()
    ]
    tuned = tuple(case for case in cases if "MLPerf" in case.name)
    scripts = tuple(case for case in cases if "MLPerf" not in case.name)
    return [
        SuiteResult("training", "throughput, MLPerf", tuned, _BAR, "samples/s",
                    targets=(Target("each_abs_error_pct", 30.0),), notes=_NOTES),
        SuiteResult("training", "throughput, frameworks", scripts, _BAR, "samples/s", notes=_NOTES),
    ]  # fmt: skip
