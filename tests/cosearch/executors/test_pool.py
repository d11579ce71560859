import pytest
from deadly import Deadly, Stillborn
from study_fakes import FakeProblem, study

from dovetail.cosearch.executors.pool import Pool
from dovetail.cosearch.executors.workers import MOST_DEATHS
from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput, CannotDo, ImpossibleResult


def results(problem, count, workers=2):
    pool = Pool(problem, workers)
    try:
        for n in range(count):
            pool.submit(n, {"n": n}, None)
        return dict(pool.next() for _ in range(count))
    finally:
        pool.close(at_once=True)


def test_a_worker_that_dies_once_is_replaced_and_its_trial_evaluated_again(tmp_path):
    problem = Deadly(tmp_path, once=2)
    found = results(problem, 5)
    assert {n: result.metrics for n, result in found.items()} == {n: {"n": n} for n in range(5)}
    assert len(set(problem.tries(2))) == 2
    assert all(len(problem.tries(n)) == 1 for n in (0, 1, 3, 4))


def test_a_trial_that_ends_three_workers_is_infeasible_and_says_why(tmp_path):
    problem = Deadly(tmp_path, always=1)
    found = results(problem, 4)
    assert (found[1].status, len(problem.tries(1))) == ("infeasible", MOST_DEATHS)
    assert "ended 3 workers" in found[1].reason
    assert [found[n].status for n in (0, 2, 3)] == ["ok"] * 3


def test_a_defect_in_a_worker_is_raised_here_with_the_workers_traceback(tmp_path):
    with pytest.raises(ImpossibleResult, match="below the roofline") as caught:
        results(Deadly(tmp_path, wrong=0), 1)
    assert "in evaluate" in caught.value.__notes__[0]


def test_workers_that_cannot_begin_are_a_clear_error():
    with pytest.raises(CannotDo, match=r"end before they can begin \(exit code 4"):
        results(Stillborn(), 1)


def test_no_worker_at_all_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="workers = 0"):
        Pool(Deadly(tmp_path), 0)


def test_a_worker_killed_from_outside_costs_no_result(tmp_path):
    problem = Deadly(tmp_path, sleep_s=0.5)
    with problem.killed(1):
        found = results(problem, 4)
    assert [found[n].metrics["n"] for n in range(4)] == [0, 1, 2, 3]
    assert len(problem.tries(1)) == 2


def test_a_study_with_deadly_designs_ends_and_says_which():
    result = run_study(study(12, strategy="{name: random}"), FakeProblem(crash_at=16), workers=2)
    trials = result.trials()
    deadly = trials[trials["hw.pes"] == 16]
    assert len(trials) == 12
    assert len(deadly) > 0
    assert deadly["reason"].str.contains("ended 3 workers").all()
    assert not trials[trials["hw.pes"] != 16]["reason"].str.contains("workers").any()
