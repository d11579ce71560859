"""The layers of NVIDIA's performance sheet (NVDLA_OpenSource_Performance.xlsx, ResNet50), and the model of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ....accel.accelerator import Accelerator
from ....accel.analytic import Cost
from ....accel.residence import Residence, with_residence
from ....errors import BadInput, Infeasible
from ....mapper.execution import back_to_back, executed
from ....mapper.search import map_many
from ....models.op import Op, Role, conv2d, linear
from ..reference import Reference, number

__all__ = ["SHEET", "LayerFigures", "Sheet", "sheet_layers", "with_sram", "without_sram"]

_FILE = "nvdla/resnet50_layers.csv"
KIB = 1024


@dataclass(frozen=True)
class Sheet:
    """How the sheet counts, read off its figures: units, and what it does besides the rule of tiling."""

    bytes_per_thousand: int = 1024  # 212 KiB take 21,200 cycles at "10 GB/s" and 1 GHz
    samples: int = 16  # fully connected layers run for so many frames at once, beside an SRAM
    notes: tuple[str, ...] = (
        "The first convolution: the sheet counts 16 channels for 3 x 4 of a stride, and kernels in multiples of 128 "
        "(DRAM alone); the model lays 7 columns and 2 rows of 3 channels along the array (channel post-extension).",
        "The sheet gives the first 1x1 convolution of the main branch 256 input channels (ResNet-50 has 64), and the "
        "last addition the words left after the pool; its layers are compared as it lists them.",
        "With SRAM: every output goes there; once what layers have read and written in it exceeds its 4 MB, outputs "
        "also go to the DRAM, although the room of dead tensors would do. That rule is read off the sheet's traffic; "
        "`estimate` with `nvdla_large` keeps all activations in the SRAM instead.",
        "With SRAM: the model reads a residual operand from the SRAM, the sheet does not count it.",
    )


SHEET = Sheet()


@dataclass(frozen=True)
class LayerFigures:
    """A layer of the sheet: its operator for one frame, words of what is fused behind it, and the published figures.

    ``published`` holds, for "left" and "right", cycles and KiB of DRAM traffic, None where kept aside.
    """

    name: str
    op: Op
    residual: int
    leaves: int
    published: Mapping[str, tuple[float | None, float | None]]

    @property
    def moved(self) -> dict[str, tuple[int, int]]:
        """What `executed` is to know of the fused operators."""
        if not self.residual and self.leaves == self.op.words("output"):
            return {}
        return {self.op.name: (self.residual, self.leaves)}


def sheet_layers(reference: Reference) -> list[LayerFigures]:
    """The sheet's layers; none where the file is absent. Raises `BadInput` where it is no such sheet."""
    path = reference.path(_FILE)
    if path is None:
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as a table ({error}); check the reference folder") from error
    head = next((at for at, line in enumerate(lines) if "Layer attribute" in line), None)
    if head is None:
        raise BadInput(f"{path}: no line with 'Layer attribute'; it is not the sheet's table of layers")
    names = [f"{name}#{lines[head][:at].count(name)}" for at, name in enumerate(lines[head])]
    layers = []
    for at, line in enumerate(lines[head + 1 :], head + 2):
        row = dict(zip(names, line, strict=False))
        if row.get("Layer attribute#0"):
            layers.append(_layer(row, f"{path}:{at}", path))
    return layers


_SHAPE = (
    "#input feature maps C", "#output feature maps K", "Filter Height R", "Filter Width S", "Vertical  Conv Srtide H",
    "Horizontal Conv  Stride V", "Height after Conv P", "Width after Conv Q",
)  # fmt: skip
_FIGURES = {"left": ("MAX Cycles#0", "DRAM Traffic#0"), "right": ("MAX Cycle#0", "DRAM Traffic#1")}


