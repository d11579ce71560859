"""Recomputation: activations that are dropped after the forward pass and computed again when a gradient needs them.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016 (arXiv:1604.06174). Checkpoints stand at narrow
places, where everything that follows depends on one tensor only; what is held between two of them is dropped and
computed again, once, when the backward pass arrives there. What lies behind the last checkpoint is never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...errors import BadInput, UnknownName
from ..network import Layer
from .graph import AGAIN, Graph, in_training, rides, value_words
from .memory import activation_memory

__all__ = ["PLANS", "Recompute", "Recomputed", "recomputed"]

Recompute = str | Sequence[str]
PLANS = ("none", "all", "sqrt")

# Sizes of segments that "all" tries: from the whole network down, each so much smaller than the last.
_BUDGETS, _CLOSER = 54, 1.12
_ENOUGH = 1.01  # a plan that holds this much more than the least is as good, if less runs again


@dataclass(frozen=True)
class Recomputed:
    """A backward pass in which ``again`` layers run a second time, each before the first gradient that needs it."""

    backward: tuple[Layer, ...]
    again: tuple[Layer, ...] = ()


def recomputed(graph: Graph, backward: tuple[Layer, ...], recompute: Recompute, bits: int) -> Recomputed:
    """The backward pass under a plan of `PLANS`, or with the outputs of the named layers computed again.

    ``none``: all is held. ``sqrt``: as many segments as the root of the number of held tensors, of about equal size.
    ``all``: of segments of many sizes, and none, those that hold the least at the peak in words of ``bits`` (within
    1 %: those that run least again), every layer running at most once more. A layer that rides on its producer is
    named with it. Raises `UnknownName` for a plan or a layer that does not exist, `BadInput` for what names neither.
    """
    if not isinstance(recompute, str | Sequence):
        raise BadInput(f"recompute is {recompute!r}; give {', '.join(PLANS)}, or a list of layers' names")
    if isinstance(recompute, str) and recompute not in PLANS:
        raise UnknownName("recomputation", recompute, PLANS)
    if recompute == "none":
        return Recomputed(backward)
    held = list(dict.fromkeys(name for layer in backward for name in layer.inputs if name in graph.by_name))
    if not isinstance(recompute, str):
        return _with_groups(graph, backward, _named(graph, recompute, held))
    places = _Places(graph, frozenset(held))
    root = places.spaced(places.total / max(1, math.isqrt(len(held))))
    if recompute == "sqrt":
        return _with_groups(graph, backward, places.groups(root))
    spaced = {root, *(places.spaced(places.total / _CLOSER**step) for step in range(_BUDGETS))}
    tried = [_with_groups(graph, backward, places.groups(checkpoints)) for checkpoints in sorted(spaced, key=len)]
    plans = [(*_cost(graph, plan, bits), plan) for plan in (Recomputed(backward), *tried)]
    enough = _ENOUGH * min(held for held, _, _ in plans)
    return min((plan for plan in plans if plan[0] <= enough), key=lambda plan: (plan[1], plan[0]))[2]


def _cost(graph: Graph, plan: Recomputed, bits: int) -> tuple[int, int]:
    """Bytes held at the peak, then multiply-accumulates of what runs again."""
    forward = {layer.op.name: layer for layer in (*graph.forward.layers, *plan.again)}
    held = activation_memory((*graph.forward.layers, *plan.backward), forward, bits)
    return held.activation_bytes, sum(layer.op.macs for layer in plan.again)


def _named(graph: Graph, names: Sequence[str], held: Iterable[str]) -> tuple[frozenset[str], ...]:
    """The named layers with those that ride on them, in groups of neighbours."""
    for name in names:
        if name not in graph.by_name:
            raise UnknownName("layer", name, tuple(graph.by_name))
    chosen = set(names)
    group: dict[str, set[str]] = {}
    for layer in graph.layers:
        name = layer.op.name
        if rides(layer) and layer.inputs[0] in chosen:
            chosen.add(name)
        if name in chosen:
            group[name] = {name}
            for source in layer.inputs:
                if source in chosen and group[source] is not group[name]:
                    group[name] |= group[source]
                    group.update(dict.fromkeys(group[name], group[name]))
    wanted = set(held)
    distinct = {id(members): frozenset(members & wanted) for members in group.values()}
    return tuple(members for members in distinct.values() if members)


@dataclass(frozen=True)
class _Place:
    """A held tensor: its name, its words, and whether all that follows depends on it alone."""

    name: str
    words: int
    narrow: bool


class _Places:
    """The held tensors in the order in which they are made."""

    def __init__(self, graph: Graph, held: frozenset[str]) -> None:
        last = {name: at for at, layer in enumerate(graph.layers) for name in layer.inputs}
        last |= dict.fromkeys(graph.loss.inputs, len(graph.layers))
        live: set[str] = set()
        self.places: list[_Place] = []
        for at, layer in enumerate(graph.layers):
            name = layer.op.name
            live = {value for value in (*live, name) if last.get(value, -1) > at}
            if name in held:
                self.places.append(_Place(name, value_words(layer.op), live == {name}))
        self.total = sum(place.words for place in self.places)

    def spaced(self, budget: float) -> frozenset[str]:
        """Checkpoints at the first narrow place after each ``budget`` words (Chen et al., Algorithm 3)."""
        chosen, words = [], 0
        for place in self.places:
            words += place.words
            if words > budget and place.narrow:
                chosen.append(place.name)
                words = 0
        return frozenset(chosen)

    def _segments(self, checkpoints: frozenset[str]) -> Iterator[list[_Place]]:
        segment: list[_Place] = []
        for place in self.places:
            if place.name in checkpoints:
                yield segment
                segment = []
            else:
                segment.append(place)
        yield segment

    def groups(self, checkpoints: frozenset[str]) -> tuple[frozenset[str], ...]:
        """The segments to be computed again: all but the last."""
        segments = list(self._segments(checkpoints))[:-1]
        return tuple(frozenset(place.name for place in segment) for segment in segments if segment)


def _with_groups(graph: Graph, backward: Iterable[Layer], groups: Sequence[frozenset[str]]) -> Recomputed:
    """``conv1.again`` layers for all of a group where its first member is needed, from what is held."""
    group_of = {name: group for group in groups for name in group}
    again: dict[str, Layer] = {}
    layers: list[Layer] = []
    held = {name for layer in backward for name in layer.inputs} - set(group_of)

    def compute(name: str) -> None:
        if name in again or name in held:
            return
        source = graph.by_name[name]
        for needed in source.inputs:
            compute(needed)
        inputs = tuple(needed if needed in held else needed + AGAIN for needed in source.inputs)
        again[name] = Layer(replace(in_training(source.op), name=name + AGAIN), inputs)
        layers.append(again[name])

    for layer in backward:
        for name in layer.inputs:
            for member in sorted(group_of.get(name, ()), key=graph.order.__getitem__):
                compute(member)
        inputs = tuple(name + AGAIN if name in group_of else name for name in layer.inputs)
        layers.append(Layer(layer.op, inputs))
    return Recomputed(tuple(layers), tuple(again.values()))
