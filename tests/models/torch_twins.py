"""Twins in torch, on meta tensors: of the zoo, from its own builders' calls, and of some networks written out anew."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, ClassVar

import torch
import torch.nn.functional as f
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import dovetail.models.zoo
from dovetail.models import NetworkBuilder, load_network
from dovetail.models.op import Op


class TwinBuilder(NetworkBuilder):
    """Runs every layer in torch while it is described; torch finds shapes, and later gradients, on its own.

    What is no contraction only links its inputs with its output, as torch's counter knows contractions alone.
    """

    made: ClassVar[list[TwinBuilder]] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tensors: dict[str, torch.Tensor] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.counted = 0
        TwinBuilder.made.append(self)

    def _window(self, name, kernel, stride, padding, dilation=1):
        self.padding = (padding, padding) if isinstance(padding, int) else padding
        return super()._window(name, kernel, stride, padding, dilation)

    def _append(self, op, channels, height, width, inputs):
        names = self.here.layers if inputs is None else inputs
        found = [self.tensors[name] for name in names if name]
        here = self.here
        with FlopCounterMode(display=False) as counter:
            if not isinstance(op, Op):
                made = self._linked(op, found).expand(self.batch, channels, height, width)
            elif op.kind == "matmul":
                made = self._product(op, found)
            else:
                x = self._one(found, (here.channels, here.height, here.width))
                made = self._stored(op, x)
        self.tensors[op.name] = made
        self.counted += counter.get_total_flops()
        name = super()._append(op, channels, height, width, inputs)
        # Torch's own shape: the same channels, height and width, or the same words for tokens.
        assert made.numel() == self.batch * channels * height * width, op.name
        return name

    def _linked(self, op, found):
        words = [tensor.mean() for tensor in found]
        if op.params or op.kind == "gather":
            words.append(torch.empty((), device="meta", requires_grad=True))
        return sum(words, torch.zeros((), device="meta"))

    def _one(self, found, shape):
        channels, height, width = shape
        if not found:
            return torch.empty(self.batch, channels, height, width, device="meta")
        x = found[0] if len(found) == 1 else torch.cat(found, 1)
        words = channels * height * width
        flat = x.reshape(self.batch, -1)
        if flat.shape[1] < words:  # a class token beside the patches
            flat = torch.cat([flat, torch.zeros(self.batch, words - flat.shape[1], device="meta")], 1)
        return flat[:, :words].reshape(self.batch, channels, height, width)

    def _product(self, op, found):
        d = op.bounds
        left, right = (found[0], found[-1])
        left = left.reshape(-1)[: d["G"] * d["N"] * d["C"]].reshape(d["G"], d["N"], d["C"])
        size = d["G"] * d["C"] * d["K"]
        flat = right.reshape(-1)
        if flat.numel() < size:  # keys and values of earlier tokens come from a cache
            flat = torch.cat([flat, torch.zeros(size - flat.numel(), device="meta")])
        return torch.bmm(left, flat[:size].reshape(d["G"], d["C"], d["K"])).reshape(self.batch, -1, d["N"], 1)

    def _stored(self, op, x):
        d = op.bounds
        bias = torch.empty(op.bias, device="meta", requires_grad=True) if op.bias else None
        if op.kind == "linear":
            weight = self._weight(op, d["K"], d["C"])
            rows = x.permute(0, 2, 3, 1).reshape(d["N"], d["C"])
            made = f.linear(rows, weight, bias)
            return made.reshape(self.batch, -1, d["K"]).permute(0, 2, 1)
        slid = op.tensor("output" if op.kind == "transposed_conv2d" else "input").ranks[-2:]
        stride = tuple(rank.terms[0][1] for rank in slid)
        if op.kind == "transposed_conv2d":
            weight = self._weight(op, d["C"], d["K"], d["R"], d["S"])
            made = f.conv_transpose2d(x, weight, bias, stride)
            return made[:, :, : stride[0] * d["P"], : stride[1] * d["Q"]]
        dilation = tuple(rank.terms[1][1] for rank in slid)
        weight = self._weight(op, d["G"] * d["K"], d["C"], d["R"], d["S"])
        made = f.conv2d(x, weight, bias, stride, self.padding, dilation, d["G"])
        assert made.shape[2:] == (d["P"], d["Q"]), op.name
        return made

    def _weight(self, op, *shape):
        self.weights[op.name] = torch.empty(*shape, device="meta", requires_grad=True)
        return self.weights[op.name]

    def flops(self) -> tuple[int, int]:
        """Torch's count of the forward and of the backward pass, from all outputs that nothing reads."""
        read = {source for layer in self._layers for source in layer.inputs}
        loss = sum(tensor.sum() for name, tensor in self.tensors.items() if name not in read)
        with FlopCounterMode(display=False) as backward:
            loss.backward()
        return self.counted, backward.get_total_flops()


