"""Mappings remembered on disk, keyed by content: operator, accelerator, objective, mapper and their versions.

Only mappings are stored, never costs: what is read back is evaluated afresh, so that a stale or damaged entry can
not make a wrong number. SQLite keeps the file whole under several processes and torn writes; where the file cannot be
used at all, the mapper simply works without it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping as MappingType
from contextlib import closing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..accel.accelerator import Accelerator
from ..accel.mapping import LevelMapping, Loop, Mapping
from ..models.op import ROLES, Op
from .base import Certificate, Limits, Mapper
from .constraints import Constraints
from .objective import Objective

__all__ = ["MappingCache", "accelerator_text", "content_key"]

MODEL_VERSION = 2
_FILE = "mappings.sqlite"


def _plain(value: Any) -> Any:
    """A JSON form of dataclasses and sets that is the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        skipped = ("origin", "area_mm2")  # what no mapping depends on
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in skipped}
    if isinstance(value, MappingType):
        return sorted([str(key), _plain(item)] for key, item in value.items())
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def accelerator_text(accelerator: Accelerator) -> str:
    """What of an accelerator decides a mapping."""
    levels = [[type(level).__name__, _plain(level)] for level in accelerator.levels]
    return json.dumps([accelerator.clock_hz, levels])


def content_key(
    op: Op, accelerator_form: str, constraints: Constraints, objective: Objective, mapper: type[Mapper], limits: Limits
) -> str:
    """Hexadecimal digest of everything that decides the answer."""
    question = [_plain(part) for part in (op.shape_key, constraints, objective, limits)]
    asked = [MODEL_VERSION, mapper.name, mapper.version, *question]
    return hashlib.sha256(f"{json.dumps(asked)}{accelerator_form}".encode()).hexdigest()


class MappingCache:
    """A file of mappings; ``folder`` None: nothing is remembered."""

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / _FILE if folder else None

    def _open(self) -> sqlite3.Connection | None:
        if self.path is None:
            return None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=10.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS mapping (key TEXT PRIMARY KEY, body TEXT NOT NULL)")
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return None
        except OSError:
            return None
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Move a file that is no database out of the way; the next run starts a new one."""
        if self.path is None or isinstance(error, sqlite3.OperationalError):
            return
        try:
            self.path.replace(self.path.with_suffix(".damaged"))
        except OSError:
            self.path = None

    def get(self, keys: list[str]) -> dict[str, tuple[Mapping, Certificate]]:
        """The remembered mappings among ``keys``."""
        connection = self._open()
        if connection is None:
            return {}
        found: dict[str, tuple[Mapping, Certificate]] = {}
        with closing(connection):
            for key in keys:
                try:
                    row = connection.execute("SELECT body FROM mapping WHERE key = ?", (key,)).fetchone()
                except sqlite3.DatabaseError as error:
                    self._set_aside(error)
                    return found
                entry = _read(row[0]) if row else None
                if entry:
                    found[key] = entry
        return found

    def put(self, entries: MappingType[str, tuple[Mapping, Certificate]]) -> None:
        """Remember mappings; a full disk or a locked file loses nothing but the memory."""
        connection = self._open() if entries else None
        if connection is None:
            return
        rows = [(key, _write(*entry)) for key, entry in entries.items()]
        with closing(connection):
            try:
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO mapping VALUES (?, ?)", rows)
            except sqlite3.DatabaseError as error:
                self._set_aside(error)


def _write(mapping: Mapping, certificate: Certificate) -> str:
    levels = [
        [level.level, [[loop.dim, loop.bound, loop.axis] for loop in level.loops], sorted(level.bypass)]
        for level in mapping.levels
    ]
    proof = [
        certificate.optimum,
        certificate.lower_bound,
        certificate.evaluated,
        certificate.pruned,
        certificate.seconds,
    ]
    body = json.dumps([levels, proof])
    return json.dumps([hashlib.sha256(body.encode()).hexdigest()[:16], body])


def _read(text: str) -> tuple[Mapping, Certificate] | None:
    """The entry, or None where it is damaged."""
    try:
        digest, body = json.loads(text)
        if hashlib.sha256(body.encode()).hexdigest()[:16] != digest:
            return None
        levels, proof = json.loads(body)
        mapped = tuple(
            LevelMapping(name, tuple(Loop(*loop) for loop in loops), frozenset(r for r in ROLES if r in skipped))
            for name, loops, skipped in levels
        )
        return Mapping(mapped), Certificate(*proof)
    except (ValueError, TypeError, AttributeError):
        return None
