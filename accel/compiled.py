"""How compiled functions are cached: by the text of all of them.

Numba keeps compiled code per source file and does not see that a function it calls, in another file, has changed; the
old code would then run on with the old model's numbers. Here the cache's folder is named after the text of every file
that holds compiled functions, so that none outlives a change to any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

from ..storage import cache_folder

__all__ = ["compiling"]

_PACKAGE = Path(__file__).resolve().parent.parent
# The default is 3; 1 compiles a fifth faster, and the compiled model is no slower for it.
_OPTIMISATION = 1


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    """The cache's folder, created; None where nothing can be written."""
    sources = [*(_PACKAGE / "accel").glob("kernel*.py"), *(_PACKAGE / "mapper").glob("annealing*.py")]
    text = b"".join(path.read_bytes() for path in sorted(sources))
    folder = cache_folder() / "compiled" / hashlib.sha256(text).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError:
        return None
    return folder


@contextmanager
def compiling() -> Iterator[bool]:
    """Numba's settings while functions are decorated; yields whether their code can be kept on disk."""
    config: Any = numba.config
    before = config.CACHE_DIR, config.OPT
    folder = _folder()
    config.CACHE_DIR, config.OPT = str(folder or ""), type(before[1])(_OPTIMISATION)
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR, config.OPT = before
