"""Genes that can be added to any space of networks: word widths, sparsity, training recipes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import BadInput
from ...models.network import Network
from ...models.pruning import prune, prune_n_of_m
from ...models.quantising import with_layer_bits
from .layer_groups import LayerGroup
from .network_space import NETWORK_PREFIX
from .space import Choice, Value

if TYPE_CHECKING:
    from ...mapper.training import Recipe as TrainingRecipe

__all__ = [
    "DENSE",
    "RECIPE_PREFIX",
    "Bits",
    "NetworkGene",
    "Recipe",
    "Sparsity",
    "recipe_values",
    "sparsity_option",
    "training_recipe",
]

DENSE = "dense"
RECIPE_PREFIX = "net.recipe."
_N_OF_M = re.compile(r"([1-9][0-9]*):([1-9][0-9]*)\Z")


class NetworkGene(Protocol):
    """Choices beside those of a space of networks, and what they do to a network."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The gene's choices; every name starts with ``net.``."""

    def baseline(self) -> dict[str, Value]:
        """The options that leave the network as it is, or the nearest to that."""

    def apply(self, network: Network, values: Mapping[str, Value]) -> Network:
        """The network with the options of a point."""

    @property
    def unstated(self) -> tuple[str, ...]:
        """Keys of the study's networks whose cost in accuracy nobody has said: a source has to know it."""

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """Points of top-1 accuracy that the study says these options cost."""


@dataclass(frozen=True)
class _ByGroup:
    """An option for each group of layers. ``losses`` states what the whole network would lose with an option; None
    where that is not known.
    """

    groups: tuple[LayerGroup, ...]
    losses: Mapping[Value, float] | None = field(default=None, hash=False)

    def _named(self, what: str, options: tuple[Value, ...]) -> tuple[Choice, ...]:
        return tuple(Choice(self._name(what, group), options, group.when) for group in self.groups)

    @staticmethod
    def _name(what: str, group: LayerGroup) -> str:
        return f"{NETWORK_PREFIX}{what}.{group.name}" if group.name else f"{NETWORK_PREFIX}{what}"

    def _lost(self, network: Network, values: Mapping[str, Value], what: str) -> float:
        """Each group loses in proportion to its share of the weights."""
        total = sum(op.params for op in network.contractions) or 1
        lost, losses = 0.0, self.losses or {}
        for group in self.groups:
            stated = losses.get(values.get(self._name(what, group), ""), 0.0)
            lost += stated * sum(op.params for op in group.contractions(network)) / total
        return lost


@dataclass(frozen=True)
class Bits(_ByGroup):
    """``net.bits…``: the width of weights and inputs of a group's layers; between layers, that of whoever reads."""

    options: tuple[int, ...] = (4, 8)

    @property
    def unstated(self) -> tuple[str, ...]:
        """The gene, where no losses are stated."""
        return ("bits",) if self.losses is None else ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """A width for each group."""
        return self._named("bits", self.options)

    def baseline(self) -> dict[str, Value]:
        """8 bits, what networks have of themselves, or the nearest width."""
        return {choice.name: min(self.options, key=lambda bits: (abs(bits - 8), -bits)) for choice in self.choices}

    def apply(self, network: Network, values: Mapping[str, Value]) -> Network:
        """The network with these widths."""
        widths = {
            op.name: int(values[name])
            for group in self.groups
            if (name := self._name("bits", group)) in values
            for op in group.contractions(network)
        }
        return with_layer_bits(network, widths)

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """As stated, in proportion to the weights of each width."""
        return self._lost(network, values, "bits")


def sparsity_option(option: Value) -> float | tuple[int, int] | None:
    """What an option of sparsity means: a density, n of m, or None for dense; raises `BadInput` for anything else."""
    if option == DENSE:
        return None
    found = _N_OF_M.match(option) if isinstance(option, str) else None
    if found and int(found[1]) <= int(found[2]):
        return int(found[1]), int(found[2])
    if isinstance(option, int | float) and not isinstance(option, bool) and 0.0 < option <= 1.0:
        return float(option)
    raise BadInput(f"'{option}' is no sparsity; write dense, n:m such as '2:4', or the share that stays such as 0.5")


