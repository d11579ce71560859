"""The report's figures for papers: what they show as numbers, and how they are drawn."""

from .front import FrontInfo, front_info, metric_of, plot_front
from .style import plain_ticks, spans_decades

__all__ = ["FrontInfo", "front_info", "metric_of", "plain_ticks", "plot_front", "spans_decades"]
