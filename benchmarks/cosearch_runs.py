"""Searches held against the truth: who finds how much with how few accuracy evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cosearch_problem import Exam

from dovetail.cosearch.strategies.modes import make_strategy, mode_class
from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.strategies.rewards import RewardOptions, make_reward
from dovetail.cosearch.studies.trial import TrialResult

BUDGETS = (100, 200, 400, 800)
FREE_TRIALS = 40  # trials that may end without an accuracy evaluation, for each one that may not


@dataclass(frozen=True)
class Method:
    """A strategy in a mode, and what a trial costs.

    ``flat``: every trial pays for an accuracy, as published searches do; otherwise a design over a limit is turned away
    first, and a network's accuracy is paid for once. ``most`` is the largest budget it is given, ``seeds`` the
    most seeds.
    """

    mode: str
    strategy: str
    options: Mapping[str, Any] = field(default_factory=dict)
    mode_options: Mapping[str, Any] = field(default_factory=dict)
    flat: bool = False
    most: int = 800
    quick: bool = True
    seeds: int = 1000


METHODS: dict[str, Method] = {
    "joint_random": Method("joint", "random", flat=True),
    "joint_evolution": Method("joint", "evolution", flat=True),
    "joint_evolution_soft": Method("joint", "evolution", {"reward": "soft"}, flat=True),
    "joint_evolution_relu": Method("joint", "evolution", {"reward": "relu"}, flat=True, quick=False),
    "joint_evolution_lagrangian": Method("joint", "evolution", {"reward": "lagrangian"}, flat=True, quick=False),
    "phase_evolution": Method("phase", "evolution", mode_options={"phase_trials": 50}, flat=True),
    "nas_only_evolution": Method("nas_only", "evolution", flat=True),
    "hw_only_evolution": Method("hw_only", "evolution", flat=True),
    "joint_nsga2": Method("joint", "nsga2", flat=True, quick=False),
    "joint_evolution_costs_first": Method("joint", "evolution", most=400),
    "joint_ppo": Method("joint", "ppo", flat=True, quick=False),
    "joint_tpe": Method("joint", "tpe", flat=True, quick=False, most=400),
    "joint_gp": Method("joint", "gp", flat=True, quick=False, most=100, seeds=4),
    "joint_differentiable": Method("joint", "differentiable", flat=True, quick=False),
    "joint_linas": Method("joint", "linas", flat=True, quick=False, most=400),
    "nested_random": Method("nested", "random", most=400),
    "nested_evolution": Method("nested", "evolution", most=400),
    "nested_tpe": Method("nested", "tpe", quick=False, most=200),
    "nested_predictor": Method("nested", "predictor", most=200),
}


@dataclass(frozen=True)
class Outcome:
    """One search: accuracy of the best design within the limits after each budget (%; 0 where none was found), and
    whether the design it would return then breaks a limit.
    """

    best: dict[int, float]
    violates: dict[int, bool]
    trials: int

    @property
    def returned_violates(self) -> bool:
        """Whether a design within the limits was found, and yet another has the top reward in the end."""
        last = max(self.best)
        return self.best[last] > 0 and self.violates[last]


def run(exam: Exam, method: Method, target: float, seed: int) -> Outcome:
    """One search for the most accurate design within the latency and the baseline's area."""
    limits = {"area_mm2": exam.area_limit, "latency_s": target}
    task = exam.task(seed, limits)
    options = strategy_class(method.strategy).Options.model_validate(dict(method.options))
    mode_options = mode_class(method.mode).Options.model_validate(dict(method.mode_options))
    strategy = make_strategy(method.mode, method.strategy, task, options, mode_options)
    reward = make_reward(getattr(options, "reward", None) or RewardOptions(), task.objectives, limits, task.baseline)
    budgets = [budget for budget in BUDGETS if budget <= method.most]
    count, found, trials = Count(method.flat), Outcome({}, {}, 0), 0
    best, top = 0.0, (-np.inf, False)

    def note(budget: int) -> None:
        found.best.setdefault(budget, best)
        found.violates.setdefault(budget, top[1])

    spent = False
    while not spent and trials < FREE_TRIALS * budgets[-1]:
        proposals = strategy.ask(strategy.batch)
        if not proposals:
            break
        results = []
        for proposal in proposals:
            result = exam.judge(proposal.values, limits, pay_always=method.flat)
            if count.pays(exam.networks.key(proposal.values), result):
                if count.paid in budgets:
                    note(count.paid)
                spent = count.paid == budgets[-1]
                if spent:
                    break
                count.paid += 1
            results.append(result)
            score = reward.score(result)
            if result.status == "ok":
                best = max(best, 100.0 - result.metrics["error_pct"])
            if "error_pct" in result.metrics and score > top[0]:
                top = (score, result.status != "ok")
        trials += len(results)
        if not spent:
            reward.learn(results)
            strategy.tell([proposal.number for proposal in proposals], results)
    for budget in budgets:
        note(budget)
    return Outcome(found.best, found.violates, trials)


class Count:
    """Accuracy evaluations paid for."""

    def __init__(self, flat: bool) -> None:
        self.flat, self.paid = flat, 0
        self._known: set[str] = set()

    def pays(self, network: str, result: TrialResult) -> bool:
        """Whether a result takes one."""
        if self.flat:
            return True
        new = "error_pct" in result.metrics and network not in self._known
        self._known.update([network] if new else [])
        return new
