"""Four inverted bottlenecks for 8×8 images: a space whose networks train in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import BadInput
from ...models.builder import NetworkBuilder
from ...models.network import Network
from ...models.zoo.blocks import inverted_bottleneck
from .network_space import network_values, odd_kernels, positive_options, values_key
from .slots import Slot, slots_of
from .space import Choice, Space, Value

if TYPE_CHECKING:
    import torch

    from .modules.bottlenecks import InvertedBottleneck
    from .modules.mixed import SharedModule

__all__ = ["DigitsIbn"]

# Output channels and stride of each block.
_BLOCKS = ((8, 1), (16, 2), (16, 1), (24, 1))
_STEM, _HEAD = 8, 48


@dataclass(frozen=True)
class DigitsIbn:
    """Per block the kernel, the expansion and the operator: 4,096 networks for scikit-learn's handwritten digits.

    ``net.b1.kernel`` … , ``net.b1.expansion`` … and ``net.b1.op`` are those of MobileNetV2's blocks in the space
    ``mobilenet_ibn``; the block's choices are one slot of the supernet.
    """

    name: str = "digits_ibn"
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[int, ...] = (2, 4)
    operators: tuple[str, ...] = ("ibn", "fused")
    resolution: int = 8
    image_channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        for what in ("kernels", "expansions"):
            positive_options(self.name, what, getattr(self, what))
        odd_kernels(self.name, self.kernels)
        if not self.operators or not set(self.operators) <= {"ibn", "fused"}:
            raise BadInput(f"{self.name}: operators are {list(self.operators)}; use some of ibn, fused")

    @cached_property
    def space(self) -> Space:
        """Block by block."""
        choices = []
        for number in range(1, len(_BLOCKS) + 1):
            choices += [
                Choice(f"net.b{number}.kernel", self.kernels), Choice(f"net.b{number}.expansion", self.expansions),
                Choice(f"net.b{number}.op", self.operators),
            ]  # fmt: skip
        return Space(tuple(choices))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """A block each."""
        blocks = [f"net.b{number}" for number in range(1, len(_BLOCKS) + 1)]
        return slots_of(self.space, {block: [f"{block}.{part}" for part in _PARTS] for block in blocks})

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        side = self.resolution
        builder = NetworkBuilder(self.name, channels=self.image_channels, height=side, width=side, source=_SOURCE)
        builder.conv("stem", _STEM, 3, activation="relu6")
        for number, (channels, stride) in enumerate(_BLOCKS, start=1):
            kernel, expansion, operator = (own[f"net.b{number}.{part}"] for part in _PARTS)
            inverted_bottleneck(
                builder, f"block{number}", kernel=int(kernel), expansion=int(expansion), out_channels=channels,
                stride=stride, fused=operator == "fused",
            )  # fmt: skip
        builder.conv("head", _HEAD, 1, activation="relu6")
        builder.global_average_pool("pool")
        builder.linear("classifier", self.classes)
        return builder.build()

    def module(self, values: Mapping[str, Value], shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
        """The point as an untrained module for images (channels, height, width); `BadInput` for a wrong value."""
        from .modules.bottlenecks import BottleneckNetwork

        own = self.space.validate(network_values(values))
        blocks = [_block(place, slot.candidates[slot.index(own)]) for place, slot in enumerate(self.slots)]
        return BottleneckNetwork(
            blocks, image_channels=shape[0], stem=_STEM, last=_BLOCKS[-1][0], head=_HEAD, classes=classes
        )

    def shared_module(self, shape: tuple[int, int, int], classes: int) -> SharedModule:
        """All candidates of all blocks, untrained, for images (channels, height, width)."""
        from .modules.bottlenecks import BottleneckNetwork
        from .modules.mixed import Mixed, SharedModule

        blocks = [
            Mixed(slot.name, [_block(place, candidate, shared=True) for candidate in slot.candidates])
            for place, slot in enumerate(self.slots)
        ]
        return SharedModule(BottleneckNetwork(
            blocks, image_channels=shape[0], stem=_STEM, last=_BLOCKS[-1][0], head=_HEAD, classes=classes, shared=True
        ))  # fmt: skip

    def baseline(self) -> dict[str, Value]:
        """Depthwise blocks of the smaller kernel and expansion."""
        return {choice.name: choice.options[0] for choice in self.space.choices}

    def key(self, values: Mapping[str, Value]) -> str:
        """The choices themselves."""
        return values_key(values)


_PARTS = ("kernel", "expansion", "op")
_SOURCE = "blocks after Sandler et al., CVPR 2018, and Gupta & Akin, 2020; sizes are our choice"


def _block(place: int, candidate: Mapping[str, Value], *, shared: bool = False) -> InvertedBottleneck:
    from .modules.bottlenecks import InvertedBottleneck

    inputs = _BLOCKS[place - 1][0] if place else _STEM
    outputs, stride = _BLOCKS[place]
    kernel, expansion, operator = candidate.values()
    return InvertedBottleneck(
        inputs, outputs, kernel=int(kernel), expansion=int(expansion), stride=stride, fused=operator == "fused",
        shared=shared,
    )  # fmt: skip