@dataclass(frozen=True)
class Sparsity(_ByGroup):
    """``net.sparsity…``: ``dense``, ``n:m`` along input channels, or the share of weights that stay, anywhere.

    Where groups of ``m`` do not fill a layer's input channels (depthwise ones among them), the layer stays dense.
    """

    options: tuple[Value, ...] = (DENSE, "2:4", 0.5)

    @property
    def unstated(self) -> tuple[str, ...]:
        """The gene, where no losses are stated."""
        return ("sparsity",) if self.losses is None else ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """A pattern for each group."""
        return self._named("sparsity", self.options)

    def baseline(self) -> dict[str, Value]:
        """Dense, or the first option."""
        return {choice.name: DENSE if DENSE in self.options else self.options[0] for choice in self.choices}

    def apply(self, network: Network, values: Mapping[str, Value]) -> Network:
        """The network with zeros in its weights."""
        for group in self.groups:
            wanted = sparsity_option(values.get(self._name("sparsity", group), DENSE))
            layers = group.contractions(network)
            if isinstance(wanted, float):
                network = prune(network, {op.name: wanted for op in layers})
            elif wanted is not None:
                fitting = [op.name for op in layers if op.bounds.get("C", 1) % wanted[1] == 0]
                network = prune_n_of_m(network, *wanted, layers=fitting) if fitting else network
        return network

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """As stated, in proportion to the weights of each pattern."""
        return self._lost(network, values, "sparsity")


@dataclass(frozen=True)
class Recipe:
    """``net.recipe.<name>``: how the network is trained.

    ``net.recipe.name`` is a training recipe, shipped or a path, which the life cycle's training follows; other names
    (``epochs``, ``lr`` …) are for sources of accuracy that train, and ``epochs`` and ``batch`` for the life cycle too.
    ``losses`` are those of the recipe's name; nobody can state those of the others.
    """

    options: tuple[tuple[str, tuple[Value, ...]], ...]
    losses: Mapping[Value, float] | None = field(default=None, hash=False)

    @property
    def unstated(self) -> tuple[str, ...]:
        """The name where no losses are stated, and all others."""
        return tuple(f"recipe.{name}" for name, _ in self.options if name != "name" or self.losses is None)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """A choice for each name."""
        return tuple(Choice(f"{RECIPE_PREFIX}{name}", options) for name, options in self.options)

    def baseline(self) -> dict[str, Value]:
        """The first option of each."""
        return {choice.name: choice.options[0] for choice in self.choices}

    def apply(self, network: Network, values: Mapping[str, Value]) -> Network:
        """The network itself: training costs nothing at inference."""
        return network

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """As stated for the recipe's name."""
        return (self.losses or {}).get(values.get(f"{RECIPE_PREFIX}name", ""), 0.0)


def training_recipe(values: Mapping[str, Value]) -> TrainingRecipe | None:
    """The recipe that a point trains by, with its epochs and batch where these are chosen; None where none is named.

    Raises `UnknownName` for a recipe that is not shipped, `BadInput` for epochs or a batch that cannot be.
    """
    from ...mapper.training import load_recipe

    own = recipe_values(values)
    if "name" not in own:
        return None
    changed: dict[str, Any] = {what: own[what] for what in ("epochs", "batch") if what in own}
    return replace(load_recipe(str(own["name"])), **changed)


def recipe_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """The training recipe's part of a point, by plain names: ``{"name": "imagenet_90", "lr": 0.1}``."""
    return {name.removeprefix(RECIPE_PREFIX): value for name, value in values.items() if name.startswith(RECIPE_PREFIX)}
