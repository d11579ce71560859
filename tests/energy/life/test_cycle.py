"""A life cycle's phases and its closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from dovetail.energy.life import Amount, LifeCycle, Once, Service, best_by_uses, reversals
from dovetail.errors import BadInput

YEAR_S = 31536000.0


def random_life(rng: np.random.Generator, name: str) -> LifeCycle:
    def amount(scale: float) -> Amount:
        return Amount(*(scale * 10.0 ** rng.uniform(-2, 2, 2)))

    service = Service(
        use=amount(1e-3),
        latency_s=10.0 ** rng.uniform(-4, 0),
        waits={"idle": amount(1e-4 * rng.integers(0, 2)), "standby": amount(1e-6)},
        made={"die": amount(10.0), "dram": amount(1.0)},
        devices=float(rng.integers(1, 50)),
        service_s=rng.uniform(0.5, 5) * YEAR_S,
        lifetime_s=rng.uniform(1, 5) * YEAR_S,
    )
    once = (Once("search", "search", amount(1e3)), Once("base", "training", amount(1e5)),
            Once("refresh", "training", amount(1e3), times=float(rng.integers(0, 5))))  # fmt: skip
    return LifeCycle(name, once, service, 1e6, accuracy=float(rng.uniform(0.3, 1.0)))


def life(
    name: str = "one", *, training_j: float = 1e6, use_j: float = 1e-3, accuracy: float | None = None
) -> LifeCycle:
    once = (Once("base", "training", Amount(training_j, training_j * 1e-7)),)
    return LifeCycle(name, once, Service(Amount(use_j, use_j * 1e-7), 1e-3), 1e6, accuracy=accuracy)


def test_phases_sum_to_the_total_and_the_total_is_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        one = random_life(rng, "one").at(10.0 ** rng.uniform(0, 12))
        for quantity in ("energy_j", "co2e_kg"):
            whole = math.fsum(getattr(phase, quantity) for phase in one.phases.values())
            assert math.isclose(whole, getattr(one.total, quantity), rel_tol=1e-12)
            assert math.isclose(whole, one.line(quantity).at(one.uses), rel_tol=1e-9)


def test_a_busy_fleet_grows_and_never_waits() -> None:
    service = Service(Amount(1.0), latency_s=1.0, waits={"idle": Amount(0.1)}, made={"die": Amount(0, 2.0)}, devices=2,
                      service_s=100.0, lifetime_s=200.0)  # fmt: skip
    assert service.most_uses == 200.0
    assert service.fleet(100) == 2
    assert service.fleet(400) == 4
    assert service.idle_s(150) == 50.0
    assert service.idle_s(400) == 0.0
    assert service.written_off(400)["die"].co2e_kg == pytest.approx(4 * 2.0 * 100 / 200)


def test_shared_hardware_answers_for_the_time_in_use_alone() -> None:
    """ACT, eq. 1: the embodied carbon counts for T / LT."""
    service = Service(Amount(1.0), 0.5, {"idle": Amount(9.0)}, {"die": Amount(0, 2.0)}, devices=0, lifetime_s=100.0)
    one = LifeCycle("shared", (), service, 30.0)
    assert one.phases["idle"].energy_j == 0.0
    assert one.phases["embodied"].co2e_kg == pytest.approx(2.0 * 30 * 0.5 / 100)


def test_break_even_is_where_a_brute_force_sweep_changes_sign() -> None:
    rng = np.random.default_rng(2)
    checked = 0
    for _ in range(25):
        one, other = random_life(rng, "one"), random_life(rng, "other")
        for quantity in ("energy_j", "co2e_kg"):
            for tau in (None, 1.0, 4.0):
                even = one.break_even(other, quantity, tau=tau)
                for uses, before, after in zip(even.crossings, even.better, even.better[1:], strict=False):
                    found = bisected(one, other, quantity, tau, uses)
                    if found is not None:
                        assert math.isclose(found, uses, rel_tol=1e-9)
                        checked += 1
                    assert {before, after} == {"one", "other"}
                assert swept(one, other, quantity, tau) == sum(1 for uses in even.crossings if 1e-2 < uses < 1e14)
    assert checked > 25


def difference(one: LifeCycle, other: LifeCycle, quantity: str, tau: float | None, uses: float) -> float:
    if tau is None:
        return float(getattr(one.at(uses).total, quantity) - getattr(other.at(uses).total, quantity))
    return other.at(uses).g_mui(tau, quantity) - one.at(uses).g_mui(tau, quantity)


def bisected(one: LifeCycle, other: LifeCycle, quantity: str, tau: float | None, near: float) -> float | None:
    """The root of the difference of two whole life cycles near ``near``, by bisection."""
    low, high = near * (1 - 1e-4), near * (1 + 1e-4)
    at_low, at_high = (difference(one, other, quantity, tau, uses) for uses in (low, high))
    scale = getattr(one.at(near).total, quantity)
    if at_low * at_high > 0 or (tau is None and abs(at_high - at_low) < 1e-6 * scale):
        return None  # two crossings within 1e-4, or lines that meet at so small an angle that rounding hides where
    if tau is not None and abs(at_high - at_low) < 1e-6 * one.at(near).g_mui(tau, quantity):
        return None
    while high - low > 1e-12 * near:
        middle = (low + high) / 2
        if difference(one, other, quantity, tau, middle) * at_low > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def swept(one: LifeCycle, other: LifeCycle, quantity: str, tau: float | None) -> int:
    """How often the difference changes sign on a fine grid."""
    signs = [math.copysign(1.0, difference(one, other, quantity, tau, uses)) for uses in np.logspace(-2, 14, 150)]
    return sum(1 for before, after in pairwise(signs) if before != after)


def test_published_crossover_formula_is_the_special_case() -> None:
    """LI2021: MUI* = (A_b TEC_a - A_a TEC_b) / (A_a IEC_b - A_b IEC_a)."""
    a = life("a", training_j=2e6, use_j=1e-3, accuracy=0.9)
    b = life("b", training_j=1e6, use_j=2e-3, accuracy=0.8)
    expected = (0.8 * 2e6 - 0.9 * 1e6) / (0.9 * 2e-3 - 0.8 * 1e-3)
    assert float(a.break_even(b, tau=1.0)) == pytest.approx(expected, rel=1e-12)
    plain = life("a", training_j=2e6, use_j=1e-3).break_even(life("b", training_j=1e6, use_j=2e-3))
    assert plain.uses == pytest.approx(1e6 / 1e-3, rel=1e-12)
    assert plain.better == ("b", "a")


def test_g_mui_is_the_published_formula_and_ignores_idle_and_embodied() -> None:
    one = life(accuracy=0.8)
    assert one.g_mui(2.0) == pytest.approx(0.8**2 / (1e6 * 1e-3 + 1e6))
    with_idle = LifeCycle(
        "x", one.once, Service(one.service.use, 1e-3, {"idle": Amount(5.0)}, {"die": Amount(9e9)}), 1e6, 0.8
    )
    assert with_idle.g_mui(2.0) == one.g_mui(2.0)


def test_one_that_is_always_better_has_no_break_even() -> None:
    even = life("good", training_j=1.0, use_j=1e-6).break_even(life("bad"))
    assert even.uses is None
    assert even.better == ("good",)
    assert math.isnan(float(even))
    assert str(life("same").break_even(life("too"))) == "the two cost the same"


def test_best_by_uses_covers_the_range_and_changes_at_reversals() -> None:
    designs = [life("cheap to train", training_j=1e3, use_j=1e-2), life("middle", training_j=1e5, use_j=3e-3),
               life("cheap to use", training_j=1e6, use_j=1e-4)]  # fmt: skip
    stretches = best_by_uses(designs)
    assert [name for _, _, name in stretches] == ["cheap to train", "middle", "cheap to use"]
    assert stretches[0][0] == 1e3
    assert stretches[-1][1] == 1e9
    marks = {one.uses for one in reversals(designs)}
    assert {end for _, end, _ in stretches[:-1]} <= marks


def test_a_small_gain_against_much_spent_is_still_found() -> None:
    one = LifeCycle("one", (Once("base", "training", Amount(1e12)),), Service(Amount(1e-3), 0.0), 1.0)
    other = LifeCycle("other", (Once("base", "training", Amount(1e12 + 1.0)),), Service(Amount(0.9e-3), 0.0), 1.0)
    assert one.break_even(other).uses == pytest.approx(1.0 / 0.1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uses": -5.0}, "uses is -5.0"),
        ({"uses": math.nan}, "uses is nan"),
        ({"accuracy": 72.0}, "share from 0 to 1"),
        ({"tau": -1.0}, "tau is -1.0"),
        ({"uses": 1e300}, "uses is 1e\\+300"),
        ({"uses": "many"}, "uses is many"),
        ({"accuracy": "good"}, "accuracy is good"),
        ({"tau": True}, "tau is True"),
    ],
)
def test_impossible_lives_are_refused(change: dict[str, object], message: str) -> None:
    one = life()
    with pytest.raises(BadInput, match=message):
        LifeCycle(**{"name": "x", "once": one.once, "service": one.service, "uses": 1.0, **change})  # type: ignore[arg-type]


def test_the_closed_form_holds_where_waiting_takes_almost_everything() -> None:
    idle = Amount(1e12)
    service = Service(Amount(1e-6), 1e-3, {"idle": idle}, devices=3.0, service_s=1e8, lifetime_s=1e8)
    for share in (0.1, 1.0 - 1e-12, 1.0, 1.0 + 1e-12):
        assert LifeCycle("one", (), service, share * service.most_uses).total.energy_j > 0.0


def test_impossible_entries_are_refused() -> None:
    with pytest.raises(BadInput, match="energy_j is -1"):
        Amount(-1.0)
    with pytest.raises(BadInput, match="devices is -1"):
        Service(Amount(), 1.0, devices=-1)
    with pytest.raises(BadInput, match="nothing is spent once on 'idle'"):
        Once("x", "idle", Amount())  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="needs an accuracy"):
        life().g_mui()
    with pytest.raises(BadInput, match="not 'water'"):
        life().break_even(life(), "water")
    with pytest.raises(BadInput, match="two designs are named 'one'"):
        best_by_uses([life(), life()])
    with pytest.raises(BadInput, match="give a range"):
        reversals([life()], 10, 1)
