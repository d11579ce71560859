"""The analytic model over torch tensors: real loop bounds in, energy and cycles out, with gradients.

The third form of the one definition (docs/model.md), after the readable and the compiled one, in the terms of the
latter (`kernel`). At whole factors that multiply to exactly the operator's bounds it equals them. Elsewhere it
continues the same closed forms: factors between whole ones, and partial tiles, which it takes as a fraction of a whole
one (a dimension of 7 in tiles of 4 has 7/4 tiles), while what a last, smaller tile shares with its neighbours and loops
that stop early in it are not looked at. Over random nests of small operators with partial tiles, half come out exact,
nine in ten within 12 %, the worst 44 % too cheap or 76 % too dear: search with it, then cost what is found exactly.

Differentiable relaxations of such models for mapping search: Hong et al., "DOSA", MICRO 2023.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ..errors import BadInput
from .batch import Problem
from .kernel_nest import (
    COMPUTE_J,
    COUNT_COLUMNS,
    DOUBLE_BUFFERED,
    DRAINS,
    FILLS,
    HOP0,
    KEEPS0,
    KEPT0,
    LEAKAGE_J,
    LEAST_TIME,
    LOCKSTEP,
    MEMORY,
    MULTICAST0,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    PARTIAL_DRAINS,
    PARTIAL_UPDATES,
    PASSING0,
    PIPELINE,
    PROBLEM,
    READ_BW,
    READ_J,
    READS,
    REDUCES,
    REFETCH,
    RESIDENT,
    ROOM,
    SCANNED,
    SHARED_PORT,
    SINGLE,
    STATIONARY,
    TOGETHER,
    UPDATES,
    USED0,
    WAIT,
    WHOLE0,
    WRITE_BW,
    WRITE_J,
)
from .relaxed_words import (
    Layout,
    RelaxedNest,
    at_most,
    edge_tile,
    idle,
    sharing,
    size_pair,
    tile_changes,
    words_anew,
    words_asked,
    words_entering,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .kernel_nest import ProblemArrays

__all__ = ["Relaxed", "RelaxedModel"]


@dataclass(frozen=True)
class Relaxed:
    """Costs of B relaxed mappings on P places.

    ``bits`` are what the tiles need in one instance of each memory, ``overflow`` those beyond its room (half its size
    where it is double-buffered). ``counts`` are words in the columns of `kernel_nest` (READS, FILLS, …), ``hops`` words
    delivered or collected by arrays.
    """

    energy_j: Tensor  # [B]
    cycles: Tensor  # [B]
    steps: Tensor  # [B]
    bits: Tensor  # [B, P]
    overflow: Tensor  # [B, P]
    counts: Tensor  # [B, P, 3, COUNT_COLUMNS]
    hops: Tensor  # [B, P, 3]


class RelaxedModel:
    """One operator on one accelerator over torch tensors (float64) on ``device``.

    A loop whose factor is at most ``least`` counts as absent where it is asked whether there is one at all.
    ``straight_through`` lets the gradient see what a loop's presence changes; without it, it is that of the values.
    """

    def __init__(
        self,
        problem: Problem,
        device: str | torch.device = "cpu",
        least: float = 1.0 + 1e-6,
        *,
        straight_through: bool = True,
    ) -> None:
        if not problem.dims:
            raise BadInput(f"{problem.op.name}: every dimension is 1, there is nothing to relax")
        self.problem, self.device, self.least, self.straight_through = problem, device, least, straight_through
        record: Any = problem.arrays  # whose fields only compiled code reads as attributes
        self.arrays = cast("ProblemArrays", SimpleNamespace(**{name: record[name] for name in PROBLEM.names or ()}))
        self.layout = Layout(self.arrays)
        self.room = tuple(self.arrays.reals[: self.arrays.n_places, ROOM].tolist())
        self.temporal = [s for s, slot in enumerate(problem.slots) if not slot.axis]
        places = range(len(problem.places) + 1)
        self._above = tuple(
            len(problem.dims) * sum(problem.slots[s].place < place for s in self.temporal) for place in places
        )
        self._slots_at = [[s for s, slot in enumerate(problem.slots) if slot.place == place] for place in places]

    def evaluate(self, factors: Tensor, order: Tensor, bypass: Tensor | None = None) -> Relaxed:
        """Costs of a batch; arguments as for `Problem.evaluate`.

        ``factors`` [B, S, D] float64, at least 1, that multiply to the bounds; ``order`` [B, S, D] and ``bypass``
        [B, P, 3] whole numbers. A mapping that does not fit costs what it would if it did; see ``overflow``. Raises
        `BadInput` for other shapes.
        """
        import torch

        slots, dims, places = len(self.problem.slots), len(self.problem.dims), len(self.problem.places)
        batch = len(factors)
        skips = torch.zeros((batch, places, 3), dtype=torch.long) if bypass is None else bypass
        for what, given, wanted in (
            ("factors", factors, (batch, slots, dims)),
            ("order", order, (batch, slots, dims)),
            ("bypass", skips, (batch, places, 3)),
        ):
            if tuple(given.shape) != wanted or not batch:
                raise BadInput(f"{what} of shape {tuple(given.shape)}; give {wanted} with at least one mapping")
        factors, order = factors.to(self.device, torch.float64), order.to(self.device)
        nest = self._nest(factors, order)
        may_keep = torch.as_tensor(self.arrays.ints[:places, KEEPS0 : KEEPS0 + 3] != 0, device=factors.device)
        keeps = may_keep & (skips.to(self.device) == 0)
        tally = _Tally(self, nest, keeps)
        steps = nest.bounds.new_ones(batch)
        for dim in range(dims):
            whole = nest.bounds.where(nest.dims == dim, 1.0).prod(1)
            steps = steps * at_most(whole, self.layout.bounds[dim])
        steps = steps * self._step_time(nest)
        energy, cycles, counts, hops = tally.cost(steps)
        bits = self._bits(factors, nest, keeps)
        overflow = (bits - torch.as_tensor(self.room, dtype=bits.dtype, device=bits.device)).clamp(min=0.0)
        return Relaxed(energy, cycles, steps, bits, overflow, counts, hops)

    def _step_time(self, nest: RelaxedNest) -> Tensor | float:
        """[B] cycles per step: `kernel.step_time`."""
        import torch

        arrays, units = self.arrays, nest.span[:, 0, 0] * 0.0 + 1.0
        least, together, scanned = (float(arrays.scalars[k]) for k in (LEAST_TIME, TOGETHER, SCANNED))
        if not arrays.window:
            return least
        for place in range(arrays.n_places):
            if not arrays.ints[place, MEMORY] and not arrays.ints[place, LOCKSTEP]:
                units = units * nest.spread[:, place].prod(1)
        chances = torch.as_tensor(arrays.chances[: arrays.window], dtype=units.dtype, device=units.device)
        slowest = -torch.expm1(units[:, None] * chances.clamp(min=-1e300)).mean(1)
        return (together * slowest).clamp(min=scanned)

    def _nest(self, factors: Tensor, order: Tensor) -> RelaxedNest:
        import torch

        problem, batch = self.problem, len(factors)
        ones = torch.ones_like(factors[:, 0])
        inner, span = ones, [ones]
        spread: list[Tensor] = []
        steps = [ones] * len(problem.slots)
        for place in range(len(problem.places) - 1, -1, -1):
            here = ones
            for s in reversed(self._slots_at[place]):
                steps[s], inner = inner, inner * factors[:, s]
                here = here * factors[:, s] if problem.slots[s].axis else here
            span.insert(0, inner)
            spread.insert(0, here)
        copies = [ones]
        for here in spread:
            copies.append(copies[-1] * here)
        spans, spreads = torch.stack(span, 1), torch.stack(spread, 1)
        bounds = torch.as_tensor(self.arrays.bounds[: len(problem.dims)], device=factors.device).to(factors.dtype)
        relevant = torch.as_tensor(self.arrays.relevant[:, : len(problem.dims)], device=factors.device)
        sequence = order[:, self.temporal].long()
        return RelaxedNest(
            layout=self.layout,
            least=self.least,
            straight_through=self.straight_through,
            above=self._above,
            dims=sequence.reshape(batch, -1),
            kinds=relevant[:, sequence.reshape(batch, -1)],
            bounds=factors[:, self.temporal].gather(2, sequence).reshape(batch, -1),
            steps=torch.stack(steps, 1)[:, self.temporal].gather(2, sequence).reshape(batch, -1),
            span=spans,
            tile=spans.where(spans <= bounds * (1.0 + 1e-9), bounds),
            spread=spreads,
            copies=torch.stack(copies, 1),
            idles=torch.stack([spreads[:, :, apart].prod(2) for apart in self.layout.apart]),
        )

    def _bits(self, factors: Tensor, nest: RelaxedNest, keeps: Tensor) -> Tensor:
        """[B, P] bits of the tiles in one instance of each memory."""
        import torch

        arrays, problem = self.arrays, self.problem
        adding = [dim for dim in range(arrays.n_dims) if arrays.relevant[OUTPUT, dim] != SINGLE]
        unfinished = torch.zeros_like(factors[:, 0, 0], dtype=torch.bool)
        found = []
        for place in range(len(problem.places)):
            several = (factors[:, self._slots_at[place]][:, :, adding] > self.least).flatten(1).any(1)
            memory = bool(arrays.ints[place, MEMORY])
            unfinished_here = unfinished | several if memory else unfinished
            need = torch.zeros_like(factors[:, 0, 0])
            for role in range(3):
                if not arrays.ints[place, KEEPS0 + role]:
                    continue
                whole, partial = (float(arrays.reals[place, column + role]) for column in (KEPT0, PARTIAL0))
                words = torch.full_like(need, whole).where(~unfinished_here, partial)
                if arrays.ints[place, KEEPS0 + role] == RESIDENT:
                    need = need + float(arrays.scalars[OUTPUT_WORDS]) * (words - whole)
                    continue
                for a, scale_a, b, scale_b in self.layout.ranks[role]:
                    size = nest.tile[:, place, a]
                    words = words * (size if b < 0 else size_pair(size, nest.tile[:, place, b], scale_a, scale_b))
                need = need + words * keeps[:, place, role]
            found.append(need)
            unfinished = unfinished | several
        return torch.stack(found, 1)


class _Tally:
    """Counts, edges and halts: `kernel`'s ways down, up and to the compute.

    Mappings skip different memories, so every way between two of them is counted, its words times 1 for the mappings
    that take it and 0 for the others.
    """

    def __init__(self, model: RelaxedModel, nest: RelaxedNest, keeps: Tensor) -> None:
        self.arrays, self.nest = model.arrays, nest
        places = range(self.arrays.n_places)
        zero = nest.span[:, 0, 0] * 0.0
        self.counts = [[[zero] * COUNT_COLUMNS for _ in range(3)] for _ in places]
        self.hops = [[zero] * 3 for _ in places]
        self.edge_read, self.edge_written = [zero for _ in places], [zero for _ in places]
        self.edges = self.halts = self.unused_j = zero
        self.waits = [zero for _ in places]
        self.unasked, self.ungiven = [zero for _ in places], [zero for _ in places]
        used = nest.copies.prod(2)
        reals, ints = self.arrays.reals, self.arrays.ints
        # cycles per bit, so that an unlimited bandwidth is a zero and not an infinity that spoils the gradient
        self.read = [1.0 / float(reals[p, READ_BW]) / used[:, p] for p in places]
        self.write = [1.0 / float(reals[p, READ_BW if ints[p, SHARED_PORT] else WRITE_BW]) / used[:, p] for p in places]
        for role in range(3):
            for parent, child, taken in self._ways(keeps[:, :, role]):
                if child == self.arrays.n_places:
                    self._compute(role, parent, taken)
                else:
                    (self._up if role == OUTPUT else self._down)(role, parent, child, taken)
                    self._wait(role, child, taken)
        for place in places:
            if not ints[place, MEMORY] and reals[place, WAIT]:
                passes, _ = tile_changes(nest, int(ints[place, STATIONARY]), place)
                self.halts = self.halts + (passes - 1.0) * float(reals[place, WAIT])

    def _ways(self, keeps: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """(parent, child, [B] 1 where it is taken) of the ways of a tensor; past the last place comes the compute."""
        holds = [*keeps.unbind(1), keeps.new_ones(len(keeps))]
        for parent in range(self.arrays.n_places):
            open_end = holds[parent]
            for child in range(parent + 1, self.arrays.n_places + 1):
                taken = open_end & holds[child]
                if bool(taken.any()):
                    yield parent, child, taken.to(self.nest.span.dtype)
                open_end = open_end & ~holds[child]

    def _add(self, place: int, role: int, column: int, words: Tensor) -> None:
        self.counts[place][role][column] = self.counts[place][role][column] + words

    def _arrays_between(self, parent: int, child: int) -> list[int]:
        """Places of the arrays on the way, innermost first."""
        return [place for place in range(child - 1, parent, -1) if not self.arrays.ints[place, MEMORY]]

    def _spread_sums(self, place: int) -> Tensor:
        """Whether several instances of the memory hold shares of one output word."""
        return idle(self.nest, OUTPUT, 0, place) > self.nest.least

    def _down(self, role: int, parent: int, child: int, taken: Tensor) -> None:
        nest, arrays = self.nest, self.arrays
        entering = words_anew if arrays.ints[child, REFETCH] else words_entering
        whole, first = entering(nest, role, child) * taken, edge_tile(nest, role, child) * taken
        copies = idle(nest, role, 0, child)
        scale: Tensor | float = 1.0
        filled, first_filled = whole * copies, first * copies
        shared: list[int] = []
        for place in self._arrays_between(parent, child):
            self.hops[place][role] = self.hops[place][role] + whole * scale * copies
            if arrays.ints[place, MULTICAST0 + role]:
                copies = copies / idle(nest, role, place, place + 1)
                shared.append(place)
                scale = sharing(nest, role, shared)
        served, first_served = whole * scale * copies, first * scale * copies
        self._add(child, role, FILLS, filled)
        self._add(parent, role, READS, served)
        bits_child, bits_parent = (float(arrays.reals[place, PARTIAL0 + role]) for place in (child, parent))
        read, write = bits_parent * self.read[parent], bits_child * self.write[child]
        coming = (first_served * read).maximum(first_filled * write)
        self.edge_read[parent] = self.edge_read[parent] + first_served * bits_parent
        self.edge_written[child] = self.edge_written[child] + first_filled * bits_child
        self.edges = self.edges + coming
        if not arrays.ints[child, DOUBLE_BUFFERED]:
            self.halts = self.halts + (served * read).maximum(filled * write) - coming

    def _up(self, role: int, parent: int, child: int, taken: Tensor) -> None:
        nest, arrays, whole = self.nest, self.arrays, float(self.arrays.scalars[OUTPUT_WORDS]) * taken
        leaving = words_entering(nest, role, child) * taken  # what enters or starts at zero leaves again
        entering, last_out = leaving - whole, edge_tile(nest, role, child) * taken
        copies = idle(nest, role, 0, child)
        sent = collected = reduced = copies
        for place in self._arrays_between(parent, child):
            self.hops[place][role] = self.hops[place][role] + entering * sent + leaving * collected
            alike = idle(nest, role, place, place + 1)
            reduced = reduced / alike
            sent = sent / alike if arrays.ints[place, MULTICAST0 + role] else sent
            collected = collected / alike if arrays.ints[place, REDUCES] else collected
        finished = {place: whole * ~self._spread_sums(place) for place in (parent, child)}
        self._add(child, role, FILLS, entering * copies)
        self._add(parent, role, READS, entering * sent + leaving * (collected - reduced))
        self._add(child, role, DRAINS, leaving * copies)
        self._add(child, role, PARTIAL_DRAINS, leaving * copies - finished[child])
        self._add(parent, role, UPDATES, leaving * collected)
        self._add(parent, role, PARTIAL_UPDATES, leaving * collected - finished[parent])
        bits_child, bits_parent = (float(arrays.reals[place, PARTIAL0 + role]) for place in (child, parent))
        saved_child, saved_parent = (self._saved(place) for place in (child, parent))
        sent_last = last_out * (copies * bits_child - saved_child)
        collected_last = last_out * (collected * bits_parent - saved_parent)
        ending = (sent_last * self.read[child]).maximum(collected_last * self.write[parent])
        self.edge_read[child] = self.edge_read[child] + sent_last
        self.edge_written[parent] = self.edge_written[parent] + collected_last
        self.edges = self.edges + ending
        if not arrays.ints[child, DOUBLE_BUFFERED]:
            coming = (entering * sent * bits_parent * self.read[parent]).maximum(
                entering * copies * bits_child * self.write[child]
            )
            draining = (leaving * copies * bits_child - whole * saved_child) * self.read[child]
            collecting = (leaving * collected * bits_parent - whole * saved_parent) * self.write[parent]
            self.halts = self.halts + coming + draining.maximum(collecting) - ending

    def _wait(self, role: int, child: int, taken: Tensor) -> None:
        """Latencies of the tiles that the child takes in or gives back."""
        latency = float(self.arrays.reals[child, WAIT])
        if not latency:
            return
        anew = role != OUTPUT and bool(self.arrays.ints[child, REFETCH])
        tiles, distinct = tile_changes(self.nest, role, child, anew=anew)
        tiles = 2.0 * tiles - distinct if role == OUTPUT else tiles
        self.edges, waiting = self.edges + latency * taken, latency * (tiles - 1.0) * taken
        if self.arrays.ints[child, DOUBLE_BUFFERED]:
            self.waits[child] = self.waits[child] + waiting
        else:
            self.halts = self.halts + waiting

    def _saved(self, place: int) -> Tensor:
        """[B] bits by which a finished output word is narrower than a partial sum; 0 where sums are spread."""
        narrower = float(self.arrays.reals[place, PARTIAL0 + OUTPUT] - self.arrays.reals[place, WHOLE0 + OUTPUT])
        return narrower * (~self._spread_sums(place)).to(self.nest.span.dtype)

    def _compute(self, role: int, keeper: int, taken: Tensor) -> None:
        """The way between the innermost keeper and the multipliers, which hold nothing."""
        nest, arrays = self.nest, self.arrays
        shared: list[int] = []
        words = words_asked(nest, role, shared) * taken
        for place in self._arrays_between(keeper, arrays.n_places):
            self.hops[place][role] = self.hops[place][role] + words * float(arrays.reals[keeper, USED0 + role])
            if arrays.ints[place, REDUCES if role == OUTPUT else MULTICAST0 + role]:
                shared.append(place)
                words = words_asked(nest, role, shared) * taken
        self._add(keeper, role, READS, words)
        reals, fewer = arrays.reals[keeper], words * 0.0
        unused, bits = 1.0 - float(reals[USED0 + role]), float(reals[PARTIAL0 + role])
        unasked = 1.0 - float(reals[PASSING0 + role])
        if role == OUTPUT:
            whole = float(arrays.scalars[OUTPUT_WORDS]) * taken
            fewer, finished = whole * idle(nest, role, 0, keeper), whole * ~self._spread_sums(keeper)
            self._add(keeper, role, READS, -fewer)
            self._add(keeper, role, UPDATES, words)
            self._add(keeper, role, PARTIAL_UPDATES, words - finished)
            written = words * bits - finished * (bits - float(reals[WHOLE0 + role]))
            self.unused_j = self.unused_j + unused * written * float(reals[WRITE_J])
            self.ungiven[keeper] = self.ungiven[keeper] + unasked * written
        read = (words - fewer) * bits
        self.unused_j = self.unused_j + unused * read * float(reals[READ_J])
        self.unasked[keeper] = self.unasked[keeper] + unasked * read

    def cost(self, steps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(energy in J [B], cycles [B], counts [B, P, 3, COUNT_COLUMNS], hops [B, P, 3])."""
        import torch

        places, longest = self.arrays.n_places, steps + self.halts
        shape = (len(steps), places, 3)
        counts = torch.stack([one for rows in self.counts for row in rows for one in row], 1)
        counts = counts.reshape(*shape, COUNT_COLUMNS)
        hops = torch.stack([one for row in self.hops for one in row], 1).reshape(shape)
        reals = torch.as_tensor(self.arrays.reals[:places], device=steps.device)
        whole, partial, hop = (reals[:, column : column + 3] for column in (WHOLE0, PARTIAL0, HOP0))
        sums, sent = counts[..., READS] + counts[..., PARTIAL_DRAINS], counts[..., DRAINS]
        read = (sums * partial + (sent - counts[..., PARTIAL_DRAINS]) * whole).sum(2)
        sums, kept = counts[..., FILLS] + counts[..., PARTIAL_UPDATES], counts[..., UPDATES]
        written = (sums * partial + (kept - counts[..., PARTIAL_UPDATES]) * whole).sum(2)
        energy = (read * reals[:, READ_J] + written * reals[:, WRITE_J] + (hops * hop).sum(2)).sum(1)
        for place in range(places):
            if self.arrays.ints[place, MEMORY]:
                asked = read[:, place] - self.unasked[place] - self.edge_read[place]
                given = written[:, place] - self.ungiven[place] - self.edge_written[place]
                reading = asked.clamp(min=0.0) * self.read[place]
                writing = given.clamp(min=0.0) * self.write[place]
                both = reading + writing if self.arrays.ints[place, SHARED_PORT] else reading.maximum(writing)
                longest = longest.maximum(both + self.waits[place])
        compute, leakage, pipeline = (float(self.arrays.scalars[k]) for k in (COMPUTE_J, LEAKAGE_J, PIPELINE))
        cycles = self.edges + longest + pipeline
        return energy - self.unused_j + compute + leakage * cycles, cycles, counts, hops
