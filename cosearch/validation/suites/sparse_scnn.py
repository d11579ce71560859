"""SCNN: how much faster published densities of AlexNet and VGG-16 make it than networks without a zero."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from ....accel.spec import load_accelerator
from ....errors import BadInput
from ....mapper.base import Limits
from ....mapper.search import best_mapping
from ....models.load import load_network
from ....models.op import Op, Role
from ..reference import Reference
from ..result import Case, SuiteResult
from .sparse_stated import SUITE, stated, with_zeros

__all__ = ["network_cycles", "scnn_results"]

TABLE = "sparse/layer_densities.csv"
LIMITS = Limits(seconds=1.0, gap=0.05)  # of the mapper for a layer
Densities = Mapping[str, tuple[float, float, float]]  # of weights, inputs and outputs, by layer
_NOTES = (
    "Published are speed-ups over DCNN, a dense engine with as many multipliers; modelled over the same engine and the "
    "same layers without a zero, each mapped for the least latency.",
    "A sanity check without a target: elements wait for each other after a number of steps that is our choice, made "
    "before this comparison.",
)


def scnn_results(reference: Reference) -> list[SuiteResult]:
    """A speed-up per network; nothing where the densities are absent."""
    densities = _densities(reference)
    cases = []
    for name, network in stated().scnn.networks.items():
        if all(layer in densities for layers in network.layers.values() for layer in layers):
            dense, sparse = (network_cycles(name, given) for given in (None, tuple(sorted(densities.items()))))
            cases.append(Case(name, network.speedup, dense / sparse))
    if not cases:
        return []
    bar = "none: it shows that the mechanisms of the spec give the size of it"
    return [SuiteResult(SUITE, "SCNN speed-up by zeros", tuple(cases), bar, "x dense", notes=_NOTES)]


@lru_cache(maxsize=8)
def network_cycles(name: str, densities: tuple[tuple[str, tuple[float, float, float]], ...] | None) -> float:
    """Cycles of the convolutions of a network on SCNN, with the densities of its layers or without a zero."""
    network, engine = stated().scnn.networks[name], load_accelerator("scnn")
    known, ops = dict(densities or ()), {op.name: op for op in load_network(name, **network.options).contractions}
    total = 0.0
    for layer, parts in network.layers.items():
        op = _wide(ops[layer])
        if densities is not None:
            weight, given, result = (math.fsum(known[part][at] for part in parts) / len(parts) for at in range(3))
            zeros: dict[Role, float] = {"weight": weight, "input": given, "output": result}
            op = with_zeros(op, zeros)
        total += best_mapping(op, engine, "latency", limits=LIMITS).cost.cycles
    return total


def _wide(op: Op) -> Op:
    """With words of 16 bits."""
    first, second, result = (replace(tensor, bits=16) for tensor in op.tensors)
    return replace(op, tensors=(first, second, result))


def _densities(reference: Reference) -> Densities:
    """The table, which has no header: layer, densities of weights, inputs and outputs."""
    path = reference.path(TABLE)
    if path is None:
        return {}
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as a table ({error}); check the reference folder") from error
    found = {}
    for line, row in enumerate(rows, 1):
        shares = _shares(row[1:4])
        if len(row) < 4 or shares is None:
            raise BadInput(
                f"{TABLE}:{line}: a layer and three densities in (0, 1] are needed; check the reference folder"
            )
        found[row[0].strip()] = shares
    return found


def _shares(cells: Iterable[str]) -> tuple[float, float, float] | None:
    try:
        weight, given, result = (float(cell) for cell in cells)
    except ValueError:
        return None
    return (weight, given, result) if all(0.0 < share <= 1.0 for share in (weight, given, result)) else None
