"""Sparseloop's published cycles and energies: AlexNet on Eyeriss, and two formats in a product of matrices."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from ....accel.analytic import Cost, evaluate
from ....accel.formats import format_parts
from ....accel.spec import load_accelerator
from ....models.op import Op, conv2d, linear
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target
from .sparse_stated import SUITE, EyerissLayer, stated, with_zeros

__all__ = ["crossover", "layer_cost", "product_cost", "sparseloop_results"]

TABLE = "sparse/sparseloop_published.csv"
COLUMNS = ("case", "density", "quantity", "dense", "sparse")
_BAR = "an exact model is possible: both are analytic"
_Rows = Sequence[tuple[str, dict[str, str]]]  # where each row stands, and the row


def sparseloop_results(reference: Reference) -> list[SuiteResult]:
    """Cycles and energies of both studies; nothing where the table is absent."""
    table = reference.table(TABLE, COLUMNS)
    rows = [(f"{TABLE}:{line}", row) for line, row in enumerate(table or (), 2)]
    return [*_eyeriss(rows), *_formats(rows)] if rows else []


# ---- AlexNet on Eyeriss --------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def layer_cost(name: str, *, sparse: bool) -> Cost:
    """One layer of AlexNet on Eyeriss, with its zeros or without any."""
    layer = stated().eyeriss.layers[name]
    return evaluate(_layer_op(name, layer, sparse=sparse), load_accelerator("eyeriss_sparseloop"), layer.mapping)


def _layer_op(name: str, layer: EyerissLayer, *, sparse: bool) -> Op:
    batch, stride = stated().eyeriss.batch, (layer.stride, layer.stride)
    op = conv2d(name, n=batch, k=layer.k, c=layer.c, p=layer.p, q=layer.p, r=layer.r, s=layer.r, stride=stride, bits=16)
    return with_zeros(op, {"input": layer.input, "output": layer.output}) if sparse else op


_EYERISS_NOTES = {
    "cycles": (
        "The chip gates and saves no time; Sparseloop takes no time for a gated step. A step with a zero input is left "
        "out, but every input is read, two a cycle, so that no layer takes less than half its steps (conv3 to conv5).",
        "Dovetail also waits for the first tiles and the last outputs: 0.01 to 0.3 %.",
    ),
    "energy": (
        "Weights are not read beside a zero input; sums are read and written in every step, as in the artifact.",
        "conv1 is 3.5 % higher: two groups of its kernels lie side by side in the columns, and the buffer's inputs are "
        "read for each column here, but once for both there (63 uJ).",
    ),
}


def _eyeriss(rows: _Rows) -> Iterator[SuiteResult]:
    for quantity, unit, limit, figure in (
        ("cycles", "cycles", 1.0, lambda cost: cost.cycles),
        ("energy", "uJ", 10.0, lambda cost: cost.energy_j * 1e6),
    ):
        for column in ("dense", "sparse"):
            cases = tuple(_layer_cases(rows, quantity, column, figure))
            if cases:
                yield SuiteResult(
                    SUITE, f"Eyeriss {quantity}, {column}", cases, _BAR, unit,
                    targets=(Target("each_abs_error_pct", limit),), notes=_EYERISS_NOTES[quantity],
                )  # fmt: skip


def _layer_cases(rows: _Rows, quantity: str, column: str, figure: Callable[[Cost], float]) -> Iterator[Case]:
    for where, row in rows:
        name = next((name for name in stated().eyeriss.layers if row["case"].startswith(f"alexnet_{name}_")), None)
        published = number(row, column, where)
        if name and row["quantity"] == quantity and published is not None:
            yield Case(name, published, figure(layer_cost(name, sparse=column == "sparse")))


# ---- two formats ---------------------------------------------------------------------------------------------------

_FORMATS = {"bitmask": "spmspm_bitmask", "coordinate": "spmspm_coordinates"}
_TITLES = {"bitmask": "bitmask", "coordinate": "coordinates"}
_FORMAT_NOTES = {
    "bitmask": ("Zeros are gated: every step takes its cycle.",),
    "coordinate": (
        "Sparseloop also pays for the coordinates that are read to find that their partner is zero; here a word that "
        "is skipped is not read at all. That is 1 to 6 % of the energy.",
    ),
}
_CYCLES_NOTES = {
    "bitmask": ("Sparseloop counts the fill of each output's first zero into the register as a cycle: 0.8 %.",),
    "coordinate": (
        "The buffer's write port decides, 22 bits for each value of the streamed matrix; at 0.8 its read port.",
    ),
}
_CROSSOVER_NOTES = (
    "Where lists of coordinates begin to cost more than a bitmask, interpolated between the densities of the table, in "
    "reference and model alike: energies between 4 and 8 %, cycles between 40 and 80 %.",
)


@lru_cache(maxsize=64)
def product_cost(fmt: str, density: float) -> Cost:
    """The product of two matrices of this density in a format, "bitmask" or "coordinate"."""
    product, accelerator = stated().spmspm, load_accelerator(_FORMATS[fmt])
    op = linear("product", n=product.size, k=product.size, c=product.size)
    op = with_zeros(op, {"input": density, "weight": density})
    data, metadata = format_parts(accelerator.memories[0].compression["input"], op, "input", op.tensor("input").bits)
    accelerator = accelerator.with_parameters(data=data / (data + metadata))
    return evaluate(op, accelerator, product.mapping)


def crossover(one: Mapping[float, float], other: Mapping[float, float]) -> float | None:
    """Density at which ``one`` begins to exceed ``other``, both by density, interpolated linearly; None: nowhere."""
    shared = sorted(one.keys() & other.keys())
    for low, high in itertools.pairwise(shared):
        before, after = one[low] - other[low], one[high] - other[high]
        if before <= 0.0 < after:
            return low + (high - low) * before / (before - after)
    return None


def _formats(rows: _Rows) -> Iterator[SuiteResult]:
    energies = {fmt: _published(rows, fmt, "energy") for fmt in _FORMATS}
    cycles = {fmt: _published(rows, fmt, "cycles") for fmt in _FORMATS}
    if cycles["coordinate"] and not cycles["bitmask"]:  # the same at every density, so the table lists none
        cycles["bitmask"] = dict.fromkeys(cycles["coordinate"], stated().spmspm.bitmask_cycles)
    for fmt, published in energies.items():
        cases = _density_cases(published, fmt, lambda cost: cost.energy_j * 1e6)
        if cases:
            yield SuiteResult(
                SUITE, f"SpMSpM energy, {_TITLES[fmt]}", cases, _BAR, "uJ",
                targets=(Target("each_abs_error_pct", 10.0),), notes=_FORMAT_NOTES[fmt],
            )  # fmt: skip
    for fmt, published in cycles.items():
        cases = _density_cases(published, fmt, lambda cost: cost.cycles)
        if cases:
            yield SuiteResult(
                SUITE, f"SpMSpM cycles, {_TITLES[fmt]}", cases, _BAR, "cycles",
                targets=(Target("each_abs_error_pct", 1.0),), notes=_CYCLES_NOTES[fmt],
            )  # fmt: skip
    crossings = [
        *_crossing("energy", energies, lambda cost: cost.energy_j * 1e6),
        *_crossing("cycles", cycles, lambda cost: cost.cycles),
    ]
    if crossings:
        yield SuiteResult(
            SUITE, "SpMSpM crossover density", tuple(crossings), _BAR,
            targets=(Target("each_abs_error_pct", 20.0),), notes=_CROSSOVER_NOTES,
        )  # fmt: skip


def _published(rows: _Rows, fmt: str, quantity: str) -> dict[float, float]:
    """Published figures by the density they are published for."""
    found = {}
    for where, row in rows:
        density, figure = number(row, "density", where), number(row, "sparse", where)
        if row["case"] == f"spmspm128_{fmt}" and row["quantity"] == quantity and density and figure is not None:
            found[density] = figure
    return found


def _modelled(fmt: str, density: float) -> Cost:
    return product_cost(fmt, stated().spmspm.densities.get(density, density))


def _density_cases(published: Mapping[float, float], fmt: str, figure: Callable[[Cost], float]) -> tuple[Case, ...]:
    return tuple(Case(f"density {at:g}", theirs, figure(_modelled(fmt, at))) for at, theirs in published.items())


def _crossing(
    quantity: str, published: Mapping[str, Mapping[float, float]], figure: Callable[[Cost], float]
) -> Iterator[Case]:
    modelled = {fmt: {at: figure(_modelled(fmt, at)) for at in given} for fmt, given in published.items()}
    theirs, ours = (crossover(found["coordinate"], found["bitmask"]) for found in (published, modelled))
    if theirs is not None and ours is not None:
        yield Case(quantity, theirs, ours)
