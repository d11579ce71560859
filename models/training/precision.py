"""Word widths of a training step."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import BadInput, UnknownName

__all__ = ["PRECISIONS", "Precision", "precision_named"]


@dataclass(frozen=True)
class Precision:
    """Bits of the words that a training step moves.

    ``compute_bits``: activations, their gradients and the weights that the contractions read; ``master_bits``: the
    weights that the optimiser changes (a second copy where wider than the first); ``gradient_bits``: the weights'
    gradients; ``state_bits``: the optimiser's state. ``scaled_loss``: gradients are divided by the loss's scale, one
    more operation each. Raises `BadInput` for a width outside 1 … 128.
    """

    name: str
    compute_bits: int
    master_bits: int
    gradient_bits: int
    state_bits: int
    scaled_loss: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("compute_bits", "master_bits", "gradient_bits", "state_bits"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 128:
                raise BadInput(f"precision {self.name}: {field} is {value!r}; it must be a whole number from 1 to 128")

    @property
    def copies(self) -> bool:
        """Whether the contractions read a copy of the weights of another width than the optimiser's."""
        return self.compute_bits != self.master_bits

    @property
    def parameter_bits(self) -> int:
        """Bits stored per parameter: the master word and the copy that the contractions read, where there is one."""
        return self.master_bits + (self.compute_bits if self.copies else 0)


_MIXED = "Micikevicius et al., ICLR 2018, arXiv:1710.03740; bytes as in ZeRO, Rajbhandari et al., SC 2020, section 3.1"

PRECISIONS: dict[str, Precision] = {
    "fp32": Precision("fp32", 32, 32, 32, 32),
    "mixed": Precision("mixed", 16, 32, 16, 32, source=_MIXED),
    "bf16": Precision("bf16", 16, 32, 16, 32, source="Kalamkar et al., 2019, arXiv:1905.12322"),
    "fp16": Precision("fp16", 16, 32, 16, 32, scaled_loss=True, source=_MIXED),
    "pure_bf16": Precision("pure_bf16", 16, 16, 16, 16, source="every word in bf16, no master copy"),
    "fp8": Precision("fp8", 8, 32, 16, 32, scaled_loss=True,
                     source="Micikevicius et al., 2022, arXiv:2209.05433; gradients of weights in 16 bits"),
}  # fmt: skip
PRECISIONS["mixed16"] = PRECISIONS["mixed"]


def precision_named(what: str | Precision) -> Precision:
    """The precision of a name. Raises `UnknownName` where there is none."""
    if isinstance(what, Precision):
        return what
    if not isinstance(what, str) or what.lower() not in PRECISIONS:
        raise UnknownName("precision", str(what), tuple(PRECISIONS))
    return PRECISIONS[what.lower()]
