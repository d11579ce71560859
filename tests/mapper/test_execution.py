"""How an accelerator's spec changes what its operators are before they are mapped."""

from __future__ import annotations

from dataclasses import replace

import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator
from dovetail.accel.spec import accelerator_from_document
from dovetail.document import parse_document
from dovetail.errors import SpecError
from dovetail.mapper.base import Limits
from dovetail.mapper.execution import executed, extension, fused
from dovetail.models.builder import NetworkBuilder
from dovetail.models.network import Network
from dovetail.models.op import Op, conv2d, linear
from dovetail.models.winograd import winograd

SPEC = """
name: core
technology: 16 nm
clock: 1 GHz
TOP
levels:
  - {name: dram, type: memory, component: dram, size: unbounded, keeps: [input, weight, output], bandwidth: 4 GB/s}
  - {name: sram, type: memory, size: 64 KiB, keeps: [input, weight, output], double_buffered: true, MEMORY
     read_bandwidth: 64 B/cycle, write_bandwidth: 64 B/cycle}
  - {name: cells, type: array, shape: {k: 8, c: 8}, dims: {k: [K], c: [C]}}
  - {name: mac, type: compute, COMPUTE operand: 8 bit}
  - {name: vector, type: vector, VECTOR lanes: 8}
"""


def chip(*, top: str = "", memory: str = "", compute: str = "", vector: str = "") -> Accelerator:
    text = SPEC.replace("TOP", top).replace("MEMORY", memory).replace("COMPUTE", compute).replace("VECTOR", vector)
    return accelerator_from_document(parse_document(text, "core.yaml"))


def residual() -> Network:
    """A convolution, another one behind it, their sum, and a pool."""
    builder = NetworkBuilder("residual", channels=8, height=8, width=8)
    builder.conv("first", 8, 3)
    start = builder.here
    builder.conv("second", 8, 3)
    builder.add("sum", start, activation="relu")
    builder.max_pool("pool", 2, stride=2)
    return builder.build()


def run(network: Network, accelerator: Accelerator) -> dt.Estimate:
    return dt.estimate(network, accelerator, "random", "latency", cache=False, limits=Limits(evaluations=500))


def test_an_accelerator_without_such_keys_executes_what_is_stated() -> None:
    fusion = fused(residual(), chip())
    assert fusion.network == residual()
    assert not fusion.moved
    pairs = [(op, chip()) for op in residual().contractions]
    assert executed(pairs, {}) == pairs


def test_an_addition_and_a_pool_join_the_convolution_computed_last() -> None:
    fusion = fused(residual(), chip(vector="fuses: [add, max_pool],"))
    assert fusion.moved == {"second": (8 * 8 * 8, 8 * 4 * 4)}  # the other operand comes, the pooled tensor leaves
    by_name = {layer.op.name: layer for layer in fusion.network}
    assert by_name["sum"].op.fused  # type: ignore[union-attr]
    assert by_name["sum"].inputs == ("second", "first")


def test_fusing_twice_is_fusing_once() -> None:
    accelerator = chip(vector="fuses: [add, max_pool],")
    once = fused(residual(), accelerator)
    assert fused(once.network, accelerator) == once


def test_an_operator_whose_producer_is_read_elsewhere_stays_by_itself() -> None:
    builder = NetworkBuilder("branch", channels=8, height=8, width=8)
    builder.conv("conv", 8, 1)
    point = builder.here
    builder.max_pool("pool", 2, stride=2)
    builder.resume(point)
    builder.conv("other", 8, 1)
    assert not fused(builder.build(), chip(vector="fuses: [max_pool],")).moved


def test_a_fused_chain_moves_its_second_operands_and_what_leaves_it() -> None:
    accelerator = chip(vector="fuses: [add, max_pool],")
    found = run(residual(), accelerator)
    dram, cost = accelerator.memories[0], found.costs[1]
    assert found.network.layers[1].op.name == "second"
    assert cost.energy["dram", "output"] == pytest.approx((512 + 128) * 8 * dram.write_energy_j_per_bit)
    for fused_cost, layer in zip(found.costs[2:], found.network.layers[2:], strict=True):
        assert ("dram", "output") not in fused_cost.energy, layer.op.name


