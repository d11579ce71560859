"""The cells of NAS-Bench-201 as a space of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...models.network import Network
from ...models.zoo.nasbench201 import NASBENCH201_EDGES, NASBENCH201_OPERATIONS, nasbench201
from .network_space import network_values
from .space import Choice, Space, Value

__all__ = ["Nasbench201"]

_NAMES = tuple(f"net.edge_{start}{end}" for start, end in NASBENCH201_EDGES)
_RESIDUAL = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_3x3")


@dataclass(frozen=True)
class Nasbench201:
    """The 15,625 cells of Dong & Yang, ICLR 2020: ``net.edge_01`` is the operation from node 0 to node 1, and so on.

    The macro structure is the benchmark's (16, 32, 64 channels, five cells a stage). ``resolution`` and ``classes`` are
    those of the data: 32 and 10 for CIFAR-10, 16 and 120 for ImageNet16-120.
    """

    name: str = "nasbench201"
    resolution: int = 32
    classes: int = 10

    @cached_property
    def space(self) -> Space:
        """An operation for each of the six edges."""
        return Space(tuple(Choice(name, NASBENCH201_OPERATIONS) for name in _NAMES))

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one cell; `BadInput` also for a cell through which no path leads."""
        return nasbench201(self.key(values), resolution=self.resolution, classes=self.classes)

    def baseline(self) -> dict[str, Value]:
        """A residual cell: convolutions everywhere, and the cell's input added to its output."""
        return dict(zip(_NAMES, _RESIDUAL, strict=True))

    def operations(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """The six operations, in the order of the benchmark's notation."""
        own = self.space.validate(network_values(values))
        return tuple(str(own[name]) for name in _NAMES)

    def key(self, values: Mapping[str, Value]) -> str:
        """The benchmark's notation, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        parts = [
            f"{operation}~{start}"
            for (start, _), operation in zip(NASBENCH201_EDGES, self.operations(values), strict=True)
        ]
        return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"

    def values(self, key: str) -> dict[str, Value]:
        """The inverse of ``key``; `BadInput` where it is no cell's notation."""
        from ...models.zoo.nasbench201 import parse_cell

        return dict(zip(_NAMES, parse_cell(key), strict=True))
