"""A user's own object by its place: ``package.module:name``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import BadInput

__all__ = ["named_object"]


def named_object(place: str, what: str) -> Any:
    """The object at ``package.module:name``; `BadInput` saying what cannot be found, ``what`` being what it is for."""
    module, colon, name = place.partition(":")
    if not (colon and module and name):
        raise BadInput(f"{what}: '{place}' names no object; write it as package.module:name")
    try:
        found: Any = import_module(module)
    except ImportError as error:
        remedy = "install it, or add its folder to PYTHONPATH"
        raise BadInput(f"{what}: '{module}' cannot be imported ({error}); {remedy}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"{what}: '{module}' has no '{name}'; check its spelling")
        found = getattr(found, part)
    return found
