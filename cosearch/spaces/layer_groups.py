"""Groups of a space's layers that share an option: all, by stage, by block, or each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, Protocol, get_args, runtime_checkable

from ...errors import BadInput
from ...models.network import Network
from ...models.op import Op
from .network_space import NetworkSpace
from .space import Value

__all__ = ["Grouped", "LayerGroup", "Per", "layer_groups"]

Per = Literal["network", "stage", "block", "layer"]


@dataclass(frozen=True)
class LayerGroup:
    """Layers by patterns of their names; ``when`` says at which points of the space the network has any of them."""

    name: str
    patterns: tuple[str, ...]
    when: Mapping[str, Sequence[Value]] = field(default_factory=dict, hash=False)

    def holds(self, layer: str) -> bool:
        """Whether a layer of this name belongs to the group."""
        return any(fnmatchcase(layer, pattern) for pattern in self.patterns)

    def contractions(self, network: Network) -> tuple[Op, ...]:
        """The group's layers with stored weights."""
        return tuple(op for op in network.contractions if self.holds(op.name) and op.tensor("weight").is_parameter)


@runtime_checkable
class Grouped(Protocol):
    """A space of networks that knows its stages, blocks and layers, whatever the point."""

    def layers_by(self, per: Per) -> tuple[LayerGroup, ...]:
        """The groups of one kind, in the order of the network."""


def layer_groups(networks: NetworkSpace, per: Per) -> tuple[LayerGroup, ...]:
    """The groups of a space; one that is not `Grouped` is read off its baseline, whose blocks are names up to a point.

    Raises `BadInput` for stages of a space that names none.
    """
    if per not in get_args(Per):
        raise BadInput(f"layers are grouped per {', '.join(get_args(Per))}, not per '{per}'")
    if per == "network":
        return (LayerGroup("", ("*",)),)
    if isinstance(networks, Grouped):
        return networks.layers_by(per)
    if per == "stage":
        raise BadInput(f"{networks.name} names no stages; group its layers per block, layer or network")
    network = networks.build(networks.baseline())
    names = [op.name for op in network.contractions if op.tensor("weight").is_parameter]
    if per == "layer":
        return tuple(LayerGroup(name, (name,)) for name in names)
    blocks = dict.fromkeys(name.rpartition(".")[0] or name for name in names)
    return tuple(LayerGroup(block, (block, f"{block}.*")) for block in blocks)
