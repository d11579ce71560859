import pytest
from deadly import Deadly
from payers import PayingProblem, paying_study

from dovetail.cosearch.executors.dask_cluster import DaskCluster, check_cluster
from dovetail.cosearch.executors.workers import MOST_DEATHS
from dovetail.cosearch.studies.run import run_study
from dovetail.errors import BadInput, CannotDo, ImpossibleResult

distributed = pytest.importorskip("distributed")


def results(problem, count, cluster="local:2"):
    workers = DaskCluster(problem, cluster)
    try:
        for n in range(count):
            workers.submit(n, {"n": n}, None)
        return dict(workers.next() for _ in range(count))
    finally:
        workers.close(at_once=True)


def test_a_cluster_finds_what_one_process_finds(tmp_path):
    alone = run_study(paying_study(7), PayingProblem(tmp_path / "alone"))
    problem = PayingProblem(tmp_path / "cluster")
    beside = run_study(paying_study(7), problem, cluster="local:2")
    left, right = (each.trials().drop(columns="wall_s") for each in (alone, beside))
    assert left.equals(right)
    assert len(problem.asked()) == 7


def test_a_trial_that_ends_three_workers_is_infeasible_and_the_others_are_not(tmp_path):
    problem = Deadly(tmp_path, always=1)
    found = results(problem, 5)
    assert found[1].status == "infeasible"
    assert "ended 3 workers" in found[1].reason
    assert MOST_DEATHS <= len(problem.tries(1)) <= MOST_DEATHS + 1
    assert [found[n].status for n in (0, 2, 3, 4)] == ["ok"] * 4


def test_a_worker_killed_from_outside_costs_no_result(tmp_path):
    problem = Deadly(tmp_path, sleep_s=0.5)
    with problem.killed(1):
        found = results(problem, 6)
    assert [found[n].metrics["n"] for n in range(6)] == list(range(6))
    assert len(problem.tries(1)) == 2


def test_a_defect_on_the_cluster_is_raised_here(tmp_path):
    with pytest.raises(ImpossibleResult, match="below the roofline"):
        results(Deadly(tmp_path, wrong=0), 1, "local:1")


def test_a_running_scheduler_is_used_and_left_running(tmp_path):
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=4, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        found = results(Deadly(tmp_path), 6, cluster.scheduler_address)
        assert len(found) == 6
        assert cluster.scheduler.status.name == "running"


@pytest.mark.parametrize(
    ("cluster", "message"),
    [("local:", "how many workers"), ("local:0", "how many"), ("local:x", "how many"), ("10.0.0.1:8786", "no address")],
)
def test_an_address_that_is_none_says_how_to_write_one(cluster, message):
    with pytest.raises(BadInput, match=message):
        check_cluster(cluster)


def test_without_dask_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr("dovetail.cosearch.executors.dask_cluster.find_spec", lambda _: None)
    with pytest.raises(CannotDo, match=r"not installed; the extra 'cluster' brings it"):
        check_cluster("local:2")


def test_a_wrong_address_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadInput, match="no address"):
        run_study(paying_study(3), PayingProblem(tmp_path / "asked"), out=tmp_path / "out", cluster="here")
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_does_not_answer_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr("dovetail.cosearch.executors.dask_cluster._CONNECT_S", 0.3)
    with pytest.raises(CannotDo, match=r"no Dask scheduler answers; start one"):
        DaskCluster(Deadly(tmp_path), "tcp://127.0.0.1:9")


def test_another_version_on_a_worker_is_refused():
    from dovetail.cosearch.executors.dask_cluster import _evaluate_there

    with pytest.raises(CannotDo, match=r"install the same on both"):
        _evaluate_there("0.0.0", b"", {}, None)
