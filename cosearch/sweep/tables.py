"""Tables of what operators cost on every accelerator of a hardware space, made by the real model and remembered."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...accel.accelerator import Accelerator
from ...errors import Infeasible
from ...mapper.keys import accelerator_text, engine_version, plain
from ...mapper.threads import available_threads
from ...models.op import Op
from ...storage import cache_folder, drop_unused
from ..spaces.space import Space
from .anchors import Anchors, find_anchors
from .groups import Group
from .making import COLUMNS, Job, cost_groups, seek_mappings, spread
from .portfolio import Portfolio, Question

__all__ = ["GroupTable", "HardwareTables"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
_MOST_ANCHORS = 2000
_POINTS_AT_ONCE, _BATCHES_AT_ONCE = 100, 50  # what a process is given
_UNUSED_DAYS = 30.0  # after which tables are removed; they can be made again
_PROBES = 16  # accelerators whose resolved form goes into the tables' names
_DECIDING = ("anchors", "groups", "making", "portfolio")  # the modules on whose text tables depend
_log = logging.getLogger("dovetail")


@dataclass(frozen=True)
class GroupTable:
    """A group's seconds and joules on every accelerator (n,), infinite where nothing fits.

    ``places`` (n,) names the mapping of the contraction in ``portfolio``; −1 where there is none.
    """

    latency_s: F64
    energy_j: F64
    places: I64
    portfolio: Portfolio | None


class HardwareTables:
    """What groups of operators cost on every point of ``hardware``, parameters of ``accelerator``.

    A mapper is asked about each contraction on a sub-grid of the accelerators (`find_anchors`); the best of all its
    mappings is then sought on every accelerator by the compiled model, so that every figure is that of a mapping as
    `evaluate` costs it, and none below the optimum. Deterministic, with any number of ``workers`` processes. Tables are
    kept in the user's cache folder (``cache`` False: not) under names that say all they depend on.
    """

    def __init__(
        self, accelerator: Accelerator, hardware: Space, question: Question | None = None, *, cache: bool = True,
        workers: int | None = None,
    ) -> None:  # fmt: skip
        self.job = Job(accelerator, hardware, question or Question())
        self.workers = available_threads() if workers is None else workers
        self._folder = cache_folder() / "sweeps" if cache else None
        self._known: dict[Group, GroupTable] = {}
        self._about: dict[str, F64] | None = None

    @property
    def hardware(self) -> Space:
        """The accelerators' space."""
        return self.job.hardware

    @property
    def chips(self) -> dict[str, F64]:
        """Of every accelerator, (n,) each: `COLUMNS`."""
        if self._about is None:
            rows = self._load("chips")
            if rows is None:
                self._make([])
            else:
                self._about = {name: rows[name] for name in COLUMNS}
        return self._about or {}

    def tables(self, groups: Sequence[Group]) -> list[GroupTable]:
        """The tables of several groups; those not known yet are made in one go.

        Raises `Infeasible` where a contraction fits none of the accelerators.
        """
        missing = []
        for group in dict.fromkeys(groups):
            if group not in self._known:
                kept = self._load(_name(group))
                if kept is None:
                    missing.append(group)
                else:
                    self._known[group] = _unpacked(group, kept)
        if missing:
            self._make(missing)
        tables = [self._known[group] for group in groups]
        for group, table in zip(groups, tables, strict=True):
            if isinstance(group.head, Op) and table.portfolio is None:
                raise Infeasible(
                    f"{group.head.name}: fits none of the {self.hardware.size:,} accelerators of the space"
                )
        return tables

    # ---- making ----------------------------------------------------------------------------------------------------

    def _make(self, groups: Sequence[Group]) -> None:
        portfolios = self._portfolios({g.head.shape_key: g.head for g in groups if isinstance(g.head, Op)})
        job = replace(self.job, groups=tuple(groups), portfolios=portfolios)
        parts = [self._batches[at : at + _BATCHES_AT_ONCE] for at in range(0, len(self._batches), _BATCHES_AT_ONCE)]
        about = np.empty((self.hardware.size, len(COLUMNS)))
        costs = np.empty((self.hardware.size, len(groups), 3))
        for numbers, rows, found in spread(job, cost_groups, parts, self.workers):
            about[numbers], costs[numbers] = rows, found
        self._about = {name: about[:, at].copy() for at, name in enumerate(COLUMNS)}
        self._save("chips", self._about)
        for at, group in enumerate(groups):
            latency, energy, places = (costs[:, at, column].copy() for column in range(3))
            whole = np.where(np.isfinite(places), places, -1).astype(np.int64)
            table = GroupTable(latency, energy, whole, portfolios.get(group.head.shape_key))
            self._known[group] = table
            self._save(_name(group), _packed(table))

    def _portfolios(self, ops: Mapping[tuple[object, ...], Op]) -> dict[tuple[object, ...], Portfolio]:
        """Of each operator that fits anywhere; kept one by one, so that little is lost where this is stopped."""
        kept = {key: self._load(f"mappings-{_digest(key)}") for key in ops}
        known = {key: _portfolio(ops[key], arrays) for key, arrays in kept.items() if arrays is not None}
        points = self._anchors.points
        edges = range(0, len(points), _POINTS_AT_ONCE)
        missing = {key: op for key, op in ops.items() if key not in known}
        parts = [(op, points[at : at + _POINTS_AT_ONCE]) for op in missing.values() for at in edges]
        answers = iter(spread(self.job, seek_mappings, parts, self.workers))
        for key, op in missing.items():
            found = [mapping for _ in edges for mapping in next(answers) if mapping is not None]
            if found:
                known[key] = Portfolio.of(op, found)
                self._save(f"mappings-{_digest(key)}", _arrays(known[key]))
        return {key: known[key] for key in ops if key in known}

    @cached_property
    def _anchors(self) -> Anchors:
        return find_anchors(self.job.accelerator, self.hardware, _MOST_ANCHORS)

    @cached_property
    def _batches(self) -> list[list[int]]:
        """The numbers of all points, in batches that differ in figures alone."""
        if not self.hardware.choices:
            return [[0]]
        sizes = [len(choice.options) for choice in self.hardware.choices]
        figures = [choice.name in self._anchors.figures for choice in self.hardware.choices]
        codes = np.stack(np.unravel_index(np.arange(self.hardware.size), sizes), axis=1)
        _, batch = np.unique(np.where(figures, 0, codes), axis=0, return_inverse=True)
        order = np.argsort(batch, kind="stable")
        return [part.tolist() for part in np.split(order, np.flatnonzero(np.diff(batch[order])) + 1)]

    # ---- remembering -----------------------------------------------------------------------------------------------

    @cached_property
    def _digest(self) -> str:
        """Of everything but the group that decides a table."""
        space = self.hardware
        places = np.linspace(0, space.size - 1, min(_PROBES, space.size)).astype(int)
        chips = [accelerator_text(self.job.chip(space.point(int(place)))) for place in places]
        options = [[choice.name, list(choice.options)] for choice in space.choices]
        spec = self.job.accelerator.spec
        own = [Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in _DECIDING]
        parts = [engine_version(), own, options, asdict(self.job.question), spec and spec.model_dump_json(), chips]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def remembered(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Arrays kept by `remember` under that name; None where there are none."""
        return self._load(name)

    def remember(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays that depend on what the tables depend on, and on what the name says."""
        self._save(name, arrays)

    def _path(self, name: str) -> Path | None:
        folder = self._folder
        return folder / self._digest[:24] / f"{name}.npz" if folder is not None else None

    def _load(self, name: str) -> dict[str, NDArray[np.float64]] | None:
        path = self._path(name)
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path) as kept:
                arrays = dict(kept)
            with suppress(OSError):
                os.utime(path.parent)  # it is in use
            return arrays
        except (OSError, ValueError, BadZipFile, EOFError):
            return None  # damaged: it is made again

    def _save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        path = self._path(name)
        if path is None:
            return
        draft = path.with_name(f"{path.stem}.part.npz")
        try:
            if not path.parent.is_dir():
                drop_unused(path.parent.parent, _UNUSED_DAYS)  # tables of earlier versions and studies
                path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
            draft.replace(path)
        except OSError as error:
            _log.warning("%s: the table is not remembered (%s)", path, error.strerror)


def _name(group: Group) -> str:
    return _digest(group.key)


def _digest(key: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(plain(key)).encode()).hexdigest()[:24]


def _arrays(portfolio: Portfolio) -> dict[str, NDArray[Any]]:
    return {"factors": portfolio.factors, "order": portfolio.order, "bypass": portfolio.bypass}


def _portfolio(op: Op, kept: Mapping[str, NDArray[Any]]) -> Portfolio:
    return Portfolio(op, *(kept[name].astype(np.int64) for name in ("factors", "order", "bypass")))


def _packed(table: GroupTable) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"latency_s": table.latency_s, "energy_j": table.energy_j, "places": table.places}
    if table.portfolio is not None:
        arrays |= _arrays(table.portfolio)
    return arrays


def _unpacked(group: Group, kept: Mapping[str, NDArray[np.float64]]) -> GroupTable:
    portfolio = None
    if isinstance(group.head, Op) and "factors" in kept:
        portfolio = _portfolio(group.head, kept)
    return GroupTable(kept["latency_s"], kept["energy_j"], kept["places"].astype(np.int64), portfolio)
