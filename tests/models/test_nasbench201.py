"""NAS-Bench-201: cells are read, what no output depends on is left out, counts are the benchmark's."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import BadInput
from dovetail.models import Op, load_network
from dovetail.models.zoo.nasbench201 import (
    NASBENCH201_EDGES,
    NASBENCH201_OPERATIONS,
    live_edges,
    nasbench201,
    parse_cell,
)


def cell(*operations):
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def paths(operations, node=0):
    """All paths of edges from a node to the last that avoid ``none``."""
    if node == 3:
        return [()]
    return [
        (index, *rest)
        for index, (start, end) in enumerate(NASBENCH201_EDGES)
        if start == node and operations[index] != "none"
        for rest in paths(operations, end)
    ]


@given(st.lists(st.sampled_from(NASBENCH201_OPERATIONS), min_size=6, max_size=6))
def test_an_edge_is_live_where_a_path_to_the_output_leads_through_it(operations):
    used = {index for path in paths(operations) for index in path}
    assert live_edges(tuple(operations)) == tuple(index in used for index in range(6))


def test_the_notation_is_read_in_the_order_of_the_edges():
    operations = ("nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "skip_connect")
    assert parse_cell(cell(*operations)) == operations


@pytest.mark.parametrize(("operation", "macs"), [("nor_conv_3x3", 35_389_440), ("nor_conv_1x1", 3_932_160)])
def test_an_edge_multiplies_as_often_as_fifteen_of_its_convolutions(operation, macs):
    skip = nasbench201(cell("none", "none", "none", "skip_connect", "none", "none"))
    one = nasbench201(cell("none", "none", "none", operation, "none", "none"))
    assert one.macs - skip.macs == macs


def test_dead_edges_are_left_out_unless_asked_for():
    dead = cell("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "none")
    bare = nasbench201(cell("none", "none", "none", "skip_connect", "none", "none"))
    assert [layer.op.name for layer in nasbench201(dead)] == [layer.op.name for layer in bare]
    assert nasbench201(dead, all_edges=True).macs == bare.macs + 2 * 35_389_440


def test_a_node_adds_what_arrives():
    network = nasbench201(cell("skip_connect", "nor_conv_1x1", "avg_pool_3x3", "none", "none", "skip_connect"))
    sums = [layer for layer in network if layer.op.kind == "add" and layer.op.name.startswith("cell0.0")]
    assert [layer.inputs for layer in sums] == [("cell0.0.02", "cell0.0.12")]


def test_parameters_agree_with_the_benchmark_once_batch_norm_is_unfolded(reference):
    with (reference / "nasbench201" / "nasbench201.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["zc_cifar10_params"]][:40]
    for row in rows:
        network = nasbench201(row["arch_str"], all_edges=True)
        folded = sum(op.bias for op in network.ops if isinstance(op, Op) and op.kind == "conv2d")
        # The benchmark's column is in millions and printed with six digits.
        assert (network.params + folded) / 1e6 == pytest.approx(float(row["zc_cifar10_params"]), rel=1e-5)


def test_a_cell_is_named_behind_a_colon():
    arch = cell("none", "none", "none", "nor_conv_1x1", "none", "none")
    assert load_network(f"nasbench201:{arch}", batch=2) == nasbench201(arch, batch=2)


@pytest.mark.parametrize(("arch", "message"), [
    ("|skip_connect~0|", "is no cell"),
    (cell("none", "none", "none", "skip_connect", "none", "max_pool_3x3"), "'max_pool_3x3' is no operation"),
    (cell("skip_connect", "none", "none", "none", "none", "skip_connect"), "no path leads through"),
])
def test_what_is_no_cell_is_refused(arch, message):
    with pytest.raises(BadInput, match=message):
        load_network(f"nasbench201:{arch}")


def test_other_networks_take_no_description():
    with pytest.raises(BadInput, match="resnet18:x"):
        load_network("resnet18:x")
