"""Accuracies of networks with genes whose cost in accuracy the study states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...models.network import Network
from ..spaces.composed_space import ComposedSpace
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Value
from .source import Accuracy, AccuracySource, SourceOptions

__all__ = ["StatedLosses", "less_stated"]


def less_stated(
    found: Accuracy, space: NetworkSpace | None, network: Network, values: Mapping[str, Value]
) -> Accuracy:
    """What a source said of a network as it is `asked`, less what the genes of this point are stated to lose."""
    if not isinstance(space, ComposedSpace) or space.asked is space:
        return found
    return found.less(space.loss_pct(network, values))


class StatedLosses:
    """Asks a source about networks without the genes whose losses the study states, and takes these off.

    The loss is an assumption, and adds nothing to the uncertainty.
    """

    Options: ClassVar[type[SourceOptions]] = SourceOptions

    def __init__(self, source: AccuracySource, networks: ComposedSpace) -> None:
        self._source, self._networks = source, networks

    @property
    def expensive(self) -> bool:
        """As the source's."""
        return self._source.expensive

    @property
    def preparation_macs(self) -> float:
        """As the source's."""
        return float(getattr(self._source, "preparation_macs", 0.0))

    @property
    def learnt(self) -> Any:
        """As the source's."""
        return getattr(self._source, "learnt", None)

    def take(self, learnt: Any) -> None:
        """As the source's, where it has learnt anything."""
        self._source.take(learnt)  # type: ignore[attr-defined]  # only for what `learnt` gave

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The accuracy less the loss; that of the network itself where it is of no space."""
        if values is None:
            return self._source.predict(network, None)
        asked = self._networks.asked_values(values)
        found = self._source.predict(self._networks.asked.build(asked), asked)
        return less_stated(found, self._networks, network, values)

    def statement(self) -> str:
        """The source's, and that losses are stated."""
        return f"{self._source.statement()} Losses by genes of the network are those that the study states."
