"""Uncertainty of an estimate: first order and Monte-Carlo agree, a constant is drawn once, wrong asks are refused."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import pytest

import dovetail as dt
from dovetail.energy import Component, ComponentEstimate, register_estimator
from dovetail.errors import BadInput
from dovetail.mapper import uncertainty as module
from dovetail.mapper.estimate import estimate_schedule
from dovetail.models.op import conv2d, linear


def network() -> dt.Network:
    conv = conv2d("conv", k=16, c=8, p=8, q=8, r=3, s=3)
    relu = dt.VectorOp("relu", "relu", 1024, 1024, 1024, fused=True)
    pool = dt.VectorOp("pool", "avg_pool", 1024, 1024, 16)
    last = linear("last", n=1, k=10, c=16)
    layers = (dt.Layer(conv), dt.Layer(relu, ("conv",)), dt.Layer(pool, ("relu",)), dt.Layer(last, ("pool",)))
    return dt.Network("tiny", layers)


@pytest.fixture(scope="module")
def gemmini() -> dt.Estimate:
    return dt.estimate(network(), dt.load_accelerator("gemmini"), cache=False)


@pytest.fixture(scope="module")
def stated() -> dt.Estimate:
    """Its memories' energies are stated, reads and writes apart, the vector lanes' are estimated."""
    return dt.estimate(network(), dt.load_accelerator("gemmini_timeloop"), cache=False)


@pytest.mark.parametrize("name", ["gemmini", "eyeriss", "coral_usb", "tpu_v1", "eyeriss_sparseloop", "scnn"])
def test_counts_times_unit_energies_are_the_estimate(name: str) -> None:
    result = dt.estimate(network(), dt.load_accelerator(name), cache=False)
    energy = module._EnergySum(result)
    assert energy.of(result.accelerator) == pytest.approx(result.energy_j, rel=1e-9)


def test_reads_and_writes_are_counted_apart_where_only_one_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = dt.load_accelerator("gemmini")
    result = dt.estimate(network(), plain, cache=False)
    monkeypatch.setattr(module, "_needs_reads", lambda memory: True)
    energy = module._EnergySum(result)
    dearer = [
        replace(level, write_energy_j_per_bit=3 * level.write_energy_j_per_bit) if level.name == "dram" else level
        for level in plain.levels
    ]
    chip = replace(plain, levels=tuple(dearer))
    again = estimate_schedule(network(), chip, result.schedule)
    assert energy.of(chip) == pytest.approx(again.energy_j, rel=1e-9)


def test_first_order_agrees_with_monte_carlo_for_small_uncertainties(
    gemmini: dt.Estimate, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = module.uncertainties
    monkeypatch.setattr(module, "uncertainties", lambda chip, stated: dict.fromkeys(known(chip, stated), 0.02))
    first, drawn = gemmini.uncertainty(), gemmini.uncertainty(1500, seed=4)
    for one, other in ((first.energy_j, drawn.energy_j), (first.area_mm2, drawn.area_mm2)):
        assert other.mean == pytest.approx(one.mean, rel=1e-3)
        assert other.sd == pytest.approx(one.sd, rel=0.06)
        assert other.p05 == pytest.approx(one.p05, rel=5e-3)
        assert other.p95 == pytest.approx(one.p95, rel=5e-3)


def test_with_the_tables_own_uncertainties_both_still_tell_the_same_story(gemmini: dt.Estimate) -> None:
    first, drawn = gemmini.uncertainty(), gemmini.uncertainty(1500, seed=1)
    assert drawn.energy_j.mean == pytest.approx(first.energy_j.mean, rel=0.05)
    assert drawn.energy_j.sd == pytest.approx(first.energy_j.sd, rel=0.2)
    assert first.energy_j.value == drawn.energy_j.value == gemmini.energy_j
    assert first.energy_j.p05 < gemmini.energy_j < first.energy_j.p95


def test_one_constant_used_everywhere_is_drawn_once(gemmini: dt.Estimate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were each use drawn on its own, the sum would be less uncertain than its parts."""
    monkeypatch.setattr(module, "uncertainties", lambda chip, stated: {"node_interpolation": 0.1})
    spent = gemmini.breakdown()
    carried = gemmini.energy_j - spent["dram"] - spent["leakage"]
    wires = spent["rows"] + spent["columns"]
    registers = spent["pe_register"]  # scaled by another table
    found = gemmini.uncertainty()
    assert found.energy_j.sd == pytest.approx(0.1 * (carried - wires - registers), rel=0.03)
    assert list(found.shares) == ["node_interpolation"]


