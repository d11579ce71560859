"""The genes that a study's or a space's YAML asks for."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

from ...errors import BadInput, UnknownName, nearest
from ...models.network import Network
from .exits import Exit, Exits
from .genes import Bits, NetworkGene, Recipe, Sparsity
from .layer_groups import LayerGroup, Per, layer_groups
from .network_part import ExitPart, NetworkPart
from .network_space import NetworkSpace
from .space import Choice, Space, Value

__all__ = ["gene_choices", "genes_of"]


def genes_of(base: NetworkSpace, part: NetworkPart) -> tuple[NetworkGene, ...]:
    """Exits first, since what is chosen for all layers is chosen for theirs too.

    Raises `BadInput` for losses of options that are not offered, `UnknownName` for groups of layers that do not exist.
    """
    genes: list[NetworkGene] = []
    if part.exits:
        _check_exits(part.exits)
        genes.append(Exits(_exits(base, part.exits)))
    if part.sparsity:
        zeros = _losses("sparsity", part.sparsity.loss_pct, part.sparsity.options, _option)
        groups = _groups(base, part.sparsity.per, part.sparsity.layers, genes)
        genes.append(Sparsity(groups, zeros, tuple(part.sparsity.options)))
    if part.bits:
        widths = _losses("bits", part.bits.loss_pct, part.bits.options)
        genes.append(Bits(_groups(base, part.bits.per, part.bits.layers, genes), widths, tuple(part.bits.options)))
    if part.recipe:
        named = _losses("recipe", part.recipe.loss_pct, part.recipe.name or ())
        options = part.recipe.options()
        # Apart, as a loss can be stated for the one and not for the others.
        for some in ([one for one in options if one[0] == "name"], [one for one in options if one[0] != "name"]):
            if some:
                genes.append(Recipe(tuple(some), named))
    return tuple(genes)


def gene_choices(gene: NetworkGene, kept: Space) -> tuple[Choice, ...]:
    """A gene's choices where ``kept`` is what is left of the network's: conditions on others hold, or never can."""
    found = []
    for choice in gene.choices:
        met = {
            other: [value for value in values if value in kept.choice(other).options]
            for other, values in choice.when.items()
            if other in kept.names
        }
        if all(met.values()):
            found.append(dataclasses.replace(choice, when=met))
    return tuple(found)


def _same(option: Value) -> Value:
    return option


def _option(text: str) -> Value:
    """A key of YAML as the option it names: ``0.5`` is a number."""
    try:
        return float(text)
    except ValueError:
        return text


def _losses(
    what: str, stated: Mapping[Any, float] | None, options: Sequence[Value], named: Callable[[Any], Value] = _same
) -> dict[Value, float] | None:
    """The stated losses by option; None where there is no word of any."""
    if stated is None:
        return None
    losses = {named(key): loss for key, loss in stated.items()}
    unknown = [option for option in losses if option not in options]
    if unknown:
        listed = ", ".join(map(str, options))
        raise BadInput(f"{what}.loss_pct: {unknown[0]} is none of the options; they are {listed}")
    return losses


def _groups(base: NetworkSpace, per: Per, pattern: str, before: Sequence[NetworkGene]) -> tuple[LayerGroup, ...]:
    """The groups whose names match; per network, the one group is of the layers that match."""
    groups = layer_groups(base, per)
    if per == "network":
        found = tuple(dataclasses.replace(group, patterns=(pattern,)) for group in groups)
        if pattern != "*":
            _check_layers(base, found, pattern, before)
        return found
    kept = tuple(group for group in groups if fnmatchcase(group.name, pattern))
    if not kept:
        raise UnknownName(per, pattern, tuple(group.name for group in groups))
    return kept


def _check_layers(
    base: NetworkSpace, groups: Sequence[LayerGroup], pattern: str, before: Sequence[NetworkGene]
) -> None:
    """Raise `BadInput` where neither the baseline nor a network that differs from it in one choice has the layers.

    Genes that come before may add layers: exits are looked for with all of them built.
    """
    names: dict[str, None] = {}
    for values in chain([base.baseline()], base.space.neighbours(base.baseline())):
        try:
            network = _with_exits(base.build(values), before)
        except BadInput:  # a point without a network
            continue
        if any(group.contractions(network) for group in groups):
            return
        names |= dict.fromkeys(op.name for op in network.contractions)
    close = nearest(pattern, names)
    remedy = f"did you mean '{close}'?" if close else f"layers are called {', '.join(list(names)[:4])} and so on"
    raise BadInput(f"layers: no layer is called '{pattern}'; {remedy}")


def _with_exits(network: Network, genes: Sequence[NetworkGene]) -> Network:
    """The network with every exit that it has a stage for."""
    for gene in genes:
        for choice in gene.choices if isinstance(gene, Exits) else ():
            with contextlib.suppress(BadInput):
                network = gene.apply(network, {choice.name: True})
    return network


def _check_exits(asked: Mapping[str, ExitPart]) -> None:
    silent = [name for name, one in asked.items() if one.loss_pct is None]
    if silent and len(silent) < len(asked):
        what = f"exits: a loss is stated for others and not for '{silent[0]}'"
        raise BadInput(f"{what}; give loss_pct for all exits, or for none")


def _exits(base: NetworkSpace, asked: Mapping[str, ExitPart]) -> tuple[Exit, ...]:
    """In the order of the network, whatever that of the text; behind stages where the space has them, else blocks."""
    try:
        groups = layer_groups(base, "stage")
    except BadInput:
        groups = layer_groups(base, "block")
    names = tuple(group.name for group in groups)
    for name in asked:
        if name not in names:
            raise UnknownName("stage to exit from", name, names)
    return tuple(Exit(g, asked[g.name].share, asked[g.name].loss_pct) for g in groups if g.name in asked)
