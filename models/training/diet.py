"""Training on the part of the data that matters."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import BadInput

__all__ = ["DataDiet"]


@dataclass(frozen=True)
class DataDiet:
    """The share ``kept`` of the samples, chosen by scores that cost something too.

    EL2N (Paul et al., "Deep Learning on a Data Diet", NeurIPS 2021, arXiv:2107.07075) takes ``scoring_runs`` short
    trainings of ``scoring_epochs`` epochs on all samples, and one forward pass over all of them for each. Raises
    `BadInput` for a share outside (0, 1] and negative counts.
    """

    kept: float
    scoring_epochs: float = 0.0
    scoring_runs: int = 1

    def __post_init__(self) -> None:
        if not 0.0 < self.kept <= 1.0:
            raise BadInput(f"kept is {self.kept}; it is the share of the samples trained on, above 0 and at most 1")
        if self.scoring_epochs < 0 or self.scoring_runs < 0:
            raise BadInput("scoring_epochs and scoring_runs must not be negative")

    def trained(self, samples: int, epochs: float) -> float:
        """Samples that go through a training step in all."""
        return samples * (self.kept * epochs + self.scoring_epochs * self.scoring_runs)

    def scored(self, samples: int) -> int:
        """Samples that go through a forward pass alone, for their scores."""
        return samples * self.scoring_runs if self.scoring_epochs else 0
