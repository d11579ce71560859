"""What an estimator is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import BadInput, UnknownName

__all__ = ["Component", "ComponentEstimate", "Estimator", "Figure"]


@dataclass(frozen=True)
class Component:
    """A piece of hardware at a process node; hashable. ``attributes`` are sorted (name, value) pairs: `Component.of`.

    Kinds of the shipped tables, their attributes and the actions whose energy they state:
    ``mac`` operand_bits, weight_bits, accumulator_bits, number (`NUMBER_FORMATS`): "mac", J per multiply-accumulate;
    ``vector`` bits, number: "op", J per scalar operation (area and leakage per lane);
    ``special`` function (exp, tanh, ...), bits, number: "op", J per function value;
    ``sram`` size_bits, width_bits, banks, ports and ``register_file`` size_bits, width_bits, ports: "read" and "write",
    J per bit; ``dram`` dram_kind: "read" and "write", J per bit;
    ``wire`` length_mm: "hop", J per bit over the whole length; ``link`` link_kind: "transfer", J per bit;
    ``clock`` flip_flops: "cycle", J per cycle. What is on the chip takes a ``process``, which decides the leakage.
    """

    kind: str
    technology_nm: float
    attributes: tuple[tuple[str, float | str], ...] = ()

    @classmethod
    def of(cls, kind: str, technology_nm: float, **attributes: float | str) -> Component:
        """A component from keyword attributes."""
        return cls(kind, float(technology_nm), tuple(sorted(attributes.items())))

    def number(self, name: str, default: float | None = None) -> float:
        """A numeric attribute; raises `BadInput` for a text, and where it is missing and has no default."""
        value = dict(self.attributes).get(name, default)
        if value is None:
            raise BadInput(f"{self.kind} needs {name}; give it as a number")
        if isinstance(value, str | bool):
            raise BadInput(f"{self.kind}: {name} is {value!r}; give a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """A text attribute."""
        return str(dict(self.attributes).get(name, default))


@dataclass(frozen=True)
class Figure:
    """One number of an estimate: what it is of, its value in a ``unit``, where it is from and how well it is known.

    ``name`` is an action ("mac", "read", ...), "area" or "leakage"; ``validity`` says for what the source holds;
    ``uncertainty`` is a relative standard deviation. ``constants`` names the technology constants that the number was
    computed from; empty where it was not computed from the shipped tables.
    """

    name: str
    value: float
    unit: str
    source: str
    validity: str
    uncertainty: float
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComponentEstimate:
    """Energy in J per action (memories, wires and links: per bit), area and static power of one instance.

    ``uncertainty`` is the relative standard deviation of the energies; ``sources`` cites every constant used.
    ``figures`` says the same of each number; where an estimator leaves them out, they are made of the rest.
    """

    energy_j: Mapping[str, float]
    area_mm2: float
    leakage_w: float
    sources: tuple[str, ...]
    uncertainty: float
    estimator: str = ""
    figures: tuple[Figure, ...] = ()

    def figure(self, name: str) -> Figure:
        """The figure of an action, of "area" or of "leakage"; raises `UnknownName`."""
        found = {one.name: one for one in self.figures}
        if name not in found:
            raise UnknownName("figure", name, tuple(found))
        return found[name]


@runtime_checkable
class Estimator(Protocol):
    """Anything that can price components of some ``kinds``; plug-ins are ``dovetail.energy`` entry points."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    def supports(self, component: Component) -> bool:
        """Whether `estimate` knows this kind with these attributes' names."""
        ...

    def estimate(self, component: Component) -> ComponentEstimate:
        """Price ``component``; raises `BadInput` for an attribute outside what the estimator's data cover."""
        ...