def _layer(row: dict[str, str], where: str, path: Path) -> LayerFigures:
    wanted = [f"{name}#0" for name in (*_SHAPE, "Layer", "Output data size")]
    lacking = [name for name in (*wanted, *(c for pair in _FIGURES.values() for c in pair)) if name not in row]
    if lacking:
        raise BadInput(f"{path}: no column '{lacking[0].rsplit('#', 1)[0]}'; it is not the sheet's table of layers")
    numbers = [number(row, f"{name}#0", where) for name in _SHAPE]
    if any(value is None or value < 1 for value in numbers):
        raise BadInput(f"{where}: a layer without its shape; check the reference folder")
    c, k, r, s, v, h, p, q = (int(value) for value in numbers if value is not None)
    name, kind = row["Layer#0"].split(" ")[0], row["Layer attribute#0"]
    op = linear(name, n=1, k=k, c=c) if kind == "fc" else conv2d(name, k=k, c=c, p=p, q=q, r=r, s=s, stride=(v, h))
    words, pooled = op.words("output"), [number(row, f"Height after Pooling {side}#0", where) for side in "AB"]
    leaves = k * int(pooled[0]) * int(pooled[1]) if pooled[0] and pooled[1] else words
    published = {
        side: (number(row, columns[0], where), number(row, columns[1], where)) for side, columns in _FIGURES.items()
    }
    return LayerFigures(name, op, words if "elwise" in kind else 0, leaves, published)


def without_sram(layers: Sequence[LayerFigures], accelerator: Accelerator) -> list[tuple[float, float]]:
    """(cycles, KiB of DRAM traffic) of each layer with everything in the DRAM."""
    return _modelled(layers, [(layer.op, accelerator) for layer in layers])


def with_sram(layers: Sequence[LayerFigures], accelerator: Accelerator) -> list[tuple[float, float]]:
    """(cycles, KiB of DRAM traffic) of each layer and frame, with activations in the SRAM as the sheet places them.

    The image comes from the DRAM. Outputs also go to the DRAM once what has passed the SRAM before the layer is more
    than it holds.
    """
    sram = next(memory for memory in accelerator.memories if memory.may_reside)
    passed, pairs, copied = 0, [], []
    for first, layer in zip([True, *[False] * (len(layers) - 1)], layers, strict=True):
        roles: tuple[Role, ...] = ("output",) if first else ("input", "output")
        fully_connected = "P" not in layer.op.bounds
        op = replace(layer.op, dims=(("N", SHEET.samples), *layer.op.dims[1:])) if fully_connected else layer.op
        pairs.append((op, with_residence(accelerator, Residence(tuple((role, sram.name) for role in roles)))))
        width, full = layer.op.tensor("output").bits, passed > sram.size_bits
        copied.append(layer.leaves * width if full and not fully_connected else 0)
        passed += width * (layer.leaves + (0 if first else layer.op.words("input")))
    frames = [op.bounds["N"] for op, _ in pairs]
    found = _modelled(layers, pairs, copied)
    return [(cycles / n, traffic / n) for (cycles, traffic), n in zip(found, frames, strict=True)]


def _modelled(
    layers: Sequence[LayerFigures], pairs: Sequence[tuple[Op, Accelerator]], copied: Sequence[int] = ()
) -> list[tuple[float, float]]:
    moved = {name: words for layer in layers for name, words in layer.moved.items()}
    run = executed(pairs, moved)
    if copied:
        run = [(op, _copying(op, chip, bits)) for (op, chip), bits in zip(run, copied, strict=True)]
    found = []
    for (_, chip), answer in zip(run, map_many(run, "latency", "nvdla", cache=False), strict=True):
        if isinstance(answer, Infeasible):
            raise answer
        found.append((back_to_back(answer.cost, chip).cycles, _dram_kib(answer.cost, chip)))
    return found


def _copying(op: Op, accelerator: Accelerator, bits: int) -> Accelerator:
    """The accelerator with so many bits more through the DRAM's port: they go with the weights, which pass it once."""
    dram, weight = accelerator.memories[0], op.tensor("weight")
    width = dram.bits("weight", weight.bits) + bits / op.words("weight")
    wider = replace(dram, word_bits={**dram.word_bits, "weight": width})
    return replace(accelerator, levels=(wider, *accelerator.levels[1:]))


def _dram_kib(cost: Cost, accelerator: Accelerator) -> float:
    """DRAM traffic: its energy over that of a bit, the same for reads and writes."""
    dram = accelerator.memories[0]
    joules = sum(energy for (component, _), energy in cost.energy.items() if component == dram.name)
    return joules / dram.read_energy_j_per_bit / 8 / KIB
