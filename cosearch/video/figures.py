"""The video study as a picture: each lever's gain beside their product, a frame with what is computed, a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import BadInput
from .pipeline import STAGES
from .run import PipelineRun, Slice
from .study import ALL, DENSE, SINGLE, Levers, VideoResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["FrameInfo", "GainInfo", "frame_info", "gain_info", "plot_study", "slices_in"]

_QUANTITIES = {"latency_s": "latency", "energy_j": "energy", "frames_per_s": "frame rate"}
_COLOURS = {"latency_s": "#33658a", "energy_j": "#86bbd8", "frames_per_s": "#2f4858"}
_STAGE_COLOURS = dict(zip(STAGES, ("#f6ae2d", "#9c6644", "#86bbd8", "#33658a", "#758e4f"), strict=True))
_WINDOW = 12  # frames on the timeline


@dataclass(frozen=True)
class GainInfo:
    """``gains`` in times by quantity and combination, and the product of the levers' own."""

    combinations: tuple[str, ...]
    gains: dict[str, tuple[float, ...]]
    product: dict[str, float]


@dataclass(frozen=True, eq=False)
class FrameInfo:
    """A frame's grey levels, its kept tiles of ``tile`` pixels, the boxes said and the true ones."""

    number: int
    picture: NDArray[np.uint8]
    tiles: NDArray[np.bool_]
    tile: int
    said: NDArray[np.float64]
    true: NDArray[np.float64]


def gain_info(result: VideoResult) -> GainInfo:
    """The gains of each lever, of all together and their product; raises `BadInput` where one of them was not run."""
    shown = (*SINGLE, ALL)
    gains = {name: tuple(result.gains(levers)[name] for levers in shown) for name in _QUANTITIES}
    product = result.product()
    return GainInfo(tuple(levers.name for levers in shown), gains, {name: product[name] for name in _QUANTITIES})


def frame_info(result: VideoResult, levers: Levers = ALL, number: int | None = None) -> FrameInfo:
    """A computed frame of a combination's run at the camera's rate (None: one about the middle)."""
    row, video = result.row(levers), result.study.video
    computed = [frame.number for frame in row.live.frames if frame.tiles is not None and not frame.lost]
    if number is None:
        number = computed[len(computed) // 2]
    tiles = row.live.frames[number].tiles if number in computed else None
    if tiles is None:
        raise BadInput(f"frame {number} was not computed; computed are {', '.join(map(str, computed[:10]))}, …")
    said = row.live.shown[number].boxes
    return FrameInfo(number, video.frame(number), tiles, result.study.design.saliency.tile, said, video.boxes(number))


def slices_in(run: PipelineRun, start_s: float, end_s: float) -> list[Slice]:
    """Work of the stages within a window of time."""
    return [one for one in run.slices if one.end_s > start_s and one.start_s < end_s]


def plot_study(result: VideoResult, path: str | Path) -> Path:
    """Write the picture (format by the file's ending). Raises `BadInput` where a run it shows is missing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, height_ratios=(2.6, 1.0, 1.0))
    _plot_gains(figure.add_subplot(grid[0, 0]), gain_info(result))
    frame = frame_info(result)
    _plot_frame(figure.add_subplot(grid[0, 1]), frame)
    period_s = 1.0 / result.study.video.scene.frames_per_s
    start_s = max(0, frame.number - _WINDOW // 2) * period_s
    window_s = (start_s, start_s + _WINDOW * period_s)
    for place, levers in ((1, DENSE), (2, ALL)):
        axes = figure.add_subplot(grid[place, :])
        _plot_timeline(axes, result.row(levers).live, levers.name, window_s, last=place == 2)
    target = Path(path)
    try:
        figure.savefig(target, dpi=110)
    except (OSError, ValueError) as error:
        raise BadInput(f"{target}: cannot be written ({error}); name a .png, .pdf or .svg in a folder") from error
    return target


def _plot_gains(axes: Axes, info: GainInfo) -> None:
    names = [*info.combinations, "product of\nthe three"]
    width = 0.8 / len(_QUANTITIES)
    for at, (quantity, label) in enumerate(_QUANTITIES.items()):
        places = np.arange(len(names)) + (at - 1) * width
        heights = [*info.gains[quantity], info.product[quantity]]
        bars = axes.bar(places, heights, width, label=label, color=_COLOURS[quantity])
        bars[-1].set(hatch="//", alpha=0.55)
        axes.bar_label(bars, labels=[f"{height:.1f}" for height in heights], fontsize=7)
    axes.set_yscale("log")
    axes.set_ylim(0.8, 2.2 * max(info.product.values()))
    axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes.set_xticks(range(len(names)), [_wrapped(name) for name in names], fontsize=8)
    axes.set_ylabel("times better than dense")
    axes.set_title("Each lever, all together, and the product of the three", fontsize=10)
    axes.legend(fontsize=8, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


def _wrapped(name: str) -> str:
    return "all together" if name == ALL.name else name.replace(" + ", " +\n")


def _plot_frame(axes: Axes, info: FrameInfo) -> None:
    from matplotlib.patches import Rectangle

    height, width = info.picture.shape
    kept = info.tiles.repeat(info.tile, 0).repeat(info.tile, 1)[:height, :width]
    axes.imshow(np.where(kept, info.picture, info.picture * 0.35), cmap="gray", vmin=0, vmax=255)
    styles: tuple[tuple[NDArray[np.float64], dict[str, Any]], ...] = (
        (info.true, {"edgecolor": "white", "linestyle": ":", "linewidth": 1.0}),
        (info.said, {"edgecolor": "#f6ae2d", "linewidth": 1.4}),
    )
    for boxes, style in styles:
        for top, left, bottom, right in boxes:
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))
    axes.set_title(
        f"Frame {info.number}: {info.tiles.mean():.0%} of the tiles computed (bright); tracks orange, truth dotted",
        fontsize=10,
    )
    axes.set_axis_off()


def _plot_timeline(axes: Axes, run: PipelineRun, name: str, window_s: tuple[float, float], *, last: bool) -> None:
    for at, stage in enumerate(reversed(STAGES)):
        bars = [
            (1e3 * one.start_s, 1e3 * (one.end_s - one.start_s))
            for one in slices_in(run, *window_s)
            if one.stage == stage
        ]
        axes.broken_barh(bars, (at - 0.4, 0.8), color=_STAGE_COLOURS[stage], linewidth=1.0)
    for frame in run.frames:
        if window_s[0] <= frame.captured_s < window_s[1]:
            axes.axvline(1e3 * frame.captured_s, color="0.8", linewidth=0.7, zorder=0)
            computed = frame.kept and not frame.lost
            axes.text(
                1e3 * frame.captured_s, len(STAGES) - 0.35, f"{frame.number}", fontsize=7,
                color="black" if computed else "0.6", fontweight="bold" if computed else "normal", ha="left",
            )  # fmt: skip
    axes.set_xlim(1e3 * window_s[0], 1e3 * window_s[1])
    axes.set_ylim(-0.6, len(STAGES) + 0.3)
    axes.set_yticks(range(len(STAGES)), list(reversed(STAGES)), fontsize=8)
    axes.tick_params(axis="x", labelsize=8, labelbottom=last)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("all levers" if name == ALL.name else name, fontsize=9, loc="left", pad=3)
    if last:
        axes.set_xlabel("ms; a line where a frame comes in, bold numbers where it is computed", fontsize=8)
