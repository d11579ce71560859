"""Another mapper, ZigZag, asked the same questions in the same run, and its answers costed by our model.

The hardware is translated from ours: the same memories with their sizes, ports, joules per bit and place above or below
the array, the same axes with the dimensions allowed on them. What ZigZag's language does not have is in `DIFFERENCES`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dovetail as dt
from dovetail.accel.accelerator import Array, Memory
from dovetail.mapper.mapspace import Mapspace
from dovetail.models.op import ROLES, Role

DIFFERENCES = (
    "It gets our memories, ports, joules per bit, axes and word widths, but not the energy of the array's wires and of "
    "leakage, which its language lacks; its ports are whole bits wide, 4096 where ours are unlimited. It searches with "
    "its defaults (loop orders of at most 6 factors, 3 assignments to the array) for the energy-delay product of its "
    "own model. Its answer is then costed by ours: its loops in its order, the boundaries between memories where our "
    "model likes them best, so that only its choice of loops counts against it. Where it holds a tensor at a place "
    "that our order of memories does not allow, its answer is no point of our mapspace and cannot be compared."
)
LOOP_LIMIT, SPATIAL_MAPPINGS = 6, 3  # ZigZag's defaults
UNSTATED_BITS = 4096
OPERANDS = {"input": "I1", "weight": "I2", "output": "O"}
LETTERS = {"N": "B", "P": "OY", "Q": "OX", "R": "FY", "S": "FX"}  # ours to ZigZag's, where they differ


def letter(dim: str) -> str:
    """ZigZag's name of a dimension."""
    return LETTERS.get(dim, dim)


# ---- the question --------------------------------------------------------------------------------------------------


def accelerator(chip: dt.Accelerator) -> dict[str, Any]:
    """The chip as ZigZag's YAML describes one; memories innermost first."""
    axes: list[tuple[str, int]] = []
    memories: dict[str, Any] = {}
    for level in reversed(chip.levels):
        if isinstance(level, Array):
            axes = [(f"{level.name}.{axis}", extent) for axis, extent in level.shape] + axes
        elif isinstance(level, Memory):
            memories[level.name] = memory(level, chip.clock_hz) | {"served_dimensions": list(axes)}
    names = {axis: f"D{number}" for number, axis in enumerate(axes, start=1)}
    for described in memories.values():
        described["served_dimensions"] = [names[axis] for axis in described["served_dimensions"]]
    return {
        "name": chip.name,
        "memories": memories,
        "operational_array": {
            "unit_energy": chip.compute.energy_j * 1e12,
            "unit_area": 1.0,
            "dimensions": list(names.values()),
            "sizes": [extent for _, extent in axes],
        },
    }


def memory(level: Memory, clock_hz: float) -> dict[str, Any]:
    """One memory: ZigZag counts its energy in pJ for an access of a whole port."""
    widths = [
        max(1, int(min(bandwidth / clock_hz, UNSTATED_BITS)))  # it knows whole bits only
        for bandwidth in (level.read_bandwidth_bits_per_s, level.write_bandwidth_bits_per_s)
    ]
    if level.shared_port:
        widths = [widths[0]] * 2
    ways = {"r": ("tl", "th"), "w": ("fh", "fl")}
    allocation = {
        way: [
            f"{OPERANDS[role]}, {move}"
            for role in OPERANDS
            if role in level.keeps
            for move in (moves if role == "output" else moves[:1])
        ]
        for way, moves in ways.items()
    }
    ports = [
        {"name": f"{way}_port_1", "type": kind, "allocation": allocation[way]}
        | {"bandwidth_min": min(8, width), "bandwidth_max": width}
        for way, kind, width in zip("rw", ("read", "write"), widths, strict=True)
    ]
    if level.shared_port:
        ports = [
            ports[0] | {"name": "rw_port_1", "type": "read_write", "allocation": allocation["r"] + allocation["w"]}
        ]
    return {
        "size": int(min(level.size_bits, 1e15)),
        "r_cost": level.read_energy_j_per_bit * widths[0] * 1e12,
        "w_cost": level.write_energy_j_per_bit * widths[1] * 1e12,
        "area": 0.0,
        "latency": 1,
        "operands": [OPERANDS[role] for role in OPERANDS if role in level.keeps],
        "ports": ports,
        "force_double_buffering": level.double_buffered,
    }


