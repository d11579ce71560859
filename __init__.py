"""Dovetail: a neural network and the accelerator it runs on, fitted to each other.

>>> import dovetail as dt
>>> network, chip = dt.load_network("resnet18"), dt.load_accelerator("edge_tpu")
>>> dt.estimate(network, chip).latency_s  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accel.accelerator import Accelerator
    from .accel.analytic import Cost, evaluate
    from .accel.mapping import LevelMapping, Loop, Mapping
    from .accel.mapping_text import format_mapping, parse_mapping
    from .accel.simulator.served import Served
    from .accel.simulator.timeline import Timeline
    from .accel.spec import list_accelerators, load_accelerator
    from .cosearch.life.account import life_cycle
    from .cosearch.life.deployment import Deployment
    from .cosearch.studies.run import StudyResult, search
    from .energy.life import LifeCycle
    from .energy.meters import Measured, measure, read_codecarbon
    from .errors import BadInput, CannotDo, DovetailError, Infeasible
    from .mapper.base import Certificate, MappingResult
    from .mapper.compression import choose_levels
    from .mapper.estimate import Estimate, Schedule, estimate, estimate_many
    from .mapper.pareto import pareto_front
    from .mapper.search import best_mapping, map_many
    from .mapper.serving import serve
    from .mapper.simulation import simulate
    from .mapper.training.result import TrainingEstimate
    from .mapper.training.run import estimate_training
    from .models.distortion import distortion_curves
    from .models.from_onnx import from_onnx
    from .models.from_torch import from_torch
    from .models.load import list_networks, load_network
    from .models.network import Layer, Network
    from .models.op import Op, VectorOp
    from .models.pruning import prune, prune_blocks, prune_channels, prune_n_of_m
    from .models.quantising import quantise
    from .models.training.step import TrainingStep
    from .models.training.train import training_step

__version__ = "0.1.0"

# Where each public name lives; a name is imported when it is first used, so that `import dovetail` is quick.
_HOMES = {
    "Accelerator": "accel.accelerator",
    "BadInput": "errors",
    "CannotDo": "errors",
    "Certificate": "mapper.base",
    "Cost": "accel.analytic",
    "Deployment": "cosearch.life.deployment",
    "DovetailError": "errors",
    "Estimate": "mapper.estimate",
    "Infeasible": "errors",
    "Layer": "models.network",
    "LevelMapping": "accel.mapping",
    "LifeCycle": "energy.life",
    "Loop": "accel.mapping",
    "Mapping": "accel.mapping",
    "MappingResult": "mapper.base",
    "Measured": "energy.meters",
    "Network": "models.network",
    "Op": "models.op",
    "Schedule": "mapper.estimate",
    "Served": "accel.simulator.served",
    "StudyResult": "cosearch.studies.run",
    "Timeline": "accel.simulator.timeline",
    "TrainingEstimate": "mapper.training.result",
    "TrainingStep": "models.training.step",
    "VectorOp": "models.op",
    "best_mapping": "mapper.search",
    "choose_levels": "mapper.compression",
    "distortion_curves": "models.distortion",
    "estimate": "mapper.estimate",
    "estimate_many": "mapper.estimate",
    "estimate_training": "mapper.training.run",
    "evaluate": "accel.analytic",
    "format_mapping": "accel.mapping_text",
    "from_onnx": "models.from_onnx",
    "from_torch": "models.from_torch",
    "life_cycle": "cosearch.life.account",
    "list_accelerators": "accel.spec",
    "list_networks": "models.load",
    "load_accelerator": "accel.spec",
    "load_network": "models.load",
    "map_many": "mapper.search",
    "measure": "energy.meters",
    "pareto_front": "mapper.pareto",
    "parse_mapping": "accel.mapping_text",
    "prune": "models.pruning",
    "prune_blocks": "models.pruning",
    "prune_channels": "models.pruning",
    "prune_n_of_m": "models.pruning",
    "quantise": "models.quantising",
    "read_codecarbon": "energy.meters",
    "search": "cosearch.studies.run",
    "serve": "mapper.serving",
    "simulate": "mapper.simulation",
    "training_step": "models.training.train",
}

__all__ = [
    "Accelerator",
    "BadInput",
    "CannotDo",
    "Certificate",
    "Cost",
    "Deployment",
    "DovetailError",
    "Estimate",
    "Infeasible",
    "Layer",
    "LevelMapping",
    "LifeCycle",
    "Loop",
    "Mapping",
    "MappingResult",
    "Measured",
    "Network",
    "Op",
    "Schedule",
    "Served",
    "StudyResult",
    "Timeline",
    "TrainingEstimate",
    "TrainingStep",
    "VectorOp",
    "best_mapping",
    "choose_levels",
    "distortion_curves",
    "estimate",
    "estimate_many",
    "estimate_training",
    "evaluate",
    "format_mapping",
    "from_onnx",
    "from_torch",
    "life_cycle",
    "list_accelerators",
    "list_networks",
    "load_accelerator",
    "load_network",
    "map_many",
    "measure",
    "pareto_front",
    "parse_mapping",
    "prune",
    "prune_blocks",
    "prune_channels",
    "prune_n_of_m",
    "quantise",
    "read_codecarbon",
    "search",
    "serve",
    "simulate",
    "training_step",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
