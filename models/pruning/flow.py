"""Labels of channels on their way through an exported graph: values, the walker that keeps them, and its calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..torch_program import call_arguments, operator_name, shape_of
from .coupling import Coupling, Labels

if TYPE_CHECKING:
    import torch

__all__ = ["Call", "Handler", "Result", "Value", "Walker"]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: ``labels`` of the channels along ``axis``; None where nothing in it may go.

    ``stored`` names the parameter or buffer it is.
    """

    shape: tuple[int, ...]
    axis: int | None = None
    labels: Labels | None = None
    stored: str | None = None


class Walker:
    """Visits the nodes of a graph in order and keeps what each of them holds.

    ``same`` names every stored tensor, tied ones by one name; ``rigid`` are paths of modules that keep their sizes.
    ``handlers`` say what operators do to labels; only those of ``storing`` know what to do with stored tensors.
    """

    def __init__(
        self,
        same: dict[str, str],
        rigid: tuple[str, ...],
        handlers: Mapping[str, Handler],
        storing: Collection[Handler],
    ) -> None:
        self.coupling = Coupling()
        self.makers: dict[tuple[str, int], str] = {}
        self.same, self._rigid = same, rigid
        self._handlers, self._storing = handlers, storing
        self.values: dict[str, Value | tuple[Value, ...]] = {}

    def reads(self, node: torch.fx.Node) -> list[Value]:
        """Every tensor the node reads; those of a tuple one by one."""
        found: list[Value] = []
        for one in node.all_input_nodes:
            value = self.values.get(one.name, Value(()))
            found.extend(value if isinstance(value, tuple) else (value,))
        return found

    def keep(self, value: Value) -> None:
        """Nothing of this tensor may go."""
        if value.labels is not None:
            self.coupling.keep(value.labels)

    def stored_axis(self, value: Value, axis: int) -> Labels:
        """The labels of a parameter's or buffer's axis; of anything else, labels that stay."""
        size = value.shape[axis]
        if value.stored is None:
            return np.zeros(size, dtype=np.int64)
        labels = self.coupling.axis((value.stored, axis), size)
        if value.stored.startswith(self._rigid):
            self.coupling.keep(labels)
        return labels

    def keep_stored(self, value: Value) -> None:
        """No axis of a parameter or buffer may get shorter."""
        if value.stored is not None:
            for axis in range(len(value.shape)):
                self.coupling.keep(self.stored_axis(value, axis))

    def call(self, node: torch.fx.Node) -> None:
        """One operator: its handler, or, where there is none, everything it reads stays."""
        handler = self._handlers.get(operator_name(node))
        call = Call(self, node)
        known = handler in self._storing or all(value.stored is None for value in self.reads(node))
        self.values[node.name] = handler(call) if handler and known else call.unknown()


class Call:
    """A node with its arguments by name and its operands' labels."""

    def __init__(self, walker: Walker, node: torch.fx.Node) -> None:
        self.walker, self.node = walker, node
        self.arguments = call_arguments(node)
        self.coupling = walker.coupling

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        return shape_of(self.node) or ()

    def value(self, *names: str) -> Value | None:
        """The tensor argument of the first of these names that is given."""
        for name in names:
            node: Any = self.arguments.get(name)
            found = self.walker.values.get(node.name) if hasattr(node, "name") else None
            if isinstance(found, Value):
                return found
        return None

    def operand(self) -> Value:
        """The first tensor argument."""
        return self.value("input", "self", "data", "a") or next(iter(self.walker.reads(self.node)), Value(()))

    def unknown(self) -> Value | tuple[Value, ...]:
        """All operands stay, and so does the result."""
        for value in self.walker.reads(self.node):
            self.walker.keep(value)
            self.walker.keep_stored(value)
        return self.plain()

    def plain(self) -> Value | tuple[Value, ...]:
        """A result without channels that may go."""
        val: Any = self.node.meta.get("val")
        if isinstance(val, tuple | list):
            return tuple(Value(tuple(int(n) for n in getattr(part, "shape", ()))) for part in val)
        return Value(self.shape)

    def along(self, axis: int, labels: Labels) -> Value:
        """A result with these channels."""
        return Value(self.shape, axis, labels)

    def dims(self, name: str, rank: int) -> list[int]:
        """An argument of axes, counted from the front."""
        given = self.arguments.get(name)
        axes = [] if given is None else [given] if isinstance(given, int) else list(given)
        return [axis % max(rank, 1) for axis in axes]


Result = Value | tuple[Value, ...]
Handler = Callable[[Call], Result]
