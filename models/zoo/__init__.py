"""Networks of the literature, one file per family; `ZOO` maps each name to the function that builds it.

Every builder takes ``batch`` and ``bits`` (the width of all words) besides options of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..network import Network
from .classic import alexnet, vgg16
from .efficientnet import LITE_SCALING, efficientnet_edgetpu_s, efficientnet_lite
from .mobilenet import mobilenet_edgetpu, mobilenet_v2
from .resnet import resnet18, resnet50
from .transformer import bert_base, gpt2_decode, gpt2_prefill, vit_b_16

__all__ = ["ZOO"]

ZOO: dict[str, Callable[..., Network]] = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_edgetpu": mobilenet_edgetpu,
    "efficientnet_edgetpu_s": efficientnet_edgetpu_s,
    **{f"efficientnet_lite{variant}": partial(efficientnet_lite, variant) for variant in LITE_SCALING},
    "vit_b_16": vit_b_16,
    "bert_base": bert_base,
    "gpt2_prefill": gpt2_prefill,
    "gpt2_decode": gpt2_decode,
}
