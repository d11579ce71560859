"""Coupled channels of a torch module, found by walking its exported graph with labels instead of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..torch_program import export, shape_of
from .coupling import Coupling
from .flow import Value, Walker
from .operators import HANDLERS, STORED

if TYPE_CHECKING:
    import torch

__all__ = ["ModuleGraph", "walk"]


@dataclass(frozen=True)
class ModuleGraph:
    """What was found: the coupling of (parameter or buffer, axis), the layers' weights, stored tensors' other names."""

    coupling: Coupling
    makers: dict[tuple[str, int], str]
    same: dict[str, str]


def walk(module: torch.nn.Module, example_inputs: Sequence[Any]) -> ModuleGraph:
    """Walk the graph that ``example_inputs`` give; raises ImportFailure where the module cannot be exported."""
    from torch.export.graph_signature import InputKind

    title = type(module).__name__
    program = export(module, tuple(example_inputs), title)
    specs = {getattr(spec.arg, "name", ""): spec for spec in program.graph_signature.input_specs}
    walker = Walker(_first_names(module), _rigid(module), HANDLERS, STORED)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            known = spec.kind in (InputKind.PARAMETER, InputKind.BUFFER) and spec.target in walker.same
            walker.values[node.name] = Value(shape_of(node) or (), stored=walker.same[spec.target] if known else None)
        elif node.op == "call_function":
            walker.call(node)
        elif node.op == "output":
            for value in walker.reads(node):
                walker.keep(value)
    return ModuleGraph(walker.coupling, walker.makers, walker.same)


def _first_names(module: torch.nn.Module) -> dict[str, str]:
    """Every name of a stored tensor with the first one it has: tied weights are one."""
    first: dict[int, str] = {}
    stored = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: first.setdefault(id(tensor), name) for name, tensor in stored}


def _rigid(module: torch.nn.Module) -> tuple[str, ...]:
    """Paths of modules that insist on the sizes they were made with."""
    from torch import nn

    found = (path for path, part in module.named_modules() if isinstance(part, nn.MultiheadAttention))
    return tuple(f"{path}." if path else "" for path in found)
