"""A timeline adds up or is refused, blames the right resource, and its tables say what it holds."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from timelines import network, random_log, timeline

from dovetail.accel.simulator.recorder import Log, Repeat, Slice, count, expanded
from dovetail.accel.simulator.stretch import stretches
from dovetail.accel.simulator.timeline import OperatorRun, ResourceShare, Timeline
from dovetail.errors import BadInput, ImpossibleResult

EMPTY = Timeline("none", "toy_chip", 1e9, 0.0, 0.0, [], (), (), {}, {})


def toy(layers: int = 4, steps: int = 10) -> Timeline:
    log, runs = network(layers, steps)
    return timeline(log, runs)


@pytest.mark.parametrize("seed", range(20))
def test_totals_of_a_log_are_those_of_its_slices_played_out(seed: int) -> None:
    log = random_log(seed)
    extents = stretches(log).extents
    played: dict[str, list[Slice]] = {}
    for one in expanded(log):
        played.setdefault(one.track, []).append(one)
    assert set(extents) == set(played)
    assert sum(extent.slices for extent in extents.values()) == count(log)
    for track, slices in played.items():
        work = math.fsum(one.end - one.start for one in slices if not one.cause)
        waits = math.fsum(one.end - one.start for one in slices if one.cause)
        assert extents[track].slices == len(slices)
        assert extents[track].busy == pytest.approx(work)
        assert extents[track].stall == pytest.approx(waits)
        assert extents[track].start == min(one.start for one in slices)
        assert extents[track].end == pytest.approx(max(one.end for one in slices))
        assert all(one.end <= other.start + 1e-9 for one, other in pairwise(slices))


def test_slices_that_overlap_on_a_track_are_an_impossible_result() -> None:
    log: Log = [Slice("mac", 0.0, 5.0, "a", "compute", "x"), Slice("mac", 4.0, 6.0, "b", "compute", "x")]
    with pytest.raises(ImpossibleResult, match=r"mac: 'b' of x starts at 4, before 5"):
        stretches(log)


def test_slices_that_recur_before_they_end_are_an_impossible_result() -> None:
    log: Log = [Slice("mac", 0.0, 5.0, "a", "compute", "x"), Repeat(0, 3, 4.0)]
    with pytest.raises(ImpossibleResult, match="cannot recur after 4 cycles"):
        stretches(log)


def test_a_repeated_stretch_that_begins_too_early_is_an_impossible_result() -> None:
    late: Log = [Slice("mac", 0.0, 5.0, "a", "compute", "x"), Slice("mac", 4.0, 6.0, "b", "compute", "x")]
    with pytest.raises(ImpossibleResult, match="a repeated stretch starts at 4"):
        stretches([*late, Repeat(1, 1, 9.0)])


def test_repeats_that_cross_have_no_tree() -> None:
    one = Slice("mac", 0.0, 1.0, "a", "compute", "x")
    with pytest.raises(ImpossibleResult, match="crosses"):
        stretches([one, Repeat(0, 1, 5.0), one._replace(start=20.0, end=21.0), Repeat(1, 1, 30.0)])
    with pytest.raises(ImpossibleResult, match="place 1"):
        stretches([one, Repeat(2, 1, 5.0)])


@pytest.mark.parametrize(
    "change",
    [{"end": -1.0}, {"start": -1.0}, {"end": math.inf}, {"kind": "sleep"}, {"kind": "stall"}, {"cause": "weight"}],
)
def test_a_slice_that_cannot_be_is_an_impossible_result(change: dict[str, Any]) -> None:
    with pytest.raises(ImpossibleResult, match="cannot be"):
        stretches([Slice("mac", 0.0, 5.0, "a", "compute", "x")._replace(**change)])


def test_a_timeline_knows_its_seconds() -> None:
    line = replace(toy(), clock_hz=2e9)
    assert line.latency_s == pytest.approx(line.cycles / 2e9)
    assert line.analytic_s == pytest.approx(4 * 10 * 100 / 2e9)
    assert "toy on toy_chip" in repr(line)
    assert "Slice(" not in repr(line)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cycles": -1.0}, "cycles is -1"),
        ({"cycles": math.nan}, "cycles is nan"),
        ({"energy_j": -1.0}, "energy_j is -1"),
        ({"clock_hz": 0.0}, "0 Hz"),
        ({"critical": {"dram": 1.0}}, "the critical path sums to 1 of"),
        ({"critical": {"dram": -1.0}}, "critical path: dram is -1"),
        ({"moved": {("dram", "read"): -8.0}}, "dram read is -8"),
        ({"shares": ()}, "without its share"),
    ],
)
def test_a_timeline_that_does_not_add_up_is_an_impossible_result(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ImpossibleResult, match=message):
        replace(toy(), **change)


def test_shares_must_add_up_to_the_whole_and_to_the_log() -> None:
    line = toy()
    dram, mac = line.shares
    with pytest.raises(ImpossibleResult, match="dram: busy, stall and idle sums to"):
        replace(line, shares=(replace(dram, idle=dram.idle + 1.0), mac))
    with pytest.raises(ImpossibleResult, match="mac: the causes of its stalls"):
        replace(line, shares=(dram, replace(mac, causes={"weight from dram": 1.0})))
    with pytest.raises(ImpossibleResult, match="dram: its slices' work"):
        replace(line, shares=(replace(dram, busy=dram.busy - 1.0, idle=dram.idle + 1.0), mac))
    with pytest.raises(ImpossibleResult, match="dram: idle is -"):
        replace(line, shares=(replace(dram, busy=line.cycles + 5.0, idle=-5.0), mac))
    with pytest.raises(ImpossibleResult, match="two shares"):
        replace(line, shares=(dram, mac, mac))


def test_slices_end_before_the_run_does() -> None:
    line = toy()
    less = {"cycles": line.cycles - 50.0, "critical": {"dram": line.cycles - 50.0}, "operators": ()}
    shares = tuple(ResourceShare(one.track, 0.0, 0.0, line.cycles - 50.0) for one in line.shares)
    with pytest.raises(ImpossibleResult, match="a slice ends at"):
        replace(line, shares=shares, **less)


@pytest.mark.parametrize(
    "change", [{"start": -5.0}, {"end": 1e9}, {"start": 100.0, "end": 50.0}, {"analytic": -1.0}, {"walked": 11}]
)
def test_an_operator_that_cannot_be_is_an_impossible_result(change: dict[str, Any]) -> None:
    line = toy()
    with pytest.raises(ImpossibleResult, match=r"layer0\.conv"):
        replace(line, operators=(replace(line.operators[0], **change), *line.operators[1:]))


def test_totals_without_a_log_are_a_timeline() -> None:
    line = replace(toy(), log=[])
    assert line.shares[0].busy > 0.0
    assert line.contended()[0].resource == "dram"


def test_the_operators_beyond_the_threshold_are_told_with_what_they_wait_for() -> None:
    line = toy()
    found = line.contended(0.10)
    assert [one.operator.name for one in found] == ["layer1.conv", "layer3.conv"]
    assert {one.resource for one in found} == {"dram"}
    assert found[0].lost == pytest.approx(11 * 125 - 1000)
    assert str(found[0]) == (
        "layer1.conv: 1,375 cycles, 38 % beyond the analytic 1,000; held up by dram, "
        "375 cycles of stalls on weight from dram"
    )
    assert len(line.contended(0.0)) == 4
    assert not line.contended(0.5)


def test_where_the_path_names_only_the_compute_the_stalls_say_whom_to_blame() -> None:
    line = toy()
    run = replace(line.operators[1], path={"mac": 10.0})
    assert replace(line, operators=(run,)).contended()[0].resource == "dram"
    stored = replace(run, stalls={"last output to glb write": 9.0, "a riddle": 10.0})
    assert replace(line, operators=(stored,)).contended()[0].resource == "glb write"
    quiet = replace(run, stalls={})
    assert replace(line, operators=(quiet,)).contended()[0].resource == "mac"


def test_waits_between_the_ends_are_to_blame_before_the_path() -> None:
    line = toy()
    waits = {"first weight from dram": 500.0, "output to glb write": 150.0, "input from glb write": 100.0}
    run = replace(line.operators[1], stalls=waits, path={"dram": 1000.0, "mac": 375.0})
    [found] = replace(line, operators=(run,)).contended()
    assert (found.resource, found.cause) == ("glb write", "output to glb write")
    short = replace(run, stalls={**waits, "output to glb write": 50.0})
    assert replace(line, operators=(short,)).contended()[0].resource == "dram"


def test_an_operator_without_analytic_cycles_is_beyond_every_threshold() -> None:
    run = replace(toy().operators[0], analytic=0.0)
    assert run.excess == math.inf
    assert "the analytic model has none" in str(replace(toy(), operators=(run,)).contended()[0])
    assert replace(run, end=run.start).excess == 0.0


@pytest.mark.parametrize("threshold", [-0.1, math.nan])
def test_a_threshold_below_zero_is_bad_input(threshold: float) -> None:
    with pytest.raises(BadInput, match="threshold"):
        toy().contended(threshold)


def test_tables_have_a_row_per_operator_resource_and_cause() -> None:
    line = toy()
    layers = line.layers()
    assert list(layers["name"]) == [f"layer{n}.conv" for n in range(4)]
    assert layers["latency_s"].sum() == pytest.approx(line.latency_s)
    assert list(layers["critical"]) == ["mac", "dram", "mac", "dram"]
    resources = line.resources().set_index("resource")
    assert resources[["busy_share", "stall_share", "idle_share"]].sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    assert resources.loc["mac", "main_cause"] == "weight from dram"
    stalls = line.stalls()
    assert stalls["cycles"].sum() == pytest.approx(line.shares[1].stall)
    path = line.critical_path()
    assert path["share"].sum() == pytest.approx(1.0)
    assert path["seconds"].sum() == pytest.approx(line.latency_s)


def test_figures_are_plain_json() -> None:
    import json

    figures = json.loads(json.dumps(toy().figures(), allow_nan=False))
    assert figures["latency_s"] == pytest.approx(toy().latency_s)
    assert figures["contended"][0]["resource"] == "dram"
    assert len(figures["layers"]) == 4


def test_a_description_says_how_long_and_why() -> None:
    text = replace(toy(12), notes=("a note",), complete=False).describe()
    assert "(cut short), 1.2" in text
    assert "critical path: dram" in text
    assert "stalls mostly on weight from dram" in text
    assert "and 1 more operator" in text
    assert text.endswith("a note")


def test_an_empty_run_is_a_timeline_with_empty_tables() -> None:
    assert EMPTY.latency_s == 0.0
    assert EMPTY.describe() == "none on toy_chip: 0 s, 0 J"
    assert not EMPTY.contended()
    for table in (EMPTY.layers(), EMPTY.resources(), EMPTY.stalls(), EMPTY.critical_path()):
        assert table.empty
        assert len(table.columns)


def test_two_equal_runs_are_equal() -> None:
    assert toy() == toy()
    assert toy() != toy(steps=11)
    assert ResourceShare("mac", 1.0, 0.0, 1.0).main_cause == ""
    assert OperatorRun("a", "conv", "net", 0, 0, 1.0, 3.0, 1.0).excess == 1.0
