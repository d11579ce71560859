"""Reads a study from YAML and checks that everything it names is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ...accel.spec import load_accelerator
from ...document import Document, YamlPath, load_document, problems_of, shipped
from ...errors import BadInput, Problem, SpecError, UnknownName
from ..accuracy.registry import accuracy_class, accuracy_names
from ..spaces.hardware import hardware_space
from ..strategies.registry import strategy_class, strategy_names
from .evaluator import network_choices
from .spec import Budget, StudySpec

__all__ = ["check_shape", "load_study", "read_study", "study_text"]


def load_study(study: str | Path, *, trials: int | None = None, seed: int | None = None) -> StudySpec:
    """A shipped study's name or a path; ``trials`` and ``seed`` replace the study's.

    Raises `SpecError` with every problem at its file:line:column, `BadInput` for a missing file, `UnknownName`.
    """
    path = _find(study)
    spec = read_study(load_document(path), path.parent)
    for name, value, least in (("trials", trials, 1), ("seed", seed, 0)):
        if value is not None and value < least:
            raise BadInput(f"{name} = {value}: must be at least {least}")
    if trials is not None:
        spec = spec.model_copy(update={"budget": Budget(trials=trials)})
    return spec if seed is None else spec.model_copy(update={"seed": seed})


def _find(study: str | Path) -> Path:
    known = shipped("studies")
    if str(study) in known:
        return known[str(study)]
    path = Path(study)
    if path.suffix.lower() in (".yaml", ".yml") or path.exists() or len(path.parts) > 1:
        return path
    raise UnknownName("study", str(study), tuple(known))


def read_study(document: Document, folder: Path | None = None) -> StudySpec:
    """Check a document; paths of accelerators and networks in it are relative to ``folder``."""
    spec = check_shape(document)
    spec = _with_absolute_paths(spec, folder) if folder else spec
    problems = _reference_problems(spec, document)
    if problems:
        raise SpecError(problems)
    return spec


def check_shape(document: Document) -> StudySpec:
    """Check a document by itself, without looking for what it names. Raises `SpecError`."""
    spec, problems = problems_of(StudySpec, document)
    problems += _option_problems(document)
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def _option_problems(document: Document) -> list[Problem]:
    """The strategy's and the accuracy source's own options, checked even where something else is wrong too."""
    found = []
    for part, key, default, names, find in (
        ("strategy", "name", "nsga2", strategy_names, strategy_class),
        ("accuracy", "source", "published_imagenet", accuracy_names, accuracy_class),
    ):
        data = document.data.get(part)
        if not isinstance(data, dict) or data.get(key, default) not in names():
            continue
        places = {path[1:]: place for path, place in document.places.items() if path[:1] == (part,)}
        options = {name: value for name, value in data.items() if name != key}
        _, problems = problems_of(find(data.get(key, default)).Options, Document(options, document.source, places))
        found += [replace(problem, path=f"{part}.{problem.path}") for problem in problems]
    return found


def _with_absolute_paths(spec: StudySpec, folder: Path) -> StudySpec:
    """The study as it can be read from anywhere: paths of files beside it made absolute."""

    def absolute(name: str) -> str:
        return str((folder / name).resolve()) if (folder / name).is_file() else name

    update: dict[str, Any] = {
        "hardware": spec.hardware.model_copy(update={"accelerator": absolute(spec.hardware.accelerator)})
    }
    if spec.baseline:
        names = {"network": absolute(spec.baseline.network), "accelerator": absolute(spec.baseline.accelerator)}
        update["baseline"] = spec.baseline.model_copy(update=names)
    return spec.model_copy(update=update)


def _reference_problems(spec: StudySpec, document: Document) -> list[Problem]:
    """Names that only what they refer to can judge: accelerators, their parameters, networks, mappers, choices."""
    problems = []
    for path, check in references(spec):
        try:
            check()
        except SpecError:
            raise  # another file, which says itself what is wrong with it
        except BadInput as error:
            what, _, remedy = str(error).partition("; ")
            problems.append(document.problem(path, what, remedy))
    return problems


def study_text(spec: StudySpec) -> str:
    """The study as YAML that `load_study` reads back."""
    data = spec.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def references(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """Where a study names something, and a check that raises `BadInput` unless it is there."""
    from ...mapper.registry import mapper_class
    from ...models.load import load_network

    hardware, baseline = spec.hardware, spec.baseline
    yield ("network", "only"), lambda: network_choices(spec)
    try:
        accelerator = load_accelerator(hardware.accelerator)
    except UnknownName as error:
        yield ("hardware", "accelerator"), _raise(error)
    else:
        names = tuple(parameter.name for parameter in accelerator.parameters)
        for index, name in enumerate(hardware.search or ()):
            yield ("hardware", "search", index), partial(_among, f"parameter of {accelerator.name}", name, names)
        if all(name in names for name in hardware.search or ()):
            yield ("hardware", "points"), lambda: hardware_space(accelerator, hardware.search, hardware.points)
    yield ("mapper", "name"), lambda: mapper_class(spec.mapper.name)
    for index, name in enumerate(spec.report.transfer):
        yield ("report", "transfer", index), partial(load_network, name)
    if baseline:
        yield ("baseline", "network"), lambda: load_network(baseline.network)
        yield ("baseline", "accelerator"), lambda: load_accelerator(baseline.accelerator)


def _raise(error: BadInput) -> Callable[[], object]:
    def check() -> object:
        raise error

    return check


def _among(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise UnknownName(kind, name, names)
