"""The compiled search of the annealing mapper: random starts, simulated annealing, and polishing of single factors."""

from __future__ import annotations

import math

import numpy as np

from ...accel.kernel_nest import Evaluate, ProblemArrays, Results, Stack, Table, Workspace, compiled, entry
from .kernel_moves import FACTORS, ORDER, Rules, change, copy, cover, hold, move, respread, set_axis, sort_phases

__all__ = ["begin", "polish", "walk"]

TIE = 1e-12  # weight of the quantity that the objective leaves out


@compiled
def _score(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    ws: Workspace,
    log: Results,
) -> float:
    """Cost a point and note it in ``log``; infinite where it does not fit. Ties are broken by the other quantity.

    The log's first row counts the mappings costed and the improvements, which the rows after it list.
    """
    energy, cycles, _ = evaluate(pr, loops[FACTORS], loops[ORDER], bypass, ws)
    log[0, 0] += 1.0
    if not energy < math.inf:
        return math.inf
    latency = cycles * rules.seconds_per_cycle
    if rules.weighted:
        value = rules.energy * energy + rules.latency * latency
    else:
        value = energy if rules.energy == 1.0 else energy**rules.energy
        value *= latency if rules.latency == 1.0 else latency**rules.latency
    last = int(log[0, 1])
    if last == 0 or value < log[last, 1]:
        last = min(last + 1, log.shape[0] - 1)
        log[0, 1], log[last, 0], log[last, 1] = last, log[0, 0], value
    if rules.energy == 0.0:
        return value * (1.0 + TIE * math.log1p(energy * 1e12))
    if rules.latency == 0.0:
        return value * (1.0 + TIE * math.log1p(cycles))
    return value


@compiled
def _over(rules: Rules, log: Results, budget: int) -> bool:
    """Whether the budget of costed mappings is spent or the best is good enough."""
    last = int(log[0, 1])
    return bool(log[0, 0] >= budget or (last > 0 and log[last, 1] <= rules.enough))


@compiled
def _keep_better(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    trial: Stack,
    trial_bypass: Table,
    ws: Workspace,
    log: Results,
    best: float,
) -> float:
    """Cost the trial; it and the point become the better of the two, whose score is returned."""
    score = _score(evaluate, pr, rules, trial, trial_bypass, ws, log)
    if score < best:
        copy(trial, trial_bypass, loops, bypass)
        return score
    copy(loops, bypass, trial, trial_bypass)
    return best


