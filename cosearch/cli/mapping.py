"""`dovetail map`: the best mapping of one layer, as a loop nest, and what it costs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, UnknownName
from .estimate import add_pair, excess_text, load_pair, show_breakdown
from .front import front_rows, show_front
from .output import Output, facts, waiting
from .request import Request, amount, share

if TYPE_CHECKING:
    from rich.console import Console

    from ...accel.accelerator import Accelerator
    from ...accel.analytic import Cost
    from ...accel.mapping import Mapping as LoopMapping
    from ...mapper.base import Certificate, MappingResult
    from ...mapper.objective import Objective
    from ...models.network import Network
    from ...models.op import Op

__all__ = ["add_command", "loop_nest"]

RESOLUTION = 0.01  # of a front, unless --pareto-resolution is given
FRONT_SECONDS = 5.0  # of each search of a coarse front, unless --seconds is given


def add_command(commands: Any) -> None:
    """Add `map` to the parser's commands."""
    about = "the best mapping of one layer on an accelerator"
    one = commands.add_parser("map", help=about, description=f"Print {about} and what it costs.")
    add_pair(one)
    one.add_argument("--layer", required=True, metavar="L", help="the layer's name, as `dovetail estimate` lists it")
    one.add_argument(
        "--pareto",
        action="store_true",
        help="show the mappings that no other beats in both latency and energy; --gap and --seconds (5 unless given) "
        "hold for each of them",
    )
    one.add_argument(
        "--pareto-resolution",
        type=share,
        metavar="SHARE",
        help="with --pareto: how much faster each is at least than the next, e.g. 0.05 or 5%% (default 1%%; 0: all)",
    )
    Output.add_options(one)
    one.set_defaults(command=_map, parser=one)


