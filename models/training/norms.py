"""Batch norm as it is trained: layers of their own, where networks for inference have them folded away."""

from __future__ import annotations

from dataclasses import replace

from ..builder import OPERATIONS_PER_WORD
from ..network import Layer, Network
from ..op import Op, VectorOp

__all__ = ["with_batch_norm"]


def with_batch_norm(network: Network) -> Network:
    """The network with a batch norm behind every convolution that has a bias, in place of the bias.

    A description for inference leaves one word per channel of a folded batch norm; a training has two, and two more
    passes over the activations in each direction. For a network whose convolutions have real biases (AlexNet, VGG,
    SqueezeNet) this is another network.
    """
    behind: dict[str, str] = {}
    layers: list[Layer] = []
    taken = {layer.op.name for layer in network}
    for layer in network:
        inputs = tuple(behind.get(name, name) for name in layer.inputs)
        op = layer.op
        if not (isinstance(op, Op) and op.bias and "conv" in op.kind):
            layers.append(Layer(op, inputs))
            continue
        name, words = f"{op.name}.bn", op.words("output")
        while name in taken:
            name += "_"
        norm = VectorOp(name, "batch_norm", OPERATIONS_PER_WORD["batch_norm"] * words, words, words,
                        op.tensor("output").bits, 2 * op.bias)  # fmt: skip
        layers += [Layer(replace(op, bias=0), inputs), Layer(norm, (op.name,))]
        behind[op.name] = name
    return replace(network, layers=tuple(layers))
