"""Kinds of arguments: numbers, quantities with a unit and shares, refused with what to write in their place."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from ...errors import BadInput

__all__ = ["checked", "energy", "mean_and_spread", "positive", "proportion", "read_share", "time", "whole"]

Read = TypeVar("Read")


def checked(read: Callable[[str], Read]) -> Callable[[str], Read]:
    """``read`` for an argument's ``type``: what it says in `BadInput` becomes the parser's message."""

    def argument(text: str) -> Read:
        try:
            return read(text)
        except BadInput as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return argument


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = _whole(text)
    if value is None or value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return value


def whole(text: str) -> int:
    """A whole number of at least 0."""
    value = _whole(text)
    if value is None or value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 0")
    return value


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


@checked
def time(text: str) -> float:
    """Seconds from ``5 ms``; above zero."""
    from ...energy.quantities import to_si

    return to_si(text, "time", positive=True)


@checked
def energy(text: str) -> float:
    """Joules from ``2 uJ``."""
    from ...energy.quantities import to_si

    return to_si(text, "energy")


@checked
def proportion(text: str) -> float:
    """A share from 0 to 1 from ``0.3`` or ``30%``."""
    return read_share(text)


def read_share(text: str) -> float:
    """A share from 0 to 1 from ``0.3`` or ``30%``; raises `BadInput`."""
    number = text.strip()
    try:
        value = float(number[:-1]) / 100.0 if number.endswith("%") else float(number)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise BadInput(f"'{text}' is not a share from 0 to 1; write 0.3 or 30%")
    return value


def mean_and_spread(text: str) -> tuple[float, float]:
    """``0.3`` or ``0.3:0.1``, a share and its standard deviation (0 unless given); raises `BadInput`."""
    mean, colon, spread = text.partition(":")
    return read_share(mean), read_share(spread) if colon else 0.0