def by_component(energy: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Joules per component from joules per (component, tensor)."""
    total: dict[str, float] = {}
    for (component, _), joules in energy.items():
        total[component] = total.get(component, 0.0) + joules
    return total


def _find_layer(network: Network, name: str) -> Op:
    from ...models.op import Op

    for op in network.ops:
        if op.name == name:
            if isinstance(op, Op):
                return op
            raise BadInput(f"layer '{name}' is a vector operator ({op.kind}); it has no loops to map")
    raise UnknownName(f"layer of {network.name}", name, [op.name for op in network.contractions])


def _map(args: argparse.Namespace) -> None:
    output = Output.of(args)
    network, accelerator = load_pair(args)
    op = _find_layer(network, args.layer)
    from ...mapper.search import best_mapping

    request = Request.of(args)
    if args.pareto:
        _check_front(args)
        resolution = RESOLUTION if args.pareto_resolution is None else args.pareto_resolution
        _front(output, network, op, accelerator, request, resolution)
        return
    if args.pareto_resolution is not None:
        raise BadInput("--pareto-resolution is about --pareto; give both or neither")
    with waiting(f"mapping {op.name} on {accelerator.name}"):
        result = best_mapping(
            op,
            accelerator,
            request.objective,
            request.mapper,
            constraints=request.constraints,
            limits=request.limits,
        )
    cost = result.cost
    data = {
        "network": network.name,
        "accelerator": accelerator.name,
        "layer": op.name,
        **request.facts,
        "dims": op.bounds,
        "macs": op.macs,
        "effectual_macs": cost.effectual_macs,
        "overflow": dict(cost.overflow),
        "cycles": cost.cycles,
        "latency_s": cost.latency_s,
        "energy_j": cost.energy_j,
        "utilization": cost.utilization,
        "compute_utilization": cost.compute_utilization,
        "bound": cost.bound,
        "breakdown": by_component(cost.energy),
        "mapping": result.mapping,
        "certificate": {
            **asdict(result.certificate),
            "gap": result.certificate.gap,
            "proven": result.certificate.proven,
        },
    }
    rows = [
        {"level": level.level, "dim": loop.dim, "bound": loop.bound, "axis": loop.axis}
        for level in result.mapping.levels
        for loop in level.loops
    ]
    output.emit(data, rows, lambda to: _show_map(to, op, accelerator, result, request))


def _check_front(args: argparse.Namespace) -> None:
    from ...mapper.registry import DEFAULT_MAPPER

    if args.mapper not in (None, DEFAULT_MAPPER):
        raise BadInput(f"--pareto asks the mapper '{DEFAULT_MAPPER}', not '{args.mapper}'; leave --mapper out")


def _front(
    output: Output, network: Network, op: Op, accelerator: Accelerator, request: Request, resolution: float
) -> None:
    from ...mapper.pareto import fastest_mapping, pareto_front

    limits = request.limits
    if math.isinf(limits.seconds) and resolution:  # a coarse front is for a quick look
        limits = replace(limits, seconds=FRONT_SECONDS)
    with waiting(f"mapping {op.name} on {accelerator.name}"):
        fastest = fastest_mapping(op, accelerator, request.constraints, limits=limits, resolution=resolution)
        front = pareto_front(op, accelerator, request.constraints, limits=limits, resolution=resolution)
    rows, least = front_rows(front), fastest.certificate.lower_bound
    data = {
        "network": network.name,
        "accelerator": accelerator.name,
        "layer": op.name,
        "constraints": request.constraints_from,
        "limits": {"gap": limits.gap, "seconds": limits.seconds},
        "resolution": resolution,
        "least_latency_bound_s": least,
        "front": rows,
    }
    output.emit(data, rows, lambda to: show_front(to, op, accelerator.name, rows, least, resolution))


def _show_map(to: Console, op: Op, accelerator: Accelerator, result: MappingResult, request: Request) -> None:
    from ...energy.quantities import format_si

    dims = " ".join(f"{dim}={bound}" for dim, bound in op.dims if bound > 1)
    to.print(f"{op.name} ({op.kind}) on {accelerator.name}", style="bold")
    to.print(f"{dims}\n", style="dim")
    to.print(loop_nest(op, accelerator, result.mapping))
    to.print()
    show_breakdown(to, by_component(result.cost.energy))
    facts(
        to,
        [
            (
                "latency",
                format_si(result.cost.latency_s, "s"),
                f"{result.cost.cycles:,.0f} cycles, bound by {result.cost.bound}",
            ),
            (
                "energy",
                format_si(result.cost.energy_j, "J"),
                f"{format_si(result.cost.energy_j / op.macs, 'J')} per MAC",
            ),
            (
                "utilization",
                f"{result.cost.utilization:.1%}",
                f"of {accelerator.peak_macs_per_cycle:,} MACs per cycle; "
                f"{result.cost.compute_utilization:.1%} while computing",
            ),
            *_zeros(op, result.cost),
            *_proof(result.certificate, request.objective),
        ],
    )


def _zeros(op: Op, cost: Cost) -> list[tuple[str, str, str]]:
    """Lines on what zeros save, and on compressed tiles that may not fit."""
    found = []
    if cost.effectual_macs < op.macs:
        waiting = cost.compute_cycles and 1.0 - cost.compute_utilization
        beside = f"; instances idle or waiting for each other {waiting:.1%} of the compute's time" if waiting else ""
        found.append(("steps taken", f"{cost.effectual_macs / op.macs:.1%}", f"the others are skipped{beside}"))
    for memory, chance in cost.overflow.items():
        share = f"{chance:.1%}" if chance >= 0.001 or not chance else f"{chance:.0e}"
        found.append(("overflow", share, f"of the compressed tiles take more than the room in {memory}"))
    return found


def _proof(proof: Certificate, objective: Objective) -> list[tuple[str, str, str]]:
    """Lines on how good the mapping is known to be."""
    found, least = amount(objective, proof.optimum), amount(objective, proof.lower_bound)
    name, known = "optimum", f"{objective.name}, proven: no mapping of the mapspace has less"
    if not proof.proven:
        beyond = f": at most {excess_text(proof.optimum, proof.lower_bound)} the optimum" if proof.lower_bound else ""
        name, known = "best found", f"{objective.name}, not proven; no mapping has less than {least}{beyond}"
    effort = f"{proof.evaluated:,} mappings costed, {proof.pruned:,} ruled out"
    return [(name, found, known), ("search", f"{proof.seconds:.3g} s", effort)]


def loop_nest(op: Op, accelerator: Accelerator, mapping: LoopMapping) -> str:
    """The mapping as indented loops, a level's name and the tensors it keeps before its loops."""
    from ...accel.accelerator import Memory

    places = {level.name: level for level in accelerator.levels}
    lines: list[str] = []
    depth = 0
    for level in mapping.levels:
        place = places[level.level]
        kept = ""
        if isinstance(place, Memory):
            roles = [
                tensor.role for tensor in op.tensors if tensor.role in place.keeps and tensor.role not in level.bypass
            ]
            kept = f" keeps {', '.join(roles) or 'nothing'}"
        lines.append(f"{'  ' * depth}[{level.level}]{kept}")
        for loop in level.loops:
            if loop.bound > 1:
                depth += 1
                word = (
                    f"parallel-for {loop.dim} in 0..{loop.bound - 1} along {loop.axis}"
                    if loop.axis
                    else (f"for {loop.dim} in 0..{loop.bound - 1}")
                )
                lines.append(f"{'  ' * depth}{word}")
        depth += 1
    lines.append(f"{'  ' * depth}multiply-accumulate")
    return "\n".join(lines)
