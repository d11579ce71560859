"""Networks of the literature, one file per family; `ZOO` maps each name to the function that builds it.

Every builder takes ``batch`` and ``bits`` (the width of all words) besides options of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..network import Network
from .classic import alexnet, vgg16, vgg19
from .densenet import densenet121
from .detector import detector_resnet18
from .efficientnet import EDGETPU_SCALING, LITE_SCALING, efficientnet_edgetpu, efficientnet_lite
from .inception import inception_resnet_v2, inception_v1, inception_v3, inception_v4
from .mobilenet import mobilenet_edgetpu, mobilenet_v2
from .mobilenet_edgetpu_v2 import EDGETPU_V2_SIZES, mobilenet_edgetpu_v2
from .mobilenet_v1 import mobilenet_v1
from .nasbench201 import nasbench201
from .resnet import resnet8, resnet18, resnet50, resnet152
from .resnet_v2 import resnet50_v2, resnet152_v2
from .segmentation import deeplab_v3_mobilenet_v2, unet_mobilenet_v2
from .squeezenet import squeezenet1_0, squeezenet1_1
from .ssd import ssd_mobilenet_v1, ssd_mobilenet_v2
from .transformer import bert_base, bert_large, gpt2_decode, gpt2_prefill, vit_b_16

__all__ = ["DESCRIBED", "ZOO"]

ZOO: dict[str, Callable[..., Network]] = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "squeezenet1_0": squeezenet1_0,
    "squeezenet1_1": squeezenet1_1,
    "inception_v1": inception_v1,
    "inception_v3": inception_v3,
    "inception_v4": inception_v4,
    "inception_resnet_v2": inception_resnet_v2,
    "resnet8": resnet8,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet152": resnet152,
    "resnet50_v2": resnet50_v2,
    "resnet152_v2": resnet152_v2,
    "densenet121": densenet121,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_edgetpu": mobilenet_edgetpu,
    **{f"mobilenet_edgetpu_v2_{size}": partial(mobilenet_edgetpu_v2, size) for size in EDGETPU_V2_SIZES},
    **{f"efficientnet_edgetpu_{variant}": partial(efficientnet_edgetpu, variant) for variant in EDGETPU_SCALING},
    **{f"efficientnet_lite{variant}": partial(efficientnet_lite, variant) for variant in LITE_SCALING},
    "ssd_mobilenet_v1": ssd_mobilenet_v1,
    "ssd_mobilenet_v2": ssd_mobilenet_v2,
    "detector_resnet18": detector_resnet18,
    "deeplab_v3_mobilenet_v2": deeplab_v3_mobilenet_v2,
    "unet_mobilenet_v2": unet_mobilenet_v2,
    "nasbench201": nasbench201,
    "vit_b_16": vit_b_16,
    "bert_base": bert_base,
    "bert_large": bert_large,
    "gpt2_prefill": gpt2_prefill,
    "gpt2_decode": gpt2_decode,
}

# Families too large for a name each: the member is described behind a colon.
DESCRIBED: frozenset[str] = frozenset({"nasbench201"})
