"""The suite of published training throughput: what is stated, and that the bound of each row is near it."""

from __future__ import annotations

import pytest

from dovetail.cosearch.validation.suites.training import estimate_row, rows


def test_every_row_is_cited_and_named_once():
    names = [row.name for row in rows()]
    assert len(set(names)) == len(names) >= 10
    assert all(row.source for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_fits_into_its_accelerators_memory_and_is_within_a_factor_of_three(row):
    found = estimate_row(row, mapper="roofline")
    assert row.devices == found.devices
    assert 1 / 3 < found.samples_per_s / row.per_s < 3


def test_tuned_submissions_are_within_a_third_of_the_bound():
    for row in rows():
        if "MLPerf" in row.name:
            assert estimate_row(row, mapper="roofline").samples_per_s == pytest.approx(row.per_s, rel=1 / 3)
