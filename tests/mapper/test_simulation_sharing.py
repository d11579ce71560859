"""Networks on several cores that share a DRAM: timing and arbitration reach the timeline."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, DramTiming
from dovetail.accel.simulator.arbitration import Policy
from dovetail.accel.simulator.trace_check import check_trace
from dovetail.errors import UnknownName
from dovetail.mapper.estimate import Estimate

LPDDR4 = DramTiming(2, 256, 16384, 36e-9, 8, 3.904e-6, 180e-9)


@functools.cache
def estimated() -> Estimate:
    return dt.estimate(dt.load_network("autoencoder_ad"), dt.load_accelerator("edge_tpu"))


def timed(timing: DramTiming) -> Accelerator:
    accelerator = estimated().accelerator
    return replace(accelerator, levels=(replace(accelerator.memories[0], timing=timing), *accelerator.levels[1:]))


def simulated(accelerator: Accelerator, **settings: Any) -> dt.Timeline:
    return dt.simulate(estimated().network, accelerator, estimated().schedule, **settings)


def test_a_networks_time_grows_with_rows_and_refresh() -> None:
    still = replace(LPDDR4, refresh_interval_s=math.inf, refresh_time_s=0.0)
    plain, rows, all_of_it = (simulated(one) for one in (estimated().accelerator, timed(still), timed(LPDDR4)))
    assert plain.cycles < rows.cycles < all_of_it.cycles < 1.1 * rows.cycles
    assert plain.moved == rows.moved == all_of_it.moved
    assert {f"dram channel {k}" for k in range(2)} < {share.track for share in rows.shares}
    assert rows.critical["dram"] > 0.5 * rows.cycles


def test_stepping_changes_nothing_with_timing() -> None:
    assert simulated(timed(LPDDR4)).cycles == simulated(timed(LPDDR4), stepping=False).cycles


@pytest.mark.parametrize("arbitration", get_args(Policy))
def test_every_arbitration_gives_a_sound_timeline(arbitration: Policy, tmp_path: Path) -> None:
    found = simulated(timed(LPDDR4), cores=2, policy="pipeline", runs=3, arbitration=arbitration)
    found.to_chrome_trace(tmp_path / "trace.json")
    assert check_trace(tmp_path / "trace.json") == []
    again = simulated(timed(LPDDR4), cores=2, policy="pipeline", runs=3, arbitration=arbitration)
    assert (again.cycles, again.log) == (found.cycles, found.log)


def test_on_one_core_arbitration_makes_no_difference() -> None:
    found = [simulated(timed(LPDDR4), arbitration=one).cycles for one in get_args(Policy)]
    assert len(set(found)) == 1


def test_an_unknown_arbitration_is_refused() -> None:
    with pytest.raises(UnknownName, match="round_robin"):
        simulated(estimated().accelerator, arbitration="round-robin")
