"""Life cycles for people: tables of phases, of growing uses, of carbon-delay products."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...energy.quantities import format_mass, format_si
from .output import Column, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...energy.life import BreakEven, LifeCycle

__all__ = ["kwh", "show_lives", "sweep"]


def show_lives(to: Console, args: argparse.Namespace, lives: Sequence[LifeCycle], evens: Sequence[BreakEven]) -> None:
    """Print life cycles: the phases, how they grow with the uses, where designs change places."""
    for life in lives:
        _show_phases(to, life)
    _show_sweep(to, lives, "co2e_kg" if args.by == "carbon" else "energy_j")
    for even in evens:
        to.print(f"By {args.by}: {even}.", style="bold")
    if len(lives) > 2:
        _show_best(to, lives, args.by)
    _show_products(to, lives)
    for note in dict.fromkeys(note for life in lives for note in life.notes):
        to.print(f"note: {note}", style="dim")
    if args.picture is not None:
        to.print(f"picture: {args.picture}")
    if args.cite:
        to.print("\nSources", style="bold")
        for source in dict.fromkeys(source for life in lives for source in life.sources):
            to.print(f"  {source}")


def _show_phases(to: Console, life: LifeCycle) -> None:
    whole = life.total
    rows: list[tuple[str, ...]] = []
    block = "█" if to.encoding.startswith("utf") else "#"
    for name, phase in life.phases.items():
        share = phase.co2e_kg / whole.co2e_kg if whole.co2e_kg else 0.0
        rows.append((name, kwh(phase.energy_j), format_mass(phase.co2e_kg), f"{share:.1%}", block * round(24 * share)))
        if len(phase.parts) > 1:
            parts = phase.parts.items()
            rows += [(f"  {part}", kwh(one.energy_j), format_mass(one.co2e_kg), "", "") for part, one in parts]
    rows.append(("total", kwh(whole.energy_j), format_mass(whole.co2e_kg), "", ""))
    if life.spreads:
        rows.append(("  give or take", kwh(life.sd("energy_j")), format_mass(life.sd("co2e_kg")), "", ""))
    columns = (Column("phase"), Column("energy", right=True), Column("carbon", right=True), Column("share", right=True),
               Column("", style="cyan", least_width=70))  # fmt: skip
    fleet = life.service.fleet(life.uses)
    devices = "1 device" if fleet == 1 else f"{fleet:,.4g} devices"
    title = f"{life.name}: {life.uses:,.4g} uses on {devices} (modelled)"
    table(to, columns, rows, title=title)


def _show_sweep(to: Console, lives: Sequence[LifeCycle], quantity: str) -> None:
    """Totals as uses grow; of one design also what a use costs, and G(MUI)."""
    told = format_mass if quantity == "co2e_kg" else kwh
    columns, rows = [Column("uses", right=True)], []
    single = lives[0] if len(lives) == 1 else None
    columns += [Column("total" if single else life.name, right=True) for life in lives]
    if single:
        columns.append(Column("per use", right=True))
    if single and single.accuracy is not None:
        columns.append(Column(f"G (tau {single.tau:g})", right=True))
    for uses in sweep(max(life.uses for life in lives)):
        row = [f"{uses:.0e}".replace("e+0", "e").replace("e+", "e")]
        row += [told(life.line(quantity).at(uses)) for life in lives]
        if single:
            row.append(told(single.line(quantity).at(uses) / uses))
        if single and single.accuracy is not None:
            row.append(f"{single.at(uses).g_mui():.3g} /J")
        rows.append(row)
    table(to, columns, rows, title="As it is used more often")


def _show_best(to: Console, lives: Sequence[LifeCycle], by: str) -> None:
    """Who is best where, of three designs and more."""
    from ...energy.life import best_by_uses

    uses = sweep(max(life.uses for life in lives))
    stretches = best_by_uses(lives, uses[0], uses[-1], quantity="co2e_kg" if by == "carbon" else "energy_j")
    told = [f"{name} from {start:,.4g} uses" for start, _, name in stretches]
    to.print(f"Best by {by}: {', '.join(told)}.", style="bold")


def _show_products(to: Console, lives: Sequence[LifeCycle]) -> None:
    """Carbon-delay products, one design a row."""
    rows = []
    for life in lives:
        found = life.delay_metrics()
        figures = (found.cdp_kg_s, found.cep_kg_j, found.edp_j_s, found.tcdp_kg_s)
        rows.append((life.name, *(f"{figure:.3g}" for figure in figures)))
    units = ("CDP (kg s)", "CEP (kg J)", "EDP (J s)", "tCDP (kg s)")
    table(to, (Column("products"), *(Column(unit, right=True) for unit in units)), rows)


def sweep(uses: float) -> list[float]:
    """Powers of ten from a thousand to a milliard, or to beyond the uses."""
    last = max(9, math.ceil(math.log10(uses)) if uses else 0)
    return [10.0**power for power in range(3, last + 1)]


def kwh(energy_j: float) -> str:
    """Electricity for people: kWh from 1 Wh on, else joules."""
    return format_si(energy_j / 3600.0, "Wh") if energy_j >= 3600.0 else format_si(energy_j, "J")
