"""Points drawn at random, as Timeloop's random mapper does (Parashar et al., ISPASS 2019)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..base import UNLIMITED, Limits, MappingResult
from ..mapspace import Mapspace
from ..objective import Objective
from ..sampling import random_points
from .common import Search

__all__ = ["RandomMapper"]

BATCH = 1000


class RandomMapper:
    """The best of many points of the whole space, drawn independently of one another."""

    name: ClassVar[str] = "random"
    version: ClassVar[int] = 1

    def map(self, space: Mapspace, objective: Objective, seed: int, limits: Limits = UNLIMITED) -> MappingResult:
        """See `Mapper`; raises `Infeasible` where not even single words fit the memories."""
        search, rng = Search(space, objective, limits), np.random.default_rng(seed)
        while not search.over:
            search.cost(random_points(space, min(BATCH, search.budget - search.spent), rng))
        return search.result()
