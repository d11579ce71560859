import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.cosearch.studies.pareto import balanced, dominates, hypervolume, hypervolume_history, non_dominated
from dovetail.errors import BadInput


def grids(objectives, most=5):
    row = st.tuples(*[st.integers(0, most)] * objectives)
    return st.lists(row, min_size=1, max_size=12)


def cells_dominated(points, reference):
    """Brute force on integers: unit cells whose lower corner some point is no larger than."""
    cells = itertools.product(*(range(limit) for limit in reference))
    return sum(any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points) for cell in cells)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4).flatmap(grids))
def test_front_is_what_pairwise_comparison_leaves_with_one_of_each_equal_group(points):
    kept = [point for point, keep in zip(points, non_dominated(points), strict=True) if keep]
    assert len(kept) == len(set(kept))
    assert set(kept) == {p for p in points if not any(dominates(q, p) for q in points)}


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4).flatmap(grids))
def test_hypervolume_equals_counting_unit_cells(points):
    reference = (5,) * len(points[0])
    assert hypervolume(points, reference) == cells_dominated(points, reference)


@settings(max_examples=40, deadline=None)
@given(grids(3))
def test_history_ends_at_the_hypervolume_and_never_falls(points):
    history = list(hypervolume_history(points, (5, 5, 5)))
    assert history[-1] == hypervolume(points, (5, 5, 5))
    assert history == sorted(history)


def test_history_passes_over_designs_without_a_result():
    rows = [[1.0, 1.0], [np.nan, np.nan], [0.0, 0.0]]
    assert list(hypervolume_history(rows, (2, 2))) == [1.0, 1.0, 4.0]


def test_of_equal_points_the_first_stays():
    assert non_dominated([[1, 1], [1, 1], [2, 0]]).tolist() == [True, False, True]


def test_nothing_is_dominated_by_no_points():
    assert hypervolume([], (1.0, 1.0)) == 0.0
    assert non_dominated(np.empty((0, 3))).shape == (0,)


def test_points_without_an_order_are_refused():
    with pytest.raises(BadInput, match="NaN"):
        non_dominated([[1.0, np.nan]])


def test_reference_of_another_dimension_is_refused():
    with pytest.raises(BadInput, match="2 objectives"):
        hypervolume([[1.0, 2.0, 3.0]], (1.0, 1.0))


def test_balanced_design_lies_between_the_extremes():
    assert balanced([[0.0, 10.0], [2.0, 2.0], [10.0, 0.0]]) == 1
    assert balanced([[5.0, 5.0]]) == 0
