"""A `Network`: a directed acyclic graph of operators, in topological order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import BadInput
from .op import Op, VectorOp

__all__ = ["Layer", "Network"]


@dataclass(frozen=True)
class Layer:
    """An operator and the names of the layers whose outputs it reads (none: the network's own input)."""

    op: Op | VectorOp
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """``layers`` in topological order; each input must name an earlier layer.

    ``source`` cites where the architecture comes from. ``notes`` say what the description leaves out.
    ``extra_params`` counts stored words that belong to no operator (class tokens, positional embeddings).
    """

    name: str
    layers: tuple[Layer, ...]
    source: str = ""
    notes: tuple[str, ...] = field(default=())
    extra_params: int = 0

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for layer in self.layers:
            missing = [name for name in layer.inputs if name not in seen]
            if missing:
                raise BadInput(f"{self.name}: layer '{layer.op.name}' reads {missing}, not defined before it")
            if layer.op.name in seen:
                raise BadInput(f"{self.name}: two layers are named '{layer.op.name}'")
            seen.add(layer.op.name)
        if not self.layers:
            raise BadInput(f"{self.name}: a network needs at least one layer")

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.layers)} layers, {self.macs:,} MACs, {self.params:,} parameters>"

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @cached_property
    def ops(self) -> tuple[Op | VectorOp, ...]:
        """All operators in topological order."""
        return tuple(layer.op for layer in self.layers)

    @cached_property
    def contractions(self) -> tuple[Op, ...]:
        """Only the operators that multiply and accumulate."""
        return tuple(op for op in self.ops if isinstance(op, Op))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one run (the whole batch)."""
        return sum(op.macs for op in self.ops)

    @cached_property
    def params(self) -> int:
        """Stored words: weights, biases, tables."""
        return sum(op.params for op in self.ops) + self.extra_params
