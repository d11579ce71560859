"""Channel pruning: a really smaller module or network, with all coupled channels gone together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, check_type
from ..network import Network
from ..torch_program import evaluating
from . import masks
from .coupling import ChannelGroup, Coupling, Places, kept_of
from .masks import Norm, Scope
from .module_channels import walk
from .network_channels import network_with, walk_network
from .resize import resized
from .weights import check_density, named

if TYPE_CHECKING:
    import torch

__all__ = ["channel_groups", "prune_channels", "remove_channels"]

Model = TypeVar("Model", bound="torch.nn.Module | Network")
Reduce = Literal["sum", "mean"]


def channel_groups(model: torch.nn.Module | Network, example_inputs: Sequence[Any] = ()) -> list[ChannelGroup]:
    """The channels of ``model`` that may go, those that must go together found.

    Of a torch module, through `torch.export` with ``example_inputs``: additions, concatenation, grouped and depthwise
    convolutions, batch norm, flattening. Channels stay where an operator needs all of them (a layer norm, attention, an
    index), where the network's inputs or outputs are, and where code states their number (a split, a view along two
    axes).
    """
    return _graph(model, example_inputs).groups


def prune_channels(
    model: Model,
    density: float | Mapping[str, float],
    example_inputs: Sequence[Any] = (),
    *,
    scope: Scope = "layer",
    norm: Norm = "l1",
    reduce: Reduce = "mean",
    multiple: int = 1,
) -> Model:
    """A copy of ``model`` with the share ``density`` of each group of coupled channels: smaller, and of the same shape.

    A group's number is rounded, up to a ``multiple``, and is at least 1. ``density`` by layer prunes the groups these
    layers make channels of, and no other. A torch module, which needs ``example_inputs``, loses the least important
    channels: importance is the L1 norm (the sum of squares' root for "l2") of all parameters that go with the channel,
    their mean instead of their sum with ``reduce="mean"``. With ``scope="global"`` all channels are ranked together. A
    `Network` has no weights: it gets the smaller dimensions.

    Removing channels that are zero wherever they are read leaves the outputs as they were. Raises `BadInput` for a
    density outside (0, 1], an unknown layer, one whose channels have to stay, layers that share channels and are given
    different densities, and a module whose code states sizes that pruning changes.
    """
    masks.check_choice(scope, ("layer", "global"), "scope")
    masks.check_choice(norm, ("l1", "l2"), "norm")
    masks.check_choice(reduce, ("sum", "mean"), "reduce")
    if multiple < 1:
        raise BadInput(f"multiple {multiple}: channels are kept in multiples of 1 or more")
    graph = _graph(model, example_inputs)
    shares = _shares(graph, density)
    if isinstance(model, Network):
        if scope == "global":
            raise BadInput(f"{model.name}: a network has no weights to rank; prune the torch module, or scope='layer'")
        scores = {at: np.zeros(graph.groups[at].size) for at in shares}
    else:
        scores = _importance(model, graph, list(shares), norm, reduce)
    gone = [graph.groups[at].channels[one] for at, lost in _lost(scores, shares, scope, multiple) for one in lost]
    return cast(Model, graph.without(model, gone, example_inputs))


def remove_channels(model: Model, channels: Mapping[str, Iterable[int]], example_inputs: Sequence[Any] = ()) -> Model:
    """A copy of ``model`` without these output channels, by layer, and without all that is coupled to them.

    Raises `BadInput` for an unknown layer, a channel that it does not have or that has to stay, and where a layer would
    lose all its channels.
    """
    graph = _graph(model, example_inputs)
    named(channels, graph.layers, graph.name)
    wanted: list[Places] = []
    for layer, given in channels.items():
        [key] = [key for key, name in graph.makers.items() if name == layer]
        size, positions = graph.coupling.sizes()[key], sorted(set(given))
        outside = [at for at in positions if not 0 <= at < size]
        if outside:
            raise BadInput(f"{layer}: no output channel {outside[0]}; it has {size}, counted from 0")
        homes = {at: places for group in graph.groups for places in group.channels for at in places.get(key, ())}
        fixed = [at for at in positions if at not in homes]
        if fixed:
            raise BadInput(f"{layer}: output channel {fixed[0]} has to stay: {_STAYS}")
        wanted.extend(homes[at] for at in positions)
    return cast(Model, graph.without(model, wanted, example_inputs))


_STAYS = "it is the network's output, or an operator that reads it needs all channels or states their number"
_STAY = "they are the network's output, or an operator that reads them needs all of them or states their number"


@dataclass(frozen=True)
class _Graph:
    """A model's coupling, however it was found."""

    name: str
    coupling: Coupling
    makers: Mapping[tuple[str, int], str]
    groups: list[ChannelGroup]
    found: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.makers.values())

    def without(
        self, model: torch.nn.Module | Network, gone: Sequence[Places], example_inputs: Sequence[Any]
    ) -> torch.nn.Module | Network:
        """The model without these channels; nothing may be left without any."""
        kept = kept_of(self.coupling.sizes(), gone)
        for (owner, axis), positions in kept.items():
            if not len(positions):
                what = self.makers.get((owner, axis), owner)
                raise BadInput(f"{what}: all its {self.coupling.sizes()[owner, axis]} channels would go; keep one")
        if isinstance(model, Network):
            labels = [self.coupling.axis(key, 0)[list(at)] for places in gone for key, at in places.items()]
            roots = self.coupling.roots[np.concatenate(labels)] if labels else np.zeros(0, dtype=np.int64)
            return network_with(model, self.found, np.unique(roots))
        smaller = resized(model, kept, self.found.same)
        _check_shapes(model, smaller, example_inputs)
        return smaller


