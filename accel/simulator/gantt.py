"""The timeline drawn: a row per resource, operators named above, stalls hatched by cause, busy shares on the right."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import BadInput
from .gantt_parts import COLOURS, OVERHEAD, GanttInfo, GanttRow, OperatorBar, gantt_info, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GanttInfo", "gantt_info", "plot_gantt", "save_figure"]

# Okabe and Ito's palette for all kinds of colour vision, dark and light in turn (jfly.uni-koeln.de/color).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
LIGHT = frozenset({"#E69F00", "#CC79A7", "#56B4E9"})  # black text is read better on these
INK, MUTED, GRID, BAND, NEUTRAL = "#1c2430", "#667085", "#e4e7ec", "#f4f5f7", "#475467"
STALLS = (
    ("#d5d9e0", "//////"), ("#eceef2", "......"), ("#c3c9d3", "\\\\\\\\\\\\"), ("#dfe2e8", "xxxxx"),
    ("#cdd2db", "-----"), ("#eceef2", "|||||"),
)  # fmt: skip
STYLE: Any = {
    "font.size": 8, "axes.linewidth": 0.6, "axes.edgecolor": "#98a2b3", "hatch.linewidth": 0.5, "axes.titlesize": 10
}  # fmt: skip
CHARACTER = 0.54  # mean width of a character in sizes of the font
WIDTH, ROW, LANE, HEAD = 9.5, 0.36, 0.20, 0.56  # inches
FOOT, LEGEND_LINE = 0.45, 0.165
NAME_POINTS = 6.5
HEIGHTS = "height of a bar: share of the time"
MOST_CHARACTERS = 22
LEAST_CHARACTERS = 6
LEGEND_DROP = 0.40  # inches below the axis
BARS_WIDTH = 0.10  # of the shares on the right, in widths of the picture


def plot_gantt(info: GanttInfo, ax: Axes | None = None) -> Axes:
    """Draw the rows; ``ax.figure.savefig`` writes them, in its own size where no ``ax`` is given.

    A bar of full height is a slice; where slices are finer than pixels, its height is the share of the time they take.
    """
    from matplotlib import rc_context

    with rc_context(STYLE):
        if ax is None:
            ax = _own_axes(info)
        _draw(info, ax)
    return ax


def save_figure(ax: Axes, path: Path, dpi: int = 200) -> None:
    """Write the axes' figure, whole or not at all, in the format of the path's suffix (png, pdf, svg)."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise BadInput("the axes belong to no figure; let the picture make its own")
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.removeprefix(".").lower()
    if kind not in known:
        raise BadInput(f"cannot draw {path} as '{kind}'; end its name in one of {', '.join(sorted(known))}")
    draft = path.with_name(path.name + ".part")
    try:
        with rc_context(STYLE):
            figure.savefig(draft, format=kind, dpi=dpi)
        draft.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(
            f"cannot write the picture {path}: {reason}; give a file in a folder you may write to"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _own_axes(info: GanttInfo) -> Axes:
    """Axes in a figure as large as the rows need, with room for the labels around them."""
    from matplotlib.figure import Figure

    longest = max((len(row.label) for row in (*info.rows, *info.lanes)), default=0)
    left = 0.25 + longest * CHARACTER * 8 / 72
    right = WIDTH * BARS_WIDTH + 0.25
    names = _name_room(info, WIDTH - left - right)
    rows = LANE * len(info.lanes) + ROW * len(info.rows)
    entries, columns = _legend_columns(info, WIDTH - left - right)
    foot = FOOT + LEGEND_LINE * -(-entries // columns)
    height = HEAD + names + rows + foot
    figure = Figure(figsize=(WIDTH, height), dpi=160)
    box = (left / WIDTH, foot / height, 1 - (left + right) / WIDTH, max(rows, 0.1) / height)
    return figure.add_axes(box)


def _name_room(info: GanttInfo, width_in: float) -> float:
    """Inches above the rows for names that stand upright."""
    first, last = info.window_s
    seconds_per_in = (last - first) / width_in
    upright = [one for one in info.operators if one.lane == 0 and _room(one, seconds_per_in, info) < len(one.label)]
    longest = max((len(_short(bar.label)) for bar in upright), default=0)
    return 0.08 + 0.94 * longest * CHARACTER * NAME_POINTS / 72 if longest else 0.0


def _draw(info: GanttInfo, ax: Axes) -> None:
    scale, unit = unit_of(info.window_s[1])
    tops = _tops(info)
    for (top, height), row in zip(tops, (*info.lanes, *info.rows), strict=True):
        lane = top < 0.0
        if not lane:
            ax.axhspan(top, top + height, color=BAND, linewidth=0, zorder=0)
        _draw_row(ax, info, row, scale, (top + height, height))
    _draw_names(ax, info, scale, tops)
    _draw_shares(ax, info, tops)
    _draw_legend(ax, info)
    ax.set_xlim(info.window_s[0] * scale, info.window_s[1] * scale)
    ax.set_ylim(max(1, len(info.rows)), -LANE / ROW * len(info.lanes))
    ax.set_yticks([top + height / 2 for top, height in tops], [row.label for row in (*info.lanes, *info.rows)])
    ax.tick_params(axis="y", length=0, labelsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.set_xlabel(f"time ({unit})", labelpad=2, fontsize=8)
    ax.grid(True, axis="x", linewidth=0.4, color=GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _tops(info: GanttInfo) -> list[tuple[float, float]]:
    """Top and height of the lanes, above 0, and of the rows, one apart below it."""
    lane = LANE / ROW
    lanes = [(lane * (at - len(info.lanes)) + 0.04, lane - 0.10) for at in range(len(info.lanes))]
    return lanes + [(at + 0.09, 0.82) for at in range(len(info.rows))]


def _look(layer: int) -> dict[str, Any]:
    """Face and hatch of a layer."""
    if layer < COLOURS:
        return {"facecolor": PALETTE[layer]}
    if layer == OVERHEAD:
        return {"facecolor": NEUTRAL}
    face, hatch = STALLS[(layer - OVERHEAD - 1) % len(STALLS)]
    return {"facecolor": face, "hatch": hatch, "edgecolor": "#8d96a5", "linewidth": 0.0}


def _draw_row(ax: Axes, info: GanttInfo, row: GanttRow, scale: float, place: tuple[float, float]) -> None:
    """A row that stands on ``place[0]`` and is ``place[1]`` high."""
    bottom, height = place
    if row.pieces is not None:
        _draw_pieces(ax, info, row, scale, place)
        return
    used = [layer for layer in range(len(row.fill)) if row.fill[layer].any()]
    levels = np.minimum(np.cumsum(row.fill[used], axis=0), 1.0)
    # From the whole stack down to its lowest layer, each over the one before: no seams show between them.
    for level, layer in reversed(list(zip(levels, used, strict=True))):
        tops = bottom - height * np.append(level, level[-1])
        drawn = np.append(row.fill[layer] > 1e-9, False)
        ax.fill_between(
            info.edges * scale, bottom, tops, where=_until_next(drawn), step="post", zorder=2, rasterized=True,
            **{"linewidth": 0.0, **_look(layer)},
        )  # fmt: skip


def _until_next(drawn: Any) -> Any:
    """Also the edge at which a run of bins ends, so that its last bin is filled."""
    return drawn | np.append(False, drawn[:-1])


def _draw_pieces(ax: Axes, info: GanttInfo, row: GanttRow, scale: float, place: tuple[float, float]) -> None:
    bottom, height = place
    visible = 4e-3 * (info.window_s[1] - info.window_s[0])  # wide enough for a white edge
    for layer in sorted({layer for layer, _, _ in row.pieces or ()}):
        spans = [(start, end) for number, start, end in row.pieces or () if number == layer]
        look = _look(layer)
        if "hatch" not in look:
            look["edgecolor"] = "white"
            look["linewidth"] = [0.5 if end - start > visible else 0.0 for start, end in spans]
        ax.broken_barh(
            [(start * scale, (end - start) * scale) for start, end in spans], (bottom, -height), zorder=2, **look
        )


def _inches(ax: Axes) -> float:
    """Width of the axes."""
    figure = ax.get_figure(root=True)
    return ax.get_window_extent().width / (figure.dpi if figure is not None else 100.0)


def _room(bar: OperatorBar, seconds_per_in: float, info: GanttInfo) -> int:
    """How many characters may stand inside the bar."""
    first, last = info.window_s
    width_in = (min(bar.end_s, last) - max(bar.start_s, first)) / seconds_per_in
    return int((width_in - 0.04) / (CHARACTER * NAME_POINTS / 72))


def _short(label: str, most: int = MOST_CHARACTERS) -> str:
    """A name cut in its middle, as beginnings and ends tell operators apart."""
    half = (most - 1) // 2
    return label if len(label) <= most else f"{label[:half]}…{label[-half:]}"


def _draw_names(ax: Axes, info: GanttInfo, scale: float, tops: list[tuple[float, float]]) -> None:
    """Names of operators: inside their bars, else upright above them where there is room; the longest ones first."""
    first, last = info.window_s
    seconds_per_in = (last - first) / _inches(ax)
    upright: list[float] = []
    above = tops[0][0] if tops else 0.0
    apart = 1.15 * NAME_POINTS / 72 * seconds_per_in
    style: Any = {"fontsize": NAME_POINTS, "ha": "center", "zorder": 4}
    for bar in sorted(info.operators, key=lambda one: one.start_s - one.end_s):
        middle = (max(bar.start_s, first) + min(bar.end_s, last)) / 2
        top, height = tops[bar.lane]
        room = _room(bar, seconds_per_in, info)
        if room >= len(bar.label) or (bar.lane and room >= LEAST_CHARACTERS):
            colour = INK if PALETTE[bar.colour] in LIGHT else "white"
            at = top + height / 2 + 0.02
            ax.text(middle * scale, at, _short(bar.label, room), color=colour, va="center_baseline", **style)
        elif bar.lane == 0 and all(abs(middle - other) > apart for other in upright):
            upright.append(middle)
            ax.text(middle * scale, above - 0.11, _short(bar.label), color=INK, rotation=90, va="bottom", **style)


def _draw_shares(ax: Axes, info: GanttInfo, tops: list[tuple[float, float]]) -> None:
    """Busy and stalled shares of the window beside each row, as a bar and in percent."""
    side = ax.inset_axes((1.012, 0.0, 0.055, 1.0))
    side.set_ylim(max(1, len(info.rows)), -LANE / ROW * len(info.lanes))
    side.set_xlim(0, 1)
    side.axis("off")
    places = tops[len(info.lanes) :]
    for (top, height), row in zip(places, info.rows, strict=True):
        at = top + height / 2
        side.barh(at, 1.0, height=0.42, color=BAND, linewidth=0)
        side.barh(at, row.busy, height=0.42, color=NEUTRAL, linewidth=0)
        side.barh(at, row.stall, left=row.busy, height=0.42, **_look(OVERHEAD + 1))
        side.text(1.12, at, f"{100 * row.busy:.0f} %", va="center", fontsize=7.5, color=INK)
    if info.rows:
        side.text(1.12, -0.06, "busy", va="bottom", fontsize=7, color=MUTED)


def _draw_legend(ax: Axes, info: GanttInfo) -> None:
    """What greys and hatches mean, under the axis; the title above the names."""
    from matplotlib.patches import Patch
    from matplotlib.transforms import ScaledTranslation

    handles = [Patch(label=f"stall: {cause}", **_look(layer)) for layer, cause in info.shown_causes]
    if info.has_overhead:
        handles.append(Patch(label="overhead", **_look(OVERHEAD)))
    figure = ax.get_figure(root=True)
    if handles and figure is not None:
        drop = ScaledTranslation(0.0, -LEGEND_DROP, figure.dpi_scale_trans)
        ax.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=ax.transAxes + drop,
            borderaxespad=0.0, frameon=False, ncols=_legend_columns(info, _inches(ax))[1], fontsize=7,
            handlelength=2.2, handleheight=1.1, columnspacing=1.4,
        )  # fmt: skip
    room = 72 * _name_room(info, _inches(ax))
    fine = any(row.pieces is None for row in info.rows)
    below = "   ·   ".join(text for text in (info.subtitle, HEIGHTS if fine else "") if text)
    for text, offset, size, colour in ((info.title, 20, 10, INK), (below, 7, 7.5, MUTED)):
        ax.annotate(
            text, (0, 1), (0, room + offset), xycoords="axes fraction", textcoords="offset points", fontsize=size,
            color=colour, va="bottom",
        )  # fmt: skip


def _legend_columns(info: GanttInfo, width_in: float) -> tuple[int, int]:
    """Entries of the legend, and in how many columns they fit."""
    longest = max((len(f"stall: {cause}") for _, cause in info.shown_causes), default=8)
    column = (CHARACTER * longest + 2.2 + 0.8 + 1.4) * 7 / 72
    entries = len(info.shown_causes) + info.has_overhead
    return entries, max(1, min(entries, int(width_in / column)))
