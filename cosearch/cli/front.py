"""`dovetail map --pareto`: every mapping of one layer that no other beats in both latency and energy."""

from __future__ import annotations

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
            "mapping": str(result.mapping),
        }
        for result in sorted(front, key=lambda one: (one.cost.latency_s, one.cost.energy_j))
    ]


def show_front(to: Console, op: Op, accelerator_name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print the front, fastest first; of a long one, evenly spread mappings and both ends."""
    from ...energy.quantities import format_si

    count = min(len(rows), MOST_SHOWN)
    chosen = [rows[round(k * (len(rows) - 1) / max(1, count - 1))] for k in range(count)]
    columns = (
        Column("latency", right=True),
        Column("energy", right=True),
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
    table(
        to,
        columns,
        [
            (
                format_si(row["latency_s"], "s"),
                format_si(row["energy_j"], "J"),
                format_si(row["edp"], "Js"),
                f"{row['utilization']:.0%}",
                row["bound"],
                marks[id(row)],
            )
            for row in chosen
        ],
        title=f"{op.name} on {accelerator_name}: what no mapping beats in both latency and energy{left_out}",
    )
