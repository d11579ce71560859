"""A study's folder: opened by one run at a time, and claimed for one study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import BadInput
from .files import Context
from .load import study_text
from .log import TrialLog, read_trials, write_atomically
from .spec import StudySpec
from .trial import Trial

__all__ = ["claim", "earlier_trials", "open_log"]


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
    """Write the study and its context, after making sure that what is logged was made by the same."""
    if logged:
        before = Context.read(out / "context.json")
        if before.fingerprint != context.fingerprint:
            raise BadInput(f"{out}: holds trials of another study or seed; name another folder")
        if (before.baseline, before.limits) != (context.baseline, context.limits):
            raise BadInput(
                f"{out}: the baseline costs something else than when these trials were made (a spec or the model has "
                "changed); name another folder"
            )
    write_atomically(out / "study.yaml", study_text(spec))
    context.write(out / "context.json")
