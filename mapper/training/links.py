"""What devices exchange gradients over: bandwidth, latency of a step and energy per bit, from `configs/links`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from ...document import field_errors, load_document, shipped, validate
from ...energy.components import Component
from ...energy.estimators import estimate_component
from ...energy.quantities import is_figure, to_si
from ...errors import BadInput, UnknownName

__all__ = ["Link", "link_names", "link_of", "load_link"]


@dataclass(frozen=True)
class Link:
    """A link of every device to its neighbours in a ring.

    ``bandwidth_bits_per_s`` is that of one way, ``latency_s`` passes for each step of a ring besides its words' time,
    ``most`` is how many devices it reaches (None: any number). Raises `BadInput` for figures that are not positive.
    """

    name: str
    bandwidth_bits_per_s: float
    latency_s: float = 0.0
    energy_j_per_bit: float = 0.0
    most: int | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if not self.bandwidth_bits_per_s > 0.0:
            raise BadInput(f"link {self.name}: a bandwidth of {self.bandwidth_bits_per_s} bit/s; give a positive one")
        for what in ("latency_s", "energy_j_per_bit"):
            value = getattr(self, what)
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"link {self.name}: {what} is {value}; give a finite figure, 0 or more")


def _quantity(dimension: str) -> AfterValidator:
    def check(text: str) -> str:
        with field_errors():
            to_si(text, dimension, positive=dimension == "bandwidth")
        return text

    return AfterValidator(check)


class _LinkSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    bandwidth: Annotated[str, _quantity("bandwidth")]
    latency: Annotated[str, _quantity("time")] = "0 s"
    energy: str | dict[str, float] = "0 pJ/bit"
    most: Annotated[int, Field(ge=2)] | None = None
    beyond: str | None = None
    accelerators: list[str] = []
    source: str = ""

    @field_validator("energy")
    @classmethod
    def _energy_is_known(cls, energy: str | dict[str, float]) -> str | dict[str, float]:
        with field_errors():
            _energy_j_per_bit(energy)
        return energy


def _energy_j_per_bit(energy: str | dict[str, float]) -> float:
    """A quantity, a kind of link of the technology tables, or shares of such kinds by which a bit goes."""
    if isinstance(energy, str) and is_figure(energy):
        return to_si(energy, "energy_per_bit")
    shares = {energy: 1.0} if isinstance(energy, str) else energy
    total = math.fsum(shares.values())
    if not math.isclose(total, 1.0) or min(shares.values()) < 0.0:
        raise BadInput(f"the shares of {', '.join(shares)} add up to {total:g}; they must be 0 or more and add up to 1")
    found = (
        estimate_component(Component.of("link", 45, link_kind=kind)).energy_j["transfer"] * share
        for kind, share in shares.items()
    )
    return math.fsum(found)


def link_names() -> tuple[str, ...]:
    """The shipped links."""
    return tuple(shipped("links"))


@lru_cache(maxsize=64)
def _spec(path: Path) -> _LinkSpec:
    return validate(_LinkSpec, load_document(path))


def load_link(what: str | Link) -> Link:
    """A shipped link by name, one from a ``.yaml`` file, or a bandwidth such as ``"100 GB/s"`` without latency.

    Raises `UnknownName` for another name, `BadInput` for a file or a bandwidth that cannot be used.
    """
    if isinstance(what, Link):
        return what
    text = str(what).strip()
    if is_figure(text):
        return Link(text, to_si(text, "bandwidth", positive=True), source="stated")
    if text.endswith((".yaml", ".yml")):
        return _link(_spec(Path(text)))
    files = shipped("links")
    if text not in files:
        raise UnknownName("link", text, tuple(files))
    return _link(_spec(files[text]))


def link_of(accelerator: str, devices: int) -> Link:
    """The shipped link that comes with so many accelerators of this name; raises `BadInput` where none does."""
    for spec in map(_spec, shipped("links").values()):
        if accelerator in spec.accelerators:
            reaches = spec.most is None or devices <= spec.most
            return _link(spec) if reaches or spec.beyond is None else load_link(spec.beyond)
    known = ", ".join(link_names())
    raise BadInput(f"no link between {accelerator}s is known; take one, or give link='100 GB/s', or one of {known}")


def _link(spec: _LinkSpec) -> Link:
    return Link(
        spec.name,
        to_si(spec.bandwidth, "bandwidth"),
        to_si(spec.latency, "time"),
        _energy_j_per_bit(spec.energy),
        spec.most,
        spec.source,
    )
