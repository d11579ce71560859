"""How many threads there are, and how many of them a mapper may start itself.

Whoever runs several mappers at once shares the threads out among them; a mapper that can use more than one asks
`mapper_threads` and starts no more than it says, so that threads never multiply.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BadInput, shortened

__all__ = ["available_threads", "mapper_threads", "sharing_threads"]

_VARIABLE = "DOVETAIL_NUM_THREADS"
_share = threading.local()


def available_threads() -> int:
    """``$DOVETAIL_NUM_THREADS``, else the cores this process may use.

    Raises `BadInput` where the variable is no positive number.
    """
    if stated := os.environ.get(_VARIABLE):
        if not stated.isdecimal() or int(stated) < 1:
            raise BadInput(f"{_VARIABLE}='{shortened(stated)}' is not a positive number; give one or unset it")
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def mapper_threads() -> int:
    """How many threads the mapper that runs in this thread may use; all there are where nobody shares them out."""
    return int(getattr(_share, "count", 0)) or available_threads()


@contextmanager
def sharing_threads(count: int) -> Iterator[None]:
    """Leave mappers that run in this thread ``count`` threads."""
    before = getattr(_share, "count", 0)
    _share.count = count
    try:
        yield
    finally:
        _share.count = before
