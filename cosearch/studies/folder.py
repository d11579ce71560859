"""A study's folder: opened by one run at a time, and claimed for one study."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...document import load_document
from ...errors import BadInput, shortened
from .files import Context
from .load import check_shape, study_text
from .log import TrialLog, read_trials, write_atomically
from .spec import StudySpec
from .trial import Dropped, Trial

__all__ = ["claim", "earlier_trials", "finish", "open_log"]

_MOST_CHANGES = 4


def open_log(out: Path) -> TrialLog:
    """The folder's log, held until it is closed. Raises `BadInput` where it cannot be written or is held."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        return TrialLog(out / "trials.jsonl")
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); name another folder") from error


def earlier_trials(log: TrialLog, out: Path, resume: bool) -> list[Trial]:
    """The trials an earlier run logged, made ready to be continued."""
    logged = read_trials(log.path)
    if logged and not resume:
        raise BadInput(f"{out}: holds {len(logged)} trials already; go on with --resume, or name another folder")
    log.drop_torn_line()
    return logged


def claim(out: Path, spec: StudySpec, context: Context, logged: Sequence[Trial]) -> None:
    """Write the study and its context, after making sure that what is logged was made by the same.

    A folder of an older version, which knew fewer settings and metrics, is taken over where those it knew are the same.
    """
    files = _files(spec)
    if logged:
        before = Context.read(out / "context.json")
        if before.fingerprint != context.fingerprint:
            changes = _changes(out / "study.yaml", before, spec)
            if changes:
                raise BadInput(
                    f"{out}: holds trials of another study or seed ({changes}); undo the change, or name another folder"
                )
        edited = [path for path, digest in before.files.items() if files.get(path, digest) != digest]
        if edited:
            raise BadInput(
                f"{out}: {edited[0]} was edited since these trials were made; undo the change, or name another folder"
            )
        baseline = {name: context.baseline.get(name) for name in before.baseline}
        if (before.baseline, before.limits) != (baseline, context.limits):
            raise BadInput(
                f"{out}: the baseline costs something else than when these trials were made (a spec or the model has "
                "changed); name another folder"
            )
    text = study_text(spec)
    write_atomically(out / "study.yaml", text)
    replace(context, study_digest=_digest(text.encode()), files=files).write(out / "context.json")


def finish(out: Path, trials: int, dropped: Dropped) -> None:
    """Note in the folder how many trials its run counted in the end, and what never became one."""
    kept = out / "context.json"
    context = Context.read(kept)
    replace(context, trials=trials, dropped=dropped.networks, least_dropped=dict(dropped.least)).write(kept)


def _files(spec: StudySpec) -> dict[str, str]:
    """Digests of the files a study names: accelerators, networks, tables."""
    named = {value for value in _flat(spec.identity()).values() if isinstance(value, str) and value}
    return {name: _digest(Path(name).read_bytes()) for name in sorted(named) if _is_file(name)}


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # no text that could be a path
        return False


def _changes(kept: Path, before: Context, spec: StudySpec) -> str:
    """How a study differs from the one that a folder's trials were made by, in words; empty where it does not."""
    try:
        text = kept.read_text(encoding="utf-8")
        study = check_shape(load_document(kept))
    except (OSError, BadInput):
        return f"{kept.name} there cannot be read any more"
    if before.study_digest and before.study_digest != _digest(text.encode()):
        return f"{kept.name} there was edited"
    was, now = _flat(study.identity()), _flat(spec.identity())
    changed = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    told = [f"{path} is {_word(now, path)}, was {_word(was, path)}" for path in changed]
    return "; ".join(told[:_MOST_CHANGES]) + (f" and {len(told) - _MOST_CHANGES} more" * (len(told) > _MOST_CHANGES))


def _flat(data: object, path: str = "") -> dict[str, object]:
    """Nested settings by their paths: ``strategy.population``."""
    if not isinstance(data, dict) or not data:
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
