"""Spaces of networks by name, file or Python object."""

from __future__ import annotations

from .built_in import NETWORK_SPACES
from .compose import networks_of
from .network_part import NetworkPart
from .network_space import NetworkSpace

__all__ = ["NETWORK_SPACES", "network_space"]


def network_space(name: str) -> NetworkSpace:
    """The network space a study calls ``name``: a shipped one, a ``.yaml`` file, or ``package.module:attribute``.

    Raises `UnknownName` where there is none, `BadInput` for a file or an object that is no space, `SpecError` for what
    a file says.
    """
    return networks_of(NetworkPart(space=name))
