"""A space of networks with other choices than its own: fewer, under conditions, or more by genes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import BadInput
from ...models.network import Network
from .exits import Exits
from .genes import NetworkGene
from .layer_groups import LayerGroup, Per, layer_groups
from .network_space import NetworkSpace, Trainable, network_values
from .space import Space, Value

if TYPE_CHECKING:
    import torch

__all__ = ["ComposedSpace", "TrainableSpace", "parts_of"]


@dataclass(frozen=True, eq=False)
class ComposedSpace:
    """Networks of ``base`` changed by ``genes``; ``space`` holds those of both's choices that are left.

    A choice of ``base`` that a point lacks has the option of the baseline, a gene without one changes nothing.
    """

    name: str
    base: NetworkSpace
    space: Space
    genes: tuple[NetworkGene, ...] = ()

    @property
    def unstated(self) -> tuple[str, ...]:
        """What of the genes nobody has said the cost in accuracy of."""
        return tuple(sorted(name for gene in self.genes for name in gene.unstated))

    @cached_property
    def asked(self) -> NetworkSpace:
        """These networks as a source of accuracies is asked about them: without the genes whose losses are stated."""
        left = tuple(gene for gene in self.genes if gene.unstated)
        if len(left) == len(self.genes):
            return self
        if not left:
            return self.base
        names = {*self.base.space.names, *(choice.name for gene in left for choice in gene.choices)}
        return replace(self, space=self.space.among(names), genes=left)

    def asked_values(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The point of ``asked`` that a point means."""
        own = network_values(values)
        known = {name: own[name] for name in own if name in self.asked.space.names}
        if self.asked is self:
            return own
        return self.asked.space.complete({**self.asked.baseline(), **known})

    def asked_key(self, values: Mapping[str, Value]) -> str:
        """The name of a point's network to a source of accuracies."""
        return self.asked.key(self.asked_values(values))

    def base_values(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The point of the base space that a point means."""
        own = network_values(values)
        wanted = {**self.base.baseline(), **{name: own[name] for name in own if name in self.base.space.names}}
        return self.base.space.complete(wanted)

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        network = self.base.build(self.base_values(own))
        for gene in self.genes:
            network = gene.apply(network, own)
        return network

    def baseline(self) -> dict[str, Value]:
        """The base's baseline with genes that change nothing, or the nearest that is left of it."""
        wanted = dict(self.base.baseline())
        for gene in self.genes:
            wanted |= gene.baseline()
        kept = {c.name: wanted[c.name] for c in self.space.choices if wanted.get(c.name) in c.options}
        return self.space.complete(kept)

    def key(self, values: Mapping[str, Value]) -> str:
        """The base's key and the genes' options, where there are any."""
        own = self.space.validate(network_values(values))
        mine = [choice.name for gene in self.genes for choice in gene.choices if choice.name in own]
        return ",".join((self.base.key(self.base_values(own)), *(f"{name}={own[name]}" for name in mine)))

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """Points of accuracy that the genes are said to cost."""
        return sum(gene.loss_pct(network, values) for gene in self.genes if not gene.unstated)

    def parts(self, network: Network, values: Mapping[str, Value]) -> tuple[tuple[float, Network], ...]:
        """What inputs run through, with the share that does: one network without early exits."""
        exits = [gene for gene in self.genes if isinstance(gene, Exits)]
        return exits[0].parts(network, values) if exits else ((1.0, network),)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Other names of choices."""
        own: Mapping[str, str] = getattr(self.base, "addresses", {})
        return own

    @property
    def spellings(self) -> Mapping[str, Value]:
        """Other names of options."""
        own: Mapping[str, Value] = getattr(self.base, "spellings", {})
        return own

    def layers_by(self, per: Per) -> tuple[LayerGroup, ...]:
        """The base's groups of layers."""
        return layer_groups(self.base, per)


def parts_of(
    networks: NetworkSpace, network: Network, values: Mapping[str, Value]
) -> tuple[tuple[float, Network], ...]:
    """What inputs of a space's network run through, with the share that does: all of it but for early exits."""
    return networks.parts(network, values) if isinstance(networks, ComposedSpace) else ((1.0, network),)


class TrainableSpace(ComposedSpace):
    """A composed space whose base can be trained; what is trained is the base's module, without the genes."""

    def module(self, values: Mapping[str, Value], shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        """The point as an untrained module for images (channels, height, width); `BadInput` for a wrong value."""
        if not isinstance(self.base, Trainable):
            raise BadInput(f"{self.base.name}: its networks cannot be trained; take another space")
        return self.base.module(self.base_values(values), shape, classes)
