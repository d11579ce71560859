"""Row-stationary sets of processing elements on an array."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from dovetail.accel import Mapping, evaluate, load_accelerator
from dovetail.accel.row_stationary import RowStationary
from dovetail.errors import BadInput, Infeasible
from dovetail.models import conv2d, linear, load_network
from dovetail.models.op import Op

PUBLISHED = {
    "conv1": (RowStationary(m=96, n=1, e=7, p=16, q=1, r=1, t=2), 154),
    "conv2": (RowStationary(m=64, n=1, e=27, p=16, q=2, r=1, t=1), 135),
    "conv3": (RowStationary(m=64, n=4, e=13, p=16, q=4, r=1, t=4), 156),
    "conv4": (RowStationary(m=64, n=4, e=13, p=16, q=3, r=2, t=2), 156),
    "conv5": (RowStationary(m=64, n=4, e=13, p=16, q=3, r=2, t=2), 156),
}  # Chen et al., JSSC 2017, Tables III and V


def alexnet(layer: str) -> Op:
    network = load_network("alexnet", batch=4, grouped=True, bits=16)
    return next(op for op in network.contractions if op.name == layer)


def elements_with_work(op: Op, mapping: Mapping) -> int:
    """Instances of the array whose offsets lie inside the tile of a pass, counted one by one."""
    loops = next(level for level in mapping.levels if level.level == "pe_array").loops
    steps: dict[str, int] = {}
    for level in mapping.levels[[one.level for one in mapping.levels].index("pe_array") + 1 :]:
        for loop in level.loops:
            steps[loop.dim] = steps.get(loop.dim, 1) * loop.bound
    sizes = []
    for loop in reversed(loops):
        sizes.append((loop.dim, steps.get(loop.dim, 1)))
        steps[loop.dim] = steps.get(loop.dim, 1) * loop.bound
    count = 0
    for index in itertools.product(*(range(loop.bound) for loop in reversed(loops))):
        at: dict[str, int] = {}
        for (dim, step), k in zip(sizes, index, strict=True):
            at[dim] = at.get(dim, 0) + k * step
        count += all(at[dim] < op.bounds[dim] for dim in at)
    return count


@pytest.mark.parametrize("layer", PUBLISHED)
def test_as_many_elements_work_as_on_the_chip(layer: str) -> None:
    op, (dataflow, published) = alexnet(layer), PUBLISHED[layer]
    assert dataflow.active_elements(op) == published
    assert elements_with_work(op, dataflow.mapping(op, load_accelerator("eyeriss_chip"))) == published


@pytest.mark.parametrize("layer", PUBLISHED)
def test_the_published_parameters_fit_the_chip_and_no_larger_ones(layer: str) -> None:
    op, (dataflow, _) = alexnet(layer), PUBLISHED[layer]
    chip = load_accelerator("eyeriss_chip")
    cost = evaluate(op, chip, dataflow.mapping(op, chip))
    assert cost.compute_cycles >= op.macs / dataflow.active_elements(op)
    larger = replace(dataflow, m=2 * dataflow.m, n=2 * dataflow.n).mapping(op, chip)
    with pytest.raises(Infeasible, match="glb"):
        evaluate(op, chip, larger)


def test_a_set_wider_than_the_array_is_folded() -> None:
    chip = load_accelerator("eyeriss_chip")
    mapping = RowStationary(m=4, n=1, e=20, p=4, q=1, r=1, t=1).mapping(
        conv2d("c", k=4, c=2, p=20, q=8, r=3, s=3), chip
    )
    array = next(level for level in mapping.levels if level.level == "pe_array")
    assert sorted(map(str, array.loops)) == ["P14@x", "P2@y", "R3@y"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"e": 0}, "e is 0; it must be at least 1"),
        ({"t": 9}, "1 x 9 sets of 3 x 13 elements do not fit an array of 12 x 14; lower e, r or t"),
        ({"r": 5}, "5 x 1 sets of 3 x 13 elements do not fit"),
    ],
)
def test_sets_that_do_not_fit_are_refused(changes: dict[str, int], message: str) -> None:
    op = conv2d("conv", k=64, c=16, p=13, q=13, r=3, s=3)
    with pytest.raises(BadInput, match=message):
        RowStationary(**{"m": 64, "n": 1, "e": 13, "p": 16, "q": 1, "r": 1, "t": 1} | changes).mapping(
            op, load_accelerator("eyeriss_chip")
        )


def test_filters_taller_than_the_array_are_refused() -> None:
    op = conv2d("tall", k=4, c=4, p=8, q=8, r=13, s=1)
    with pytest.raises(BadInput, match="do not fit an array of 12 x 14"):
        RowStationary(m=4, n=1, e=8, p=4, q=1, r=1, t=1).mapping(op, load_accelerator("eyeriss_chip"))


def test_other_operators_and_other_chips_are_refused() -> None:
    dataflow = RowStationary(m=4, n=1, e=4, p=4, q=1, r=1, t=1)
    with pytest.raises(BadInput, match="fc: row stationary maps convolutions, and this has no dimension P"):
        dataflow.mapping(linear("fc", n=1, k=4, c=4), load_accelerator("eyeriss_chip"))
    with pytest.raises(BadInput, match="'edge_tpu' is not built for row stationary"):
        dataflow.mapping(conv2d("c", k=4, c=4, p=4, q=4, r=3, s=3), load_accelerator("edge_tpu"))
