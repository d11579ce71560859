"""The decorator of compiled functions: numba's, with a cache that follows the sources.

Numba keeps compiled code per source file and does not see that a function it calls, in another file, has changed; the
old code would then run on with the old model's numbers. Here the cache's folder is named after the text of every file
that holds compiled functions, so that no compiled function outlives any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from ..storage import cache_folder

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    """The cache's folder, created; None where nothing can be written."""
    package = Path(__file__).resolve().parent.parent
    texts = [path.read_bytes() for floor in ("accel", "mapper") for path in sorted((package / floor).rglob("*.py"))]
    stamp = hashlib.sha256(b"".join(text for text in texts if b"@compiled" in text)).hexdigest()[:16]
    folder = cache_folder() / "compiled" / stamp
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
    except OSError:
        return None
    return folder


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call; it releases the interpreter's lock and divides as IEEE 754 says."""
    import numba

    config: Any = numba.config
    folder, before = _folder(), config.CACHE_DIR
    if folder is not None:
        config.CACHE_DIR = str(folder)
    try:
        made: Any = numba.njit(cache=folder is not None, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return cast("Callable[P, R]", made)
