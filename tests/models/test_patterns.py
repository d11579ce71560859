"""Occupancy of tiles against masks that are drawn and counted."""

from __future__ import annotations

import functools
import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from dovetail.errors import BadInput
from dovetail.models import Layer, Network, Occupancy, Op, conv2d, linear, with_batch, with_patterns
from dovetail.models.patterns import Banded, Blocks, Measured, NofM, Pattern, Uniform, tile_occupancy

DRAWS = 1000
CONV = conv2d("conv", k=16, c=12, p=8, q=8, r=3, s=1)
TILES = [
    {"K": 4, "C": 4},
    {"K": 5, "C": 6, "R": 2},
    {"K": 16, "C": 12, "R": 3},
    {"C": 3},
    {"K": 3, "C": 7},
    {"K": 6, "R": 3},
]


def with_weight(pattern: Pattern | None, op: Op = CONV, **changes: float) -> Op:
    first, second, third = op.tensors
    return replace(op, tensors=(first, replace(second, pattern=pattern, **changes), third))


def drawn_mask(pattern: Pattern, rng: np.random.Generator) -> np.ndarray:
    """A mask of the weight (G, K, C, R, S) in this pattern, made the naive way."""
    shape = (1, 16, 12, 3, 1)
    mask = np.zeros(shape, dtype=bool)
    if isinstance(pattern, Uniform):
        exact = pattern.density * mask.size
        count = int(exact) + int(rng.random() < exact - int(exact))
        mask.ravel()[rng.choice(mask.size, count, replace=False)] = True
    elif isinstance(pattern, NofM):
        ranks = rng.random((16, 12 // pattern.m, pattern.m, 3)).argsort(axis=2)
        mask = (ranks < pattern.n).reshape(shape)
    elif isinstance(pattern, Blocks):
        size = {"K": 1, "C": 1, "R": 1} | dict(pattern.block)
        corners = [
            (k, c, r) for k in range(0, 16, size["K"]) for c in range(0, 12, size["C"]) for r in range(0, 3, size["R"])
        ]
        exact = pattern.density * len(corners)
        count = int(exact) + int(rng.random() < exact - int(exact))
        for place in rng.choice(len(corners), count, replace=False):
            k, c, r = corners[place]
            mask[0, k : k + size["K"], c : c + size["C"], r : r + size["R"]] = True
        mask &= rng.random(shape) < pattern.inside
    return mask


def tile_counts(mask: np.ndarray, tile: dict[str, int], ends: bool = False) -> np.ndarray:
    """Non-zeros of every whole tile, with ``ends`` of every tile, by slicing."""
    sizes = [tile.get(dim, 1) for dim in "KCR"]
    numbers = [-(-bound // size) if ends else bound // size for bound, size in zip((16, 12, 3), sizes, strict=True)]
    places = [tuple(i * size for i, size in zip(place, sizes, strict=True)) for place in np.ndindex(*numbers)]
    (a, b, c) = sizes
    return np.array([mask[0, k : k + a, i : i + b, j : j + c].sum() for k, i, j in places])


RANDOM = [
    Uniform(0.3), Uniform(0.017), Uniform(0.9), NofM(2, 4), NofM(1, 3), NofM(3, 12), Blocks(0.3, (("K", 4), ("C", 4))),
    Blocks(0.4, (("K", 5), ("C", 4))), Blocks(0.25, (("C", 3),), inside=0.6),
    Blocks(0.5, (("K", 8), ("R", 2)), inside=0.5),
]  # fmt: skip


@functools.cache
def drawn_masks(pattern: Pattern) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [drawn_mask(pattern, rng) for _ in range(DRAWS)]


def check_law(occupancy: Occupancy, draws: list[int]) -> None:
    law = np.bincount(draws, minlength=occupancy.words + 1) / len(draws)
    # Kolmogorov-Smirnov: beyond 2/sqrt(draws) once in 1,500 tests even for a continuous law
    assert np.abs(np.cumsum(law) - np.cumsum(occupancy.pmf())).max() < 2.0 / np.sqrt(len(draws))
    assert occupancy.pmf().sum() == pytest.approx(1.0, abs=1e-12)
    assert occupancy.pmf() @ np.arange(occupancy.words + 1) == pytest.approx(occupancy.expected, rel=1e-9)
    assert occupancy.pmf()[0] == pytest.approx(occupancy.empty, abs=1e-12)
    assert max(draws) <= occupancy.most == occupancy.quantile(1.0)


@pytest.mark.parametrize("pattern", RANDOM, ids=str)
@pytest.mark.parametrize("tile", TILES, ids=str)
def test_the_law_is_that_of_masks_drawn_at_random(pattern: Pattern, tile: dict[str, int]) -> None:
    rng = np.random.default_rng(7)
    draws = [rng.choice(tile_counts(mask, tile)) for mask in drawn_masks(pattern)]
    check_law(with_weight(pattern).occupancy("weight", tile), draws)


@pytest.mark.parametrize("pattern", RANDOM, ids=str)
def test_smaller_tiles_at_the_ends_count_where_asked_for(pattern: Pattern) -> None:
    rng, tile = np.random.default_rng(8), {"K": 6, "C": 5, "R": 2}
    draws = [rng.choice(tile_counts(mask, tile, ends=True)) for mask in drawn_masks(pattern)]
    op = with_weight(pattern)
    occupancy = op.occupancy("weight", tile, ends=True)
    check_law(occupancy, draws)
    tiles = 3 * 3 * 2
    assert occupancy.expected * tiles == pytest.approx(op.tensor("weight").density * 16 * 12 * 3)


def test_a_uniform_tile_is_hypergeometric() -> None:
    reference = hypergeom(576, 144, 90)
    occupancy = with_weight(None, density=0.25).occupancy("weight", {"K": 5, "C": 6, "R": 3})
    np.testing.assert_allclose(occupancy.pmf(), reference.pmf(np.arange(91)), rtol=1e-9, atol=1e-30)
    for q in (0.001, 0.5, 0.95, 0.9999):
        assert occupancy.quantile(q) == reference.ppf(q)
    assert occupancy.above(30) == pytest.approx(reference.sf(30))
    assert occupancy.variance == pytest.approx(reference.var())


def test_a_density_and_uniform_zeros_are_the_same() -> None:
    by_density, by_pattern = with_weight(None, density=0.3), with_weight(Uniform(0.3))
    assert by_pattern.tensor("weight").density == 0.3
    tile = {"K": 4, "C": 4}
    assert by_density.occupancy("weight", tile) == by_pattern.occupancy("weight", tile)


@pytest.mark.parametrize("tile", [{}, {"K": 3, "C": 5}, {"K": 16, "C": 12, "R": 3, "S": 1, "G": 1}], ids=str)
def test_a_dense_tile_is_full(tile: dict[str, int]) -> None:
    for role in ("input", "weight", "output"):
        occupancy = CONV.occupancy(role, tile)
        assert occupancy.expected == occupancy.words == occupancy.quantile(1e-6) == occupancy.most
        assert occupancy.empty == 0.0
        assert occupancy.above(occupancy.words) == 0.0


def test_a_window_tile_is_counted_by_its_words() -> None:
    first, second, third = CONV.tensors
    op = replace(CONV, tensors=(replace(first, density=0.5), second, third))
    occupancy = op.occupancy("input", {"C": 2, "P": 4, "R": 3})
    assert (occupancy.words, occupancy.expected) == (12, 6.0)


def test_whole_groups_and_whole_tensors_hold_no_surprise() -> None:
    for pattern, tile, count in [
        (NofM(2, 4), {"K": 3, "C": 8}, 12), (Uniform(0.25), {"K": 16, "C": 12, "R": 3}, 144),
        (Blocks(0.25, (("K", 4), ("C", 4))), {"K": 16, "C": 12, "R": 3}, 144),
    ]:  # fmt: skip
        occupancy = with_weight(pattern).occupancy("weight", tile)
        assert occupancy.quantile(1e-9) == occupancy.quantile(1.0) == occupancy.expected == count
        assert occupancy.above(count - 1) == 1.0
        assert occupancy.above(count) == 0.0


def test_blocks_that_fill_the_tile_are_all_or_nothing() -> None:
    occupancy = with_weight(Blocks(0.25, (("K", 4), ("C", 4)))).occupancy("weight", {"K": 4, "C": 4})
    assert occupancy.empty == pytest.approx(0.75)
    assert (occupancy.quantile(0.74), occupancy.quantile(0.76)) == (0, 16)
    assert occupancy.above(15) == pytest.approx(0.25)


def test_a_band_is_counted_exactly() -> None:
    op = with_weight(Banded("K", "C", 2.0))
    mask = np.array([[abs(k * 12 / 16 - c) <= 2.0 for c in range(12)] for k in range(16)])
    assert op.tensor("weight").density == mask.mean()
    full = np.repeat(mask[None, :, :, None, None], 3, axis=3)
    np.testing.assert_array_equal(op.tensor("weight").pattern.mask(op.bounds), mask)
    for tile, ends in itertools.product(TILES, (False, True)):
        counts, occupancy = tile_counts(full, tile, ends), op.occupancy("weight", tile, ends=ends)
        np.testing.assert_allclose(occupancy.pmf(), np.bincount(counts, minlength=occupancy.words + 1) / len(counts))


def test_a_measured_mask_is_counted_exactly() -> None:
    weights = np.random.default_rng(3).normal(size=(1, 16, 12, 3, 1))
    weights[np.abs(weights) < 0.8] = 0.0
    pattern = Measured.of(weights, "GKCRS")
    op = with_weight(pattern)
    np.testing.assert_array_equal(pattern.mask, weights != 0)
    assert op.tensor("weight").density == (weights != 0).mean()
    for tile, ends in itertools.product(TILES, (False, True)):
        counts, occupancy = tile_counts(weights != 0, tile, ends), op.occupancy("weight", tile, ends=ends)
        np.testing.assert_allclose(occupancy.pmf(), np.bincount(counts, minlength=occupancy.words + 1) / len(counts))


def test_axes_that_a_mask_leaves_out_repeat() -> None:
    mask = np.random.default_rng(3).random((16, 12)) < 0.3
    short = with_weight(Measured.of(mask, "KC")).occupancy("weight", {"K": 4, "C": 3, "R": 3})
    long = with_weight(Measured.of(np.repeat(mask[:, :, None], 3, 2), "KCR")).occupancy(
        "weight", {"K": 4, "C": 3, "R": 3}
    )
    assert short == long
    thin = with_weight(Measured.of(mask[:, :, None], "KCR")).occupancy("weight", {"K": 4, "C": 3, "R": 3})
    assert thin == long


def test_windows_of_a_measured_input_are_counted_exactly() -> None:
    op = conv2d("conv", k=2, c=3, p=6, q=4, r=3, s=2, stride=(2, 3), dilation=(1, 1))
    mask = np.random.default_rng(5).random((1, 1, 3, 13, 11)) < 0.4
    first, second, third = op.tensors
    op = replace(op, tensors=(replace(first, pattern=Measured.of(mask, "NGCPQ")), second, third))
    occupancy = op.occupancy("input", {"P": 2, "R": 3, "Q": 2, "S": 1})
    counts = [
        sum(mask[0, 0, c, row, column] for row in range(4 * i, 4 * i + 5) for column in (6 * j + s, 6 * j + 3 + s))
        for c in range(3) for i in range(3) for j in range(2) for s in range(2)
    ]  # fmt: skip
    assert occupancy.words == 10
    np.testing.assert_allclose(occupancy.pmf(), np.bincount(counts, minlength=11) / len(counts))


def test_drawn_counts_follow_the_law() -> None:
    occupancy = with_weight(Uniform(0.3)).occupancy("weight", {"K": 8, "C": 8})
    drawn = occupancy.draw(np.random.default_rng(1), (50, 200))
    assert drawn.shape == (50, 200)
    assert drawn.mean() == pytest.approx(occupancy.expected, abs=4 * np.sqrt(occupancy.variance / drawn.size))
    assert np.mean(drawn > 22) == pytest.approx(occupancy.above(22), abs=0.02)


def test_huge_tiles_are_answered_without_looking_at_each_word() -> None:
    op = with_weight(None, linear("fc", n=1, k=1 << 17, c=1 << 17), density=0.1)
    occupancy = op.occupancy("weight", {"K": 1 << 16, "C": 1 << 16})
    deviation = np.sqrt(occupancy.words * 0.1 * 0.9 * 0.75)  # without replacement: a quarter of the tensor
    assert occupancy.quantile(0.975) - occupancy.expected == pytest.approx(1.96 * deviation, rel=0.01)
    assert op.occupancy("weight", {"K": 16, "C": 16}).empty == pytest.approx(0.9**256, rel=1e-5)


def test_many_cut_blocks_keep_mean_and_spread() -> None:
    pattern = Blocks(0.2, (("K", 16), ("C", 16)))
    op = with_weight(pattern, linear("fc", n=1, k=4096, c=4096))
    occupancy = op.occupancy("weight", {"K": 1000, "C": 1000})
    counts, shares = occupancy.law
    assert shares @ counts == pytest.approx(occupancy.expected, rel=1e-6)
    # 3,969 blocks at least, each of 256 words, one in sixteen of the tensor
    assert np.sqrt(occupancy.variance) == pytest.approx(256 * np.sqrt(3906 * 0.2 * 0.8 * 15 / 16), rel=0.02)


def test_equal_patterns_cost_the_same_and_others_do_not() -> None:
    mask = np.random.default_rng(3).random((16, 12)) < 0.3
    same = [with_weight(Measured.of(mask, "KC")) for _ in range(2)]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert pickle.loads(pickle.dumps(same[0])) == same[0]
    keys = {with_weight(pattern).shape_key for pattern in [*RANDOM, Measured.of(mask, "KC"), Measured.of(~mask, "KC")]}
    assert len(keys) == len(RANDOM) + 2
    assert CONV.shape_key == (CONV.dims, CONV.tensors)


def test_a_band_follows_new_bounds() -> None:
    op = with_weight(Banded("K", "C", 0.0), linear("fc", n=1, k=8, c=8))
    assert op.tensor("weight").density == 1 / 8
    assert replace(op, dims=(("N", 1), ("K", 4), ("C", 4))).tensor("weight").density == 1 / 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1.5), r"density 1.5 is outside \(0, 1\]"),
        (lambda: NofM(5, 4), "5 of 4 words cannot be non-zero: n > m; swap them or lower n"),
        (lambda: NofM(0, 4), "n is 0; it is a whole number of words, 1 or more"),
        (lambda: Blocks(0.0, (("K", 4),)), "density 0.0 is outside"),
        (lambda: Blocks(0.5, ()), "a block names each of its dimensions once"),
        (lambda: Banded("K", "K", 1), "across two dimensions, not along K alone"),
        (lambda: Banded("K", "C", -1), "width of -1 is no distance"),
        (lambda: Measured.of(np.zeros((2, 2)), "KC"), "all words of the mask are zero; leave such a layer out"),
        (lambda: Measured.of(np.ones((2, 2)), "K"), "a mask of 2 axes is given for the dimensions"),
        (lambda: with_weight(NofM(2, 4, "Q")), "conv.weight: groups along 'Q', which is no dimension of the"),
        (lambda: with_weight(NofM(2, 8)), "conv.weight: groups of 8 along C do not fill its 12 words"),
        (lambda: with_weight(Blocks(0.5, (("K", 32),))), "conv.weight: a block of 32 along K is larger than"),
        (lambda: with_weight(Blocks(0.5, (("X", 32),))), "conv.weight: blocks along 'X', which is no dimension"),
        (lambda: with_weight(Banded("K", "Z", 1)), "conv.weight: a band along 'Z', which is no dimension"),
        (lambda: with_weight(Measured.of(np.ones(5), "K")), "conv.weight: the mask has 5 words along K, the tensor 16"),
        (lambda: with_weight(Measured.of(np.ones(5), "Z")), "conv.weight: the mask names 'Z'; axes of"),
        (lambda: with_weight(Uniform(0.5), density=0.3), "weight.density: 0.3 is given beside a pattern"),
        (lambda: CONV.occupancy("weight", {"k": 4}), "conv: a tile along 'k', which is no dimension here"),
        (lambda: CONV.occupancy("weight", {"K": 0}), "conv: a tile of 0 along K; it must be at least 1"),
        (lambda: CONV.occupancy("weight", {"K": 4}).quantile(0.0), "quantile: 0.0 is outside"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_rule(make, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make()


@pytest.mark.parametrize("kept", [0.1, 1 / 3, 0.5, 1.0])
@pytest.mark.parametrize("inside", [1.0, 0.3])
def test_cut_blocks_are_exactly_every_choice_of_blocks(kept: float, inside: float) -> None:
    op = with_weight(Blocks(kept, (("K", 4), ("C", 5)), inside), linear("fc", n=1, k=12, c=14))
    occupancy = op.occupancy("weight", {"K": 6, "C": 7})
    expected = np.zeros(43)
    for row, column in np.ndindex(2, 2):
        tile = np.zeros((12, 15))
        tile[6 * row : 6 * row + 6, 7 * column : 7 * column + 7] = 1
        pieces = tile.reshape(3, 4, 3, 5).sum(axis=(1, 3)).ravel().astype(int)
        low = int(9 * kept + 1e-9)
        for number, share in ((low, 1 - (9 * kept - low)), (low + 1, 9 * kept - low)):
            choices = list(itertools.combinations(pieces, number)) if share > 1e-9 else []
            for choice in choices:
                expected += share / len(choices) / 4 * binom.pmf(np.arange(43), sum(choice), inside)
    np.testing.assert_allclose(occupancy.pmf(), expected, atol=1e-13)
    assert occupancy.empty == pytest.approx(expected[0], abs=1e-13)


def test_many_cut_blocks_hardly_differ_from_equal_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    op = with_weight(Blocks(0.2, (("K", 16), ("C", 16))), linear("fc", n=1, k=512, c=512))
    exact = op.occupancy("weight", {"K": 250, "C": 120}).law
    monkeypatch.setattr("dovetail.models.occupancy._MOST_WORK", 1000)
    tile_occupancy.cache_clear()
    equal = op.occupancy("weight", {"K": 250, "C": 120}).law
    tile_occupancy.cache_clear()
    assert len(equal[0]) != len(exact[0])
    for q in (0.01, 0.1, 0.5, 0.9, 0.99):
        counts = [law[0][np.searchsorted(np.cumsum(law[1]), q)] for law in (equal, exact)]
        assert abs(counts[0] - counts[1]) <= 256  # a block


def test_another_batch_repeats_a_mask_of_one_and_refuses_one_of_several() -> None:
    rng = np.random.default_rng(3)

    def batched(masks: int) -> Network:
        pattern = Measured.of(rng.random((masks, 12)) < 0.5, "NC")
        op = conv2d("conv", n=masks, k=16, c=12, p=8, q=8, r=3, s=1)
        return with_batch(with_patterns(Network("net", (Layer(op),)), {"conv": {"input": pattern}}), 3)

    network = batched(1)
    assert network.contractions[0].bounds["N"] == 3
    with pytest.raises(BadInput, match=r"conv.input: the mask has 2 words along N, the tensor 6; measure it for this"):
        batched(2)
