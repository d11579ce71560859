"""Accuracy sources by name: the built-in ones, and entry points in the group ``dovetail.accuracy``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from ...errors import BadInput, UnknownName
from ..spaces.network_space import NetworkSpace
from ..spaces.networks import network_space
from .source import AccuracySource

__all__ = ["accuracy_class", "accuracy_names", "accuracy_source"]

_BUILT_IN: dict[str, tuple[str, str]] = {
    "published_imagenet": ("published", "PublishedImagenet"),
    "function": ("function", "AccuracyFunction"),
    "supernet": ("supernet.source", "Supernet"),
    "table": ("table", "AccuracyTable"),
    "training_free": ("training_free.source", "TrainingFree"),
    "trained": ("trained.source", "Trained"),
}


def _plugged_in() -> Iterable[tuple[str, Any]]:
    return ((point.name, point) for point in entry_points(group="dovetail.accuracy"))


def accuracy_names() -> tuple[str, ...]:
    """Names a study may give under ``accuracy.source``."""
    return tuple(sorted({*_BUILT_IN, *(name for name, _ in _plugged_in())}))


def accuracy_class(name: str) -> type[AccuracySource]:
    """The source called ``name``; `UnknownName` where there is none, `BadInput` where a plug-in cannot be loaded."""
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        own: type[AccuracySource] = getattr(import_module(f".{module}", __package__), attribute)
        return own
    point = dict(_plugged_in()).get(name)
    if point is None:
        raise UnknownName("accuracy source", name, accuracy_names())
    try:
        loaded: type[AccuracySource] = point.load()
    except (ImportError, AttributeError) as error:
        what = f"the accuracy source '{name}' cannot be loaded ({error}); is its package installed whole?"
        raise BadInput(what) from error
    return loaded


def accuracy_source(
    name: str, space: str | NetworkSpace | None = None, options: Mapping[str, Any] | None = None
) -> AccuracySource:
    """A source for the networks of a space, or of that called so; built once per process for the same options."""
    checked = accuracy_class(name).Options.model_validate(dict(options or {}))
    return _built(name, network_space(space) if isinstance(space, str) else space, checked.model_dump_json())  # type: ignore[arg-type]  # every space can be hashed


@lru_cache(maxsize=8)
def _built(name: str, space: NetworkSpace | None, options: str) -> AccuracySource:
    source = accuracy_class(name)
    return source(space, source.Options.model_validate_json(options))
