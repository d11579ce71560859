"""Traces keep the format's rules however many slices they may have; the check finds what breaks them."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nests import random_case
from timelines import network, random_log, timeline

from dovetail.accel.simulator.operators import simulate_operator
from dovetail.accel.simulator.plan import plan_tiles
from dovetail.accel.simulator.recorder import Log, Slice, count, expanded
from dovetail.accel.simulator.timeline import Timeline
from dovetail.accel.simulator.trace import check_trace
from dovetail.errors import BadInput


def tracks_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Complete events by "process thread"."""
    events = json.loads(path.read_text())["traceEvents"]
    process = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    thread = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = defaultdict(list)
    for e in events:
        if e["ph"] == "X":
            found[f"{process[e['pid']]} / {thread[e['pid'], e['tid']]}"].append(e)
    return found


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("most", [1, 7, 60, 100_000])
def test_every_trace_keeps_the_rules_of_the_format(tmp_path: Path, seed: int, most: int) -> None:
    line = timeline(random_log(seed), clock_hz=0.7e9)
    file = line.to_chrome_trace(tmp_path / "t.json", most)
    assert check_trace(file.path) == []
    found = tracks_of(file.path)
    assert sum(map(len, found.values())) == file.slices <= most + 2 * file.tracks


@pytest.mark.parametrize("seed", range(10))
def test_repeats_are_played_out_where_there_is_room(tmp_path: Path, seed: int) -> None:
    log = random_log(seed)
    file = timeline(log).to_chrome_trace(tmp_path / "t.json")
    wanted = defaultdict(list)
    for one in expanded(log):
        if one.end - one.start > 1e-6:
            wanted[f"resources / {one.track}"].append((one.start * 1e-3, (one.end - one.start) * 1e-3))
    found = {name: [(e["ts"], e["dur"]) for e in events] for name, events in tracks_of(file.path).items()}
    assert found.keys() == wanted.keys()
    for track, slices in wanted.items():
        for mine, theirs in zip(found[track], slices, strict=True):
            assert mine == pytest.approx(theirs, abs=2e-6)
    assert (file.hidden, file.copies, file.note) == (0, None, "")


@pytest.mark.parametrize("most", [30, 400])
def test_work_is_conserved_where_repeats_are_not_played_out(tmp_path: Path, most: int) -> None:
    log, runs = network(5, 1000)
    line = timeline(log, runs)
    file = line.to_chrome_trace(tmp_path / "t.json", most)
    assert file.hidden > 0
    assert "repeated stretches" in file.note
    assert json.loads(file.path.read_text())["otherData"]["note"] == file.note
    found = tracks_of(file.path)
    for share in line.shares:
        busy = stall = 0.0
        for event in found[f"resources / {share.track}"]:
            whole = event["cat"] in ("repeat", "merged")
            busy += event["dur"] * (event["args"]["busy_share"] if whole else event["cat"] != "stall")
            stall += event["dur"] * (event["args"]["stall_share"] if whole else event["cat"] == "stall")
        assert busy * 1e3 == pytest.approx(share.busy, rel=1e-4)
        assert stall * 1e3 == pytest.approx(share.stall, rel=1e-4)


def test_a_stretch_that_is_not_played_out_says_how_often_it_recurs(tmp_path: Path) -> None:
    log, runs = network(1, 1000)
    file = timeline(log, runs).to_chrome_trace(tmp_path / "t.json", 30)
    repeat = next(e for e in tracks_of(file.path)["resources / dram"] if e["cat"] == "repeat")
    left = 999 - file.copies
    assert repeat["name"] == f"layer0.conv {left} × 100 cycles"
    assert repeat["args"]["slices"] == left
    assert repeat["args"]["busy_share"] == pytest.approx(0.4, rel=0.01)


def test_billions_of_slices_take_no_longer_than_a_few(tmp_path: Path) -> None:
    log, runs = network(3, 10**9)
    line = timeline(log, runs)
    assert count(log) > 6 * 10**9
    file = line.to_chrome_trace(tmp_path / "t.json", 1000)
    assert check_trace(file.path) == []
    assert 500 < file.slices <= 1000


def test_operators_have_a_track_of_their_own_with_their_figures(tmp_path: Path) -> None:
    log, runs = network(3, 10)
    timeline(log, runs).to_chrome_trace(tmp_path / "t.json")
    events = tracks_of(tmp_path / "t.json")["toy on toy_chip / operators"]
    assert [e["name"] for e in events] == [run.name for run in runs]
    assert events[1]["args"]["analytic_cycles"] == 1000
    assert events[1]["args"]["stall: weight from dram"] == 375


def test_slices_say_operator_tile_and_cause(tmp_path: Path) -> None:
    log, runs = network(1, 3)
    timeline(log, runs).to_chrome_trace(tmp_path / "t.json")
    stall, step = tracks_of(tmp_path / "t.json")["resources / mac"][:2]
    assert stall["args"] == {"operator": "layer0.conv", "tile": "waits", "cause": "weight from dram"}
    assert (stall["cat"], stall["cname"], step["name"]) == ("stall", "grey", "layer0.conv step")


def test_each_core_is_a_process_and_each_resource_a_thread(tmp_path: Path) -> None:
    first, runs = network(2, 5, core=0)
    second, more = network(2, 5, core=1)
    log: Log = [*first, *(s for s in expanded(second)), Slice("host", 0.0, 4.0, "call", "overhead", "")]
    file = timeline(log, [*runs, *more]).to_chrome_trace(tmp_path / "t.json")
    assert check_trace(file.path) == []
    names = {"core 0 / dram", "core 0 / mac", "core 1 / dram", "core 1 / mac", "resources / host"}
    assert set(tracks_of(file.path)) - names == {"toy on toy_chip / operators", "toy on toy_chip / operators 2"}


