"""Names of files in YAML: they are relative to the file that names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .genes import RECIPE_PREFIX

__all__ = ["with_absolute_names", "with_absolute_network"]

_EACH = "*"
_RECIPE = f"{RECIPE_PREFIX}name"
_NETWORK = (("space",), ("recipe", "name", _EACH), ("when", _EACH, _RECIPE, _EACH))

_Rename = Callable[[str], str]


def with_absolute_names(data: Any, places: Iterable[tuple[str, ...]], folder: Path) -> Any:
    """Plain data with the names at ``places`` made absolute; "*" in a place is every item of a list or a mapping.

    A name that is no file of ``folder`` stays as it is, and so does data of another shape.
    """
    for place in places:
        data = _renamed(data, place, _absolute(folder))
    return data


def with_absolute_network(data: Any, folder: Path) -> Any:
    """The same for the keys of a study's ``network``, or those of a space's file.

    Recipes are options of a choice: they are named again where these are restricted, and where losses are stated.
    """
    if not isinstance(data, Mapping):
        return data
    rename = _absolute(folder)
    only, recipe = data.get("only"), data.get("recipe")
    restricted = [key for key in only if fnmatchcase(_RECIPE, str(key))] if isinstance(only, Mapping) else []
    data = with_absolute_names(data, (*_NETWORK, *(("only", key, _EACH) for key in restricted)), folder)
    if isinstance(recipe, Mapping) and isinstance(recipe.get("loss_pct"), Mapping):
        losses = {rename(str(name)): loss for name, loss in recipe["loss_pct"].items()}
        data = {**data, "recipe": {**data["recipe"], "loss_pct": losses}}
    return data


def _absolute(folder: Path) -> _Rename:
    def rename(name: str) -> str:
        try:
            return str((folder / name).resolve()) if (folder / name).is_file() else name
        except (OSError, ValueError):  # no text that could be a path
            return name

    return rename


def _renamed(data: Any, place: tuple[str, ...], rename: _Rename) -> Any:
    if not place:
        return rename(data) if isinstance(data, str) else data
    step, rest = place[0], place[1:]
    if isinstance(data, Mapping):
        return {key: _renamed(one, rest, rename) if step in (key, _EACH) else one for key, one in data.items()}
    if isinstance(data, list) and step == _EACH:
        return [_renamed(one, rest, rename) for one in data]
    return data
