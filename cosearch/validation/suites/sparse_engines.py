"""Sparse engines beside their own papers: EIE, n of m weights, Eyeriss v2's element, a dual-side tensor core."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from ....accel.accelerator import Accelerator, Compute
from ....accel.analytic import evaluate
from ....accel.spec import load_accelerator
from ....errors import BadInput
from ....models.op import conv2d, linear
from ....models.patterns import NofM
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target
from .sparse_stated import SUITE, MatrixLayer, stated, with_zeros

__all__ = ["eie_times", "element_cycles", "engine_results", "outer_product_time", "throughput"]

TABLE = "sparse/eie_layers_us.csv"
THEORETICAL, ACTUAL = "Theoretical Time", "Actual Time"
OVER, POWER = "actual over theoretical time", "power"


def engine_results(reference: Reference) -> list[SuiteResult]:
    """EIE's times where the table is there, and what the suite states itself."""
    return [*_eie(reference), *_eie_chip(), _throughputs(), _elements(), _dual_side()]


# ---- EIE -----------------------------------------------------------------------------------------------------------

_PUBLISHED = "the authors' own simulation; no other model is published against it"
_EIE_NOTES = {
    THEORETICAL: (
        "All elements equally busy: the weights that are not zero in columns of activations that are not, and the "
        "zeros that 4-bit runs insert (up to 56 % more, at a density of 4 % in columns of 64 rows), over 64 elements.",
        "Densities are published in whole percent; remarks give the times at half a percent less and more. AlexNet FC8 "
        "and VGG16 FC6 lie far outside: the columns of their active inputs would have to hold 19 and 23 % more words "
        "than the mean column, or more inputs be active: the densities are means, while the authors' public simulator "
        "(github.com/RalphMao/EIE-simulator) takes one image. Neither is published for these runs.",
    ),
    ACTUAL: ("What is off is off without imbalance already, see the next quantity.",),
    OVER: (
        "What load imbalance alone costs: zeros are at random, so that elements differ by chance; in trained layers "
        "rows and columns differ, too. With queues of 8 that is 2 to 9 %, and 56 % in NT-We, where an element has less "
        "than one weight of a column and taking an activation from the queue takes a cycle even if it has none.",
    ),
}


@lru_cache(maxsize=64)
def eie_times(layer: MatrixLayer) -> dict[str, float]:
    """Microseconds without and with load imbalance, by the names of the table, and watts."""
    chip = load_accelerator("eie")
    rows = math.ceil(layer.outputs / chip.peak_macs_per_cycle)
    chip = chip.with_parameters(rows=rows)
    turns = math.ceil(rows / 64)  # so many sums an element has
    mapping = f"L3 K{turns} - L2 C{layer.inputs} K{chip.peak_macs_per_cycle}X - L1 N1 - L0 K{math.ceil(rows / turns)}"
    op = linear("layer", n=1, k=layer.outputs, c=layer.inputs, bits=16)
    cost = evaluate(with_zeros(op, {"input": layer.input, "weight": layer.weight}), chip, mapping)
    balanced = cost.effectual_macs / chip.peak_macs_per_cycle / chip.clock_hz
    return {THEORETICAL: balanced * 1e6, ACTUAL: cost.latency_s * 1e6, POWER: cost.energy_j / cost.latency_s}


def _eie(reference: Reference) -> Iterator[SuiteResult]:
    published = _published(reference)
    layers = stated().eie.layers
    quantities: dict[str, list[Case]] = {THEORETICAL: [], ACTUAL: [], OVER: []}
    for name, times in published.items():
        modelled = eie_times(layers[name])
        for which, figure in times.items():
            remark = _span(layers[name]) if which == THEORETICAL else ""
            quantities[which].append(Case(name, figure, modelled[which], remark))
        if len(times) == 2:
            over = times[ACTUAL] / times[THEORETICAL]
            quantities[OVER].append(Case(name, over, modelled[ACTUAL] / modelled[THEORETICAL]))
    for which, cases in quantities.items():
        limit, unit = (5.0 if which == THEORETICAL else 15.0), ("" if which == OVER else "us")
        targets = (Target("mape_pct", limit), Target("each_abs_error_pct", limit))
        if cases:
            yield SuiteResult(
                SUITE, f"EIE {which.lower()}", tuple(cases), _PUBLISHED, unit, targets=targets, notes=_EIE_NOTES[which]
            )


def _eie_chip() -> Iterator[SuiteResult]:
    """Power and area, which come from the energy tables alone."""
    given = stated().eie
    note = "From the tables of energies and areas at 45 nm; nothing is fitted to the chip."
    for quantity, unit, published, modelled in (
        (f"EIE {POWER}", "W", given.power_w, eie_times(given.layers[given.power_layer])[POWER]),
        ("EIE area", "mm2", given.area_mm2, load_accelerator("eie").area_mm2),
    ):
        cases = (Case(given.power_layer if unit == "W" else "64 elements", published, modelled),)
        yield SuiteResult(SUITE, quantity, cases, "none published", unit, notes=(note,))


def _published(reference: Reference) -> dict[str, dict[str, float]]:
    """Theoretical and actual times by layer, those that are there."""
    found: dict[str, dict[str, float]] = {}
    for row in reference.table(TABLE, ["Layer"]) or ():
        for column in row if row["Layer"] in (THEORETICAL, ACTUAL) else ():
            figure = None if column == "Layer" else number(row, column, f"{TABLE}, {row['Layer']}")
            name = column.replace("- ", "-")
            if figure is not None and name not in stated().eie.layers:
                raise BadInput(f"{TABLE}: column '{column}' is no layer of EIE's paper; check the reference folder")
            if figure is not None:
                found.setdefault(name, {})[row["Layer"]] = figure
    return found


def _span(layer: MatrixLayer) -> str:
    """What the rounding of the weights' density leaves open."""
    ends = (layer.model_copy(update={"weight": layer.weight + by}) for by in (-0.005, 0.005))
    low, high = (eie_times(end)[THEORETICAL] for end in ends)
    return f"{low:.1f} to {high:.1f} us as the density is rounded"


# ---- n of m --------------------------------------------------------------------------------------------------------


def throughput(accelerator: Accelerator, mapping: str, n: int, m: int) -> float:
    """How many times as fast steps are taken with n of m weights as with dense ones, under the same mapping."""
    size = stated().structured.size
    op = linear("product", n=size, k=size, c=size, bits=accelerator.compute.operand_bits)
    dense = evaluate(op, accelerator, mapping)
    sparse = evaluate(with_zeros(op, {"weight": NofM(n, m, "C")}), accelerator, mapping)
    return dense.compute_cycles / sparse.compute_cycles


def _throughputs() -> SuiteResult:
    cases = []
    for case in stated().structured.cases:
        accelerator = load_accelerator(case.accelerator).with_parameters(n=case.n, m=case.m)
        mapping = stated().structured.mappings[case.accelerator]
        found = throughput(accelerator, mapping, case.n, case.m)
        cases.append(Case(f"{case.n}:{case.m} on {case.accelerator}", case.throughput, found))
    return SuiteResult(
        SUITE,
        "math throughput of n:m weights",
        tuple(cases),
        "exact by construction",
        "x dense",
        targets=(Target("each_abs_error_pct", 0.0),),
        notes=("Of the multipliers alone, as where nothing else decides; the rest of a run is not as much faster.",),
    )


# ---- Eyeriss v2 ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def element_cycles(name: str) -> float:
    """Cycles of a layer on one element with one multiplier that never waits, as in the study."""
    layer, accelerator = stated().eyeriss_v2_pe.layers[name], load_accelerator("eyeriss_v2_pe")
    op = conv2d(name, n=1, k=layer.k, c=layer.c, p=layer.p, q=layer.p, r=1, s=1)
    op = with_zeros(op, {"input": layer.input, "weight": layer.weight})
    mapping = f"L3 K{layer.k // 8} P{layer.p} Q{layer.p} C{layer.c // 8} - L2 N1 - L1 N1 - L0 K8 C8"
    return evaluate(op, accelerator.with_parameters(multipliers=1).unlimited(), mapping).compute_cycles


def _elements() -> SuiteResult:
    layers = stated().eyeriss_v2_pe.layers
    cases = tuple(Case(name, layer.cycles, element_cycles(name)) for name, layer in layers.items())
    theirs = [100.0 * abs(layer.sparseloop / layer.cycles - 1.0) for layer in layers.values()]
    return SuiteResult(
        SUITE,
        "Eyeriss v2 element",
        cases,
        "Sparseloop, zeros at random (figure 12)",
        "cycles",
        published_pct=math.fsum(theirs) / len(theirs),
        targets=(Target("mape_pct", 5.0),),
        notes=(
            "Zeros are at random and densities have two digits, as in Sparseloop's runs of the same layers; in the "
            "layers themselves words that are not zero meet more often than by chance.",
        ),
    )


# ---- dual-side tensor core -----------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def outer_product_time(density: float, other: float, *, packed: bool = True) -> float:
    """Cycles of the multipliers for operands of these densities; without ``packed`` as if no lane were ever idle."""
    accelerator, given = load_accelerator("dual_side_tensor_core"), stated().dual_side
    if not packed:
        levels = tuple(
            replace(level, skipping=replace(level.skipping, packed={}))
            if isinstance(level, Compute) and level.skipping
            else level
            for level in accelerator.levels
        )
        accelerator = replace(accelerator, levels=levels, spec=None)
    op = linear("product", n=given.size, k=given.size, c=given.size, bits=16)
    cost = evaluate(with_zeros(op, {"input": density, "weight": other}), accelerator, given.mapping)
    return cost.compute_cycles


def _dual_side() -> SuiteResult:
    given, whole = stated().dual_side, outer_product_time(1.0, 1.0)
    first = next(one.time for one in given.times if one.input == one.weight == 1.0)
    cases = tuple(
        Case(
            f"densities {one.input:g} and {one.weight:g}",
            100.0 * one.time / first,
            100.0 * outer_product_time(one.input, one.weight) / whole,
        )
        for one in given.times
        if (one.input, one.weight) != (1.0, 1.0)
    )
    idle = [
        abs(outer_product_time(one.input, one.weight, packed=False) / whole / (one.time / first) - 1.0)
        for one in given.times
    ]
    return SuiteResult(
        SUITE,
        "dual-side tensor core",
        cases,
        "Sparseloop states mean errors of 0.1 to 8 % over all its comparisons, this figure among them",
        "% of dense time",
        targets=(Target("mape_pct", 10.0),),
        notes=(
            "Of 32 words of an operand those that are not zero go eight (or 16) at a time to the multipliers, and the "
            f"last vector is partly empty. Without that the mean error is {100.0 * sum(idle) / len(cases):.0f} %.",
            "Published times are read off a figure.",
        ),
    )
