"""Component prices: anchored at published points, monotone where physics is, refused where the data end."""

import itertools
import math
import pickle
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.energy import Component, ComponentEstimate, estimate_component, known_estimators, register_estimator
from dovetail.errors import BadInput, ImpossibleResult, UnknownName

KIB = 8 * 1024
NODES = (180, 130, 90, 65, 45, 40, 32, 28, 22, 20, 16, 14, 12, 10, 7, 5, 4, 3)
SHAPES = (
    Component.of("mac", 45, operand_bits=8, accumulator_bits=32),
    Component.of("mac", 45, operand_bits=16, accumulator_bits=32, number="float"),
    Component.of("vector", 45, bits=16),
    Component.of("sram", 45, size_bits=KIB / 2, width_bits=32),
    Component.of("sram", 45, size_bits=128 * KIB, width_bits=64, banks=4),
    Component.of("sram", 45, size_bits=8192 * KIB, width_bits=512, banks=16),
    Component.of("register_file", 45, size_bits=192, width_bits=16),
    Component.of("wire", 45, length_mm=2.0),
)


def price(kind: str, technology_nm: float = 45, **attributes: float | str) -> ComponentEstimate:
    return estimate_component(Component.of(kind, technology_nm, **attributes))


@pytest.mark.parametrize(
    ("number", "operand", "accumulator", "energy_pj"),
    [("int", 8, 32, 0.2 + 0.1), ("int", 8, 16, 0.2 + 0.05), ("int", 32, 32, 3.1 + 0.1),
     ("float", 16, 16, 1.1 + 0.4), ("float", 16, 32, 1.1 + 0.9), ("float", 32, 32, 3.7 + 0.9)],
)  # fmt: skip
def test_a_mac_at_45_nm_is_horowitz_multiply_plus_add(
    number: str, operand: int, accumulator: int, energy_pj: float
) -> None:
    mac = price("mac", operand_bits=operand, accumulator_bits=accumulator, number=number)
    assert mac.energy_j["mac"] == pytest.approx(energy_pj * 1e-12, rel=1e-12)


def test_a_mac_at_7_nm_is_the_published_sum() -> None:
    assert price("mac", 7, operand_bits=8, accumulator_bits=32).energy_j["mac"] == pytest.approx(0.1e-12, rel=1e-12)


def test_unequal_operands_cost_as_the_product_of_their_widths() -> None:
    mixed = price("mac", operand_bits=16, weight_bits=4, accumulator_bits=32).energy_j["mac"]
    assert mixed == pytest.approx(price("mac", operand_bits=8, accumulator_bits=32).energy_j["mac"], rel=1e-9)


@pytest.mark.parametrize(("size_bits", "energy_pj"), [(8 * KIB, 10), (32 * KIB, 20), (1024 * KIB, 100)])
def test_a_64_bit_sram_access_meets_horowitz_within_the_residual(size_bits: float, energy_pj: float) -> None:
    sram = price("sram", size_bits=size_bits, width_bits=64)
    assert sram.energy_j["read"] * 64 == pytest.approx(energy_pj * 1e-12, rel=0.025)
    assert sram.energy_j["write"] == sram.energy_j["read"]


@given(st.sampled_from(NODES), st.integers(512, 2**28), st.integers(512, 2**28))
def test_a_larger_sram_costs_more_energy_area_and_leakage(node: int, one: int, other: int) -> None:
    small, large = (price("sram", node, size_bits=bits) for bits in sorted((one, other)))
    assert small.energy_j["read"] <= large.energy_j["read"]
    assert small.area_mm2 <= large.area_mm2
    assert small.leakage_w <= large.leakage_w


def test_banks_save_energy_and_cost_area() -> None:
    whole = price("sram", size_bits=1024 * KIB)
    divided = price("sram", size_bits=1024 * KIB, banks=16)
    assert divided.energy_j["read"] < whole.energy_j["read"]
    assert divided.area_mm2 > whole.area_mm2


def test_a_wider_access_costs_less_a_bit_and_more_in_all() -> None:
    narrow, wide = (price("sram", size_bits=64 * KIB, width_bits=width).energy_j["read"] for width in (16, 256))
    assert wide < narrow
    assert wide * 256 > narrow * 16


@pytest.mark.parametrize(("size_kib", "width", "cacti_pj"), [(32, 512, 22.9), (2048, 2048, 416.16)])
def test_wide_srams_agree_with_cacti_within_half(size_kib: int, width: int, cacti_pj: float) -> None:
    ours = price("sram", 28, size_bits=size_kib * KIB, width_bits=width).energy_j["read"] * width
    assert ours == pytest.approx(cacti_pj * 1e-12, rel=0.5)


@pytest.mark.parametrize("kind", ["register_file", "sram"])
def test_a_half_kilobyte_costs_about_a_mac_as_in_eyeriss(kind: str) -> None:
    mac = price("mac", 65, operand_bits=16, accumulator_bits=32).energy_j["mac"]
    assert 0.5 < 16 * price(kind, 65, size_bits=KIB / 2, width_bits=16).energy_j["read"] / mac < 1.5


def test_the_eyeriss_buffer_costs_about_six_macs() -> None:
    mac = price("mac", 65, operand_bits=16, accumulator_bits=32).energy_j["mac"]
    whole, banked = (
        16 * price("sram", 65, size_bits=108 * KIB, width_bits=64, banks=banks).energy_j["read"] / mac
        for banks in (1, 27)
    )
    assert banked < 6 < whole
    assert banked > 2
    assert whole < 12


