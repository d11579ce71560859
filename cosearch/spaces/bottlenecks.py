"""Spaces of networks made of inverted bottlenecks: kernels, expansions, operators, widths and groups to choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from ...errors import BadInput
from ...models.network import Network
from ...models.zoo.blocks import make_divisible
from ...models.zoo.mobilenet import IbnBlock, ibn_network
from .layer_groups import LayerGroup, Per
from .network_space import network_values, odd_kernels, positive_options, values_key
from .space import Choice, Space, Value

if TYPE_CHECKING:
    import torch

__all__ = ["Bottlenecks", "stages_of"]

_STEM, _HEAD = 32, 1280
_OPERATORS = ("ibn", "fused")
Stages = tuple[tuple[int, tuple[IbnBlock, ...]], ...]


def stages_of(blocks: tuple[IbnBlock, ...]) -> Stages:
    """Blocks of one output width form a stage, whose first one has the stride: (channels, blocks) by stage."""
    return tuple((channels, tuple(own)) for channels, own in groupby(blocks, key=lambda block: block.out_channels))


def _distinct(channels: int, widths: tuple[float, ...]) -> tuple[float, ...]:
    """The widths that give different channels; of those that round alike the one nearest to 1 stays."""
    kept: dict[int, float] = {}
    for width in sorted(widths, key=lambda width: abs(width - 1.0)):
        kept.setdefault(make_divisible(channels * width), width)
    return tuple(sorted(kept.values()))


@dataclass(frozen=True)
class Bottlenecks:
    """The networks around a published one of inverted bottlenecks, block by block.

    ``net.b01.kernel`` … and ``net.b01.expansion`` … (a block whose published expansion is 1 keeps it), ``net.b01.op``:
    ``ibn`` (1×1 expansion, depthwise) or ``fused`` (one full convolution instead of both, Gupta & Akin, 2020), and
    ``net.b01.groups`` of the block's 1×1 convolutions. ``net.s1.width`` multiplies the published channels of a stage
    (``net.b01.width`` those of a block where ``scale`` is "block"; blocks of a stage whose channels differ have no
    shortcut between them). They are rounded to multiples of 8, and a width that rounds like another is not offered.
    ``net.resolution`` is the side of the input image. What has one option is no choice.
    """

    name: str
    published: tuple[IbnBlock, ...]
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 6)
    operators: tuple[str, ...] = ("ibn",)
    widths: tuple[float, ...] = (1.0,)
    groups: tuple[int, ...] = (1,)
    resolutions: tuple[int, ...] = (224,)
    scale: Literal["stage", "block"] = "stage"
    source: str = ""

    def __post_init__(self) -> None:
        for what in ("kernels", "expansions", "widths", "groups", "resolutions"):
            positive_options(self.name, what, getattr(self, what))
        odd_kernels(self.name, self.kernels)
        if not self.operators or not set(self.operators) <= set(_OPERATORS):
            raise BadInput(f"{self.name}: operators are {list(self.operators)}; use some of {', '.join(_OPERATORS)}")
        if self.scale not in ("stage", "block"):
            raise BadInput(f"{self.name}: scale is '{self.scale}'; use stage or block")

    @cached_property
    def _stages(self) -> Stages:
        return stages_of(self.published)

    @cached_property
    def _properties(self) -> dict[str, tuple[Value, ...]]:
        """Every property of the network with its options, in the order of the network; those of one option too."""
        found: dict[str, tuple[Value, ...]] = {"net.resolution": self.resolutions}
        for stage, (channels, blocks) in enumerate(self._stages, start=1):
            widths = _distinct(channels, self.widths)
            if self.scale == "stage":
                found[f"net.s{stage}.width"] = widths
            for label, block in self._labelled(stage, blocks):
                if self.scale == "block":
                    found[f"{label}.width"] = widths
                found[f"{label}.kernel"] = self.kernels
                found[f"{label}.expansion"] = self.expansions if block.expansion != 1 else (1,)
                found[f"{label}.op"] = self.operators
                found[f"{label}.groups"] = self.groups
        return found

    def _labelled(self, stage: int, blocks: tuple[IbnBlock, ...]) -> Iterator[tuple[str, IbnBlock]]:
        """The blocks of a stage (from 1) with the beginning of their choices' names."""
        before = sum(len(blocks) for _, blocks in self._stages[: stage - 1])
        return ((f"net.b{before + place:02d}", block) for place, block in enumerate(blocks, start=1))

    @cached_property
    def space(self) -> Space:
        """The choices in the order of the network: resolution, then stage by stage its width and its blocks."""
        return Space(tuple(Choice(name, options) for name, options in self._properties.items() if len(options) > 1))

    @cached_property
    def addresses(self) -> dict[str, str]:
        """The choices by stage and place in it, both from 1: ``stage3.block1.op`` and ``stage3.width``."""
        found = {}
        for stage, (_, blocks) in enumerate(self._stages, start=1):
            found[f"stage{stage}.width"] = f"net.s{stage}.width"
            for place, (label, _) in enumerate(self._labelled(stage, blocks), start=1):
                names = [name for name in self._properties if name.startswith(f"{label}.")]
                found |= {f"stage{stage}.block{place}.{name.removeprefix(f'{label}.')}": name for name in names}
        return found

    @property
    def spellings(self) -> dict[str, Value]:
        """Other names of the operators."""
        return {"fused_ibn": "fused", "inverted_bottleneck": "ibn"}

    def layers_by(self, per: Per) -> tuple[LayerGroup, ...]:
        """Stem, stages ``s1`` … or blocks ``b01`` … or their layers, head and classifier, under the choices' names."""
        found = [LayerGroup("stem", ("stem",))]
        for stage, (_, blocks) in enumerate(self._stages, start=1):
            labels = [label.removeprefix("net.") for label, _ in self._labelled(stage, blocks)]
            layers = {label: f"block{int(label[1:]) - 1}" for label in labels}
            if per == "stage":
                found.append(LayerGroup(f"s{stage}", tuple(f"{name}.*" for name in layers.values())))
            elif per == "block":
                found += [LayerGroup(label, (f"{name}.*",)) for label, name in layers.items()]
            else:
                for (label, name), block in zip(layers.items(), blocks, strict=True):
                    found += self._layers_of(label, name, expands=block.expansion != 1)
        return (*found, LayerGroup("head", ("head",)), LayerGroup("classifier", ("classifier",)))

    def _layers_of(self, label: str, name: str, *, expands: bool) -> list[LayerGroup]:
        """A block's layers, each where its operator has it."""
        found = []
        for operator in self.operators:
            when = {f"net.{label}.op": [operator]} if len(self.operators) > 1 else {}
            parts = ["fused"] if operator == "fused" else ["expand", "depthwise"] if expands else ["depthwise"]
            found += [LayerGroup(f"{label}.{part}", (f"{name}.{part}",), when) for part in parts]
        # A fused block that does not expand is its one convolution.
        always = expands or "fused" not in self.operators
        when = {} if always or len(self.operators) == 1 else {f"net.{label}.op": ["ibn"]}
        if always or "ibn" in self.operators:
            found.append(LayerGroup(f"{label}.project", (f"{name}.project",), when))
        return found

    def blocks(self, values: Mapping[str, Value]) -> tuple[IbnBlock, ...]:
        """The blocks of one point, with their channels at width 1; `BadInput` for a wrong value."""
        own = self._all(values)
        found = []
        for stage, (channels, blocks) in enumerate(self._stages, start=1):
            for label, block in self._labelled(stage, blocks):
                width = own[f"net.s{stage}.width" if self.scale == "stage" else f"{label}.width"]
                found.append(
                    IbnBlock(
                        kernel=int(own[f"{label}.kernel"]),
                        expansion=int(own[f"{label}.expansion"]),
                        out_channels=make_divisible(channels * float(width)),
                        stride=block.stride,
                        fused=own[f"{label}.op"] == "fused",
                        groups=int(own[f"{label}.groups"]),
                    )
                )
        return tuple(found)

    def _all(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The point's choices and what is none."""
        fixed = {name: options[0] for name, options in self._properties.items()}
        return fixed | self.space.validate(network_values(values))

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        resolution = int(self._all(values)["net.resolution"])
        return ibn_network(
            self.name, self.blocks(values), resolution=resolution, stem=_STEM, head=_HEAD, source=self.source
        )

    def module(self, values: Mapping[str, Value], shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        """The untrained network for images (channels, height, width) of any size; `BadInput` for a wrong value."""
        from .modules.bottlenecks import BottleneckNetwork, InvertedBottleneck

        blocks, inputs = [], _STEM
        for block in self.blocks(values):
            blocks.append(InvertedBottleneck(
                inputs, block.out_channels, kernel=block.kernel, expansion=block.expansion, stride=block.stride,
                fused=block.fused, groups=block.groups,
            ))  # fmt: skip
            inputs = block.out_channels
        return BottleneckNetwork(
            blocks, image_channels=shape[0], stem=_STEM, stem_stride=2, last=inputs, head=_HEAD, classes=classes
        )

    def baseline(self) -> dict[str, Value]:
        """The published network at 224×224, or the nearest that the options allow."""
        wanted: dict[str, Value] = {"net.resolution": 224}
        for stage, (_, blocks) in enumerate(self._stages, start=1):
            wanted[f"net.s{stage}.width"] = 1.0
            for label, block in self._labelled(stage, blocks):
                wanted[f"{label}.width"] = 1.0
                wanted[f"{label}.kernel"], wanted[f"{label}.expansion"] = block.kernel, int(block.expansion)
                wanted[f"{label}.op"], wanted[f"{label}.groups"] = "ibn", 1
        return {choice.name: _nearest(choice.options, wanted[choice.name]) for choice in self.space.choices}

    def key(self, values: Mapping[str, Value]) -> str:
        """The choices themselves."""
        return values_key(values)


def _nearest(options: tuple[Value, ...], wanted: Value) -> Value:
    if isinstance(wanted, str):
        return wanted if wanted in options else options[0]
    return min(options, key=lambda option: abs(float(option) - float(wanted)))
