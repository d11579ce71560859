"""Where a candidate's accuracy comes from: what every source promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from ...models.network import Network
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Value

__all__ = ["Accuracy", "AccuracySource", "Answer", "Refusal", "SourceOptions"]


class SourceOptions(BaseModel):
    """Base of a source's options as a study writes them under ``accuracy:``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def files(self) -> tuple[Path, ...]:
        """Files that answers are read from: where one of them is another than before, a source is built anew."""
        return ()


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy and its standard deviation, both in percentage points, and what it took to find out.

    ``macs`` counts the multiply-accumulates of training and inference that this answer cost; 0 for a look-up.
    ``lost_pct`` are the points of it that a study states its genes to cost, taken off ``top1_pct`` already; None where
    it states nothing.
    """

    top1_pct: float
    sigma_pct: float
    macs: float = 0.0
    lost_pct: float | None = None

    @property
    def top1_error(self) -> float:
        """Top-1 error in percent."""
        return 100.0 - self.top1_pct

    def less(self, lost_pct: float) -> Accuracy:
        """With so many points stated as lost, whatever was before; it does not fall below zero by them."""
        found = self.top1_pct + (self.lost_pct or 0.0)
        lost = min(lost_pct, found)
        return replace(self, top1_pct=found - lost, lost_pct=lost)


@dataclass(frozen=True)
class Refusal:
    """That a source has no accuracy for a network, and why: what was asked once need not be asked again."""

    reason: str


Answer = Accuracy | Refusal
"""What a source says of a network."""


class AccuracySource(Protocol):
    """Gives a network's accuracy; equal networks get equal answers, in any process."""

    Options: ClassVar[type[SourceOptions]]

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        """``space`` is the one that candidates come from, ``options`` an instance of ``Options``."""

    @property
    def expensive(self) -> bool:
        """Whether an answer costs more than mapping the network: then costs are judged first."""

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The accuracy of a network; ``values`` are the choices it was built from, None for one of no space.

        Raises `BadInput` where the source cannot know it.
        """

    def statement(self) -> str:
        """How accuracy is known and how far it can be trusted, in a sentence or two for a study's report."""
