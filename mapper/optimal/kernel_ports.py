"""The ports that may decide the latency: those that never do are left out."""

from __future__ import annotations

from ...accel.kernel_nest import Vector, compiled
from .kernel_instance import COMPUTE, Instance
from .kernel_terms import most_halts, passes_left, tile_words
from .kernel_waits import most_waits

__all__ = ["drop_ports", "most_cycles"]


@compiled
def most_cycles(it: Instance, port: int, tau: Vector) -> float:
    """Cycles that a port may yet get beyond the compulsory words', whatever loops are placed behind ``tau``."""
    total = 0.0
    for b in range(it.n_boundaries):
        fill, serve = it.fill_cycles[b, port], it.serve_cycles[b, port]
        if fill or serve:
            words = passes_left(it, b, tau) * tile_words(it, b, tau, -1)
            least = it.compulsory[b]
            total += (words - least) * fill + (words - least * it.least_share[b]) * serve
        if it.waits:
            total += most_waits(it, b, port, tau)
        if port == COMPUTE and (it.halt_fill[b] or it.halt_serve[b] or it.halt_drain[b] or it.halt_collect[b]):
            total += most_halts(it, b, tau)
    return total


@compiled
def _outdone(it: Instance, one: int, other: int) -> bool:
    """Whether port ``one`` never takes longer than ``other``.

    Word for word it costs no more there, beginning with those of the first and last tiles, which are never more than
    all words.
    """
    own, others = it.base[1, 1 + one], it.base[0, 1 + other]
    for b in range(it.n_boundaries):
        share = it.least_share[b]
        little = it.fill_cycles[b, other] + share * it.serve_cycles[b, other]
        much = it.fill_cycles[b, one] + it.serve_cycles[b, one]
        if much > little * (1.0 + 1e-12) or it.tile_cycles[b, one] > it.tile_cycles[b, other]:
            return False
        early = it.edge_fill[b, other] + it.edge_serve[b, other]
        late = it.edge_fill[b, one] + share * it.edge_serve[b, one]
        if early - late > (little - much) + 1e-12 * little:
            return False
        own -= it.compulsory[b] * (it.fill_cycles[b, one] + share * it.serve_cycles[b, one])
        others -= it.compulsory[b] * (it.fill_cycles[b, other] + share * it.serve_cycles[b, other])
    return bool(own <= others)


@compiled
def _move_port(it: Instance, source: int, target: int) -> None:
    it.base[0, 1 + target], it.base[1, 1 + target] = it.base[0, 1 + source], it.base[1, 1 + source]
    for b in range(it.n_boundaries):
        it.fill_cycles[b, target], it.serve_cycles[b, target] = it.fill_cycles[b, source], it.serve_cycles[b, source]
        it.edge_fill[b, target], it.edge_serve[b, target] = it.edge_fill[b, source], it.edge_serve[b, source]
        it.tile_cycles[b, target] = it.tile_cycles[b, source]


@compiled
def drop_ports(it: Instance, ones: Vector) -> None:
    """Leave out the ports that never decide the latency; ``ones`` [V] are all 1."""
    kept = 1
    for port in range(1, it.n_ports):
        idle = it.base[1, 1 + port] + most_cycles(it, port, ones) <= it.steps
        for other in range(1, it.n_ports):
            if other != port and not idle and _outdone(it, port, other):
                idle = other < port or not _outdone(it, other, port)  # of two alike the first stays
        if not idle:
            it.read_port[kept] = port
            kept += 1
    for target in range(1, kept):
        _move_port(it, it.read_port[target], target)
    it.n_ports = kept
