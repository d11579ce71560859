"""NAS-Bench-201's networks as modules: Dong & Yang, ICLR 2020 (arXiv:2001.00326), section 2.1.

Convolutions are ReLU, convolution, batch norm; where weights are shared, batch norm uses the batch at hand, since
running statistics would be those of no network in particular.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ....models.zoo.nasbench201 import NASBENCH201_EDGES

__all__ = ["CellNetwork", "edge_operation"]

Edge = tuple[int, int]
MakeEdge = Callable[[Edge, int], nn.Module | None]
_NODES = 4


def edge_operation(operation: str, channels: int, *, shared: bool = False) -> nn.Module:
    """An operation of the benchmark, other than ``none``, that keeps the shape."""
    if operation == "skip_connect":
        return nn.Identity()
    if operation == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return _relu_conv(channels, channels, 3 if operation == "nor_conv_3x3" else 1, shared=shared)


def _relu_conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, shared: bool) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, track_running_stats=not shared),
    )


class _Cell(nn.Module):
    """Each of four nodes sums what its edges bring; edges that bring nothing are not there."""

    def __init__(self, edges: Mapping[Edge, nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({f"{start}{end}": module for (start, end), module in edges.items()})

    def forward(self, images: Tensor) -> Tensor:
        """Same shape as ``images``; zeros where no path leads through the cell."""
        nodes: dict[int, Tensor] = {0: images}
        for node in range(1, _NODES):
            total: Tensor | None = None
            for start in range(node):
                name = f"{start}{node}"
                if start not in nodes or name not in self.edges:
                    continue
                arriving: Tensor | None = self.edges[name](nodes[start])
                if arriving is not None:
                    total = arriving if total is None else total + arriving
            if total is not None:
                nodes[node] = total
        return nodes[_NODES - 1] if _NODES - 1 in nodes else torch.zeros_like(images)


class _Reduction(nn.Module):
    """A residual block that halves the image; its shortcut averages 2×2 pixels before a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int, *, shared: bool) -> None:
        super().__init__()
        self.main = nn.Sequential(
            _relu_conv(inputs, outputs, 3, stride=2, shared=shared), _relu_conv(outputs, outputs, 3, shared=shared)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        """Half as high and wide."""
        main: Tensor = self.main(images)
        shortcut: Tensor = self.shortcut(images)
        return main + shortcut


class CellNetwork(nn.Module):
    """Stem, ``stages`` of ``cells`` equal cells with a reduction between them, batch norm, ReLU, mean, classifier.

    ``make_edge(edge, channels)`` gives the module of an edge, None for one that is not there. Images are (n,
    ``image_channels``, height, width) with even quarters of the sides, scores (n, ``classes``).
    """

    def __init__(
        self, make_edge: MakeEdge, *, image_channels: int, channels: int, cells: int, classes: int,
        shared: bool = False, stages: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(image_channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels, track_running_stats=not shared),
        ]
        for stage in range(stages):
            width = channels << stage
            if stage:
                layers.append(_Reduction(width // 2, width, shared=shared))
            for _ in range(cells):
                made = {edge: make_edge(edge, width) for edge in NASBENCH201_EDGES}
                layers.append(_Cell({edge: module for edge, module in made.items() if module is not None}))
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(width, track_running_stats=not shared), nn.ReLU())
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores."""
        features: Tensor = self.body(images)
        scores: Tensor = self.classifier(features.mean((2, 3)))
        return scores
