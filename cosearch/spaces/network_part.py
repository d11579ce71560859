"""How YAML describes the networks to search: a space, what of it to keep, and genes beside its own choices."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ...document import field_errors
from ...errors import UnknownName
from .genes import sparsity_option
from .layer_groups import Per
from .networks import NETWORK_SPACES
from .patches import parse_patch
from .space import Value

__all__ = ["BitsPart", "ExitPart", "NetworkPart", "RecipePart", "SpaceFile", "SparsityPart", "is_elsewhere"]


Loss = Annotated[float, Field(ge=-100.0, le=100.0)]
"""Points of accuracy, in percent; below zero where it is better."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_elsewhere(space: str) -> bool:
    """Whether a space's name is that of a file, or of an object as ``package.module:attribute``."""
    return space.endswith((".yaml", ".yml")) or ":" in space


class BitsPart(_Part):
    """Word widths to choose for groups of layers; ``loss_pct`` states what a width costs if all layers had it."""

    options: list[Annotated[int, Field(ge=1, le=64)]] = Field(min_length=1)
    per: Per = "network"
    layers: str = "*"
    loss_pct: dict[int, Loss] | None = None


class SparsityPart(_Part):
    """Zeros in weights to choose for groups of layers: ``dense``, ``n:m``, or the share that stays."""

    options: list[float | str] = Field(min_length=1)
    per: Per = "network"
    layers: str = "*"
    loss_pct: dict[str, Loss] | None = None

    @field_validator("options")
    @classmethod
    def _are_known(cls, options: list[float | str]) -> list[float | str]:
        with field_errors():
            for option in options:
                sparsity_option(option)
        return options


class ExitPart(_Part):
    """An exit that may be built: the share of inputs passing by that leave, and the accuracy these lose."""

    share: float = Field(gt=0.0, lt=1.0)
    loss_pct: float | None = Field(default=None, ge=0.0, le=100.0)


class RecipePart(BaseModel):
    """How networks may be trained: ``name`` lists recipes, any other key the values of what it names (``lr``).

    ``loss_pct`` states by name what the accuracy lacks with a recipe; what other keys cost, a source that trains knows.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, list[Value]]
    name: list[str] | None = Field(default=None, min_length=1)
    loss_pct: dict[str, Loss] | None = None

    def options(self) -> tuple[tuple[str, tuple[Value, ...]], ...]:
        """What there is to choose, by name."""
        named = (("name", tuple(self.name)),) if self.name else ()
        return (*named, *((name, tuple(values)) for name, values in self.__pydantic_extra__.items()))


def _listed(value: Any) -> Any:
    """A plain list stands for its options."""
    return {"options": value} if isinstance(value, list) else value


class NetworkPart(_Part):
    """The networks of a study.

    ``space`` names a space, a YAML file of one, or a Python object as ``package.module:attribute``; ``options`` sets
    fields of a built-in one (``kernels: [3, 5]``). ``only`` keeps some options of some choices ("net.b*.kernel":
    [3, 5]) and ``patch`` too (``stage3.block*?op=fused``); ``when`` makes choices conditional. ``bits``, ``sparsity``,
    ``exits`` and ``recipe`` are genes beside the space's own.
    """

    space: str
    options: dict[str, Value | list[Value]] = Field(default_factory=dict)
    only: dict[str, list[Value]] = Field(default_factory=dict)
    patch: list[str] = Field(default_factory=list)
    when: dict[str, dict[str, list[Value]]] = Field(default_factory=dict)
    bits: Annotated[BitsPart | None, BeforeValidator(_listed)] = None
    sparsity: Annotated[SparsityPart | None, BeforeValidator(_listed)] = None
    exits: dict[str, ExitPart] = Field(default_factory=dict)
    recipe: RecipePart | None = None

    @field_validator("space")
    @classmethod
    def _space_exists(cls, name: str) -> str:
        with field_errors():
            if name not in NETWORK_SPACES and not is_elsewhere(name):
                raise UnknownName("network space", name, tuple(NETWORK_SPACES))
        return name

    @field_validator("patch")
    @classmethod
    def _are_patches(cls, texts: list[str]) -> list[str]:
        with field_errors():
            for text in texts:
                parse_patch(text)
        return texts


class SpaceFile(NetworkPart):
    """A YAML file of a space: the keys of a study's ``network``, of which ``space`` is what it builds on."""

    name: str = Field(min_length=1)
    description: str = ""
