"""The optimiser's step: one vector operator for each layer with stored words."""

from __future__ import annotations

from collections.abc import Iterable

from ..network import Layer
from ..op import VectorOp
from .graph import Graph
from .optimizers import Optimizer
from .precision import Precision

__all__ = ["update_layers"]


def update_layers(
    graph: Graph, backward: Iterable[Layer], optimizer: Optimizer, precision: Precision
) -> tuple[Layer, ...]:
    """``conv1.step`` reads the layer's gradients, master weights and state, and writes weights and state back.

    Words are counted in master words. Tables and other stored words of no layer are stepped by ``tables.step``.
    """
    made = [layer.op.name for layer in backward]
    layers = []
    for layer in graph.layers:
        op = layer.op
        if op.params:
            parts = ("dx",) if isinstance(op, VectorOp) else ("dw", "db")
            found = tuple(f"{op.name}.{part}" for part in parts if f"{op.name}.{part}" in made)
            layers.append(Layer(_step(f"{op.name}.step", op.params, optimizer, precision), found))
    extra = graph.network.extra_params
    if extra > 0:
        tables = tuple(f"{layer.op.name}.dx" for layer in graph.layers if layer.op.kind == "gather")
        found = tuple(name for name in tables if name in made)
        name = "tables.step"
        while name in graph.by_name:
            name = f"extra.{name}"
        layers.append(Layer(_step(name, extra, optimizer, precision), found))
    return tuple(layers)


def _step(name: str, params: int, optimizer: Optimizer, precision: Precision) -> VectorOp:
    state = optimizer.state_words_per_param * precision.state_bits
    read = precision.gradient_bits + precision.master_bits + state
    written = precision.parameter_bits + state
    # Narrowing the weights for the next step, and undoing the loss's scale, are an operation each.
    operations = optimizer.operations_per_param + int(precision.copies) + int(precision.scaled_loss)
    bits = precision.master_bits
    return VectorOp(name, f"{optimizer.name}_step", params * operations, -(-params * read // bits),
                    -(-params * written // bits), bits)  # fmt: skip
