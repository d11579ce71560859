"""Technology constants multiplied for the time of one question: what an uncertainty is made of.

Every constant is asked for by its name. While `multiplied` holds, the one of that name is its value times a factor, the
same wherever it is used; while `recording` holds, the names that were asked for are written down. Both are of the
running thread's context alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["factor_of", "is_drawing", "multiplied", "noted", "recording"]

_factors: ContextVar[Mapping[str, float] | None] = ContextVar("_factors", default=None)
_names: ContextVar[tuple[dict[str, None], ...]] = ContextVar("_names", default=())


@contextmanager
def multiplied(factors: Mapping[str, float]) -> Iterator[None]:
    """Every constant named in ``factors`` times its factor; those not named are as they are."""
    token = _factors.set(factors)
    try:
        yield
    finally:
        _factors.reset(token)


@contextmanager
def recording() -> Iterator[dict[str, None]]:
    """The names that are asked for in the body, in the order of their first use (a mapping without values)."""
    names: dict[str, None] = {}
    token = _names.set((*_names.get(), names))
    try:
        yield names
    finally:
        _names.reset(token)


def noted(name: str) -> float:
    """Write ``name`` down for every `recording` that holds, and return its factor (1: not multiplied)."""
    for names in _names.get():
        names[name] = None
    return factor_of(name)


def factor_of(name: str) -> float:
    """What the constant of this name is multiplied by at present."""
    factors = _factors.get()
    return 1.0 if factors is None else factors.get(name, 1.0)


def is_drawing() -> bool:
    """Whether constants may be other than in the tables, so that nothing is to be remembered."""
    return _factors.get() is not None
