"""Small torch modules whose channels are coupled in every way that pruning has to see."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def block(inside: int, outside: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """A ResNet stage: an identity shortcut, then one through a convolution; batch norm without an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = block(3, 8)
        self.one = nn.Sequential(block(8, 12), nn.Conv2d(12, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.two = nn.Sequential(block(8, 12, stride=2), nn.Conv2d(12, 16, 3, padding=1), nn.BatchNorm2d(16))
        self.shortcut = nn.Conv2d(8, 16, 1, 2, bias=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = functional.relu(x + self.one(x))
        x = functional.relu(self.two(x) + self.shortcut(x))
        return self.head(x.mean((2, 3)))


class Concat(nn.Module):
    """Inception and DenseNet: branches side by side, and what was there before behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.left, self.right = block(3, 6), block(6, 4, 1), block(6, 8)
        self.norm = nn.BatchNorm2d(18)
        self.last = block(18, 10)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([self.left(x), x, self.right(functional.max_pool2d(x, 3, 1, 1))], 1)
        return self.head(torch.flatten(self.pool(self.last(functional.relu(self.norm(x)))), 1))


class Grouped(nn.Module):
    """Groups of several channels, and a shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.grouped, self.last = block(3, 12), block(12, 16, groups=4), block(16, 8, 1)
        self.shuffle, self.head = nn.ChannelShuffle(4), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.shuffle(self.grouped(self.stem(x)))).amax((2, 3)))


class Depthwise(nn.Module):
    """MobileNet V2 with a squeeze-and-excitation gate: expand, depthwise, gate, project, add."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.expand, self.depthwise = block(3, 6), block(6, 18, 1), block(18, 18, groups=18)
        self.squeeze, self.excite = nn.Conv2d(18, 4, 1), nn.Conv2d(4, 18, 1)
        self.project = nn.Sequential(nn.Conv2d(18, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.twice = nn.Conv2d(6, 12, 3, padding=1, groups=6)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.depthwise(self.expand(x))
        y = y * torch.sigmoid(self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return self.head(self.twice(x + self.project(y)).mean((2, 3)))


class Flattened(nn.Module):
    """VGG: pooled, flattened, and two linear layers with a scale per channel and PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3, padding=1)
        self.act, self.scale = nn.PReLU(8), nn.Parameter(torch.rand(6, 1, 1))
        self.fc, self.head = nn.Linear(6 * 4 * 4, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.act(self.one(x)), 2)
        x = functional.max_pool2d(functional.relu(self.two(x)) * self.scale, 2)
        return self.head(functional.relu(self.fc(x.view(x.size(0), -1))))


class UNet(nn.Module):
    """Down and up again by a transposed convolution and a resize; the skip is concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.deep = block(3, 6), block(6, 8, stride=2)
        self.up, self.even = nn.ConvTranspose2d(8, 6, 2, 2), nn.ConvTranspose2d(8, 8, 2, 2, groups=8)
        self.head = nn.Conv2d(20, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down(x)
        deep = self.deep(first)
        return self.head(torch.cat([first, self.up(deep), self.even(deep)], 1))


class Sequence(nn.Module):
    """A transformer layer: the stream, its norms and attention keep their width, the hidden layer may shrink."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, dropout=0.0)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(1))


IMAGE = (torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)),)
TOKENS = (torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(1)),)
MODULES = {kind.__name__: kind for kind in (Residual, Concat, Grouped, Depthwise, Flattened, UNet, Sequence)}


def made(name: str, seed: int = 0) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with statistics as after training, and inputs of its own."""
    torch.manual_seed(seed)
    module = MODULES[name]()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -1, 1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.uniform_(part.bias, -1, 1)
    inputs = TOKENS if name == "Sequence" else (IMAGE[0][..., :16, :16],)
    return module.eval(), inputs
