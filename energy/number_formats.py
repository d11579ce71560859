"""Number formats of arithmetic units: how wide their words are and how long a significand they multiply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import BadInput, UnknownName

__all__ = ["NUMBER_FORMATS", "NumberFormat", "NumberName", "number_format", "operand_width"]

NumberName = Literal["int", "fixed", "float", "fp8_e4m3", "fp8_e5m2", "fp16", "bf16", "tf32", "fp32", "fp64"]


@dataclass(frozen=True)
class NumberFormat:
    """A format; ``bits`` of a word (0: any), ``significand`` in bits with the hidden one (0: integer arithmetic).

    A word of ``tf32`` is stored as 32 bits, though the multiplier takes 11 of its significand.
    """

    name: str
    bits: int
    significand: int
    meaning: str

    @property
    def is_integer(self) -> bool:
        """Whether the arithmetic is an integer's: a fixed-point number differs in what its digits mean alone."""
        return self.name in ("int", "fixed")


NUMBER_FORMATS: dict[str, NumberFormat] = {
    one.name: one
    for one in (
        NumberFormat("int", 0, 0, "integers of any width, two's complement"),
        NumberFormat("fixed", 0, 0, "fixed point of any width; rounding and saturation of results not counted"),
        NumberFormat("float", 0, 0, "floating point of any width, between and beyond IEEE half and single precision"),
        NumberFormat("fp8_e4m3", 8, 4, "8 bit, 4 of exponent (OCP 8-bit floating point, 2023)"),
        NumberFormat("fp8_e5m2", 8, 3, "8 bit, 5 of exponent (OCP 8-bit floating point, 2023)"),
        NumberFormat("fp16", 16, 11, "IEEE half precision"),
        NumberFormat("bf16", 16, 8, "bfloat16, 8 of exponent"),
        NumberFormat("tf32", 32, 11, "NVIDIA's TensorFloat-32: single precision's exponent, half's significand"),
        NumberFormat("fp32", 32, 24, "IEEE single precision"),
        NumberFormat("fp64", 64, 53, "IEEE double precision"),
    )
}


def number_format(name: str) -> NumberFormat:
    """The format of this name; raises `UnknownName` with the nearest."""
    if name not in NUMBER_FORMATS:
        raise UnknownName("number format", name, tuple(NUMBER_FORMATS))
    return NUMBER_FORMATS[name]


def operand_width(name: str, stated_bits: float | None, default_bits: float) -> float:
    """Width of a word: as stated, else the format's own, else ``default_bits``; raises `BadInput` for a wrong one."""
    own = number_format(name).bits
    if stated_bits is None:
        return own or default_bits
    if own and stated_bits != own:
        raise BadInput(
            f"{name} has words of {own} bit, not {stated_bits:g}; leave out the width or take another format"
        )
    return stated_bits
