"""What an estimate rests on, for people: the constants used with their sources, and how uncertain they leave it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .output import Column, facts, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...accel.citations import Citation
    from ...mapper.estimate import Estimate
    from ...mapper.uncertainty import Spread, Uncertainty

__all__ = ["read_samples", "show_citations", "show_uncertainty"]

SHOWN_SHARES = 8
SHOWN_POINTS = 6
LEAST_TABLE = 100
TITLE = "Constants of the technology tables"
BAR_CELLS = 24


def read_samples(text: str) -> int:
    """A number of samples: 0, or 2 and more."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0 or value == 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of samples; write 0 (first order), or 2 or more")
    return value


def show_uncertainty(to: Console, found: Uncertainty) -> None:
    """Mean, standard deviation and the range from 5 to 95 %, and the constants that matter most."""
    how = f"{found.samples:,} samples, seed {found.seed}" if found.samples else "first order"
    to.print(f"\nUncertainty from the constants ({how})", style="bold")
    facts(to, [_line("energy", found.energy_j, "J"), _line("area", found.area_mm2, "mm2")])
    if not found.shares:
        to.print("no energy comes from the tables; what a spec states is taken as exact", style="dim")
        return
    block = "█" if to.encoding.startswith("utf") else "#"
    shares = list(found.shares.items())
    largest = shares[0][1]
    table(
        to,
        (Column("constant"), Column("share of variance", right=True), Column("", style="cyan")),
        [(name, f"{share:.1%}", block * round(BAR_CELLS * share / largest)) for name, share in shares[:SHOWN_SHARES]],
        title=f"The {min(SHOWN_SHARES, len(shares))} of {len(shares)} constants that the energy depends on most",
    )
    to.print("what the accelerator's spec states is taken as exact", style="dim")


def _line(name: str, spread: Spread, unit: str) -> tuple[str, str, str]:
    from ...energy.quantities import format_si

    low, high = format_si(spread.p05, unit), format_si(spread.p95, unit)
    return name, f"{format_si(spread.mean, unit)} ± {spread.relative:.0%}", f"{low} to {high} (5 to 95 %)"


def show_citations(to: Console, result: Estimate) -> None:
    """Every constant used, then what the network and the accelerator are from."""
    to.print()
    cited = result.citations()
    used = [_row(one) for one in cited if one.status != "stated"]
    if to.width < LEAST_TABLE:
        _show_list(to, used)
    else:
        _show_table(to, used)
    stated = [one for one in cited if one.status == "stated"]
    if stated:
        columns = (Column("stated by the accelerator", style="cyan"), Column("figure", right=True))
        table(to, columns, [(one.name, one.value) for one in stated])
    for what, source in (
        (f"network {result.network.name}", result.network.source),
        (f"accelerator {result.accelerator.name}", result.accelerator.source),
    ):
        if source:
            to.print(f"{what}: {source}")


def _show_table(to: Console, rows: list[tuple[str, str, str, str, str]]) -> None:
    table(
        to,
        (
            Column("constant", style="cyan"),
            Column("figure", folds=True),
            Column("±", right=True),
            Column("in", folds=True, least_width=130),
            Column("source, and for what it holds", folds=True),
        ),
        rows,
        title=TITLE,
    )


def _show_list(to: Console, rows: list[tuple[str, str, str, str, str]]) -> None:
    """For a narrow terminal: one constant below the other."""
    from rich.padding import Padding
    from rich.text import Text

    to.print(TITLE, style="bold")
    for name, figures, uncertainty, _, source in rows:
        to.print(Text(name, style="cyan"), Text(f"± {uncertainty}"))
        to.print(Padding(Text(", ".join(figures.split("\n"))), (0, 0, 0, 2)))
        to.print(Padding(Text(source, style="dim"), (0, 0, 0, 2)))


def _row(one: Citation) -> tuple[str, str, str, str, str]:
    source = f"{one.status}: {one.source}\nfor: {one.validity}"
    figures = one.value.split(", ")
    if len(figures) > SHOWN_POINTS:
        figures = [
            *figures[: SHOWN_POINTS // 2],
            f"… {len(figures) - SHOWN_POINTS + 1} more",
            *figures[-SHOWN_POINTS // 2 + 1 :],
        ]
    return one.name, "\n".join(figures), f"{one.uncertainty:.0%}", ", ".join(one.used_by), source
