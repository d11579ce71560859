"""A simulated timeline as the study's folder keeps it: enough to draw it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ....accel.simulator.gantt import GanttInfo
from ....accel.simulator.gantt_parts import GanttRow, OperatorBar
from ....errors import BadInput

__all__ = ["BINS", "read_timeline", "timeline_text"]

BINS = 480
"""Steps into which a kept timeline is split; finer ones are not seen on a page."""


def timeline_text(info: GanttInfo) -> str:
    """The timeline as JSON; shares are kept to three digits."""
    data = {
        "title": info.title, "subtitle": info.subtitle, "window_s": info.window_s, "bins": len(info.edges) - 1,
        "causes": info.causes, "lanes": [_row(row) for row in info.lanes], "rows": [_row(row) for row in info.rows],
        "operators": [[bar.label, bar.lane, bar.colour, bar.start_s, bar.end_s] for bar in info.operators],
    }  # fmt: skip
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def _row(row: GanttRow) -> dict[str, Any]:
    layers = {str(layer): fill.round(3).tolist() for layer, fill in enumerate(row.fill) if fill.any()}
    pieces = None if row.pieces is None else [list(piece) for piece in row.pieces]
    return {"label": row.label, "busy": row.busy, "stall": row.stall, "layers": len(row.fill), "fill": layers,
            "pieces": pieces}  # fmt: skip


def read_timeline(path: Path) -> GanttInfo | None:
    """The inverse of `timeline_text`; None without a file. Raises `BadInput` where it holds something else."""
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        bins, (start, end) = int(data["bins"]), map(float, data["window_s"])
        return GanttInfo(
            str(data["title"]), str(data["subtitle"]), np.linspace(start, end, bins + 1),
            tuple(_read_row(row, bins) for row in data["lanes"]),
            tuple(OperatorBar(str(one[0]), int(one[1]), int(one[2]), float(one[3]), float(one[4]))
                  for one in data["operators"]),
            tuple(_read_row(row, bins) for row in data["rows"]), tuple(data["causes"]),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise BadInput(f"{path}: cannot be read as a timeline; delete it and run the study with --resume") from error


def _read_row(data: dict[str, Any], bins: int) -> GanttRow:
    fill = np.zeros((int(data["layers"]), bins))
    for layer, shares in data["fill"].items():
        fill[int(layer)] = shares
    pieces = data["pieces"]
    kept = None if pieces is None else tuple((int(one[0]), float(one[1]), float(one[2])) for one in pieces)
    return GanttRow(str(data["label"]), fill, kept, float(data["busy"]), float(data["stall"]))
