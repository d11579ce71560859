"""The shipped training hardware: published rates, areas and powers come out of the specs."""

from __future__ import annotations

import pytest

import dovetail as dt
from dovetail.mapper.base import Limits
from dovetail.models.op import linear

PUBLISHED = {  # TFLOPS at 16 bits, mm2, W idle, W at most, memory in bytes, bytes per second
    "a100": (312, 826, 53, 400, 80e9, 2039e9),
    "h100": (989.4, 814, 70, 700, 80e9, 3350e9),
    "h200": (989.4, 814, 80, 700, 141e9, 4800e9),
    "tpu_v4": (275, 600, 90, 250, 32 * 2**30, 1200e9),  # 192 W is the most measured, a limit is not published
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_rates_areas_and_memories_are_the_published_ones(name):
    chip = dt.load_accelerator(name)
    tflops, area, idle, _, size, bandwidth = PUBLISHED[name]
    assert chip.peak_ops_per_s == pytest.approx(tflops * 1e12, rel=2e-3)
    assert chip.area_mm2 == pytest.approx(area)
    assert chip.standing_w == pytest.approx(idle)
    assert chip.memories[0].size_bits == pytest.approx(8 * size)
    assert chip.memories[0].read_bandwidth_bits_per_s == pytest.approx(8 * bandwidth)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_product_bound_by_compute_draws_between_idle_and_the_limit(name):
    op = linear("square", n=4096, k=4096, c=4096, bits=16, bias=False)
    cost = dt.best_mapping(op, dt.load_accelerator(name), mapper="annealing", limits=Limits(evaluations=3000)).cost
    assert cost.utilization > 0.4
    assert PUBLISHED[name][2] < cost.energy_j / cost.latency_s < PUBLISHED[name][3]


@pytest.mark.parametrize(("name", "bits", "share"), [
    ("a100", 16, 1.0), ("a100", 32, 0.5), ("h100", 8, 2.0), ("h100", 16, 1.0), ("h100", 32, 0.5),
])  # fmt: skip
def test_rates_follow_the_width_of_the_operands(name, bits, share):
    chip = dt.load_accelerator(name).with_parameters(operand=f"{bits} bit")
    assert chip.peak_ops_per_s == pytest.approx(share * PUBLISHED[name][0] * 1e12, rel=2e-3)


@pytest.mark.parametrize("name", PUBLISHED)
def test_notes_say_what_is_published_inferred_and_chosen(name):
    notes = dt.load_accelerator(name).notes
    assert {note.partition(":")[0] for note in notes} >= {"published", "inferred", "our choice", "not modelled"}
