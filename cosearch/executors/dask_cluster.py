"""Workers of a Dask cluster: one that runs already, or processes of this machine made into one."""

from __future__ import annotations

import pickle
import threading
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import CancelledError
from functools import lru_cache, partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from ...errors import BadInput, CannotDo
from ..accuracy.source import Answer
from ..spaces.space import Value
from ..studies.trial import Evaluator, TrialResult
from .pool import one_thread
from .workers import MOST_DEATHS, evaluated, fatal

__all__ = ["LOCAL", "DaskCluster", "check_cluster"]

LOCAL = "local:"
_SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")
_CONNECT_S = 10.0
_LOOK_EVERY_S = 2.0
_PATIENCE_S = 120.0
_ENDED = ("finished", "error")
_EXTRA = "the extra 'cluster' brings it: pip install 'dovetail[cluster]'"

_Task: TypeAlias = tuple[Mapping[str, Value], Answer | None]


def check_cluster(cluster: str) -> None:
    """Raises `BadInput` for what is no address of a cluster, `CannotDo` where Dask is not installed."""
    _local_workers(cluster)
    if find_spec("distributed") is None:
        raise CannotDo(f"--cluster needs Dask, which is not installed; {_EXTRA}")


def _local_workers(cluster: str) -> int | None:
    """How many local workers an address asks for; None for the address of a scheduler. `BadInput` for neither."""
    if cluster.startswith(LOCAL):
        count = cluster.removeprefix(LOCAL)
        if count.isdecimal() and int(count) > 0:
            return int(count)
        raise BadInput(f"cluster: '{cluster}' does not say how many workers; write e.g. '{LOCAL}4'")
    if not cluster.startswith(_SCHEMES):
        raise BadInput(f"cluster: '{cluster}' is no address; write 'tcp://HOST:8786', or '{LOCAL}4' for this machine")
    return None


class DaskCluster:
    """Evaluates on the workers of a `dask.distributed` scheduler, which need the same version of Dovetail.

    ``local:N`` makes a cluster of N processes here. Dask moves the trials of a worker that dies to others. As it holds
    a death against every trial that was queued there, one that it gives up on is submitted again when nothing else
    runs; if it has ended `MOST_DEATHS` workers all by itself, its result is `fatal`'s.
    """

    def __init__(self, evaluator: Evaluator, cluster: str) -> None:
        """Raises `BadInput` for what is no address, `CannotDo` without Dask or where nobody answers."""
        check_cluster(cluster)
        local = _local_workers(cluster)
        distributed: Any = import_module("distributed")
        self._address = cluster
        self._evaluator = pickle.dumps(evaluator)
        self._own: Any = _local_cluster(local) if local else None
        try:
            self._client: Any = distributed.Client(self._own or cluster, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise CannotDo(
                f"{cluster}: no Dask scheduler answers; start one (dask scheduler), or use --workers"
            ) from error
        self._given_up: type[Any] = distributed.KilledWorker
        self._running: dict[int, Any] = {}
        self._tasks: dict[int, _Task] = {}
        self._suspects: deque[int] = deque()
        self._deaths: Counter[int] = Counter()
        self._ended: SimpleQueue[int] = SimpleQueue()

    def submit(self, number: int, values: Mapping[str, Value], accuracy: Answer | None) -> None:
        """Given to the scheduler at once."""
        self._tasks[number] = dict(values), accuracy
        self._start(number)

    def _start(self, number: int) -> None:
        values, accuracy = self._tasks[number]
        mine = version("dovetail")
        future = self._client.submit(_evaluate_there, mine, self._evaluator, values, accuracy, pure=False)
        self._running[number] = future
        future.add_done_callback(partial(self._note, number))

    def _start_again(self, number: int) -> None:
        """A finished result went down with the worker that kept it, or with the scheduler."""
        if self._client.status != "running":
            raise self._gone("the Dask scheduler has gone away")
        self._start(number)

    def _note(self, number: int, future: Any) -> None:
        self._ended.put(number)

    def next(self) -> tuple[int, TrialResult]:
        """The next trial that ends.

        Raises what its evaluation raised, and `CannotDo` where the scheduler or all workers are gone.
        """
        while True:
            alone = not self._running
            if alone:
                self._start(self._suspects.popleft())
            number = self._wait()
            future = self._running.pop(number)
            try:
                if future.status not in _ENDED:
                    raise CancelledError
                result = self._result(number, future, alone=alone)
            except CancelledError:
                self._start_again(number)
                continue
            if result is not None:
                del self._tasks[number]
                return number, result
            self._suspects.append(number)

    def _wait(self) -> int:
        deserted_s = 0.0
        while True:
            try:
                return self._ended.get(timeout=_LOOK_EVERY_S)
            except Empty:
                if self._client.status != "running":
                    raise self._gone("the Dask scheduler has gone away") from None
                deserted_s = 0.0 if self._client.scheduler_info()["workers"] else deserted_s + _LOOK_EVERY_S
                if deserted_s >= _PATIENCE_S:
                    raise self._gone(f"the Dask scheduler has had no worker for {_PATIENCE_S:.0f} s") from None

    def _result(self, number: int, future: Any, *, alone: bool) -> TrialResult | None:
        """None where Dask has given the trial up and it deserves another try."""
        try:
            result: TrialResult = future.result()
        except self._given_up as error:
            self._deaths[number] += (1 + error.allowed_failures) * alone
            return fatal() if self._deaths[number] >= MOST_DEATHS else None
        return result

    def _gone(self, what: str) -> CannotDo:
        return CannotDo(f"{self._address}: {what}; finished trials are kept, go on with --resume")

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; one of our own making ends."""
        self._client.cancel(list(self._running.values()))
        self._client.close()
        if self._own is not None:
            self._own.close()


def _local_cluster(workers: int) -> Any:
    import logging

    return import_module("distributed").LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None,
        silence_logs=logging.CRITICAL, scheduler_kwargs={"allowed_failures": 0},
    )  # fmt: skip


_one_at_a_time = threading.Lock()


def _evaluate_there(
    asked: str, evaluator: bytes, values: Mapping[str, Value], accuracy: Answer | None
) -> TrialResult:
    """On a worker, one trial at a time however many threads it has: an evaluator is made for one."""
    own = version("dovetail")
    if asked != own:
        raise CannotDo(f"a Dask worker has Dovetail {own}, the study runs with {asked}; install the same on both")
    with _one_at_a_time:
        return evaluated(_unpacked(evaluator), values, accuracy)


@lru_cache(maxsize=1)
def _unpacked(evaluator: bytes) -> Evaluator:
    """The evaluator, made once a process; what it loads stays loaded."""
    one_thread()
    made: Evaluator = pickle.loads(evaluator)
    return made
