"""Which channels must go together, whatever the graph that says so.

Every axis that holds channels (the rows of a weight, a bias, an operator's input) is a vector of labels. Walking a
graph unites labels: an addition those of its operands, a depthwise convolution its input's with its output's. What is
united lives or dies together (the coupled groups of Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR
2023, and of Wang et al., "Structurally Prune Anything", arXiv:2403.18955). Label 0 stands for what has to stay: the
network's inputs and outputs, and everything that an operator the walk does not know looks at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "ChannelGroup", "Coupling", "Labels", "Places", "kept_of"]

Labels = NDArray[np.int64]
Axis = tuple[str, int]  # a parameter (of a module) or layer (of a network) and the number of its axis
Places = Mapping[Axis, tuple[int, ...]]


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that the same layers make and read: any number of them may go, each from all layers at once.

    ``layers`` make the channels, ``size`` of them; ``channels`` says where each is: by axis, the positions there.
    """

    layers: tuple[str, ...]
    channels: tuple[Places, ...]

    @property
    def size(self) -> int:
        """How many channels there are to choose from."""
        return len(self.channels)

    def __repr__(self) -> str:
        return f"<ChannelGroup of {self.size}: {', '.join(self.layers)}>"


class Coupling:
    """Labels of axes, and which of them are one."""

    def __init__(self) -> None:
        self._labels: dict[Axis, Labels] = {}
        self._count = 1  # label 0 stays
        self._edges: list[tuple[Labels, Labels]] = []

    def axis(self, key: Axis, size: int) -> Labels:
        """The labels of an axis, new ones the first time it is asked for."""
        if key not in self._labels:
            self._labels[key] = np.arange(self._count, self._count + size, dtype=np.int64)
            self._count += size
        return self._labels[key]

    def unite(self, one: Labels, other: Labels) -> None:
        """Position by position, what stands for one channel."""
        if one is not other:
            self._edges.append((one.ravel(), other.ravel()))

    def keep(self, labels: Labels) -> None:
        """All of these have to stay."""
        self._edges.append((labels.ravel(), np.zeros(labels.size, dtype=np.int64)))

    @cached_property
    def roots(self) -> Labels:
        """By label, the number of the component it belongs to; that of label 0 stays."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        first = np.concatenate([one for one, _ in self._edges] or [np.zeros(0, dtype=np.int64)])
        second = np.concatenate([other for _, other in self._edges] or [np.zeros(0, dtype=np.int64)])
        links = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(self._count, self._count))
        roots: Labels = connected_components(links, directed=False)[1].astype(np.int64)
        return roots

    def components(self) -> dict[int, dict[Axis, tuple[int, ...]]]:
        """By component that may go, its positions on each axis."""
        stays = self.roots[0]
        found: dict[int, dict[Axis, tuple[int, ...]]] = defaultdict(dict)
        for key, labels in self._labels.items():
            own = self.roots[labels]
            order = np.argsort(own, kind="stable")
            starts = np.flatnonzero(np.diff(own[order], prepend=-1))
            for positions in np.split(order, starts[1:]):
                if len(positions) and own[positions[0]] != stays:
                    found[int(own[positions[0]])][key] = tuple(int(at) for at in positions)
        return found

    def groups(self, makers: Mapping[Axis, str]) -> list[ChannelGroup]:
        """Components on the same axes together, in the order of the graph; ``makers`` names the layers that make them.

        Components that no layer makes (a parameter read by nothing that is pruned) are left out.
        """
        alike: dict[frozenset[Axis], list[dict[Axis, tuple[int, ...]]]] = defaultdict(list)
        for places in self.components().values():
            alike[frozenset(places)].append(places)
        found = []
        for axes, channels in alike.items():
            layers = tuple(makers[key] for key in self._labels if key in axes and key in makers)
            if layers:
                first = next(key for key in self._labels if key in axes)
                channels.sort(key=itemgetter(first))
                found.append(ChannelGroup(tuple(dict.fromkeys(layers)), tuple(channels)))
        return found

    def sizes(self) -> dict[Axis, int]:
        """Length of every axis with labels."""
        return {key: len(labels) for key, labels in self._labels.items()}


def kept_of(sizes: Mapping[Axis, int], gone: Iterable[Places]) -> dict[Axis, NDArray[np.int64]]:
    """By axis that loses something, the positions that stay."""
    lost: dict[Axis, set[int]] = defaultdict(set)
    for places in gone:
        for key, positions in places.items():
            lost[key].update(positions)
    return {key: np.setdiff1d(np.arange(sizes[key]), list(positions)) for key, positions in lost.items()}