def _graph(model: torch.nn.Module | Network, example_inputs: Sequence[Any]) -> _Graph:
    if isinstance(model, Network):
        known = walk_network(model)
        return _Graph(model.name, known.coupling, known.makers, known.coupling.groups(known.makers), known)
    import torch

    check_type(model, torch.nn.Module, "model", "give a torch.nn.Module or a Network")
    name = type(model).__name__
    if isinstance(example_inputs, torch.Tensor):
        raise BadInput(f"{name}: example_inputs is a tensor; give a tuple of what the module is called with: (tensor,)")
    if not len(example_inputs):
        raise BadInput(f"{name}: which channels go together is found by tracing it; give example_inputs")
    found = walk(model, example_inputs)
    return _Graph(name, found.coupling, found.makers, found.coupling.groups(found.makers), found)


def _shares(graph: _Graph, density: float | Mapping[str, float]) -> dict[int, float]:
    """The density by group's number."""
    if not graph.groups:
        raise BadInput(f"{graph.name}: none of its channels can go: {_STAY}")
    if not isinstance(density, Mapping):
        share = check_density(density, graph.name)
        return dict.fromkeys(range(len(graph.groups)), share)
    named(density, graph.layers, graph.name)
    found: dict[int, tuple[float, str]] = {}
    for layer, given in density.items():
        share = check_density(given, layer)
        own = [at for at, group in enumerate(graph.groups) if layer in group.layers]
        if not own and share < 1.0:
            raise BadInput(f"{layer}: its output channels have to stay: {_STAY}")
        for at in own:
            other, first = found.setdefault(at, (share, layer))
            if other != share:
                raise BadInput(f"{layer} and {first} share their channels; give both {other} or both {share}")
    return {at: share for at, (share, _) in found.items()}


def _importance(
    model: torch.nn.Module, graph: _Graph, numbers: Sequence[int], norm: Norm, reduce: Reduce
) -> dict[int, NDArray[np.float64]]:
    """By group, each channel's norm over the parameters that go with it (per word with "mean")."""
    parameters = dict(model.named_parameters())
    by_axis: dict[tuple[str, int], tuple[NDArray[np.float64], int]] = {}
    found = {}
    for at in numbers:
        group = graph.groups[at]
        totals, words = np.zeros(group.size), np.zeros(group.size)
        for one, places in enumerate(group.channels):
            for (target, axis), positions in places.items():
                if target not in parameters:
                    continue
                if (target, axis) not in by_axis:
                    by_axis[target, axis] = _slices(parameters[target], axis, norm)
                sums, size = by_axis[target, axis]
                totals[one] += sums[list(positions)].sum()
                words[one] += size * len(positions)
        totals = totals / np.maximum(words, 1) if reduce == "mean" else totals
        found[at] = np.sqrt(totals) if norm == "l2" else totals
    return found


def _slices(parameter: torch.Tensor, axis: int, norm: Norm) -> tuple[NDArray[np.float64], int]:
    """Sums of magnitudes or of squares of each slice along ``axis``, and a slice's words."""
    values = parameter.detach().double().abs()
    powers = values if norm == "l1" else values**2
    sums: NDArray[np.float64] = (
        powers.movedim(axis, 0).flatten(1).sum(1).cpu().numpy() if values.dim() > 1 else (powers.cpu().numpy())
    )
    return sums, parameter.numel() // parameter.shape[axis]


def _lost(
    scores: Mapping[int, NDArray[np.float64]], shares: Mapping[int, float], scope: Scope, multiple: int
) -> list[tuple[int, list[int]]]:
    """By group's number, the channels that go."""
    import torch

    tensors = {str(at): torch.as_tensor(one) for at, one in scores.items()}
    kept = masks.largest(tensors, {str(at): share for at, share in shares.items()}, scope)
    found = []
    for at, score in scores.items():
        count = min(-(-int(kept[str(at)].sum()) // multiple) * multiple, len(score))
        order = np.argsort(-score, kind="stable")
        found.append((at, [int(one) for one in order[count:]]))
    return found


def _check_shapes(model: torch.nn.Module, smaller: torch.nn.Module, example_inputs: Sequence[Any]) -> None:
    """The smaller module runs, and leaves what the given one leaves."""
    import torch
    from torch.utils._pytree import tree_leaves

    def shapes(module: torch.nn.Module) -> list[tuple[int, ...]]:
        with evaluating(module), torch.no_grad():
            return [tuple(one.shape) for one in tree_leaves(module(*example_inputs)) if hasattr(one, "shape")]

    name, wanted = type(model).__name__, shapes(model)
    remedy = "write sizes so that they follow the tensors (x.flatten(1), -1 in a view), or name the layers to prune"
    try:
        given = shapes(smaller)
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(f"{name}: its code states sizes that pruning changes ({first}); {remedy}") from error
    if given != wanted:
        raise BadInput(f"{name}: without these channels its output is {given}, not {wanted}; {remedy}")
