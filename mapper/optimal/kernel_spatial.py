"""Every spatial assignment worth looking at, with the least that any mapping under it can come to."""

from __future__ import annotations

import numpy as np

from ...accel.kernel_nest import (
    APART,
    LEAKAGE_J,
    LEAST_TIME,
    Flat,
    ProblemArrays,
    Results,
    Table,
    Vector,
    compiled,
    entry,
)
from .kernel_instance import Instance
from .kernel_labels import objective_of
from .kernel_search import bound_below

__all__ = ["enumerate_assignments"]


@compiled
def _digest(pr: ProblemArrays, spread: Table) -> int:
    """A 63-bit hash; assignments that differ only in the axes of one array are the same."""
    digest = np.uint64(1469598103934665603)
    for place in range(pr.n_places):
        for dim in range(pr.n_dims):
            if spread[place, dim] > 1:
                mixed = np.uint64(dim + 64 * place + 1) * np.uint64(0x9E3779B97F4A7C15)
                mixed = (mixed ^ (mixed >> np.uint64(30))) + np.uint64(spread[place, dim])
                mixed = mixed * np.uint64(0x94D049BB133111EB)
                mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
                digest = digest + (mixed ^ (mixed >> np.uint64(32)))
    return int(digest >> np.uint64(1)) | 1


@compiled
def _is_new(seen: Vector, digest: int) -> bool:
    """Whether a hash was not in the open table ``seen`` (a power of two long, 0 is empty), where it is put."""
    mask = seen.shape[0] - 1
    at = digest & mask
    while seen[at]:
        if seen[at] == digest:
            return False
        at = (at + 1) & mask
    seen[at] = digest
    return True


@compiled
def _allowed(pr: ProblemArrays, options: Table, picks: Vector, free: Table, perfect: int) -> bool:
    """Whether no factor is larger than the passes left call for; ``perfect``: whether all divide their dimension."""
    for dim in range(pr.n_dims):
        whole, bound = 1, pr.bounds[dim]
        for k in range(picks.shape[0]):
            whole *= options[picks[k], dim]
        if perfect:
            if bound % whole:
                return False
            continue
        passes = (bound + whole - 1) // whole
        for k in range(picks.shape[0]):
            factor = options[picks[k], dim]
            if factor > 1 and free[k, dim]:
                less = whole // factor * (factor - 1)
                if (bound + less - 1) // less == passes:
                    return False
    return True


@entry
def enumerate_assignments(
    pr: ProblemArrays,
    it: Instance,
    options: Table,
    first: Vector,
    places: Vector,
    free: Table,
    twins: Vector,
    perfect: int,
    reach: Results,
    shares: Table,
    spent: Flat,
    copied: Results,
    group: Vector,
    bypass: Table,
    goal: Flat,
    limit: float,
    seen: Vector,
    picks: Table,
    bounds: Flat,
) -> int:
    """Fill ``picks`` [N, A] and ``bounds`` [N] with the assignments whose bound is below ``limit``; returns how many.

    Axes are decided one after the other, innermost first: axis k takes one of the rows ``first[k]`` to
    ``first[k + 1]`` of ``options`` [O, D]; it belongs to the array at ``places[k]``. ``free`` [A, D]: 0 where the
    constraints demand the factor; ``twins`` [A] 1 where an axis and the one before are of one array and exchangeable.
    ``reach`` [A + 1, 4]: most instances of the axes not decided yet, and most by which
    they can share a word of each tensor among multipliers; ``shares`` [3 A, D] along which dimensions an axis does.
    ``spent`` [5]: J that any mapping takes, J of all multipliers' words of each tensor if none were shared, and
    cycles that any mapping takes; ``copied`` [B, 3]: place of a memory, tensor, J for each copy of the tensor
    held there.
    ``seen`` is a table of zeros, a power of two long. Returns -1 - n where there are more than the n found.
    """
    n_axes, n, used = places.shape[0], 0, 0
    at, here, steps = np.empty(n_axes + 1, np.int64), np.empty(n_axes, np.int64), np.empty(n_axes + 1)
    shared, copies = np.ones((n_axes + 1, 3)), np.ones((n_axes + 1, copied.shape[0]))
    spread = np.ones((pr.n_places, pr.n_dims), np.int64)
    depth, steps[0], energy = 0, pr.scalars[LEAST_TIME], 0.0
    for dim in range(pr.n_dims):
        steps[0] *= pr.bounds[dim]
    at[0] = first[0]
    while depth >= 0:
        if depth == n_axes:
            depth -= 1
            cycles = pr.scalars[LEAST_TIME]
            for dim in range(pr.n_dims):
                whole = 1
                for k in range(n_axes):
                    whole *= options[here[k], dim]
                cycles *= (pr.bounds[dim] + whole - 1) // whole
            if objective_of(goal, energy, max(cycles, spent[4])) >= limit or not _allowed(
                pr, options, here, free, perfect
            ):
                continue
            for place in range(pr.n_places):
                for dim in range(pr.n_dims):
                    spread[place, dim] = 1
            for k in range(n_axes):
                for dim in range(pr.n_dims):
                    spread[places[k], dim] *= options[here[k], dim]
            if not _is_new(seen, _digest(pr, spread)):
                continue
            used += 1
            if 2 * used > seen.shape[0]:
                return -1 - n
            least = bound_below(pr, it, spread, group, bypass, goal)
            if least < limit:
                if n == picks.shape[0]:
                    return -1 - n
                bounds[n] = least
                for k in range(n_axes):
                    picks[n, k] = here[k]
                n += 1
            continue
        if at[depth] >= first[depth + 1]:
            depth -= 1
            continue
        here[depth] = at[depth]
        at[depth] += 1
        factor = 1
        for dim in range(pr.n_dims):
            factor *= options[here[depth], dim]
        steps[depth + 1] = steps[depth] / factor
        energy = spent[0]
        for role in range(3):
            together = 1
            for dim in range(pr.n_dims):
                if shares[3 * depth + role, dim]:
                    together *= options[here[depth], dim]
            shared[depth + 1, role] = shared[depth, role] * together
            energy += spent[1 + role] / (shared[depth + 1, role] * reach[depth + 1, 1 + role])
        for b in range(copied.shape[0]):
            copies[depth + 1, b] = copies[depth, b]
            if places[depth] < copied[b, 0]:
                for dim in range(pr.n_dims):
                    if pr.relevant[int(copied[b, 1]), dim] == APART:
                        copies[depth + 1, b] *= options[here[depth], dim]
            energy += copied[b, 2] * copies[depth + 1, b]
        cycles = max(spent[4], steps[depth + 1] / reach[depth + 1, 0])
        energy += pr.scalars[LEAKAGE_J] * cycles
        if objective_of(goal, energy, cycles) < limit:
            depth += 1
            if depth < n_axes:
                at[depth] = first[depth]
                if twins[depth]:  # the other half are mirror images
                    at[depth] += here[depth - 1] - first[depth - 1]
    return n
