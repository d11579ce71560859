"""What was fitted to measurements: few named constants of a spec, on stated rows, on record.

A constant's value stands in the accelerator's YAML as a parameter's default, where the model reads it. The file in
`configs/calibrations` says how it came about; a test holds the two equal.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ...document import load_document, shipped, validate
from ...errors import UnknownName

__all__ = ["Calibration", "Constant", "calibration_yaml", "load_calibration"]


class Constant(BaseModel):
    """A parameter of the accelerator that was fitted: its value as YAML writes it, and what it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    value: str | int | float
    meaning: str


class Calibration(BaseModel):
    """A fit: on which ``rows`` (a rule or a list) of which ``reference`` file, by which ``method``, how well.

    ``residual`` says how far the fitted model stays from the rows it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerators: list[str]
    constants: Annotated[list[Constant], Field(min_length=1)]
    reference: str
    rows: str
    row_count: Annotated[int, Field(gt=0)]
    method: str
    residual: str
    date: datetime.date

    def summary(self) -> dict[str, Any]:
        """The record as plain data."""
        return self.model_dump(mode="json")


@lru_cache(maxsize=64)
def load_calibration(name: str) -> Calibration:
    """A shipped record by name; raises `UnknownName` where there is none, `BadInput` for a wrong file."""
    files = shipped("calibrations")
    if name not in files:
        raise UnknownName("calibration", name, list(files))
    return read_calibration(files[name])


def read_calibration(path: Path) -> Calibration:
    """A record from a file; raises `BadInput` with file and line."""
    return validate(Calibration, load_document(path))


def calibration_yaml(calibration: Calibration) -> str:
    """The record as YAML, ready for `configs/calibrations`."""
    import yaml

    return yaml.safe_dump(
        calibration.model_dump(mode="python"), sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )
