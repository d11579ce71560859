"""One spatial assignment as numbers: the record that holds them, and the room that tiles take.

`kernel_prepare` fills it.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np

from ...accel.batch import MAX_DIMS, MAX_PLACES
from ...accel.kernel_nest import (
    KEPT0,
    OUTPUT,
    OUTPUT_WORDS,
    PARTIAL0,
    RESIDENT,
    SINGLE,
    ProblemArrays,
    Vector,
    compiled,
    name_record,
    size_pair,
)

__all__ = [
    "BOUNDARIES", "COMPUTE", "INSTANCE", "MEMORIES", "PORTS", "WINDOWS", "Instance", "clear_boundary", "instance",
    "tile_bits",
]  # fmt: skip

MEMORIES, BOUNDARIES, PORTS, WINDOWS = 20, 15, 24, 4
COMPUTE = 0  # the port that stands for the compute steps and the halts


class Instance(Protocol):
    """A record of ``INSTANCE``; the numbers in use come first. Memories count from the outermost, 0."""

    n_memories: int
    n_boundaries: int
    n_ports: int
    n_dims: int  # joined dimensions
    failed: int  # 1: more memories, tensors or ports than there is room for
    place: Any  # [M] place of a memory
    memory: Any  # [P] memory at a place; -1 for an array
    joined: Any  # [D] joined dimension of each dimension
    group: Any  # [V] dimensions of different groups are constrained differently
    bound: Any  # [V]
    passes: Any  # [V] left for loops in time
    perfect: Any  # [V] whether the arrays' factors times the passes give the bound
    kind: Any  # [3, V] APART, SINGLE or WINDOW
    inside: Any  # [M, V] instances of arrays inside a memory
    outside: Any  # [M, V] and outside it
    windows: Any  # [3, R, 4] ranks of two dimensions: dimension, scale, dimension, scale; -1 pads
    n_windows: Any  # [3]
    keeps: Any  # [M, 3]
    near: Any  # [M, V] whether the tiles of all instances lie side by side, so that partial ones are known
    open_at: Any  # [V] outermost array whose steps along it decide what `base` leaves open (place); past the last: none
    role: Any  # [B] tensor of a boundary
    child: Any  # [B] memory below it
    parent: Any  # [B]
    window: Any  # [B] number of a boundary whose tensor has windows; -1 for others
    direct: Any  # [B] array between whose neighbours share windows (place); -1 none
    fill_j: Any  # [B] J per word that enters
    serve_j: Any  # [B] J per word, times the share of words left where equal windows are sent once
    fill_cycles: Any  # [B, PORTS]
    serve_cycles: Any  # [B, PORTS]
    first_fill: Any  # [B] cycles per word of the first (or last) tile at the child
    first_serve: Any  # [B] and at the parent
    edge_fill: Any  # [B, PORTS] of those, cycles that count for a port
    edge_serve: Any  # [B, PORTS]
    halt_fill: Any  # [B] cycles by which words on their way down halt the compute: the larger of the two, per word
    halt_serve: Any  # [B]
    halt_drain: Any  # [B] and outputs on their way up, per word
    halt_collect: Any  # [B]
    halt_less: Any  # [B, 2] cycles saved there, as finished words are narrower
    saved: Any  # [B] words of the compulsory ones that need not come down: outputs at first
    tile_cycles: Any  # [B, PORTS] for each tile that the child takes in or gives back (COMPUTE: by which it halts)
    pass_cycles: Any  # [B] for each of the child's tiles that is a pass over a systolic array
    waits: int  # 1 where any of the two is not zero
    least_share: Any  # [B] smallest share of words left where equal windows are sent once
    compulsory: Any  # [B] words that enter under any loops in time
    read_port: Any  # [M]
    write_port: Any  # [M]
    base: Any  # [2, 1 + PORTS] low and high: J, then cycles by port, compulsory words included
    steps: float
    pipeline: float
    leakage: float  # J per cycle


INSTANCE = np.dtype(
    [
        ("n_memories", "i8"),
        ("n_boundaries", "i8"),
        ("n_ports", "i8"),
        ("n_dims", "i8"),
        ("failed", "i8"),
        ("place", "i8", (MEMORIES,)),
        ("memory", "i8", (MAX_PLACES,)),
        ("joined", "i8", (MAX_DIMS,)),
        ("group", "i8", (MAX_DIMS,)),
        ("bound", "i8", (MAX_DIMS,)),
        ("passes", "i8", (MAX_DIMS,)),
        ("perfect", "i8", (MAX_DIMS,)),
        ("kind", "i8", (3, MAX_DIMS)),
        ("inside", "i8", (MEMORIES, MAX_DIMS)),
        ("outside", "i8", (MEMORIES, MAX_DIMS)),
        ("windows", "i8", (3, MAX_DIMS, 4)),
        ("n_windows", "i8", (3,)),
        ("keeps", "i8", (MEMORIES, 3)),
        ("near", "i8", (MEMORIES, MAX_DIMS)),
        ("open_at", "i8", (MAX_DIMS,)),
        ("role", "i8", (BOUNDARIES,)),
        ("child", "i8", (BOUNDARIES,)),
        ("parent", "i8", (BOUNDARIES,)),
        ("window", "i8", (BOUNDARIES,)),
        ("direct", "i8", (BOUNDARIES,)),
        ("fill_j", "f8", (BOUNDARIES,)),
        ("serve_j", "f8", (BOUNDARIES,)),
        ("fill_cycles", "f8", (BOUNDARIES, PORTS)),
        ("serve_cycles", "f8", (BOUNDARIES, PORTS)),
        ("first_fill", "f8", (BOUNDARIES,)),
        ("first_serve", "f8", (BOUNDARIES,)),
        ("edge_fill", "f8", (BOUNDARIES, PORTS)),
        ("edge_serve", "f8", (BOUNDARIES, PORTS)),
        ("halt_fill", "f8", (BOUNDARIES,)),
        ("halt_serve", "f8", (BOUNDARIES,)),
        ("halt_drain", "f8", (BOUNDARIES,)),
        ("halt_collect", "f8", (BOUNDARIES,)),
        ("halt_less", "f8", (BOUNDARIES, 2)),
        ("saved", "f8", (BOUNDARIES,)),
        ("tile_cycles", "f8", (BOUNDARIES, PORTS)),
        ("pass_cycles", "f8", (BOUNDARIES,)),
        ("waits", "i8"),
        ("least_share", "f8", (BOUNDARIES,)),
        ("compulsory", "f8", (BOUNDARIES,)),
        ("read_port", "i8", (MEMORIES,)),
        ("write_port", "i8", (MEMORIES,)),
        ("base", "f8", (2, 1 + PORTS)),
        ("steps", "f8"),
        ("pipeline", "f8"),
        ("leakage", "f8"),
    ]
)
name_record("Instance", INSTANCE)


@compiled
def tile_bits(pr: ProblemArrays, it: Instance, m: int, tau: Vector, unfinished: bool) -> float:
    """Bits of the tiles that memory ``m`` keeps when ``tau`` [V] are the loops in time at it and inside."""
    need, place = 0.0, it.place[m]
    for role in range(3):
        if not it.keeps[m, role]:
            continue
        words = pr.reals[place, (PARTIAL0 if unfinished and role == OUTPUT else KEPT0) + role]
        if it.keeps[m, role] == RESIDENT:
            need += pr.scalars[OUTPUT_WORDS] * (words - pr.reals[place, KEPT0 + role])
            continue
        for v in range(it.n_dims):
            if it.kind[role, v] == SINGLE:
                words *= min(tau[v] * it.inside[m, v], it.bound[v])
        for r in range(it.n_windows[role]):
            a, b = it.windows[role, r, 0], it.windows[role, r, 2]
            size_a, size_b = min(tau[a] * it.inside[m, a], it.bound[a]), min(tau[b] * it.inside[m, b], it.bound[b])
            words *= size_pair(size_a, size_b, it.windows[role, r, 1], it.windows[role, r, 3])
        need += words
    return need


@compiled
def clear_boundary(it: Instance, b: int) -> None:
    """A boundary over which words cost nothing."""
    it.fill_j[b] = it.serve_j[b] = it.first_fill[b] = it.first_serve[b] = 0.0
    it.halt_fill[b] = it.halt_serve[b] = it.halt_drain[b] = it.halt_collect[b] = it.saved[b] = 0.0
    it.halt_less[b, 0] = it.halt_less[b, 1] = it.pass_cycles[b] = 0.0
    it.direct[b], it.least_share[b], it.window[b] = -1, 1.0, -1
    for port in range(it.n_ports):
        it.fill_cycles[b, port] = it.serve_cycles[b, port] = it.edge_fill[b, port] = it.edge_serve[b, port] = 0.0
        it.tile_cycles[b, port] = 0.0


def instance() -> Instance:
    """An empty record."""
    return cast(Instance, np.zeros(1, INSTANCE)[0])
