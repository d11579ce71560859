"""kill -9 at random moments: of the study's own process, of its workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dovetail
from dovetail.cosearch.studies.log import read_trials

SCRIPT = Path(__file__).parents[1] / "killed_study.py"
PACKAGE = Path(dovetail.__file__).parent


def start(out, workers, *cluster):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(SCRIPT), str(out), str(workers), *cluster]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def ended(process):
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told.decode()


def lines(out):
    log = out / "trials.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill_at_random(out, workers, rng):
    """Start or go on, let some trials end, and kill; every trial that was in the log stays, once."""
    before, process = lines(out), start(out, workers)
    wanted = before + int(rng.integers(0, 8))
    while lines(out) < wanted and process.poll() is None:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.8 if wanted == before else 0.02))
    seen = {trial.number for trial in read_trials(out / "trials.jsonl")}
    process.kill()
    process.communicate()
    kept = [trial.number for trial in read_trials(out / "trials.jsonl")]
    assert seen <= set(kept)
    assert len(kept) == len(set(kept)) >= before


def orphans(out):
    pids = out.with_name("pids")
    return [pid for pid in set(map(int, pids.read_text().split())) if alive(pid)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def same(left, right):
    for name in ("trials.csv", "front.csv"):
        assert (left / name).read_text() == (right / name).read_text()
    assert len((left / "front.csv").read_text().splitlines()) > 3
    numbers = [[trial.number for trial in read_trials(out / "trials.jsonl")] for out in (left, right)]
    assert numbers[0] == numbers[1]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "study"
    ended(start(out, 1))
    return out


def killed(tmp_path, unbroken, workers, seed):
    out, rng = tmp_path / "study", np.random.default_rng(seed)
    for count in workers:
        kill_at_random(out, count, rng)
    ended(start(out, 1))
    same(out, unbroken)
    asked = (tmp_path / "study.asked").read_text().split()
    assert len(set(asked)) == 30
    assert len(asked) <= 30 + sum(workers)
    for _ in range(50):
        if not orphans(out):
            return
        time.sleep(0.2)
    raise AssertionError("workers outlive their study")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_a_study_killed_three_times_finds_what_an_unbroken_one_finds(tmp_path, unbroken):
    killed(tmp_path, unbroken, [1, 2, 1], seed=5)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_a_study_killed_twenty_times_finds_what_an_unbroken_one_finds(tmp_path, unbroken):
    killed(tmp_path, unbroken, [1, 2, 1, 3] * 5, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 8])
def test_one_two_and_eight_workers_find_the_same(tmp_path, unbroken, workers):
    ended(start(tmp_path / "study", workers))
    same(tmp_path / "study", unbroken)


def kill_workers(process, out, times):
    """Kill a worker that has just begun a design, so many times."""
    pids, done = out.with_name("pids"), 0
    while process.poll() is None and done < times:
        known = pids.read_text().split() if pids.exists() else []
        if len(known) > 8 * (done + 1) and int(known[-1]) != process.pid:
            try:
                os.kill(int(known[-1]), signal.SIGKILL)
                done += 1
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    return done


def test_workers_killed_mid_study_change_nothing(tmp_path, unbroken):
    process = start(tmp_path / "study", 2)
    assert kill_workers(process, tmp_path / "study", 2) == 2
    ended(process)
    same(tmp_path / "study", unbroken)


@pytest.mark.slow
def test_dask_workers_killed_mid_study_change_nothing(tmp_path, unbroken):
    pytest.importorskip("distributed")
    process = start(tmp_path / "study", 2, "local:2")
    assert kill_workers(process, tmp_path / "study", 3) == 3
    ended(process)
    same(tmp_path / "study", unbroken)
