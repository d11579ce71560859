"""How compiled functions are cached: by the text of all of them.

Numba keeps compiled code per source file and does not see that a function it calls, in another file, has changed; the
old code would then run on with the old model's numbers. Here the cache's folder is named after the text of every file
that holds compiled functions, so that none outlives a change to any of them.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

from ..storage import cache_folder

__all__ = ["compiling"]

_PACKAGE = Path(__file__).resolve().parent.parent
# The default is 3; 2 compiles a tenth faster, and the compiled model is no slower for it. With 1 it is a tenth slower.
_OPTIMISATION = 2


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    """The cache's folder, created; None where nothing can be written."""
    sources = [*(_PACKAGE / "accel").glob("kernel*.py"), *(_PACKAGE / "mapper").rglob("kernel*.py")]
    text = b"".join([*(path.read_bytes() for path in sorted(sources)), b"%d" % _OPTIMISATION])
    stamp = hashlib.sha256(text).hexdigest()[:16]
    for place in (cache_folder, _own_temporary_folder):
        try:
            kept = place() / "compiled" / stamp
            kept.mkdir(parents=True, exist_ok=True)
            (kept / ".writable").touch()
        except OSError:
            continue
        return kept
    return None


def _own_temporary_folder() -> Path:
    """A folder that only this user can write: compiled code is run, so nobody else may have put it there."""
    folder = Path(tempfile.gettempdir()) / f"dovetail-{getpass.getuser() if os.name == 'nt' else os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if os.name != "nt" and (state.st_uid != os.getuid() or state.st_mode & 0o077 or folder.is_symlink()):
        raise PermissionError(f"{folder} belongs to somebody else")
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
