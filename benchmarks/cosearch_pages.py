"""The benchmark's figures as text, as tables of docs/searcher.md, and as a picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cosearch_runs import BUDGETS, METHODS

DOCS = Path(__file__).resolve().parents[1] / "docs"
TITLES = {
    "joint_random": "joint, random", "joint_evolution": "joint, regularised evolution",
    "joint_evolution_soft": "the same, soft reward (−0.07)", "joint_evolution_relu": "the same, one-sided ReLU reward",
    "joint_evolution_lagrangian": "the same, Lagrangian", "phase_evolution": "phase (50 trials of hardware first)",
    "nas_only_evolution": "networks only, baseline hardware", "hw_only_evolution": "hardware only, baseline network",
    "joint_nsga2": "joint, NSGA-II", "joint_evolution_costs_first": "joint, evolution; costs judged first",
    "joint_ppo": "joint, PPO controller", "joint_tpe": "joint, TPE", "joint_gp": "joint, GP",
    "joint_differentiable": "joint, differentiable", "joint_linas": "joint, LINAS",
    "nested_random": "nested, random", "nested_evolution": "nested, evolution", "nested_tpe": "nested, TPE",
    "nested_predictor": "**nested, with predictor**",
}  # fmt: skip


def text(figures: dict[str, Any]) -> str:
    """Everything, for a terminal."""
    truth = figures["truth"]
    lines = [
        f"truth: {truth['designs']:.3g} designs ({truth['networks']} networks in {truth['classes']} classes of cost), "
        f"{truth['seconds']:.0f} s",
        *targets(figures), "", *regrets(figures),
    ]  # fmt: skip
    lines.append(f"\nviolations: {figures['violations']}")
    if "gap" in figures:
        lines.append(gap(figures["gap"]))
    if "hypervolume" in figures:
        lines += ["", *volumes(figures)]
    return "\n".join(lines)


def gap(found: dict[str, float]) -> str:
    """How far the tables' mappings are from proven optimal ones."""
    return (
        f"On {found['samples']:.0f} pairs of an operator and an accelerator drawn from all, the tables' mapping "
        f"takes {found['mean_pct']:.2f} % more energy × delay than the proven optimum on average, "
        f"{found['median_pct']:.2f} % in the median, {found['p90_pct']:.1f} % at the ninth decile and "
        f"{found['worst_pct']:.1f} % at worst."
    )


def volumes(figures: dict[str, Any]) -> list[str]:
    """Shares of the true front's hypervolume, the mean of the seeds and the least."""
    budgets = ("100", "200", "500", "1000")
    lines = [f"| search | {' | '.join(budgets)} |", "|---" * (len(budgets) + 1) + "|"]
    for name, runs in figures["hypervolume"].items():
        if name == "front":
            continue
        cells = []
        for budget in budgets:
            shares = [run[budget]["share"] for run in runs if budget in run]
            cells.append(f"{100 * sum(shares) / len(shares):.1f} % ({100 * min(shares):.1f})" if shares else "–")
        lines.append(f"| {TITLES[name]} | {' | '.join(cells)} |")
    return lines


def targets(figures: dict[str, Any]) -> list[str]:
    """The exact optima."""
    lines = [
        "| latency at most | hardware fixed | phase (for latency / energy) | joint "
        "| energy at the fixed accuracy, fixed → joint | of it on the chip | on the chip, and weights read once |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in figures["targets"]:
        phase = " / ".join("none" if value is None else f"{value:.2f}" for value in row["phase_pct"].values())
        energy = row["energy_j"]
        lines.append(
            f"| {1e6 * row['latency_s']:.1f} µs ({100 * row['quantile']:.0f} % of the networks) "
            f"| {row['fixed_pct']:.2f} % | {phase} % "
            f"| **{row['joint_pct']:.2f} %** (+{row['joint_pct'] - row['fixed_pct']:.2f}) "
            f"| {1e6 * energy['fixed']:.1f} → {1e6 * energy['joint']:.1f} µJ ({row['energy_ratio']:.2f} ×) "
            f"| {1e6 * row['on_chip_j']['fixed']:.1f} → {1e6 * row['on_chip_j']['joint']:.1f} µJ "
            f"({row['on_chip_ratio']:.2f} ×) | {row['weights_only_ratio']:.2f} × |"
        )
    return lines


def regrets(figures: dict[str, Any]) -> list[str]:
    """Mean regrets with their confidence intervals."""
    lines = [
        "| search | " + " | ".join(f"{budget}" for budget in BUDGETS) + " | top reward breaks a limit | s a search |",
        "|---" * (len(BUDGETS) + 3) + "|",
    ]
    for name, row in figures["regret"].items():
        cells = []
        for budget in map(str, BUDGETS):
            cells.append(f"{row[budget]['mean']:.2f} ± {row[budget]['ci95']:.2f}" if budget in row else "–")
        share = row["100"]["top_reward_violates"]
        flat = "" if METHODS[name].flat else " †"
        lines.append(
            f"| {TITLES[name]}{flat} | {' | '.join(cells)} | {100 * share:.0f} % | {row['seconds_a_search']:.1f} |"
        )
    return lines


def write(figures: dict[str, Any]) -> None:
    """The tables between their marks in docs/searcher.md, and docs/img/searcher.png."""
    page = DOCS / "searcher.md"
    content = page.read_text(encoding="utf-8")
    parts = {"targets": targets(figures), "regrets": regrets(figures)}
    if "hypervolume" in figures:
        parts["volumes"] = volumes(figures)
    if "gap" in figures:
        parts["gap"] = [gap(figures["gap"])]
    for mark, lines in parts.items():
        block = f"<!-- {mark} -->\n" + "\n".join(lines) + f"\n<!-- end of {mark} -->"
        content = re.sub(rf"<!-- {mark} -->.*?<!-- end of {mark} -->", lambda _, b=block: b, content, flags=re.S)
    page.write_text(content, encoding="utf-8")
    picture(figures, DOCS / "img" / "searcher.png")


def picture(figures: dict[str, Any], path: Path) -> None:
    """Regret against accuracy evaluations, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {
        "nested_predictor": "#0b7a75", "nested_evolution": "#3fae8c", "joint_evolution": "#d7263d",
        "joint_random": "#98a2b3", "phase_evolution": "#e3b23c", "nas_only_evolution": "#7a5cc7",
        "joint_ppo": "#2f6fdb", "joint_tpe": "#b5487f", "joint_linas": "#94633a", "joint_nsga2": "#5b8c3a",
    }  # fmt: skip
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name, colour in colours.items():
        if name not in figures["regret"]:
            continue
        row = figures["regret"][name]
        budgets = [budget for budget in BUDGETS if str(budget) in row]
        means = [max(row[str(budget)]["mean"], 0.01) for budget in budgets]
        errors = [row[str(budget)]["ci95"] for budget in budgets]
        strong = name == "nested_predictor"
        axes.errorbar(
            budgets, means, yerr=errors, color=colour, marker="o", markersize=5 if strong else 3.5, capsize=2,
            linewidth=2.4 if strong else 1.3, elinewidth=1.6 if strong else 0.6, zorder=3 if strong else 2,
            label=TITLES[name].strip("*"),
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="accuracy evaluations", ylabel="regret (points of accuracy)")
    axes.set_xticks(BUDGETS, [str(budget) for budget in BUDGETS])
    axes.set_ylim(0.007, 20)
    axes.set_yticks([0.01, 0.1, 1, 10], ["≤ 0.01", "0.1", "1", "10"])
    axes.minorticks_off()
    axes.grid(True, color="#e4e7ec", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=160)
