"""Inverted bottlenecks as modules: Sandler et al., CVPR 2018; fused ones after Gupta & Akin, 2020."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["BottleneckNetwork", "InvertedBottleneck"]


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True, shared: bool
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, track_running_stats=not shared),
    ]
    return [*layers, nn.ReLU6()] if active else layers


class InvertedBottleneck(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1; ``fused``: one full k×k convolution in place of the first two.

    Fused without an expansion is that convolution alone. ``groups`` are those of the 1×1 convolutions. The input is
    added where the stride is 1 and the channels agree.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, expansion: float, stride: int = 1, fused: bool = False,
        groups: int = 1, shared: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        inner = round(inputs * expansion)
        layers: list[nn.Module] = []
        if fused:
            layers += _conv(inputs, outputs if expansion == 1 else inner, kernel, stride=stride, shared=shared)
        else:
            if expansion != 1:
                layers += _conv(inputs, inner, 1, groups=groups, shared=shared)
            layers += _conv(inner, inner, kernel, stride=stride, groups=inner, shared=shared)
        if not (fused and expansion == 1):
            layers += _conv(inner, outputs, 1, groups=groups, active=False, shared=shared)
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h/stride, w/stride)."""
        output: Tensor = self.body(images)
        return output + images if self.residual else output


class BottleneckNetwork(nn.Module):
    """A 3×3 stem (stride 1 unless said otherwise), the blocks, a 1×1 head, mean over positions, classifier."""

    def __init__(
        self, blocks: Sequence[nn.Module], *, image_channels: int, stem: int, last: int, head: int, classes: int,
        stem_stride: int = 1, shared: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.body = nn.Sequential(
            *_conv(image_channels, stem, 3, stride=stem_stride, shared=shared), *blocks,
            *_conv(last, head, 1, shared=shared),
        )
        self.classifier = nn.Linear(head, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (n, classes) of images (n, image_channels, height, width)."""
        features: Tensor = self.body(images)
        scores: Tensor = self.classifier(features.mean((2, 3)))
        return scores
