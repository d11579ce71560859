"""Patches of studies: of the study itself, or of the networks and the hardware that it searches."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ...accel.spec import load_accelerator
from ...document import Document
from ...errors import BadInput
from ..spaces.compose import choices_of, networks_of
from ..spaces.network_part import NetworkPart
from ..spaces.patch_accelerator import patch_accelerator
from ..spaces.patch_choices import patch_space, touches
from ..spaces.patches import Patch, parse_patch, patch_document
from ..spaces.paths import with_absolute_names, with_absolute_network
from .spec import NAMED_PARTS, HardwarePart, StudySpec

__all__ = ["patch_study"]

_PARTS: dict[str, type[BaseModel]] = {"network": NetworkPart, "hardware": HardwarePart}
_ALIKE = 0.8  # a key of the study and what was perhaps meant to be it; `stage` and `strategy` are less so


def patch_study(document: Document, patches: Sequence[str], folder: Path) -> Document:
    """A study's document with patches, before it is checked; paths in it are relative to ``folder``.

    A patch may address the study's own keys (``strategy?population=10``, ``seed=3``), or a choice of its networks or a
    level or parameter of its hardware, which it then fixes (``stage3.block*?op=fused``, ``pes?x=8``). Where both
    networks and hardware have what it names, ``network.`` or ``hardware.`` before the path tells which is meant.

    A patch that names another strategy or mode leaves the options of the document's out; those of patches stay.

    Raises `BadInput` for a patch that is none, fits nothing, or fits both.
    """
    parsed = [one for text in patches for one in _named(parse_patch(text))]
    data = _without_options(deepcopy(document.data), parsed)
    for patch in parsed:
        data = _patched(data, patch, folder)
    return replace(document, data=data)


def _named(patch: Patch) -> list[Patch]:
    """The patch, with ``strategy=linas`` written as ``strategy?name=linas``."""
    if patch.path or not any(name in NAMED_PARTS for name, _ in patch.changes):
        return [patch]
    return [
        Patch(name, (("name", value),)) if name in NAMED_PARTS else Patch("", ((name, value),))
        for name, value in patch.changes
    ]


def _without_options(data: dict[str, Any], patches: Sequence[Patch]) -> dict[str, Any]:
    """The study without the options of a strategy or mode that the patches replace by another."""
    for part in NAMED_PARTS:
        names = [value for patch in patches if patch.path == part for name, value in patch.changes if name == "name"]
        own = data.get(part)
        if names and isinstance(own, dict):
            before = own.get("name", StudySpec.model_fields[part].default.name)
            data = data if names[-1] == before else {**data, part: {"name": before}}
    return data


def _patched(data: dict[str, Any], patch: Patch, folder: Path) -> dict[str, Any]:
    head, _, rest = patch.path.partition(".")
    if head in _PARTS:
        known = _PARTS[head].model_fields
        own = rest.partition(".")[0] in known if rest else all(name in known for name, _ in patch.changes)
        if not own:
            return _with(data, head, replace(patch, path=rest))
    elif (head or patch.changes[0][0]) not in StudySpec.model_fields:
        return _with(data, _which(data, patch, folder), patch)
    if head in StudySpec.model_fields and not rest:
        part = data.get(head) or {}  # a part that the text leaves out
        data = {**data, head: {"name": part} if head in NAMED_PARTS and isinstance(part, str) else part}
    return patch_document(data, patch, "the study")


def _with(data: dict[str, Any], part: str, patch: Patch) -> dict[str, Any]:
    """The study with one patch more for its networks or its hardware."""
    below = data.get(part)
    if not isinstance(below, dict):
        raise BadInput(f"patch '{patch}': the study has no '{part}:' to change")
    listed = below.get("patch")
    return {**data, part: {**below, "patch": [*(listed if isinstance(listed, list) else []), str(patch)]}}


def _which(data: dict[str, Any], patch: Patch, folder: Path) -> str:
    """Whether networks or hardware have what the patch names."""
    reasons: dict[str, str] = {}
    for part, fits in (("network", _fits_networks), ("hardware", _fits_hardware)):
        try:
            fits(data, patch, folder)
        except (BadInput, ValidationError, KeyError, TypeError) as error:
            reasons[part] = str(error).split("\n")[0]
    if len(reasons) == 1:
        return next(part for part in _PARTS if part not in reasons)
    if not reasons:
        raise BadInput(f"patch '{patch}': networks and hardware both have it; write 'network.{patch}' or 'hardware.…'")
    head = patch.addresses()[0][0].partition(".")[0]
    if head in StudySpec.model_fields:
        raise BadInput(f"patch '{patch}': a path before several changes ends with '?'; write {head}?name=value&…")
    key = difflib.get_close_matches(head, StudySpec.model_fields, n=1, cutoff=_ALIKE)
    if key and not _may_touch_networks(data, patch, folder):
        missing = f"patch '{patch}': neither the study nor its networks or hardware have '{head}'"
        raise BadInput(f"{missing}; did you mean '{key[0]}'?")
    told = dict.fromkeys(reasons.values())
    near = [reason for reason in told if "did you mean" in reason]
    raise BadInput("; ".join(near or told))


def _fits_networks(data: dict[str, Any], patch: Patch, folder: Path) -> None:
    own = {key: value for key, value in data["network"].items() if key != "patch"}  # a later patch wins
    networks = NetworkPart.model_validate(with_absolute_network(own, folder))
    patch_space(choices_of(networks), [patch], networks_of(networks))


def _may_touch_networks(data: dict[str, Any], patch: Patch, folder: Path) -> bool:
    """Whether it addresses one of their choices, be it with an option that there is not, or that cannot be known."""
    try:
        networks = NetworkPart.model_validate(with_absolute_network(data["network"], folder))
        return touches(patch, choices_of(networks), networks_of(networks))
    except (BadInput, ValidationError, KeyError, TypeError):
        return True


def _fits_hardware(data: dict[str, Any], patch: Patch, folder: Path) -> None:
    hardware = with_absolute_names(data["hardware"], [("accelerator",)], folder)
    patch_accelerator(load_accelerator(str(hardware["accelerator"])), [patch])
