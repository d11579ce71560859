"""The optimiser's step: one vector operator for each layer with stored words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..network import Layer
from ..op import VectorOp
from .local import NEGATIVE
from .optimizers import Optimizer
from .precision import Precision

__all__ = ["TABLES", "gradients_by_layer", "update_layers"]

TABLES = "tables"  # stands for stored words of no layer

Stored = Mapping[str, int]


def gradients_by_layer(stored: Iterable[str], backward: Iterable[Layer], tables: Iterable[str]) -> dict[str, list[str]]:
    """By layer with ``stored`` words, the operators that leave gradients of these; `TABLES` for those of ``tables``."""
    names = set(stored)
    found: dict[str, list[str]] = {}
    reads = set(tables)
    for layer in backward:
        base, _, part = layer.op.name.rpartition(".")
        base = base.removesuffix(NEGATIVE)
        vector = isinstance(layer.op, VectorOp)
        if base in reads and part == "dx":
            found.setdefault(TABLES, []).append(layer.op.name)
        elif base in names and (part in ("dw", "db") or (vector and part == "dx")):
            found.setdefault(base, []).append(layer.op.name)
    return found


def update_layers(
    stored: Stored, gradients: Mapping[str, Sequence[str]], optimizer: Optimizer, precision: Precision
) -> tuple[Layer, ...]:
    """``conv1.step`` reads the layer's gradients, master weights and state, and writes weights and state back.

    ``stored`` are the words to step by layer. Words are counted in master words.
    """
    return tuple(Layer(_step(f"{name}.step", params, optimizer, precision), tuple(gradients.get(name, ())))
                 for name, params in stored.items())  # fmt: skip


def accumulation_layers(
    stored: Stored, gradients: Mapping[str, Sequence[str]], precision: Precision
) -> tuple[Layer, ...]:
    """``conv1.sum`` adds the gradients of one micro-batch to those before it."""
    bits = precision.gradient_bits
    return tuple(Layer(VectorOp(f"{name}.sum", "add", params, 2 * params, params, bits), tuple(gradients.get(name, ())))
                 for name, params in stored.items())  # fmt: skip


def _step(name: str, params: int, optimizer: Optimizer, precision: Precision) -> VectorOp:
    state = optimizer.state_words_per_param * precision.state_bits
    read = precision.gradient_bits + precision.master_bits + state
    written = precision.parameter_bits + state
    # Narrowing the weights for the next step, and undoing the loss's scale, are an operation each.
    operations = optimizer.operations_per_param + int(precision.copies) + int(precision.scaled_loss)
    bits = precision.master_bits
    return VectorOp(name, f"{optimizer.name}_step", params * operations, -(-params * read // bits),
                    -(-params * written // bits), bits)  # fmt: skip
