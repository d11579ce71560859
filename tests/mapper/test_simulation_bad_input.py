"""What cannot be simulated is refused with what is wrong and what to do: settings, schedules, tiles, memories, jobs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulated_networks import branchy, estimated

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Memory
from dovetail.accel.simulator.jobs import Job
from dovetail.accel.simulator.network import NetworkSimulation
from dovetail.errors import BadInput, CannotDo, Infeasible, UnknownName
from dovetail.mapper.jobs import network_jobs

SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"cores": 0}, "cores: 0 is below 1"),
    ({"cores": True}, "cores: 'True' is not a whole number"),
    ({"cores": 2.0}, "cores: '2.0' is not a whole number"),
    ({"runs": 0}, "runs: 0 is below 1"),
    ({"policy": "fastest"}, "policy 'fastest': choose one of sequence, branches, pipeline"),
    ({"policy": "pipeline"}, "needs several cores; give cores=2 or more"),
    ({"cores": 2}, "'sequence' uses one core of 2; choose 'branches' or 'pipeline'"),
    ({"until_s": 0}, "until_s: must be above zero"),
    ({"until_s": -1.0}, "until_s: -1 is below 0"),
    ({"until_s": math.nan}, "until_s: nan is not a finite number"),
    ({"until_s": math.inf}, "until_s: inf is not a finite number"),
    ({"until_s": "1 ms"}, "until_s: '1 ms' is not a number"),
    ({"seed": -1}, "seed: -1 is below 0"),
    ({"seed": 0.5}, "seed: '0.5' is not a whole number"),
    ({"density": 0.5}, r"density is of type float, not of type Density; make one"),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    found = estimated("gemmini")
    with pytest.raises(BadInput, match=message):
        dt.simulate(found.network, found.accelerator, found.schedule, **settings)


def test_a_schedule_of_another_network_or_accelerator_is_refused() -> None:
    found, other = estimated("gemmini"), estimated("gemmini", "chain")
    with pytest.raises(BadInput, match="the schedule is of 9 operators, chain has 6"):
        dt.simulate(other.network, found.accelerator, found.schedule)
    with pytest.raises(BadInput, match="mapping names the levels"):
        dt.simulate(found.network, dt.load_accelerator("eyeriss"), found.schedule)
    with pytest.raises(BadInput, match="2 schedules for 1 networks; give one for each"):
        dt.simulate(found.network, found.accelerator, [found.schedule] * 2)
    for wrong in ("schedule", found, [None]):
        with pytest.raises(BadInput, match=r"schedule is .* not of type Schedule; take the one of an estimate"):
            dt.simulate(found.network, found.accelerator, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 5, "resnet18", ["resnet18"]])
def test_what_is_no_network_is_refused(wrong: Any) -> None:
    with pytest.raises(BadInput, match="not of type Network; load it with load_network"):
        dt.simulate(wrong, dt.load_accelerator("gemmini"))


def test_no_network_and_no_accelerator_are_refused() -> None:
    with pytest.raises(BadInput, match="no network to simulate; give at least one"):
        dt.simulate([], dt.load_accelerator("gemmini"))
    with pytest.raises(BadInput, match="accelerator is the text 'gemmini'"):
        dt.simulate(branchy(), "gemmini")  # type: ignore[arg-type]


def changed(accelerator: Accelerator, **values: Any) -> Accelerator:
    """The accelerator with other values at its scratchpad, or at its DRAM where the scratchpad has none of them."""
    name = "dram" if "read_bandwidth_bits_per_s" in values else "scratchpad"
    levels = [
        replace(one, **values) if isinstance(one, Memory) and one.name == name else one for one in accelerator.levels
    ]
    return replace(accelerator, levels=tuple(levels), spec=None)


def test_a_tile_that_does_not_fit_names_the_memory_and_the_words() -> None:
    found = estimated("gemmini")
    with pytest.raises(Infeasible, match=r"scratchpad of 'gemmini' holds 32 bit .* words too many") as error:
        dt.simulate(found.network, changed(found.accelerator, size_bits=64.0), found.schedule)
    assert error.value.level == "scratchpad"


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_memory_without_bandwidth_is_named(rate: float) -> None:
    found = estimated("gemmini")
    still = changed(found.accelerator, read_bandwidth_bits_per_s=rate)
    with pytest.raises(BadInput, match=r"gemmini: dram reads .* bits a second.* give it a bandwidth above zero"):
        dt.simulate(found.network, still, found.schedule)
    with pytest.raises(BadInput, match="gemmini: dram reads"):
        dt.serve(found.network, still, "10/s", found.schedule, requests=1)


# ---- jobs ------------------------------------------------------------------------------------------------------------


def job(name: str, after: tuple[int, ...] = (), **more: Any) -> Job:
    return Job(name, "work", 0, 0, after, 0.0, computing=5.0, **more)


def test_jobs_that_wait_for_each_other_are_a_deadlock_that_names_them() -> None:
    chip = estimated("gemmini").accelerator
    with pytest.raises(CannotDo, match="deadlock: no core may take one, two"):
        NetworkSimulation(chip, [job("one", (1,)), job("two", (0,)), job("three")]).run()
    with pytest.raises(CannotDo, match="deadlock: no core may take one; check what they wait for"):
        NetworkSimulation(chip, [job("one", core=3)]).run()
    with pytest.raises(CannotDo, match="deadlock: no core may take late"):
        NetworkSimulation(chip, [job("first"), job("late", (7,))], cores=2).run()


def test_an_operator_that_waits_for_ever_names_its_processes() -> None:
    found = estimated("gemmini")
    jobs = network_jobs(found)
    for at, one in enumerate(jobs):
        if one.plan is not None and any(stream.count > 2 for stream in one.plan.streams):
            stuck = tuple(replace(way, copies=0) if way.count > 2 else way for way in one.plan.streams)
            jobs[at] = replace(one, plan=replace(one.plan, streams=stuck))
            break
    with pytest.raises(CannotDo, match=r"deadlock: \w+: the compute, for \w+ tiles") as error:
        NetworkSimulation(found.accelerator, jobs).run()
    assert "waits for room in" in str(error.value)


# ---- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s\n0.5\n-1\n", r"trace\.csv:3: the arrival time -1 s is negative; count from the start of the run"),
        ("time_s\n0.5\nsoon\n", r"trace\.csv:3: 'soon' is not a number; write the arrival time in seconds"),
        ("time_s\n2\n1\n", r"trace\.csv:3: 1 s is before the request above it"),
        ("time_s,network\n0.5,gpt\n", "no network with a profile named 'gpt'"),
        ("", "the trace holds no requests"),
    ],
)
def test_a_trace_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    found, path = estimated("gemmini"), tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        dt.serve(found.network, found.accelerator, str(path), found.schedule)


def test_a_trace_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    found = estimated("gemmini")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("binary.csv", "not UTF-8 text"), ("none.csv", "no such trace"), ("", "this is a folder")):
        with pytest.raises(BadInput, match=message):
            dt.serve(found.network, found.accelerator, str(tmp_path / name), found.schedule)


@pytest.mark.parametrize(
    ("arrivals", "settings", "message"),
    [
        ("-5/s", {"requests": 5}, "-5"),
        ("0/s", {"requests": 5}, "'0' must be above zero"),
        ("100/s", {}, "the requests never end; say how many to serve or until when"),
        (5, {"requests": 5}, "arrivals: 5 is none of the kinds"),
        ("100/s", {"requests": 5, "until_s": -1}, "until_s: -1 is below 0"),
        ("100/s", {"requests": 5, "servers": 0}, "servers"),
        ("100/s", {"requests": 5, "density": 0.5}, "density is of type float"),
    ],
)
def test_requests_that_make_no_sense_are_refused(arrivals: Any, settings: dict[str, Any], message: str) -> None:
    found = estimated("gemmini")
    with pytest.raises(BadInput, match=message):
        dt.serve(found.network, found.accelerator, arrivals, found.schedule, **settings)


def test_networks_that_requests_cannot_tell_apart_are_refused() -> None:
    found = estimated("gemmini")
    with pytest.raises(BadInput, match="two of the networks have one name"):
        dt.serve([found.network] * 2, found.accelerator, "9/s", [found.schedule] * 2, requests=1)
    with pytest.raises(UnknownName, match="no network to serve named 'branch'; did you mean 'branchy'"):
        dt.serve(found.network, found.accelerator, "9/s", found.schedule, requests=1, priorities={"branch": 1.0})
