"""The suite of training-free indicators: which cells it takes, that it is close to the published columns."""

from __future__ import annotations

import csv
import math

import pytest

from dovetail.cosearch.validation.reference import Reference
from dovetail.cosearch.validation.result import Case, SuiteResult, Target, target_text
from dovetail.cosearch.validation.suites import training_free
from dovetail.errors import BadInput

NAMES = ("params", "macs", "synflow", "l2_norm")


def test_indicators_without_data_are_the_published_ones(reference):
    with (reference / "nasbench201" / "nasbench201.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["zc_cifar10_params"])
    found = training_free.scored(row["arch_str"])
    assert found["params"] == pytest.approx(float(row["zc_cifar10_params"]), rel=1e-5)
    assert found["synflow"] == pytest.approx(float(row["zc_cifar10_synflow"]), rel=0.05)
    assert found["l2_norm"] == pytest.approx(float(row["zc_cifar10_l2_norm"]), rel=0.05)
    assert all(math.isfinite(value) for value in found.values())


def test_a_suite_of_a_few_cells_compares_every_indicator(reference, monkeypatch):
    monkeypatch.setattr(training_free, "CELLS", 6)
    orders, *values = training_free.run(Reference(reference))
    assert len(orders.cases) == 10
    assert [result.quantity for result in values] == [
        "parameters", "multiply-accumulates", "synaptic flow", "norms of the weights"
    ]
    assert all(-1.0 <= case.modelled <= 1.0 and "best tenth" in case.remark for case in orders.cases)
    assert all(len(result.cases) == 6 and result.spearman > 0.7 for result in values)
    assert values[0].met


def test_without_the_table_nothing_is_compared(tmp_path):
    reference = Reference(tmp_path)
    assert training_free.run(reference) == []
    assert reference.missing == ["nasbench201/nasbench201.csv"]


def test_a_table_without_a_column_is_bad_input(tmp_path):
    (tmp_path / "nasbench201").mkdir()
    (tmp_path / "nasbench201" / "nasbench201.csv").write_text("arch_str,cifar10_val_acc_pct\n")
    with pytest.raises(BadInput, match="no column 'zc_cifar10_params'"):
        training_free.run(Reference(tmp_path))


def test_a_target_may_be_a_difference_in_the_cases_unit():
    cases = (Case("a", 0.5, 0.55), Case("b", 0.8, 0.65))
    near, wide = Target("each_difference", 0.1), Target("each_difference", 0.2)
    result = SuiteResult("suite", "quantity", cases, "bar", targets=(near, wide))
    assert (near.met(result), wide.met(result)) == (False, True)
    assert target_text(result) == ["each within 0.1 of it: 1 of 2", "each within 0.2 of it: 2 of 2"]
