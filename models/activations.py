"""Shares of non-zero words that data leave in a torch module's activations, and in its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from .from_torch import described
from .op import Role
from .torch_program import export, observe

if TYPE_CHECKING:
    import torch

__all__ = ["measure_activations"]


def measure_activations(module: torch.nn.Module, data: Iterable[Any]) -> dict[str, dict[Role, float]]:
    """Run ``module`` on ``data`` and count, by layer and tensor, the share of words that are not zero.

    ``data`` yields what the module is called with: a tensor, or a tuple of arguments (no labels). Layers have the names
    that `from_torch` gives them, so that `with_densities(network, measure_activations(module, data))` is the network
    with what was measured. Inputs are counted as they are read, without padding; outputs as they are written, behind
    folded batch norms and fused activations. Weights that are stored are not counted (see ``from_torch(zeros=...)``);
    those that are activations, as in attention, are. A tensor that was all zero is given one non-zero word.

    The module runs in evaluation mode; a batch of another shape is exported anew. Raises ImportFailure if the module
    cannot be exported, BadInput if there are no data.
    """
    import torch

    title = type(module).__name__
    programs: dict[tuple[object, ...], tuple[torch.export.ExportedProgram, dict[str, dict[Role, str]]]] = {}
    counts: dict[tuple[str, Role], list[int]] = {}
    for item in data:
        inputs = tuple(item) if isinstance(item, tuple | list) else (item,)
        form = tuple(tuple(getattr(value, "shape", ())) for value in inputs)
        if form not in programs:
            program = export(module, inputs, title)
            programs[form] = program, described(program, title, 8).tensors()
        program, tensors = programs[form]
        seen: dict[str, list[int]] = {name: [] for keys in tensors.values() for name in keys.values()}

        def look(name: str, value: torch.Tensor, seen: dict[str, list[int]] = seen) -> None:
            if name in seen:
                seen[name] = [int(torch.count_nonzero(value)), value.numel()]

        observe(program, inputs, look)
        for layer, keys in tensors.items():
            for role, name in keys.items():
                if seen[name]:
                    total = counts.setdefault((layer, role), [0, 0])
                    total[0], total[1] = total[0] + seen[name][0], total[1] + seen[name][1]
    if not programs:
        raise BadInput(f"{title}: there are no data to measure its activations on; give at least one input")
    densities: dict[str, dict[Role, float]] = {}
    for (layer, role), (nonzero, words) in counts.items():
        densities.setdefault(layer, {})[role] = max(1, nonzero) / words
    return densities