def test_where_ports_are_separate_second_operands_come_with_the_input() -> None:
    split = chip(vector="fuses: [add],")
    dram = replace(split.memories[0], shared_port=False)
    split = replace(split, levels=(dram, *split.levels[1:]))
    op = conv2d("conv", k=8, c=4, p=8, q=8, r=1, s=1)
    [(_, variant)] = executed([(op, split)], {"conv": (512, 512)})
    assert variant.memories[0].bits("input", 8) == 8 + 8 * 512 / 256
    assert variant.memories[0].bits("output", 8) == 8


@pytest.mark.parametrize(
    ("op", "stored", "fetched"),
    [
        (conv2d("plain", k=1, c=1, p=8, q=8, r=3, s=3), 1.0, 1.0),
        (conv2d("point", k=1, c=1, p=8, q=8, r=1, s=1, stride=(2, 2)), 4.0, 4.0),
        (conv2d("image", k=1, c=1, p=8, q=8, r=7, s=7, stride=(2, 2)), (8 / 7) ** 2, (22 / 21) ** 2),
        (linear("fc", n=1, k=4, c=4), 1.0, 1.0),
    ],
)
def test_channel_extension_pads_filters_to_strides_and_fetches_whole_strides(
    op: Op, stored: float, fetched: float
) -> None:
    assert extension(op) == pytest.approx((stored, fetched))


def test_winograd_runs_eligible_layers_with_fewer_multiplications_and_stays_below_the_peak() -> None:
    direct, transformed = (run(residual(), chip(compute=keys)) for keys in ("", "winograd: true,"))
    assert sum(cost.macs for cost in transformed.costs) == sum(cost.macs for cost in direct.costs) * 4 / 9
    assert transformed.utilization <= 1.0
    assert [op for op, _ in transformed.executions if isinstance(op, Op)] == [
        winograd(op) for op in residual().contractions
    ]


def test_a_schedule_costs_again_what_the_estimate_says() -> None:
    estimate = run(residual(), chip(compute="winograd: true, channel_extension: true,", vector="fuses: [add],"))
    for (op, variant), mapping, cost in zip(
        estimate.executions, estimate.schedule.mappings, estimate.costs, strict=True
    ):
        if mapping is not None and isinstance(op, Op):
            assert dt.evaluate(op, variant, mapping) == cost


def test_back_to_back_hides_fills_and_drains_but_not_what_is_busy() -> None:
    apart, together = (run(residual(), chip(top=keys)) for keys in ("", "back_to_back: true"))
    for one, other in zip(apart.costs[:2], together.costs[:2], strict=True):
        assert other.cycles == one.steady_cycles < one.cycles
        assert other.cycles >= one.compute_cycles
        assert other.utilization <= other.compute_utilization
        assert sum(other.energy.values()) == pytest.approx(other.energy_j)


def test_the_clock_and_leakage_run_only_while_layers_that_overlap_last() -> None:
    found = run(residual(), chip(top="back_to_back: true", compute="clock_energy: 0.1 pJ, leakage: 1 mW,"))
    for cost in found.costs[:2]:
        assert cost.energy["clock", ""] == pytest.approx(found.accelerator.clock_w * cost.latency_s)
        assert cost.energy["leakage", ""] == pytest.approx(found.accelerator.leakage_w * cost.latency_s)
    assert found.breakdown()["clock"] == pytest.approx(found.accelerator.clock_w * found.latency_s)


@pytest.mark.parametrize("buffering", ["", "double_buffered: true,", "prefetched: true,"])
def test_what_is_hidden_at_the_ends_is_all_there_is_to_hide(buffering: str) -> None:
    text = SPEC.replace("double_buffered: true, MEMORY", buffering)
    for word in ("TOP", "COMPUTE", "VECTOR"):
        text = text.replace(word, "")
    found = run(residual(), accelerator_from_document(parse_document(text, "core.yaml")))
    for cost in found.costs[:2]:
        assert cost.compute_cycles <= cost.steady_cycles <= cost.cycles
        if buffering:  # nothing halts the compute, so that the ends are all that one resource does not hide
            words = sum(joules for (name, _), joules in cost.energy.items() if name == "dram")
            dram = found.accelerator.memories[0]
            moving = words / dram.read_energy_j_per_bit / dram.read_bandwidth_bits_per_s * found.accelerator.clock_hz
            assert cost.steady_cycles >= moving * (1 - 1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vector": "fuses: [softmax],"}, "fuses"),
        ({"vector": "fuses: [add, add],"}, "stands twice"),
        ({"compute": "winograd: 2,"}, "winograd"),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        chip(**change)
