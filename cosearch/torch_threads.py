"""torch on one thread, and on random numbers of its own, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread", "repeatable"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch uses one thread; afterwards as many as before.

    On networks this small more threads only wait for each other, and sums over several may differ in their last bits.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """`one_thread`, and torch's random numbers from ``seed``; both are put back afterwards."""
    import torch

    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
