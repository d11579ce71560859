"""Multiply-accumulates and parameters of the networks beside published ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..document import load_document, shipped, validate
from ..errors import BadInput
from .load import load_network

__all__ = ["CountRow", "network_counts"]

Quantity = Literal["macs", "params"]

# Network, and its row's weights class in torchvision's table.
_TORCHVISION = {
    "alexnet": "AlexNet_Weights", "vgg16": "VGG16_Weights", "vgg19": "VGG19_Weights",
    "squeezenet1_0": "SqueezeNet1_0_Weights", "squeezenet1_1": "SqueezeNet1_1_Weights",
    "inception_v1": "GoogLeNet_Weights", "resnet18": "ResNet18_Weights", "resnet50": "ResNet50_Weights",
    "resnet152": "ResNet152_Weights", "densenet121": "DenseNet121_Weights", "mobilenet_v2": "MobileNet_V2_Weights",
    "vit_b_16": "ViT_B_16_Weights",
}


@dataclass(frozen=True)
class CountRow:
    """One figure: ``error_pct`` is (modelled − published) / published in per cent, ``note`` what explains it."""

    name: str
    quantity: Quantity
    modelled: int
    published: float
    source: str
    error_pct: float
    tolerance_pct: float = 1.0
    note: str = ""

    @property
    def within(self) -> bool:
        """Whether the error is within the tolerance."""
        return abs(self.error_pct) <= self.tolerance_pct


class _Published(BaseModel):
    model_config = ConfigDict(extra="forbid")

    network: str
    options: dict[str, Any] = {}
    macs: Annotated[int, Field(gt=0)] | None = None
    params: Annotated[int, Field(gt=0)] | None = None
    source: str
    tolerance_pct: Annotated[float, Field(gt=0)] = 1.0
    note: str = ""


class _Counts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    counts: list[_Published]


def network_counts(reference: Path | None = None) -> list[CountRow]:
    """The project's own table of published counts, and torchvision's where ``reference`` holds ``imagenet/``.

    Raises `BadInput` where ``reference`` is given and has no such table.
    """
    rows = []
    for entry in validate(_Counts, load_document(shipped("validation")["network_counts"])).counts:
        network = load_network(entry.network, **entry.options)
        name = entry.network + "".join(f" {option}={value}" for option, value in entry.options.items())
        for quantity, modelled, published in (
            ("macs", network.macs, entry.macs), ("params", network.params, entry.params),
        ):
            if published is not None:
                rows.append(_row(name, quantity, modelled, published, entry.source, entry.tolerance_pct, entry.note))
    if reference is not None:
        rows += _torchvision_rows(reference)
    # Torchvision's counts stand in both tables: each is one comparison.
    return list({(row.name, row.quantity, row.source): row for row in rows}.values())


def _row(
    name: str, quantity: str, modelled: int, published: float, source: str, tolerance_pct: float = 1.0, note: str = ""
) -> CountRow:
    error = 100.0 * (modelled - published) / published
    which: Quantity = "macs" if quantity == "macs" else "params"
    return CountRow(name, which, modelled, published, source, error, tolerance_pct, note)


def _torchvision_rows(reference: Path) -> list[CountRow]:
    path = reference / "imagenet" / "torchvision_imagenet_weights.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = {(row["weights"], row["name"]): row for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as torchvision's table; check the reference folder") from error
    rows = []
    for name, weights in _TORCHVISION.items():
        published = table.get((weights, "IMAGENET1K_V1"))
        if published is None:
            continue
        network = load_network(name)
        source = f"torchvision {weights}"
        # The column is named gflops and counts multiply-accumulates.
        for quantity, modelled, column, scale in (
            ("macs", network.macs, "gflops", 1e9), ("params", network.params, "params", 1.0),
        ):
            if published.get(column):
                rows.append(_row(name, quantity, modelled, float(published[column]) * scale, source))
    return rows
