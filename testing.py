"""For authors of plug-ins: whether a mapper, an energy estimator or a search strategy keeps what Dovetail relies on.

>>> from dovetail.testing import check_mapper
>>> check_mapper(MyMapper)  # doctest: +SKIP

or one test a promise: ``@pytest.mark.parametrize("promise", MAPPER_PROMISES)`` and ``check_mapper(MyMapper, promise)``.
For an estimator, with a component of every kind it prices:

>>> from dovetail.testing import check_estimator
>>> check_estimator(MyEstimator, [Component.of("modulator", 45, length_mm=1.0)])  # doctest: +SKIP

For a search strategy:

>>> from dovetail.testing import check_strategy
>>> check_strategy(MyStrategy)  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .accel.accelerator import Accelerator, Array, Compute, Memory
from .accel.analytic import evaluate
from .cosearch.strategies.promises import STRATEGY_PROMISES, StrategyError, check_strategy
from .energy.promises import ESTIMATOR_PROMISES, EstimatorError, check_estimator
from .errors import BadInput, DovetailError, Infeasible, UnknownName
from .mapper.base import Limits, Mapper, MappingResult
from .mapper.bounds import roofline
from .mapper.constraints import Constraints, LevelConstraint
from .mapper.mapspace import Mapspace
from .mapper.objective import Objective
from .mapper.sampling import random_points
from .models.op import ROLES, Op, conv2d, linear, transposed_conv2d

__all__ = [
    "ESTIMATOR_PROMISES",
    "MAPPER_PROMISES",
    "STRATEGY_PROMISES",
    "EstimatorError",
    "MapperError",
    "StrategyError",
    "check_estimator",
    "check_mapper",
    "check_strategy",
]

ROUNDING = 1e-9  # relative; the compiled and the readable model add up in different orders
DRAWS = 300  # random points that a result is held against
SLACK = 1.1  # how much worse than the best of them a heuristic may be
EFFORT = Limits(evaluations=2000)


class MapperError(DovetailError):
    """A mapper breaks the ``promise``, one of `MAPPER_PROMISES`."""

    def __init__(self, mapper: str, promise: str, what: str) -> None:
        super().__init__(f"mapper '{mapper}' breaks the promise '{promise}': {what}")
        self.mapper, self.promise, self.what = mapper, promise, what

    def __reduce__(self) -> tuple[object, ...]:
        return MapperError, (self.mapper, self.promise, self.what)


@dataclass(frozen=True)
class _Question:
    """What a mapper is asked, and how the question is called in messages."""

    op: Op
    accelerator: Accelerator
    objective: str = "edp"
    constraints: Constraints | None = None
    seed: int = 1
    limits: Limits = EFFORT

    def __str__(self) -> str:
        return f"{self.op.name} on '{self.accelerator.name}' for {self.objective}"

    @property
    def space(self) -> Mapspace:
        return Mapspace(self.op, self.accelerator, self.constraints)

    @property
    def wanted(self) -> Objective:
        return Objective.parse(self.objective)


def _chip(
    words: int = 96, *, hop_j: float = 0.0, register_bypass: bool = False, register_bits: float = 64.0
) -> Accelerator:
    """A DRAM, a buffer of ``words`` bytes, 4 × 3 multipliers with a register file each."""
    keeps = frozenset(ROLES)
    dram = Memory(
        "dram",
        keeps,
        read_bandwidth_bits_per_s=32e9,
        shared_port=True,
        read_energy_j_per_bit=2e-11,
        write_energy_j_per_bit=2e-11,
    )
    buffer = Memory(
        "buffer",
        keeps,
        size_bits=words * 8.0,
        double_buffered=True,
        read_energy_j_per_bit=1e-12,
        write_energy_j_per_bit=1e-12,
    )
    dims = {"x": frozenset("KPG"), "y": frozenset("CRK")}
    array = Array("array", (("x", 4), ("y", 3)), dims, hop_energy_j_per_bit=hop_j)
    register = Memory("register", keeps, keeps if register_bypass else frozenset(), size_bits=register_bits)
    mac = Compute("mac", accumulator_bits=16, energy_j=1e-13)
    return Accelerator("check", 1e9, 45.0, (dram, buffer, array, register, mac))


def _ops() -> Sequence[Op]:
    return (
        linear("linear", n=6, k=10, c=7),
        conv2d("conv", k=4, c=3, p=5, q=4, r=3, s=3, stride=(2, 1)),
        conv2d("depthwise", g=6, k=1, c=1, p=4, q=4, r=2, s=2),
        transposed_conv2d("transposed", k=2, c=2, h=3, w=3, r=2, s=2),
    )


def _inside(question: _Question, result: MappingResult) -> bool:
    space = question.space
    try:
        return space.contains(*space.problem.from_mapping(result.mapping))
    except (BadInput, ValueError, IndexError):
        return False


class _Candidate:
    """A mapper under examination, and what it answered to the common questions."""

    def __init__(self, mapper: type[Mapper]) -> None:
        self.mapper, self.name = mapper, str(getattr(mapper, "name", mapper.__name__))
        self.promise = ""

    def require(self, holds: bool, what: str) -> None:
        """Raise `MapperError` unless the present promise holds."""
        if not holds:
            raise MapperError(self.name, self.promise, what)

    def ask(self, question: _Question) -> MappingResult:
        """The mapper's answer to a question that has one."""
        try:
            return self.mapper().map(question.space, question.wanted, question.seed, question.limits)
        except Infeasible as error:
            raise MapperError(self.name, self.promise, f"{question}: a mapping fits, yet it raises: {error}") from error

    @cached_property
    def answers(self) -> list[tuple[_Question, MappingResult]]:
        """The answers to questions of every kind."""
        asked = [_Question(op, _chip()) for op in _ops()]
        asked.append(_Question(_ops()[1], _chip(), "energy*latency^2"))
        asked.append(_Question(_ops()[0], _chip(), "energy + 0.5*latency"))
        asked.append(_Question(_ops()[0], _chip(), "latency", limits=replace(EFFORT, gap=0.5)))
        return [(question, self.ask(question)) for question in asked]


