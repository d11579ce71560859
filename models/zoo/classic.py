"""AlexNet, VGG-16 and VGG-19, the networks the first accelerators were measured with."""

from __future__ import annotations

from ..builder import NetworkBuilder
from ..network import Network

__all__ = ["alexnet", "vgg16", "vgg19"]


def alexnet(
    *, grouped: bool = False, resolution: int | None = None, classes: int = 1000, batch: int = 1, bits: int = 8
) -> Network:
    """AlexNet: as torchvision has it (Krizhevsky, arXiv:1404.5997; 224×224), or ``grouped`` as in 2012.

    Krizhevsky, Sutskever & Hinton, NeurIPS 2012: two towers, so that the second, fourth and fifth convolution have two
    groups; 227×227 inputs. That is the network of the Eyeriss measurements. ``resolution`` overrides the input size.
    """
    source = "NeurIPS 2012, two towers" if grouped else "arXiv:1404.5997, as in torchvision"
    size = resolution if resolution is not None else (227 if grouped else 224)
    first, groups = (96, 2) if grouped else (64, 1)
    widths = (256, 384, 384, 256) if grouped else (192, 384, 256, 256)
    notes = ("local response normalisation is not modelled",) if grouped else ()
    builder = NetworkBuilder(
        "alexnet", channels=3, height=size, width=size, batch=batch, bits=bits, source=f"Krizhevsky et al., {source}",
        notes=notes,
    )
    builder.conv("conv1", first, 11, stride=4, padding=0 if grouped else 2, activation="relu")
    builder.max_pool("pool1", 3, stride=2)
    builder.conv("conv2", widths[0], 5, groups=groups, activation="relu")
    builder.max_pool("pool2", 3, stride=2)
    builder.conv("conv3", widths[1], 3, activation="relu")
    builder.conv("conv4", widths[2], 3, groups=groups, activation="relu")
    builder.conv("conv5", widths[3], 3, groups=groups, activation="relu")
    builder.max_pool("pool5", 3, stride=2)
    builder.adaptive_average_pool("avgpool", 6)
    _classifier(builder, classes)
    return builder.build()


def vgg16(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """VGG-16 without batch norm: Simonyan & Zisserman, ICLR 2015 (arXiv:1409.1556), Table 1, configuration D."""
    return _vgg("vgg16", "D", (2, 2, 3, 3, 3), resolution, classes, batch, bits)


def vgg19(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """VGG-19 without batch norm: the same table, configuration E."""
    return _vgg("vgg19", "E", (2, 2, 4, 4, 4), resolution, classes, batch, bits)


def _vgg(
    name: str, column: str, depths: tuple[int, ...], resolution: int, classes: int, batch: int, bits: int
) -> Network:
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source=f"Simonyan & Zisserman, ICLR 2015, arXiv:1409.1556, Table 1 ({column})",
    )
    for stage, (channels, repeats) in enumerate(zip((64, 128, 256, 512, 512), depths, strict=True), start=1):
        for index in range(1, repeats + 1):
            builder.conv(f"conv{stage}_{index}", channels, 3, activation="relu")
        builder.max_pool(f"pool{stage}", 2, stride=2)
    builder.adaptive_average_pool("avgpool", 7)
    _classifier(builder, classes)
    return builder.build()


def _classifier(builder: NetworkBuilder, classes: int) -> None:
    """Three fully connected layers; dropout does nothing at inference."""
    builder.flatten()
    builder.linear("fc6", 4096, activation="relu")
    builder.linear("fc7", 4096, activation="relu")
    builder.linear("fc8", classes)
