"""What the exact answer says by itself: joint against fixed hardware, tables against optimal mappings, hypervolumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from cosearch_problem import QUANTILES, Exam

from dovetail.cosearch.spaces.hardware import hardware_values
from dovetail.cosearch.strategies.modes import make_strategy, mode_class
from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.sweep.groups import groups_of
from dovetail.mapper.search import best_mapping
from dovetail.models.op import Op

OBJECTIVES = ("latency_s", "energy_j", "error_pct")


def joint_against_fixed(exam: Exam) -> list[dict[str, Any]]:
    """Per target the exact optima: hardware fixed, phase (hardware first, for two aims), joint; least energies."""
    rows = []
    fixed = exam.only(exam.baseline_hardware)
    phases = {name: exam.only(chip) for name, chip in exam.phase_chips().items()}
    for share, target in zip(QUANTILES, exam.targets, strict=True):
        accuracy, network, chip = exam.best(target)
        alone = exam.best(target, fixed)[0]
        least = {
            name: exam.least_energy(alone, target, mask) for name, mask in (("fixed", fixed), ("joint", exam.allowed))
        }
        least["phase"] = min(exam.least_energy(alone, target, mask) for mask in phases.values())
        energies = {name: joules for name, (joules, _, _) in least.items()}
        on_chip = {name: exam.on_chip(*least[name][1:]) for name in ("fixed", "joint")}
        weights = {name: exam.weights(least[name][1]) for name in ("fixed", "joint")}
        ratio = (on_chip["fixed"] + weights["fixed"]) / (on_chip["joint"] + weights["joint"])
        rows.append({
            "quantile": share, "latency_s": target, "fixed_pct": alone, "joint_pct": accuracy,
            "phase_pct": {name: _best_or_none(exam, target, mask) for name, mask in phases.items()},
            "network": exam.networks.key(exam.networks.space.point(network)),
            "hardware": hardware_values(exam.truth.hardware.point(chip)),
            "energy_j": {name: value if np.isfinite(value) else None for name, value in energies.items()},
            "energy_ratio": energies["fixed"] / energies["joint"],
            "on_chip_j": on_chip, "on_chip_ratio": on_chip["fixed"] / on_chip["joint"],
            "weights_j": weights, "weights_only_ratio": ratio,
        })  # fmt: skip
    return rows


def _best_or_none(exam: Exam, target: float, mask: Any) -> float | None:
    kind = exam.truth.kind
    fits = np.logical_and(exam.truth.latency_s <= target, mask).any(axis=1)
    possible = (kind >= 0) & fits[kind]
    return float(exam.accuracy[possible].max()) if possible.any() else None


def gap_to_optimal_mappings(exam: Exam, samples: int = 200, seed: int = 0) -> dict[str, float]:
    """How much more energy-delay an operator's tabled mapping has than a proven optimal one, on drawn accelerators."""
    rng = np.random.default_rng(seed)
    network = exam.networks.build(
        {**exam.networks.baseline(), "net.edge_01": "nor_conv_1x1", "net.edge_12": "avg_pool_3x3"}
    )
    groups = [group for group in groups_of(network) if isinstance(group.head, Op) and not group.followers]
    tables = exam.truth.sweep.tables.tables(groups)
    gaps = []
    for _ in range(samples):
        at, chip = int(rng.integers(len(groups))), int(rng.integers(exam.truth.hardware.size))
        head, table = groups[at].head, tables[at]
        assert isinstance(head, Op)
        accelerator = exam.truth.sweep.accelerator.with_parameters(
            **hardware_values(exam.truth.hardware.point(chip))
        )
        proven = best_mapping(head, accelerator, "edp").cost
        gaps.append(table.latency_s[chip] * table.energy_j[chip] / (proven.latency_s * proven.energy_j) - 1.0)
    found = 100.0 * np.array(gaps)
    return {
        "samples": samples, "mean_pct": float(found.mean()), "median_pct": float(np.median(found)),
        "p90_pct": float(np.quantile(found, 0.9)), "worst_pct": float(found.max()), "best_pct": float(found.min()),
    }  # fmt: skip


def hypervolumes(exam: Exam, seeds: int = 3) -> dict[str, Any]:
    """The share of the true front's hypervolume (latency, energy, error; area within the baseline's) by evaluations."""
    found: dict[str, Any] = {"front": len(exam.front)}
    for name, mode, strategy, most in (
        ("nested_predictor", "nested", "predictor", 200), ("nested_evolution", "nested", "evolution", 1000),
        ("nested_random", "nested", "random", 1000), ("joint_nsga2", "joint", "nsga2", 1000),
        ("joint_random", "joint", "random", 1000),
    ):  # fmt: skip
        found[name] = [_volumes(exam, mode, strategy, most, seed) for seed in range(seeds)]
    return found


def _volumes(exam: Exam, mode: str, name: str, most: int, seed: int) -> dict[str, dict[str, float]]:
    limits = {"area_mm2": exam.area_limit}
    options, mode_options = strategy_class(name).Options(), mode_class(mode).Options()
    strategy = make_strategy(mode, name, exam.task(seed, limits, OBJECTIVES), options, mode_options)
    points: list[list[float]] = []
    shares: dict[str, dict[str, float]] = {}
    known: set[str] = set()
    for budget in (budget for budget in (100, 200, 500, 1000) if budget <= most):
        while len(known) < budget:
            proposals = strategy.ask(strategy.batch)
            if not proposals:
                break
            results = [exam.judge(proposal.values, limits, pay_always=False) for proposal in proposals]
            for proposal, result in zip(proposals, results, strict=True):
                if "error_pct" in result.metrics:
                    known.add(exam.networks.key(proposal.values))
                    points.append([result.metrics[metric] for metric in OBJECTIVES])
            strategy.tell([proposal.number for proposal in proposals], results)
        shares[str(budget)] = {"share": exam.share_of_volume(np.array(points)), "evaluations": len(known)}
    return shares
