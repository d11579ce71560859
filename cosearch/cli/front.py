"""`dovetail map --pareto`: every mapping of one layer that no other beats in both latency and energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .output import Column, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...mapper.base import MappingResult
    from ...models.op import Op

__all__ = ["front_rows", "show_front"]

MOST_SHOWN = 40
_NAMES = {"latency_s": "latency", "energy_j": "energy", "edp": "edp"}


def front_rows(front: Sequence[MappingResult]) -> list[dict[str, Any]]:
    """A record per mapping, fastest first."""
    return [
        {
            "latency_s": result.cost.latency_s,
            "energy_j": result.cost.energy_j,
            "edp": result.cost.edp,
            "cycles": result.cost.cycles,
            "utilization": result.cost.utilization,
            "bound": result.cost.bound,
            "energy_bound_j": result.certificate.lower_bound,
            "proven": result.certificate.proven,
            "mapping": str(result.mapping),
        }
        for result in sorted(front, key=lambda one: (one.cost.latency_s, one.cost.energy_j))
    ]


def show_front(
    to: Console,
    op: Op,
    accelerator_name: str,
    rows: Sequence[dict[str, Any]],
    least_latency_s: float,
    resolution: float,
) -> None:
    """Print the front, fastest first; of a long one, evenly spread mappings and both ends.

    ``least_latency_s`` is the bound on every mapping's latency, ``resolution`` the least relative step from one to the
    next.
    """
    from ...energy.quantities import format_si

    count = min(len(rows), MOST_SHOWN)
    chosen = [rows[round(k * (len(rows) - 1) / max(1, count - 1))] for k in range(count)]
    columns = (
        Column("latency", right=True),
        Column("over least", right=True, least_width=110),
        Column("energy", right=True),
        Column("over least", right=True, least_width=110),
        Column("energy x delay", right=True),
        Column("util.", right=True, least_width=70),
        Column("bound by", least_width=80),
        Column(""),
    )
    best = {name: min(row[key] for row in rows) for key, name in _NAMES.items()}
    marks = {
        id(row): ", ".join(f"least {name}" for key, name in _NAMES.items() if row[key] == best[name]) for row in rows
    }
    left_out = f" ({count} of {len(rows)})" if count < len(rows) else ""
    steps = f", in steps of {100.0 * resolution:g} %" if resolution else ""
    table(
        to,
        columns,
        [
            (
                format_si(row["latency_s"], "s"),
                _over(row["latency_s"], rows[0]["latency_s"]),
                format_si(row["energy_j"], "J"),
                _over(row["energy_j"], rows[-1]["energy_j"]),
                format_si(row["edp"], "Js"),
                f"{row['utilization']:.0%}",
                row["bound"],
                marks[id(row)],
            )
            for row in chosen
        ],
        title=f"{op.name} on {accelerator_name}: what no mapping beats in both latency and energy{steps}{left_out}",
    )
    to.print(_known(rows, least_latency_s), style="dim")


def _over(amount: float, least: float) -> str:
    return f"+{100.0 * (amount / least - 1.0):.3g} %" if amount > least else ""


def _known(rows: Sequence[dict[str, Any]], least_latency_s: float) -> str:
    """What is proven of the front."""
    open_rows = [row for row in rows if not row["proven"]]
    found = "Proven: nothing as fast as one of these takes less energy"
    if open_rows:
        less = max(1.0 - row["energy_bound_j"] / row["energy_j"] for row in open_rows)
        found = f"{len(open_rows)} of {len(rows)} not proven: something as fast may take up to {less:.1%} less energy"
    behind = rows[0]["latency_s"] / least_latency_s - 1.0 if least_latency_s else math.inf
    if behind <= 1e-9:
        return f"{found}; no mapping is faster than the first."
    return f"{found}; the fastest possible may be up to {100.0 * behind:.2g} % faster."
