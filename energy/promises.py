"""What an energy estimator promises, and whether one keeps it: for authors of plug-ins (`dovetail.testing`)."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence

from ..errors import BadInput, DovetailError, UnknownName
from .components import Component, ComponentEstimate, Estimator

__all__ = ["ESTIMATOR_PROMISES", "EstimatorError", "check_estimator"]

# What a level of a spec asks of the component that stands for it.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "mac": ("mac",),
    "vector": ("op",),
    "sram": ("read", "write"),
    "register_file": ("read", "write"),
    "dram": ("read", "write"),
    "wire": ("hop",),
    "link": ("transfer",),
    "clock": ("cycle",),
}


class EstimatorError(DovetailError):
    """An estimator breaks the ``promise``, one of `ESTIMATOR_PROMISES`."""

    def __init__(self, estimator: str, promise: str, what: str) -> None:
        super().__init__(f"estimator '{estimator}' breaks the promise '{promise}': {what}")
        self.estimator, self.promise, self.what = estimator, promise, what

    def __reduce__(self) -> tuple[object, ...]:
        return EstimatorError, (self.estimator, self.promise, self.what)


class _Candidate:
    """An estimator under examination and the components it is asked about."""

    def __init__(self, make: Callable[[], Estimator], components: Sequence[Component]) -> None:
        self.make, self.components = make, tuple(components)
        self.name, self.promise = str(getattr(make, "name", getattr(make, "__name__", make))), ""

    def require(self, holds: bool, what: str) -> None:
        """Raise `EstimatorError` unless the present promise holds."""
        if not holds:
            raise EstimatorError(self.name, self.promise, what)

    def answers(self) -> list[tuple[Component, ComponentEstimate]]:
        """A new instance's answer to every component."""
        estimator = self.make()
        found = []
        for component in self.components:
            try:
                found.append((component, estimator.estimate(component)))
            except BadInput as error:
                raise EstimatorError(self.name, self.promise, f"{_shown(component)} is refused: {error}") from error
        return found


def _shown(component: Component) -> str:
    attributes = ", ".join(f"{name}={value}" for name, value in component.attributes)
    return f"{component.kind}({attributes}) at {component.technology_nm:g} nm"


# ---- the promises --------------------------------------------------------------------------------------------------


def _has_identity(candidate: _Candidate) -> None:
    made = candidate.make()
    name, kinds = getattr(made, "name", None), getattr(made, "kinds", None)
    candidate.require(isinstance(name, str) and bool(name), "it needs a `name`, a text that is not empty")
    texts = isinstance(kinds, frozenset) and bool(kinds) and all(isinstance(kind, str) for kind in kinds)
    candidate.require(texts, "it needs `kinds`, a frozenset of the kinds of components it prices")
    candidate.require(isinstance(made, Estimator), "it needs the methods supports(component) and estimate(component)")


def _supports_its_kinds(candidate: _Candidate) -> None:
    made = candidate.make()
    asked = {component.kind for component in candidate.components}
    unasked = sorted(made.kinds - asked)
    candidate.require(not unasked, f"give check_estimator a component of every kind; none is of {', '.join(unasked)}")
    for component in candidate.components:
        candidate.require(component.kind in made.kinds, f"`kinds` lacks '{component.kind}'")
        candidate.require(made.supports(component), f"{_shown(component)}: supports() says no")
    candidate.require(not made.supports(Component.of("no_such_kind", 45)), "supports() says yes to 'no_such_kind'")


