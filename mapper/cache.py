"""Mappings remembered on disk, keyed by content: operator, accelerator, constraints, objective, mapper and engine.

Only mappings and their certificates are stored, never costs: what is read back is evaluated afresh, so that a stale or
damaged entry can not make a wrong number. SQLite keeps the file whole under several processes and torn writes, and
every entry carries a digest of itself and its key. Where the file cannot be used, the mapper simply works without it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingType
from contextlib import closing, contextmanager
from dataclasses import astuple
from itertools import islice
from pathlib import Path

from ..accel.mapping import LevelMapping, Loop, Mapping
from ..models.op import ROLES
from .base import Certificate

__all__ = ["Entry", "MappingCache"]

_FILE = "mappings.sqlite"
_PATIENCE_S = 10.0  # how long another process may hold the file
_AT_ONCE = 500  # keys in one query
_log = logging.getLogger("dovetail")

Entry = tuple[Mapping, Certificate]


class MappingCache:
    """A file of mappings; ``folder`` None: nothing is remembered.

    No method raises where the file or the disk fails: what cannot be read is asked again, what cannot be written is
    not remembered, which is logged once per object.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / _FILE if folder else None
        self._refused: Exception | None = None  # why nothing can be written
        self._told = False

    def get(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The remembered mappings among ``keys``."""
        found: dict[str, Entry] = {}
        left = iter(dict.fromkeys(keys))
        try:
            if self.path is None or not self.path.exists():
                return found
            with self._reading() as connection:
                while some := list(islice(left, _AT_ONCE)):
                    marks = ",".join("?" * len(some))
                    rows = connection.execute(f"SELECT key, body FROM mapping WHERE key IN ({marks})", some)
                    found.update({key: entry for key, body in rows if (entry := _read(key, body))})
        except (sqlite3.DatabaseError, OSError) as error:
            if self._refused is None:
                self._set_aside(error)
        return found

    def put(self, entries: MappingType[str, Entry]) -> None:
        """Remember mappings in one transaction; a full disk or a locked file loses nothing but the memory."""
        if not entries or self.path is None:
            return
        rows = [(key, _write(key, *entry)) for key, entry in entries.items()]
        for attempt in range(3 if self._refused is None else 0):
            try:
                with closing(self._open()) as connection, connection:
                    connection.executemany("INSERT OR REPLACE INTO mapping VALUES (?, ?)", rows)
                return
            except (sqlite3.DatabaseError, OSError) as error:
                if attempt == 2 or not self._set_aside(error):  # else once more, on a new file
                    self._refused = error
                    break
        if not self._told:
            self._told = True
            held = "locked" in str(self._refused)
            remedy = "Another process holds the file: wait for it" if held else "Make room"
            what = "mappings are not remembered: %s: %s; results are complete. %s, or name another folder in %s"
            _log.warning(what, self.path, self._refused, remedy, "DOVETAIL_CACHE")

    def _open(self) -> sqlite3.Connection:
        """The file for writing, created where it is missing.

        SQLite does not wait where two processes turn a new file's log on at once, so this does.
        """
        path = self._path
        path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            connection = sqlite3.connect(path, timeout=_PATIENCE_S)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute("CREATE TABLE IF NOT EXISTS mapping (key TEXT PRIMARY KEY, body TEXT NOT NULL)")
                return connection
            except sqlite3.DatabaseError as error:
                connection.close()
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The file for reading; one that this user may not write is read as it lies there."""
        try:
            connection = self._open()
        except sqlite3.OperationalError as error:
            self._refused = error
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True)
        with closing(connection):
            yield connection

    @property
    def _path(self) -> Path:
        if self.path is None:
            raise FileNotFoundError("no folder for remembered mappings")
        return self.path

    def _set_aside(self, error: Exception) -> bool:
        """Move a file that is no database, or a damaged one, out of the way; whether a new one can take its place.

        The log goes first: a new file must not replay the old one's. Where another process was quicker, nothing moves.
        """
        path = self._path
        if type(error) is not sqlite3.DatabaseError:  # what SQLite raises for damage alone
            return False
        if _is_whole(path):
            return True
        try:
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.replace(path.with_suffix(".damaged"))
        except OSError:
            return not path.exists()
        return True


def _is_whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _digest(key: str, body: str) -> str:
    return hashlib.sha256(f"{key} {body}".encode()).hexdigest()[:16]


def _write(key: str, mapping: Mapping, certificate: Certificate) -> str:
    levels = [
        [level.level, [[loop.dim, loop.bound, loop.axis] for loop in level.loops], sorted(level.bypass)]
        for level in mapping.levels
    ]
    body = json.dumps([levels, astuple(certificate)])
    return json.dumps([_digest(key, body), body])


def _read(key: str, text: str) -> Entry | None:
    """The entry, or None where it is damaged or belongs to another key."""
    try:
        digest, body = json.loads(text)
        if _digest(key, body) != digest:
            return None
        levels, proof = json.loads(body)
        mapped = tuple(
            LevelMapping(name, tuple(Loop(*loop) for loop in loops), frozenset(r for r in ROLES if r in skipped))
            for name, loops, skipped in levels
        )
        return Mapping(mapped), Certificate(*proof)
    except (ValueError, TypeError, AttributeError):
        return None
