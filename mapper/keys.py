"""What names a question to a mapper: a digest of everything that decides the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingType
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..accel.accelerator import Accelerator
from ..models.op import Op
from .base import Limits, Mapper
from .constraints import Constraints
from .objective import Objective

__all__ = ["accelerator_text", "content_key", "engine_version", "plain", "request_text"]

_PACKAGE = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Digest of the programs that find and cost mappings: a change to any of them asks every question anew."""
    digest = hashlib.sha256()
    paths = [path for floor in ("accel", "mapper") for path in (_PACKAGE / floor).rglob("*.py")]
    for path in sorted(path for path in paths if "simulator" not in path.parts and path.stem != "simulation"):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def plain(value: Any) -> Any:
    """A JSON form of dataclasses and sets that is the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        # what no mapping depends on
        skipped = (
            "origin", "figures", "area_mm2", "may_reside", "weight_room_bits", "timing", "bandwidth_bits_per_s",
            "line_bits", "along",
        )  # fmt: skip
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name not in skipped}
    if isinstance(value, MappingType):
        return sorted([str(key), plain(item)] for key, item in value.items())
    if isinstance(value, frozenset | set):
        return sorted(plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def accelerator_text(accelerator: Accelerator) -> str:
    """What of an accelerator decides a mapping."""
    levels = [[type(level).__name__, plain(level)] for level in accelerator.levels]
    return json.dumps([accelerator.clock_hz, levels])


def request_text(constraints: Constraints, objective: Objective, mapper: type[Mapper], limits: Limits | None) -> str:
    """What is asked of an operator on an accelerator. ``limits`` None: for an answer that no limit would change."""
    mix = [objective.form, objective.energy, objective.latency]  # however it was written
    asked = [engine_version(), mapper.name, mapper.version, mix, plain(constraints), plain(limits)]
    return json.dumps(asked)


@lru_cache(maxsize=4096)
def _op_text(shape: tuple[object, ...]) -> str:
    return json.dumps(plain(shape))


def content_key(op: Op, accelerator_form: str, request: str) -> str:
    """Hexadecimal digest of an operator's shape, an `accelerator_text` and a `request_text`."""
    return hashlib.sha256(f"{_op_text(op.shape_key)}\n{accelerator_form}\n{request}".encode()).hexdigest()
