"""The cells of NAS-Bench-201 as a space of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ...models.network import Network
from ...models.zoo.nasbench201 import NASBENCH201_EDGES, NASBENCH201_OPERATIONS, live_edges, nasbench201
from .cell_statistics import cell_statistics
from .network_space import network_values
from .slots import Slot, slots_of
from .space import Choice, Space, Value

if TYPE_CHECKING:
    import torch

    from .modules.mixed import SharedModule

__all__ = ["Nasbench201"]

_NAMES = tuple(f"net.edge_{start}{end}" for start, end in NASBENCH201_EDGES)
_RESIDUAL = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_3x3")


@dataclass(frozen=True)
class Nasbench201:
    """The 15,625 cells of Dong & Yang, ICLR 2020: ``net.edge_01`` is the operation from node 0 to node 1, and so on.

    The macro structure is the benchmark's: 16, 32, 64 channels, five cells a stage (``channels`` is the first stage's
    width, doubled in each later one). ``resolution``, ``image_channels`` and ``classes`` are those of the data: 32, 3
    and 10 for CIFAR-10, 16, 3 and 120 for ImageNet16-120.
    """

    name: str = "nasbench201"
    resolution: int = 32
    classes: int = 10
    channels: int = 16
    cells: int = 5
    image_channels: int = 3

    @cached_property
    def space(self) -> Space:
        """An operation for each of the six edges."""
        return Space(tuple(Choice(name, NASBENCH201_OPERATIONS) for name in _NAMES))

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one cell; `BadInput` also for a cell through which no path leads."""
        return nasbench201(
            self.key(values), resolution=self.resolution, classes=self.classes, channels=self.channels,
            cells=self.cells, image_channels=self.image_channels,
        )  # fmt: skip

    def statistics(self, values: Mapping[str, Value]) -> NDArray[np.float64]:
        """`cell_statistics` of one cell; also of one through which no path leads."""
        return cell_statistics(self.operations(values))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """An edge each, the same in all cells."""
        return slots_of(self.space, {name: [name] for name in _NAMES})

    def module(
        self, values: Mapping[str, Value], shape: tuple[int, int, int], classes: int, *, all_edges: bool = False,
        stages: int = 3,
    ) -> torch.nn.Module:
        """The network as an untrained module for images (channels, height, width), without edges on no path.

        ``all_edges`` keeps those edges, as the benchmark itself does, whose own counts include them; fewer ``stages``
        end the network earlier. Raises `BadInput` for a wrong value and for a cell through which no path leads.
        """
        from .modules.cells import CellNetwork, edge_operation

        operations = self.operations(values)
        if not any(live_edges(operations)):
            raise BadInput(f"{self.name}: no path leads through the cell {self.key(values)}; there is nothing to train")
        kept = [operation != "none" for operation in operations] if all_edges else live_edges(operations)
        named = {
            edge: operation
            for edge, operation, keep in zip(NASBENCH201_EDGES, operations, kept, strict=True)
            if keep
        }
        return CellNetwork(
            lambda edge, width: edge_operation(named[edge], width) if edge in named else None,
            image_channels=shape[0], channels=self.channels, cells=self.cells, classes=classes, stages=stages,
        )  # fmt: skip

    def shared_module(self, shape: tuple[int, int, int], classes: int) -> SharedModule:
        """All operations on all edges, untrained, for images (channels, height, width)."""
        from .modules.cells import CellNetwork, edge_operation
        from .modules.mixed import Mixed, Nothing, SharedModule

        def edge(place: tuple[int, int], width: int) -> Mixed:
            name = _NAMES[NASBENCH201_EDGES.index(place)]
            return Mixed(name, [
                Nothing() if operation == "none" else edge_operation(operation, width, shared=True)
                for operation in NASBENCH201_OPERATIONS
            ])  # fmt: skip

        return SharedModule(CellNetwork(
            edge, image_channels=shape[0], channels=self.channels, cells=self.cells, classes=classes, shared=True
        ))  # fmt: skip

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
