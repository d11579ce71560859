"""What a frame costs on the array by the area that is kept."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dt
from dovetail import BadInput
from dovetail.cosearch.video.backbone import block_sparse, detector_resnet18
from dovetail.cosearch.video.cost import ArrayCost, array_cost, fetch_cost, pass_cost, without_sparsity
from dovetail.models.builder import NetworkBuilder

PICTURE = (128, 256)
BLOCK = (("K", 16), ("C", 16))


def small(height: int, width: int) -> dt.Network:
    builder = NetworkBuilder("small", channels=16, height=height // 4, width=width // 4)
    builder.conv("fine", 32, 3, activation="relu")
    builder.conv("coarse", 32, 3, stride=4)
    return builder.build()


@pytest.fixture(scope="module")
def chip() -> dt.Accelerator:
    return dt.load_accelerator("block_sparse_edge")


@pytest.fixture(scope="module")
def cost(chip) -> ArrayCost:
    return array_cost(small, chip, PICTURE, (1.0, 0.25))


def tiles(*marked: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((4, 8), bool)
    for place in marked:
        mask[place] = True
    return mask


def test_a_whole_frame_takes_what_a_simulated_run_of_the_network_takes(chip, cost):
    estimate = dt.estimate(small(*PICTURE), chip)
    assert cost.whole.seconds == pytest.approx(dt.simulate(small(*PICTURE), chip, schedule=estimate.schedule).latency_s)
    standing = chip.standing_w * estimate.latency_s
    assert cost.whole.energy_j == pytest.approx(estimate.energy_j - standing, rel=1e-6)
    assert cost.of(np.ones((4, 8), bool), 32) == cost.whole


def test_nothing_kept_costs_nothing(cost):
    assert cost.of(tiles(), 32).seconds == 0.0


def test_cost_grows_with_the_area_but_not_below_the_smallest_picture_mapped(cost):
    few = cost.of(tiles((0, 0)), 32)
    more = cost.of(tiles(*((row, column) for row in range(3) for column in range(5))), 32)
    assert few.seconds < more.seconds < cost.whole.seconds
    assert few.energy_j < more.energy_j < cost.whole.energy_j
    smallest = array_cost(small, dt.load_accelerator("block_sparse_edge"), (32, 256), (1.0,)).whole
    assert few.seconds >= smallest.seconds * 0.9


def test_scattered_tiles_cost_more_than_the_same_number_side_by_side(cost):
    together = cost.of(tiles(*((row, column) for row in (0, 1) for column in range(4))), 32)
    apart = cost.of(tiles(*((row, column) for row in (0, 2) for column in (0, 2, 4, 6))), 32)
    assert apart.seconds > together.seconds


def test_a_blocks_share_of_the_weights_takes_its_share_of_the_steps(chip, cost):
    sparse = array_cost(lambda height, width: block_sparse(small(height, width), 0.5, BLOCK), chip, PICTURE, (1.0,))
    assert 0.45 < sparse.whole.seconds / cost.whole.seconds < 0.8
    assert sparse.whole.energy_j < cost.whole.energy_j


def test_an_engine_without_sparsity_is_as_fast_for_dense_weights_and_no_faster_for_sparse_ones(chip, cost):
    plain = without_sparsity(chip)
    dense = array_cost(small, plain, PICTURE, (1.0,)).whole
    sparse = array_cost(lambda height, width: block_sparse(small(height, width), 0.5, BLOCK), plain, PICTURE, (1.0,))
    assert dense.seconds == pytest.approx(cost.whole.seconds)
    assert sparse.whole.seconds == pytest.approx(dense.seconds)


def test_only_layers_that_whole_blocks_fill_are_pruned():
    network = block_sparse(detector_resnet18(720, 1280), 0.5, BLOCK)
    densities = {op.name: op.tensor("weight").density for op in network.contractions}
    assert densities.pop("answer") == 1.0
    assert set(densities.values()) == {0.5}
    assert block_sparse(network, 1.0, BLOCK) is network


def test_passes_and_fetches_leave_standing_power_out(chip):
    work = pass_cost("look", chip, operations=1e6, read=1e6, written=0)
    assert work.seconds >= 1e6 / (chip.vector.lanes * chip.clock_hz)
    assert work.energy_j > 0
    assert fetch_cost(chip, 51.2e9).seconds == pytest.approx(1.0)


@pytest.mark.parametrize("shares", [(0.5,), (1.0, 0.0), (2.0, 1.0)])
def test_shares_that_are_none_or_lack_the_whole_are_refused(chip, shares):
    with pytest.raises(BadInput, match="shar"):
        array_cost(small, chip, PICTURE, shares)