def spatial_axes(chip: dt.Accelerator) -> list[tuple[str, str, frozenset[str] | None]]:
    """Array, axis and the dimensions allowed there (None: any), outermost first: ZigZag's D1, D2, …"""
    return [
        (level.name, axis, level.dims.get(axis))
        for level in chip.levels
        if isinstance(level, Array)
        for axis, _ in level.shape
    ]


def workload(op: dt.Op, chip: dt.Accelerator) -> dict[str, Any]:
    """The operator as one layer of ZigZag's YAML; dimensions of bound 1 are left out where a stride needs none."""
    dims = [dim for dim, bound in op.dims if bound > 1]
    relations: list[str] = []
    windows: dict[str, int] = {}
    tensors = {}
    for tensor, name in zip(op.tensors, "IWO", strict=True):
        ranks = []
        for rank in tensor.ranks:
            terms = [(dim, scale) for dim, scale in rank.terms if dim in dims]
            if len(terms) == 1 and terms[0][1] > 1:  # a stride without a filter: ZigZag needs both dimensions
                terms = list(rank.terms)
                dims += [dim for dim, _ in terms if dim not in dims]
            if len(terms) == 2:
                window = "IY" if "P" in dict(terms) else "IX"
                sums = "+".join(f"{scale}*{letter(dim).lower()}" for dim, scale in terms)
                relations.append(f"{window.lower()}={sums}")
                windows[window] = rank.words(op.bounds)
                ranks.append(window)
            else:
                ranks += [letter(dim) for dim, _ in terms]
        tensors[name] = name + "".join(f"[{rank.lower()}]" for rank in ranks)
    bits = {role: innermost(chip, role).bits(role, op.tensor(role).bits) for role in ROLES}
    described: dict[str, Any] = {
        "id": 0,
        "name": op.name,
        "operator_type": "Conv",
        "equation": f"{tensors['O']}+={tensors['W']}*{tensors['I']}",
        "loop_dims": [letter(dim) for dim in dims],
        "loop_sizes": [op.bounds[dim] for dim in dims],
        "operand_precision": {
            "I": bits["input"],
            "W": bits["weight"],
            "O": max(bits["output"], chip.compute.accumulator_bits),
            "O_final": chip.memories[0].bits("output", op.tensor("output").bits),
        },
        "operand_source": {"I": 0, "W": 0},
        "dimension_relations": relations,
    }
    if windows:
        described |= {"pr_loop_dims": list(windows), "pr_loop_sizes": list(windows.values())}
        described["padding"] = [[0, 0] for _ in windows]
    return described


def innermost(chip: dt.Accelerator, role: Role) -> Memory:
    """The memory nearest the multipliers that keeps a tensor."""
    return next(memory for memory in reversed(chip.memories) if role in memory.keeps)


def directions(op: dt.Op, chip: dt.Accelerator) -> dict[str, Any]:
    """What ZigZag may lay along each axis: a hint, or, where the layer has none of the dimensions, nothing."""
    dims = [dim for dim, bound in op.dims if bound > 1]
    hints, forbidden = {}, {}
    for number, (_, _, allowed) in enumerate(spatial_axes(chip), start=1):
        able = [letter(dim) for dim in dims if allowed is None or dim in allowed]
        if able:
            hints[f"D{number}"] = able
        else:
            forbidden[f"D{number}"] = [f"{letter(dims[0])}, 1"]
    links = {"O": "O", "W": "I2", "I": "I1"}
    return {"name": op.name, "memory_operand_links": links, "spatial_mapping_hint": hints, "spatial_mapping": forbidden}


def ask_zigzag(python: str, chip: dt.Accelerator, ops: list[dt.Op], seconds: float) -> Iterator[dict[str, Any]]:
    """ZigZag's answers, one a layer, as many as it gives within ``seconds``."""
    question = {
        "accelerator": accelerator(chip),
        "mapping": [directions(ops[0], chip) | {"name": "default"}, *(directions(op, chip) for op in ops)],
        "layers": [{"name": op.name, "workload": workload(op, chip)} for op in ops],
        "loop_limit": LOOP_LIMIT,
        "spatial_mappings": SPATIAL_MAPPINGS,
    }
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | one_thread
    try:
        done = subprocess.run(
            [python, str(Path(__file__).with_name("mapper_zigzag.py"))],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
        )
        text = done.stdout
        if done.returncode:
            raise SystemExit(f"ZigZag did not run: {done.stderr[-500:]}")
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    for line in text.splitlines():
        yield json.loads(line)


# ---- the answer ----------------------------------------------------------------------------------------------------


