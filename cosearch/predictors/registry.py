"""Predictors by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ...document import field_errors
from ...errors import UnknownName
from .base import Predictor
from .forest import Forest
from .gaussian_process import GaussianProcess
from .pretrained_mlp import PretrainedMlp
from .ridge import Ridge

__all__ = ["PredictorName", "make_predictor", "predictor_names"]


def predictor_names() -> tuple[str, ...]:
    """Names that strategies' option ``predictor`` takes."""
    return ("forest", "gaussian_process", "mlp", "mlp_pretrained", "ridge")


def _known(name: str) -> str:
    with field_errors():
        if name not in predictor_names():
            raise UnknownName("predictor", name, predictor_names())
    return name


PredictorName = Annotated[str, AfterValidator(_known)]
"""An option that names a predictor."""


def make_predictor(name: str, seed: int = 0) -> Predictor:
    """A new predictor; ``seed`` matters to those that draw. Raises `UnknownName` where there is none of that name."""
    if name == "gaussian_process":
        return GaussianProcess()
    if name == "ridge":
        return Ridge()
    if name == "forest":
        return Forest(seed)
    if name in ("mlp", "mlp_pretrained"):
        return PretrainedMlp(seed, pretrain=name == "mlp_pretrained")
    raise UnknownName("predictor", name, predictor_names())
