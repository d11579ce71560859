"""Remembered mappings: right or absent, never wrong, whatever happens to the file."""

from __future__ import annotations

import ast
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from plain_mapper import PlainMapper, everything_outside

import dovetail as dt
from dovetail.accel.accelerator import Array, DramTiming, Memory
from dovetail.mapper import cache, keys, search
from dovetail.mapper.base import UNLIMITED, Certificate, Limits
from dovetail.mapper.cache import MappingCache
from dovetail.mapper.constraints import Constraints
from dovetail.mapper.objective import Objective
from dovetail.models.op import linear
from dovetail.storage import cache_folder

OP = linear("fc", n=4, k=16, c=8)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def ask(folder: Path, **more: object) -> dt.MappingResult:
    return dt.best_mapping(OP, dt.load_accelerator("gemmini"), mapper="plain", cache=folder, **more)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the mapper is asked for."""
    monkeypatch.setattr(PlainMapper, "asked", [])
    return PlainMapper.asked


def some_mapping() -> dt.Mapping:
    return everything_outside(OP, dt.load_accelerator("gemmini"))


def entries(folder: Path) -> int:
    with sqlite3.connect(folder / "mappings.sqlite") as connection:
        return int(connection.execute("SELECT COUNT(*) FROM mapping").fetchone()[0])


def test_a_second_question_is_answered_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(tmp_path)
    monkeypatch.setattr(PlainMapper, "map", None)
    assert ask(tmp_path) == first


def test_the_key_covers_what_decides_the_answer_and_nothing_else() -> None:
    chip, edp = dt.load_accelerator("gemmini"), Objective.parse("edp")

    def key(op: dt.Op = OP, chip: dt.Accelerator = chip, constraints: Constraints | None = None, **more: object) -> str:
        asked = {"objective": edp, "limits": UNLIMITED} | more
        request = keys.request_text(constraints or Constraints(), asked["objective"], PlainMapper, asked["limits"])
        return keys.content_key(op, keys.accelerator_text(chip), request)

    assert key(linear("other name", n=4, k=16, c=8)) == key()
    assert key(objective=Objective.parse("energy*latency")) == key()
    others = [
        key(linear("fc", n=4, k=16, c=9)),
        key(chip=chip.with_parameters(bandwidth="8 GB/s")),
        key(constraints=Constraints(imperfect="none")),
        key(objective=Objective.parse("energy")),
        key(objective=Objective.parse("energy + latency")),
        key(limits=Limits(gap=0.1)),
        key(limits=None),
    ]
    assert len({key(), *others}) == len(others) + 1


def test_what_only_the_simulator_knows_names_no_other_question() -> None:
    chip = dt.load_accelerator("edge_tpu")
    slow = [
        replace(level, timing=DramTiming(row_miss_s=1e-6))
        if isinstance(level, Memory)
        else replace(level, bandwidth_bits_per_s=1e6)
        if isinstance(level, Array)
        else level
        for level in chip.levels
    ]
    assert keys.accelerator_text(replace(chip, levels=tuple(slow))) == keys.accelerator_text(chip)
    shared = [replace(level, fold=3) if isinstance(level, Memory) else level for level in chip.levels]
    assert keys.accelerator_text(replace(chip, levels=tuple(shared))) != keys.accelerator_text(chip)


def test_answers_of_another_engine_are_asked_again(
    tmp_path: Path, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(tmp_path)
    monkeypatch.setattr(keys, "engine_version", lambda: "another")
    ask(tmp_path)
    ask(tmp_path)
    assert len(asked) == 2


def test_an_answer_under_a_limit_answers_no_other_question(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    ask(tmp_path, limits=Limits(evaluations=500))
    ask(tmp_path, limits=Limits(evaluations=500))
    assert len(asked) == 1
    ask(tmp_path)
    assert len(asked) == 2


def test_a_proven_optimum_answers_whatever_the_limits(
    tmp_path: Path, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainMapper, "bound", 1.0)
    first = ask(tmp_path, limits=Limits(gap=0.5))
    assert ask(tmp_path) == ask(tmp_path, limits=Limits(seconds=1.0)) == first
    assert len(asked) == 1


def test_an_entry_that_no_longer_costs_what_its_certificate_says_is_asked_again(
    tmp_path: Path, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(tmp_path)
    original = MappingCache.get
    worse = {"mapping": first.mapping, "certificate": Certificate(first.certificate.optimum * 1.001, 0.0)}
    monkeypatch.setattr(
        MappingCache, "get", lambda self, wanted: {key: tuple(worse.values()) for key in original(self, wanted)}
    )
    assert ask(tmp_path).certificate.optimum == first.certificate.optimum
    assert len(asked) == 2


def test_an_entry_belongs_to_its_key(tmp_path: Path) -> None:
    store = MappingCache(tmp_path)
    store.put({"one": (some_mapping(), Certificate(1.0, 1.0)), "two": (some_mapping(), Certificate(2.0, 2.0))})
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE mapping SET body = (SELECT body FROM mapping WHERE key = 'one') WHERE key = 'two'")
    assert list(MappingCache(tmp_path).get(["one", "two"])) == ["one"]


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
        connection.execute("UPDATE mapping SET body = replace(body, 'dram', 'drum')")
    assert ask(tmp_path).cost == first.cost


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert ask(blocked).cost.energy_j > 0


def test_a_file_that_another_process_holds_is_done_without_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask(tmp_path)
    monkeypatch.setattr(cache, "_PATIENCE_S", 0.1)
    with closing(sqlite3.connect(tmp_path / "mappings.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        MappingCache(tmp_path).put({"k": (some_mapping(), Certificate(1.0, 1.0))})
    assert "Another process holds the file" in caplog.text


@pytest.mark.parametrize("damage", ["half the file", "half the log"])
def test_a_file_cut_in_half_while_its_log_is_there_costs_time_only(tmp_path: Path, damage: str) -> None:
    """The log (WAL) of a process that died is replayed by the next one: it must not spoil a new file."""
    open_file = MappingCache(tmp_path)._open()  # keeps the log from being folded into the file
    for k in range(60):
        MappingCache(tmp_path).put({f"{k}": (some_mapping(), Certificate(1.0, 1.0))})
        if k == 30:
            open_file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("mappings.sqlite*"):
        (copy / file.name).write_bytes(file.read_bytes())
    open_file.close()
    cut = copy / ("mappings.sqlite" if damage == "half the file" else "mappings.sqlite-wal")
    content = cut.read_bytes()
    assert len(content) > 8192
    cut.write_bytes(content[: len(content) // 2])
    found = MappingCache(copy).get(map(str, range(60)))
    assert all(entry == (some_mapping(), Certificate(1.0, 1.0)) for entry in found.values())
    MappingCache(copy).put({"new": (some_mapping(), Certificate(2.0, 2.0))})
    assert MappingCache(copy).get(["new"])["new"][1] == Certificate(2.0, 2.0)
    first = ask(copy)
    assert ask(copy) == first


def test_a_file_that_may_only_be_read_still_answers(
    tmp_path: Path,
    asked: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = ask(tmp_path)

    def refused(self: MappingCache) -> sqlite3.Connection:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(MappingCache, "_open", refused)
    assert ask(tmp_path) == first
    assert len(asked) == 1
    assert not caplog.records
    ask(tmp_path, objective="energy")
    assert ["readonly database" in record.message for record in caplog.records] == [True]


def test_a_full_disk_loses_only_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask(tmp_path)
    original = MappingCache._open

    def full(self: MappingCache) -> sqlite3.Connection:
        connection = original(self)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(MappingCache, "_open", full)
    ops = [linear("fc", n=n, k=16, c=8) for n in range(1, 41)]
    found = search.map_all(ops, dt.load_accelerator("gemmini"), mapper="plain", cache=tmp_path)
    alone = search.map_all(ops, dt.load_accelerator("gemmini"), mapper="plain", cache=False)
    assert [result.cost for result in found] == [result.cost for result in alone]
    assert [record.message.count("disk is full") for record in caplog.records] == [1]


FULL = """
import resource, sys
from pathlib import Path
import dovetail as dt
from dovetail.mapper.base import Certificate
from dovetail.mapper.cache import MappingCache
from plain_mapper import everything_outside
from dovetail.models.op import linear
entry = everything_outside(linear("fc", n=4, k=16, c=8), dt.load_accelerator("gemmini")), Certificate(1.0, 1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
for k in range(200):
    MappingCache(Path(sys.argv[1])).put({str(k): entry})
"""


def test_a_file_that_cannot_grow_keeps_what_it_has(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0
    assert "mappings are not remembered" in run.stderr
    kept = MappingCache(tmp_path).get(map(str, range(200)))
    assert 0 < len(kept) < 200
    assert set(kept.values()) == {(some_mapping(), Certificate(1.0, 1.0))}


WRITER = """
import sys
from pathlib import Path
import dovetail as dt
from dovetail.mapper.base import Certificate
from dovetail.mapper.cache import MappingCache
from plain_mapper import everything_outside
from dovetail.models.op import linear
op, chip = linear("fc", n=2, k=2, c=2), dt.load_accelerator("gemmini")
for k in range(200):
    MappingCache(Path(sys.argv[1])).put({f"{sys.argv[2]}-{k}": (everything_outside(op, chip), Certificate(1.0, 1.0))})
"""


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], env=ENVIRONMENT)
        for name in ("one", "two")
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    assert entries(tmp_path) == 400
    assert len(MappingCache(tmp_path).get(f"{name}-{k}" for name in ("one", "two") for k in range(200))) == 400


ESTIMATOR = """
import sys
from pathlib import Path
import dovetail as dt
import plain_mapper
from dovetail.mapper.search import map_all
from dovetail.models.op import linear
ops = [linear("fc", n=n, k=16, c=8) for n in range(1, 31)][:: int(sys.argv[2])]
chip = dt.load_accelerator("gemmini")
found = map_all(ops, chip, mapper="plain", cache=Path(sys.argv[1]))
sys.stdout.write(repr([(op.bounds["N"], result.cost.edp) for op, result in zip(ops, found)]))
"""


def test_two_processes_that_ask_the_same_questions_at_once_get_the_same_answers(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", ESTIMATOR, str(tmp_path), order], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )
        for order in ("1", "-1")
    ]
    forwards, backwards = ([*ast.literal_eval(worker.communicate(timeout=120)[0])] for worker in workers)
    assert [worker.returncode for worker in workers] == [0, 0]
    assert forwards == backwards[::-1]
    assert entries(tmp_path) == 30


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
