"""Numbers a person hands to the simulator, checked where they come in: none of them may stall or reverse a run."""

from __future__ import annotations

import math
from numbers import Integral, Real

from ...errors import BadInput, shortened

__all__ = ["checked_number", "checked_whole"]


def checked_number(
    value: object,
    name: str,
    *,
    minimum: float = 0.0,
    maximum: float = math.inf,
    positive: bool = False,
    remedy: str = "give a finite number",
) -> float:
    """``value`` as a float. Raises `BadInput` where it is none, not finite, out of range, or not ``positive``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise BadInput(f"{name}: '{shortened(value)}' is not a number; {remedy}")
    number = float(value)
    if not math.isfinite(number):
        raise BadInput(f"{name}: {number} is not a finite number; {remedy}")
    if number < minimum:
        raise BadInput(f"{name}: {number:g} is below {minimum:g}; {remedy}")
    if number > maximum:
        raise BadInput(f"{name}: {number:g} is above {maximum:g}; {remedy}")
    if positive and number == 0.0:
        raise BadInput(f"{name}: must be above zero; {remedy}")
    return number


def checked_whole(
    value: object, name: str, *, minimum: int = 1, maximum: int | None = None, remedy: str = "give a whole number"
) -> int:
    """``value`` as an int from ``minimum`` to ``maximum`` (None: any). Raises `BadInput` where it is not one."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise BadInput(f"{name}: '{shortened(value)}' is not a whole number; {remedy}")
    if int(value) < minimum:
        raise BadInput(f"{name}: {int(value)} is below {minimum}; {remedy}")
    if maximum is not None and int(value) > maximum:
        raise BadInput(f"{name}: {int(value):,} is above {maximum:,}; give fewer")
    return int(value)