# ---- the promises --------------------------------------------------------------------------------------------------


def _has_identity(candidate: _Candidate) -> None:
    mapper = candidate.mapper
    name, version = getattr(mapper, "name", None), getattr(mapper, "version", None)
    candidate.require(isinstance(name, str) and bool(name), "its class needs a `name`, a text that is not empty")
    candidate.require(
        isinstance(version, int) and not isinstance(version, bool),
        "its class needs a whole number `version`; raise it when the same question may get another answer",
    )
    candidate.require(isinstance(mapper(), Mapper), "it needs a method map(space, objective, seed, limits)")


def _stays_in_space(candidate: _Candidate) -> None:
    for question, result in candidate.answers:
        candidate.require(_inside(question, result), f"{question}: {result.mapping} is not a point of it")


def _states_cost(candidate: _Candidate) -> None:
    for question, result in candidate.answers:
        cost = evaluate(question.op, question.accelerator, result.mapping)
        candidate.require(
            result.cost == cost,
            f"{question}: it says {result.cost.energy_j:g} J and {result.cost.cycles:g} cycles, dovetail.evaluate says "
            f"{cost.energy_j:g} J and {cost.cycles:g}",
        )


def _certifies(candidate: _Candidate) -> None:
    for question, result in candidate.answers:
        given, wanted = result.certificate, question.wanted
        value = wanted.value(result.cost.energy_j, result.cost.latency_s)
        least = roofline(question.op, question.accelerator, wanted)
        drawn = min(_drawn(question), default=math.inf)
        for holds, what in (
            (
                math.isclose(given.optimum, value, rel_tol=ROUNDING),
                f"the certificate's optimum {given.optimum:g} is not the objective {value:g} of the mapping",
            ),
            (
                0.0 <= given.lower_bound <= given.optimum * (1.0 + ROUNDING),
                f"the lower bound {given.lower_bound:g} is not between 0 and the optimum {given.optimum:g}",
            ),
            (value >= least * (1.0 - ROUNDING), f"the mapping's {value:g} is below the roofline {least:g}"),
            (
                drawn >= given.lower_bound * (1.0 - ROUNDING),
                f"the lower bound is {given.lower_bound:g}, a mapping of the space costs {drawn:g}",
            ),
            (given.evaluated >= 1, "it says that no mapping was costed"),
            (given.pruned >= 0 and given.seconds >= 0.0, "pruned and seconds cannot be negative"),
        ):
            candidate.require(holds, f"{question}: {what}")


def _drawn(question: _Question) -> list[float]:
    """The objective of random points of the space that fit."""
    space, wanted = question.space, question.wanted
    points = random_points(space, DRAWS, np.random.default_rng(7))
    result = space.problem.evaluate(*points)
    clock = question.accelerator.clock_hz
    return [wanted.value(float(e), float(c) / clock) for e, c, _ in result if math.isfinite(e)]


def _keeps_history(candidate: _Candidate) -> None:
    for question, result in candidate.answers:
        counts, bests = [count for count, _ in result.history], [best for _, best in result.history]
        if not counts:
            continue
        candidate.require(
            counts == sorted(counts) and counts[0] >= 1 and counts[-1] <= result.certificate.evaluated,
            f"{question}: counts must grow from 1 to the certificate's evaluated mappings",
        )
        candidate.require(bests == sorted(set(bests), reverse=True), f"{question}: every entry must be an improvement")
        candidate.require(
            math.isclose(bests[-1], result.certificate.optimum, rel_tol=1e-6),
            f"{question}: it ends at {bests[-1]:g}, the certificate says {result.certificate.optimum:g}",
        )


def _repeats(candidate: _Candidate) -> None:
    for op in _ops()[:2]:
        question = _Question(op, _chip(), seed=5)
        first, second = (candidate.ask(question) for _ in range(2))
        candidate.require(
            first.mapping == second.mapping,
            f"{question}, seed {question.seed}: first {first.mapping}, then {second.mapping}",
        )


