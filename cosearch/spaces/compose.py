"""Finds the space of networks that YAML describes, and composes it of a base, restrictions, conditions and genes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...document import load_document, validate
from ...errors import BadInput, UnknownName, suggestion
from .composed_space import ComposedSpace, TrainableSpace
from .gene_parts import gene_choices, genes_of
from .genes import NetworkGene
from .network_part import NetworkPart, SpaceFile, is_elsewhere
from .network_space import NetworkSpace, Trainable
from .networks import NETWORK_SPACES
from .own_space import own_space
from .patch_choices import patch_space
from .paths import with_absolute_network
from .space import Choice, Space, Value

__all__ = ["choices_of", "networks_of", "option_fields", "space_files"]

_NOT_OPTIONS = ("name", "source", "published")


def networks_of(part: NetworkPart) -> NetworkSpace:
    """The space of networks that YAML describes; the same object for the same text, in files too.

    ``only`` and ``patch`` leave it as it is: they are for `choices_of`. Raises `UnknownName`, `BadInput` or `SpecError`
    where something named is not there or fits nothing.
    """
    return _networks(part.model_copy(update={"only": {}, "patch": []}).model_dump_json(), _base(part.space))  # type: ignore[arg-type]  # every space can be hashed


def choices_of(part: NetworkPart) -> Space:
    """The choices that are left of these networks: ``only`` and ``patch`` applied; raises as `networks_of`."""
    networks = networks_of(part)
    kept: dict[str, list[Value]] = {}
    for pattern, options in part.only.items():
        matching = _matching(networks.space, pattern)
        if not options:
            raise BadInput(f"only: '{pattern}' keeps no option; name one or more, or leave it out")
        for option in options:
            if not any(_offers(choice, option) for choice in matching):
                matching[0].index(option)
        for choice in matching:
            before = kept.get(choice.name, choice.options)
            kept[choice.name] = [option for option in options if _offers(choice, option) and option in before]
            if not kept[choice.name]:
                offered = ", ".join(map(str, before))
                raise BadInput(f"only: '{pattern}' leaves no option of {choice.name}; it offers {offered}")
    return patch_space(networks.space.restrict(kept), part.patch, networks)


@lru_cache(maxsize=64)
def _networks(text: str, named: NetworkSpace) -> NetworkSpace:
    """``named`` is the space that the text names: what stands in a file may be another one the next time."""
    part = NetworkPart.model_validate_json(text)
    base = _with_options(named, part.options)
    genes = genes_of(base, part)
    space = base.space
    for gene in genes:
        space = Space(space.choices + gene_choices(gene, space))
    conditions: dict[str, dict[str, list[Value]]] = {}
    for pattern, when in part.when.items():
        for choice in _matching(space, pattern):
            conditions.setdefault(choice.name, {}).update(when)
    if not genes and not conditions:
        return base
    return _composed(base.name, base, space.conditioned(conditions), genes)


def _composed(name: str, base: NetworkSpace, space: Space, genes: tuple[NetworkGene, ...]) -> ComposedSpace:
    if isinstance(base, ComposedSpace):
        genes, base = (*base.genes, *genes), base.base
    kind = TrainableSpace if isinstance(base, Trainable) else ComposedSpace
    return kind(name, base, space, genes)


def _base(name: str) -> NetworkSpace:
    if name in NETWORK_SPACES:
        return NETWORK_SPACES[name]
    if not is_elsewhere(name):
        raise UnknownName("network space", name, tuple(NETWORK_SPACES))
    return _from_file(Path(name), ()) if _is_file(name) else own_space(name)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _read(path: Path) -> SpaceFile:
    """The file of a space; what it names is relative to it."""
    document, folder = load_document(path), path.resolve().parent
    part = validate(SpaceFile, dataclasses.replace(document, data=with_absolute_network(document.data, folder)))
    return part.model_copy(update={"space": str(folder / part.space)}) if _is_file(part.space) else part


def space_files(name: str) -> dict[str, SpaceFile]:
    """The files of a space by their paths: its own and those it builds on; none where it is in no file."""
    files: dict[str, SpaceFile] = {}
    while _is_file(name) and name not in files:
        files[name] = _read(Path(name))
        name = files[name].space
    return files


def _from_file(path: Path, above: tuple[Path, ...]) -> NetworkSpace:
    """The space of a file; what it builds on may be a file beside it."""
    here = path.resolve()
    if here in above:
        raise BadInput(f"{path}: space: spaces build on each other in a circle; name another space")
    part = _read(path)
    if _is_file(part.space):
        _from_file(Path(part.space), (*above, here))
    inner = NetworkPart.model_validate(part.model_dump(exclude={"name", "description"}))
    try:
        return _named(part.name, networks_of(inner), inner.model_dump_json())  # type: ignore[arg-type]  # every space can be hashed
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


@lru_cache(maxsize=64)
def _named(name: str, networks: NetworkSpace, text: str) -> NetworkSpace:
    return _composed(name, networks, choices_of(NetworkPart.model_validate_json(text)), ())


def option_fields(networks: NetworkSpace) -> dict[str, Any]:
    """The fields of a space that ``options`` may set, with their present values."""
    if not dataclasses.is_dataclass(networks) or isinstance(networks, ComposedSpace):
        return {}
    return {f.name: getattr(networks, f.name) for f in dataclasses.fields(networks) if f.name not in _NOT_OPTIONS}


def _with_options(base: NetworkSpace, options: Mapping[str, Value | list[Value]]) -> NetworkSpace:
    """A built-in space with some of its fields set."""
    if not options:
        return base
    fields = option_fields(base)
    for name, value in options.items():
        if name not in fields:
            remedy = suggestion(name, fields, "it has")
            raise BadInput(f"options: {base.name} has no option '{name}'; {remedy}")
        present = fields[name]
        if isinstance(value, list) != isinstance(present, tuple):
            wanted = f"a list such as {list(present)}" if isinstance(present, tuple) else f"one value such as {present}"
            raise BadInput(f"options: {name} of {base.name} is {value}; write {wanted}")
        for one, known in _beside(value, present):
            if isinstance(one, str) != isinstance(known, str) or isinstance(one, bool):
                raise BadInput(f"options: {name} of {base.name} holds {one!r}; write values such as {known!r}")
    changed = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    replaced: NetworkSpace = dataclasses.replace(base, **changed)  # type: ignore[type-var]
    for name, value in options.items():  # what the space itself does not mind
        for one, known in _beside(value, fields[name]):
            if isinstance(known, int) and not (isinstance(one, int) and one > 0):
                raise BadInput(f"options: {name} of {base.name} holds {one!r}; write whole numbers above zero")
    return replaced


def _beside(value: Value | list[Value], present: object) -> list[tuple[Value, object]]:
    """Each value that is given, with an example of what may be."""
    example = present[0] if isinstance(present, tuple) else present
    return [(one, example) for one in (value if isinstance(value, list) else [value])]


def _matching(space: Space, pattern: str) -> list[Choice]:
    found = [choice for choice in space.choices if fnmatchcase(choice.name, pattern)]
    if not found:
        raise UnknownName("choice", pattern, space.names)
    return found


def _offers(choice: Choice, option: Value) -> bool:
    try:
        choice.index(option)
    except BadInput:
        return False
    return True
