"""Designs near known ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..spaces.space import Space

__all__ = ["variations"]


def variations(
    space: Space, known: Sequence[Sequence[int]], count: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """Index vectors near ``known`` ones, in turn: one to half of the choices are redrawn, small numbers as likely
    as large ones (log-uniform), so that single steps are tried beside bold ones.
    """
    sizes = np.array([len(choice.options) for choice in space.choices])
    free = np.flatnonzero(sizes > 1)
    for index in range(count if len(free) else 0):
        code = np.array(known[index % len(known)])
        most = max(1.0, len(free) / 2)
        redrawn = rng.choice(free, size=round(float(np.exp(rng.uniform(0.0, np.log(most))))), replace=False)
        code[redrawn] = (code[redrawn] + rng.integers(1, sizes[redrawn])) % sizes[redrawn]
        yield code.tolist()
