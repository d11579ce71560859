"""Repetitions, warm-up, idle power taken off, intervals against scipy, and what is refused."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fake_meters import Clock, Meter
from scipy import stats

from dovetail.energy.meters import Idle, from_record, measure, to_record
from dovetail.energy.meters.statistics import degrees_of_freedom, hedges_g, interval, scatter, two_sided_p
from dovetail.errors import BadInput, CannotDo

IDLE = [1.0, 1.2, 0.9, 1.1, 1.0, 1.0, 0.8, 1.0, 1.1, 0.9]  # J in half a second each: 2 W


def runs(*joules: float, seconds: float = 2.0, idle: Idle | float = 0, calls: int = 1, warmup: int = 0):
    """A block of so many seconds measured as often as there are joules."""
    clock = Clock()
    meter = Meter(*(IDLE if idle == 5.0 else ()), *joules)
    return measure(
        lambda: clock.sleep(seconds / calls), repetitions=len(joules) - warmup, warmup=warmup, calls=calls,
        meters=[meter], idle=idle, clock=clock, sleep=clock.sleep, name="block",
    )  # fmt: skip


def test_the_mean_and_its_interval_are_students() -> None:
    joules = [10.0, 11.0, 9.5, 10.5, 10.2]
    found = runs(*joules)
    expected = stats.t.interval(0.95, 4, loc=statistics.mean(joules), scale=stats.sem(joules))
    assert found.measured_energy_j == pytest.approx(10.24)
    span = found.measured_energy_ci_j
    assert (span.low, span.high) == pytest.approx(expected)
    assert found.measured_total_energy_j == found.measured_energy_j
    assert found.measured_duration_s == pytest.approx(2.0)
    assert found.measured_power_w == pytest.approx(5.12)


def test_warm_up_is_run_and_left_out() -> None:
    found = runs(99.0, 98.0, 10.0, 12.0, warmup=2)
    assert found.measured_total_energies_j() == [10.0, 12.0]
    assert (found.repetitions, found.warmup) == (2, 2)


def test_several_calls_a_repetition_give_figures_of_one() -> None:
    found = runs(10.0, 12.0, calls=4)
    assert found.measured_energy_j == pytest.approx(2.75)
    assert found.measured_duration_s == pytest.approx(0.5)
    assert found.measured_power_w == pytest.approx(5.5)


def test_idle_power_is_measured_before_and_taken_off() -> None:
    found = runs(10.0, 11.0, 12.0, idle=5.0)
    assert found.measured_idle_power_w == pytest.approx(2.0)
    span, watts = found.measured_idle_power_ci_w, [2 * joules for joules in IDLE]
    assert (span.low, span.high) == pytest.approx(stats.t.interval(0.95, 9, loc=2.0, scale=stats.sem(watts)))
    assert found.measured_energy_j == pytest.approx(11.0 - 2.0 * 2.0)
    assert found.measured_total_energy_j == pytest.approx(11.0)


def test_the_interval_above_idle_holds_the_scatter_of_the_idle_power() -> None:
    joules = [10.0, 11.0, 12.0]
    span = runs(*joules, idle=5.0).measured_energy_ci_j
    own, rest = stats.sem(joules) ** 2, (2.0 * stats.sem([2 * one for one in IDLE])) ** 2
    freedom = (own + rest) ** 2 / (own**2 / 2 + rest**2 / 9)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(own + rest)
    assert (span.low, span.high) == pytest.approx((7.0 - half, 7.0 + half))


def test_intervals_above_idle_hold_the_truth_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(7), 0
    for _ in range(2000):
        idle, own = rng.normal(2.0, 0.3, 6), rng.normal(4.0, 0.5, 5)
        middle = own.mean() + 2.0 * 3.0 - idle.mean() * 3.0
        span = interval(middle, [scatter(own.tolist()), scatter(idle.tolist()).scaled(3.0)], 0.95)
        held += span.low <= 4.0 <= span.high
    assert 0.935 <= held / 2000 <= 0.965


def test_idle_power_of_an_earlier_measurement_is_used_again() -> None:
    first = runs(10.0, 11.0, idle=5.0)
    second = runs(20.0, 21.0, idle=first.idle)
    assert second.idle is first.idle
    assert second.measured_energy_j == pytest.approx(20.5 - 4.0)


def test_one_repetition_has_no_finite_interval_and_says_so() -> None:
    found = runs(10.0)
    assert (found.measured_energy_ci_j.low, found.measured_energy_ci_j.high) == (-np.inf, np.inf)
    assert any("one repetition says nothing" in note for note in found.notes)


def test_notes_say_what_weakens_the_figures() -> None:
    assert any("idle power was not measured" in note for note in runs(1.0, 1.0).notes)
    assert any("cannot be told from that of the idle machine" in note for note in runs(4.0, 4.1, idle=5.0).notes)
    assert any("took 5 ms while a meter is updated every 1 ms" in note for note in runs(1.0, 1.0, seconds=5e-3).notes)


def test_a_context_manager_measures_each_time_it_is_entered() -> None:
    clock = Clock()
    session = measure(meters=[Meter(9.0, 1.0, 3.0)], idle=0, warmup=1, clock=clock, sleep=clock.sleep)
    with pytest.raises(CannotDo, match="run the block 2 more times"):
        _ = session.measured
    for _ in range(3):
        with session:
            clock.sleep(1.0)
    assert session.measured.measured_total_energies_j() == [1.0, 3.0]


def test_what_the_block_raises_is_passed_on_and_that_repetition_dropped() -> None:
    clock, meter = Clock(), Meter(5.0, 1.0)
    session = measure(meters=[meter], idle=0, clock=clock)
    with pytest.raises(ZeroDivisionError), session:
        clock.sleep(1 / 0)
    assert not meter.running
    with session:
        clock.sleep(1.0)
    assert session.measured.measured_total_energies_j() == [1.0]


def test_a_meter_that_fails_to_start_leaves_no_other_running() -> None:
    class Broken(Meter):
        def start(self) -> None:
            raise CannotDo("the sensor is gone")

    good = Meter(1.0)
    with pytest.raises(CannotDo, match="sensor is gone"):
        measure(lambda: None, meters=[good, Broken(1.0, part="other")], idle=0)
    assert not good.running


def test_a_repetition_inside_another_is_refused() -> None:
    clock = Clock()
    session = measure(meters=[Meter(1.0)], idle=0, clock=clock)
    with session:
        with pytest.raises(BadInput, match="being measured already"):
            session.__enter__()
        clock.sleep(1.0)
    assert session.measured.repetitions == 1


def test_a_gpu_finishes_its_work_inside_the_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    cuda = SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: True, synchronize=lambda: clock.sleep(0.25)
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    found = measure(lambda: clock.sleep(1.0), repetitions=1, warmup=0, meters=[Meter(1.0)], idle=0, clock=clock)
    assert found.measured_duration_s == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"repetitions": 0}, "repetitions is 0; give a whole number of at least 1"),
        ({"repetitions": 2.5}, "repetitions is 2.5"),
        ({"warmup": -1}, "warmup is -1; give a whole number of at least 0"),
        ({"calls": True}, "calls is True"),
        ({"confidence": 95}, "confidence is 95; give a share between 0 and 1"),
        ({"idle": -1.0}, "idle is -1.0"),
        ({"idle": "5 s"}, "idle is '5 s'"),
        ({"idle": Idle(({"chip": 2.0},), 1.0)}, "in two samples at least"),
        ({"idle": Idle(({"gpu-0": 2.0},) * 2, 1.0)}, "idle was not measured on chip"),
        ({"meters": []}, "meters is empty"),
        ({"meters": Meter()}, "give a list of them"),
        ({"meters": [object()]}, "a object has not all of"),
        ({"meters": [Meter(), Meter()]}, "'chip' is measured by two of them"),
        ({"block": 3}, "block is of type int"),
    ],
)
def test_impossible_numbers_are_refused_with_the_rule(given: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput) as error:
        measure(**{"block": lambda: None, "meters": [Meter()], "idle": 0, **given})
    assert said in str(error.value)


def test_a_block_that_takes_no_time_is_refused() -> None:
    with pytest.raises(CannotDo, match="took no time"):
        measure(lambda: None, repetitions=2, meters=[Meter(1.0, 1.0, 1.0)], idle=0, clock=Clock())


def test_parts_have_rows_and_those_counted_a_sum() -> None:
    found = runs(10.0, 12.0, idle=5.0)
    table = found.table()
    assert list(table["part"]) == ["chip", "total"]
    assert table["measured_energy_j"].tolist() == pytest.approx([7.0, 7.0])
    assert found.runs_table()["measured_total_energy_j"].tolist() == [10.0, 12.0]


@pytest.mark.parametrize("seed", range(5))
def test_welchs_test_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(10, 1, 5 + seed).tolist(), rng.normal(10.8, 3, 9).tolist()
    found = runs(*one).compare(runs(*other))
    expected = stats.ttest_ind(one, other, equal_var=False)
    assert (found.t, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.degrees_of_freedom == pytest.approx(expected.df)
    span = expected.confidence_interval(0.95)
    assert (found.measured_difference_ci.low, found.measured_difference_ci.high) == pytest.approx(tuple(span))


def test_two_tests_of_the_same_blocks_differ_by_chance_as_often_as_they_say() -> None:
    """Above two idle powers measured with an error each; a plain test of the repetitions would cry wolf."""
    rng, wrong, plainly_wrong = np.random.default_rng(3), 0, 0
    for _ in range(2000):
        scatters, means = [], []
        for _ in range(2):
            idle, total = rng.normal(2.0, 0.4, 8), rng.normal(10.0, 0.2, 6)
            means.append(total.mean() - 3.0 * idle.mean())
            scatters += [scatter(total.tolist()), scatter(idle.tolist()).scaled(3.0)]
        wrong += two_sided_p(means[0] - means[1], scatters)[2] < 0.05
        plainly_wrong += two_sided_p(means[0] - means[1], scatters[::2])[2] < 0.05
    assert 0.03 <= wrong / 2000 <= 0.065
    assert plainly_wrong / 2000 > 0.3


def test_one_idle_power_for_both_cancels_for_blocks_of_one_length() -> None:
    first = runs(10.0, 10.2, 9.9, idle=5.0)
    shared = runs(11.0, 11.1, 10.8, idle=first.idle)
    own = replace(shared, idle=Idle(first.idle.measured_samples_w[::-1], 0.5))  # as wide, measured at another time
    expected = stats.ttest_ind(first.measured_energies_j(), shared.measured_energies_j(), equal_var=False)
    assert first.compare(shared).p_value == pytest.approx(expected.pvalue)
    assert abs(first.compare(own).t) < abs(first.compare(shared).t)


def test_the_size_of_the_effect_is_hedges() -> None:
    one, other = [1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 7.0, 8.0]
    spread = np.sqrt((np.var(one, ddof=1) + np.var(other, ddof=1)) / 2)
    assert hedges_g(one, other) == pytest.approx((2.5 - 5.75) / spread * (1 - 3 / (4 * 6 - 1)))


def test_the_verdict_says_in_words_which_uses_less() -> None:
    found = runs(10.0, 10.2, 9.9, 10.1).compare(runs(12.0, 12.2, 11.9, 12.1))
    assert found.significant
    assert found.verdict.startswith("block (this) uses 16.6 % less energy than block (other) (95% interval -2.2")
    assert "4 and 4 repetitions, p = " in str(found)
    assert found.effect == "large"


def test_the_verdict_says_what_could_have_been_seen_where_nothing_was() -> None:
    found = runs(10.0, 12.0, 9.0, 11.0).compare(runs(10.5, 11.5, 9.5, 11.0))
    assert not found.significant
    assert found.verdict.startswith(
        "no difference in energy between block (this) and block (other) can be told from chance"
    )
    assert "would likely have been seen" in found.verdict


def test_against_no_energy_above_idle_the_difference_is_told_in_joules() -> None:
    found = runs(10.0, 10.1, 9.9, idle=5.0).compare(runs(4.0, 3.9, 4.05, idle=5.0))
    assert "uses 6.02 J more energy" in found.verdict.replace("6.01667", "6.02")


def test_figures_without_scatter_differ_or_do_not() -> None:
    assert runs(10.0, 10.0).compare(runs(11.0, 11.0)).p_value == 0.0
    same = runs(10.0, 10.0).compare(runs(10.0, 10.0))
    assert (same.p_value, same.effect_size) == (1.0, 0.0)
    assert degrees_of_freedom([scatter([1.0, 1.0])]) == np.inf


def test_durations_are_compared_too() -> None:
    found = runs(10.0, 10.1, seconds=1.0).compare(runs(10.0, 10.1, seconds=2.0), "duration")
    assert found.verdict.startswith("block (this) takes 50 % less time than block (other)")
    with pytest.raises(BadInput, match="did you mean 'duration'"):
        runs(10.0, 10.1).compare(runs(10.0, 10.1), "durations")


def test_what_cannot_be_compared_is_refused() -> None:
    clock = Clock()
    other = measure(
        lambda: clock.sleep(1.0), repetitions=2, warmup=0, meters=[Meter(1.0, 2.0, part="gpu-0")], idle=0, clock=clock
    )
    with pytest.raises(BadInput, match=r"measured on chip, .* on gpu-0; measure both with the same meters"):
        runs(1.0, 2.0).compare(other)
    with pytest.raises(BadInput, match="measured once; a test needs two"):
        runs(1.0, 2.0).compare(runs(1.0))
    with pytest.raises(BadInput, match="not with float; a model's figure is none"):
        runs(1.0, 2.0).compare(3.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("idle", [0, 5.0])
def test_a_measurement_is_written_down_and_read_again(idle: float) -> None:
    found = runs(10.0, 12.0, idle=idle)
    assert from_record(json.loads(json.dumps(to_record(found))), "x.json") == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "a list"}, "x.json: there is no measurement in it"),
        ({"runs": []}, "x.json: the measurement in it is damaged (too few samples)"),
        ({"runs": [{"measured_duration_s": -1.0, "measured_parts_j": {"chip": 1.0}}]}, "-1.0 s is no duration"),
        ({"runs": [{"measured_duration_s": 1.0, "measured_parts_j": {"gpu": 1.0}}]}, "parts gpu in place of chip"),
        ({"runs": [{"measured_duration_s": 1.0, "measured_parts_j": {"chip": "nan"}}]}, "no number of at least 0"),
        ({"parts": 3}, "is damaged ('int' object is not iterable); measure anew"),
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput) as error:
        from_record({**to_record(runs(1.0, 2.0)), **change}, "x.json")
    assert said in str(error.value)
