"""Measured energy: meters of processors (RAPL) and GPUs (NVML), repeated runs with their statistics, CodeCarbon's logs.

A measured figure is called ``measured_…`` everywhere and never shares a column with a modelled one.
"""

from .codecarbon import CodeCarbonLog, CodeCarbonRun, read_codecarbon
from .comparison import Comparison
from .find import Found, find_meters
from .measured import Idle, Measured, Run
from .measuring import Measuring, measure
from .meter import Meter, Part
from .nvml import Nvml
from .rapl import Rapl
from .records import from_record, read_measured, to_record
from .statistics import Interval

__all__ = [
    "CodeCarbonLog",
    "CodeCarbonRun",
    "Comparison",
    "Found",
    "Idle",
    "Interval",
    "Measured",
    "Measuring",
    "Meter",
    "Nvml",
    "Part",
    "Rapl",
    "Run",
    "find_meters",
    "from_record",
    "measure",
    "read_codecarbon",
    "read_measured",
    "to_record",
]