@compiled
def _polish_dim(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    trial: Stack,
    trial_bypass: Table,
    ws: Workspace,
    log: Results,
    best: float,
    dim: int,
    budget: int,
) -> float:
    """Take every move of a prime factor of one dimension in time, and every resized axis, that helps."""
    factors, slots = trial[FACTORS], trial.shape[1]
    for source in range(slots):
        if rules.extents[source]:
            extent = rules.extents[source]
            for k in range(4 if rules.free[source, dim] else 0):
                now = factors[source, dim]
                wanted = min(extent, (1, extent, 2 * now, (now + 1) // 2)[k])
                if wanted == now or _over(rules, log, budget):
                    continue
                set_axis(pr, rules, factors, source, dim, wanted)
                if cover(pr, rules, factors, dim, False):
                    best = _keep_better(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best)
                else:
                    copy(loops, bypass, trial, trial_bypass)
            continue
        for to in range(slots):
            for prime in (2, 3, 5, 7, factors[source, dim]):
                if _over(rules, log, budget):
                    return best
                if move(pr, rules, factors, dim, source, to, prime):
                    best = _keep_better(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best)
    return best


@compiled
def _polish_rest(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    trial: Stack,
    trial_bypass: Table,
    ws: Workspace,
    log: Results,
    best: float,
    budget: int,
) -> float:
    """Take every stationary tensor of a memory and every bypass that helps."""
    for slot in range(trial.shape[1]):
        for role in range(0 if rules.extents[slot] else 3):
            if _over(rules, log, budget):
                return best
            hold(pr, rules, trial[ORDER], slot, role)
            best = _keep_better(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best)
    for place in range(bypass.shape[0]):
        for role in range(3):
            if rules.may_bypass[place, role] and not _over(rules, log, budget):
                trial_bypass[place, role] = 1 - trial_bypass[place, role]
                best = _keep_better(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best)
    return best


@entry
def polish(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    ws: Workspace,
    log: Results,
    best: float,
    budget: int,
) -> float:
    """Improve a point by single changes until none helps or ``budget`` mappings were costed in all."""
    trial, trial_bypass = loops.copy(), bypass.copy()
    before = math.inf
    while best < before and not _over(rules, log, budget):
        before = best
        for dim in range(loops.shape[2]):
            best = _polish_dim(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best, dim, budget)
        best = _polish_rest(evaluate, pr, rules, loops, bypass, trial, trial_bypass, ws, log, best, budget)
    return best


@entry
def walk(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    best_loops: Stack,
    best_bypass: Table,
    ws: Workspace,
    log: Results,
    best: float,
    steps: int,
    hot: float,
    cold: float,
) -> float:
    """Anneal from a point, which becomes the best found, for ``steps`` proposals; returns its score.

    The temperature, on the logarithm of the objective, falls geometrically.
    """
    now_loops, now_bypass, now = best_loops.copy(), best_bypass.copy(), best
    loops, bypass = best_loops.copy(), best_bypass.copy()
    temperature, budget = hot, int(log[0, 0]) + steps
    cooling = (cold / hot) ** (1.0 / max(1, steps))
    for step in range(steps):
        if _over(rules, log, budget):
            break
        temperature *= cooling
        if step % 300 == 299 and now > best * (1.0 + 4.0 * temperature):
            copy(best_loops, best_bypass, now_loops, now_bypass)
            now = best
        copy(now_loops, now_bypass, loops, bypass)
        wanted, outside = 1 + np.random.randint(3), False
        for _ in range(20):  # most draws change nothing; a proposal is worth its evaluation only if something did
            changed = change(pr, rules, loops, bypass)
            wanted, outside = wanted - changed, changed < 0
            if wanted <= 0 or outside:
                break
        if outside:
            continue
        score = _score(evaluate, pr, rules, loops, bypass, ws, log)
        if score <= now or (score < math.inf and np.random.random() < math.exp(math.log(now / score) / temperature)):
            copy(loops, bypass, now_loops, now_bypass)
            now = score
            if score < best:
                copy(loops, bypass, best_loops, best_bypass)
                best = score
    return best


@entry
def begin(
    evaluate: Evaluate,
    pr: ProblemArrays,
    rules: Rules,
    loops: Stack,
    bypass: Table,
    ws: Workspace,
    log: Results,
    seed: int,
    skip: float,
) -> float:
    """Make a point a random start: axes filled, a random tensor stationary at each memory; returns its score.

    ``skip`` is the chance that a dimension is left out of an axis; with 1 the point stays as it is.
    """
    np.random.seed(seed)
    _, slots, dims = loops.shape
    if skip < 1.0:
        factors, order, inside = loops[FACTORS].copy(), loops[ORDER], True
        for slot in range(slots - 1, -1, -1):
            for k in range(dims - 1, 0, -1):
                other = np.random.randint(k + 1)
                order[slot, k], order[slot, other] = order[slot, other], order[slot, k]
            sort_phases(rules, order, slot)
            hold(pr, rules, order, slot, np.random.randint(3))
            if rules.extents[slot]:
                inside = respread(pr, rules, factors, slot, skip)
        if inside:
            for slot in range(slots):
                for dim in range(dims):
                    loops[FACTORS, slot, dim] = factors[slot, dim]
    return _score(evaluate, pr, rules, loops, bypass, ws, log)
