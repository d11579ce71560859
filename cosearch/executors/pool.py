"""Worker processes on this machine, replaced when they die."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ...errors import BadInput, CannotDo
from ..accuracy.source import Answer
from ..spaces.space import Value
from ..studies.trial import Evaluator, TrialResult
from .workers import MOST_DEATHS, evaluated, fatal

__all__ = ["Pool", "one_thread"]

_READY = "ready"
_LOOK_EVERY_S = 1.0  # a grandchild may keep a dead worker's pipe open; then only looking finds out
_FAREWELL_S = 5.0


@dataclass(frozen=True)
class _Task:
    number: int
    values: Mapping[str, Value]
    accuracy: Answer | None


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    task: _Task | None = None


class Pool:
    """Up to ``workers`` processes, each with one thread and one trial at a time.

    They are started afresh as work comes (no fork: a copy of a process with running threads may hang). When one dies
    another takes its place and its trial, up to `MOST_DEATHS` times; then the trial has `fatal`'s result.
    """

    def __init__(self, evaluator: Evaluator, workers: int) -> None:
        """Raises `BadInput` for no worker at all."""
        if workers < 1:
            raise BadInput(f"workers = {workers}: at least one is needed")
        self._evaluator = evaluator
        self._most = workers
        self._workers: list[_Worker] = []
        self._queue: deque[_Task] = deque()
        self._done: deque[tuple[int, TrialResult]] = deque()
        self._deaths: Counter[int] = Counter()
        self._stillborn = 0

    def submit(self, number: int, values: Mapping[str, Value], accuracy: Answer | None) -> None:
        """Queued for the next free worker, which is started if need be."""
        self._queue.append(_Task(number, values, accuracy))

    def next(self) -> tuple[int, TrialResult]:
        """The next trial that ends.

        Raises what its evaluation raised, and `CannotDo` where workers die before they have begun.
        """
        while not self._done:
            self._hand_out()
            pipes = connection.wait([worker.pipe for worker in self._workers], timeout=_LOOK_EVERY_S)
            for worker in list(self._workers):
                if worker.pipe in pipes:
                    self._hear(worker)
                elif not worker.process.is_alive() and not worker.pipe.poll():
                    self._bury(worker)
        return self._done.popleft()

    def _hand_out(self) -> None:
        for worker in list(self._workers):
            if worker.ready and worker.task is None and self._queue:
                task = self._queue.popleft()
                worker.task = task
                try:
                    worker.pipe.send((task.values, task.accuracy))
                except OSError:
                    self._bury(worker, innocent=True)
        starting = sum(not worker.ready for worker in self._workers)
        for _ in range(min(self._most - len(self._workers), len(self._queue) - starting)):
            self._workers.append(_started(self._evaluator))

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if isinstance(message, TrialResult) and worker.task is not None:
            self._done.append((worker.task.number, message))
            worker.task = None
        elif isinstance(message, BaseException):
            raise message
        else:
            worker.ready = True
            self._stillborn = 0

    def _bury(self, worker: _Worker, *, innocent: bool = False) -> None:
        """What follows from a worker's death; ``innocent`` where its trial cannot have been the cause."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= MOST_DEATHS:
                raise CannotDo(
                    f"worker processes end before they can begin (exit code {worker.process.exitcode}: out of memory, "
                    "or a script that starts workers without `if __name__ == '__main__':`); finished trials are kept, "
                    "go on with --resume, perhaps with --workers 1"
                )
        if worker.task is None:
            return
        number = worker.task.number
        self._deaths[number] += not innocent
        if self._deaths[number] >= MOST_DEATHS:
            self._done.append((number, fatal()))
        else:
            self._queue.appendleft(worker.task)

    def close(self, *, at_once: bool) -> None:
        """Workers end; idle ones by themselves."""
        for worker in self._workers:
            if at_once or worker.task is not None or not worker.ready:
                worker.process.terminate()
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_FAREWELL_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()


def _started(evaluator: Evaluator) -> _Worker:
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, evaluator))
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(pipe: Connection, evaluator: Evaluator) -> None:
    """A worker's life: one thread per library, Ctrl-C left to the parent, and none after the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_thread()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    pipe.send(_READY)
    while True:
        try:
            values, accuracy = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_answer(evaluator, values, accuracy))


def _answer(evaluator: Evaluator, values: Mapping[str, Value], accuracy: Answer | None) -> Any:
    """The result, or the exception for the parent to raise."""
    try:
        return evaluated(evaluator, values, accuracy)
    except Exception as error:  # noqa: BLE001 (whatever it is belongs to the parent)
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """The exception as it can travel, with the worker's traceback as a note."""
    import pickle
    import traceback

    told = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (exceptions of any make may fail in any way here)
        copy = None
    kept: Exception = copy if isinstance(copy, Exception) else CannotDo(f"{type(error).__name__}: {error}")
    kept.add_note(f"in a worker process:\n{told}")
    return kept


def one_thread() -> None:
    """Keep the libraries of this process to one thread each: the workers share the cores among them."""
    for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "DOVETAIL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    numba, torch = sys.modules.get("numba"), sys.modules.get("torch")
    if numba is not None:
        numba.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