def zoo_twin(monkeypatch, name: str, **options: Any):
    """A zoo network and its twin."""
    for module in pkgutil.iter_modules(dovetail.models.zoo.__path__):
        loaded = importlib.import_module(f"dovetail.models.zoo.{module.name}")
        if hasattr(loaded, "NetworkBuilder"):
            monkeypatch.setattr(loaded, "NetworkBuilder", TwinBuilder)
    TwinBuilder.made.clear()
    network = load_network(name, **options)
    return network, TwinBuilder.made[-1]


def module_flops(module: nn.Module, *inputs: torch.Tensor) -> tuple[int, int]:
    """Torch's count of a module's forward and backward pass on meta tensors."""
    module = module.to("meta").train()
    with FlopCounterMode(display=False) as forward:
        out = module(*inputs)
    with FlopCounterMode(display=False) as backward:
        out.sum().backward()
    return forward.get_total_flops(), backward.get_total_flops()


def conv_bn(inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1, act: str = "relu6") -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)]
    layers.append(nn.BatchNorm2d(out))
    if act:
        layers.append(nn.ReLU6(inplace=True) if act == "relu6" else nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn(inside, out, 3, stride, act="relu")
        self.second = conv_bn(out, out, 3, act="")
        self.shortcut = conv_bn(inside, out, 1, stride, act="") if stride > 1 or inside != out else nn.Identity()

    def forward(self, x):
        return f.relu(self.second(self.first(x)) + self.shortcut(x), inplace=True)


def resnet18(classes: int = 1000) -> nn.Module:
    layers: list[nn.Module] = [*conv_bn(3, 64, 7, 2, act="relu"), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for stage in range(4):
        for index in range(2):
            layers.append(BasicBlock(inside, 64 << stage, 2 if stage and not index else 1))
            inside = 64 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


class Inverted(nn.Module):
    def __init__(self, inside: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inside * expansion
        layers = [conv_bn(inside, hidden, 1)] if expansion > 1 else []
        self.body = nn.Sequential(*layers, conv_bn(hidden, hidden, 3, stride, hidden), conv_bn(hidden, out, 1, act=""))
        self.residual = stride == 1 and inside == out

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


def mobilenet_v2() -> nn.Module:
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2)]
    inside = 32
    for expansion, out, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                          (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for index in range(count):
            layers.append(Inverted(inside, out, stride if index == 0 else 1, expansion))
            inside = out
    layers += [conv_bn(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers)


def _encoder(norm_first: bool) -> nn.Module:
    layers = [nn.TransformerEncoderLayer(768, 12, 3072, 0.0, "gelu", batch_first=True, norm_first=norm_first)
              for _ in range(12)]  # fmt: skip
    return nn.Sequential(*layers)


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 768, 16, 16), nn.Linear(768, 1000)
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, 768)), nn.Parameter(torch.zeros(1, 197, 768))
        self.encoder, self.norm = _encoder(True), nn.LayerNorm(768)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.encoder(x))[:, 0])


class Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions, self.segments = (nn.Embedding(n, 768) for n in (30522, 512, 2))
        self.norm, self.encoder, self.pooler = nn.LayerNorm(768), _encoder(False), nn.Linear(768, 768)

    def forward(self, tokens):
        x = self.words(tokens) + self.positions(tokens) + self.segments(tokens)
        return torch.tanh(self.pooler(self.encoder(self.norm(x))[:, 0]))


class Gpt2(nn.Module):
    """The word table is the matrix of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(50257, 768), nn.Embedding(1024, 768)
        self.encoder, self.norm = _encoder(True), nn.LayerNorm(768)

    def forward(self, tokens):
        x = self.encoder(self.words(tokens) + self.positions(tokens))
        return f.linear(self.norm(x[:, -1]), self.words.weight)
