"""Word widths by layer: of a `Network`, and, as rounded values, of a torch module.

Weights are rounded to a symmetric grid of ``2^bits − 1`` values with one scale per output channel, inputs to one with a
scale per tensor, as integer hardware does (Jacob et al., CVPR 2018, arXiv:1712.05877; Nagel et al.,
arXiv:2106.08295, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, check_type, suggestion
from .network import Layer, Network
from .op import ROLES, Op, Role, VectorOp
from .pruning.weights import Weight, named, weights_of

if TYPE_CHECKING:
    import torch

__all__ = ["Bits", "quantise", "quantise_weight", "with_layer_bits"]

Bits = int | Mapping[Role, int]


def with_layer_bits(network: Network, bits: Mapping[str, Bits]) -> Network:
    """The network with these word widths, by layer: ``{"conv2": 4, "fc": {"weight": 2, "input": 8}}``.

    One number is that of both operands of a contraction, or of all words of a vector operator. What lies between two
    layers has one width: an output without a figure of its own, and vector operators on the way, take that of the
    inputs that read them where these agree and one of them was given. Raises `BadInput` for an unknown layer or tensor
    and a width below 1.
    """
    known = {op.name: op for op in network.ops}
    given = {layer: _by_role(network, known, layer, one) for layer, one in bits.items()}
    readers: dict[str, list[str]] = {name: [] for name in known}
    for layer in network:
        for source in layer.inputs:
            readers[source].append(layer.op.name)
    changed: dict[str, Op | VectorOp] = {}
    touched: set[str] = set()  # layers whose inputs' width was given, themselves or from behind
    for layer in reversed(network.layers):
        name = layer.op.name
        asked = dict(given.get(name, {}))
        widths = {_input_bits(changed[reader]) for reader in readers[name]}
        if len(widths) == 1 and touched.intersection(readers[name]):
            asked.setdefault("output", widths.pop())
        if "input" in asked or (isinstance(layer.op, VectorOp) and asked):
            touched.add(name)
        changed[name] = _of_widths(layer.op, asked)
    return replace(network, layers=tuple(Layer(changed[layer.op.name], layer.inputs) for layer in network))


def _by_role(network: Network, known: Mapping[str, Op | VectorOp], layer: str, bits: Bits) -> dict[Role, int]:
    if layer not in known:
        remedy = suggestion(layer, known, "layers are")
        raise BadInput(f"{network.name}: no layer '{layer}'; {remedy}")
    vector = isinstance(known[layer], VectorOp)
    if isinstance(bits, Mapping):
        if vector:
            raise BadInput(f"{layer} is a vector operator: its words have one width; give a number")
        roles = dict(bits)
    else:
        roles = {"output": bits} if vector else {"input": bits, "weight": bits}
    for role, width in roles.items():
        if role not in ROLES:
            raise BadInput(f"{network.name}: {layer} has no tensor '{role}'; use {', '.join(ROLES)}")
        if isinstance(width, bool) or not isinstance(width, Integral) or width < 1:
            raise BadInput(f"{layer}.{role}: {width!r} is not a word width; use 1 or more")
    return roles


def _input_bits(op: Op | VectorOp) -> int:
    return op.tensor("input").bits if isinstance(op, Op) else op.bits


def _of_widths(op: Op | VectorOp, bits: Mapping[Role, int]) -> Op | VectorOp:
    if isinstance(op, VectorOp):
        return replace(op, bits=bits.get("output", op.bits))
    first, second, result = (replace(tensor, bits=bits.get(tensor.role, tensor.bits)) for tensor in op.tensors)
    return replace(op, tensors=(first, second, result))


def quantise(module: torch.nn.Module, bits: Bits | Mapping[str, Bits]) -> torch.nn.Module:
    """A copy of ``module`` whose values are those of words of so many bits; it still computes in floating point.

    ``bits`` holds for all convolutions and linear layers, or is given by layer; a number is the width of the weight,
    ``{"weight": 4, "input": 8}`` that of the input too, which is rounded as it comes in with a scale from its own
    largest magnitude. Biases stay. Raises `BadInput` for an unknown layer or tensor and a width below 2.
    """
    weights = {weight.layer: weight for weight in weights_of(module)}
    copy = deepcopy(module)
    for layer, roles in _layers_bits(module, weights, bits).items():
        if "weight" in roles:
            weight = weights[layer]
            weight.of(copy).copy_(quantise_weight(weight, weight.of(module), roles["weight"]))
        if "input" in roles:
            owner = copy.get_submodule(weights[layer].target.rpartition(".")[0])
            owner.register_forward_pre_hook(_RoundInput(roles["input"]))
    return copy


def _layers_bits(
    module: torch.nn.Module, weights: Mapping[str, Weight], bits: Bits | Mapping[str, Bits]
) -> dict[str, dict[str, int]]:
    by_layer: dict[str, Any]
    if isinstance(bits, Mapping) and not set(bits) <= set(ROLES):
        by_layer = {str(layer): one for layer, one in bits.items()}
        named(by_layer, weights, type(module).__name__)
    else:
        by_layer = dict.fromkeys(weights, bits)
    found = {layer: dict(one) if isinstance(one, Mapping) else {"weight": one} for layer, one in by_layer.items()}
    for layer, roles in found.items():
        for role, width in roles.items():
            if role not in ("weight", "input"):
                raise BadInput(f"{layer} has no '{role}' to round; use weight, input (the output is the next's input)")
            if isinstance(width, bool) or not isinstance(width, Integral) or width < 2:
                raise BadInput(f"{layer}.{role}: words of {width!r} bits hold no sign and value; use 2 or more")
    return found


def quantise_weight(weight: Weight, values: torch.Tensor, bits: int) -> torch.Tensor:
    """A weight's values, shaped as `Weight.of` gives them, rounded with a scale per output channel."""
    kept = [axis for axis, dim in enumerate(weight.dims) if dim in ("G", "K")]
    others = [axis for axis in range(values.dim()) if axis not in kept]
    return _rounded(values, values.abs().amax(others, keepdim=True), bits)


def _rounded(values: torch.Tensor, largest: torch.Tensor, bits: int) -> torch.Tensor:
    """The nearest of ``2^bits − 1`` values spread evenly from −largest to largest; zero stays zero."""
    import torch

    steps = 2 ** (bits - 1) - 1
    scale = torch.where(largest > 0, largest, torch.ones_like(largest)) / steps
    rounded: torch.Tensor = (values / scale).round().clamp(-steps, steps) * scale
    return rounded


@dataclass
class _RoundInput:
    """Rounds the first argument of a call."""

    bits: int

    def __call__(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        check_type(inputs, tuple, "inputs", "call the layer with its input as a positional argument")
        first = inputs[0]
        return (_rounded(first, first.detach().abs().amax(), self.bits), *inputs[1:])
