"""When to leave off training: what is still open is not worth the epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .ensemble import LEAST_POINTS, forecast

__all__ = ["Stopping", "unlikely_to_beat"]


_AFTER = 6


def unlikely_to_beat(
    curve: Sequence[float], epochs: int, best_pct: float, probability: float = 0.02, *, after: int = _AFTER
) -> bool:
    """Whether a run of ``epochs`` that has come as far as ``curve`` ends above ``best_pct`` with less probability.

    Never before epoch ``after``. The rule of Domhan, Springenberg & Hutter, IJCAI 2015.
    """
    if not max(after, LEAST_POINTS) <= len(curve) < epochs:
        return False
    return forecast(curve, epochs).above(best_pct) < probability


class Stopping(BaseModel):
    """Training ends before the last epoch once its outcome no longer matters or is known well enough.

    ``aim_pct``: an accuracy worth having; a run ends where it will reach that with less than ``probability``.
    ``settled_pct``: a run ends where its last accuracy is foreseen to within so many points (one standard deviation).
    Never before epoch ``after``. Nothing else trained so far takes part, so that a network's answer does not depend on
    when it is asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    aim_pct: float | None = Field(default=None, gt=0.0, le=100.0)
    probability: float = Field(default=0.02, gt=0.0, lt=0.5)
    settled_pct: float | None = Field(default=None, gt=0.0)
    after: int = Field(default=_AFTER, ge=LEAST_POINTS)

    @model_validator(mode="after")
    def _has_a_reason(self) -> Stopping:
        if self.aim_pct is None and self.settled_pct is None:
            raise ValueError("it gives no reason to stop; add 'aim_pct: 95', or 'settled_pct: 0.5'")
        return self

    def rule(self, epochs: int) -> Callable[[Sequence[float]], bool]:
        """For a run of so many epochs: whether it ends here."""
        return lambda curve: self.ends(curve, epochs)

    def ends(self, curve: Sequence[float], epochs: int) -> bool:
        """Whether a run of ``epochs`` ends after ``curve``."""
        if not self.after <= len(curve) < epochs:
            return False
        ahead = forecast(curve, epochs)
        hopeless = self.aim_pct is not None and ahead.above(self.aim_pct) < self.probability
        return hopeless or (self.settled_pct is not None and ahead.sigma_pct <= self.settled_pct)

    def extrapolate(self, curve: Sequence[float], epochs: int) -> tuple[float, float]:
        """The accuracy after ``epochs`` in percent and its standard deviation."""
        ahead = forecast(curve, epochs)
        return ahead.mean_pct, ahead.sigma_pct
