"""Spaces of a user's own, in Python: what they are held to, and what is said of them where they fail."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import BadInput, shortened
from ...models.network import Network
from ..own_code import FAILURES, failures_told, named_object, what_was_raised
from .network_space import NETWORK_PREFIX, NetworkSpace
from .space import Space

__all__ = ["own_space"]

_PROMISED = ("name", "space", "build", "baseline", "key")
_METHODS = ("build", "baseline", "key", "layers_by", "module", "shared_module", "statistics")
_RETURNED: dict[str, type] = {"build": Network, "baseline": Mapping, "key": str}

_made: dict[str, tuple[Any, NetworkSpace]] = {}  # by place: what stood there, and the space made of it


def own_space(place: str) -> NetworkSpace:
    """The object at ``package.module:attribute``: a space of networks, or what returns one when called.

    It is the same one as long as the same object stands there. Raises `BadInput` where there is none, and where it is
    not what `NetworkSpace` promises. Whatever its methods raise later becomes `BadInput` too, and so does what they
    return of another type.
    """
    found = named_object(place, "network space")
    if place not in _made or _made[place][0] is not found:
        _made[place] = found, _checked(place, _called(place, found))
    return _made[place][1]


def _called(place: str, found: Any) -> Any:
    if not (isinstance(found, type) or (callable(found) and not hasattr(found, "build"))):
        return found
    try:
        return found()
    except BadInput:
        raise
    except FAILURES as error:
        told = what_was_raised(error, kind=not isinstance(error, TypeError))
        raise BadInput(f"network space '{place}' cannot be made ({told}); it is called without arguments") from error


def _checked(place: str, found: Any) -> NetworkSpace:
    what = f"network space '{place}'"
    with failures_told(f"{what} cannot be used"):
        missing = [one for one in _PROMISED if not hasattr(found, one)]
    if missing:
        raise BadInput(f"{what} has no '{missing[0]}'; give it what NetworkSpace promises")
    if not isinstance(found.name, str) or not found.name:
        raise BadInput(f"{what}: its name is {shortened(repr(found.name))}; give it a text")
    if not isinstance(found.space, Space):
        kind = type(found.space).__name__
        raise BadInput(f"{what}: its space is of type {kind}; give it a Space of choices")
    foreign = [name for name in found.space.names if not name.startswith(NETWORK_PREFIX)]
    if foreign:
        raise BadInput(f"{what}: the choice '{foreign[0]}' is none of a network; begin its name with {NETWORK_PREFIX}")
    space = _guarded(place, found)
    try:
        space.space.validate(space.baseline())
    except BadInput as error:
        raise BadInput(f"{what}: its baseline is no point of it: {error}") from error
    return space


def _guarded(place: str, found: Any) -> NetworkSpace:
    """A copy whose methods keep to what is promised: of the same class but for them, so that it passes for the one."""
    kind = type(found)
    try:
        hash(found)
        own = type(kind.__name__, (kind,), {"__slots__": ()})
        space = copy.copy(found)
        object.__setattr__(space, "__class__", own)
    except TypeError as error:
        remedy = "make it an object of a class of its own that can be hashed, such as a frozen dataclass"
        raise BadInput(f"network space '{place}' cannot be used ({error}); {remedy}") from error
    for name in _METHODS:
        if callable(getattr(kind, name, None)):
            setattr(own, name, _kept(place, name, own))
    guarded: NetworkSpace = space
    return guarded


def _kept(place: str, name: str, own: type) -> Callable[..., Any]:
    """The method of the class above ``own``, with its failures told and what it returns looked at."""

    def kept(self: Any, *arguments: Any, **named: Any) -> Any:
        with failures_told(f"network space '{place}': {name} failed"):
            found = getattr(super(own, self), name)(*arguments, **named)
        wanted = _RETURNED.get(name, object)
        if not isinstance(found, wanted):
            what = f"network space '{place}': {name} returned {type(found).__name__}"
            raise BadInput(f"{what}; it must return a {wanted.__name__}")
        return found

    return kept
