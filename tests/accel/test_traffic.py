"""The analytic counts equal the walk of the oracle, integer for integer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nests import random_case
from oracle import Walk

import dovetail
from dovetail.accel.nest import Nest
from dovetail.accel.traffic import Traffic
from dovetail.cosearch.validation.suites.timeloop import fixed_nest

CASES = Path(dovetail.__file__).resolve().parent.parent / "shared/reference/timeloop_counts/cases.json"
KINDS = ("reads", "fills", "updates", "drains")


@pytest.mark.parametrize("block", range(20))
def test_counts_equal_the_oracle_on_random_nests(block: int) -> None:
    compared = 0
    for seed in range(block * 130, block * 130 + 130):
        op, accelerator, mapping = random_case(seed)
        if op.macs > 2000:
            continue
        compared += 1
        walk, traffic = Walk(op, accelerator, mapping), Traffic(Nest(op, accelerator, mapping))
        places = [level.name for level in traffic.nest.places]
        assert (walk.steps, walk.macs) == (traffic.steps, op.macs), seed
        for (name, role), counts in walk.counts.items():
            modelled = traffic.counts[places.index(name), role]
            assert [counts.get(kind, 0) for kind in KINDS] == [getattr(modelled, kind) for kind in KINDS], (
                seed,
                name,
                role,
            )
        for (name, role), hops in walk.hops.items():
            assert sum(hops.values()) == traffic.hops[places.index(name), role], (seed, name, role)
    assert compared >= 100  # 20 blocks: at least 2,000 nests


@pytest.mark.skipif(not CASES.exists(), reason="reference data not at hand")
def test_counts_agree_with_timeloop() -> None:
    """Exact, but for the halo corners of one case: Timeloop credits overlap only along the innermost changing loop."""
    for name, case in json.loads(CASES.read_text()).items():
        traffic = fixed_nest(case)
        places = [level.name for level in traffic.nest.places]
        for level, tensors in case["counts"].items():
            for role, published in tensors.items():
                modelled = traffic.counts[places.index(level), role]
                for ours, theirs in (
                    ("reads", "reads_per_instance"),
                    ("fills", "fills_per_instance"),
                    ("updates", "updates_per_instance"),
                ):
                    expected = published[theirs] * published["instances"]
                    tolerance = 0.01 if name == "conv_16pe_halo" and role == "input" else 0.0
                    assert getattr(modelled, ours) == pytest.approx(expected, rel=tolerance, abs=0), (
                        name,
                        level,
                        role,
                        ours,
                    )


def test_timeloop_halo_case_differs_by_its_three_corners_only() -> None:
    """Three steps of Q keep a 2×2 corner of 16 channels that Timeloop fetches again: 3·2·2·16 words."""
    if not CASES.exists():
        pytest.skip("reference data not at hand")
    traffic = fixed_nest(json.loads(CASES.read_text())["conv_16pe_halo"])
    places = [level.name for level in traffic.nest.places]
    assert traffic.counts[places.index("GlobalBuffer"), "input"].fills == 21760 - 3 * 2 * 2 * 16
