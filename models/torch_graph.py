"""The graph of a torch module as `torch.export` gives it: functional, with operators kept whole, shapes known."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ImportFailure

if TYPE_CHECKING:
    import torch

__all__ = ["call_arguments", "evaluating", "exported", "operator_name", "shape_of"]


def exported(module: torch.nn.Module, example_inputs: tuple[Any, ...], title: str) -> torch.export.ExportedProgram:
    """The functional graph of the module in evaluation mode, every operator kept whole that torch allows to be kept.

    Raises ImportFailure, with torch's first sentence, where the module cannot be exported.
    """
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