def _minimises(candidate: _Candidate) -> None:
    chip = _chip(hop_j=3e-11)  # spreading work is quick and costs energy
    for objective in ("energy", "latency", "edp"):
        question = _Question(_ops()[0], chip, objective)
        found, drawn = candidate.ask(question).certificate.optimum, min(_drawn(question))
        candidate.require(
            found <= SLACK * drawn,
            f"{question}: it found {found:g}, the best of {DRAWS} random points is {drawn:g}",
        )


def _keeps_budget(candidate: _Candidate) -> None:
    for budget in (1, 40, 700):
        question = _Question(_ops()[1], _chip(), limits=Limits(evaluations=budget))
        spent = candidate.ask(question).certificate.evaluated
        candidate.require(spent <= budget, f"{question}: it costed {spent} mappings where {budget} were allowed")
    question = _Question(_ops()[1], _chip(), limits=Limits(seconds=1e-6))
    candidate.require(_inside(question, candidate.ask(question)), f"{question}: out of time, it must still answer")


def _says_infeasible(candidate: _Candidate) -> None:
    question = _Question(_ops()[0], _chip(words=2))
    try:
        result = candidate.mapper().map(question.space, question.wanted, question.seed, question.limits)
    except Infeasible as error:
        candidate.require(
            error.level == "buffer" and error.missing_words > 0,
            f"{question}: the exception must carry the level 'buffer' and the missing words; it carries "
            f"'{error.level}' and {error.missing_words}",
        )
        return
    raise MapperError(candidate.name, candidate.promise, f"{question}: nothing fits, yet it answers {result.mapping}")


def _maps_one_step(candidate: _Candidate) -> None:
    for chip in (_chip(), _chip(register_bypass=True)):
        question = _Question(linear("one", n=1, k=1, c=1), chip)
        result = candidate.ask(question)
        loops = [loop for level in result.mapping.levels for loop in level.loops if loop.bound > 1]
        candidate.require(_inside(question, result) and not loops, f"{question}: it answers {result.mapping}")


def _constraints() -> dict[str, Constraints]:
    rule = LevelConstraint
    return {
        "fixed factors": Constraints(
            {"buffer": rule(factors={"K": 2}), "array": rule(axes={"y": rule(factors={"C": 3})})}
        ),
        "limited dimensions": Constraints({"buffer": rule(dims=frozenset("KC")), "register": rule(dims=frozenset())}),
        "stationary tensors": Constraints({"dram": rule(stationary="weight"), "buffer": rule(stationary="output")}),
        "fixed orders": Constraints({"dram": rule(order=("C", "K")), "buffer": rule(order=("P", "N"))}),
        "factors that divide": Constraints(imperfect="none"),
        "partial tiles in time": Constraints(imperfect="all"),
    }


def _respects_constraints(candidate: _Candidate) -> None:
    for what, constraints in _constraints().items():
        for op in (linear("linear", n=6, k=8, c=9), conv2d("conv", k=6, c=6, p=5, q=3, r=2, s=1)):
            question = _Question(op, _chip(words=400), constraints=constraints)
            result = candidate.ask(question)
            candidate.require(_inside(question, result), f"{question} with {what}: it answers {result.mapping}")


def _uses_bypass(candidate: _Candidate) -> None:
    question = _Question(_ops()[0], _chip(register_bypass=True, register_bits=16.0))
    result = candidate.ask(question)
    candidate.require(_inside(question, result), f"{question}: {result.mapping} is not a point of it")
    skipped = next(level.bypass for level in result.mapping.levels if level.level == "register")
    candidate.require(bool(skipped), f"{question}: the register file holds two words, some tensor must skip it")


MAPPER_PROMISES: dict[str, Callable[[_Candidate], None]] = {
    "has a name and a version": _has_identity,
    "stays in the mapspace": _stays_in_space,
    "states the cost of its mapping": _states_cost,
    "gives a certificate that holds": _certifies,
    "keeps a true history": _keeps_history,
    "answers the same question alike": _repeats,
    "minimises what it is asked to": _minimises,
    "keeps to its limits": _keeps_budget,
    "says what does not fit": _says_infeasible,
    "maps an operator of one step": _maps_one_step,
    "respects constraints": _respects_constraints,
    "uses open bypasses": _uses_bypass,
}


def check_mapper(mapper: type[Mapper], promise: str | None = None) -> None:
    """Ask a mapper some dozen small questions; ``promise`` picks one of `MAPPER_PROMISES`, None takes all.

    Raises `MapperError`, which names the promise and the question, where one is broken.
    """
    if promise is not None and promise not in MAPPER_PROMISES:
        raise UnknownName("promise", promise, tuple(MAPPER_PROMISES))
    candidate = _Candidate(mapper)
    for name, check in MAPPER_PROMISES.items():
        if promise in (None, name):
            candidate.promise = name
            check(candidate)
