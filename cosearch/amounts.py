"""Numbers as a reader wants them: counts, times, small amounts."""

from __future__ import annotations

__all__ = ["count_of", "many", "seconds_text", "small"]


def count_of(count: int, one: str, several: str = "") -> str:
    """``3 trials``, ``1 trial``; ``several`` where an ``s`` does not do."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def many(count: float) -> str:
    """A count of any size: 2.2 × 10²⁶."""
    if count < 1e6:
        return f"{count:,.0f}"
    digits, _, power = f"{count:.1e}".partition("e+")
    return f"{digits} × 10" + power.lstrip("0").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def seconds_text(seconds: float) -> str:
    """A time in the unit that reads best."""
    if seconds >= 90:
        return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def small(value: float) -> str:
    """Two digits, or that it is next to nothing."""
    if value < 1e-3:
        return "under 0.001"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
