"""Early exits: classifiers after stages, at which a share of the inputs leaves.

Teerapittayanon, McDanel, Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks", ICPR 2016,
arXiv:1709.01686. What an input costs is then a mean over where it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...errors import BadInput
from ...models.network import Layer, Network
from ...models.op import Op, VectorOp, linear
from .layer_groups import LayerGroup
from .network_space import NETWORK_PREFIX
from .space import Choice, Value

__all__ = ["Exit", "Exits"]


@dataclass(frozen=True)
class Exit:
    """A possible exit behind the last layer of ``group``.

    ``share`` of the inputs that come by leave there, if it is built, and lose ``loss_pct`` points of accuracy by it
    (None: nobody has said how many).
    """

    group: LayerGroup
    share: float
    loss_pct: float | None = None


@dataclass(frozen=True)
class Exits:
    """``net.exit.<stage>``: whether there is an exit. The shares are the study's assumptions, not a model's."""

    exits: tuple[Exit, ...]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Yes or no for each exit."""
        return tuple(Choice(_name(one), (False, True), one.group.when) for one in self.exits)

    @property
    def unstated(self) -> tuple[str, ...]:
        """The exits without a stated loss."""
        return tuple(f"exits.{one.group.name}" for one in self.exits if one.loss_pct is None)

    def baseline(self) -> dict[str, Value]:
        """No exit."""
        return {choice.name: False for choice in self.choices}

    def _built(self, values: Mapping[str, Value]) -> list[Exit]:
        return [one for one in self.exits if values.get(_name(one)) is True]

    def apply(self, network: Network, values: Mapping[str, Value]) -> Network:
        """The network with a pool and a classifier, ``exit_<stage>.…``, behind the last layer of each chosen stage.

        Raises `BadInput` where no layer of a stage is there.
        """
        last = network.contractions[-1]
        for one in self._built(values):
            places = [place for place, layer in enumerate(network.layers) if one.group.holds(layer.op.name)]
            if not places:
                raise BadInput(f"{network.name}: no layer of '{one.group.name}' to put an exit behind")
            head = _head(network, places[-1], f"exit_{one.group.name}", last)
            layers = (*network.layers[: places[-1] + 1], *head, *network.layers[places[-1] + 1 :])
            network = replace(network, layers=layers)
        return network

    def parts(self, network: Network, values: Mapping[str, Value]) -> tuple[tuple[float, Network], ...]:
        """What inputs run through, with the share that does: up to each exit, and the whole network."""
        found, left = [], 1.0
        names = [layer.op.name for layer in network.layers]
        for one in self._built(values):
            end = names.index(f"exit_{one.group.name}.classifier")
            found.append((left * one.share, replace(network, layers=network.layers[: end + 1])))
            left *= 1.0 - one.share
        return (*found, (left, network))

    def loss_pct(self, network: Network, values: Mapping[str, Value]) -> float:
        """What the inputs that leave early lose, as stated."""
        lost, left = 0.0, 1.0
        for one in self._built(values):
            lost += left * one.share * (one.loss_pct or 0.0)
            left *= 1.0 - one.share
        return lost


def _name(one: Exit) -> str:
    return f"{NETWORK_PREFIX}exit.{one.group.name}"


def _head(network: Network, place: int, name: str, last: Op) -> tuple[Layer, Layer]:
    """A global pool and a classifier like the network's own, ``last``, on the output of a layer."""
    producer = next(layer.op for layer in reversed(network.layers[: place + 1]) if isinstance(layer.op, Op))
    bound = producer.bounds
    channels, positions = bound.get("G", 1) * bound["K"], bound.get("P", 1) * bound.get("Q", 1)
    batch = last.bounds.get("N", 1)
    bits = producer.tensor("output").bits
    if "P" not in bound:  # a transformer classifies by one token
        positions = 1
    words = batch * channels * positions
    pool = VectorOp(f"{name}.pool", "average_pool", words, words, batch * channels, bits)
    classes = last.bounds["K"]
    classifier = linear(f"{name}.classifier", n=batch, k=classes, c=channels, bits=last.tensor("input").bits, bias=True)
    source = network.layers[place].op.name
    return Layer(pool, (source,)), Layer(classifier, (pool.name,))
