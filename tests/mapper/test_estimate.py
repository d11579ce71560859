"""Estimates of whole networks add up and keep to the physics."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from plain_mapper import PlainMapper

import dovetail as dt
from dovetail.errors import BadInput
from dovetail.mapper import search
from dovetail.mapper.bounds import roofline
from dovetail.mapper.objective import Objective
from dovetail.models.op import conv2d


def tiny_network() -> dt.Network:
    conv = conv2d("a", k=16, c=8, p=8, q=8, r=3, s=3)
    same = conv2d("b", k=16, c=8, p=8, q=8, r=3, s=3)
    relu = dt.VectorOp("a.relu", "relu", 1024, 1024, 1024, fused=True)
    pool = dt.VectorOp("pool", "avg_pool", 1024, 1024, 16)
    return dt.Network(
        "tiny", (dt.Layer(conv), dt.Layer(relu, ("a",)), dt.Layer(same, ("a.relu",)), dt.Layer(pool, ("b",)))
    )


@pytest.fixture(scope="module")
def result() -> dt.Estimate:
    return dt.estimate(tiny_network(), dt.load_accelerator("edge_tpu"), cache=False)


@pytest.mark.parametrize("by", ["component", "tensor"])
def test_the_breakdown_sums_to_the_total(result: dt.Estimate, by: str) -> None:
    assert sum(result.breakdown(by).values()) == pytest.approx(result.energy_j, rel=1e-12)


def test_an_unknown_breakdown_is_refused(result: dt.Estimate) -> None:
    with pytest.raises(BadInput, match="choose 'component' or 'tensor'"):
        result.breakdown("layer")


def test_the_table_has_a_row_per_operator_and_sums_to_the_total(result: dt.Estimate) -> None:
    table = result.layers()
    assert list(table["name"]) == ["a", "a.relu", "b", "pool"]
    assert table["energy_j"].sum() == pytest.approx(result.energy_j)
    assert table["cycles"].sum() == pytest.approx(result.cycles)
    parts = [column for column in table if column.startswith("energy_") and column != "energy_j"]
    assert table[parts].sum(axis=1).tolist() == pytest.approx(table["energy_j"].tolist())


def test_equal_layers_are_mapped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainMapper, "asked", [])
    dt.estimate(tiny_network(), dt.load_accelerator("gemmini"), "plain", cache=False)
    assert [name for name, _ in PlainMapper.asked] == ["a"]


def test_a_fused_operator_moves_no_words(result: dt.Estimate) -> None:
    relu, pool = result.costs[1], result.costs[3]
    assert ("dram", "input") not in relu.energy
    assert relu.cycles == 0.0
    assert pool.energy["dram", "input"] > 0


def test_latency_never_falls_below_the_roofline_and_utilization_never_above_one(result: dt.Estimate) -> None:
    latency = Objective.parse("latency")
    bounds = sum(roofline(op, result.accelerator, latency) for op in result.network.contractions)
    assert result.latency_s >= bounds
    assert 0 < result.utilization <= 1


def test_more_bandwidth_never_slows_a_mapping_down() -> None:
    op = conv2d("conv", k=64, c=64, p=14, q=14, r=3, s=3)
    slow = dt.load_accelerator("edge_tpu").with_parameters(bandwidth="5 GB/s")
    mapping = dt.best_mapping(op, slow, cache=False).mapping
    costs = [dt.evaluate(op, slow.with_parameters(bandwidth=f"{speed} GB/s"), mapping) for speed in (5, 10, 15, 20, 25)]
    assert all(a.cycles >= b.cycles for a, b in itertools.pairwise(costs))
    assert len({round(cost.energy["dram", "weight"], 18) for cost in costs}) == 1


def test_an_estimate_is_the_same_from_the_cache_and_with_any_number_of_threads(tmp_path: Path) -> None:
    chip = dt.load_accelerator("simba")
    network = dt.Network(
        "two",
        (dt.Layer(conv2d("a", k=8, c=8, p=7, q=7, r=3, s=3)), dt.Layer(conv2d("b", k=8, c=4, p=7, q=7, r=1, s=1))),
    )
    fresh = dt.estimate(network, chip, cache=tmp_path, workers=1)
    again, threaded = dt.estimate(network, chip, cache=tmp_path), dt.estimate(network, chip, cache=False, workers=2)
    assert fresh.energy_j == again.energy_j == threaded.energy_j
    assert fresh.latency_s == again.latency_s == threaded.latency_s


def test_an_operator_that_fits_nowhere_is_named_with_the_memory_and_the_words_missing() -> None:
    chip = dt.load_accelerator("gemmini")
    wide = conv2d("wide", k=2, c=2, p=2, q=2, r=1, s=1, bits=4_000_000)
    network = dt.Network("two", (dt.Layer(conv2d("fits", k=2, c=2, p=2, q=2, r=1, s=1)), dt.Layer(wide, ("fits",))))
    with pytest.raises(dt.Infeasible, match=r"wide: (\w+) of 'gemmini' .* words? too many") as caught:
        dt.estimate(network, chip, cache=False)
    assert caught.value.level in [memory.name for memory in chip.memories]
    assert caught.value.missing_words > 0


def test_many_accelerators_get_the_estimates_they_get_alone_or_the_reason_why_not(tmp_path: Path) -> None:
    fast = dt.load_accelerator("edge_tpu")
    slow, cramped = fast.with_parameters(bandwidth="5 GB/s"), dt.load_accelerator("gemmini")
    wide = conv2d("wide", k=2, c=2, p=2, q=2, r=1, s=1, bits=600)
    network = dt.Network("one", (dt.Layer(wide),))
    many = dt.estimate_many(network, iter([fast, cramped, slow, fast]), "plain", "energy", cache=tmp_path)
    assert isinstance(many[1], dt.Infeasible)
    assert many[1].missing_words > 0
    for chip, found in ((fast, many[0]), (slow, many[2]), (fast, many[3])):
        alone = dt.estimate(network, chip, "plain", "energy", cache=False)
        assert isinstance(found, dt.Estimate)
        assert (found.energy_j, found.latency_s, found.objective) == (alone.energy_j, alone.latency_s, "energy")


def test_an_estimate_keeps_the_certificates_and_counts_the_proofs(result: dt.Estimate) -> None:
    assert [one is not None for one in result.certificates] == [True, False, True, False]
    for cost, proof in zip(result.costs, result.certificates, strict=True):
        assert proof is None or proof.lower_bound <= proof.optimum == pytest.approx(cost.edp, rel=1e-12)
    proven = replace(result, certificates=(dt.Certificate(1.0, 1.0), None, dt.Certificate(1.0, 0.5), None))
    assert proven.proven_layers == 1


def test_sources_name_the_accelerator_and_the_constants(result: dt.Estimate) -> None:
    text = "\n".join(result.sources())
    assert "2102.08619" in text
    assert "dram.read_energy" in text


def test_operands_wider_than_the_multipliers_are_noted() -> None:
    wide = conv2d("wide", k=2, c=2, p=2, q=2, r=1, s=1, bits=16)
    narrow, chip = conv2d("narrow", k=2, c=2, p=2, q=2, r=1, s=1), dt.load_accelerator("edge_tpu")
    noted = [dt.estimate(dt.Network("one", (dt.Layer(op),)), chip, cache=False).notes for op in (wide, narrow)]
    assert any("16-bit" in note for note in noted[0])
    assert not any("products of" in note for note in noted[1])


def test_weights_that_do_not_fit_where_they_come_from_are_noted() -> None:
    chip = dt.load_accelerator("tpu_v1")
    origin = chip.keeper("weight")
    for words, noted in ((16 * 8 * 9 * 2, False), (16 * 8 * 9 * 2 - 1, True)):
        small = replace(origin, size_bits=words * 8.0)
        scarce = replace(chip, levels=tuple(small if level is origin else level for level in chip.levels))
        notes = dt.estimate(tiny_network(), scarce, "random", cache=False).notes
        assert any(f"weights of 2304 B come from {origin.name}" in note for note in notes) == noted


def test_a_network_that_only_names_its_operators_costs_nothing() -> None:
    network = dt.Network("empty", (dt.Layer(dt.VectorOp("flatten", "reshape", 0, 0, 0)),))
    nothing = dt.estimate(network, dt.load_accelerator("edge_tpu"), cache=False)
    assert (nothing.cycles, nothing.energy_j, nothing.utilization) == (0.0, 0.0, 0.0)


def test_threads_do_not_change_the_answer() -> None:
    ops = [conv2d("conv", k=k, c=4, p=6, q=6, r=3, s=3) for k in (3, 4, 5, 6)]
    chip = dt.load_accelerator("gemmini")
    one, four = (search.map_all(ops, chip, cache=False, workers=workers) for workers in (1, 4))
    assert [result.mapping for result in one] == [result.mapping for result in four]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda net, chip: dt.estimate("resnet18", chip), "network is the text 'resnet18'.*load_network"),
        (lambda net, chip: dt.estimate(net, "eyeriss"), "accelerator is the text 'eyeriss'.*load_accelerator"),
        (lambda net, chip: dt.estimate(chip, net), "network is of type Accelerator"),
        (lambda net, chip: dt.best_mapping(net, chip), "op is of type Network.*contractions"),
        (lambda net, chip: dt.evaluate(net.contractions[0], chip, None), "mapping is of type NoneType"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_answered_with_how_to_get_the_right_one(call, said) -> None:
    with pytest.raises(BadInput, match=said):
        call(tiny_network(), dt.load_accelerator("eyeriss"))


def test_what_a_prompt_shows_of_a_result_is_a_line(result: dt.Estimate) -> None:
    assert repr(result).startswith("<Estimate tiny on edge_tpu: ")
    assert repr(result.network).startswith("<Network tiny: 4 layers, ")
    assert "lanes" in repr(result.accelerator)
    assert max(map(len, map(repr, (result, result.network, result.accelerator)))) < 160
