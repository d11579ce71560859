"""Small pieces of HTML for the report; every text that comes from outside is escaped here."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Cell", "cell", "chart_block", "contents", "escape", "frame_table", "number", "section", "table", "tile"]

Cell = tuple[str, str]
"""A table's cell: HTML and the class of its element."""


def escape(text: object) -> str:
    """A text as it may stand in HTML."""
    return html.escape(str(text))


def number(value: float, digits: int = 4) -> str:
    """A number for people; an en dash where there is none."""
    if not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e7:
        return f"{value:,.0f}"
    short = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in short and abs(value) < 1e12 else short


def cell(value: object, kind: str = "") -> Cell:
    """A plain value as a cell."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escape(value), kind
    return number(float(value)), kind


def table(head: Sequence[Cell], rows: Iterable[tuple[str, Sequence[Cell]]]) -> str:
    """A scrolling table; each row has a class and its cells; a row with one cell is a heading across."""
    lines = ["<div class='scroll'><table><thead><tr>"]
    lines += [f"<th class='{kind}'>{text}</th>" for text, kind in head]
    lines.append("</tr></thead><tbody>")
    for row_kind, cells in rows:
        if len(cells) == 1 < len(head):
            lines.append(f"<tr class='group'><th colspan='{len(head)}'>{cells[0][0]}</th></tr>")
            continue
        inside = "".join(f"<td class='{kind}'>{text}</td>" for text, kind in cells)
        lines.append(f"<tr class='{row_kind}'>{inside}</tr>")
    lines.append("</tbody></table></div>")
    return "".join(lines)


def frame_table(
    frame: DataFrame, titles: Mapping[str, str], classes: Sequence[str] = (), wrapped: Sequence[str] = ()
) -> str:
    """A data frame as a table; ``titles`` replaces column names, the text of ``wrapped`` columns may break."""
    kinds = {
        str(name): "wrap" if name in wrapped else "" if frame[name].dtype.kind in "iuf" else "text"
        for name in frame.columns
    }
    head = [(escape(titles.get(name, name)), "text" if kind else "") for name, kind in kinds.items()]
    rows = []
    for index, row in enumerate(frame.itertuples(index=False, name=None)):
        cells = [cell(value, kind) for value, kind in zip(row, kinds.values(), strict=True)]
        rows.append((classes[index] if classes else "", cells))
    return table(head, rows)


def tile(value: str, label: str) -> str:
    """A figure of the headline."""
    return f"<div class='tile'><b>{escape(value)}</b><span>{escape(label)}</span></div>"


def chart_block(chart: Mapping[str, Any], height: int, title: str = "", note: str = "", kind: str = "plain") -> str:
    """A card with an interactive chart; its data cannot end the script element they stand in; what is not finite is
    null there.

    ``kind`` is how the page's script draws it: ``plain`` plotly data, or an ``explorer`` or ``curves`` with their own
    controls.
    """
    data = json.dumps(_finite(chart), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    below = f"<p class='note'>{escape(note)}</p>" if note else ""
    controls = "" if kind == "plain" else "<div class='controls'></div>"
    return (
        f"<div class='card'>{heading}{below}{controls}<div class='chart' data-kind='{kind}' data-height='{height}'>"
        f"<script type='application/json'>{data}</script></div></div>"
    )


def _finite(data: Any) -> Any:
    """The same with None for each number that JSON has no word for."""
    if isinstance(data, Mapping):
        return {key: _finite(one) for key, one in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(one) for one in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def section(title: str, note: str, *blocks: str, short: str = "") -> str:
    """A heading, a sentence about what follows (HTML), and the blocks; ``short`` is its name in the page's contents."""
    key = "".join(letter if letter.isalnum() else "-" for letter in (short or title).lower())
    name = escape(short or title)
    head = f"<section id='{key}' data-short='{name}'><h2>{escape(title)}</h2>"
    return f"{head}<p class='note'>{note}</p>{''.join(blocks)}</section>"


def contents(sections: Iterable[str]) -> str:
    """Links to the sections of a page."""
    found = (re.match(r"<section id='([^']*)' data-short='([^']*)'", text) for text in sections)
    links = (f"<a href='#{match[1]}'>{match[2]}</a>" for match in found if match)
    return f"<nav>{''.join(links)}</nav>"
