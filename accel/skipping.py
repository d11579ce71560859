"""What zeros save at the multipliers: work that does not switch (gating), and steps that are not taken (skipping).

A tensor's density is the share of its words that are not zero; the zeros of one operand are independent of the
other's. A gated step passes, but nothing switches: it saves energy and no time. A skipped one takes no time either, and
nothing is read or written for it. All of this is settled by an operator and an accelerator, whatever the mapping, but
for how long instances wait for each other, which depends on how many there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..models.op import Op, Role
from .accelerator import Accelerator, Memory, Packed
from .imbalance import log_cdf, slowest
from .queues import queued
from .sparsity import stored_words
from .zeros import most_of_group, stored_blocks

__all__ = ["Savings"]


@dataclass(frozen=True)
class Savings:
    """Shares, between 0 and 1, of what one operator would cost one accelerator if no word were zero."""

    op: Op
    accelerator: Accelerator

    @cached_property
    def gates(self) -> frozenset[Role]:
        """Operands whose zeros keep a multiplier from switching."""
        return self.accelerator.compute.gating.union(*(set().union(*memory.gating.values()) for memory in self._gated))

    @cached_property
    def _gated(self) -> tuple[Memory, ...]:
        return tuple(memory for memory in self.accelerator.memories if memory.gating)

    @cached_property
    def leaders(self) -> frozenset[Role]:
        """Operands whose zeros let a step be skipped."""
        skipping = self.accelerator.compute.skipping
        found = set(skipping.leaders) if skipping else set()
        for memory in self.accelerator.memories:
            found.update(*memory.skipping.values())
        return frozenset(found)

    @cached_property
    def common(self) -> frozenset[Role]:
        """Those among the leaders for whose zeros all instances skip a step together."""
        skipping = self.accelerator.compute.skipping
        return skipping.common if skipping else frozenset()

    def taken(self, role: Role) -> float:
        """Share of the steps that a leader's zeros leave over."""
        skipping, tensor = self.accelerator.compute.skipping, self.op.tensor(role)
        if tensor.density >= 1.0:
            return 1.0
        if skipping and skipping.structured:
            n, m = skipping.structured
            return n / m if most_of_group(self.op, role, m, "C") <= n else 1.0
        if skipping and skipping.blocks:
            return self._in_blocks(role, skipping.blocks)
        if skipping and role in skipping.packed:
            return self._packed(role, skipping.packed[role])
        if skipping and role in skipping.padded:
            return self._padded(role)
        return tensor.density

    def _in_blocks(self, role: Role, blocks: Mapping[str, int]) -> float:
        """Share of the words in aligned blocks that are not empty; those at the tensor's end may be smaller."""
        tensor = self.op.tensor(role)
        sides = {dim: size for dim, size in sorted(blocks.items()) if dim in tensor.dims}
        if any(len(rank.terms) > 1 and not sides.keys().isdisjoint(dict(rank.terms)) for rank in tensor.ranks):
            return 1.0 - self.op.occupancy(role, sides).empty  # a window's words lie in several blocks
        return stored_blocks(self.op, role, tuple(sides.items()))[2] / self.op.words(role)

    def _padded(self, role: Role) -> float:
        """Share of the words for which the innermost memory that has a code for them stores a word."""
        coded = [memory for memory in self.accelerator.memories if role in memory.compression]
        return stored_words(coded[-1], self.op, role) if coded else 1.0

    def _packed(self, role: Role, packed: Packed) -> float:
        """Share of a tile's vectors that its words which are not zero fill, the last one in part."""
        dims = sorted(self.op.tensor(role).dims)
        occupancy = self.op.occupancy(role, {dim: min(packed.tile.get(dim, 1), self.op.bounds[dim]) for dim in dims})
        vectors = math.ceil(occupancy.words / packed.lanes)
        return math.fsum(occupancy.above(packed.lanes * filled) for filled in range(vectors)) / vectors

    def _worked(self, role: Role) -> float:
        """Share of the multiply-accumulates that a leader's zeros leave over: idle lanes of a vector do none."""
        skipping = self.accelerator.compute.skipping
        return self.op.tensor(role).density if skipping and role in skipping.packed else self.taken(role)

    def _all_taken(self, roles: frozenset[Role]) -> float:
        return math.prod(self.taken(role) for role in sorted(roles))

    @cached_property
    def computed(self) -> float:
        """Share of the multiply-accumulates that switch."""
        gated = math.prod(self.op.tensor(role).density for role in sorted(self.gates))
        return gated * math.prod(self._worked(role) for role in sorted(self.leaders - self.gates))

    @cached_property
    def steps(self) -> float:
        """Share of the steps that an instance takes in the mean."""
        return self._all_taken(self.leaders)

    @cached_property
    def together(self) -> float:
        """Of that, what is the same for all instances: common zeros, and patterns that leave nothing to chance."""
        structured = self.accelerator.compute.skipping and self.accelerator.compute.skipping.structured
        return self._all_taken(self.leaders if structured else self.common & self.leaders)

    @cached_property
    def scanned(self) -> float:
        """Cycles per step for looking at what a scan's leaders leave over."""
        skipping = self.accelerator.compute.skipping
        return self._all_taken(skipping.scan) / skipping.scan_rate if skipping and skipping.scan else 0.0

    @cached_property
    def logs(self) -> tuple[float, ...]:
        """Of a window's steps that are left to chance, `imbalance.log_cdf`; empty where instances never wait."""
        skipping = self.accelerator.compute.skipping
        chance = self.steps / self.together
        if not skipping or not skipping.window or skipping.queue or chance >= 1.0:
            return ()
        structured = self.together / self._all_taken(self.common & self.leaders)
        return log_cdf(max(1, round(skipping.window * structured)), chance)

    @cached_property
    def least_time(self) -> float:
        """Cycles per step where no instance waits for another, but for those behind queues."""
        return max(self.steps * self.behind, self.scanned)

    @cached_property
    def behind(self) -> float:
        """How many times as long queues make all instances take, whether a mapping has work for them or not."""
        skipping = self.accelerator.compute.skipping
        chance = self.steps / self.together
        if not skipping or not skipping.queue or chance >= 1.0:
            return 1.0
        apart = math.prod(array.size for array in self.accelerator.arrays if not array.lockstep)
        return queued(skipping.window, chance, skipping.queue, apart) / chance

    def time(self, units: float) -> float:
        """Cycles per step of ``units`` instances that skip steps each on its own."""
        if not self.logs:
            return self.least_time
        return max(self.together * slowest(self.logs, units), self.scanned)

    def _shared(self, memory: Memory, role: Role) -> tuple[bool, bool]:
        """Whether a word serves several multipliers (or they add to one), and whether these step on their own."""
        shared = apart = False
        for array in self.accelerator.arrays_below(memory):
            if array.reduces if role == "output" else role in array.multicast:
                shared, apart = True, apart or not array.lockstep
        return shared, apart

    def passing(self, memory: Memory, role: Role) -> float:
        """Share of the words that pass between ``memory``, the innermost to hold ``role``, and the multipliers.

        A step that is skipped asks for no words; one that leads has been read, unless its code leaves it out. Where a
        word goes to several multipliers that skip steps on their own, it is read if any of them asks for it: nothing is
        saved but by common zeros. Of ``structured`` leaders, all words are read beside which one of theirs may stand.
        """
        others = self.leaders - {role}
        if not others:
            return 1.0
        if self._shared(memory, role)[1]:
            others &= self.common
        skipping = self.accelerator.compute.skipping
        if skipping and skipping.structured and role != "output":
            return 1.0
        return self._all_taken(others)

    def used(self, memory: Memory, role: Role) -> float:
        """Share of those words that cost energy: what gating leaves over of what passes.

        A gated multiplier reads no word of the other operand and leaves its sum alone. Where a word goes to several, it
        is read for all of them, and nothing is saved.
        """
        passing = self.passing(memory, role)
        gates = (self.accelerator.compute.gating | memory.gating.get(role, frozenset())) - {role}
        if not gates or self._shared(memory, role)[0]:
            return passing
        share = passing
        for gate in sorted(gates):
            share *= self.op.tensor(gate).density / (self.taken(gate) if gate in self.leaders else 1.0)
        return share
