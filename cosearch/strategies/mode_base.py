"""What a mode is: it decides which part of a design a strategy may choose when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from ...errors import BadInput
from ..spaces.hardware import HARDWARE_PREFIX
from ..spaces.space import Value
from .base import Strategy, StrategyOptions, Task

__all__ = ["Mode", "ModeOptions", "Side", "fixed_part", "part_of", "restricted"]

Side = Literal["network", "hardware"]


class ModeOptions(BaseModel):
    """Base of a mode's options as a study writes them under ``mode:``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Mode(Protocol):
    """Makes the strategy of a study. One object without state; its class docstring's first line says what it does."""

    Options: ClassVar[type[ModeOptions]]

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy called ``name``, bent to this mode; ``mode_options`` is an instance of ``Options``.

        Raises `BadInput` where the task does not allow the mode.
        """


def part_of(values: Mapping[str, Value], side: Side) -> dict[str, Value]:
    """A design's hardware, or all the rest of it, which is its network."""
    return {
        name: value for name, value in values.items() if name.startswith(HARDWARE_PREFIX) == (side == "hardware")
    }  # fmt: skip


def fixed_part(task: Task, side: Side, mode: str) -> dict[str, Value]:
    """One side of the first design of a task; `BadInput` where it has none, naming the mode that needs it."""
    if not task.first:
        what = {"network": "baseline network", "hardware": "default hardware"}[side]
        raise BadInput(
            f"mode {mode} keeps the {what}, and the baseline design is no point of the space; let 'network.only' and "
            "'hardware.search' keep its options"
        )
    return part_of(task.first[0], side)


def restricted(task: Task, fixed: Mapping[str, Value]) -> Task:
    """The task with some choices fixed; of its first designs those that fit stay."""
    space = task.space.restrict({name: [value] for name, value in fixed.items()})
    fitting = tuple(
        values for values in task.first if all(values.get(name) == value for name, value in fixed.items())
    )  # fmt: skip
    return replace(task, space=space, first=fitting)
