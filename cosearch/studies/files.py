"""What a study's folder keeps beside its trials."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...errors import BadInput
from .log import write_atomically

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """What a report needs beside the trials; kept as ``context.json`` in the study's folder."""

    fingerprint: str
    baseline: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    accuracy: str = ""
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    designs: float = 0.0
    """Number of points of the space, as a float: it may have thirty digits."""
    study_digest: str = ""
    """SHA-256 of ``study.yaml`` as the run wrote it; empty in folders of versions that kept none."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files that the study names, by path."""
    trials: int | None = None
    """How many trials the finished run counted; None while it runs. The log may hold more, of a larger budget."""
    versions: dict[str, str] = field(default_factory=dict)
    """What the trials were made with, by name."""
    preparation_macs: float = 0.0
    """Multiply-accumulates spent once before the first trial: training a supernet."""
    dropped: int = 0
    """Networks that the finished run dropped before they became trials, as no hardware runs them within the limits."""
    least_dropped: dict[str, float] = field(default_factory=dict)
    """The lowest that could be had of each limited metric of those networks, one at a time."""

    @staticmethod
    def read(path: Path) -> Context:
        """Raises `BadInput` where the file is missing or is no context."""
        try:
            return Context(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise BadInput(f"{path.parent}: no study's folder ({path.name} is missing); name another") from error
        except (ValueError, TypeError, OSError) as error:
            raise BadInput(f"{path}: cannot be read as a study's context; restore it, or use another folder") from error

    def write(self, path: Path) -> None:
        """The inverse of ``read``."""
        write_atomically(path, json.dumps(asdict(self), indent=1, allow_nan=False))
