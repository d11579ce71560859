"""Data-dependent work: exact where nothing is random, equal to the formulas of the distributions otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from dovetail.accel.simulator.profiles import Profile, Stage
from dovetail.accel.simulator.workload import (
    FILTERED,
    Density,
    Draws,
    FrameFilter,
    Saliency,
    Share,
    Workload,
    draw_work,
    slowest_share,
)
from dovetail.errors import BadInput, UnknownName

NET = Profile("net", (Stage("a", (1.0,), 10.0), Stage("b", (2.0,), 20.0), Stage("c", (4.0,), 40.0)))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_without_data_dependence_each_request_does_everything():
    work = draw_work(NET, Workload(), rng(), 5)
    assert work.seconds.tolist() == [7.0] * 5
    assert work.energy_j.tolist() == [70.0] * 5
    assert work.exit_stage.tolist() == [2] * 5


def test_durations_come_from_the_samples_one_operator_apart_from_the_other():
    net = Profile("net", (Stage("a", (1.0, 2.0)), Stage("b", (10.0, 20.0))))
    seconds = draw_work(net, Workload(), rng(), 40_000).seconds
    values, counts = np.unique(seconds, return_counts=True)
    assert values.tolist() == [11.0, 12.0, 21.0, 22.0]
    assert counts / 40_000 == pytest.approx(0.25, abs=0.01)


def test_early_exits_leave_in_their_shares_and_skip_what_comes_after():
    work = draw_work(NET, Workload(early_exit={"b": 0.3, "a": 0.5}), rng(), 100_000)
    shares = np.bincount(work.exit_stage) / 100_000
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.01)
    for stage, seconds in enumerate((1.0, 3.0, 7.0)):
        assert (work.seconds[work.exit_stage == stage] == seconds).all()
        assert (work.energy_j[work.exit_stage == stage] == 10 * seconds).all()


def test_all_may_leave_early():
    assert (draw_work(NET, Workload(early_exit={"a": 1.0}), rng(), 1000).exit_stage == 0).all()


def test_filtered_frames_cost_the_filter_alone():
    work = draw_work(NET, Workload(frame_filter=FrameFilter(keep=0.2, seconds=0.5, energy_j=3.0)), rng(), 100_000)
    out = work.exit_stage == FILTERED
    assert np.mean(~out) == pytest.approx(0.2, abs=0.005)
    assert (work.seconds[out] == 0.5).all()
    assert (work.energy_j[out] == 3.0).all()
    assert (work.seconds[~out] == 7.5).all()
    assert (work.energy_j[~out] == 73.0).all()


def test_every_third_frame_is_kept_across_blocks():
    draws = Draws(NET, Workload(frame_filter=FrameFilter(every=3)), seed=0, stream=0)
    kept = [draws.of(number)[2] != FILTERED for number in range(10_000)]
    assert kept == [number % 3 == 0 for number in range(10_000)]


def test_the_energy_of_a_frame_is_that_of_the_formula():
    frames, salient = FrameFilter(keep=1.0, seconds=0.1, energy_j=1.0), Saliency(Share(0.25), 0.2, None, 0.05, 2.0)
    work = draw_work(NET, Workload(frame_filter=frames, saliency=salient), rng(), 3)
    assert work.energy_j == pytest.approx(1.0 + 2.0 + 0.25 * 1.2 * 70.0)
    assert work.seconds == pytest.approx(0.1 + 0.05 + 0.25 * 1.2 * 7.0)


def test_the_mean_energy_of_frames_is_that_of_the_formula():
    frames, salient = FrameFilter(keep=0.4, energy_j=1.0), Saliency(Share(0.3, 0.1), 0.2, None, 0.0, 2.0)
    work = draw_work(NET, Workload(frame_filter=frames, saliency=salient), rng(), 200_000)
    assert work.energy_j.mean() == pytest.approx(1.0 + 0.4 * (2.0 + 0.3 * 1.2 * 70.0), rel=0.01)


def test_saliency_scales_named_operators_alone_and_never_above_dense():
    some = draw_work(NET, Workload(saliency=Saliency(Share(0.5), 0.0, ("c",))), rng(), 1)
    assert some.seconds[0] == 1.0 + 2.0 + 2.0
    assert some.energy_j[0] == 10.0 + 20.0 + 20.0
    full = draw_work(NET, Workload(saliency=Saliency(Share(0.9), 0.5)), rng(), 1)
    assert full.seconds[0] == 7.0


@pytest.mark.parametrize("shape", ["uniform", "beta"])
def test_shares_have_the_mean_and_spread_they_are_given(shape):
    drawn = Share(0.3, 0.12, shape).draw(rng(), 200_000)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert drawn.mean() == pytest.approx(0.3, rel=0.01)
    assert drawn.std() == pytest.approx(0.12, rel=0.01)


def test_the_draw_of_a_request_does_not_depend_on_the_order():
    net = Profile("net", (Stage("a", (1.0, 2.0, 3.0)), Stage("b", (10.0, 20.0))))
    workload = Workload(early_exit={"a": 0.3}, frame_filter=FrameFilter(keep=0.7), saliency=Saliency(Share(0.4, 0.2)))
    forward, backward = (Draws(net, workload, 7, 0) for _ in range(2))
    there = [forward.of(number) for number in range(9000)]
    back = [backward.of(number) for number in reversed(range(9000))]
    assert there == back[::-1]
    other = Draws(net, workload, 8, 0)
    assert there != [other.of(number) for number in range(9000)]


def exact_mean_of_the_most(instances, words, density):
    """E[max] = Σ (1 − F(k)ⁿ) of independent binomials."""
    return float(np.sum(1.0 - binom.cdf(np.arange(words), words, density) ** instances)) / words


@pytest.mark.parametrize(
    ("instances", "words", "density"), [(1, 16, 0.5), (16, 64, 0.3), (256, 9, 0.7), (65536, 512, 0.1)]
)
def test_the_slowest_instance_has_the_exact_mean_of_the_largest_binomial(instances, words, density):
    drawn = slowest_share(rng(), Density(density), instances, words, 40_000)
    expected = exact_mean_of_the_most(instances, words, density)
    assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / 200 + 1e-12)


def test_the_slowest_instance_has_the_distribution_of_drawn_binomials():
    density, instances, words = Density(0.4, 0.15), 8, 12
    quick = slowest_share(rng(1), density, instances, words, 200_000) * words
    chance = density.draw(rng(2), 200_000)
    plain = rng(3).binomial(words, chance[:, None], (200_000, instances)).max(axis=1)
    there, here = (np.bincount(one.astype(int), minlength=words + 1) / 200_000 for one in (plain, quick))
    assert here == pytest.approx(there, abs=0.006)
    assert (quick == np.round(quick)).all()


@pytest.mark.parametrize(("density", "words", "expected"), [(0.0, 10, 0.0), (1.0, 10, 1.0), (0.5, 0, 0.0)])
def test_no_words_all_zeros_and_no_zeros_are_exact(density, words, expected):
    assert (slowest_share(rng(), Density(density), 64, words, 100) == expected).all()


def test_uneven_tiles_are_slower_than_even_ones_of_the_same_density():
    even = slowest_share(rng(), Density(0.5), 64, 32, 20_000).mean()
    alone = slowest_share(rng(), Density(0.5), 1, 32, 20_000).mean()
    assert alone == pytest.approx(0.5, abs=0.005)
    assert even > alone + 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Share(1.1),
        lambda: Share(-0.1),
        lambda: Share(float("nan")),
        lambda: Share(0.5, 0.5),
        lambda: Share(0.5, 0.1, "constant"),
        lambda: Share(0.2, 0.15, "uniform"),
        lambda: Share(0.5, 0.1, "normal"),
        lambda: Density(0.0, 0.1),
        lambda: FrameFilter(),
        lambda: FrameFilter(keep=0.5, every=2),
        lambda: FrameFilter(keep=1.5),
        lambda: FrameFilter(every=0),
        lambda: FrameFilter(keep=0.5, seconds=-1.0),
        lambda: Saliency(0.5),
        lambda: Saliency(Share(0.5), halo=-0.1),
        lambda: Workload(early_exit={"a": 0.6, "b": 0.6}),
        lambda: Workload(early_exit={"a": -0.1}),
        lambda: slowest_share(rng(), Density(0.5), 0, 4, 4),
        lambda: slowest_share(rng(), Density(0.5), 4, 1.5, 4),
        lambda: Stage("a", ()),
        lambda: Stage("a", (-1.0,)),
        lambda: Stage("a", (float("inf"),)),
        lambda: Stage("a", (1.0,), -1.0),
        lambda: Profile("net", ()),
        lambda: Profile("net", (Stage("a", (1.0,)), Stage("a", (1.0,)))),
        lambda: Profile("net", (Stage("a", (1.0,)),), overhead_s=-1.0),
        lambda: Profile("net", (Stage("a", (1.0,)),), deadline_s=0.0),
        lambda: Profile("net", (Stage("a", (1.0,)),), batch=0),
    ],
)
def test_work_that_cannot_be_is_refused(make):
    with pytest.raises(BadInput):
        make()


@pytest.mark.parametrize(
    "workload", [Workload(early_exit={"conv": 0.5}), Workload(saliency=Saliency(Share(0.5), 0.0, ("d",)))]
)
def test_an_operator_that_the_network_lacks_is_named(workload):
    with pytest.raises(UnknownName, match="operator of 'net'"):
        Draws(NET, workload, 0, 0)
