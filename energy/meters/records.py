"""A `Measured` written to a JSON file and read again, so that a run of today is tested against one of last week."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import BadInput
from .measured import Idle, Measured, Run
from .meter import Part

__all__ = ["from_record", "read_measured", "to_record"]

KIND = "dovetail measurement 1"


def to_record(measured: Measured) -> dict[str, Any]:
    """All that was measured, as plain data that `from_record` understands."""
    return {"kind": KIND, **asdict(measured)}


def from_record(record: object, source: str) -> Measured:
    """The measurement in ``record``; raises `BadInput`, naming ``source``, where it is none or was damaged."""
    if not isinstance(record, Mapping) or record.get("kind") != KIND:
        raise BadInput(f"{source}: there is no measurement in it; give a file that dovetail measure --json wrote")
    try:
        parts = tuple(Part(**part) for part in record["parts"])
        names = {part.name for part in parts}
        runs = tuple(Run(_positive(one["measured_duration_s"]), _joules(one, names)) for one in record["runs"])
        idle = record["idle"] and Idle(
            tuple(_numbers(sample, names) for sample in record["idle"]["measured_samples_w"]),
            _positive(record["idle"]["sample_s"]),
        )
        if not runs or (idle and len(idle.measured_samples_w) < 2):
            raise ValueError("too few samples")
        return Measured(
            str(record["name"]),
            parts,
            runs,
            idle or None,
            int(record["warmup"]),
            int(record["calls"]),
            float(record["confidence"]),
            float(record["refresh_s"]),
            tuple(str(reason) for reason in record["missing"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{source}: the measurement in it is damaged ({error}); measure anew") from error


def read_measured(path: str | Path) -> Measured:
    """The measurement in a file of `dovetail measure --json`; raises `BadInput` where there is none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except ValueError as error:
        raise BadInput(f"{path}: no JSON ({error}); give a file that dovetail measure --json wrote") from error
    return from_record(data.get("record") if isinstance(data, Mapping) else None, str(path))


def _joules(run: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    return _numbers(run["measured_parts_j"], names)


def _numbers(values: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    if set(values) != names:
        raise ValueError(f"parts {', '.join(sorted(values))} in place of {', '.join(sorted(names))}")
    found = {name: float(value) for name, value in values.items()}
    if not all(math.isfinite(value) and value >= 0 for value in found.values()):
        raise ValueError("an energy is no number of at least 0")
    return found


def _positive(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{number} s is no duration")
    return number
