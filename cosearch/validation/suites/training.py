"""Published training throughput of GPUs and TPUs beside `estimate_training`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
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
    "training scripts reach. The same eight A100s train the same network at 27,198 images/s in the one and at 16,621 "
    "in the other: that part of the difference is software, of which the model knows nothing but a kernel's start.",
    "On the TPU v4 the model is slow where its compiler is not: it fuses norms and activation functions with the "
    "products before them, here they are passes over the memory of their own.",
    "Power: no such mean is published of GPUs in training. Fetching and scheduling instructions is not modelled, so "
    "that theirs should be taken as low.",
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


class _Power(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    accelerator: str
    mean_w: Annotated[float, Field(gt=0)]
    source: str


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[_Row]
    powers: list[_Power]


@lru_cache(maxsize=1)
def _record() -> _Record:
    return validate(_Record, load_document(shipped("validation")["training"]))


def rows() -> tuple[_Row, ...]:
    """The published rows that the project states."""
    return tuple(_record().rows)


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
    found = {row.name: estimate_row(row) for row in rows()}
    cases = [
        Case(row.name, row.per_s, found[row.name].samples_per_s, "; ".join(filter(None, (row.source, row.note))))
        for row in rows()
    ]
    tuned = tuple(case for case in cases if "MLPerf" in case.name)
    scripts = tuple(case for case in cases if "MLPerf" not in case.name)
    return [
        SuiteResult("training", "throughput, MLPerf", tuned, _BAR, "samples/s",
                    targets=(Target("each_abs_error_pct", 30.0),), notes=_NOTES),
        SuiteResult("training", "throughput, frameworks", scripts, _BAR, "samples/s", notes=_NOTES),
        SuiteResult("training", "power", _powers(found), "none is known", "W", notes=_NOTES),
    ]  # fmt: skip


def _powers(found: Mapping[str, TrainingEstimate]) -> tuple[Case, ...]:
    """Mean power of a device over the rows of an accelerator whose maker publishes such a mean."""
    cases = []
    for mean in _record().powers:
        own = [run.power_w for run in found.values() if run.accelerator.name == mean.accelerator]
        cases.append(Case(mean.name, mean.mean_w, statistics.fmean(own), mean.source))
    return tuple(cases)
