"""The conformance suite for estimators: the shipped one passes, and each kind of mistake is named."""

import math
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from dovetail.energy import Component, ComponentEstimate, Figure
from dovetail.energy.tables import TableEstimator
from dovetail.errors import BadInput, UnknownName
from dovetail.testing import ESTIMATOR_PROMISES, EstimatorError, check_estimator

KIB = 8 * 1024
SHIPPED = (
    Component.of("mac", 28, number="bf16"),
    Component.of("vector", 65, bits=16),
    Component.of("special", 16, function="exp", bits=16),
    Component.of("sram", 45, size_bits=8.0 * KIB, width_bits=64, banks=2, ports=2),
    Component.of("register_file", 16, size_bits=512, ports=3),
    Component.of("dram", 7, dram_kind="hbm3"),
    Component.of("wire", 7, length_mm=2.0),
    Component.of("link", 7, link_kind="pcie"),
    Component.of("clock", 16, flip_flops=1000),
)
ASKED = (Component.of("modulator", 45, length_mm=1.0),)


class Optical:
    """A well-behaved plug-in with one kind."""

    name = "optical"
    kinds = frozenset({"modulator"})

    def supports(self, component: Component) -> bool:
        return component.kind in self.kinds and {name for name, _ in component.attributes} <= {"length_mm"}

    def estimate(self, component: Component) -> ComponentEstimate:
        length = component.number("length_mm", 1.0)
        if not 0 <= length <= 10 or not 3 <= component.technology_nm <= 180:
            raise BadInput(f"modulator: length_mm {length:g} is outside 0 to 10; change it")
        return self.answer(length)

    def answer(self, length: float) -> ComponentEstimate:
        energy = Figure("hop", 1e-15 * length, "J/bit", "a laboratory, 2024", "1550 nm", 0.5)
        area = Figure("area", 0.01, "mm2", "a laboratory, 2024", "1550 nm", 0.2)
        none = Figure("leakage", 0.0, "W", "", "", 0.0)
        return ComponentEstimate(
            {"hop": energy.value}, 0.01, 0.0, ("a laboratory, 2024",), 0.5, figures=(energy, area, none)
        )


@pytest.mark.parametrize("promise", ESTIMATOR_PROMISES)
def test_the_shipped_estimator_keeps_every_promise(promise: str) -> None:
    check_estimator(TableEstimator, SHIPPED, promise)


def test_a_good_plug_in_passes() -> None:
    check_estimator(Optical, ASKED)


def test_unknown_promises_are_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'cites its sources'"):
        check_estimator(Optical, ASKED, "cites its source")


class Nameless(Optical):
    name = ""


class Greedy(Optical):
    def supports(self, component: Component) -> bool:
        return True


class Negative(Optical):
    def answer(self, length: float) -> ComponentEstimate:
        return ComponentEstimate({"hop": -1.0}, 0.0, 0.0, ("a",), 0.1)


class Uncited(Optical):
    def answer(self, length: float) -> ComponentEstimate:
        return replace(super().answer(length), sources=())


class Vague(Optical):
    def answer(self, length: float) -> ComponentEstimate:
        return replace(super().answer(length), uncertainty=math.nan)


class Contradicting(Optical):
    def answer(self, length: float) -> ComponentEstimate:
        return replace(super().answer(length), area_mm2=0.02)


class Unitless(Optical):
    def answer(self, length: float) -> ComponentEstimate:
        good = super().answer(length)
        return replace(good, figures=(replace(good.figures[0], unit="pJ"), *good.figures[1:]))


class Moody(Optical):
    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def answer(self, length: float) -> ComponentEstimate:
        return ComponentEstimate({"hop": 1e-15 * self.made}, 0.0, 0.0, ("a",), 0.1)


class Crude(Optical):
    def estimate(self, component: Component) -> ComponentEstimate:
        return self.answer(math.sqrt(component.number("length_mm")))


class Deaf(Optical):
    def supports(self, component: Component) -> bool:
        return component.kind in self.kinds


@pytest.mark.parametrize(
    ("broken", "promise", "message"),
    [
        (Nameless, "has a name and kinds", "a text that is not empty"),
        (Greedy, "supports its kinds", "says yes to 'no_such_kind'"),
        (Negative, "prices with numbers", "hop is -1.0"),
        (Uncited, "cites its sources", "must name where it is from"),
        (Vague, "states an uncertainty", "uncertainty is nan"),
        (Contradicting, "has figures that agree", "each action's energy"),
        (Unitless, "has figures that agree", "is in 'pJ'"),
        (Moody, "answers the same question alike", "two instances answer differently"),
        (Crude, "refuses clearly", "raise BadInput"),
        (Deaf, "refuses clearly", "the attribute is ignored; refuse it"),
    ],
)
def test_each_mistake_is_named(broken: Callable[[], Optical], promise: str, message: str) -> None:
    with pytest.raises(EstimatorError) as caught:
        check_estimator(broken, ASKED)
    assert caught.value.promise == promise
    assert message in str(caught.value)


def test_a_kind_that_is_not_asked_about_is_missed() -> None:
    with pytest.raises(EstimatorError, match="none is of clock"):
        check_estimator(TableEstimator, SHIPPED[:-1])


def test_a_level_of_a_spec_gets_the_actions_it_asks_for() -> None:
    class Reader(Optical):
        kinds = frozenset({"sram"})

        def answer(self, length: float) -> ComponentEstimate:
            return ComponentEstimate({"read": 1e-13}, 0.0, 0.0, ("a",), 0.1)

    with pytest.raises(EstimatorError, match="asks for the energy of write"):
        check_estimator(Reader, [Component.of("sram", 45)], "serves a spec")


def test_the_error_crosses_processes() -> None:
    error = EstimatorError("a", "b", "c")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
