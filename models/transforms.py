"""Networks made from networks: another batch, other word widths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import BadInput
from .network import Layer, Network
from .op import Op, VectorOp

__all__ = ["with_batch", "with_bits"]


def with_batch(network: Network, batch: int) -> Network:
    """``batch`` runs of the network side by side: activations multiply, stored words do not.

    Raises `BadInput` for a batch below 1 and for a contraction whose dimensions cannot hold a batch.
    """
    if batch < 1:
        raise BadInput(f"{network.name}: batch is {batch}; it must be at least 1")
    return network if batch == 1 else _map(network, lambda op: _batched(op, batch))


def with_bits(network: Network, bits: int) -> Network:
    """The network with words of ``bits`` bits everywhere. Raises `BadInput` for a width below 1."""
    return _map(network, lambda op: _of_width(op, bits))


def _map(network: Network, change: Callable[[Op | VectorOp], Op | VectorOp]) -> Network:
    return replace(network, layers=tuple(Layer(change(layer.op), layer.inputs) for layer in network.layers))


def _of_width(op: Op | VectorOp, bits: int) -> Op | VectorOp:
    if isinstance(op, VectorOp):
        return replace(op, bits=bits)
    first, second, result = (replace(tensor, bits=bits) for tensor in op.tensors)
    return replace(op, tensors=(first, second, result))


def _batched(op: Op | VectorOp, batch: int) -> Op | VectorOp:
    if isinstance(op, VectorOp):
        return replace(
            op, operations=op.operations * batch, words_in=op.words_in * batch, words_out=op.words_out * batch
        )
    weight = op.tensor("weight")
    dim = _batch_dim(op)
    if dim is None:
        wanted = "input and output share and the weight does not have" if weight.is_parameter else "all tensors share"
        raise BadInput(f"{op.name}: no dimension that {wanted}, so it cannot be batched; state the batch in its dims")
    dims = tuple((name, bound * batch if name == dim else bound) for name, bound in op.dims)
    return replace(op, dims=dims)


def _batch_dim(op: Op) -> str | None:
    """The first dimension that is a plain axis of input and output, and of the weight exactly if it is no parameter."""
    first, weight, result = ({rank.terms[0][0] for rank in t.ranks if len(rank.terms) == 1} for t in op.tensors)
    shared = first & result
    allowed = shared - op.tensor("weight").dims if op.tensor("weight").is_parameter else shared & weight
    return next((name for name, _ in op.dims if name in allowed), None)
