"""Find mappings: of one operator, or of many at once, each distinct question asked once and remembered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..accel.accelerator import Accelerator
from ..accel.analytic import evaluate
from ..errors import BadInput, Infeasible, check_type
from ..models.op import Op
from ..storage import cache_folder
from .base import UNLIMITED, Limits, MappingResult
from .cache import MappingCache, accelerator_text, content_key
from .constraints import Constraints
from .mapspace import Mapspace
from .objective import Objective
from .registry import DEFAULT_MAPPER, mapper_class

__all__ = ["best_mapping", "map_all"]


def best_mapping(
    op: Op,
    accelerator: Accelerator,
    objective: str | Objective = "edp",
    mapper: str = DEFAULT_MAPPER,
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
) -> MappingResult:
    """The best mapping the mapper finds for one operator, with its cost and certificate.

    ``objective`` is "energy", "latency", "edp" or another mix of the two (`Objective.parse`). ``constraints`` narrow
    the mapspace, ``limits`` let the mapper stop early. ``cache`` is a folder, True (the user's cache folder) or False.
    Raises `Infeasible` where nothing fits, `UnknownName` for an unknown objective or mapper.
    """
    check_type(op, Op, "op", "take one of a network's contractions")
    return map_all([op], accelerator, objective, mapper, constraints=constraints, limits=limits, cache=cache)[0]


def map_all(
    ops: Sequence[Op],
    accelerator: Accelerator,
    objective: str | Objective = "edp",
    mapper: str = DEFAULT_MAPPER,
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
) -> list[MappingResult]:
    """A mapping for each operator; equal operators are mapped once, different ones on ``workers`` threads.

    Raises like `best_mapping`; `Infeasible` names the first operator, in the order given, that does not fit.
    """
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    wanted, chosen, ruled = Objective.parse(objective), mapper_class(mapper), constraints or Constraints()
    form = accelerator_text(accelerator)
    keys = {op.shape_key: content_key(op, form, ruled, wanted, chosen, limits) for op in ops}
    distinct = {op.shape_key: op for op in reversed(ops)}
    store = MappingCache(_folder(cache))
    results: dict[tuple[object, ...], MappingResult] = {}
    remembered = store.get(list(keys.values()))
    for shape, op in distinct.items():
        entry = remembered.get(keys[shape])
        if entry:
            try:
                results[shape] = MappingResult(entry[0], evaluate(op, accelerator, entry[0]), entry[1])
            except (BadInput, Infeasible):
                continue  # another model's mapping: ask again

    def ask(op: Op) -> MappingResult:
        return chosen().map(Mapspace(op, accelerator, ruled), wanted, int(keys[op.shape_key][:8], 16), limits)

    missing = [op for op in dict.fromkeys(ops) if op.shape_key not in results and op is distinct[op.shape_key]]
    threads = min(len(missing), workers or os.cpu_count() or 1)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(ask, missing))
    else:
        found = [ask(op) for op in missing]
    fresh = {op.shape_key: result for op, result in zip(missing, found, strict=True)}
    store.put({keys[shape]: (result.mapping, result.certificate) for shape, result in fresh.items()})
    results.update(fresh)
    return [results[op.shape_key] for op in ops]


def _folder(cache: Path | bool) -> Path | None:
    if isinstance(cache, bool):
        return cache_folder() if cache else None
    return cache
