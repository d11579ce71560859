"""How a value differs from another, in words people use for that metric."""

from __future__ import annotations

from .html_parts import Cell

__all__ = ["POINTS", "change_text"]

POINTS = frozenset({"error_pct", "tracking_loss_pct"})
"""Metrics that are percentages already: their differences are points."""


def change_text(value: float, base: float, metric: str) -> Cell:
    """How a value differs from the baseline's, and whether that is better."""
    kind = "better" if value < base else "worse" if value > base else ""
    points = metric in POINTS
    change = value - base if points else 100.0 * (value / base - 1.0) if base else 0.0
    text = f"{change:+.1f}" if points or abs(change) < 2 else f"{change:+.0f}"
    if float(text) == 0:
        text, kind = "±0", ""
    return text.replace("-", "−") + (" points" if points else " %"), kind
