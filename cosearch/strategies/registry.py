"""Strategies by name: the built-in ones, and entry points in the group ``dovetail.strategies``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from ...errors import BadInput, UnknownName
from .base import Strategy

__all__ = ["strategy_class", "strategy_names"]

_BUILT_IN: dict[str, tuple[str, str]] = {
    "differentiable": ("differentiable", "Differentiable"),
    "evolution": ("evolution", "RegularizedEvolution"),
    "gp": ("gp", "GaussianProcess"),
    "linas": ("linas", "Linas"),
    "nsga2": ("nsga2", "NSGA2"),
    "ppo": ("ppo", "ProximalPolicy"),
    "predictor": ("predictor", "PredictorSearch"),
    "random": ("random_search", "RandomSearch"),
    "tpe": ("tpe", "ParzenEstimators"),
}


def _plugged_in() -> Iterable[tuple[str, Any]]:
    return ((point.name, point) for point in entry_points(group="dovetail.strategies"))


def strategy_names() -> tuple[str, ...]:
    """Names a study may give under ``strategy:``."""
    return tuple(sorted({*_BUILT_IN, *(name for name, _ in _plugged_in())}))


def strategy_class(name: str) -> type[Strategy]:
    """The strategy called ``name``; `UnknownName` where there is none, `BadInput` where a plug-in cannot be loaded."""
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        own: type[Strategy] = getattr(import_module(f".{module}", __package__), attribute)
        return own
    point = dict(_plugged_in()).get(name)
    if point is None:
        raise UnknownName("strategy", name, strategy_names())
    try:
        loaded: type[Strategy] = point.load()
    except (ImportError, AttributeError) as error:
        raise BadInput(f"the strategy '{name}' cannot be loaded ({error}); is its package installed whole?") from error
    return loaded
