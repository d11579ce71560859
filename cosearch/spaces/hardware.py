"""An accelerator's searchable parameters as choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...accel.accelerator import Accelerator, Parameter
from ...accel.spec import format_parameter, parameter_value
from ...errors import BadInput, UnknownName
from .dataflow import DATAFLOW
from .space import Choice, Space, Value

__all__ = [
    "HARDWARE_PREFIX", "fixed_parameters", "hardware_defaults", "hardware_space", "hardware_values", "wrong_points",
]  # fmt: skip

HARDWARE_PREFIX = "hw."


def hardware_space(
    accelerator: Accelerator, names: Sequence[str] | None = None, points: Mapping[str, Sequence[Value]] | None = None
) -> Space:
    """The accelerator's searchable parameters as choices ``hw.<parameter>``.

    Options are numbers in the unit in which the spec writes the parameter, as ``Accelerator.with_parameters`` takes
    them. ``names`` picks parameters (default: every one that is not fixed); ``points`` gives the values to try of a
    parameter that has a continuous range. Raises `BadInput` for a fixed parameter and for a range without points.
    """
    known = {parameter.name: parameter for parameter in accelerator.parameters}
    points = points or {}
    for name in (*(names or ()), *points):
        if name not in known:
            raise UnknownName(f"parameter of {accelerator.name}", name, tuple(known))
    picked = names if names is not None else [p.name for p in known.values() if _is_open(p)]
    idle = next((name for name in points if name not in picked), None)
    if idle is not None:
        raise BadInput(f"'{idle}' has points but is not searched; add it to 'search' or remove its points")
    return Space(tuple(_hardware_choice(known[name], points.get(name)) for name in picked))


def fixed_parameters(before: Accelerator, after: Accelerator) -> frozenset[str]:
    """Parameters that could be searched before an accelerator was patched, and are fixed or gone since."""
    left = {parameter.name for parameter in after.parameters if _is_open(parameter)}
    return frozenset(p.name for p in before.parameters if _is_open(p) and p.name not in left)


def wrong_points(
    accelerator: Accelerator, points: Mapping[str, Sequence[Value]]
) -> Iterator[tuple[str, int, BadInput]]:
    """The values to try that a parameter cannot have: its name, the value's place in the list, and why not."""
    for parameter in accelerator.parameters:
        for place, value in enumerate(points.get(parameter.name, ())):
            try:
                parameter_value(parameter, value)
            except BadInput as error:
                yield parameter.name, place, error


def _is_open(parameter: Parameter) -> bool:
    return bool(parameter.choices) or parameter.bounds is not None


def _hardware_choice(parameter: Parameter, points: Sequence[Value] | None) -> Choice:
    label = f"{HARDWARE_PREFIX}{parameter.name}"
    if points is not None:
        return Choice(label, tuple(points))
    if parameter.choices:
        return Choice(label, tuple(_in_unit(parameter, value) for value in parameter.choices))
    if parameter.bounds is not None:
        low, high = (float(_in_unit(parameter, bound)) for bound in parameter.bounds)
        raise BadInput(
            f"{label}: the parameter has the range {low:g} to {high:g} and no choices; "
            f"give the points to try, for example [{low:g}, {(low + high) / 2:g}, {high:g}]"
        )
    fixed = _in_unit(parameter, parameter.default)
    raise BadInput(f"{label}: the parameter is fixed at {fixed}; give it choices in the hardware spec")


def _in_unit(parameter: Parameter, value: float) -> int | float:
    """An SI value of the parameter as a number in the spec's unit: 160e9 bit/s is 20 where the spec writes GB/s."""
    number = float(format_parameter(parameter, value).split()[0])
    return int(number) if number.is_integer() else number


def hardware_defaults(accelerator: Accelerator) -> dict[str, Value]:
    """The default of every parameter, named and valued like the options of `hardware_space`."""
    return {f"{HARDWARE_PREFIX}{p.name}": _in_unit(p, p.default) for p in accelerator.parameters}


def hardware_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters in a joint point, with the prefix taken off: what ``Accelerator.with_parameters`` takes."""
    return {
        name.removeprefix(HARDWARE_PREFIX): value
        for name, value in values.items()
        if name.startswith(HARDWARE_PREFIX) and name != DATAFLOW
    }
