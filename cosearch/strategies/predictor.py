"""Search by prediction: what was measured says what is worth measuring next."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ..predictors.registry import PredictorName
from .base import StrategyOptions, Task
from .linas import Linas, LinasOptions

__all__ = ["PredictorOptions", "PredictorSearch"]


class PredictorOptions(StrategyOptions):
    """``start`` designs are drawn first; then ``batch`` at a time follow, and ``predictor`` is fitted again after each.

    For mode ``nested``: ``candidates`` is how many networks it is asked about where the space is too large for all,
    ``sweeps`` how many of them are swept at most for a batch.
    """

    predictor: PredictorName = "gaussian_process"
    start: int = Field(default=20, ge=2, le=10_000)
    batch: int = Field(default=10, ge=1, le=1000)
    candidates: int = Field(default=1000, ge=10, le=100_000)
    sweeps: int = Field(default=300, ge=1, le=100_000)


class PredictorSearch(Linas):
    """Measures a few designs, predicts all their metrics, and measures next what looks best: for mode ``nested``.

    In other modes it is `Linas` in small steps: costs, too, are then learnt from trials.
    """

    Options: ClassVar[type[StrategyOptions]] = PredictorOptions

    def __init__(self, task: Task, options: Any) -> None:
        flat = LinasOptions(population=max(4, options.batch), generations=20, predictor=options.predictor)
        super().__init__(task, flat, start=options.start)
