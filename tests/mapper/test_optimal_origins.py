"""The optimal mapper where weights come from a memory of their own and activations from another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_optimal import GOALS, OPS, array, check_against_all, chip, memory

from dovetail.accel.accelerator import Accelerator
from dovetail.accel.analytic import evaluate
from dovetail.mapper.mapspace import Mapspace
from dovetail.mapper.objective import Objective
from dovetail.mapper.optimal.mapper import OptimalMapper

HOST = memory("host", keeps="io", pj=30.0, bandwidth=(8, 4), shared=True)
WEIGHTS = replace(memory("weights", keeps="w", pj=20.0, bandwidth=(16, 16)), resident=frozenset({"weight"}))
CHIPS: dict[str, Accelerator] = {
    "over one buffer": chip(HOST, WEIGHTS, memory("buffer", 30, pj=2.0)),
    "over a buffer for each": chip(
        HOST, WEIGHTS, memory("activations", 40, "io", pj=3.0, double=True), array(2, 2, hop_pj=0.3),
        memory("register", 2, "w", double=True, pj=0.1),
    ),
    "inside the activations": chip(HOST, memory("buffer", 40, "io", pj=3.0), WEIGHTS, memory("register", 6, pj=0.3)),
    "outside the activations": chip(
        WEIGHTS, HOST, array(3, 2, hop_pj=0.3), memory("inputs", 6, "i"), memory("register", 4, "w", pj=3.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("goal", GOALS)
def test_no_mapping_of_a_small_space_is_better(name: str, goal: str) -> None:
    for op in ("odd gemm", "strided", "grouped"):
        check_against_all(Mapspace(OPS[op], CHIPS[name]), goal)


@pytest.mark.parametrize("name", CHIPS)
def test_the_readable_model_agrees_and_weights_never_pass_the_host(name: str) -> None:
    found = OptimalMapper(1).map(Mapspace(OPS["odd gemm"], CHIPS[name]), Objective.parse("energy"), 0)
    cost = evaluate(OPS["odd gemm"], CHIPS[name], found.mapping)
    assert cost.energy_j == pytest.approx(found.certificate.optimum, rel=1e-9)
    assert ("host", "weight") not in cost.energy
    assert cost.energy["weights", "weight"] > 0.0
