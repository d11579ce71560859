"""How a network's layers are connected: paths from input to output, effective depth and width.

Chen et al., "Deep Architecture Connectivity Matters for Its Convergence: A Fine-Grained Analysis", NeurIPS 2022: how
fast a network converges under gradient descent is bounded by how many parameterised layers its paths have on average
and by how many paths there are; networks of a moderate depth and width train best.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from ..errors import BadInput
from .network import Layer, Network
from .op import Op

__all__ = ["Connectivity", "Edge", "connectivity", "graph_connectivity"]

Edge = tuple[Hashable, Hashable, bool]
"""From, to, and whether a parameterised layer stands on it."""


@dataclass(frozen=True)
class Connectivity:
    """Of all distinct paths from input to output; a path's depth is the number of parameterised layers on it.

    ``paths`` counts them, ``deep_paths`` those of a depth of at least one, ``total_depth`` is the sum of the depths.
    All are exact: a deep residual network has more paths than a float can tell apart. ``longest`` and ``shortest`` are
    the greatest and the least depth.
    """

    paths: int
    deep_paths: int
    total_depth: int
    longest: int
    shortest: int

    @property
    def effective_depth(self) -> float:
        """Mean depth of a path; 0 where there is none."""
        return self.total_depth / self.paths if self.paths else 0.0

    @property
    def effective_width(self) -> float:
        """Paths of a depth of at least one, over the mean depth; 0 where there is none, infinite beyond a float."""
        if not self.total_depth:
            return 0.0
        try:
            return self.deep_paths * self.paths / self.total_depth
        except OverflowError:
            return math.inf

    @property
    def log_paths(self) -> float:
        """Natural logarithm of one more than the number of paths."""
        return math.log(self.paths + 1)


@dataclass(frozen=True)
class _Reached:
    """What is known of the paths from the start to one node."""

    paths: int
    flat: int
    total: int
    longest: int
    shortest: int

    def along(self, parameterised: bool) -> _Reached:
        """The same paths, an edge further."""
        step = int(parameterised)
        flat = 0 if parameterised else self.flat
        return _Reached(self.paths, flat, self.total + step * self.paths, self.longest + step, self.shortest + step)

    def beside(self, other: _Reached) -> _Reached:
        """These paths and others."""
        return _Reached(
            self.paths + other.paths, self.flat + other.flat, self.total + other.total,
            max(self.longest, other.longest), min(self.shortest, other.shortest),
        )  # fmt: skip


def graph_connectivity(edges: Iterable[Edge], start: Hashable, end: Hashable) -> Connectivity:
    """The connectivity between two nodes of an acyclic graph.

    ``edges`` come in the order of the nodes they leave: all that lead to a node before the first that leaves it; edges
    between the same nodes are paths of their own. Raises `BadInput` for an edge that breaks the order.
    """
    reached: dict[Hashable, _Reached] = {start: _Reached(1, 1, 0, 0, 0)}
    left: set[Hashable] = set()
    for origin, target, parameterised in edges:
        if target in left or target == origin:
            raise BadInput(f"connectivity: an edge leads to '{target}' after one has left it; sort the edges")
        left.add(origin)
        if origin in reached:
            more = reached[origin].along(parameterised)
            reached[target] = reached[target].beside(more) if target in reached else more
    found = reached.get(end, _Reached(0, 0, 0, 0, 0))
    return Connectivity(found.paths, found.paths - found.flat, found.total, found.longest, found.shortest)


_INPUT, _OUTPUT = ("input",), ("output",)  # no layer's name is a tuple


def connectivity(network: Network) -> Connectivity:
    """The connectivity of a whole network, from its inputs to every layer that no other reads.

    Contractions with weights of their own are parameterised layers; attention's products of activations are none. A
    skip connection, an addition or a pool lengthens no path.
    """
    edges: list[Edge] = [
        (origin, layer.op.name, _is_parameterised(layer)) for layer in network for origin in _origins(layer)
    ]
    read = {name for layer in network for name in layer.inputs}
    edges += [(layer.op.name, _OUTPUT, False) for layer in network if layer.op.name not in read]
    return graph_connectivity(edges, _INPUT, _OUTPUT)


def _origins(layer: Layer) -> Sequence[Hashable]:
    return layer.inputs or (_INPUT,)


def _is_parameterised(layer: Layer) -> bool:
    return isinstance(layer.op, Op) and any(tensor.is_parameter for tensor in layer.op.tensors)
