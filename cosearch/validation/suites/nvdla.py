"""NVDLA on ResNet-50: seven sizes' frame rates, and layer by layer the vendor's performance sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ....accel.accelerator import Accelerator, Compute, Memory
from ....accel.spec import load_accelerator
from ....document import load_document, shipped, validate
from ....errors import BadInput
from ....mapper.estimate import Estimate, estimate
from ....models.load import load_network
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target
from .nvdla_sheet import SHEET, LayerFigures, sheet_layers, with_sram, without_sram

__all__ = ["ABOUT", "TITLE", "run"]

TITLE = "NVDLA on ResNet-50"
ABOUT = """\
NVIDIA publishes frame rates of seven sizes (32 to 2,048 multipliers) in the NVDLA primer, and the spreadsheet they come
from, which lists ResNet-50 layer by layer: with 4 MB of SRAM (CVSRAM) beside the DRAM, and with the DRAM alone. Both
are the vendor's model, not silicon. Nothing is fitted. Dovetail maps each layer by the vendor's rule
(`--mapper nvdla`): the smaller of input and weights stays in the convolution buffer, in parts where it does not fit, at
least one row of outputs or a group of 32 kernels of the other beside it, channels never split. What follows from the
spec: strided layers are channel-extended, additions and pools are fused behind convolutions, layers run back to back.
"""
_PRIMER = "nvdla/primer_resnet50_fps.csv"
_UNPUBLISHED = "no other model is published against these figures"
_NOTES = (
    "The sheet moves 1,024 bytes per microsecond where a bandwidth says 1 GB/s; so do the rates compared with it.",
    "The network is ResNet-50 as its authors released it: a block's stride in its first 1x1 convolution. Frame rates "
    "are without Winograd, which the hardware's configurations (spec/defs, github.com/nvdla/hw) switch off.",
    "The published rates are those of the vendor's tiling. With the optimal mapper in the rule's place the seven sizes "
    "come 4, 20, 9, 17, 22, 67 and 69 % above the published ones: it splits channels and takes groups smaller than 32 "
    "kernels (and keeps no room in the buffer for the padding of channel-extended filters).",
)
_AREA_NOTE = (
    "Estimated areas count multipliers, memories and vector lanes; the published synthesis also has control, the DMA "
    "engines' latency buffers and the units for pooling and normalisation. Power is of the chip, without DRAM."
)


class _Size(BaseModel):
    """One row of the primer, with the array's two sides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    macs: int
    kernels: int
    channels: int
    cbuf: str
    bandwidth: str
    fps: Annotated[float, Field(gt=0)]


class _Sizes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: list[_Size]


@dataclass(frozen=True)
class _Published:
    """A size as a row of the reference folder has it; None where it is kept aside or not there."""

    size: _Size
    fps: float | None
    area_mm2: float | None = None
    power_w: float | None = None


def run(reference: Reference) -> list[SuiteResult]:
    """Frame rates of the seven sizes, cycles and DRAM traffic of the layers, area and power."""
    return [*_sizes(reference), *_layers(reference)]


# ---- seven sizes ---------------------------------------------------------------------------------------------------


def _sizes(reference: Reference) -> list[SuiteResult]:
    published = _published(reference)
    modelled = {row.size.macs: _estimated(row.size) for row in published}
    rates = {macs: 1.0 / found.latency_s for macs, found in modelled.items()}
    areas = {macs: found.area_mm2 for macs, found in modelled.items()}
    watts = {macs: _chip_w(found) for macs, found in modelled.items()}
    bars, results = (Target("each_abs_error_pct", 5.0),), []
    for quantity, unit, cases, targets, notes in (
        ("frame rate", "frames/s", tuple(_cases(published, "fps", rates)), bars, _NOTES),
        ("area at 16 nm", "mm2", tuple(_cases(published, "area_mm2", areas)), (), (_AREA_NOTE,)),
        ("average power at 16 nm", "W", tuple(_cases(published, "power_w", watts)), (), (_AREA_NOTE,)),
    ):
        if cases:
            results.append(SuiteResult("nvdla", quantity, cases, _UNPUBLISHED, unit, targets=targets, notes=notes))
    return results


def _cases(published: Iterable[_Published], field: str, modelled: dict[int, float]) -> Iterable[Case]:
    for row in published:
        figure = getattr(row, field)
        if figure is not None:
            yield Case(f"{row.size.macs} multipliers", figure, modelled[row.size.macs])


