"""Accuracies of networks with genes whose cost in accuracy the study states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from ...models.network import Network
from ..spaces.composed_space import ComposedSpace
from ..spaces.space import Value
from .source import Accuracy, AccuracySource, SourceOptions

__all__ = ["StatedLosses"]


class StatedLosses:
    """Asks a source about the network without its genes, and takes off what the study says these cost.

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

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The accuracy less the loss; that of the network itself where it is of no space."""
        if values is None:
            return self._source.predict(network, None)
        base = self._networks.base_values(values)
        found = self._source.predict(self._networks.base.build(base), base)
        return replace(found, top1_pct=max(0.0, found.top1_pct - self._networks.loss_pct(network, values)))

    def statement(self) -> str:
        """The source's, and that losses are stated."""
        return f"{self._source.statement()} Losses by genes of the network are those that the study states."