def test_neighbours_do_not_overlap_after_an_hour(tmp_path: Path) -> None:
    ends = [3.6e12 + number / 3 for number in range(200)]
    log: Log = [Slice("mac", start, end, "step", "compute", "a") for start, end in pairwise(ends)]
    timeline(log, clock_hz=0.3e9).to_chrome_trace(tmp_path / "t.json")
    assert check_trace(tmp_path / "t.json") == []


@pytest.mark.parametrize("seed", range(25))
def test_what_the_simulator_logs_is_a_sound_trace(tmp_path: Path, seed: int) -> None:
    result = simulate_operator(plan_tiles(*random_case(seed)))
    line = timeline(result.log)
    assert line.cycles <= result.cycles
    stalls = {cause: cycles for share in line.shares for cause, cycles in share.causes.items()}
    assert stalls == pytest.approx(result.stalls)
    file = line.to_chrome_trace(tmp_path / "t.json", 300)
    assert check_trace(file.path) == []


def test_an_empty_run_is_a_sound_trace(tmp_path: Path) -> None:
    empty = Timeline("none", "toy_chip", 1e9, 0.0, 0.0, [], (), (), {}, {})
    assert empty.to_chrome_trace(tmp_path / "t.json").slices == 0
    assert check_trace(tmp_path / "t.json") == []


def test_a_trace_that_cannot_be_written_is_bad_input_and_leaves_nothing(tmp_path: Path) -> None:
    line = timeline(random_log(1))
    with pytest.raises(BadInput, match="give a file in a folder"):
        line.to_chrome_trace(tmp_path / "missing" / "t.json")
    with pytest.raises(BadInput, match="cannot write the trace"):
        line.to_chrome_trace(tmp_path)
    with pytest.raises(BadInput, match="max_slices"):
        line.to_chrome_trace(tmp_path / "t.json", 0)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob("*.part"))


def test_a_broken_write_leaves_the_old_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")
    monkeypatch.setattr("dovetail.accel.simulator.trace._merged", lambda events, many: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        timeline(random_log(2)).to_chrome_trace(path, 1)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["t.json"]


NAMES = [
    {"ph": "M", "pid": 1, "tid": 2, "name": "process_name", "args": {"name": "chip"}},
    {"ph": "M", "pid": 1, "tid": 2, "name": "thread_name", "args": {"name": "mac"}},
]


def step(ts: Any, dur: Any, **more: Any) -> dict[str, Any]:
    return {"ph": "X", "pid": 1, "tid": 2, "ts": ts, "dur": dur, "name": "step", **more}


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        ([*NAMES, step(0, 1), step(1, 1)], ""),
        ([*NAMES, step(0, 1 + 1e-7), step(1, 1)], ""),
        ([*NAMES, step(0, 1.5), step(1, 1)], "overlap: 'step' at 1 us in thread 2 of process 1 begins before"),
        ([*NAMES, step(0, 5), step(6, 1), step(6.5, 1)], "overlap: 'step' at 6.5 us"),
        ([*NAMES, step(1, 1), step(0, 1)], "order: 'step' at 0 us"),
        ([*NAMES, step(0, 5), step(1, 1), step(3, 1)], "overlap: 'step' at 1 us"),
        ([*NAMES, step(0, -1)], "event: 2 has no 'dur' of 0 or more"),
        ([*NAMES, step("0", 1)], "event: 2 has no 'ts' of 0 or more"),
        ([*NAMES, step(True, 1)], "event: 2 has no 'ts' of 0 or more"),
        ([*NAMES, {"ph": "X", "pid": 1, "ts": 0, "dur": 1, "name": "step"}], "event: 2 has no 'tid'"),
        ([*NAMES, {"pid": 1, "tid": 2, "ts": 0, "dur": 1, "name": "step"}], "event: 2 has no 'ph'"),
        ([*NAMES, step(0, 1, name=3)], "event: 2 has no 'name'"),
        ([*NAMES, 7], "event: 2 is no object"),
        ([NAMES[0], step(0, 1)], "name: thread 2 of process 1 has none"),
        ([NAMES[1], step(0, 1)], "name: process 1 has none"),
        ([*NAMES, {**NAMES[1], "tid": 3}], "track: 2 threads of process 1 are named 'mac'"),
        ([*NAMES, {**NAMES[1], "args": {"name": "sfu"}}], "name: process 1, thread 2 has two: 'mac' and 'sfu'"),
        ([*NAMES, {**NAMES[1], "args": {}}], "name: a thread_name of process 1, thread 2 without a name"),
    ],
)
def test_the_check_finds_the_broken_rule(tmp_path: Path, events: list[Any], broken: str) -> None:
    path = tmp_path / "t.json"
    for document in (events, {"traceEvents": events}):
        path.write_text(json.dumps(document))
        found = check_trace(path)
        assert (not found) if not broken else found[0].startswith(broken)
        assert len(found) <= 2


def test_the_check_stops_telling_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([*NAMES, *(step(0, 1) for _ in range(50))]))
    assert check_trace(path)[-1] == "overlap: 29 more"


@pytest.mark.parametrize(("text", "what"), [("{", "not JSON"), ("{}", "no list"), ('{"traceEvents": 3}', "no list")])
def test_what_is_no_trace_is_told(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "t.json").write_text(text)
    assert what in check_trace(tmp_path / "t.json")[0]


def test_a_trace_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read the trace"):
        check_trace(tmp_path / "t.json")
    (tmp_path / "t.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="it is no text"):
        check_trace(tmp_path / "t.json")
