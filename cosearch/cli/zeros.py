"""Zeros given on the command line for a whole network: ``--zeros weight=2:4 --zeros input=0.5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import BadInput
from .arguments import read_share

if TYPE_CHECKING:
    from ...models.network import Network
    from ...models.op import Op, Role
    from ...models.patterns import Pattern

__all__ = ["HELP", "with_zeros_everywhere"]

HELP = (
    "zeros of every contraction's tensor: weight=0.3 (share that is not zero), weight=2:4 (2 of 4 along C) or "
    "weight=0.3@K16xC16 (kept blocks), likewise input= and output=; layers that a pattern does not fit stay dense; "
    "may be repeated"
)


def with_zeros_everywhere(network: Network, given: Sequence[str]) -> Network:
    """The network with these zeros wherever they fit; what is read from outside, as an image is, stays dense.

    Raises `BadInput` for what cannot be read, and where no layer takes a pattern.
    """
    from ...models.transforms import with_patterns

    chosen: dict[Role, Pattern] = {}
    for text in given:
        role, pattern = _read(text)
        if role in chosen:
            raise BadInput(f"--zeros {text}: '{role}' is given twice; keep one")
        chosen[role] = pattern
    wanted: dict[str, dict[Role, Pattern]] = {}
    fitting: set[Role] = set()
    inner = {layer.op.name for layer in network if layer.inputs and not set(layer.inputs) & _sources(network)}
    for op in network.contractions:
        for role, pattern in chosen.items():
            if (role == "input" and op.name not in inner) or not _fits(op, role, pattern):
                continue
            wanted.setdefault(op.name, {})[role] = pattern
            fitting.add(role)
    for role in chosen:
        if role not in fitting:
            raise BadInput(f"--zeros: no layer of {network.name} can have this pattern of {role}s; choose another")
    return with_patterns(network, wanted) if wanted else network


def _sources(network: Network) -> set[str]:
    """Names that layers read and no layer makes: the network's inputs."""
    made = {layer.op.name for layer in network}
    return {name for layer in network for name in layer.inputs if name not in made}


def _fits(op: Op, role: Role, pattern: Pattern) -> bool:
    tensor = op.tensor(role)
    if role == "weight" and not tensor.is_parameter:
        return False
    try:
        pattern.density_for(tensor, op.bounds)
    except BadInput:
        return False
    return True


def _read(text: str) -> tuple[Role, Pattern]:
    from ...models.op import ROLES

    name, equals, value = (part.strip() for part in text.partition("="))
    role = next((role for role in ROLES if role == name), None)
    if role is None or not equals:
        raise BadInput(f"--zeros {text}: write TENSOR=SHARE with a tensor of {', '.join(ROLES)}, e.g. weight=0.3")
    try:
        return role, _pattern(value)
    except BadInput as error:
        raise BadInput(f"--zeros {text}: {error}") from error


def _pattern(value: str) -> Pattern:
    from ...models.patterns import Blocks, NofM, Uniform

    if structured := re.fullmatch(r"(\d+):(\d+)", value):
        return NofM(int(structured[1]), int(structured[2]))
    share, at, block = value.partition("@")
    if not at:
        return Uniform(read_share(share))
    sides = [re.fullmatch(r"([A-Z])(\d+)", side) for side in block.split("x")]
    if not all(sides):
        raise BadInput(f"'{block}' is no block; write its dimensions and sizes, e.g. K16xC16")
    return Blocks(read_share(share), tuple((side[1], int(side[2])) for side in sides if side))
