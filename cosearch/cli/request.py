"""How mappings are found: the options that `dovetail estimate` and `dovetail map` share."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...mapper.base import Limits
    from ...mapper.constraints import Constraints
    from ...mapper.objective import Objective

__all__ = ["Request", "amount", "share"]


@dataclass(frozen=True)
class Request:
    """What a mapping is to minimise, among which mappings, how it is looked for and for how long."""

    objective: Objective
    mapper: str
    constraints: Constraints | None
    limits: Limits
    constraints_from: str | None = None

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add the options to a command's parser."""
        group = parser.add_argument_group("how mappings are found")
        group.add_argument(
            "--objective",
            metavar="MIX",
            default="edp",
            help="what a mapping minimises: edp (default), energy, latency, ed2p, a product such as "
            "'energy*latency^2' or a sum in J and s such as 'energy + 0.5*latency'",
        )
        group.add_argument("--mapper", metavar="NAME", help="who looks for it (dovetail list mappers)")
        group.add_argument(
            "--constraints", metavar="FILE", help="what mappings are allowed: a shipped dataflow's name or a .yaml file"
        )
        group.add_argument(
            "--gap",
            type=share,
            default=0.0,
            metavar="SHARE",
            help="stop a layer's search when its mapping is proven this close to the optimum, e.g. 0.02 or 2%%",
        )
        group.add_argument(
            "--seconds",
            type=_seconds,
            default=math.inf,
            metavar="S",
            help="stop a layer's search after so many seconds, with the bound it then has",
        )

    @classmethod
    def of(cls, args: argparse.Namespace) -> Request:
        """The request of a parsed command line; raises `BadInput`."""
        from ...mapper.base import Limits
        from ...mapper.objective import Objective
        from ...mapper.registry import DEFAULT_MAPPER, mapper_class

        name = args.mapper or DEFAULT_MAPPER
        mapper_class(name)
        objective = Objective.parse(args.objective)
        constraints = None
        if args.constraints is not None:
            from ...mapper.constraint_file import load_constraints

            constraints = load_constraints(args.constraints)
        limits = Limits(gap=args.gap, seconds=args.seconds)
        return cls(objective, name, constraints, limits, args.constraints)

    @property
    def facts(self) -> dict[str, Any]:
        """The request for JSON."""
        return {
            "objective": self.objective.name,
            "mapper": self.mapper,
            "constraints": self.constraints_from,
            "limits": {"gap": self.limits.gap, "seconds": self.limits.seconds},
        }


def amount(objective: Objective, value: float) -> str:
    """A value of the objective for people, with its unit where it has a plain one."""
    from ...energy.quantities import format_si

    units = {(1.0, 0.0): "J", (0.0, 1.0): "s", (1.0, 1.0): "Js"}
    unit = units.get((objective.energy, objective.latency)) if objective.form == "product" else None
    return format_si(value, unit) if unit else f"{value:.4g}"


def share(text: str) -> float:
    """A share such as 0.02 or 2%."""
    number = text.strip()
    try:
        value = float(number[:-1]) / 100.0 if number.endswith("%") else float(number)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a share from 0 up to, but not including, 1; write 0.02 or 2%"
        )
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number of seconds")
    return value
