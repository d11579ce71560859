"""SSD object detectors on MobileNet v1 and v2, 300×300, 90 classes of COCO.

Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016 (arXiv:1512.02325); feature maps, widths and 1×1 predictors
as in tensorflow/models, research/object_detection (ssd_mobilenet_v1_quantized_300x300_coco14_sync.config and
ssd_mobilenet_v2_quantized_300x300_coco.config).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import NetworkBuilder, Point
from ..network import Network
from .mobilenet import MOBILENET_V2_BLOCKS, ibn_body
from .mobilenet_v1 import mobilenet_v1_body

__all__ = ["ssd_mobilenet_v1", "ssd_mobilenet_v2"]

_BOX = 4  # numbers that place a box


def ssd_mobilenet_v1(*, resolution: int = 300, classes: int = 90, batch: int = 1, bits: int = 8) -> Network:
    """SSD on MobileNet v1: predictions from layers 11 and 13 and four smaller maps behind them."""
    builder = _begin("ssd_mobilenet_v1", resolution, batch, bits)
    mobilenet_v1_body(builder)
    return _detect(builder, (builder.after("layer11.relu6"), builder.here), classes)


def ssd_mobilenet_v2(*, resolution: int = 300, classes: int = 90, batch: int = 1, bits: int = 8) -> Network:
    """SSD on MobileNetV2: predictions from the expansion of the 14th block, the 1280-channel head and four maps."""
    builder = _begin("ssd_mobilenet_v2", resolution, batch, bits)
    ibn_body(builder, MOBILENET_V2_BLOCKS)
    builder.conv("head", 1280, 1, activation="relu6")
    return _detect(builder, (builder.after("block13.expand.relu6"), builder.here), classes)


def _begin(name: str, resolution: int, batch: int, bits: int) -> NetworkBuilder:
    return NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Liu et al., ECCV 2016, arXiv:1512.02325; layers as in tensorflow/models, research/object_detection",
        notes=("non-maximum suppression counts as one pass over boxes and scores",),
    )


def _detect(builder: NetworkBuilder, maps: Sequence[Point], classes: int) -> Network:
    """Four more maps, a box and a class predictor on each of the six, and the selection of the boxes."""
    points = list(maps)
    for index, (squeeze, out) in enumerate(((256, 512), (128, 256), (128, 256), (64, 128))):
        builder.conv(f"extra{index}.squeeze", squeeze, 1, activation="relu6")
        builder.conv(f"extra{index}", out, 3, stride=2, activation="relu6")
        points.append(builder.here)
    words, boxes, predictions = classes + 1, 0, []
    for index, point in enumerate(points):
        anchors = 3 if index == 0 else 6
        for what, size in (("box", _BOX), ("class", words)):
            builder.resume(point)
            builder.conv(f"predict{index}.{what}", anchors * size, 1)
            if what == "class":
                builder.elementwise(f"predict{index}.sigmoid", "sigmoid")
            predictions.append(builder.here.layer)
        boxes += anchors * point.height * point.width
    # Each box: scores dequantised (2 operations a word) and compared, the box decoded from its anchor (20).
    operations = boxes * (2 * (words + _BOX) + words + 20)
    point = Point("detections", 10 * (_BOX + 2), 1, 1)
    builder.vector("detections", "detection_post_process", operations=operations, words_in=boxes * (words + _BOX),
                   point=point, inputs=tuple(predictions))
    return builder.build()
