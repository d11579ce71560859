"""Modes: which part of a design a strategy may choose when, found by name.

A mode makes the strategy a study runs from the strategy it names. The built-in modes after NAHAS (arXiv 2102.08619):
``joint`` searches networks and hardware together; ``hw_only`` keeps the baseline network, ``nas_only`` the default
hardware; ``phase`` does the one after the other, ``oneshot`` searches with a supernet's weights,
``nested`` sweeps all hardware for each network.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from ...errors import UnknownName
from .base import Strategy, StrategyOptions, Task
from .mode_base import Mode, ModeOptions, fixed_part, restricted
from .registry import strategy_class

__all__ = ["HardwareOnly", "Joint", "NetworksOnly", "make_strategy", "mode_class", "mode_names"]

_BUILT_IN: dict[str, tuple[str, str]] = {
    "hw_only": ("modes", "HardwareOnly"),
    "joint": ("modes", "Joint"),
    "nas_only": ("modes", "NetworksOnly"),
    "nested": ("nested", "Nested"),
    "oneshot": ("oneshot", "OneShot"),
    "phase": ("phase", "Phase"),
}


def mode_names() -> tuple[str, ...]:
    """Names a study may give under ``mode:``."""
    return tuple(sorted(_BUILT_IN))


def mode_class(name: str) -> type[Mode]:
    """The mode called ``name``; `UnknownName` where there is none."""
    if name not in _BUILT_IN:
        raise UnknownName("mode", name, mode_names())
    module, attribute = _BUILT_IN[name]
    found: type[Mode] = getattr(import_module(f".{module}", __package__), attribute)
    return found


def make_strategy(
    mode: str, name: str, task: Task, options: StrategyOptions | None = None, mode_options: ModeOptions | None = None
) -> Strategy:
    """The strategy called ``name`` in the mode called ``mode``; options that are None take their defaults.

    Raises `UnknownName` for a mode or strategy there is not, `BadInput` where the task does not allow the mode.
    """
    chosen = mode_class(mode)
    given = options if options is not None else strategy_class(name).Options()
    return chosen().strategy(name, task, given, mode_options if mode_options is not None else chosen.Options())


class Joint:
    """Networks and hardware are searched together."""

    Options: ClassVar[type[ModeOptions]] = ModeOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy itself."""
        return strategy_class(name)(task, options)


class HardwareOnly:
    """Hardware is searched for the baseline network."""

    Options: ClassVar[type[ModeOptions]] = ModeOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy in the part of the space that has the baseline network."""
        return strategy_class(name)(restricted(task, fixed_part(task, "network", "hw_only")), options)


class NetworksOnly:
    """Networks are searched for the default hardware."""

    Options: ClassVar[type[ModeOptions]] = ModeOptions

    def strategy(self, name: str, task: Task, options: StrategyOptions, mode_options: Any) -> Strategy:
        """The strategy in the part of the space that has the default hardware."""
        return strategy_class(name)(restricted(task, fixed_part(task, "hardware", "nas_only")), options)
