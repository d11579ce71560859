"""The whole life of a design: what search, training, use, waiting and manufacture cost in energy and carbon."""

from .accounts import PHASES, QUANTITIES, Amount, Once, Phase, Service
from .crossing import BreakEven
from .cycle import MOST_USES, LifeCycle
from .delay import DelayMetrics
from .ranking import Reversal, best_by_uses, reversals

__all__ = [
    "MOST_USES",
    "PHASES",
    "QUANTITIES",
    "Amount",
    "BreakEven",
    "DelayMetrics",
    "LifeCycle",
    "Once",
    "Phase",
    "Reversal",
    "Service",
    "best_by_uses",
    "reversals",
]
