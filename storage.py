"""Where Dovetail keeps what it can always compute again: remembered mappings and compiled code."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

__all__ = ["cache_folder", "drop_unused"]

_DAY_S = 86_400.0


def cache_folder() -> Path:
    """``$DOVETAIL_CACHE``, else ``dovetail`` in the user's cache folder. It may not exist and may not be writable."""
    if named := os.environ.get("DOVETAIL_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dovetail"


def drop_unused(folder: Path, days: float) -> None:
    """Remove the folders in ``folder`` that nobody touched for so many days; one that cannot be removed stays."""
    oldest = time.time() - days * _DAY_S
    try:
        unused = [one for one in folder.iterdir() if one.is_dir() and one.stat().st_mtime < oldest]
    except OSError:
        return
    for one in unused:
        shutil.rmtree(one, ignore_errors=True)
