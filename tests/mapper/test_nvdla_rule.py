"""NVDLA's rule of tiling: what stays in the convolution buffer, and how often the rest is read."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import dovetail as dt
from dovetail.accel.accelerator import Accelerator, Memory
from dovetail.errors import BadInput, Infeasible
from dovetail.mapper.base import MappingResult
from dovetail.mapper.registry import mapper_names
from dovetail.models.op import Op, batched_matmul, conv2d, linear

KIB = 1024


def mapped(op: Op, accelerator: Accelerator) -> MappingResult:
    return dt.best_mapping(op, accelerator, "latency", "nvdla", cache=False)


def dram_bytes(op: Op, accelerator: Accelerator) -> dict[str, float]:
    dram = accelerator.memories[0]
    energy = mapped(op, accelerator).cost.energy
    per_byte = 8 * dram.read_energy_j_per_bit
    return {tensor: joules / per_byte for (name, tensor), joules in energy.items() if name == "dram"}


def plain(**parameters: object) -> Accelerator:
    return dt.load_accelerator("nvdla").with_parameters(**parameters)


def test_what_fits_is_read_once() -> None:
    op = conv2d("conv", k=256, c=64, p=56, q=56, r=1, s=1)
    assert dram_bytes(op, plain()) == pytest.approx({role: op.words(role) for role in ("input", "weight", "output")})


def test_the_smaller_operand_stays_in_parts_and_the_other_is_read_for_each() -> None:
    # 784 KiB of input past 512 KiB of weights, of which a buffer of 512 KiB holds less than the whole.
    op = conv2d("conv", k=1024, c=512, p=56, q=28, r=1, s=1)
    moved = dram_bytes(op, plain())
    assert moved["weight"] == op.words("weight") == 512 * KIB
    assert moved["input"] == 2 * op.words("input") == 2 * 784 * KIB


def test_inputs_in_strips_have_the_weights_read_for_each() -> None:
    op = conv2d("conv", k=2048, c=512, p=28, q=28, r=1, s=1)  # 392 KiB of input, 1 MiB of weights
    moved = dram_bytes(op, plain(cbuf="256 KiB"))
    strips = math.ceil(392 / (256 - 16))  # beside a group of 32 kernels
    assert moved["weight"] == strips * op.words("weight")
    assert moved["input"] == op.words("input")


def test_a_group_of_kernels_is_halved_where_it_leaves_no_room() -> None:
    op = conv2d("conv", k=512, c=512, p=7, q=7, r=3, s=3)  # 32 kernels are 144 KiB
    moved = dram_bytes(op, plain(cbuf="128 KiB", kernels=8, channels=8))
    assert moved["weight"] == op.words("weight")


def test_extended_weights_take_their_room_in_the_buffer() -> None:
    # Stored weights of a 1x1 filter at stride 2 are four times as many; they need two passes where they would need one.
    op = conv2d("conv", k=512, c=256, p=28, q=28, r=1, s=1, stride=(2, 2))
    moved = dram_bytes(op, plain())
    assert moved["input"] == 2 * op.words("input")


def test_every_multiplier_works_where_channels_and_kernels_divide() -> None:
    op = conv2d("conv", k=128, c=128, p=28, q=28, r=3, s=3)
    assert mapped(op, plain()).cost.compute_utilization == 1.0


def test_an_image_packs_columns_and_rows_along_the_channels() -> None:
    op = conv2d("image", k=64, c=3, p=112, q=112, r=7, s=7, stride=(2, 2))
    assert mapped(op, plain()).cost.compute_cycles == 2 * 4 * 112 * 112  # 3 channels x 7 columns x 2 of 7 rows


def test_samples_of_a_linear_layer_share_the_weights() -> None:
    op = linear("fc", n=16, k=1000, c=2048)
    assert dram_bytes(op, plain())["weight"] == pytest.approx(op.words("weight"))


@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_the_optimal_mapper_is_never_worse(objective: str) -> None:
    op = conv2d("conv", k=32, c=16, p=8, q=8, r=1, s=1)
    rule = dt.best_mapping(op, plain(), objective, "nvdla", cache=False)
    best = dt.best_mapping(op, plain(), objective, cache=False)
    assert best.cost.objective(objective) <= rule.cost.objective(objective) * (1 + 1e-9)


def test_activations_that_stay_on_the_chip_leave_the_dram_to_weights() -> None:
    network = dt.load_network("resnet50", authors=True)
    found = dt.estimate(network, dt.load_accelerator("nvdla_large"), "nvdla", "latency", cache=False)
    assert found.schedule.plan is not None
    assert found.schedule.plan.resident_share == 1.0
    moved = {tensor for cost in found.costs[4:-2] for (name, tensor) in cost.energy if name == "dram"}
    assert moved == {"weight"}


def test_a_buffer_too_small_for_one_row_is_infeasible() -> None:
    chip = plain()
    small = replace(chip.levels[1], size_bits=8.0 * KIB) if isinstance(chip.levels[1], Memory) else None
    assert small is not None
    op = conv2d("conv", k=64, c=512, p=56, q=56, r=3, s=3)
    with pytest.raises(Infeasible, match="cbuf of 'nvdla' holds 8192 bit"):
        mapped(op, replace(chip, levels=(chip.levels[0], small, *chip.levels[2:])))


def test_another_kind_of_accelerator_is_refused() -> None:
    with pytest.raises(BadInput, match="'gemmini' is no convolution core"):
        mapped(conv2d("conv", k=8, c=8, p=8, q=8, r=1, s=1), dt.load_accelerator("gemmini"))


def test_products_of_activations_are_mapped_group_by_group() -> None:
    op = batched_matmul("scores", g=12, n=128, k=128, c=64)
    assert mapped(op, plain()).cost.macs == op.macs


def test_the_rule_is_no_mapper_for_any_accelerator() -> None:
    assert "nvdla" not in mapper_names()
