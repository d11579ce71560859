"""The conformance suite tells which promise a mapper breaks."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace
from typing import ClassVar

import pytest

from dovetail.accel.analytic import evaluate
from dovetail.accel.mapping import Loop
from dovetail.errors import Infeasible, UnknownName
from dovetail.mapper.base import UNLIMITED, Certificate, Limits, Mapper, MappingResult
from dovetail.mapper.baselines.random_search import RandomMapper
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.testing import MAPPER_PROMISES, MapperError, check_mapper


class Nameless(RandomMapper):
    """Its version is no number."""

    version: ClassVar[int] = "two"  # type: ignore[assignment]


class Outside(RandomMapper):
    """It runs through everything twice."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, objective, seed, limits)
        levels = result.mapping.levels
        loops = (*levels[0].loops, Loop(space.op.dims[0][0], 2))
        mapping = replace(result.mapping, levels=(replace(levels[0], loops=loops), *levels[1:]))
        return replace(result, mapping=mapping, cost=evaluate(space.op, space.accelerator, mapping))


class Boaster(RandomMapper):
    """It states half the energy."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, objective, seed, limits)
        return replace(result, cost=replace(result.cost, energy_j=result.cost.energy_j / 2))


class FalseProphet(RandomMapper):
    """It calls what it found after a few draws the optimum."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, objective, seed, Limits(evaluations=3))
        found = result.certificate.optimum
        return replace(result, certificate=Certificate(found, found, 3))


class Forgetful(RandomMapper):
    """It tells its improvements backwards."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, objective, seed, limits)
        return replace(result, history=result.history[::-1] * 2)


class Fickle(RandomMapper):
    """It ignores the seed."""

    _calls = itertools.count()

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        return super().map(space, objective, next(self._calls), limits)


class Stubborn(RandomMapper):
    """It minimises energy whatever it is asked for."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, Objective.parse("energy"), seed, limits)
        value = objective.value(result.cost.energy_j, result.cost.latency_s)
        return replace(result, certificate=Certificate(value, 0.0, result.certificate.evaluated), history=())


class Spendthrift(RandomMapper):
    """It costs ten times what it may."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        return super().map(space, objective, seed, Limits(evaluations=10 * (limits.evaluations or 100)))


class Taciturn(RandomMapper):
    """It does not say which memory is too small."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        try:
            return super().map(space, objective, seed, limits)
        except Infeasible:
            raise Infeasible("no") from None


class Busy(RandomMapper):
    """It needs a loop."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        if not space.problem.dims:
            raise Infeasible("nothing to loop over")
        return super().map(space, objective, seed, limits)


class Rebel(RandomMapper):
    """It looks at no constraint."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        return super().map(Mapspace(space.op, space.accelerator), objective, seed, limits)


class Hoarder(RandomMapper):
    """It keeps every tensor in every memory."""

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        result = super().map(space, objective, seed, limits)
        levels = tuple(replace(level, bypass=frozenset()) for level in result.mapping.levels)
        mapping = replace(result.mapping, levels=levels)
        cost = evaluate(space.op, space.accelerator, mapping)
        value = objective.value(cost.energy_j, cost.latency_s)
        return MappingResult(mapping, cost, replace(result.certificate, optimum=value))


BROKEN: dict[str, type[Mapper]] = {
    "has a name and a version": Nameless,
    "stays in the mapspace": Outside,
    "states the cost of its mapping": Boaster,
    "gives a certificate that holds": FalseProphet,
    "keeps a true history": Forgetful,
    "answers the same question alike": Fickle,
    "minimises what it is asked to": Stubborn,
    "keeps to its limits": Spendthrift,
    "says what does not fit": Taciturn,
    "maps an operator of one step": Busy,
    "respects constraints": Rebel,
    "uses open bypasses": Hoarder,
}


@pytest.mark.parametrize("promise", MAPPER_PROMISES)
def test_each_broken_promise_is_found_and_named(promise: str) -> None:
    with pytest.raises(MapperError, match=promise) as caught:
        check_mapper(BROKEN[promise])
    assert caught.value.promise == promise


def test_a_single_promise_can_be_asked_for() -> None:
    check_mapper(Rebel, "keeps to its limits")
    with pytest.raises(UnknownName, match="did you mean 'respects constraints'"):
        check_mapper(Rebel, "respect constraint")


def test_the_failure_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(MapperError("mine", "keeps to its limits", "it does not")))
    assert (error.mapper, error.promise) == ("mine", "keeps to its limits")
    assert str(error) == "mapper 'mine' breaks the promise 'keeps to its limits': it does not"
