"""A sweep of sampled hardware: known on the sample, infinite elsewhere, the same each time."""

from dataclasses import dataclass

import numpy as np
import pytest

from dovetail.accel.spec import load_accelerator
from dovetail.cosearch.spaces.hardware import hardware_defaults, hardware_space
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.sweep.sampled import SampledSweep
from dovetail.errors import BadInput, Infeasible

NETWORKS = network_space("digits_cells")
CHIP = load_accelerator("edge_tpu")
HARDWARE = hardware_space(CHIP)


@dataclass
class Costs:
    latency_s: float
    energy_j: float


def estimated(network, accelerator, hardware):
    if hardware["hw.pes_x"] == 1:
        raise Infeasible("too narrow")
    return Costs(network.macs / accelerator.peak_ops_per_s, 1e-12 * network.macs)


def test_costs_are_known_on_the_sample_and_infinite_elsewhere():
    sweep = SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=20)
    found = sweep.costs(NETWORKS.baseline())
    assert len(found.latency_s) == HARDWARE.size
    known = {number for number in sweep.sample if HARDWARE.point(number)["hw.pes_x"] != 1}
    assert set(np.flatnonzero(np.isfinite(found.latency_s))) == known
    assert len(sweep.sample) == 21
    assert np.isfinite(sweep.area_mm2[list(sweep.sample)]).all()


def test_the_default_is_swept_and_all_are_within_the_area():
    sweep = SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=20, area_mm2=CHIP.area_mm2)
    defaults = hardware_defaults(CHIP)
    assert HARDWARE.number({name: defaults[name] for name in HARDWARE.names}) in sweep.sample
    assert max(chip.area_mm2 for chip in sweep.sample.values()) <= CHIP.area_mm2


def test_a_seed_draws_the_same_sample():
    first, same, other = (SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=9, seed=seed) for seed in (1, 1, 2))
    assert list(first.sample) == list(same.sample) != list(other.sample)


def test_where_none_is_within_the_area_the_smallest_drawn_stands_for_all():
    sample = SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=5, area_mm2=1e-6).sample
    drawn = SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=200).sample
    assert len(sample) == 1
    assert min(chip.area_mm2 for chip in sample.values()) <= min(chip.area_mm2 for chip in drawn.values())


def test_no_points_are_no_sample():
    with pytest.raises(BadInput, match="at least 1"):
        SampledSweep(NETWORKS, CHIP, HARDWARE, estimated, points=0)
