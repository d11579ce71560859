"""The networks of NAS-Bench-201 as `torch` modules: Dong & Yang, ICLR 2020 (arXiv:2001.00326), section 2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import BadInput
from ...models.zoo.nasbench201 import NASBENCH201_EDGES, live_edges, parse_cell
from .module_graph import ModuleGraph, conv_norm

if TYPE_CHECKING:
    import torch

__all__ = ["nasbench201_module"]

_LAST = 3


def nasbench201_module(
    arch: str, *, classes: int = 10, image_channels: int = 3, channels: int = 16, cells: int = 5, stages: int = 3,
    all_edges: bool = False,
) -> torch.nn.Module:
    """The untrained network of one cell in the benchmark's notation, for images (n, image_channels, height, width).

    The benchmark has 16 ``channels`` (doubled in each further stage), three ``stages`` of five ``cells``; training-free
    methods look at thinner and shallower ones. Convolutions are pre-activated (ReLU, convolution, batch norm), averages
    do not count the padding. Edges on no path through the cell are left out; ``all_edges`` keeps their parameters, as
    the benchmark's own counts do. Raises `BadInput` for a cell through which no path leads, and for a size below 1.
    """
    from torch import nn

    for name, size in (("classes", classes), ("channels", channels), ("cells", cells), ("stages", stages)):
        if size < 1:
            raise BadInput(f"nasbench201: {name} is {size}; give at least 1")
    operations = parse_cell(arch)
    if not any(live_edges(operations)):
        raise BadInput(f"nasbench201: no path leads through the cell {arch}; its output is constant")
    graph = ModuleGraph()
    here = graph.apply("stem", conv_norm(image_channels, channels, 3), graph.images)
    width = channels
    for stage in range(stages):
        if stage:
            here = _reduction(graph, f"reduce{stage}", here, width)
            width *= 2
        for index in range(cells):
            here = _cell(graph, f"cell{stage}_{index}", here, operations, width, all_edges)
    head = nn.Sequential(
        nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
    )
    return graph.module(graph.apply("head", head, here))


def _cell(
    graph: ModuleGraph, name: str, start: torch.fx.Node, operations: tuple[str, ...], width: int, all_edges: bool
) -> torch.fx.Node:
    """Every node adds what its live edges bring."""
    nodes = {0: start}
    live = live_edges(operations)
    for node in range(1, _LAST + 1):
        arriving = []
        for (source, end), operation, lives in zip(NASBENCH201_EDGES, operations, live, strict=True):
            if end != node:
                continue
            label = f"{name}_edge{source}{end}"
            if lives:
                skips = operation == "skip_connect"
                here = nodes[source]
                arriving.append(here if skips else graph.apply(label, _edge(operation, width), here))
            elif all_edges and operation.startswith("nor_conv"):
                graph.idle(label, _edge(operation, width))
        if arriving:
            nodes[node] = graph.add(*arriving)
    return nodes[_LAST]


def _edge(operation: str, width: int) -> torch.nn.Module:
    from torch import nn

    if operation == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return _relu_conv_norm(width, width, 3 if operation == "nor_conv_3x3" else 1)


def _reduction(graph: ModuleGraph, name: str, start: torch.fx.Node, width: int) -> torch.fx.Node:
    """The residual block that halves the image and doubles the channels."""
    from torch import nn

    main = graph.apply(f"{name}_conv1", _relu_conv_norm(width, 2 * width, 3, stride=2), start)
    main = graph.apply(f"{name}_conv2", _relu_conv_norm(2 * width, 2 * width, 3), main)
    shortcut = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(width, 2 * width, 1, bias=False))
    return graph.add(main, graph.apply(f"{name}_shortcut", shortcut, start))


def _relu_conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> torch.nn.Sequential:
    from torch import nn

    return nn.Sequential(nn.ReLU(), *conv_norm(inputs, outputs, kernel, stride=stride))
