"""The lower bound of operators and networks: below every mapping, exact where nothing inside limits."""

from __future__ import annotations

import math

import pytest

import dovetail as dt
from dovetail.errors import BadInput
from dovetail.mapper.base import Limits
from dovetail.mapper.bounds import least_cost, roofline
from dovetail.mapper.objective import Objective
from dovetail.mapper.roofline import roofline_estimate
from dovetail.models.op import linear

FEW = Limits(evaluations=300)


@pytest.mark.parametrize("chip", ["a100", "tpu_v4", "edge_tpu", "pixel6"])
def test_the_bound_of_a_network_is_below_its_mapped_cost(chip):
    network, accelerator = dt.load_network("ds_cnn_kws", batch=4), dt.load_accelerator(chip)
    least = roofline_estimate(network, accelerator)
    mapped = dt.estimate(network, accelerator, "annealing", limits=FEW)
    assert 0.0 < least.latency_s <= mapped.latency_s * (1 + 1e-9)
    assert 0.0 < least.energy_j <= mapped.energy_j * (1 + 1e-9)


def test_the_bound_holds_for_every_operator_of_a_training_step():
    accelerator = dt.load_accelerator("a100")
    step = dt.training_step(dt.load_network("ds_cnn_kws", batch=8))
    least = roofline_estimate(step.network, accelerator)
    mapped = dt.estimate(step.network, accelerator, "annealing", limits=FEW)
    for below, above in zip(least.costs, mapped.costs, strict=True):
        assert below.latency_s <= above.latency_s * (1 + 1e-9)
        assert below.energy_j <= above.energy_j * (1 + 1e-9)


def test_a_large_product_is_bound_by_compute_at_its_peak():
    accelerator = dt.load_accelerator("a100")
    op = linear("square", n=8192, k=8192, c=8192, bits=16, bias=False)
    cost = least_cost(op, accelerator)
    assert cost.bound == "compute"
    assert cost.utilization == pytest.approx(1.0)
    assert cost.latency_s == pytest.approx(2 * 8192**3 / accelerator.peak_ops_per_s)


def test_a_thin_product_is_bound_by_its_words_over_the_bandwidth():
    accelerator = dt.load_accelerator("a100")
    op = linear("thin", n=1, k=8192, c=8192, bits=16, bias=False)
    cost = least_cost(op, accelerator)
    words = 8192**2 + 2 * 8192
    assert cost.bound == "dram"
    assert cost.latency_s == pytest.approx(words * 16 / (2039e9 * 8))


def test_the_breakdown_of_a_bound_sums_to_it():
    cost = least_cost(linear("fc", n=4, k=64, c=64), dt.load_accelerator("edge_tpu"))
    assert math.fsum(cost.energy.values()) == pytest.approx(cost.energy_j)
    assert roofline(linear("fc", n=4, k=64, c=64), dt.load_accelerator("edge_tpu"), Objective.parse("edp")) == (
        pytest.approx(cost.edp)
    )


def test_a_name_is_no_network():
    with pytest.raises(BadInput, match="load_network"):
        roofline_estimate("resnet50", dt.load_accelerator("a100"))
