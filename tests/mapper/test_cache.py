"""Remembered mappings: right or absent, never wrong, whatever happens to the file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail as dt
from dovetail.mapper.cache import MappingCache, accelerator_text, content_key
from dovetail.mapper.local import LocalMapper
from dovetail.models.op import linear
from dovetail.storage import cache_folder

OP = linear("fc", n=4, k=16, c=8)


def ask(folder: Path) -> dt.MappingResult:
    return dt.best_mapping(OP, dt.load_accelerator("gemmini"), cache=folder)


def entries(folder: Path) -> int:
    with sqlite3.connect(folder / "mappings.sqlite") as connection:
        return int(connection.execute("SELECT COUNT(*) FROM mapping").fetchone()[0])


def test_a_second_question_is_answered_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(tmp_path)
    monkeypatch.setattr(LocalMapper, "map", None)
    assert ask(tmp_path) == first


def test_the_key_covers_what_decides_the_answer_and_nothing_else() -> None:
    chip = dt.load_accelerator("gemmini")
    form = accelerator_text(chip)
    key = content_key(OP, form, "edp", LocalMapper)
    assert content_key(linear("other name", n=4, k=16, c=8), form, "edp", LocalMapper) == key
    assert content_key(OP, form, "energy", LocalMapper) != key
    assert content_key(linear("fc", n=4, k=16, c=9), form, "edp", LocalMapper) != key
    assert content_key(OP, accelerator_text(chip.with_parameters(bandwidth="8 GB/s")), "edp", LocalMapper) != key


@pytest.mark.parametrize("damage", ["half", "noise", "empty"])
def test_a_damaged_file_costs_time_only(tmp_path: Path, damage: str) -> None:
    first = ask(tmp_path)
    file = tmp_path / "mappings.sqlite"
    for extra in tmp_path.glob("mappings.sqlite-*"):
        extra.unlink()
    content = file.read_bytes()
    file.write_bytes({"half": content[: len(content) // 2], "noise": b"\x07" * 5000, "empty": b""}[damage])
    assert ask(tmp_path).cost == first.cost
    ask(tmp_path)  # starts a new file where the old one was set aside
    assert ask(tmp_path).mapping == first.mapping


def test_a_damaged_entry_is_asked_again(tmp_path: Path) -> None:
    first = ask(tmp_path)
    with sqlite3.connect(tmp_path / "mappings.sqlite") as connection:
        connection.execute("UPDATE mapping SET body = replace(body, '16', '61')")
    assert ask(tmp_path).cost == first.cost


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert ask(blocked).cost.energy_j > 0


def test_a_full_disk_loses_only_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MappingCache, "_open", lambda self: _Full())
    assert ask(tmp_path).cost.energy_j > 0


class _Full:
    def execute(self, *args: object) -> _Full:
        return self

    def fetchone(self) -> None:
        return None

    def executemany(self, *args: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def close(self) -> None:
        return None


WRITER = """
import sys
from pathlib import Path
import dovetail as dt
from dovetail.mapper.cache import MappingCache
from dovetail.mapper.local import LocalMapper, everything_outside
from dovetail.mapper.base import Certificate
from dovetail.models.op import linear
op, chip = linear("fc", n=2, k=2, c=2), dt.load_accelerator("gemmini")
for k in range(200):
    MappingCache(Path(sys.argv[1])).put({f"{sys.argv[2]}-{k}": (everything_outside(op, chip), Certificate(1.0, 1.0))})
"""


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in ("one", "two")]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    assert entries(tmp_path) == 400


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
