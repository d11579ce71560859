"""Reading a component's attributes: within what the tables cover, or an error that says what to do."""

from __future__ import annotations

import math

from ..errors import BadInput, UnknownName
from .components import Component
from .number_formats import operand_width
from .quantities import format_size
from .scaling import PROCESSES

__all__ = ["STATE_IT", "chosen", "process_of", "whole_within", "width_of", "within"]

STATE_IT = "or state its energy and area in the spec"


def within(component: Component, name: str, default: float | None, low: float, high: float) -> float:
    """A numeric attribute from ``low`` to ``high``; raises `BadInput`."""
    value = component.number(name, default)
    if not low <= value <= high:
        show = format_size if name == "size_bits" else "{:g}".format
        shown = f"{value}" if not math.isfinite(value) else show(value)
        raise BadInput(f"{component.kind}: {name} {shown} is outside {show(low)} to {show(high)}; change it {STATE_IT}")
    return value


def whole_within(component: Component, name: str, default: float, low: float, high: float) -> int:
    """A count from ``low`` to ``high``; raises `BadInput`."""
    value = within(component, name, default, low, high)
    if value != int(value):
        raise BadInput(f"{component.kind}: {name} {value:g} is not a whole number; round it")
    return int(value)


def chosen(component: Component, name: str, default: str, known: tuple[str, ...], kind: str) -> str:
    """A text attribute that is one of ``known``; raises `UnknownName` with the nearest."""
    value = component.text(name, default)
    if value not in known:
        raise UnknownName(kind, value, known)
    return value


def process_of(component: Component) -> str:
    """The process, which decides the leakage."""
    return chosen(component, "process", PROCESSES[0], PROCESSES, "process")


def width_of(component: Component, name: str, number: str, default: float, lowest: float, highest: float) -> float:
    """Width of a word in a number format: as stated, else the format's own; raises `BadInput` where they disagree."""
    stated = within(component, name, default, lowest, highest) if name in dict(component.attributes) else None
    try:
        return operand_width(number, stated, default)
    except BadInput as error:
        raise BadInput(f"{component.kind}: {name}: {error}") from error
