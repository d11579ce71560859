"""Where Dovetail keeps what it can always compute again: remembered mappings and compiled code."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``$DOVETAIL_CACHE``, else ``dovetail`` in the user's cache folder. It may not exist and may not be writable."""
    if named := os.environ.get("DOVETAIL_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dovetail"
