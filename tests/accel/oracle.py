"""The definition of the counts: a plain walk over a small nest.

Every instance of every memory holds, for each tensor it keeps, one tile: the words that the loops at this level and
inside it touch, given the indices of the loops outside it. The walk runs the temporal loops in order, all instances in
lockstep; a loop stops where its first instance has nothing left to do. When a tile changes, exactly the words that were
not in the old tile move.

* An operand's new words come from the nearest memory above that keeps the tensor.
* An output's old words leave to that memory; its new words are read back if they have left before, and start at zero
  otherwise.
* On an array that multicasts a tensor, children of one node that go from the same tiles to the same tiles share one
  transfer; on an array that reduces, their leaving words are added and arrive as one. Without reduction each extra
  partial sum is accumulated in the memory above: one more read there.
* The compute holds nothing: every multiply-accumulate asks for its operands and gives its product, one word each.
* Where a memory fetches anew, no operand stays: every step of a loop outside brings in the whole tile.
* A tile is decided by the tensor's own dimensions; an instance that idles in another dimension holds it all the same.

Time, besides that of steps and words: each operand tile that comes into a memory takes its latency, as does each output
tile that leaves it or comes back. On a systolic array every pass, as long as the stationary tensor's tile inside the
array is the same, takes its overhead; where passes overlap, the first takes it for all. The first operands' and the
last outputs' tiles and the first pass take theirs before and after everything else.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

from dovetail.accel.accelerator import Accelerator, Array, Memory
from dovetail.accel.mapping import Mapping
from dovetail.models.op import ROLES, Op, Role

Tile = tuple[frozenset[int], ...]


def words(tile: Tile) -> set[tuple[int, ...]]:
    return set(itertools.product(*tile))


class Walk:
    """Counts of one mapping: ``counts[level, role][kind]`` and ``hops[array, role][kind]``, summed over instances."""

    def __init__(self, op: Op, accelerator: Accelerator, mapping: Mapping) -> None:
        self.op, self.accelerator = op, accelerator
        self.loops_by_level = {level.level: level.loops for level in mapping.levels}
        self.bypass = {level.level: level.bypass for level in mapping.levels}
        self.order = [level for level in accelerator.levels if isinstance(level, Memory | Array)]
        self.flat = []  # (place, dim, bound, spatial)
        for place, level in enumerate(self.order):
            for loop in self.loops_by_level[level.name]:
                self.flat.append((place, loop.dim, loop.bound, isinstance(level, Array)))
        self.counts: dict[tuple[str, Role], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.hops: dict[tuple[str, Role], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.steps = 0
        self.macs = 0
        for role in ROLES:
            keepers = self.keepers(role)
            for parent, child in itertools.pairwise(keepers):
                self.walk_boundary(role, parent, child)
            self.walk_compute(role, keepers[-1])

    def keepers(self, role: Role) -> list[int]:
        return [
            p
            for p, lv in enumerate(self.order)
            if isinstance(lv, Memory) and role in lv.keeps and role not in self.bypass[lv.name]
        ]

    def step_of(self, index: int) -> int:
        step = 1
        for _, dim, bound, _ in self.flat[index + 1 :]:
            if dim == self.flat[index][1]:
                step *= bound
        return step

    def states(self, place: int):
        """Temporal index tuples, in order, of the loops outside ``place``; skips what the first instance skips."""
        chosen = [i for i, (p, _, _, spatial) in enumerate(self.flat) if p < place and not spatial]
        for indices in itertools.product(*(range(self.flat[i][2]) for i in chosen)):
            offset = dict.fromkeys(self.op.bounds, 0)
            for i, k in zip(chosen, indices, strict=True):
                offset[self.flat[i][1]] += k * self.step_of(i)
            if all(offset[d] < b for d, b in self.op.bounds.items()):
                yield offset

    def spatial_tree(self, place: int, top: int):
        """Spatial offsets of the instances at ``place``: index tuples grouped per array from ``top`` down."""
        chosen = [i for i, (p, _, _, spatial) in enumerate(self.flat) if p < place and spatial]
        arrays = [p for p, lv in enumerate(self.order) if isinstance(lv, Array) and p < place]
        instances = []
        for indices in itertools.product(*(range(self.flat[i][2]) for i in chosen)):
            offset = dict.fromkeys(self.op.bounds, 0)
            path: dict[int, list[int]] = {p: [] for p in arrays}
            for i, k in zip(chosen, indices, strict=True):
                offset[self.flat[i][1]] += k * self.step_of(i)
                path[self.flat[i][0]].append(k)
            instances.append((tuple(tuple(path[p]) for p in arrays), offset))
        return arrays, instances

    def tile(self, role: Role, place: int, offset: dict[str, int]) -> Tile:
        extent = {}
        for dim, bound in self.op.bounds.items():
            size = 1
            for p, d, b, _ in self.flat:
                if d == dim and p >= place:
                    size *= b
            extent[dim] = range(offset[dim], min(offset[dim] + size, bound))
        ranks = []
        for rank in self.op.tensor(role).ranks:
            ranges = [[c * x for x in extent[d]] for d, c in rank.terms]
            ranks.append(frozenset(sum(v) for v in itertools.product(*ranges)))
        return tuple(ranks)

    def merged(self, arrays, transfers, flags):
        """Total words after each array from the innermost up, for ``transfers[path] = (key, words)`` per instance.

        Children of one node whose transfers have the same keys in the same places count once, with what the most
        active of them needs.
        """
        level = {path: [transfer] for path, transfer in sorted(transfers.items())}
        stages = [sum(n for transfers in level.values() for _, n in transfers)]
        for depth in range(len(arrays) - 1, -1, -1):
            if arrays[depth] not in flags:
                break
            groups = defaultdict(list)
            for path, listed in level.items():
                groups[path[:depth]].append(sorted(listed))
            level = {
                path: self.share(lists) if flags[arrays[depth]] else [one for listed in lists for one in listed]
                for path, lists in groups.items()
            }
            stages.append(sum(n for transfers in level.values() for _, n in transfers))
        return stages

    @staticmethod
    def share(lists):
        needed: dict[tuple, list[int]] = {}
        for one in lists:
            keys, amounts = tuple(key for key, _ in one), [n for _, n in one]
            needed[keys] = list(map(max, needed.get(keys, amounts), amounts))
        return [transfer for keys, amounts in needed.items() for transfer in zip(keys, amounts, strict=True)]

    def between(self, parent: int, child: int) -> list[int]:
        return [p for p in range(parent, child) if isinstance(self.order[p], Array)]

    def flags(self, role: Role, parent: int, child: int, *, reduce: bool, all_reduce: bool = False) -> dict[int, bool]:
        if reduce:
            return {p: self.order[p].reduces or all_reduce for p in self.between(parent, child)}
        return {p: role in self.order[p].multicast for p in self.between(parent, child)}

    def walk_boundary(self, role: Role, parent: int, child: int) -> None:
        arrays, instances = self.spatial_tree(child, parent)
        parent_count = self.counts[self.order[parent].name, role]
        child_count = self.counts[self.order[child].name, role]
        drained: dict[tuple, set] = defaultdict(set)
        empty: Tile = tuple(frozenset() for _ in self.op.tensor(role).ranks)
        old = {path: empty for path, _ in instances}
        sequence = [*self.states(child), None]
        anew = self.fetches_anew(role, child)
        for state in sequence:
            incoming, leaving = {}, {}
            if anew:
                old = {path: empty for path, _ in instances}
            for path, spatial in instances:
                if state is None:
                    new = empty
                else:
                    new = self.tile(role, child, {d: state[d] + spatial[d] for d in state})
                key = (tuple(map(sorted, map(list, old[path]))), tuple(map(sorted, map(list, new))))
                key = repr(key)
                entered, left = words(new) - words(old[path]), words(old[path]) - words(new)
                if role == "output":
                    child_count["entries"] += len(entered)
                    entered &= drained[path]
                    drained[path] |= left
                    leaving[path] = (key, len(left))
                incoming[path] = (key, len(entered))
                old[path] = new
            stages = self.merged(arrays, incoming, self.flags(role, parent, child, reduce=False))
            child_count["fills"] += stages[0]
            parent_count["reads"] += stages[-1]
            self.add_hops(role, parent, child, stages, "down")
            if role == "output":
                stages = self.merged(arrays, leaving, self.flags(role, parent, child, reduce=True))
                child_count["drains"] += stages[0]
                parent_count["updates"] += stages[-1]
                self.add_hops(role, parent, child, stages, "up")
                ideal = self.merged(arrays, leaving, self.flags(role, parent, child, reduce=True, all_reduce=True))
                parent_count["reads"] += stages[-1] - ideal[-1]

    def add_hops(self, role: Role, parent: int, child: int, stages: list[int], kind: str) -> None:
        for array, count in zip(reversed(self.between(parent, child)), stages, strict=False):
            self.hops[self.order[array].name, role][kind] += count

    def walk_compute(self, role: Role, keeper: int) -> None:
        end = len(self.order)
        arrays, instances = self.spatial_tree(end, keeper)
        count = self.counts[self.order[keeper].name, role]
        flags = self.flags(role, keeper, end, reduce=role == "output")
        if role == "input":
            self.steps = self.macs = 0
        updates = 0
        for state in self.states(end):
            asked = {}
            for path, spatial in instances:
                at = {d: state[d] + spatial[d] for d in state}
                idle = {d for d, b in self.op.bounds.items() if at[d] >= b}
                word = tuple(sum(c * at[d] for d, c in rank.terms) for rank in self.op.tensor(role).ranks)
                asked[path] = ("" if idle & self.op.tensor(role).dims else repr(word), 0 if idle else 1)
            stages = self.merged(arrays, asked, flags)
            if role == "output":
                updates += stages[-1]
                count["updates"] += stages[-1]
            else:
                count["reads"] += stages[-1]
            self.add_hops(role, keeper, end, stages, "up" if role == "output" else "down")
            if role == "input":
                self.steps += 1
                self.macs += sum(n for _, n in asked.values())
        if role == "output":
            count["reads"] += updates - self.first_touches(keeper)

    def fetches_anew(self, role: Role, place: int) -> bool:
        level = self.order[place] if place < len(self.order) else None
        return role != "output" and isinstance(level, Memory) and level.refetch

    def tile_changes(self, role: Role, place: int) -> tuple[int, int]:
        """How often the first instance's tile becomes another one, and how many tiles come back after they left."""
        held, left, changes, returns = None, set(), 0, 0
        for state in self.states(place):
            tile = tuple(state[d] for d in self.op.bounds if d in self.op.tensor(role).dims)
            if tile != held or self.fetches_anew(role, place):
                changes, returns = changes + 1, returns + (tile in left)
                left.add(held)
            held = tile
        return changes, returns

    def latencies(self) -> dict[str, float]:
        """Cycles of each memory's tiles, the first operands' and the last outputs' included."""
        cycles: dict[str, float] = defaultdict(float)
        for role in ROLES:
            for place in self.keepers(role)[1:]:
                changes, returns = self.tile_changes(role, place)
                tiles = changes + returns if role == "output" else changes
                cycles[self.order[place].name] += tiles * self.order[place].latency_cycles
        return cycles

    def passes(self) -> dict[str, float]:
        """Cycles of each systolic array besides its steps."""
        return {
            level.name: level.systolic.overhead_cycles
            * (1 if level.systolic.overlapped else self.tile_changes(level.systolic.stationary, place)[0])
            for place, level in enumerate(self.order)
            if isinstance(level, Array) and level.systolic
        }

    def first_touches(self, keeper: int) -> int:
        """Words that start at zero in an instance that has work at all: their first update needs no read."""
        _, instances = self.spatial_tree(keeper, 0)
        working = [(path, at) for path, at in instances if all(at[d] < b for d, b in self.op.bounds.items())]
        touched = set()
        for state in self.states(keeper):
            for path, spatial in working:
                at = {d: state[d] + spatial[d] for d in state}
                touched |= {(path, w) for w in words(self.tile("output", keeper, at))}
        return len(touched)
