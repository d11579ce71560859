"""Networks in the simulator: in sequence, ahead of time, on several cores, several at once, cut short."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from simulated_networks import branchy, check, estimated

import dovetail as dt
from dovetail.accel.simulator.recorder import expanded
from dovetail.accel.simulator.workload import Density
from dovetail.mapper.estimate import estimate_schedule

CHIPS = ("edge_tpu", "gemmini", "simba", "nvdla")
RESIDENT = ("coral_usb", "pixel6", "tpu_v1")  # chips on which tensors stay between operators
PARALLEL: tuple[dict[str, Any], ...] = (
    {"cores": 2, "policy": "branches"},
    {"cores": 2, "policy": "branches", "runs": 3},
    {"cores": 2, "policy": "pipeline", "runs": 4},
    {"cores": 3, "policy": "pipeline", "runs": 4, "prefetch": True},
)


def simulated(chip: str, kind: str = "branchy", *, unlimited: bool = False, **settings: Any) -> dt.Timeline:
    found = estimated(chip, kind)
    accelerator = found.accelerator.unlimited() if unlimited else found.accelerator
    return dt.simulate(found.network, accelerator, found.schedule, **settings)


def analytic(chip: str, kind: str = "branchy", *, unlimited: bool = False) -> dt.Estimate:
    found = estimated(chip, kind)
    return estimate_schedule(found.network, found.accelerator.unlimited(), found.schedule) if unlimited else found


# ---- in sequence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
def test_a_network_in_sequence_takes_at_least_the_estimate(chip: str) -> None:
    timeline, wanted = simulated(chip), analytic(chip)
    check(timeline, wanted.network)
    assert timeline.cycles >= wanted.cycles * (1 - 1e-9)
    assert timeline.analytic_s == pytest.approx(wanted.latency_s)
    assert timeline.complete
    for run in timeline.operators:
        assert run.cycles >= run.analytic * (1 - 1e-9), run.name


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
def test_without_limits_a_network_takes_the_estimate_s_cycles(chip: str) -> None:
    timeline, wanted = simulated(chip, unlimited=True), analytic(chip, unlimited=True)
    assert timeline.cycles == pytest.approx(wanted.cycles, rel=1e-7)
    for run in timeline.operators:
        assert run.cycles == pytest.approx(run.analytic, rel=1e-7, abs=1e-6), run.name
    assert not timeline.contended()


@pytest.mark.parametrize("chip", ["edge_tpu", "coral_usb", "nvdla"])
def test_runs_in_sequence_take_as_long_as_the_first(chip: str) -> None:
    once, thrice = simulated(chip), simulated(chip, runs=3)
    assert thrice.cycles == pytest.approx(3 * once.cycles, rel=1e-9)
    assert thrice.energy_j == pytest.approx(3 * once.energy_j, rel=1e-9)
    assert {place: 3 * bits for place, bits in once.moved.items()} == pytest.approx(dict(thrice.moved))
    assert [run.run for run in thrice.operators] == sorted(run.run for run in thrice.operators)


@pytest.mark.parametrize("chip", ["edge_tpu", "gemmini", "nvdla"])
def test_stepping_changes_no_network(chip: str) -> None:
    for settings in ({"runs": 2}, *PARALLEL[1::2]):
        stepped, walked = simulated(chip, **settings), simulated(chip, stepping=False, **settings)
        assert stepped.cycles == walked.cycles, settings
        assert sorted(expanded(stepped.log)) == sorted(expanded(walked.log)), settings
        for one, other in zip(stepped.operators, walked.operators, strict=True):
            assert (one.name, one.core, one.start, one.end) == (other.name, other.core, other.start, other.end)
            assert one.stalls == pytest.approx(other.stalls)
            assert one.path == pytest.approx(other.path)


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
def test_energy_is_the_estimate_s_but_for_standing_power(chip: str) -> None:
    timeline, wanted = simulated(chip), analytic(chip)
    longer = (timeline.cycles - wanted.cycles) / timeline.clock_hz
    assert timeline.energy_j == pytest.approx(wanted.energy_j + longer * wanted.accelerator.standing_w, rel=1e-9)


# ---- ahead of time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
@pytest.mark.parametrize("kind", ["branchy", "chain"])
def test_weights_ahead_of_time_help_within_the_bounds(chip: str, kind: str) -> None:
    """Never below what the compute or the busiest memory of each operator takes."""
    plain, ahead, wanted = (
        simulated(chip, kind, runs=2),
        simulated(chip, kind, runs=2, prefetch=True),
        analytic(chip, kind),
    )
    check(ahead, wanted.network)
    assert ahead.cycles <= plain.cycles * (1 + 1e-9)
    busiest = max(share.busy for share in ahead.shares)
    assert ahead.cycles >= busiest
    working = math.fsum(cost.compute_cycles for cost in wanted.costs)
    assert ahead.cycles >= 2 * working
    assert dict(ahead.moved) == pytest.approx(dict(plain.moved))


def test_weights_ahead_of_time_help_where_there_is_room() -> None:
    assert simulated("edge_tpu", "chain", prefetch=True).cycles < 0.99 * simulated("edge_tpu", "chain").cycles


# ---- several cores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
def test_several_cores_move_all_words_and_wait_for_inputs(chip: str) -> None:
    once = simulated(chip)
    for settings in PARALLEL:
        timeline = simulated(chip, **settings)
        check(timeline, branchy())
        runs = settings.get("runs", 1)
        for place, bits in once.moved.items():
            assert timeline.moved[place] >= runs * bits * (1 - 1e-9), (settings, place)
        if chip in CHIPS:  # nothing stays on a core, and nothing is carried from one to another
            assert dict(timeline.moved) == pytest.approx({place: runs * bits for place, bits in once.moved.items()})


@pytest.mark.parametrize("chip", CHIPS + RESIDENT)
def test_two_cores_without_limits_are_never_slower(chip: str) -> None:
    one = simulated(chip, unlimited=True)
    two = simulated(chip, unlimited=True, cores=2, policy="branches")
    assert two.cycles <= one.cycles * (1 + 1e-9)
    longest = max(run.cycles for run in one.operators)
    assert two.cycles >= longest
    several = simulated(chip, unlimited=True, cores=2, policy="branches", runs=4)
    assert several.cycles >= 0.5 * 4 * (one.cycles - analytic(chip).overhead_s * one.clock_hz) * (1 - 1e-9)


def test_branches_run_side_by_side() -> None:
    timeline = simulated("edge_tpu", cores=2, policy="branches")
    b, c = (next(run for run in timeline.operators if run.name == name) for name in "bc")
    assert b.core != c.core
    assert b.start == c.start


def test_a_tensor_that_stays_is_carried_to_another_core() -> None:
    once, two = simulated("pixel6"), simulated("pixel6", cores=2, policy="branches")
    found = estimated("pixel6")
    home, outer = found.accelerator.residence("input"), found.accelerator.keeper("input")
    assert home is not None
    carried = two.moved[home.name, "read"] - once.moved[home.name, "read"]
    assert carried > 0.0
    more = {place: two.moved.get(place, 0.0) - once.moved.get(place, 0.0) for place in {**once.moved, **two.moved}}
    expected = {(home.name, "read"): carried, (home.name, "write"): carried}
    expected |= {(outer.name, "read"): carried, (outer.name, "write"): carried}
    assert {place: bits for place, bits in more.items() if abs(bits) > 1e-6} == pytest.approx(expected)
    assert two.energy_j > once.energy_j


def test_a_core_of_a_pipeline_keeps_its_stretch_and_its_order() -> None:
    timeline = simulated("edge_tpu", "chain", cores=3, policy="pipeline", runs=5)
    by_name: dict[str, set[int]] = defaultdict(set)
    for run in timeline.operators:
        by_name[run.name].add(run.core)
    assert all(len(cores) == 1 for cores in by_name.values())
    assert [min(by_name[f"conv{at}"]) for at in range(6)] == [0, 0, 1, 1, 2, 2]
    for core in range(3):
        own = sorted((run.start, run.end) for run in timeline.operators if run.core == core)
        assert all(before[1] <= after[0] + 1e-6 for before, after in itertools.pairwise(own))
    for name in by_name:
        starts = [run.start for run in timeline.operators if run.name == name]
        assert starts == sorted(starts)


def test_a_pipeline_without_limits_runs_at_the_pace_of_its_slowest_stage() -> None:
    few, many = (simulated("edge_tpu", "chain", unlimited=True, cores=3, policy="pipeline", runs=n) for n in (5, 25))
    stages: dict[int, float] = defaultdict(float)
    for run in few.operators:
        stages[run.core] += run.cycles / 5
    assert (many.cycles - few.cycles) / 20 == pytest.approx(max(stages.values()), rel=1e-6)


def test_weights_come_in_ahead_once_where_operators_of_a_pipeline_overtake_one_another() -> None:
    """A core takes a later operator that is ready while the one prepared still waits for another core."""
    for chip in ("edge_tpu", "simba"):
        timeline = simulated(chip, unlimited=True, cores=3, policy="pipeline", runs=6, prefetch=True)
        assert timeline.moved["dram", "read"] == pytest.approx(6 * simulated(chip).moved["dram", "read"])


def test_cores_wait_for_each_other_at_the_shared_memory() -> None:
    timeline = simulated("edge_tpu", "chain", cores=3, policy="pipeline", runs=8)
    free = simulated("edge_tpu", "chain", unlimited=True, cores=3, policy="pipeline", runs=8)
    assert timeline.cycles > free.cycles
    dram = [share for share in timeline.shares if share.track.startswith("dram")]
    assert max(share.busy for share in dram) <= timeline.cycles
    names = {share.track for share in timeline.shares}
    assert any(name.startswith("core 2: ") for name in names)
    assert not any("dram" in name for name in names if name.startswith("core"))


# ---- several networks ------------------------------------------------------------------------------------------------


def test_several_networks_share_a_core_fairly() -> None:
    one, other = estimated("edge_tpu"), estimated("edge_tpu", "chain")
    timeline = dt.simulate([one.network, other.network], one.accelerator, [one.schedule, other.schedule])
    alone = [dt.simulate(each.network, each.accelerator, each.schedule) for each in (one, other)]
    check(timeline)
    assert timeline.network == "branchy + chain"
    assert timeline.cycles == pytest.approx(alone[0].cycles + alone[1].cycles, rel=1e-9)
    assert timeline.energy_j == pytest.approx(alone[0].energy_j + alone[1].energy_j, rel=1e-9)
    first = sorted(timeline.operators, key=lambda run: run.start)[:6]
    assert [run.network for run in first] == ["branchy", "chain"] * 3


def test_networks_of_equal_operators_on_two_cores_run_side_by_side() -> None:
    one = estimated("gemmini", "chain")
    twin = replace(one.network, name="twin")
    settings: dict[str, Any] = {"cores": 2, "policy": "branches"}
    unlimited = one.accelerator.unlimited()
    both = dt.simulate([one.network, twin], unlimited, [one.schedule] * 2, **settings)
    assert both.cycles == pytest.approx(dt.simulate(one.network, unlimited, one.schedule).cycles, rel=1e-9)


# ---- cut short, seeds, density ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.03, 0.31, 0.77])
@pytest.mark.parametrize("settings", [{}, {"runs": 3}, *PARALLEL])
def test_a_run_cut_short_knows_nothing_of_what_comes_after(share: float, settings: dict[str, Any]) -> None:
    whole = simulated("edge_tpu", **settings)
    until = share * whole.latency_s
    cut = simulated("edge_tpu", until_s=until, **settings)
    check(cut)
    assert not cut.complete
    assert cut.cycles == pytest.approx(until * cut.clock_hz)
    for one in expanded(cut.log):
        assert one.end <= cut.cycles * (1 + 1e-12)
    whole_runs = {(run.name, run.run): run for run in whole.operators}
    for run in cut.operators:
        same = whole_runs[run.name, run.run]
        assert run.start == same.start
        assert run.end == pytest.approx(min(same.end, cut.cycles))
    assert cut.energy_j < whole.energy_j
    early = [one for one in expanded(whole.log) if one.end <= cut.cycles and one.kind != "stall"]
    found = {(one.track, one.start, one.end) for one in expanded(cut.log)}
    assert {(one.track, one.start, one.end) for one in early if one.end > one.start} <= found


def test_a_run_that_ends_before_the_cut_is_complete() -> None:
    whole = simulated("edge_tpu")
    same = simulated("edge_tpu", until_s=2 * whole.latency_s)
    assert same.complete
    assert (same.cycles, same.energy_j, same.shares) == (whole.cycles, whole.energy_j, whole.shares)


def test_one_seed_gives_one_timeline() -> None:
    density = Density(0.4, 0.2)
    one, same, other = (simulated("edge_tpu", density=density, runs=2, seed=seed) for seed in (3, 3, 4))
    assert one == same
    assert one.cycles != other.cycles


def test_denser_tensors_take_longer_and_full_ones_as_long_as_ever() -> None:
    cycles = [simulated("gemmini", unlimited=True, density=Density(mean)).cycles for mean in (0.0, 0.1, 0.4, 0.7, 1.0)]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[-1]
    assert cycles[-1] == simulated("gemmini", unlimited=True).cycles


def test_runs_on_data_of_their_own_differ() -> None:
    timeline = simulated("edge_tpu", density=Density(0.4, 0.2), runs=4, unlimited=True)
    names = {run.name for run in timeline.operators}
    assert any(len({run.cycles for run in timeline.operators if run.name == name}) > 1 for name in names)


# ---- back to back ----------------------------------------------------------------------------------------------------


def test_a_chip_that_runs_back_to_back_hides_first_and_last_tiles() -> None:
    found = estimated("nvdla")
    assert found.accelerator.back_to_back
    apart = replace(found.accelerator, back_to_back=False)
    timeline = dt.simulate(found.network, apart, found.schedule)
    assert simulated("nvdla").cycles < timeline.cycles


def test_progress_counts_all_operators() -> None:
    told: list[tuple[int, int]] = []
    simulated("edge_tpu", runs=2, progress=lambda done, of: told.append((done, of)))
    assert told == [(at, 16) for at in range(1, 17)]


def test_a_long_chain_is_simulated_once_for_equal_operators() -> None:
    timeline = simulated("edge_tpu", "chain", runs=10)
    assert sum(run.walked > 0 for run in timeline.operators) <= 2
    assert len({run.cycles for run in timeline.operators}) <= 2