def _prices_with_numbers(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        candidate.require(bool(found.energy_j), f"{_shown(component)}: it states no action's energy")
        values = {**found.energy_j, "area": found.area_mm2, "leakage": found.leakage_w}
        for what, value in values.items():
            good = isinstance(value, int | float) and math.isfinite(value) and value >= 0
            candidate.require(good, f"{_shown(component)}: {what} is {value!r}; it must be a number, zero or more")


def _serves_a_spec(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        missing = [action for action in _ACTIONS.get(component.kind, ()) if action not in found.energy_j]
        candidate.require(not missing, f"{_shown(component)}: a spec asks for the energy of {', '.join(missing)}")


def _cites(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        texts = all(isinstance(one, str) and one.strip() for one in found.sources)
        candidate.require(bool(found.sources) and texts, f"{_shown(component)}: `sources` must name where it is from")
        distinct = len(set(found.sources)) == len(found.sources)
        candidate.require(distinct, f"{_shown(component)}: a source stands twice")


def _states_uncertainty(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        good = math.isfinite(found.uncertainty) and found.uncertainty >= 0
        what = f"{_shown(component)}: uncertainty is {found.uncertainty!r}; give a relative standard deviation"
        candidate.require(good, what)


def _figures_agree(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        if not found.figures:
            continue
        values = {**found.energy_j, "area": found.area_mm2, "leakage": found.leakage_w}
        stated = {one.name: one.value for one in found.figures}
        candidate.require(
            stated == values and len(stated) == len(found.figures),
            f"{_shown(component)}: `figures` must hold each action's energy, 'area' and 'leakage' once, as stated",
        )
        for one in found.figures:
            wanted = {"area": ("mm2",), "leakage": ("W",)}.get(one.name, ("J", "J/bit"))
            named = f"{_shown(component)}: figure '{one.name}'"
            candidate.require(one.unit in wanted, f"{named} is in '{one.unit}'; write {' or '.join(wanted)}")
            spread = math.isfinite(one.uncertainty) and one.uncertainty >= 0
            candidate.require(spread, f"{named}: uncertainty is {one.uncertainty!r}")
            cited = bool(one.source.strip() and one.validity.strip()) or not one.value
            candidate.require(cited, f"{named} needs its source and for what it holds")


def _repeats(candidate: _Candidate) -> None:
    for (component, first), (_, second) in zip(candidate.answers(), candidate.answers(), strict=True):
        candidate.require(first == second, f"{_shown(component)}: two instances answer differently")


def _crosses_processes(candidate: _Candidate) -> None:
    for component, found in candidate.answers():
        try:
            same = pickle.loads(pickle.dumps(found)) == found
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            what = f"{_shown(component)}: the estimate cannot be pickled: {error}"
            raise EstimatorError(candidate.name, candidate.promise, what) from error
        candidate.require(same, f"{_shown(component)}: the estimate changes when it is pickled")


def _refuses_clearly(candidate: _Candidate) -> None:
    """A wrong attribute, node or number is not supported, or refused with `BadInput`, or else priced with a number."""
    made = candidate.make()
    for component in candidate.components:
        strange = (*component.attributes, ("no_such_attribute", 1.0))
        wrong = [Component(component.kind, component.technology_nm, tuple(sorted(strange)))]
        wrong += [Component(component.kind, node, component.attributes) for node in (math.nan, 0.0, -7.0, 1e9)]
        for name, value in component.attributes:
            others = tuple(pair for pair in component.attributes if pair[0] != name)
            replaced = (math.nan, -1.0, "?") if isinstance(value, int | float) else ("no such thing",)
            wrong += [
                Component(component.kind, component.technology_nm, (*others, (name, other))) for other in replaced
            ]
        for number, one in enumerate(wrong):
            try:
                found = made.estimate(one) if made.supports(one) else None
            except BadInput:
                continue
            except Exception as error:  # whatever else a plug-in lets through
                raise EstimatorError(
                    candidate.name, candidate.promise, f"{_shown(one)}: it raises {error!r}; raise BadInput"
                ) from error
            candidate.require(number > 0 or found is None, f"{_shown(one)}: the attribute is ignored; refuse it")
            values = () if found is None else (*found.energy_j.values(), found.area_mm2, found.leakage_w)
            good = all(math.isfinite(value) and value >= 0 for value in values)
            candidate.require(good, f"{_shown(one)}: it is priced with {values}; raise BadInput")


ESTIMATOR_PROMISES: dict[str, Callable[[_Candidate], None]] = {
    "has a name and kinds": _has_identity,
    "supports its kinds": _supports_its_kinds,
    "prices with numbers": _prices_with_numbers,
    "serves a spec": _serves_a_spec,
    "cites its sources": _cites,
    "states an uncertainty": _states_uncertainty,
    "has figures that agree": _figures_agree,
    "answers the same question alike": _repeats,
    "crosses processes": _crosses_processes,
    "refuses clearly": _refuses_clearly,
}


def check_estimator(
    estimator: Callable[[], Estimator], components: Sequence[Component], promise: str | None = None
) -> None:
    """Ask an estimator's class for the price of ``components``, at least one of every kind it prices.

    ``promise`` picks one of `ESTIMATOR_PROMISES`, None takes all. Raises `EstimatorError`, which names the promise and
    the component, where one is broken.
    """
    if promise is not None and promise not in ESTIMATOR_PROMISES:
        raise UnknownName("promise", promise, tuple(ESTIMATOR_PROMISES))
    candidate = _Candidate(estimator, components)
    for name, check in ESTIMATOR_PROMISES.items():
        if promise in (None, name):
            candidate.promise = name
            check(candidate)