@pytest.mark.parametrize("component", SHAPES, ids=lambda one: one.kind)
def test_energy_area_never_grow_towards_newer_nodes(component: Component) -> None:
    prices = [estimate_component(Component(component.kind, node, component.attributes)) for node in NODES]
    for older, newer in itertools.pairwise(prices):
        assert all(newer.energy_j[action] <= older.energy_j[action] for action in older.energy_j)
        assert newer.area_mm2 <= older.area_mm2


@pytest.mark.parametrize("node", NODES)
def test_estimates_are_positive_cited_and_state_an_uncertainty(node: int) -> None:
    for component in SHAPES:
        one = estimate_component(Component(component.kind, node, component.attributes))
        assert all(energy > 0 for energy in one.energy_j.values())
        assert one.area_mm2 > 0 or component.kind == "wire"
        assert one.leakage_w > 0 or component.kind == "wire"
        assert one.sources
        assert len(set(one.sources)) == len(one.sources)
        assert 0.1 < one.uncertainty < 1


def test_scaling_widens_the_uncertainty() -> None:
    assert price("mac", 65).uncertainty > price("mac", 28).uncertainty > price("mac", 45).uncertainty


@pytest.mark.parametrize(
    ("kind", "pj"), [("lpddr4", 8), ("lpddr", 40), ("ddr3", 70), ("gddr5", 14), ("hbm2", 3.9), ("hmc", 4.2),
                     ("hbm3", 4.05)],
)  # fmt: skip
def test_dram_costs_its_published_energy_at_any_node_and_no_area(kind: str, pj: float) -> None:
    for node in (65, 7):
        dram = price("dram", node, dram_kind=kind)
        assert dram.energy_j == {"read": pytest.approx(pj * 1e-12), "write": pytest.approx(pj * 1e-12)}
        assert dram.area_mm2 == dram.leakage_w == 0


def test_a_wire_costs_by_its_length() -> None:
    assert price("wire", 40, length_mm=3).energy_j["hop"] == pytest.approx(3 * 0.12e-12)
    assert price("wire", 40, length_mm=0).energy_j["hop"] == 0


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Component.of("mac", 250), "technology 250 nm is outside the tables; give a node from 3 nm to 180 nm"),
        (Component.of("mac", 2), "from 3 nm to 180 nm"),
        (Component.of("dram", math.nan), "nan nm is outside"),
        (Component.of("sram", 45), "sram needs size_bits"),
        (Component.of("sram", 45, size_bits=math.inf), "size_bits inf is outside 64 B to 1 GiB"),
        (Component.of("sram", 45, size_bits=100), "is outside 64 B"),
        (Component.of("sram", 45, size_bits=8 * KIB, banks=512), "a bank of 16 B is outside"),
        (Component.of("sram", 45, size_bit=8 * KIB), "did you mean 'size_bits'"),
        (Component.of("sram", 45, size_bits="8 KiB"), "give a number"),
        (Component.of("mac", 45, operand_bits=0), "operand_bits 0 is outside 1 to 64"),
        (Component.of("mac", 45, operand_bits=4, number="float"), "outside 8 to 64"),
        (Component.of("mac", 45, number="posit"), "no number format named 'posit'"),
        (Component.of("dram", 45, dram_kind="lpddr9"), "no DRAM kind named 'lpddr9'"),
        (Component.of("srm", 45), "no component kind named 'srm'; did you mean 'sram'"),
    ],
)
def test_what_the_data_do_not_cover_is_refused_with_a_remedy(component: Component, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        estimate_component(component)
    assert message in str(caught.value)


def test_estimates_are_remembered_and_can_cross_processes() -> None:
    one = Component.of("sram", 45, size_bits=8 * KIB, width_bits=64)
    assert estimate_component(one) is estimate_component(Component.of("sram", 45, width_bits=64, size_bits=8 * KIB))
    assert pickle.loads(pickle.dumps(estimate_component(one))) == estimate_component(one)


class Optical:
    name = "optical"
    kinds = frozenset({"modulator"})
    energy_j = 1e-15

    def supports(self, component: Component) -> bool:
        return component.kind in self.kinds

    def estimate(self, component: Component) -> ComponentEstimate:
        return ComponentEstimate({"hop": self.energy_j}, 0.01, 0.0, ("a laboratory",), 0.5)


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import dovetail.energy.estimators as module

    monkeypatch.setattr(module, "_registered", [])
    module._plugins.cache_clear()
    module._remembered.cache_clear()
    yield
    module._plugins.cache_clear()
    module._remembered.cache_clear()


@pytest.mark.usefixtures("fresh_registry")
def test_a_registered_estimator_prices_its_own_kind() -> None:
    with pytest.raises(UnknownName):
        price("modulator")
    register_estimator(Optical())
    assert price("modulator").energy_j["hop"] == 1e-15
    assert price("modulator").estimator == "optical"
    assert [one.name for one in known_estimators()] == ["optical", "tables"]


@pytest.mark.usefixtures("fresh_registry")
def test_an_impossible_answer_of_an_estimator_is_refused() -> None:
    broken = Optical()
    broken.energy_j = -1.0
    register_estimator(broken)
    with pytest.raises(ImpossibleResult, match="estimator 'optical' gives hop"):
        price("modulator")


@pytest.mark.usefixtures("fresh_registry")
def test_a_plug_in_is_found_by_its_entry_point_and_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import dovetail.energy.estimators as module

    monkeypatch.setattr(module, "entry_points", lambda group: [SimpleNamespace(name="optical", load=lambda: Optical)])
    assert price("modulator").area_mm2 == 0.01
    module._plugins.cache_clear()
    monkeypatch.setattr(module, "entry_points", lambda group: [SimpleNamespace(name="bad", load=lambda: object)])
    with pytest.raises(BadInput, match="plug-in 'bad' lacks name, kinds, supports or estimate"):
        price("vector")
