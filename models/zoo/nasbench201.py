"""The 15,625 networks of NAS-Bench-201: Dong & Yang, ICLR 2020 (arXiv:2001.00326), section 2.1.

A stem of 16 channels, three stages of five equal cells at 16, 32 and 64 channels, a residual block that halves the
image between them. A cell has four nodes; each of the six edges between them is one of five operations.
"""

from __future__ import annotations

from functools import lru_cache

from ...errors import BadInput
from ..builder import NetworkBuilder, Point
from ..network import Network

__all__ = ["NASBENCH201_EDGES", "NASBENCH201_OPERATIONS", "live_edges", "nasbench201", "parse_cell"]

NASBENCH201_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NASBENCH201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

_RESIDUAL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
_NODES = 4


@lru_cache(maxsize=1024)
def parse_cell(arch: str) -> tuple[str, ...]:
    """The operations of the six edges in the order of `NASBENCH201_EDGES`.

    ``arch`` is the benchmark's notation, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``: one group a node, in it an operation
    for every earlier node. Raises `BadInput` where it is not of that form.
    """
    groups = [group.strip("|").split("|") for group in arch.strip().split("+")]
    edges = tuple(part.rpartition("~") for group in groups for part in group)
    form = [[str(source) for source in range(node)] for node in range(1, _NODES)]
    if [[part.rpartition("~")[2] for part in group] for group in groups] != form:
        raise BadInput(f"nasbench201: '{arch}' is no cell; write it as {_RESIDUAL}")
    for operation, _, _ in edges:
        if operation not in NASBENCH201_OPERATIONS:
            raise BadInput(
                f"nasbench201: '{operation}' is no operation of the benchmark; use {', '.join(NASBENCH201_OPERATIONS)}"
            )
    return tuple(operation for operation, _, _ in edges)


def live_edges(operations: tuple[str, ...]) -> tuple[bool, ...]:
    """Which edges lie on a path without ``none`` from the first node to the last."""
    pairs = zip(NASBENCH201_EDGES, operations, strict=True)
    present = [edge for edge, operation in pairs if operation != "none"]
    reached, needed = {0}, {_NODES - 1}
    for start, end in present:  # edges are in the order of the nodes they lead to
        if start in reached:
            reached.add(end)
    for start, end in sorted(present, reverse=True):
        if end in needed:
            needed.add(start)
    return tuple(edge in present and edge[0] in reached and edge[1] in needed for edge in NASBENCH201_EDGES)


def nasbench201(
    arch: str = _RESIDUAL, *, all_edges: bool = False, cells: int = 5, channels: int = 16, image_channels: int = 3,
    resolution: int = 32, classes: int = 10, batch: int = 1, bits: int = 8,
) -> Network:
    """The network of one cell, given in the benchmark's notation (default: a residual cell).

    Compilers drop what no output depends on, so edges that lie on no path from the cell's input to its output are left
    out; ``all_edges`` keeps them, as the benchmark's own counts do. ``cells`` is the number of cells in a stage,
    ``channels`` the width of the first stage, doubled in each later one. A cell that connects nothing outputs zeros,
    after which only the classifier's bias is left: `BadInput`.
    """
    operations = parse_cell(arch)
    live = live_edges(operations)
    if not any(live):
        raise BadInput(f"nasbench201: no path leads through the cell {arch}; its output is constant")
    keep = tuple(operation != "none" for operation in operations) if all_edges else live
    builder = NetworkBuilder(
        "nasbench201", channels=image_channels, height=resolution, width=resolution, batch=batch, bits=bits,
        source=f"Dong & Yang, ICLR 2020, arXiv:2001.00326; cell {arch}",
    )
    builder.conv("stem", channels, 3)
    for stage in range(3):
        if stage:
            _reduction(builder, f"reduce{stage}", channels << stage)
        for index in range(cells):
            _cell(builder, f"cell{stage}.{index}", operations, keep)
    builder.batch_norm("norm", activation="relu")
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()


def _cell(builder: NetworkBuilder, name: str, operations: tuple[str, ...], keep: tuple[bool, ...]) -> None:
    """Every node adds what its edges bring; one that gets nothing is zero, and so is what its edges bring."""
    nodes: dict[int, Point] = {0: builder.here}
    edges = list(zip(NASBENCH201_EDGES, operations, keep, strict=True))
    for node in range(1, _NODES):
        arriving = []
        for (start, end), operation, kept in edges:
            if end == node and kept and start in nodes:
                builder.resume(nodes[start])
                _edge(builder, f"{name}.{start}{end}", operation)
                arriving.append(builder.here)
        if not arriving:
            continue
        builder.resume(arriving[0])
        for index, other in enumerate(arriving[1:]):
            builder.add(f"{name}.sum{node}{index}", other)
        nodes[node] = builder.here
    builder.resume(nodes[_NODES - 1])


def _edge(builder: NetworkBuilder, name: str, operation: str) -> None:
    """One edge; ReLU stands before the convolution and is applied as its input is read."""
    if operation == "avg_pool_3x3":
        builder.average_pool(name, 3, stride=1, padding=1)
    elif operation != "skip_connect":
        builder.conv(name, builder.here.channels, 3 if operation == "nor_conv_3x3" else 1)


def _reduction(builder: NetworkBuilder, name: str, channels: int) -> None:
    """A residual block of two 3×3 convolutions; its shortcut averages 2×2 pixels before a 1×1 convolution."""
    start = builder.here
    builder.conv(f"{name}.conv1", channels, 3, stride=2, activation="relu")
    builder.conv(f"{name}.conv2", channels, 3)
    main = builder.here
    builder.resume(start)
    builder.average_pool(f"{name}.pool", 2, stride=2)
    builder.conv(f"{name}.shortcut", channels, 1, bias=False)
    shortcut = builder.here
    builder.resume(main)
    builder.add(f"{name}.add", shortcut)
