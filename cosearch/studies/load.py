"""Reads a study from YAML and checks that everything it names is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path

import yaml

from ...accel.accelerator import Accelerator
from ...accel.spec import load_accelerator
from ...document import Document, YamlPath, dotted, load_document, problems_of, shipped
from ...errors import BadInput, Problem, SpecError, UnknownName, check_whole
from ..accuracy.registry import accuracy_class, accuracy_names, accuracy_source
from ..spaces.compose import choices_of, networks_of
from ..spaces.composed_space import ComposedSpace
from ..spaces.dataflow import DATAFLOW, dataflow_choice
from ..spaces.exits import Exits
from ..spaces.genes import RECIPE_PREFIX, training_recipe
from ..spaces.hardware import wrong_points
from ..spaces.network_part import NetworkPart
from ..spaces.paths import with_absolute_names, with_absolute_network
from ..spaces.space import Choice
from ..spaces.video_levers import VIDEO_SPACE
from ..strategies.modes import mode_class, mode_names
from ..strategies.registry import strategy_class, strategy_names
from .evaluator import left_to_search, patched_accelerator, searched_hardware
from .patching import patch_study
from .spec import MOST_SEED, MOST_TRIALS, NAMED_PARTS, TABLES, AccuracyPart, HardwarePart, StudySpec
from .trial import LIFE_METRICS, TRACKING_LOSS, VIDEO_METRICS

__all__ = ["check_shape", "find_study", "load_study", "read_study", "study_text"]

_FILES = (
    ("hardware", "accelerator"), ("hardware", "dataflow", "*"), ("accuracy", "path"), ("accuracy", "calibrate", "path"),
    ("baseline", "network"), ("baseline", "accelerator"), ("report", "transfer", "*"),
    *(("life_cycle", key) for key in ("training", "training_hardware", "grid", "training_grid", "fab_grid")),
)  # fmt: skip
"""Where a study may name files, apart from its ``network``."""


def load_study(
    study: str | Path, *, trials: int | None = None, seed: int | None = None, patches: str | Sequence[str] = ()
) -> StudySpec:
    """A shipped study's name or a path; ``trials`` and ``seed`` replace the study's, ``patches`` change any of it.

    Raises `SpecError` with every problem at its file:line:column, `BadInput` for a missing file and for an argument
    that is none of these, `UnknownName`.
    """
    path = find_study(study)
    trials = None if trials is None else check_whole(trials, "trials", 1, MOST_TRIALS)
    seed = None if seed is None else check_whole(seed, "seed", 0, MOST_SEED)
    patches = _texts(patches)
    if trials is not None:
        patches += (f"budget?trials={trials}",)
    if seed is not None:
        patches += (f"seed={seed}",)
    return read_study(patch_study(load_document(path), patches, path.parent), path.parent)


def _texts(patches: object) -> tuple[str, ...]:
    """Patches as they may be given: one text, or several."""
    texts = (patches,) if isinstance(patches, str) else tuple(patches) if isinstance(patches, Iterable) else (patches,)
    for text in texts:
        if not isinstance(text, str):
            raise BadInput(
                f"patches hold a value of type {type(text).__name__}; give texts such as 'strategy?name=tpe'"
            )
    return texts


def find_study(study: str | Path) -> Path:
    """The path of a shipped study, or of a file as given; raises `BadInput` or `UnknownName` where it is neither."""
    if not isinstance(study, str | PathLike):
        raise BadInput(
            f"study is of type {type(study).__name__}, not a name or a path; write it to a YAML file and give its path"
        )
    known = shipped("studies")
    if str(study) in known:
        return known[str(study)]
    path = Path(study)
    if path.suffix.lower() in (".yaml", ".yml") or path.exists() or len(path.parts) > 1:
        return path
    raise UnknownName("study", str(study), tuple(known))


def read_study(document: Document, folder: Path | None = None) -> StudySpec:
    """Check a document; paths in it are relative to ``folder``."""
    document = _with_absolute_paths(document, folder) if folder else document
    spec = check_shape(document)
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
    """The own options of strategy, mode and accuracy source, checked even where something else is wrong too."""
    found = []
    for part, key, default, names, find in (
        ("strategy", "name", "nsga2", strategy_names, strategy_class),
        ("mode", "name", "joint", mode_names, mode_class),
        ("accuracy", "source", "published_imagenet", accuracy_names, accuracy_class),
    ):
        data = document.data.get(part)
        if isinstance(data, str) and part in NAMED_PARTS:
            data = {key: data}
        if not isinstance(data, dict) or data.get(key, default) not in names():
            continue
        places = {path[1:]: place for path, place in document.places.items() if path[:1] == (part,)}
        options = {name: value for name, value in data.items() if name != key}
        _, problems = problems_of(find(data.get(key, default)).Options, Document(options, document.source, places))
        found += [replace(problem, path=f"{part}.{problem.path}".rstrip(".")) for problem in problems]
    return found


def _with_absolute_paths(document: Document, folder: Path) -> Document:
    """The study as it can be read from anywhere: names of files beside it made absolute."""
    data = with_absolute_names(document.data, _FILES, folder)
    if "network" in data:
        data = {**data, "network": with_absolute_network(data["network"], folder)}
    return replace(document, data=data)


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
            problems.append(document.problem(*_placed(path, what, document), remedy))
    return problems


def _placed(path: YamlPath, what: str, document: Document) -> tuple[YamlPath, str]:
    """Where a complaint belongs and what it says there: one that names a key of the study itself is about that one."""
    key, _, rest = what.partition(": ")
    own = tuple(key.split("."))
    return (own, rest) if rest and (key == dotted(path) or own in document.places) else (path, what)


def study_text(spec: StudySpec) -> str:
    """The study as YAML that `load_study` reads back."""
    data = spec.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def references(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """Where a study names something, and a check that raises `BadInput` unless it is there."""
    from ...mapper.registry import mapper_class
    from ...models.load import load_network

    hardware, baseline = spec.hardware, spec.baseline
    yield from _network_references(spec)
    yield from _weights_without_effect(spec)
    yield from _idle_mode_options(spec)
    try:
        load_accelerator(hardware.accelerator)
        accelerator = patched_accelerator(hardware)
    except BadInput as error:
        yield ("hardware", "accelerator" if isinstance(error, UnknownName) else "patch"), _raise(error)
    else:
        yield from _parameter_references(hardware, accelerator)
        for index, dataflow in enumerate(hardware.dataflow):
            yield ("hardware", "dataflow", index), partial(dataflow_choice, [dataflow], accelerator)
        if hardware.dataflow:
            yield ("hardware", "dataflow"), partial(Choice, DATAFLOW, tuple(hardware.dataflow))
    yield from _metric_references(spec)
    accuracy = spec.accuracy
    if _name_of(spec) and spec.network.space != VIDEO_SPACE:
        where = "path" if "path" in (accuracy.model_extra or {}) else "source"
        yield ("accuracy", where), partial(_source_of, spec)
    if spec.mapper.name != TABLES:
        yield ("mapper", "name"), lambda: mapper_class(spec.mapper.name)
    else:
        yield from _what_tables_lack(spec)
    for index, name in enumerate(spec.report.transfer):
        yield ("report", "transfer", index), partial(load_network, name)
    if baseline:
        if baseline.network not in (spec.network.space, _name_of(spec)):
            yield ("baseline", "network"), lambda: load_network(baseline.network)
        yield ("baseline", "accelerator"), lambda: load_accelerator(baseline.accelerator)


def _source_of(spec: StudySpec) -> None:
    """Raises `BadInput` where the accuracy's source does not suit the networks; what these lack is said of them."""
    try:
        networks, choices = networks_of(spec.network), choices_of(spec.network)
    except BadInput:
        return
    accuracy_source(spec.accuracy.source, networks, spec.accuracy.model_extra, choices)