def costed(op: dt.Op, chip: dt.Accelerator, answer: dict[str, Any]) -> dict[str, Any]:
    """ZigZag's loops costed by our model, the boundaries between memories where they cost least.

    ``edp`` (J·s) is None where ZigZag lets one tensor pass a memory at a place that our spec's order of memories does
    not allow: it is then no mapping of ours. ``inside`` says whether it is a point of our mapspace.
    """
    own = {letter(dim): dim for dim, _ in op.dims}
    order = [(own[dim], size) for dim, size in answer["order"]]  # innermost first
    if not nested(op, chip, order, answer["held"]):
        return {"edp": None, "inside": False}
    spread = unwasted(op, [{own[dim]: size for dim, size in row.items()} for row in answer["axes"].values()])
    axes = {
        (array, name): [dt.Loop(dim, size, name) for dim, size in row.items() if size > 1]
        for (array, name, _), row in zip(spatial_axes(chip), spread, strict=True)
    }
    found = [
        (cost.edp, mapping)
        for mapping in placed(chip, [loop for loop in reversed(order) if loop[1] > 1], axes)
        if (cost := cost_of(op, chip, mapping))
    ]
    if not found:
        return {"edp": None, "inside": False}
    edp, mapping = min(found, key=lambda pair: pair[0])
    space = Mapspace(op, chip)
    return {"edp": edp, "inside": bool(space.contains(*space.problem.from_mapping(mapping)))}


def nested(op: dt.Op, chip: dt.Accelerator, order: list[tuple[str, int]], held: dict[str, list[int]]) -> bool:
    """Whether one boundary for each memory, none inside the one below it, holds every tensor where ZigZag holds it.

    A loop that a tensor does not depend on may stand on either side of its boundary.
    """
    edges = {role: list(itertools.accumulate(held[name])) for role, name in zip(ROLES, "IWO", strict=True)}
    least = 0
    for memory in reversed(chip.memories[1:]):
        most = len(order)
        for role in ROLES:
            if role not in memory.keeps:
                continue
            low = high = edges[role].pop(0)
            dims = op.tensor(role).dims
            while low and order[low - 1][0] not in dims:
                low -= 1
            while high < len(order) and order[high][0] not in dims:
                high += 1
            least, most = max(least, low), min(most, high)
        if least > most:
            return False
    return True


def unwasted(op: dt.Op, axes: list[dict[str, int]]) -> list[dict[str, int]]:
    """Factors in space lowered as far as costs no further pass, as our mapspace has them."""
    for row in axes:
        for dim in row:

            def passes(dim: str = dim) -> int:
                return -(-op.bounds[dim] // math.prod(other.get(dim, 1) for other in axes))

            needed = passes()
            while row[dim] > 1:
                row[dim] -= 1
                if passes() > needed:
                    row[dim] += 1
                    break
    return axes


def placed(
    chip: dt.Accelerator, loops: list[tuple[str, int]], axes: dict[tuple[str, str], list[dt.Loop]]
) -> Iterator[dt.Mapping]:
    """Every way to share loops, outermost first, out over the memories in this order."""
    places = [level for level in chip.levels if isinstance(level, Memory | Array)]
    memories = [level.name for level in places if isinstance(level, Memory)]
    for cuts in itertools.combinations_with_replacement(range(len(loops) + 1), len(memories) - 1):
        edges = dict(zip(memories, itertools.pairwise((0, *cuts, len(loops))), strict=True))
        levels = []
        for level in places:
            if isinstance(level, Memory):
                inside = [dt.Loop(dim, size) for dim, size in loops[slice(*edges[level.name])]]
            else:
                inside = [loop for axis, _ in level.shape for loop in axes[(level.name, axis)]]
            levels.append(dt.LevelMapping(level.name, merged(inside)))
        yield dt.Mapping(tuple(levels))


def cost_of(op: dt.Op, chip: dt.Accelerator, mapping: dt.Mapping) -> dt.Cost | None:
    """Our model's cost; None where the mapping does not fit."""
    try:
        return dt.evaluate(op, chip, mapping)
    except dt.Infeasible:
        return None


def merged(loops: list[dt.Loop]) -> tuple[dt.Loop, ...]:
    """Loops of one memory with equal dimensions that stand side by side made one."""
    found: list[dt.Loop] = []
    for loop in loops:
        if found and (found[-1].dim, found[-1].axis) == (loop.dim, loop.axis):
            loop = dt.Loop(loop.dim, found.pop().bound * loop.bound, loop.axis)
        found.append(loop)
    return tuple(found)
