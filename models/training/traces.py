"""Training whose word widths change: a trace of bits per layer and epoch, and what it saves.

AdaPT (Kummer et al., 2021, arXiv:2107.13490) trains with fixed-point words whose lengths it adapts layer by layer. Its
model of cost is linear in the word length: a step costs the sum over layers of multiply-accumulates · density · bits,
over those of full precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import BadInput, UnknownName
from ..network import Network

__all__ = ["PrecisionTrace"]


@dataclass(frozen=True)
class PrecisionTrace:
    """``bits`` gives the word length of each layer in each epoch (or whatever period all layers share).

    ``densities``, where given, are the shares of weights that are not zero, alike. ``overhead`` is the share of a
    full-precision step that choosing the widths takes. ``reference_bits`` is full precision. A layer without a trace
    stays at full precision. Raises `BadInput` for traces of different lengths, widths that are none and densities
    outside (0, 1].
    """

    bits: Mapping[str, Sequence[int]]
    densities: Mapping[str, Sequence[float]] = field(default_factory=dict)
    reference_bits: int = 32
    overhead: float = 0.0

    def __post_init__(self) -> None:
        lengths = {name: len(trace) for name, trace in (*self.bits.items(), *self.densities.items())}
        if not self.bits or min(lengths.values()) < 1:
            raise BadInput("a trace of word widths needs at least one layer and one epoch")
        if len(set(lengths.values())) > 1:
            given = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise BadInput(f"all layers' traces must have as many epochs; these have {given}")
        for name, trace in self.bits.items():
            for bits in trace:
                if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 128:
                    raise BadInput(f"{name}: {bits!r} is not a word width; use whole numbers from 1 to 128")
        for name, shares in self.densities.items():
            wrong = next((share for share in shares if not 0.0 < share <= 1.0), None)
            if wrong is not None:
                raise BadInput(f"{name}: density {wrong} is outside (0, 1]")
        if self.overhead < 0.0 or self.reference_bits < 1:
            raise BadInput(f"overhead {self.overhead} and reference_bits {self.reference_bits} must not be negative")

    @property
    def epochs(self) -> int:
        """Length of the traces."""
        return len(next(iter(self.bits.values())))

    def weight(self, layer: str) -> float:
        """Mean over the epochs of the layer's bits · density over those of full precision."""
        bits = self.bits.get(layer, (self.reference_bits,) * self.epochs)
        shares = self.densities.get(layer, (1.0,) * self.epochs)
        products = (width * share for width, share in zip(bits, shares, strict=True))
        return math.fsum(products) / (self.epochs * self.reference_bits)

    def relative_cost(self, network: Network) -> float:
        """Cost of the training over that of the same steps in full precision, by multiply-accumulates and bits.

        Each layer's gradients count like the layer itself. Raises `UnknownName` for a traced layer that the network
        does not have.
        """
        names = tuple(op.name for op in network.contractions)
        for layer in (*self.bits, *self.densities):
            if layer not in names:
                raise UnknownName("contraction", layer, names)
        total = math.fsum(op.macs * self.weight(op.name) for op in network.contractions)
        return total / network.macs + self.overhead

    def speedup(self, network: Network) -> float:
        """Full precision's cost over this one's."""
        return 1.0 / self.relative_cost(network)
