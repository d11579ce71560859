"""The ten-criteria card."""

from __future__ import annotations

from ..analysis.card import Card, card
from ..findings import Findings
from ..html_parts import escape, section

__all__ = ["card_block", "card_section"]


def card_section(findings: Findings) -> str:
    """What a critical reader asks of a search."""
    note = "Ten questions asked of automated design, answered with this search's own figures; grey: not known yet."
    return section("Ten-criteria card", note, card_block(card(findings)), short="Card")


def card_block(found: Card) -> str:
    """The rows as tiles."""
    tiles = "".join(
        f"<div class='criterion{'' if row.known else ' unknown'}'><h3>{escape(row.name)}</h3>"
        f"<span>{escape(row.asks)}</span><b>{escape(row.figure)}</b><p>{escape(row.detail)}</p></div>"
        for row in found.rows
    )
    return f"<div class='criteria'>{tiles}</div>"
