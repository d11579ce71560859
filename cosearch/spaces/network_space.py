"""What a space of networks promises: choices, and how a point of them becomes a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ...errors import BadInput
from ...models.network import Network
from .space import Space, Value

if TYPE_CHECKING:
    import torch

__all__ = [
    "NETWORK_PREFIX", "NetworkSpace", "Trainable", "known_values", "network_values", "odd_kernels", "positive_options",
    "values_key",
]  # fmt: skip

NETWORK_PREFIX = "net."


class NetworkSpace(Protocol):
    """A space whose points are networks."""

    @property
    def name(self) -> str:
        """The name a study refers to."""

    @property
    def space(self) -> Space:
        """The choices; every name starts with ``net.``."""

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""

    def baseline(self) -> dict[str, Value]:
        """The point of the published network that the space varies."""

    def key(self, values: Mapping[str, Value]) -> str:
        """The architecture's name: equal for points that are the same network to whoever trains it."""


@runtime_checkable
class Trainable(Protocol):
    """A space whose points can be trained."""

    def module(self, values: Mapping[str, Value], shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        """The point as an untrained module for images (channels, height, width); `BadInput` for a wrong value."""


def known_values(
    space: NetworkSpace | None, network: Network, values: Mapping[str, Value] | None
) -> Mapping[str, Value] | None:
    """``values``, or those of the space's own baseline where ``network`` is that; None for another network."""
    if space is None or values is not None:
        return values
    own = space.baseline()
    return own if space.build(own).layers == network.layers else None


def network_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """The network's part of a joint point."""
    return {name: value for name, value in values.items() if name.startswith(NETWORK_PREFIX)}


def values_key(values: Mapping[str, Value]) -> str:
    """A name for spaces without one of their own: the network's choices, sorted by name."""
    return ",".join(f"{name}={value}" for name, value in sorted(network_values(values).items()))


def positive_options(name: str, what: str, options: Sequence[Value]) -> None:
    """Raise `BadInput` unless there are options, all of them numbers above zero."""
    wrong = [one for one in options if isinstance(one, bool | str) or not 0 < one < math.inf]
    if not options or wrong:
        given = f"{wrong[0]!r} among them" if wrong else "none"
        raise BadInput(f"{name}: {what}: {given}; give one or more numbers above zero")


def odd_kernels(name: str, sizes: Sequence[int]) -> None:
    """Raise `BadInput` for a kernel of even size: it would shrink the tensor that its block adds to."""
    even = [size for size in sizes if size % 2 == 0]
    if even:
        raise BadInput(f"{name}: kernels: {even[0]} is even, so that no residual fits its block; use odd sizes")
