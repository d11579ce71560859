"""What gating and skipping do, step by step: a walk over a small nest with actual masks, many draws at a time.

An instance takes a step unless one of the leaders' words there, or the whole aligned block around it, is zero. Where
zeros are structured, n steps of each m along C are taken, zeros among them where there are not enough others. Zeros of
common leaders are skipped before steps are handed out. What is handed out is cut into windows; each unit, the instances
of arrays in lockstep together, goes through a window on its own, and the slowest of them ends it.

An operand's word is asked for by each multiplier whose other leaders let it take the step, and where its gates, other
operands, are not zero; a sum is updated where all leaders and gates are not zero. An array that multicasts brings a
word once if any multiplier asks for it, one that reduces brings up a sum if any adds to it. The first of the updates
that a sum would get without zeros needs no read, whether it happens or not.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping as MappingType

import numpy as np
from numpy.typing import NDArray
from oracle import Walk
from sparse_oracle import draw

from dovetail.accel.accelerator import Accelerator, Array, Memory
from dovetail.accel.mapping import Mapping
from dovetail.accel.zeros import most_of_group
from dovetail.models.op import Op, Role

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]
Masks = dict[Role, Bools]  # [draws, *words of each axis]
Request = tuple[str, Counts]
Level = dict[tuple, list[Request]]


def drawn(op: Op, draws: int, seed: int) -> Masks:
    """Masks of both operands as their patterns say."""
    rng = np.random.default_rng(seed)
    return {role: np.stack([draw(op, role, rng) for _ in range(draws)]) for role in ("input", "weight")}


def independent(op: Op, draws: int, seed: int) -> Masks:
    """Masks of both operands whose words are zero independently of each other."""
    rng = np.random.default_rng(seed)
    shapes = {role: [rank.words(op.bounds) for rank in op.tensor(role).ranks] for role in ("input", "weight")}
    return {role: rng.random((draws, *shape)) < op.tensor(role).density for role, shape in shapes.items()}


class SparseWalk(Walk):
    """By draw: ``words`` that multipliers ask for or add to (``asked`` without zeros), ``moved``, ``macs_done``."""

    def __init__(self, op: Op, accelerator: Accelerator, mapping: Mapping, masks: Masks) -> None:
        self.masks, self.draws = masks, len(masks["input"])
        self.skipping, self.gating = accelerator.compute.skipping, accelerator.compute.gating
        self.leaders = set(self.skipping.leaders if self.skipping else ())
        self.gates = set(self.gating)
        for memory in accelerator.memories:
            self.leaders.update(*memory.skipping.values())
            self.gates.update(*memory.gating.values())
        self.places: dict[Role, list[dict[int, int]]] = {}  # by axis, the number of each position that is touched
        for role in masks:
            axes = [[[c * x for x in range(op.bounds[d])] for d, c in rank.terms] for rank in op.tensor(role).ranks]
            touched = [sorted({sum(at) for at in itertools.product(*ranges)}) for ranges in axes]
            self.places[role] = [{at: number for number, at in enumerate(positions)} for positions in touched]
        self.found: dict[tuple[Role, tuple[int, ...]], Bools] = {}
        self.kept = {role: self.structured(op, role) for role in self.leaders}
        self.words: dict[Role, Counts] = {}
        self.asked: dict[Role, int] = {}  # without zeros
        self.moved: dict[tuple[str, Role], Counts] = defaultdict(lambda: np.zeros(self.draws, np.int64))
        self.macs_done = np.zeros(self.draws, np.int64)
        self.first_done = np.zeros(self.draws, np.int64)  # first updates of sums that happen
        super().__init__(op, accelerator, mapping)

    def walk_boundary(self, role: Role, parent: int, child: int) -> None:
        """Words between memories move whatever zeros there are."""

    def structured(self, op: Op, role: Role) -> Bools:
        """The leader's words that are taken for non-zero."""
        mask = self.masks[role]
        if not self.skipping or not self.skipping.structured:
            return mask
        n, m = self.skipping.structured
        if most_of_group(op, role, m, "C") > n:
            return np.ones_like(mask)
        axis = 1 + next(at for at, rank in enumerate(op.tensor(role).ranks) if "C" in dict(rank.terms))
        lines = np.moveaxis(mask, axis, -1).copy()
        for first in range(0, lines.shape[-1], m):
            group = lines[..., first : first + m]
            for at in range(group.shape[-1]):
                group[..., at] |= group.sum(axis=-1) < n
        return np.moveaxis(lines, -1, axis)

    def word(self, role: Role, at: MappingType[str, int]) -> tuple[int, ...]:
        ranks = self.op.tensor(role).ranks
        return tuple(
            places[sum(c * at[d] for d, c in rank.terms)] for rank, places in zip(ranks, self.places[role], strict=True)
        )

    def needed(self, role: Role, at: MappingType[str, int]) -> Bools:
        """Whether a leader's word, or one of the block around it, is not zero."""
        sides = self.skipping.blocks if self.skipping else {}
        tensor = self.op.tensor(role)
        corner = {d: at[d] - at[d] % sides.get(d, 1) for d in tensor.dims}
        key = role, tuple(corner[d] for d in sorted(corner))
        if key not in self.found:
            axes = []
            for rank, places in zip(tensor.ranks, self.places[role], strict=True):
                ranges = []
                for d, c in rank.terms:
                    last = min(corner[d] + sides.get(d, 1), self.op.bounds[d])
                    ranges.append([c * x for x in range(corner[d], last)])
                axes.append(sorted({places[sum(v)] for v in itertools.product(*ranges)}))
            box = self.kept[role][np.ix_(range(self.draws), *axes)]
            self.found[key] = box.reshape(self.draws, -1).any(axis=1)
        return self.found[key]

    def all_needed(self, roles: set[Role], at: MappingType[str, int]) -> Bools:
        found = np.ones(self.draws, np.bool_)
        for role in roles:
            found &= self.needed(role, at)
        return found

    def open(self, roles: set[Role], at: MappingType[str, int]) -> Bools:
        found = np.ones(self.draws, np.bool_)
        for role in roles:
            found &= self.masks[role][(slice(None), *self.word(role, at))]
        return found

    def wants(self, role: Role, memory: Memory, at: MappingType[str, int]) -> Bools:
        """Whether a multiplier asks for its word of an operand, or adds to its sum."""
        structured = self.skipping is not None and self.skipping.structured is not None
        leaders = set() if structured and role != "output" else self.leaders - {role}
        gates = (set(self.gating) | set(memory.gating.get(role, ()))) - {role}
        return self.all_needed(leaders, at) & self.open(gates, at)

    def at(self, state: MappingType[str, int], spatial: MappingType[str, int]) -> tuple[dict[str, int], bool]:
        """Where an instance is, and whether it has work."""
        at = {d: state[d] + spatial[d] for d in state}
        return at, all(at[d] < b for d, b in self.op.bounds.items())

    def walk_compute(self, role: Role, keeper: int) -> None:
        memory = self.order[keeper]
        arrays, instances = self.spatial_tree(len(self.order), keeper)
        flags = self.flags(role, keeper, len(self.order), reduce=role == "output")
        reads, asked = np.zeros(self.draws, np.int64), 0
        first: set[tuple] = set()
        nothing = np.zeros(self.draws, np.int64)
        for state in self.states(len(self.order)):
            level = {}
            for path, spatial in instances:
                at, busy = self.at(state, spatial)
                idle = any(at[d] >= self.op.bounds[d] for d in self.op.tensor(role).dims)
                amount = 1 + 2 * self.wants(role, memory, at) if busy else nothing  # 1: without zeros only, 3: asks
                level[path] = [("" if idle else self.word_key(role, at), amount)]
                if role == "input" and busy:
                    self.macs_done += self.all_needed(self.leaders, at) & self.open(self.gates, at)
            for depth, array in reversed(list(enumerate(arrays))):
                if array not in flags:
                    break
                crossing = sum((amount >> 1 for listed in level.values() for _, amount in listed), nothing)
                self.moved[self.order[array].name, role] += crossing
                level = self.up(level, depth, merged=flags[array])
            for path, listed in level.items():
                for key, amount in listed:
                    asked += int(amount[0] & 1)
                    reads += amount >> 1
                    if role == "output" and amount[0] and (path, key) not in first:
                        first.add((path, key))
                        self.first_done += amount >> 1
        self.words[role], self.asked[role] = reads, asked

    def up(self, level: Level, depth: int, *, merged: bool) -> Level:
        """What the nodes of an array pass on of what their children ask for."""
        groups = defaultdict(list)
        for path, listed in level.items():
            groups[path[:depth]].append(sorted(listed, key=lambda one: one[0]))
        if merged:
            return {path: self.merge(lists) for path, lists in groups.items()}
        return {path: [one for listed in lists for one in listed] for path, lists in groups.items()}

    @staticmethod
    def merge(lists: list[list[Request]]) -> list[Request]:
        needed: dict[tuple[str, ...], list[Counts]] = {}
        for listed in lists:
            keys, amounts = tuple(key for key, _ in listed), [amount for _, amount in listed]
            needed[keys] = list(map(np.maximum, needed.get(keys, amounts), amounts))
        return [one for keys, amounts in needed.items() for one in zip(keys, amounts, strict=True)]

    def word_key(self, role: Role, at: MappingType[str, int]) -> str:
        return repr(tuple(sum(c * at[d] for d, c in rank.terms) for rank in self.op.tensor(role).ranks))

    def cycles(self) -> NDArray[np.float64]:
        """Cycles of the compute, by draw."""
        arrays, instances = self.spatial_tree(len(self.order), 0)
        apart = [not level.lockstep for level in (self.order[p] for p in arrays) if isinstance(level, Array)]
        units = sorted({self.unit(path, apart) for path, _ in instances})
        skipping = self.skipping
        common = set(skipping.common if skipping else ())
        scan, rate = (set(skipping.scan), skipping.scan_rate) if skipping else (set(), 1.0)
        taken, handed, scanned = [], [], []
        for state in self.states(len(self.order)):
            steps = np.zeros((len(units), self.draws), np.bool_)
            out, looked = np.zeros(self.draws, np.bool_), np.zeros((len(units), self.draws), np.bool_)
            for path, spatial in instances:
                at, busy = self.at(state, spatial)
                if busy:
                    unit = units.index(self.unit(path, apart))
                    steps[unit] |= self.all_needed(self.leaders, at)
                    out |= self.all_needed(common, at)
                    looked[unit] |= self.all_needed(scan, at)
            taken.append(steps)
            handed.append(out)
            scanned.append(looked)
        steps, out = np.array(taken), np.array(handed)  # [steps, units, draws], [steps, draws]
        found = np.zeros(self.draws)
        for number in range(self.draws):
            mine = steps[out[:, number], :, number]
            window = skipping.window if skipping and skipping.window else len(mine)
            for first in range(0, len(mine), max(window, 1)):
                found[number] += mine[first : first + window].sum(axis=0).max()
        looking = np.array(scanned).sum(axis=0).max(axis=0) / rate if scan else np.zeros(self.draws)
        return np.maximum(found, looking)

    @staticmethod
    def unit(path: tuple[tuple[int, ...], ...], apart: list[bool]) -> tuple[tuple[int, ...], ...]:
        return tuple(indices for indices, own in zip(path, apart, strict=True) if own)
