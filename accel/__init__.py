"""What hardware is and costs: specs, mappings, and the analytic model in its readable and its compiled form."""

from .accelerator import Accelerator, Array, Compute, Level, Memory, Parameter, Vector
from .analytic import Cost, evaluate
from .mapping import LevelMapping, Loop, Mapping
from .mapping_text import format_mapping, parse_mapping
from .residence import Residence, with_residence
from .spec import accelerator_schema, accelerator_to_yaml, list_accelerators, load_accelerator
from .vector import evaluate_vector

__all__ = [
    "Accelerator",
    "Array",
    "Compute",
    "Cost",
    "Level",
    "LevelMapping",
    "Loop",
    "Mapping",
    "Memory",
    "Parameter",
    "Residence",
    "Vector",
    "accelerator_schema",
    "accelerator_to_yaml",
    "evaluate",
    "evaluate_vector",
    "format_mapping",
    "list_accelerators",
    "load_accelerator",
    "parse_mapping",
    "with_residence",
]
