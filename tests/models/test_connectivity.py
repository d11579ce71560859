"""Paths, effective depth and width of graphs counted by hand, of networks, and of NAS-Bench-201's cells."""

import itertools
import math

import pytest

from dovetail.cosearch.spaces.cell_statistics import CELL_STATISTICS, cell_statistics
from dovetail.errors import BadInput
from dovetail.models.builder import NetworkBuilder
from dovetail.models.connectivity import connectivity, graph_connectivity
from dovetail.models.load import load_network
from dovetail.models.zoo.nasbench201 import NASBENCH201_OPERATIONS


def test_two_paths_of_two_layers_and_none_have_depth_one_and_width_one():
    found = graph_connectivity([(0, 1, True), (0, 2, False), (1, 2, True)], 0, 2)
    assert (found.paths, found.deep_paths, found.longest, found.shortest) == (2, 1, 2, 0)
    assert found.effective_depth == 1.0
    assert found.effective_width == 1.0


def test_parallel_edges_are_paths_of_their_own():
    found = graph_connectivity([(0, 1, True), (0, 1, True), (0, 1, False)], 0, 1)
    assert (found.paths, found.deep_paths) == (3, 2)
    assert found.effective_depth == pytest.approx(2 / 3)
    assert found.effective_width == pytest.approx(3.0)


def test_a_graph_without_a_path_has_no_depth():
    found = graph_connectivity([(0, 1, True), (2, 3, True)], 0, 3)
    assert (found.paths, found.effective_depth, found.effective_width, found.log_paths) == (0, 0.0, 0.0, 0.0)


def test_an_edge_that_comes_after_its_end_was_left_is_refused():
    with pytest.raises(BadInput, match="sort the edges"):
        graph_connectivity([(1, 2, True), (0, 1, True)], 0, 2)


def test_a_chain_has_one_path_through_every_layer():
    builder = NetworkBuilder("chain", channels=3, height=8, width=8)
    for index in range(4):
        builder.conv(f"conv{index}", 8, 3)
    builder.global_average_pool("pool")
    builder.linear("classifier", 10)
    found = connectivity(builder.build())
    assert (found.paths, found.longest, found.shortest) == (1, 5, 5)


def test_each_residual_block_doubles_the_paths():
    found = connectivity(load_network("resnet18"))
    # Five of eight blocks add their own input, three a 1x1 convolution of it: 2^8 paths.
    assert found.paths == 2**8
    assert found.longest == 18
    assert found.effective_depth == 2 + 5 * 1.0 + 3 * 1.5


def test_paths_beyond_a_float_are_counted():
    found = graph_connectivity([edge for n in range(2000) for edge in ((n, n + 1, True), (n, n + 1, False))], 0, 2000)
    assert found.paths == 2**2000
    assert found.effective_depth == 1000.0
    assert found.log_paths == pytest.approx(2000 * math.log(2))
    assert found.effective_width == math.inf


def test_the_published_range_of_depth_and_width_keeps_526_of_1000_cells():
    # d in [0.99, 2.51], m in [0.99, 3.01]: the range for NAS-Bench-201 in the code of Chen et al., NeurIPS 2022.
    depth, width = (CELL_STATISTICS.index(name) for name in ("effective_depth", "effective_width"))
    kept = 0
    for cell in itertools.product(NASBENCH201_OPERATIONS, repeat=6):
        numbers = cell_statistics(cell)
        kept += 0.99 <= numbers[depth] <= 2.51 and 0.99 <= numbers[width] <= 3.01
    assert kept / 5**6 == pytest.approx(0.526, abs=5e-4)


def test_edges_no_output_depends_on_change_no_statistic():
    live = ("nor_conv_3x3", "none", "none", "skip_connect", "nor_conv_1x1", "none")
    dead = ("nor_conv_3x3", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "none")
    assert cell_statistics(live).tolist() == cell_statistics(dead).tolist()
