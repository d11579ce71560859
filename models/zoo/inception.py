"""Inception v1, v3, v4 and Inception-ResNet v2: modules of parallel branches whose outputs are concatenated.

Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (arXiv:1409.4842), Table 1; "Rethinking the Inception
Architecture", CVPR 2016 (arXiv:1512.00567), Table 1 with figures 5 to 7; "Inception-v4, Inception-ResNet and the Impact
of Residual Connections", AAAI 2017 (arXiv:1602.07261), figures 3 to 9 and 16 to 19. Auxiliary classifiers are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..builder import NetworkBuilder, Pair
from ..network import Network

__all__ = ["inception_resnet_v2", "inception_v1", "inception_v3", "inception_v4"]


@dataclass(frozen=True)
class Step:
    """A convolution to ``out`` channels, or a pool of 3×3 where there is none; ``valid`` pads nothing."""

    out: int = 0
    kernel: Pair = 1
    stride: int = 1
    valid: bool = False
    pool: Literal["max", "average"] = "max"


Fork = tuple[tuple[Step, ...], ...]
Branch = tuple[Step | Fork, ...]

_AVERAGE = Step(pool="average")
_HALVE = Step(stride=2, valid=True)


def _conv(out: int, kernel: Pair = 1) -> Step:
    return Step(out, kernel)


def _down(out: int) -> Step:
    """A 3×3 convolution that halves height and width, without padding."""
    return Step(out, 3, 2, True)


def _valid(out: int, kernel: Pair = 3) -> Step:
    return Step(out, kernel, 1, True)


def _run(builder: NetworkBuilder, name: str, steps: Sequence[Step | Fork]) -> None:
    """One step after the other; a fork at the end concatenates its branches."""
    for index, step in enumerate(steps):
        label = f"{name}.{index}"
        if not isinstance(step, Step):
            _module(builder, label, step)
        elif step.out:
            padding = 0 if step.valid else None
            builder.conv(label, step.out, step.kernel, stride=step.stride, padding=padding, activation="relu")
        else:
            pool = builder.max_pool if step.pool == "max" else builder.average_pool
            pool(label, 3, stride=step.stride, padding=0 if step.valid else 1)


def _module(builder: NetworkBuilder, name: str, branches: Sequence[Sequence[Step | Fork]]) -> None:
    """Branches from the current tensor, concatenated."""
    start, ends = builder.here, []
    for index, branch in enumerate(branches):
        builder.resume(start)
        _run(builder, f"{name}.branch{index}", branch)
        ends.append(builder.here)
    builder.concat(*ends)


def _begin(name: str, resolution: int, batch: int, bits: int, source: str) -> NetworkBuilder:
    return NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source=f"Szegedy et al., {source}", notes=("auxiliary classifiers are left out",),
    )


def _finish(builder: NetworkBuilder, classes: int) -> Network:
    builder.global_average_pool("pool")
    builder.linear("classifier", classes)
    return builder.build()


# 1×1; 1×1 before 3×3, 3×3; 1×1 before the second 3×3 (5×5 in the paper), that; 1×1 after the pool.
_V1 = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}


def inception_v1(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """Inception v1 (GoogLeNet) as in tensorflow/models and torchvision: batch norm, 3×3 where the paper has 5×5."""
    builder = _begin("inception_v1", resolution, batch, bits, "CVPR 2015, arXiv:1409.4842; 3x3 in place of 5x5")
    builder.conv("stem0", 64, 7, stride=2, activation="relu")
    builder.max_pool("stem1", 3, stride=2, padding=1)
    builder.conv("stem2", 64, 1, activation="relu")
    builder.conv("stem3", 192, 3, activation="relu")
    for name, (one, reduce, three, reduce_two, two, pooled) in _V1.items():
        if name.endswith("a"):
            builder.max_pool(f"pool{name[0]}", 2 if name == "5a" else 3, stride=2, padding=0 if name == "5a" else 1)
        _module(builder, f"mixed{name}", (
            (_conv(one),), (_conv(reduce), _conv(three, 3)), (_conv(reduce_two), _conv(two, 3)),
            (Step(), _conv(pooled)),
        ))
    return _finish(builder, classes)


def _shared_stem(builder: NetworkBuilder) -> None:
    """299×299×3 to 35×35×192, in Inception v3 and Inception-ResNet v2."""
    _run(builder, "stem", (
        _down(32), _valid(32), _conv(64, 3), _HALVE, _valid(80, 1), _valid(192), _HALVE,
    ))


def inception_v3(*, resolution: int = 299, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """Inception v3."""
    builder = _begin("inception_v3", resolution, batch, bits, "CVPR 2016, arXiv:1512.00567")
    _shared_stem(builder)
    for index, pooled in enumerate((32, 64, 64)):
        _module(builder, f"a{index}", (
            (_conv(64),), (_conv(48), _conv(64, 5)), (_conv(64), _conv(96, 3), _conv(96, 3)),
            (_AVERAGE, _conv(pooled)),
        ))
    _module(builder, "reduce_a", ((_down(384),), (_conv(64), _conv(96, 3), _down(96)), (_HALVE,)))
    for index, inner in enumerate((128, 160, 160, 192)):
        _module(builder, f"b{index}", (
            (_conv(192),),
            (_conv(inner), _conv(inner, (1, 7)), _conv(192, (7, 1))),
            (_conv(inner), _conv(inner, (7, 1)), _conv(inner, (1, 7)), _conv(inner, (7, 1)), _conv(192, (1, 7))),
            (_AVERAGE, _conv(192)),
        ))
    _module(builder, "reduce_b", (
        (_conv(192), _down(320)), (_conv(192), _conv(192, (1, 7)), _conv(192, (7, 1)), _down(192)), (_HALVE,),
    ))
    fork: Fork = ((_conv(384, (1, 3)),), (_conv(384, (3, 1)),))
    for index in range(2):
        _module(builder, f"c{index}", (
            (_conv(320),), (_conv(384), fork), (_conv(448), _conv(384, 3), fork), (_AVERAGE, _conv(192)),
        ))
    return _finish(builder, classes)


def inception_v4(*, resolution: int = 299, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """Inception v4: 4, 7 and 3 modules of three kinds."""
    builder = _begin("inception_v4", resolution, batch, bits, "AAAI 2017, arXiv:1602.07261")
    _run(builder, "stem", (_down(32), _valid(32), _conv(64, 3)))
    _module(builder, "stem3", ((_HALVE,), (_down(96),)))
    _module(builder, "stem4", (
        (_conv(64), _valid(96)), (_conv(64), _conv(64, (7, 1)), _conv(64, (1, 7)), _valid(96)),
    ))
    _module(builder, "stem5", ((_down(192),), (_HALVE,)))
    for index in range(4):
        _module(builder, f"a{index}", (
            (_conv(96),), (_conv(64), _conv(96, 3)), (_conv(64), _conv(96, 3), _conv(96, 3)), (_AVERAGE, _conv(96)),
        ))
    _module(builder, "reduce_a", ((_down(384),), (_conv(192), _conv(224, 3), _down(256)), (_HALVE,)))
    for index in range(7):
        _module(builder, f"b{index}", (
            (_conv(384),),
            (_conv(192), _conv(224, (1, 7)), _conv(256, (7, 1))),
            (_conv(192), _conv(192, (7, 1)), _conv(224, (1, 7)), _conv(224, (7, 1)), _conv(256, (1, 7))),
            (_AVERAGE, _conv(128)),
        ))
    _module(builder, "reduce_b", (
        (_conv(192), _down(192)), (_conv(256), _conv(256, (1, 7)), _conv(320, (7, 1)), _down(320)), (_HALVE,),
    ))
    fork: Fork = ((_conv(256, (1, 3)),), (_conv(256, (3, 1)),))
    for index in range(3):
        _module(builder, f"c{index}", (
            (_conv(256),), (_conv(384), fork), (_conv(384), _conv(448, (3, 1)), _conv(512, (1, 3)), fork),
            (_AVERAGE, _conv(256)),
        ))
    return _finish(builder, classes)


def inception_resnet_v2(*, resolution: int = 299, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """Inception-ResNet v2 as in tensorflow/models: 10, 20 and 10 residual modules, their scale folded into weights."""
    builder = _begin("inception_resnet_v2", resolution, batch, bits, "AAAI 2017, arXiv:1602.07261; tensorflow/models")
    _shared_stem(builder)
    _module(builder, "mixed", (
        (_conv(96),), (_conv(48), _conv(64, 5)), (_conv(64), _conv(96, 3), _conv(96, 3)), (_AVERAGE, _conv(64)),
    ))
    _residual(builder, "a", 10, (
        (_conv(32),), (_conv(32), _conv(32, 3)), (_conv(32), _conv(48, 3), _conv(64, 3)),
    ))
    _module(builder, "reduce_a", ((_down(384),), (_conv(256), _conv(256, 3), _down(384)), (_HALVE,)))
    _residual(builder, "b", 20, ((_conv(192),), (_conv(128), _conv(160, (1, 7)), _conv(192, (7, 1)))))
    _module(builder, "reduce_b", (
        (_conv(256), _down(384)), (_conv(256), _down(288)), (_conv(256), _conv(288, 3), _down(320)), (_HALVE,),
    ))
    _residual(builder, "c", 10, ((_conv(192),), (_conv(192), _conv(224, (1, 3)), _conv(256, (3, 1)))))
    builder.conv("head", 1536, 1, activation="relu")
    return _finish(builder, classes)


def _residual(builder: NetworkBuilder, name: str, repeats: int, branches: Sequence[Branch]) -> None:
    """Branches, a 1×1 convolution back to the input's width, and the sum of both, ``repeats`` times."""
    for index in range(repeats):
        start = builder.here
        _module(builder, f"{name}{index}", branches)
        builder.conv(f"{name}{index}.up", start.channels, 1)
        builder.add(f"{name}{index}.add", start, activation="relu")