def test_leakage_is_as_uncertain_as_its_constants_and_certain_where_it_is_stated(gemmini: dt.Estimate) -> None:
    told = [gemmini.uncertainty(samples).leakage_w for samples in (0, 2000)]
    assert told[0].value == gemmini.accelerator.leakage_w
    assert told[1].relative == pytest.approx(told[0].relative, rel=0.25)
    assert 0.5 < told[0].relative < 1.5
    known = dt.estimate(network(), dt.load_accelerator("a100"), mapper="annealing")
    assert known.uncertainty().leakage_w.sd == 0.0 < known.accelerator.leakage_w


def test_shares_of_the_variance_add_up_and_come_largest_first(gemmini: dt.Estimate) -> None:
    shares = gemmini.uncertainty().shares
    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert next(iter(shares)) == "dram_energy_lpddr4"


def test_the_same_seed_gives_the_same_answer(gemmini: dt.Estimate) -> None:
    one, same, other = (gemmini.uncertainty(40, seed=seed) for seed in (3, 3, 4))
    assert one == same
    assert one.energy_j != other.energy_j
    assert pickle.loads(pickle.dumps(one)) == one


def test_what_a_spec_states_is_exact_unless_said_otherwise() -> None:
    exact = dt.estimate(network(), dt.load_accelerator("eyeriss_sparseloop"), cache=False)
    for samples in (0, 20):
        found = exact.uncertainty(samples)
        assert found.energy_j.sd == 0.0
        assert found.energy_j.p05 == found.energy_j.p95 == exact.energy_j
        assert not found.shares
    doubted = exact.uncertainty(stated=0.1)
    assert 0.0 < doubted.energy_j.relative < 0.1  # many figures, each on its own
    assert all(name.startswith("stated.") for name in doubted.shares)


def test_doubts_about_stated_figures_widen_the_rest(stated: dt.Estimate) -> None:
    assert stated.uncertainty(stated=0.3).energy_j.relative > stated.uncertainty().energy_j.relative


def test_a_plug_ins_figures_are_drawn_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import dovetail.energy.estimators as estimators

    class Optical:
        name = "optical"
        kinds = frozenset({"wire"})

        def supports(self, component: Component) -> bool:
            return component.kind == "wire"

        def estimate(self, component: Component) -> ComponentEstimate:
            return ComponentEstimate({"hop": 5e-12}, 0.0, 0.0, ("a laboratory",), 0.5)

    monkeypatch.setattr(estimators, "_registered", [])
    register_estimator(Optical())
    try:
        result = dt.estimate(network(), dt.load_accelerator("gemmini"), cache=False)
        found = result.uncertainty()
    finally:
        estimators._registered.clear()
        estimators._remembered.cache_clear()
    assert "optical.wire.hop" in found.shares
    hops = result.breakdown()["rows"] + result.breakdown()["columns"]
    assert found.shares["optical.wire.hop"] * found.energy_j.sd**2 == pytest.approx((0.5 * hops) ** 2, rel=1e-3)
    assert any(one.name == "optical.wire.hop" and one.status == "estimated" for one in result.citations())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": -1}, "samples is -1; give a whole number, 0 or more"),
        ({"samples": 1}, "give 0 for a first-order answer, or 2 to 1,000,000"),
        ({"samples": 2.5}, "give a whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"stated": -0.1}, "stated is -0.1; give a relative standard deviation from 0 to 1"),
        ({"stated": math.nan}, "stated is nan"),
        ({"stated": "much"}, "stated is 'much'"),
    ],
)
def test_wrong_arguments_are_refused(gemmini: dt.Estimate, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message.replace("(", r"\(")):
        gemmini.uncertainty(**arguments)  # type: ignore[arg-type]


def test_sources_and_citations_name_every_constant_that_can_move_the_energy(gemmini: dt.Estimate) -> None:
    text, cited = "\n".join(gemmini.sources()), {one.name for one in gemmini.citations()}
    for name in gemmini.uncertainty().shares:
        assert name in text
        assert name in cited
