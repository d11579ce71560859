"""Accuracy sources by name: the built-in ones, and entry points in the group ``dovetail.accuracy``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from ...errors import BadInput, UnknownName
from ..spaces.composed_space import ComposedSpace
from ..spaces.network_space import NetworkSpace
from ..spaces.networks import network_space
from ..spaces.space import Space
from .source import AccuracySource, SourceOptions
from .stated_losses import StatedLosses

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
    name: str,
    space: str | NetworkSpace | None = None,
    options: Mapping[str, Any] | None = None,
    choices: Space | None = None,
) -> AccuracySource:
    """A source for the networks of a space, or of that called so.

    It is built once per process for the same options and the same files. Genes whose losses are stated are left out of
    what it is asked about, and taken off its answers. ``choices`` are those of the space that a study keeps, for a
    source that draws networks of its own (default: all).
    """
    kind = accuracy_class(name)
    checked = kind.Options.model_validate(dict(options or {}))
    whole = network_space(space) if isinstance(space, str) else space
    asked = whole.asked if isinstance(whole, ComposedSpace) else whole
    kept = None
    if choices is not None and asked is not None and getattr(kind, "draws", False):
        kept = choices.among(asked.space.names)
    source = _built(name, asked, checked.model_dump_json(), _digests(checked), kept)  # type: ignore[arg-type]  # every space can be hashed
    return StatedLosses(source, whole) if isinstance(whole, ComposedSpace) and asked is not whole else source


def _digests(options: SourceOptions) -> tuple[str, ...]:
    """What stands in the files that the options name; a file that is not there is complained about by the source."""
    return tuple(
        hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in options.files()
    )  # fmt: skip


@lru_cache(maxsize=8)
def _built(
    name: str, space: NetworkSpace | None, options: str, digests: tuple[str, ...], choices: Space | None
) -> AccuracySource:
    """``digests`` tell files apart that bear the same name."""
    source = accuracy_class(name)
    checked = source.Options.model_validate_json(options)
    return source(space, checked) if choices is None else source(space, checked, choices)  # type: ignore[call-arg]  # it draws
