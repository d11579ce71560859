"""A torch module as an exported program: its graph, the zeros among its weights, and what flows through it on data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, ImportFailure
from .network import Network
from .op import Role
from .patterns import Measured, Pattern, Uniform

if TYPE_CHECKING:
    import torch

__all__ = ["call_arguments", "evaluating", "export", "observe", "operator_name", "shape_of", "weight_patterns"]


def export(module: torch.nn.Module, example_inputs: tuple[Any, ...], title: str) -> torch.export.ExportedProgram:
    """The functional graph with every operator kept whole that torch allows to be kept. Raises ImportFailure."""
    import torch
    from torch.export import ExportedProgram

    try:
        with evaluating(module), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: ExportedProgram = torch.export.export(module, example_inputs).run_decompositions({})
            return program
    except Exception as error:  # torch.export raises whatever the traced code raises; the user needs one sentence
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise ImportFailure(
            f"{title}: torch.export failed: {type(error).__name__}: {first[:300]}; make torch.export.export(module, "
            "example_inputs) succeed (matching example inputs, no control flow that depends on data)") from error


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, and attention as plain operators instead of one fused call; both are restored."""
    import torch

    modes = {part: part.training for part in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, training in modes.items():
            part.training = training


def shape_of(node: torch.fx.Node) -> tuple[int, ...] | None:
    """The shape of a node's value; None where it is no single tensor."""
    shape = getattr(node.meta.get("val"), "shape", None)
    return None if shape is None else tuple(int(size) for size in shape)


def operator_name(node: torch.fx.Node) -> str:
    """``conv2d`` of ``aten.conv2d.default``; another library's operator keeps its prefix."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return str(getattr(node.target, "__name__", node.target))
    return str(schema.name).removeprefix("aten::")


def call_arguments(node: torch.fx.Node) -> dict[str, Any]:
    """A call's arguments under the names of the operator's schema, defaults included."""
    schema = getattr(node.target, "_schema", None)
    found: dict[str, Any] = {}
    if schema is not None:
        found = {argument.name: argument.default_value for argument in schema.arguments}
        found.update(zip((argument.name for argument in schema.arguments), node.args, strict=False))
    found.update(node.kwargs)
    return found


def weight_patterns(
    program: torch.export.ExportedProgram, stored: Mapping[str, tuple[str, str]], network: Network, *, places: bool
) -> dict[str, dict[Role, Pattern]]:
    """Zeros of the weights that have any, by layer: where they are, or without ``places`` their share.

    ``stored`` gives each layer's weight as a node and the dimensions along which it lies. Where these are not known or
    were broadcast, only the share is measured. Raises BadInput for weights that are all zero.
    """
    values = _constants(program, {node for node, _ in stored.values()})
    found: dict[str, dict[Role, Pattern]] = {}
    for op in network.contractions:
        if op.name not in stored:
            continue
        node, axes = stored[op.name]
        nonzero = (values[node] != 0).cpu().numpy()
        if not nonzero.any():
            raise BadInput(f"{network.name}: all weights of {op.name} are zero; take that layer out of the module")
        kept = [dim for dim in axes if dim in op.bounds]
        shape = [op.bounds[dim] for dim in kept]
        if places and kept and math.prod(shape) == nonzero.size and not nonzero.all():
            found[op.name] = {"weight": Measured.of(nonzero.reshape(shape), kept)}
        elif not nonzero.all():
            found[op.name] = {"weight": Uniform(float(nonzero.mean()))}
    return found


def _constants(program: torch.export.ExportedProgram, names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Values of these nodes, which depend on stored tensors alone."""
    import torch

    nodes = {node.name: node for node in program.graph.nodes}
    values = _stored(program)

    def value(node: torch.fx.Node) -> Any:
        if node.name not in values:
            arguments = torch.fx.map_arg((node.args, node.kwargs), value)
            target: Any = node.target
            values[node.name] = target(*arguments[0], **arguments[1])
        return values[node.name]

    with torch.no_grad():
        return {name: value(nodes[name]) for name in names}


def observe(
    program: torch.export.ExportedProgram, inputs: Sequence[Any], look: Callable[[str, torch.Tensor], None]
) -> None:
    """Run the program on ``inputs`` of its shapes and show ``look`` each node's (first) tensor and name."""
    import torch
    from torch.utils import _pytree

    class Watched(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            first = value[0] if isinstance(value, tuple) and value else value  # a batch norm gives its statistics, too
            if isinstance(first, torch.Tensor):
                look(n.name, first)
            return value

    stored = _stored(program)
    leaves = iter(_pytree.tree_leaves(tuple(inputs)))
    names = [node.name for node in program.graph.nodes if node.op == "placeholder"]
    with torch.no_grad():
        Watched(program.graph_module).run(*(stored[name] if name in stored else next(leaves) for name in names))


def _stored(program: torch.export.ExportedProgram) -> dict[str, Any]:
    """Parameters, buffers and constants by their placeholders' names."""
    found: dict[str, Any] = {}
    for spec in program.graph_signature.input_specs:
        target = spec.target
        if target is not None:
            source: Any = program.state_dict if target in program.state_dict else program.constants
            found[spec.arg.name] = source[target]
    return found