def _published(reference: Reference) -> list[_Published]:
    """The rows of the reference folder, or the frame rates the project states itself."""
    known = {size.macs: size for size in validate(_Sizes, load_document(shipped("validation")["nvdla"])).sizes}
    columns = (
        "macs",
        "conv_buffer_kB",
        "sdram_bw_GBps",
        "int8_resnet50_fps_1GHz",
        "area_mm2_16nm",
        "avg_power_mW_16nm",
    )
    rows = reference.table(_PRIMER, columns)
    if rows is None:
        return [_Published(size, size.fps) for size in known.values()]
    found = []
    for line, row in enumerate(rows, 2):
        where = f"{_PRIMER}:{line}"
        macs, buffer, bandwidth, fps, area, power = (number(row, column, where) for column in columns)
        if macs is None or int(macs) not in known:
            raise BadInput(f"{where}: {row['macs']} multipliers are none of {', '.join(map(str, known))}")
        size = known[int(macs)]
        if buffer is not None and bandwidth is not None:
            size = size.model_copy(update={"cbuf": f"{buffer:g} KiB", "bandwidth": f"{bandwidth:g} GB/s"})
        found.append(_Published(size, fps, area, None if power is None else power / 1e3))
    return found


@lru_cache(maxsize=16)
def _estimated(size: _Size) -> Estimate:
    chip = load_accelerator("nvdla").with_parameters(
        kernels=size.kernels, channels=size.channels, cbuf=size.cbuf, bandwidth=size.bandwidth
    )
    network = load_network("resnet50", authors=True)
    return estimate(network, as_the_sheet_counts(chip), "nvdla", "latency", cache=False)


def _chip_w(found: Estimate) -> float:
    """Average power of the chip alone."""
    outside = found.accelerator.memories[0].name
    return (found.energy_j - found.breakdown().get(outside, 0.0)) / found.latency_s


# ---- layer by layer ------------------------------------------------------------------------------------------------


def _layers(reference: Reference) -> list[SuiteResult]:
    layers = sheet_layers(reference)
    if not layers:
        return []
    beside = as_the_sheet_counts(load_accelerator("nvdla_large"))
    alone = as_the_sheet_counts(_with_winograd(load_accelerator("nvdla").with_parameters(bandwidth="10 GB/s")))
    return [
        *_compared("with SRAM", layers, "left", with_sram(layers, beside)),
        *_compared("DRAM alone", layers, "right", without_sram(layers, alone)),
    ]


def _compared(
    which: str, layers: Sequence[LayerFigures], side: str, modelled: Sequence[tuple[float, float]]
) -> Iterable[SuiteResult]:
    """Cycles and DRAM traffic (KiB) of one block of the sheet."""
    rows = [(layer.published[side], found, layer.name) for layer, found in zip(layers, modelled, strict=True)]
    for at, quantity, unit, bars in (
        (0, f"cycles per layer, {which}", "cycles", (Target("mape_pct", 5.0),)),
        (1, f"DRAM traffic per layer, {which}", "KiB", ()),
    ):
        cases = [Case(name, figure, found[at]) for given, found, name in rows if (figure := given[at]) is not None]
        if cases:
            yield SuiteResult("nvdla", quantity, tuple(cases), _UNPUBLISHED, unit=unit, targets=bars, notes=SHEET.notes)


def as_the_sheet_counts(accelerator: Accelerator) -> Accelerator:
    """The accelerator with the bandwidths outside the convolution core as the sheet takes them."""
    levels = [
        replace(
            level,
            read_bandwidth_bits_per_s=level.read_bandwidth_bits_per_s * SHEET.bytes_per_thousand / 1e3,
            write_bandwidth_bits_per_s=level.write_bandwidth_bits_per_s * SHEET.bytes_per_thousand / 1e3,
        )
        if isinstance(level, Memory) and level.name in ("dram", "cvsram")
        else level
        for level in accelerator.levels
    ]
    return replace(accelerator, levels=tuple(levels), spec=None)


def _with_winograd(accelerator: Accelerator) -> Accelerator:
    levels = [replace(level, winograd=True) if isinstance(level, Compute) else level for level in accelerator.levels]
    return replace(accelerator, levels=tuple(levels), spec=None)
