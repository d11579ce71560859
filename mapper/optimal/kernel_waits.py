"""What tiles and passes cost besides their words: latencies of memories, filling and draining of systolic arrays.

A tensor's tile stays while loops run that the tensor lacks; the first loop it does not lack decides how often the tile
is replaced, namely in every iteration still to come. So many tiles as differ come in any case: they count as soon as
the tile is known, those that come again when that loop is placed. No iteration in time is cut off, and nothing is left
open.
"""

from __future__ import annotations

from ...accel.kernel_nest import (
    APART,
    DOUBLE_BUFFERED,
    MEMORY,
    OUTPUT,
    STATIONARY,
    WAIT,
    ProblemArrays,
    Results,
    Vector,
    compiled,
)
from .kernel_instance import BOUNDARIES, COMPUTE, Instance, clear_boundary

__all__ = ["add_distinct", "add_repeated", "most_waits", "prepare_waits"]


@compiled
def _tiles(it: Instance, b: int, tau: Vector) -> tuple[float, float]:
    """(tiles that differ, iterations of the loops that the tensor lacks) outside ``tau``."""
    own = apart = 1.0
    for v in range(it.n_dims):
        if it.kind[it.role[b], v] == APART:
            apart *= it.passes[v] // tau[v]
        else:
            own *= it.passes[v] // tau[v]
    return own, apart


@compiled
def _add(it: Instance, b: int, tiles: float, passes: float, out: Results) -> None:
    for side in range(2):
        out[side, 1 + COMPUTE] += passes * it.pass_cycles[b]
        for port in range(it.n_ports):
            out[side, 1 + port] += tiles * it.tile_cycles[b, port]


@compiled
def add_distinct(it: Instance, b: int, tau: Vector, out: Results) -> None:
    """Add to ``out`` [2, 1 + ports] the child's tiles that differ, when ``tau`` are its loops; one is no halt."""
    own, _ = _tiles(it, b, tau)
    _add(it, b, own - 1.0, own - 1.0, out)


@compiled
def add_repeated(it: Instance, b: int, tau: Vector, out: Results) -> None:
    """Add to ``out`` [2, 1 + ports] tiles that come again, when a loop that replaces the child's is placed."""
    own, apart = _tiles(it, b, tau)
    again = own * (apart - 1.0)
    _add(it, b, 2.0 * again if it.role[b] == OUTPUT else again, again, out)


@compiled
def most_waits(it: Instance, b: int, port: int, tau: Vector) -> float:
    """Most cycles that a port may yet get from tiles and passes at the child, whatever is placed behind ``tau``."""
    own, apart = _tiles(it, b, tau)
    tile = it.tile_cycles[b, port] * (2.0 if it.role[b] == OUTPUT else 1.0)
    return float(own * apart * (tile + (it.pass_cycles[b] if port == COMPUTE else 0.0)))


@compiled
def _passing(it: Instance, role: int, child: int) -> int:
    """The boundary whose tiles are a systolic array's passes, one without words if there is none; -1: no room."""
    for b in range(it.n_boundaries):
        if it.role[b] == role and it.child[b] == child:
            return b
    b = it.n_boundaries
    if b == BOUNDARIES:
        return -1
    it.n_boundaries += 1
    clear_boundary(it, b)
    it.role[b], it.parent[b], it.child[b], it.compulsory[b] = role, child - 1, child, 0.0
    return int(b)


@compiled
def prepare_waits(pr: ProblemArrays, it: Instance) -> None:
    """Fill the record's part of it. First and last tiles are paid in any case; the first pass is with the pipeline."""
    it.waits = pr.waits
    if not pr.waits:
        return
    for b in range(it.n_boundaries):
        m = it.child[b]
        wait = pr.reals[it.place[m], WAIT]
        it.pipeline += wait
        if not pr.ints[it.place[m], DOUBLE_BUFFERED]:
            it.tile_cycles[b, COMPUTE] = wait
            continue
        for port in (it.read_port[m], it.write_port[m]):
            if port >= 0:
                it.tile_cycles[b, port] = wait
    inside = 0  # the outermost memory inside the present place
    for place in range(pr.n_places):
        wait = pr.reals[place, WAIT]
        if pr.ints[place, MEMORY]:
            inside += 1
        elif wait > 0.0:
            b = _passing(it, pr.ints[place, STATIONARY], inside) if inside < it.n_memories else -1
            if b < 0:
                it.failed = 1
                return
            it.pass_cycles[b] += wait
