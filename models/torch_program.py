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

__all__ = ["export", "observe", "weight_patterns"]


def export(module: torch.nn.Module, example_inputs: tuple[Any, ...], title: str) -> torch.export.ExportedProgram:
    """The functional graph with every operator kept whole that torch allows to be kept. Raises ImportFailure."""
    import torch
    from torch.export import ExportedProgram

    try:
        with _evaluating(module), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: ExportedProgram = torch.export.export(module, example_inputs).run_decompositions({})
            return program
    except Exception as error:  # torch.export raises whatever the traced code raises; the user needs one sentence
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise ImportFailure(
            f"{title}: torch.export failed: {type(error).__name__}: {first[:300]}; make torch.export.export(module, "
            "example_inputs) succeed (matching example inputs, no control flow that depends on data)") from error


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
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
    """Run the program on ``inputs`` of its shapes and show ``look`` every node's tensor under the node's name."""
    import torch
    from torch.utils import _pytree

    class Watched(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                look(n.name, value)
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
