"""Objectives are read from text, grow with energy and latency, and wrong ones are answered with a remedy."""

from __future__ import annotations

import itertools

import pytest

from dovetail.errors import BadInput
from dovetail.mapper.objective import OBJECTIVES, Objective


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("energy", 3.0),
        ("latency", 5.0),
        ("edp", 15.0),
        ("ed2p", 75.0),
        ("energy*latency", 15.0),
        ("energy^2 * latency", 45.0),
        ("latency*energy^0.5*latency", 3.0**0.5 * 25.0),
        ("Energy^2", 9.0),
        ("energy + latency", 8.0),
        ("2*energy + 0.5*latency", 8.5),
        ("energy+1e3*latency", 5003.0),
        ("  energy + energy  ", 6.0),
    ],
)
def test_a_mix_has_the_value_it_says(text: str, value: float) -> None:
    assert Objective.parse(text).value(3.0, 5.0) == pytest.approx(value, rel=1e-15)


def test_the_plain_objectives_are_exact() -> None:
    """They are compared bit by bit with a cost's own energy, latency and product."""
    energy_j, latency_s = 0.1, 0.3
    values = [Objective.parse(name).value(energy_j, latency_s) for name in ("energy", "latency", "edp")]
    assert values == [energy_j, latency_s, energy_j * latency_s]


@pytest.mark.parametrize("text", [*OBJECTIVES, "energy + 2*latency", "energy^3*latency^0.1", "0*energy + latency"])
def test_every_mix_is_monotone_in_both(text: str) -> None:
    objective = Objective.parse(text)
    for energy, latency in itertools.product((1e-9, 1e-3, 1.0, 7.0), repeat=2):
        here = objective.value(energy, latency)
        assert here >= 0.0
        assert objective.value(energy * 1.01, latency) >= here
        assert objective.value(energy, latency * 1.01) >= here


def test_an_objective_stays_what_it_is() -> None:
    objective = Objective.parse("energy + 2*latency")
    assert Objective.parse(objective) is objective
    assert objective.name == "energy + 2*latency"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enrgy", "unknown objective 'enrgy'; did you mean 'energy'?"),
        ("", "unknown objective ''; write 'energy', 'latency', 'edp', 'ed2p' or a mix such as"),
        ("power", "unknown objective 'power'"),
        ("energy - latency", "unknown objective"),
        ("energy^-1", "unknown objective"),
        ("energy*", "unknown objective"),
        ("-2*energy + latency", "unknown objective"),
        ("energy*latency + energy", "unknown objective"),
        ("energy^nan", "unknown objective"),
        ("energy^0", "is the same for every mapping; give energy or latency some weight"),
        ("0*energy + 0*latency", "is the same for every mapping"),
    ],
)
def test_what_is_no_mix_is_answered_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        Objective.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [None, 3, ["energy"]])
def test_things_that_are_no_text_are_refused(text: object) -> None:
    with pytest.raises(BadInput, match="unknown objective"):
        Objective.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["energy^1e999", "1e999*energy + latency", "energy^400"])
def test_weights_without_bounds_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="weight"):
        Objective.parse(text)
