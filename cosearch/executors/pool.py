"""Evaluates batches of designs, here or in worker processes, with the same results either way."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import connection, get_context, parent_process
from types import TracebackType

from ...errors import BadInput, CannotDo
from ..spaces.space import Value
from ..studies.trial import Evaluator, Proposal, Trial, TrialResult

__all__ = ["Executor"]

_Key = tuple[tuple[str, Value], ...]


class Executor:
    """Runs an evaluator on batches of proposals; a design met again takes its known result and no time.

    With one worker everything happens in this process; with more, in processes started afresh (no fork: a copy of a
    process with running threads may hang), each kept to one thread.
    """

    def __init__(self, evaluator: Evaluator, workers: int = 1) -> None:
        if workers < 1:
            raise BadInput(f"workers = {workers}: at least one is needed")
        self._evaluator = evaluator
        self._known: dict[_Key, TrialResult] = {}
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            self._pool = ProcessPoolExecutor(
                workers, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(evaluator,)
            )

    def learn(self, trials: Sequence[Trial]) -> None:
        """Remember results from an earlier run."""
        for trial in trials:
            self._known.setdefault(_key(trial.values), trial.result)

    def run(self, proposals: Sequence[Proposal]) -> Iterator[Trial]:
        """The proposals as finished trials, each as it ends (with several workers in any order).

        Raises `CannotDo` where a worker process dies.
        """
        groups: dict[_Key, list[Proposal]] = {}
        for proposal in proposals:
            groups.setdefault(_key(proposal.values), []).append(proposal)
        fresh = [key for key in groups if key not in self._known]
        for key in groups:
            if key in self._known:
                yield from _copies(groups[key], self._known[key])
        for key, result in self._evaluate({key: groups[key][0] for key in fresh}):
            self._known[key] = result
            first, *others = groups[key]
            yield Trial(first.number, first.values, result)
            yield from _copies(others, result)

    def _evaluate(self, work: Mapping[_Key, Proposal]) -> Iterator[tuple[_Key, TrialResult]]:
        if self._pool is None:
            for key, proposal in work.items():
                yield key, self._evaluator.evaluate(proposal.values)
            return
        waiting: dict[Future[TrialResult], _Key] = {}
        try:
            for key, proposal in work.items():
                waiting[self._pool.submit(_evaluate_here, dict(proposal.values))] = key
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            numbers = sorted(work[key].number for key in waiting.values())
            raise CannotDo(
                f"a worker process ended unexpectedly while trials {numbers[:8]} were waiting or running (out of "
                "memory, killed, or a script that starts workers without `if __name__ == '__main__':`); "
                "go on with --resume, perhaps with fewer workers"
            ) from error
        finally:
            for future in waiting:
                future.cancel()

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        if kind is None:
            self._pool.shutdown()
            return
        # Leaving on an error or Ctrl-C: what is being evaluated is lost anyway, so nobody should wait for it.
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


def _key(values: Mapping[str, Value]) -> _Key:
    return tuple(sorted(values.items()))


def _copies(proposals: Sequence[Proposal], result: TrialResult) -> Iterator[Trial]:
    for proposal in proposals:
        yield Trial(proposal.number, proposal.values, replace(result, wall_s=0.0))


_worker: list[Evaluator] = []


def _start_worker(evaluator: Evaluator) -> None:
    """In a new worker: one thread per library, Ctrl-C left to the parent, and no life after the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "DOVETAIL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    numba, torch = sys.modules.get("numba"), sys.modules.get("torch")
    if numba is not None:
        numba.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _worker[:] = [evaluator]


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _evaluate_here(values: Mapping[str, Value]) -> TrialResult:
    return _worker[0].evaluate(values)
