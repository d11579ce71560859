"""A DRAM's transfers: the closed forms equal a walk over single bursts, rows and refreshes."""

from __future__ import annotations

import math
import random

import pytest

from dovetail.accel.accelerator import DramTiming
from dovetail.accel.simulator.dram import (
    DramCycles,
    channel_cycles,
    split,
    stream_cycles,
    transfer_cycles,
    with_refresh,
)
from dovetail.errors import BadInput


def walked(timing: DramCycles, bits: float, bandwidth: float, opened: bool) -> float:
    """Burst by burst: a burst waits for the one before and for its row, a row for its bank's row before and a miss."""
    a_row = int(timing.row_bits // timing.burst_bits)
    free = [0.0] * timing.banks
    now = 0.0
    for burst in range(math.ceil(bits / timing.burst_bits)):
        row, column = divmod(burst, a_row)
        bank = row % timing.banks
        if column == 0:
            hit = opened and row == 0
            now = max(now, free[bank] + (0.0 if hit else timing.row_miss))
        now += timing.burst_bits / bandwidth
        free[bank] = now
    return now


def refreshed(timing: DramCycles, start: float, duration: float) -> float:
    """Refresh by refresh."""
    now, left, k = start, duration, 1
    while left > 0.0:
        block = k * timing.refresh_interval
        if now < block:
            done = min(left, block - now)
            now, left = now + done, left - done
        else:
            now, k = max(now, block + timing.refresh_time), k + 1
    return now


def random_timing(rng: random.Random) -> DramCycles:
    burst = rng.choice([64, 256, 512])
    return DramCycles(
        channels=rng.choice([1, 2, 3, 4]),
        burst_bits=burst,
        row_bits=burst * rng.randint(1, 6) + rng.choice([0, burst // 2]),
        row_miss=rng.choice([0.0, 2.0, 9.5, 40.0, 300.0]),
        banks=rng.choice([1, 2, 3, 8]),
        refresh_interval=rng.choice([64.0, 200.0, 1000.0]),
        refresh_time=rng.choice([1.0, 16.0, 50.0]),
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_channels_time_equals_the_walk_over_its_bursts(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        timing, bits = random_timing(rng), rng.randint(1, 20_000)
        bandwidth, opened = rng.choice([4.0, 16.0, 37.0, 128.0, 4096.0]), rng.random() < 0.5
        found = channel_cycles(timing, bits, bandwidth, opened=opened)
        assert found == pytest.approx(walked(timing, bits, bandwidth, opened), rel=1e-12)
        assert found >= bits / bandwidth


@pytest.mark.parametrize("seed", range(20))
def test_an_end_with_refresh_equals_the_walk_over_the_refreshes(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        timing = random_timing(rng)
        start, duration = rng.randint(0, 12_000) / 4, rng.randint(1, 12_000) / 4
        end = with_refresh(timing, start, duration)
        assert end == pytest.approx(refreshed(timing, start, duration), rel=1e-12)
        assert end >= start + duration


def test_a_transfer_that_would_begin_in_a_refresh_begins_after_it() -> None:
    timing = DramCycles(refresh_interval=100.0, refresh_time=10.0)
    assert with_refresh(timing, 5.0, 20.0) == 25.0  # none at cycle 0
    assert with_refresh(timing, 100.0, 20.0) == 130.0
    assert with_refresh(timing, 109.5, 20.0) == 130.0
    assert with_refresh(timing, 110.0, 20.0) == 130.0
    assert with_refresh(timing, 80.0, 20.0) == 100.0
    assert with_refresh(timing, 80.0, 20.5) == 110.5
    assert with_refresh(timing, 0.0, 1000.0) == 1100.0
    assert with_refresh(timing, 105.0, 0.0) == 105.0


def test_without_refresh_an_end_is_the_start_and_the_duration() -> None:
    assert with_refresh(DramCycles(), 7.0, 3.0) == 10.0
    assert with_refresh(DramCycles(refresh_interval=4.0), 7.0, 3.0) == 10.0


def test_work_done_one_after_the_other_ends_when_it_would_in_one_go() -> None:
    timing, rng = DramCycles(refresh_interval=97.0, refresh_time=13.0), random.Random(1)
    now, total = 0.0, 0
    for _ in range(300):
        step = rng.randint(1, 60)
        now, total = with_refresh(timing, now, step), total + step
        assert now == with_refresh(timing, 0.0, total)


def test_refresh_takes_its_share_of_a_long_transfer() -> None:
    timing = DramCycles.of(DramTiming(refresh_interval_s=3.904e-6, refresh_time_s=180e-9), 1e9)
    end = with_refresh(timing, 0.0, 1e9)
    assert end / 1e9 == pytest.approx(1.0 / (1.0 - 180.0 / 3904.0), rel=1e-5)


def test_without_timing_a_transfer_takes_its_bits_over_the_bandwidth() -> None:
    assert transfer_cycles(DramCycles(), 12_345.0, 10.0) == 1234.5
    assert transfer_cycles(DramCycles(), 0.0, 10.0) == 0.0


def test_other_banks_hide_a_miss_as_far_as_their_words_take_that_long() -> None:
    row = DramCycles(burst_bits=64, row_bits=640, row_miss=25.0, banks=2)  # ten cycles of words a row at 64 bit a cycle
    assert channel_cycles(row, 640, 64.0, opened=False) == 35.0
    assert channel_cycles(row, 640, 64.0, opened=True) == 10.0
    assert channel_cycles(row, 1280, 64.0, opened=False) == 45.0  # both banks are activated at once
    assert channel_cycles(row, 1920, 64.0, opened=False) == 25.0 + 30.0 + 15.0  # the third row waits for its bank
    many = DramCycles(burst_bits=64, row_bits=640, row_miss=25.0, banks=8)
    assert channel_cycles(many, 64_000, 64.0, opened=False) == 25.0 + 1000.0


def test_channels_share_a_transfer_burst_by_burst() -> None:
    timing = DramCycles(channels=3, burst_bits=64)
    assert split(timing, 64 * 7) == (192, 128, 128)
    assert split(timing, 64 * 7 + 1) == (192, 129, 128)
    assert split(timing, 1) == (1, 0, 0)
    assert split(timing, 0) == (0, 0, 0)
    assert split(DramCycles(channels=4), 100.0) == (25.0,) * 4


@pytest.mark.parametrize("seed", range(10))
def test_channels_together_move_all_bits_and_never_beat_their_bandwidth(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        timing, bits, bandwidth = random_timing(rng), rng.uniform(1, 30_000), rng.uniform(1, 500)
        shares = split(timing, bits)
        assert sum(shares) == pytest.approx(bits, rel=1e-12)
        assert max(shares) - min(shares) <= timing.burst_bits
        each = [channel_cycles(timing, share, bandwidth / timing.channels, opened=False) for share in shares]
        assert transfer_cycles(timing, bits, bandwidth) == max(each)
        assert max(each) >= bits / bandwidth


def test_more_banks_bandwidth_and_shorter_misses_never_take_longer() -> None:
    base = {"burst_bits": 512.0, "row_bits": 2048.0, "row_miss": 70.0, "banks": 2}
    took = channel_cycles(DramCycles(**base), 50_000, 100.0, opened=False)
    assert channel_cycles(DramCycles(**{**base, "banks": 4}), 50_000, 100.0, opened=False) <= took
    assert channel_cycles(DramCycles(**{**base, "row_miss": 35.0}), 50_000, 100.0, opened=False) < took
    assert channel_cycles(DramCycles(**base), 50_000, 200.0, opened=False) < took
    assert channel_cycles(DramCycles(**base), 50_000, math.inf, opened=False) > 0.0  # misses are left


def test_times_become_cycles_of_the_clock() -> None:
    timing = DramTiming(2, 512, 16384, 36e-9, 8, 3.9e-6, 180e-9)
    found = DramCycles.of(timing, 500e6)
    assert (found.channels, found.burst_bits, found.row_bits, found.banks) == (2, 512, 16384, 8)
    assert (found.row_miss, found.refresh_interval, found.refresh_time) == pytest.approx((18.0, 1950.0, 90.0))


@pytest.mark.parametrize(
    ("bits", "bandwidth", "message"),
    [(-1.0, 1.0, "-1 bits cannot"), (1.0, 0.0, "moves nothing"), (math.nan, 1.0, "nan bits"), (1.0, math.nan, "nan")],
)
def test_impossible_transfers_are_refused(bits: float, bandwidth: float, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        channel_cycles(DramCycles(), bits, bandwidth, opened=False)
    with pytest.raises(BadInput, match="cannot be"):
        with_refresh(DramCycles(), -1.0, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_in_parts_takes_as_long_as_one_long_transfer(seed: int) -> None:
    rng = random.Random(seed)
    timing, bandwidth, parts = random_timing(rng), rng.choice([1.0, 8.0, 50.0]), 1000
    bits = rng.choice([8.0, 100.0, 3000.0])
    found = sum(stream_cycles(timing, bits, bandwidth, opened=number > 0) for number in range(parts))
    whole = channel_cycles(timing, parts * bits, bandwidth, opened=False)
    assert found == pytest.approx(whole, abs=2 * timing.row_miss + timing.row_bits / bandwidth, rel=0.01)
