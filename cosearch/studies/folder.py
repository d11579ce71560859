"""A study's folder: opened by one run at a time, and claimed for one study."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ...document import load_document
from ...errors import BadInput, shortened
from ..accuracy.table import table_path
from ..amounts import count_of
from ..own_code import module_file
from ..spaces.compose import space_files
from .files import Context
from .load import check_shape, study_text
from .log import TrialLog, read_trials, write_atomically
from .spec import StudySpec
from .trial import Dropped, Trial

__all__ = [
    "claim", "earlier_trials", "edited_file", "files_of", "finish", "folder_of", "open_log", "refuse_trials",
    "seedless", "told_changes", "was_edited",
]  # fmt: skip

_MOST_CHANGES = 4
_EDITED = "study.yaml there was edited"


def folder_of(out: str | Path) -> Path:
    """The folder that is named, as an absolute path; raises `BadInput` where that is no name."""
    if not isinstance(out, str | PathLike):
        raise BadInput(f"out is of type {type(out).__name__}, not a path; name a folder")
    if not str(out).strip():
        raise BadInput("out is empty; name a folder")
    return Path(out).absolute()  # what a study calls may change the working directory


def refuse_trials(out: Path) -> None:
    """Raise `BadInput` where a study's own trials are in a folder that is to hold the folders of several seeds."""
    if (out / "trials.jsonl").exists():
        raise BadInput(f"{out}: holds a study's trials already, and no folders of seeds; name another folder")


def open_log(out: Path) -> TrialLog:
    """The folder's log, held until it is closed.

    Raises `BadInput` where it cannot be written, is held, or the folder holds a study that was repeated.
    """
    if (out / "repeats.csv").exists() or next(out.glob("seed_*/trials.jsonl"), None) is not None:
        raise BadInput(
            f"{out}: holds a repeated study's trials already, in a folder for each seed; go on with --repeats, or name "
            "another folder"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        return TrialLog(out / "trials.jsonl")
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name another folder") from error


def earlier_trials(log: TrialLog, out: Path, resume: bool, objectives: Sequence[str]) -> list[Trial]:
    """The trials an earlier run logged, made ready to be continued; feasible ones have these ``objectives``."""
    logged = read_trials(log.path, objectives if resume else ())
    if logged and not resume:
        held = count_of(len(logged), "trial")
        raise BadInput(f"{out}: holds {held} already; go on with --resume, or name another folder")
    log.drop_torn_line()
    return logged


def claim(out: Path, spec: StudySpec, context: Context, logged: Sequence[Trial]) -> None:
    """Write the study and its context, after making sure that what is logged was made by the same.

    A folder of an older version, which knew fewer settings and metrics, is taken over where those it knew are the same.
    """
    files, text = files_of(spec), study_text(spec)
    if logged:
        before = Context.read(out / "context.json")
        # What this run would write itself is no edit: a kill may have come between that and the context.
        if was_edited(out, before) and _content(out / "study.yaml") != text.encode():
            raise _of_another_study(out, _EDITED)
        if before.fingerprint != context.fingerprint:
            changes = _changes(out / "study.yaml", before, spec)
            if changes:
                raise _of_another_study(out, changes)
        edited = edited_file(before.files, files)
        if edited:
            raise BadInput(
                f"{out}: {edited} was edited since these trials were made; undo the change, or name another folder"
            )
        baseline = {name: context.baseline.get(name) for name in before.baseline}
        if (before.baseline, before.limits) != (baseline, context.limits):
            raise BadInput(
                f"{out}: the baseline costs something else than when these trials were made (a spec or the model has "
                "changed); name another folder"
            )
    write_atomically(out / "study.yaml", text)
    replace(context, study_digest=_digest(text.encode()), files=files).write(out / "context.json")


def edited_file(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The first of the files in both sets of digests that is another; empty where there is none."""
    return next((path for path, digest in before.items() if now.get(path, digest) != digest), "")


def seedless(spec: StudySpec, *, whole: bool = True) -> dict[str, object]:
    """What the seeds of a repeated study have in common: all that decides trials, and on the ``whole`` their budget."""
    common = {key: value for key, value in spec.identity().items() if key != "seed"}
    return common | ({"name": spec.name, "budget": spec.budget.model_dump()} if whole else {})


def was_edited(out: Path, context: Context) -> bool:
    """Whether ``study.yaml`` in a folder is another than its run wrote; False where that is not known."""
    content = _content(out / "study.yaml")
    return bool(context.study_digest) and content is not None and _digest(content) != context.study_digest


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _of_another_study(out: Path, changes: str) -> BadInput:
    what = f"{out}: holds trials of another study or seed ({changes})"
    return BadInput(f"{what}; undo the change, or name another folder")


def finish(out: Path, trials: int, dropped: Dropped) -> None:
    """Note in the folder how many trials its run counted in the end, and what never became one."""
    kept = out / "context.json"
    context = Context.read(kept)
    replace(context, trials=trials, dropped=dropped.networks, least_dropped=dict(dropped.least)).write(kept)


def files_of(spec: StudySpec) -> dict[str, str]:
    """Digests of the files a study names, the spaces it builds on among them, and of the modules it imports from."""
    spaces = space_files(spec.network.space)
    named = set(_texts([spec.identity(), *(part.model_dump(mode="json") for part in spaces.values())]))
    modules = {str(path) for path in map(module_file, named) if path is not None}
    files = {name: _file(name) for name in sorted(named | modules)}
    return {name: _digest(file.read_bytes()) for name, file in files.items() if file is not None}


def _texts(data: object) -> Iterator[str]:
    """Every text among nested settings."""
    if isinstance(data, str) and data:
        yield data
    elif isinstance(data, Mapping | list):
        for part in data.values() if isinstance(data, Mapping) else data:
            yield from _texts(part)


def _file(name: str) -> Path | None:
    """The file that a setting names, in the reference data too; None for a text that names none."""
    try:
        path = table_path(name)
        return path if path.is_file() else None
    except (BadInput, OSError, ValueError):
        return None


def _changes(kept: Path, before: Context, spec: StudySpec) -> str:
    """How a study differs from the one that a folder's trials were made by, in words; empty where it does not."""
    try:
        study = check_shape(load_document(kept))
    except BadInput:
        return f"{kept.name} there cannot be read any more"
    if was_edited(kept.parent, before):
        return _EDITED
    return told_changes(study.identity(), spec.identity())


def told_changes(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """How settings differ from earlier ones, in words; empty where they do not."""
    was, now = _flat(before), _flat(after)
    changed = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    told = [f"{path} is {_word(now, path)}, was {_word(was, path)}" for path in changed]
    return "; ".join(told[:_MOST_CHANGES]) + (f" and {len(told) - _MOST_CHANGES} more" * (len(told) > _MOST_CHANGES))


def _flat(data: object, path: str = "") -> dict[str, object]:
    """Nested settings by their paths: ``strategy.population``."""
    if not isinstance(data, Mapping) or not data:
        return {path: data}
    flat: dict[str, object] = {}
    for key, part in data.items():
        flat |= _flat(part, f"{path}.{key}" if path else str(key))
    return flat


def _word(settings: dict[str, object], path: str) -> str:
    value = settings.get(path)
    return "not set" if value is None else shortened(value)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
