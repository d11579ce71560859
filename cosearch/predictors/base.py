"""What a predictor promises: fitted to a few labels, it gives a mean and an uncertainty for any candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput

__all__ = ["F64", "Inputs", "Predictor", "check_labels"]

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """Candidates as numbers: ``codes`` (n, c) say which options were chosen, ``statistics`` (n, s) are known for free.

    Either may have no columns.
    """

    codes: F64
    statistics: F64

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.statistics.ndim != 2 or len(self.codes) != len(self.statistics):
            shapes = f"codes {self.codes.shape} and statistics {self.statistics.shape}"
            raise BadInput(f"{shapes} must be two tables with a row for each candidate")

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, which: NDArray[np.int64]) -> Inputs:
        """Some of the candidates."""
        return Inputs(self.codes[which], self.statistics[which])

    def together(self) -> F64:
        """Both side by side, (n, c + s)."""
        return np.hstack([self.codes, self.statistics])


class Predictor(Protocol):
    """A regression with an uncertainty; deterministic."""

    def prepare(self, pool: Inputs) -> None:
        """Learn what candidates without labels tell: how numbers scale, how choices and statistics go together."""

    def fit(self, inputs: Inputs, labels: F64) -> None:
        """Learn the labels (n,); `BadInput` for fewer than two, or numbers that are not finite."""

    def predict(self, inputs: Inputs) -> tuple[F64, F64]:
        """Mean and standard deviation (n,) each of a label not seen yet, its own noise included where it is known."""


def check_labels(inputs: Inputs, labels: F64) -> None:
    """`BadInput` where there is nothing to learn from."""
    if len(inputs) != len(labels):
        raise BadInput(f"{len(labels)} labels are given for {len(inputs)} candidates")
    if len(labels) < 2:
        raise BadInput(f"a predictor cannot learn from {len(labels)} labels; give at least two")
    if not (np.isfinite(labels).all() and np.isfinite(inputs.statistics).all()):
        raise BadInput("labels and statistics must be finite; leave candidates without a result out")
