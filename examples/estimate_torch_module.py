"""Price a network of one's own on three accelerators: a torch module in, a table out.

The network is a small residual classifier after He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
in its form for 32 x 32 images. Its weights are random: cost depends on shapes only.

    python examples/estimate_torch_module.py
"""

import torch
from torch import nn

import dovetail as dt


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (N, channels_in, H, W) to (N, channels, H / stride, W / stride)."""
        y = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(y)) + self.shortcut(x)).relu()


class SmallResNet(nn.Module):
    """Three stages of one block, ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.stages = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.classifier = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, 32, 32) to logits (N, 10)."""
        return self.classifier(self.stages(self.stem(x).relu()).mean((2, 3)))


def main() -> None:
    """Import the module once, estimate it on each accelerator, and look into one estimate."""
    network = dt.from_torch(SmallResNet(), (torch.zeros(1, 3, 32, 32),))
    size = f"{network.macs / 1e6:.2f} M MACs, {network.params:,} parameters"
    print(f"{network.name}: {len(network.ops)} operators, {size}")

    print(f"\n{'accelerator':<12}{'latency':>12}{'energy':>12}{'area':>12}{'utilization':>14}")
    estimates = {name: dt.estimate(network, dt.load_accelerator(name)) for name in ("gemmini", "nvdla", "edge_tpu")}
    for name, estimate in estimates.items():
        print(
            f"{name:<12}{estimate.latency_s * 1e6:>9.1f} us{estimate.energy_j * 1e6:>9.1f} uJ"
            f"{estimate.area_mm2:>8.1f} mm2{estimate.utilization:>13.1%}"
        )

    estimate = estimates["gemmini"]
    print("\nOn gemmini, energy by component:")
    for component, energy_j in sorted(estimate.breakdown().items(), key=lambda item: -item[1]):
        print(f"  {component:<12}{energy_j / estimate.energy_j:>7.1%}")
    costliest = estimate.layers().nlargest(3, "cycles")
    print("Its three slowest layers, and what limits them:")
    for row in costliest.itertuples():
        print(f"  {row.name:<20}{row.cycles:>8,.0f} cycles, {row.bound}")


if __name__ == "__main__":
    main()