def _metric_references(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """What is to be minimised or limited, where the designs of the study never have it."""
    asked: dict[YamlPath, str] = {("objectives", index): name for index, name in enumerate(spec.objectives)}
    asked |= {("constraints", name): name for name in spec.constraints.stated()}
    target = getattr(spec.mode.options, "objective", None)
    if target is not None:
        asked[("mode", "objective")] = target
    for path, name in asked.items():
        if spec.network.space == VIDEO_SPACE and name not in VIDEO_METRICS:
            what = f"the video pipeline gives no {name}"
            yield path, _raise(BadInput(f"{what}; it gives {', '.join(VIDEO_METRICS)}"))
        elif spec.network.space != VIDEO_SPACE and name == TRACKING_LOSS:
            what = f"{name} is that of the video pipeline alone"
            yield path, _raise(BadInput(f"{what}; take error_pct, or 'space: {VIDEO_SPACE}'"))
        elif name in LIFE_METRICS and spec.life_cycle is None:
            what = f"{name} is that of a whole life, which is not described"
            yield path, _raise(BadInput(f"{what}; add 'life_cycle: {{uses: 1e9}}'"))


def _parameter_references(
    hardware: HardwarePart, accelerator: Accelerator
) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """Parameters that are named, the values to try, and whether there are any for each that is searched."""
    whole = load_accelerator(hardware.accelerator)  # a patch may do away with a parameter that the study names
    names = tuple(parameter.name for parameter in whole.parameters)
    named: dict[YamlPath, str] = {("search", index): name for index, name in enumerate(hardware.search or ())}
    named |= {("points", name): name for name in hardware.points}
    wrong = False
    for path, name in named.items():
        yield ("hardware", *path), partial(_among, f"parameter of {whole.name}", name, names)
        wrong = wrong or name not in names
    for name, index, error in wrong_points(accelerator, left_to_search(hardware, accelerator).points):
        yield ("hardware", "points", name, index), _raise(error)
        wrong = True
    if not wrong:
        part = "points" if hardware.points else "search"
        yield ("hardware", part), lambda: searched_hardware(hardware, accelerator)


def _network_references(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """The parts of ``network`` one on top of the other, up to the first that is wrong."""
    part, given = NetworkPart(space=spec.network.space), spec.network.model_dump(exclude_defaults=True)
    for key in ("space", "options", "exits", "sparsity", "bits", "recipe", "when", "only", "patch"):
        if key not in given:
            continue
        part = NetworkPart.model_validate({**part.model_dump(exclude_defaults=True), key: given[key]})
        try:
            choices_of(part)
            if key == "options" and part.space != VIDEO_SPACE:
                networks = networks_of(part)
                networks.build(networks.baseline())
            if key == "recipe":
                _recipes_exist(part)
        except BadInput as error:
            yield ("network", key), _raise(error)
            return
    networks = networks_of(spec.network)
    if isinstance(networks, ComposedSpace) and networks.base.name == VIDEO_SPACE:
        what = "the levers of the video pipeline take no genes or conditions"
        yield ("network", "space"), _raise(BadInput(f"{what}; name 'video_levers' alone, with 'only' or 'options'"))
    if spec.network.space == VIDEO_SPACE:
        yield from _parts_without_effect_on_videos(spec)
    unstated = networks.unstated if isinstance(networks, ComposedSpace) else ()
    if unstated and getattr(accuracy_class(spec.accuracy.source), "blind", False):
        name = unstated[0]
        what = f"{spec.accuracy.source} cannot see what '{name}' costs in accuracy"
        remedy = "state it as loss_pct (0 for none)"
        if name.startswith("recipe.") and name != "recipe.name":
            remedy = "leave it out, or take a source that reads it, such as trained"
        yield ("network", name.partition(".")[0]), _raise(BadInput(f"{what}; {remedy}"))


def _parts_without_effect_on_videos(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    if spec.hardware.dataflow:
        what = "the video pipeline's mappings are free"
        yield ("hardware", "dataflow"), _raise(BadInput(f"{what}; leave dataflows out"))
    if spec.life_cycle is not None:
        what = "a video study accounts for its frames' latency and energy, not for a life"
        yield ("life_cycle",), _raise(BadInput(f"{what}; remove life_cycle"))
    if spec.accuracy.source != AccuracyPart().source or spec.accuracy.model_extra:
        what = f"a video study measures {TRACKING_LOSS} itself, on its own tracks"
        yield ("accuracy",), _raise(BadInput(f"{what}; remove accuracy"))


def _idle_mode_options(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """A first phase that leaves no trial to the second, and a sample where all hardware is swept."""
    options, trials = spec.mode.options, spec.budget.trials
    first = getattr(options, "phase_trials", 0)
    if first >= trials:
        what = f"all {trials} trials would go to the hardware (phase_trials: {first})"
        yield ("budget", "trials"), _raise(BadInput(f"{what}; give more trials, or fewer as mode?phase_trials"))
    if spec.mapper.name == TABLES and "points" in options.model_fields_set:
        what = "tables sweep all hardware, so that no points are sampled"
        yield ("mode", "points"), _raise(BadInput(f"{what}; remove points"))


def _weights_without_effect(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """Weights in a strategy's options are those of objectives, the study's or the mode's own."""
    options = spec.strategy.options
    own = getattr(spec.mode.options, "objective", None)
    aims = (*spec.objectives, *([own] if own else []))
    for path, holder in (("weights",), options), (("reward", "weights"), getattr(options, "reward", None)):
        for name in getattr(holder, "weights", {}):
            if name not in aims:
                what = f"{name} is no objective, so that its weight has no effect; weigh {', '.join(aims)}"
                yield ("strategy", *path, name), _raise(BadInput(what))


def _name_of(spec: StudySpec) -> str:
    """The name of the study's networks; empty where they are wrong, which is complained about elsewhere."""
    try:
        return networks_of(spec.network).name
    except BadInput:
        return ""


def _what_tables_lack(spec: StudySpec) -> Iterator[tuple[YamlPath, Callable[[], object]]]:
    """What cannot be costed from tables of operators on free mappings."""
    if spec.hardware.dataflow:
        what = "'mapper: tables' maps freely; leave dataflows out, or take a mapper"
        yield ("hardware", "dataflow"), _raise(BadInput(what))
    try:
        networks = networks_of(spec.network)
    except BadInput:
        return
    if isinstance(networks, ComposedSpace) and any(isinstance(gene, Exits) for gene in networks.genes):
        what = "'mapper: tables' costs whole networks; leave early exits out, or take a mapper"
        yield ("network", "exits"), _raise(BadInput(what))


def _recipes_exist(part: NetworkPart) -> None:
    """Raise `BadInput` for a recipe that is not there, and for epochs or a batch that none can have."""
    options = dict(part.recipe.options()) if part.recipe else {}
    for name in options.get("name", ()):
        plain = {f"{RECIPE_PREFIX}name": name}
        training_recipe(plain)
        for what in ("epochs", "batch"):
            for value in options.get(what, ()):
                training_recipe({**plain, f"{RECIPE_PREFIX}{what}": value})


def _raise(error: BadInput) -> Callable[[], object]:
    def check() -> object:
        raise error

    return check


def _among(kind: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise UnknownName(kind, name, names)
