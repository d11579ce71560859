"""The relaxed model equals the compiled one where tiles are whole, and is differentiable everywhere."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from nests import random_accelerator, random_case, random_op, with_waits

from dovetail.accel import load_accelerator
from dovetail.accel.accelerator import Accelerator, Array, Compute, Memory
from dovetail.accel.batch import Problem
from dovetail.accel.capacity import tile_bits
from dovetail.accel.mapping import LevelMapping, Loop, Mapping
from dovetail.accel.nest import Nest
from dovetail.accel.relaxed import RelaxedModel
from dovetail.accel.traffic import Traffic
from dovetail.errors import BadInput
from dovetail.models.op import ROLES, Op, conv2d, linear


def dressed(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """Random bandwidths, ports, widths, energies and second axes; room for everything."""
    levels = []
    for level in accelerator.levels:
        if isinstance(level, Memory):
            level = replace(
                level,
                read_bandwidth_bits_per_s=rng.choice([math.inf, 10 ** rng.uniform(8.5, 11)]),
                write_bandwidth_bits_per_s=rng.choice([math.inf, 10 ** rng.uniform(8.5, 11)]),
                shared_port=rng.random() < 0.3,
                double_buffered=rng.random() < 0.5,
                read_energy_j_per_bit=rng.random(),
                write_energy_j_per_bit=rng.random(),
                word_bits={} if rng.random() < 0.7 else {"output": 16},
            )
        elif isinstance(level, Array):
            shape = level.shape if rng.random() < 0.5 else (*level.shape, ("y", 8))
            level = replace(level, shape=shape, hop_energy_j_per_bit=rng.random())
        elif isinstance(level, Compute):
            level = replace(level, energy_j=rng.random(), leakage_w=1e9 * rng.random(), pipeline_cycles=3)
        levels.append(level)
    return replace(accelerator, levels=tuple(levels))


def exact_op(rng: random.Random) -> Op:
    """An operator with many divisors; windows with gaps, with overlap, and with both."""
    if rng.random() < 0.4:
        return random_op(rng)
    return conv2d(
        "conv",
        n=rng.randint(1, 2),
        k=rng.choice([1, 4, 6]),
        c=rng.choice([1, 2, 6]),
        p=rng.choice([4, 6, 8, 12]),
        q=rng.choice([1, 4, 6]),
        r=rng.choice([1, 2, 4, 6, 8]),
        s=rng.choice([1, 2, 3]),
        stride=(rng.randint(1, 4), rng.randint(1, 2)),
        dilation=(rng.randint(1, 4), rng.randint(1, 3)),
    )


def exact_mapping(rng: random.Random, op: Op, accelerator: Accelerator) -> Mapping:
    """Factors that divide, in random places and order, with random bypasses."""
    places = [level for level in accelerator.levels if isinstance(level, Memory | Array)]
    loops: list[dict[tuple[str, str], int]] = [{} for _ in places]
    window = {dim for rank in op.tensor("output").ranks if len(rank.terms) > 1 for dim, _ in rank.terms}
    spots = [(k, axis) for k, one in enumerate(places) for axis, _ in getattr(one, "shape", (("", 0),))]
    for dim, bound in op.dims:
        left = bound
        while left > 1:
            factor = rng.choice([f for f in range(2, left + 1) if left % f == 0])
            k, axis = rng.choice(spots)
            used = math.prod(f for (_, where), f in loops[k].items() if where == axis)
            if axis and (dim in window or used * factor > 8):
                continue
            loops[k][dim, axis] = loops[k].get((dim, axis), 1) * factor
            left //= factor
    levels = []
    for place, one in zip(places, loops, strict=True):
        axes = [axis for axis, _ in getattr(place, "shape", (("", 0),))]
        inside = [Loop(dim, f, axis) for (dim, axis), f in one.items()]
        if axes == [""]:
            rng.shuffle(inside)
        else:
            inside.sort(key=lambda loop: (axes.index(loop.axis), list(op.bounds).index(loop.dim)))
        bypass = frozenset(r for r in getattr(place, "may_bypass", frozenset()) if rng.random() < 0.2)
        levels.append(LevelMapping(place.name, tuple(inside), bypass))
    return Mapping(tuple(levels))


def fetching_anew(accelerator: Accelerator, rng: random.Random) -> Accelerator:
    """The accelerator with some memories that keep no operand from one tile to the next."""
    levels = [
        replace(level, refetch=rng.random() < 0.5) if isinstance(level, Memory) and place else level
        for place, level in enumerate(accelerator.levels)
    ]
    return replace(accelerator, levels=tuple(levels))


def exact_case(seed: int) -> tuple[Problem, Mapping] | None:
    rng = random.Random(seed)
    op, accelerator = exact_op(rng), dressed(random_accelerator(rng), rng)
    if seed % 2:
        accelerator = with_waits(accelerator, rng)
    if seed % 3 == 0:
        accelerator = fetching_anew(accelerator, rng)
    problem = Problem(op, accelerator)
    return (problem, exact_mapping(rng, op, accelerator)) if problem.dims else None


def tensors(matrices: tuple[np.ndarray, ...], *, grad: bool = False) -> tuple[torch.Tensor, ...]:
    factors, order, bypass = (torch.as_tensor(np.asarray(one))[None] for one in matrices)
    return factors.double().requires_grad_(grad), order, bypass


@pytest.mark.parametrize("block", range(6))
def test_costs_equal_the_compiled_model_where_tiles_are_whole(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        case = exact_case(seed)
        if case is None:
            continue
        problem, mapping = case
        matrices = problem.from_mapping(mapping)
        expected = problem.evaluate(*(one[None] for one in matrices))[0]
        found = RelaxedModel(problem).evaluate(*tensors(matrices))
        values = [found.energy_j.item(), found.cycles.item(), found.steps.item()]
        assert values == pytest.approx(expected, rel=1e-9, abs=0), seed


def test_every_count_and_tile_equals_the_readable_model() -> None:
    columns = ("reads", "fills", "updates", "drains", "partial_updates", "partial_drains")
    compared = 0
    for seed in range(60):
        case = exact_case(seed)
        if case is None or case[0].op.macs > 3000:
            continue
        problem, mapping = case
        compared += 1
        nest = Nest(problem.op, problem.accelerator, mapping)
        traffic, found = Traffic(nest), RelaxedModel(problem).evaluate(*tensors(problem.from_mapping(mapping)))
        for place, level in enumerate(problem.places):
            for role, name in enumerate(ROLES):
                assert found.hops[0, place, role].item() == pytest.approx(traffic.hops[place, name], rel=1e-9), seed
                counts = [getattr(traffic.counts[place, name], column) for column in columns]
                assert found.counts[0, place, role].tolist() == pytest.approx(counts, rel=1e-9, abs=1e-6), seed
            if isinstance(level, Memory):
                needed = tile_bits(nest, problem.accelerator, place)
                assert found.bits[0, place].item() == pytest.approx(needed, rel=1e-9), seed
    assert compared > 20


def test_partial_tiles_come_out_near_their_cost() -> None:
    ratios = []
    for seed in range(600):
        op, accelerator, mapping = random_case(seed)
        problem = Problem(op, dressed(accelerator, random.Random(seed)))
        try:
            matrices = problem.from_mapping(mapping)
        except BadInput:
            continue  # a dimension split within one memory
        if not problem.dims or (matrices[0].prod(0) == problem.arrays["bounds"][: len(problem.dims)]).all():
            continue
        expected = problem.evaluate(*(one[None] for one in matrices))[0]
        found = RelaxedModel(problem).evaluate(*tensors(matrices))
        ratios.append((found.energy_j.item() / expected[0], found.cycles.item() / expected[1]))
    off = np.abs(np.log(np.asarray(ratios)))
    assert len(ratios) > 100
    assert np.quantile(off, 0.5) < 0.01
    assert np.quantile(off, 0.9) < 0.2
    assert off.max() < 0.7


def eyeriss_case(seed: int, rows: int = 4) -> tuple[Problem, torch.Tensor, torch.Tensor]:
    """Random real factors (some exactly 1) and orders of a convolution on Eyeriss."""
    problem = Problem(conv2d("conv", k=64, c=32, p=28, q=28, r=3, s=3), load_accelerator("eyeriss"))
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, len(problem.slots), len(problem.dims))
    weights = torch.rand(shape, generator=generator, dtype=torch.float64) ** 4 + 0.05
    bounds = torch.tensor([float(problem.op.bounds[dim]) for dim in problem.dims], dtype=torch.float64)
    factors = bounds ** (weights / weights.sum(1, keepdim=True))
    return problem, factors, torch.rand(shape, generator=generator).argsort(2)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_those_of_the_values(seed: int) -> None:
    problem, factors, order = eyeriss_case(seed)
    model = RelaxedModel(problem, straight_through=False)
    logs = factors.log().requires_grad_(True)
    found = model.evaluate(logs.exp(), order)
    direction = torch.randn(factors.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    direction -= direction.mean(1, keepdim=True)  # the factors still multiply to the bounds
    for name in ("energy_j", "cycles", "overflow"):
        (gradient,) = torch.autograd.grad(getattr(found, name).sum(), logs, retain_graph=True)
        moved = [(logs.detach() + h * direction).exp() for h in (1e-6, -1e-6)]
        ahead, behind = (getattr(model.evaluate(one, order), name).sum() for one in moved)
        slope = ((ahead - behind) / 2e-6).item()
        assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-4, abs=1e-12), name


def test_straight_through_changes_gradients_and_no_values() -> None:
    problem, factors, order = eyeriss_case(0)
    factors.requires_grad_(True)
    found = [RelaxedModel(problem, straight_through=on).evaluate(factors, order) for on in (True, False)]
    assert torch.equal(found[0].energy_j, found[1].energy_j)
    gradients = [torch.autograd.grad(one.energy_j.sum(), factors)[0] for one in found]
    assert not torch.allclose(gradients[0], gradients[1])


def test_gradients_are_finite_where_loops_are_absent_and_bandwidths_unlimited() -> None:
    case = exact_case(7)
    assert case is not None
    factors, order, bypass = tensors(case[0].from_mapping(case[1]), grad=True)
    found = RelaxedModel(case[0]).evaluate(factors, order, bypass)
    (found.energy_j.sum() + found.cycles.sum() + found.overflow.sum()).backward()
    assert torch.isfinite(factors.grad).all()


def test_a_batch_of_different_bypasses_is_costed_row_by_row() -> None:
    op, rng = linear("gemm", n=8, k=12, c=6), random.Random(3)
    accelerator = dressed(random_accelerator(rng), rng)
    problem = Problem(op, accelerator)
    matrices = [problem.from_mapping(exact_mapping(rng, op, accelerator)) for _ in range(12)]
    inner = [place for place, level in enumerate(problem.places) if place and isinstance(level, Memory)]
    for row, (_, _, bypass) in enumerate(matrices):
        bypass[inner[row % len(inner)], row % 3] = 1
    model = RelaxedModel(problem)
    together = model.evaluate(*(torch.cat(one) for one in zip(*map(tensors, matrices), strict=True)))
    alone = [model.evaluate(*tensors(one)) for one in matrices]
    assert len({one[2].tobytes() for one in matrices}) > 1
    assert torch.allclose(together.energy_j, torch.cat([one.energy_j for one in alone]), rtol=1e-12)
    assert torch.allclose(together.bits, torch.cat([one.bits for one in alone]), rtol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same_costs() -> None:
    problem, factors, order = eyeriss_case(1)
    found = [RelaxedModel(problem, device).evaluate(factors, order) for device in ("cpu", "cuda")]
    assert torch.allclose(found[0].energy_j, found[1].energy_j.cpu(), rtol=1e-9)
    assert torch.allclose(found[0].cycles, found[1].cycles.cpu(), rtol=1e-9)


def test_arguments_of_a_wrong_shape_are_named() -> None:
    problem, factors, order = eyeriss_case(0)
    with pytest.raises(BadInput, match="order of shape"):
        RelaxedModel(problem).evaluate(factors, order[:2])
    with pytest.raises(BadInput, match="nothing to relax"):
        RelaxedModel(Problem(linear("one", n=1, k=1, c=1), load_accelerator("eyeriss")))
