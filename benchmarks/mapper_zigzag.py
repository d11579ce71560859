"""Run by ZigZag's own interpreter, as a process of `mapper_peers`: map layers with it and say what it did.

Reads from standard input a JSON object (``accelerator`` and ``mapping`` as ZigZag's YAML has them, ``layers`` each with
its ``workload`` entry, ``loop_limit``, ``spatial_mappings``), writes one line of JSON a layer to standard output.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import yaml
from zigzag.mapping.temporal_mapping import TemporalMappingType
from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
from zigzag.stages.main import MainStage
from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
from zigzag.stages.parser.workload_parser import WorkloadParserStage
from zigzag.stages.results.reduce_stages import MinimalEDPStage
from zigzag.stages.stage import Stage
from zigzag.stages.workload_iterator import WorkloadStage

costed = 0


class CountingStage(Stage):
    """Stands before the cost model and counts the mappings that reach it."""

    def run(self) -> Iterator[Any]:
        """Count one mapping and pass it on."""
        global costed
        costed += 1
        yield from self.list_of_callables[0](self.list_of_callables[1:], **self.kwargs).run()


# The stages of ZigZag's interface `get_hardware_performance_zigzag`, without those that write files and pictures.
STAGES = [
    WorkloadParserStage,
    AcceleratorParserStage,
    WorkloadStage,
    MinimalEDPStage,
    SpatialMappingGeneratorStage,
    MinimalEDPStage,
    TemporalMappingGeneratorStage,
    CountingStage,
    CostModelStage,
]


def mapped(asked: dict[str, Any], layer: dict[str, Any], folder: str) -> dict[str, Any]:
    """ZigZag's best mapping of one layer and what it took."""
    global costed
    costed = 0
    wall, processor = time.perf_counter(), time.process_time()
    stage = MainStage(
        list_of_callables=STAGES,
        accelerator=os.path.join(folder, "accelerator.yaml"),
        workload=[layer["workload"]],
        mapping=os.path.join(folder, "mapping.yaml"),
        loma_lpf_limit=asked["loop_limit"],
        loma_show_progress_bar=False,
        nb_mappings_generated=asked["spatial_mappings"],
        enable_mix_spatial_mapping_generation=False,
        access_same_data_considered_as_no_access=True,
        temporal_mapping_type=TemporalMappingType("uneven"),
    )
    best = stage.run()[0][0]
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
    held = {str(op): levels for op, levels in best.temporal_mapping.mapping_dic_origin.items()}
    return spent | {
        "evaluated": costed,
        "energy_j": best.energy_total * 1e-12,
        "cycles": best.latency_total2,
        # Innermost first; each tensor's list has all loops.
        "order": [[str(dim), int(size)] for level in held["O"] for dim, size in level],
        "held": {op: [len(level) for level in levels] for op, levels in held.items()},  # loops by memory
        "axes": {
            str(axis): {str(dim): int(size) for dim, size in factors.items()}
            for axis, factors in best.layer.spatial_mapping.items()
        },
    }


def main() -> None:
    """Answer the question on standard input."""
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        for part in ("accelerator", "mapping"):
            with open(os.path.join(folder, f"{part}.yaml"), "w", encoding="utf-8") as file:
                yaml.safe_dump(asked[part], file, sort_keys=False)
        for layer in asked["layers"]:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    answer = mapped(asked, layer, folder)
            except Exception as error:  # noqa: BLE001 - whatever stops ZigZag is its answer for this layer
                answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
            sys.stdout.write(json.dumps({"layer": layer["name"]} | answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
