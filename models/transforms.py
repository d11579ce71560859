"""Networks made from networks: another batch, other word widths, measured densities, patterns of zeros."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Real

from ..errors import BadInput, check_type, suggestion
from .network import Layer, Network
from .op import ROLES, Op, Role, VectorOp
from .patterns import Pattern

__all__ = ["with_batch", "with_bits", "with_densities", "with_patterns"]


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


def with_densities(network: Network, densities: Mapping[str, Mapping[Role, float]]) -> Network:
    """The network with measured shares of words that are not zero, by layer and tensor: ``{"conv2": {"input": 0.6}}``.

    An output without a figure of its own takes the one given for the input of the next layer, where all contractions
    that read it, directly or through activations and pooling, agree. Pooling leaves fewer zeros than it was given, so
    that a measured figure is better; what is added to something else first stays as it is. A tensor that had a pattern
    has zeros at random afterwards. Raises `BadInput` for an unknown layer or tensor and a density outside (0, 1].
    """
    _check_names(network, densities)
    for layer, given in densities.items():
        for role, share in given.items():
            if not isinstance(share, Real) or not 0.0 < share <= 1.0:
                raise BadInput(f"{layer}.{role}: density {share!r} is outside (0, 1]; give the share that is not zero")
    return _with_zeros(network, {layer: {role: (share, None) for role, share in given.items()}
                                 for layer, given in densities.items()})  # fmt: skip


def with_patterns(network: Network, patterns: Mapping[str, Mapping[Role, Pattern]]) -> Network:
    """The network with zeros where patterns say, by layer and tensor: ``{"fc6": {"weight": NofM(2, 4)}}``.

    An output without a pattern of its own takes the density of the next layer's input as in `with_densities`. Raises
    `BadInput` for an unknown layer or tensor and a pattern that the tensor cannot have.
    """
    _check_names(network, patterns)
    for layer, given in patterns.items():
        for role, pattern in given.items():
            check_type(pattern, Pattern, f"{layer}.{role}", "make a pattern, such as Uniform(0.5) or NofM(2, 4)")
    return _with_zeros(network, {layer: {role: (1.0, pattern) for role, pattern in given.items()}
                                 for layer, given in patterns.items()})  # fmt: skip


_Zeros = tuple[float, Pattern | None]


def _check_names(network: Network, given: Mapping[str, Mapping[Role, object]]) -> None:
    names = [op.name for op in network.contractions]
    for layer, tensors in given.items():
        if layer not in names:
            remedy = suggestion(layer, names, "contractions are")
            raise BadInput(f"{network.name}: no contraction '{layer}'; {remedy}")
        unknown = [role for role in tensors if role not in ROLES]
        if unknown:
            raise BadInput(f"{network.name}: {layer} has no tensor '{unknown[0]}'; use {', '.join(ROLES)}")


def _with_zeros(network: Network, zeros: Mapping[str, Mapping[Role, _Zeros]]) -> Network:
    """The network with these zeros, and outputs as dense as the inputs that read them where these were given."""
    changed = {op.name: _of_zeros(op, zeros.get(op.name, {})) for op in network.contractions}
    for name, readers in _readers(network).items():
        found = {changed[op.name].tensor("input").density for op in readers}
        asked = any("input" in zeros.get(op.name, {}) for op in readers)
        if len(found) == 1 and asked and "output" not in zeros.get(name, {}):
            changed[name] = _of_zeros(changed[name], {"output": (found.pop(), None)})
    return _map(network, lambda op: changed[op.name] if isinstance(op, Op) else op)


def _of_zeros(op: Op, zeros: Mapping[Role, _Zeros]) -> Op:
    if not zeros:
        return op
    kept = {tensor.role: (tensor.density, tensor.pattern) for tensor in op.tensors}
    pairs = [(tensor, *(kept | dict(zeros))[tensor.role]) for tensor in op.tensors]
    first, second, result = (replace(tensor, density=density, pattern=pattern) for tensor, density, pattern in pairs)
    return replace(op, tensors=(first, second, result))


def _readers(network: Network) -> dict[str, list[Op]]:
    """By contraction, those that read its output, directly or through vector operators of one input."""
    found: dict[str, list[Op]] = {op.name: [] for op in network.contractions}
    sources: dict[str, set[str]] = {}
    for layer in network:
        above = {name for source in layer.inputs for name in sources[source]}
        if isinstance(layer.op, VectorOp):
            sources[layer.op.name] = above if len(layer.inputs) == 1 else set()
            continue
        for name in above:
            found[name].append(layer.op)
        sources[layer.op.name] = {layer.op.name}
    return found


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
