"""What a training step holds in memory at once, from the order of its operators and what each of them reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..network import Layer
from ..op import Op, VectorOp
from .graph import AGAIN, rides, value_words
from .vectors import derivative_of

__all__ = ["ActivationMemory", "activation_memory"]


@dataclass(frozen=True)
class ActivationMemory:
    """Bytes at their peaks: activations during the backward pass; activations and their gradients at any time."""

    activation_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class _Life:
    """A tensor's words, from the operator that makes it to the one that reads it last."""

    born: int
    dies: int
    words: int
    gradient: bool = False


def activation_memory(layers: Sequence[Layer], forward: Mapping[str, Layer], bits: int) -> ActivationMemory:
    """Walk ``layers`` in order; those named in ``forward`` leave activations, the others gradients.

    All words are ``bits`` wide. Gradients of stored words hold nothing here. A pool's indices live until its gradient;
    the network's own input lives throughout. An operator that rides on its producer writes in place.
    """
    lives = list(_lives(layers, forward))
    held = _over_time([life for life in lives if not life.gradient], len(layers))
    sent = _over_time([life for life in lives if life.gradient], len(layers))
    start = next((at for at, layer in enumerate(layers) if layer.op.name not in forward), 0)
    most = max(map(sum, zip(held, sent, strict=True)))
    return ActivationMemory(-(-max(held[start:]) * bits // 8), -(-most * bits // 8))


def _over_time(lives: Sequence[_Life], length: int) -> list[int]:
    changes = [0] * (length + 1)
    for life in lives:
        changes[life.born] += life.words
        changes[life.dies + 1] -= life.words
    return list(accumulate(changes))[:length]


def _lives(layers: Sequence[Layer], forward: Mapping[str, Layer]) -> Iterator[_Life]:
    at = {layer.op.name: place for place, layer in enumerate(layers)}
    last = {name: place for place, layer in enumerate(layers) for name in layer.inputs}
    in_place = {layer.inputs[0]: at[layer.op.name] for layer in layers if rides(layer)}
    yield _Life(0, len(layers) - 1, _input_words(forward))
    for place, layer in enumerate(layers):
        name, op = layer.op.name, layer.op
        dies = last.get(name, place)
        if name not in forward:
            yield _Life(place, dies, _gradient_words(op, forward), gradient=True)
            continue
        yield _Life(place, dies - (in_place.get(name) == dies), value_words(op))
        if isinstance(op, VectorOp) and derivative_of(op).keeps == "index":
            gradient = at.get(f"{name.removesuffix(AGAIN)}.dx", place)
            if name in layers[gradient].inputs:
                yield _Life(place, gradient, op.words_out)


def _input_words(forward: Mapping[str, Layer]) -> int:
    """Words of the network's own input: the most that a layer without producers reads of it."""
    readers = [layer.op for layer in forward.values() if not layer.inputs]
    return max((op.words("input") if isinstance(op, Op) else op.words_in for op in readers), default=0)


def _gradient_words(op: Op | VectorOp, forward: Mapping[str, Layer]) -> int:
    """Words of an activation's gradient, without those of stored words' gradients."""
    name, _, part = op.name.rpartition(".")
    source = forward[name].op if name in forward else None
    if part == "db" or (part == "dw" and isinstance(source, Op) and source.tensor("weight").is_parameter):
        return 0
    return value_words(op) - (source.params if part == "dx" and isinstance(source, VectorOp) else 0)
