"""Patches of accelerators: ``pes?x=8&y=8``, ``local_memory?size=1 MB``, ``clock=1 GHz``."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from ...accel.accelerator import Accelerator
from ...accel.spec import accelerator_from_document, accelerator_to_yaml
from ...accel.spec_check import unused_parameters
from ...accel.spec_models import LEVEL_MODELS
from ...document import Document, parse_document
from ...errors import BadInput, SpecError, suggestion
from .patches import Patch, PatchValue, matches, parse_patch

__all__ = ["patch_accelerator"]


def patch_accelerator(accelerator: Accelerator, patches: Iterable[str | Patch]) -> Accelerator:
    """The accelerator whose spec has these patches.

    The path names levels (``*`` matches several), a mapping in one (``local_memory.word?output=24 bit``), or is empty
    for the spec's own keys and its parameters. An axis of an array's shape needs no path of its own: ``pes?x=8``.
    Where a level's field is a parameter, the parameter is set; where it is a formula of parameters, the value takes its
    place, and a parameter that nothing else uses goes. A parameter that is set is fixed, at any value of its unit; a
    list makes new choices of it. Numbers are in the unit of the parameter's default.

    Raises `BadInput` for an unknown place and an accelerator without a spec, `SpecError` for a spec that is wrong then.
    """
    data = parse_document(accelerator_to_yaml(accelerator), accelerator.name).data
    units = {parameter.name: parameter.unit for parameter in accelerator.parameters}
    applied = [parse_patch(patch) if isinstance(patch, str) else patch for patch in patches]
    for patch in applied:
        data = _patched(data, units, patch, accelerator.name)
    for name in unused_parameters(data):  # the formulas that it stood in were overwritten
        del data["parameters"][name]
    try:
        return accelerator_from_document(Document(data, f"{accelerator.name} with {', '.join(map(str, applied))}"))
    except SpecError as error:
        raise SpecError(replace(problem, line=0, column=0) for problem in error.problems) from error


def _patched(data: dict[str, Any], units: dict[str, str], patch: Patch, name: str) -> dict[str, Any]:
    changed = deepcopy(data)
    for level in changed["levels"]:
        _add_mapping(level, patch.path)
    targets = _targets(changed)
    found = [target for address, target in targets.items() if matches(address, patch.path)]
    if not found:
        hint = suggestion(patch.path, targets, "it has")
        raise BadInput(f"patch '{patch}': {name} has nothing called '{patch.path}'; {hint}")
    for key, value in patch.changes:
        for target in found:
            _set(changed, units, target, key, value)
    return changed


def _add_mapping(level: dict[str, Any], path: str) -> None:
    """A mapping that the path names, where this level may have one and its spec leaves it out."""
    key = path.rpartition(".")[2]
    info = LEVEL_MODELS[level["type"]].model_fields.get(key)
    addresses = (f"{level['name']}.{key}", f"levels.{level['name']}.{key}")
    if info is not None and isinstance(info.default, dict) and any(matches(address, path) for address in addresses):
        level.setdefault(key, {})


def _targets(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What can be addressed: the spec, its mappings, each parameter, each level and the mappings in it."""
    found: dict[str, dict[str, Any]] = {"": data}
    found |= {key: value for key, value in data.items() if isinstance(value, dict)}
    found |= {f"parameters.{key}": value for key, value in data.get("parameters", {}).items()}
    for level in data["levels"]:
        for address in (level["name"], f"levels.{level['name']}"):
            found[address] = level
            found |= {f"{address}.{key}": value for key, value in level.items() if isinstance(value, dict)}
    return found


def _set(data: dict[str, Any], units: dict[str, str], target: dict[str, Any], key: str, value: PatchValue) -> None:
    parameters = data.get("parameters", {})
    if target is data and key in parameters:
        _set_parameter(parameters, units, key, value)
        return
    if target is parameters:
        _set_parameter(parameters, units, key, value)
        return
    shape = target.get("shape")
    owner = shape if key not in target and isinstance(shape, dict) and key in shape else target
    if isinstance(owner.get(key), str) and owner[key] in parameters:
        _set_parameter(parameters, units, owner[key], value)
    else:
        owner[key] = list(value) if isinstance(value, tuple) else value


def _set_parameter(parameters: dict[str, Any], units: dict[str, str], name: str, value: PatchValue) -> None:
    """Fix the parameter at a value, or give it other choices, of which the default is its own or the first."""
    if name not in parameters:
        hint = suggestion(name, parameters, "it has")
        raise BadInput(f"no parameter named '{name}'; {hint}")
    before = parameters[name]
    kept = {"description": before["description"]} if "description" in before else {}

    def united(item: Any) -> Any:
        number = isinstance(item, int | float) and not isinstance(item, bool)
        return f"{item} {units[name]}" if number and units.get(name) else item

    if isinstance(value, tuple):
        if not value:
            raise BadInput(f"{name} = []: a parameter needs a value; write at least one")
        choices = [united(item) for item in value]
        default = before["default"] if before["default"] in choices else choices[0]
        parameters[name] = {"default": default, "choices": choices, **kept}
    else:
        parameters[name] = {"default": united(value), **kept}
