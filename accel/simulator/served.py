"""What became of the requests of a serving run: latencies, losses, load and energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import BadInput, ImpossibleResult, UnknownName
from .power import Energy, State
from .recorder import Log
from .workload import FILTERED

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]

__all__ = ["NOT_SERVED", "REASONS", "Served"]

REASONS = ("full", "displaced", "late")  # refused as it came; put out for a newer one; its turn came after its deadline
NOT_SERVED = -2  # stands for the last stage of a request that was not finished
_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, eq=False)
class Served:
    """A serving run from time 0 to ``end_s``; arrays have an entry per request, in the order of arrival.

    ``profile`` indexes ``networks``; ``start_s`` is when the request's work begins, after any wake-up, ``finish_s``
    when its answer is there, NaN where that did not happen before the end; ``dropped`` is 0 or 1 + the index in
    `REASONS`, and ``left_s`` when a dropped one left. ``server`` is −1 where none took it. ``exit_stage`` is the
    operator after which the request left, −1 for a frame that the filter did not keep, −2 without an answer.
    ``work_j`` is its dynamic energy. ``area_in_system`` and ``area_waiting`` are the integrals over time of the
    numbers of requests, counted at each event. ``log`` has tracks "server 0" …, in seconds (a clock of 1 Hz), and
    ``log_complete`` says whether all of the run is in it.
    """

    networks: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    servers: int
    policy: str
    seed: int
    end_s: float
    profile: I64
    arrival_s: F64
    start_s: F64
    finish_s: F64
    left_s: F64
    dropped: I64
    deadline_s: F64
    server: I64
    exit_stage: I64
    work_j: F64
    area_in_system: float
    area_waiting: float
    energy_j: float
    energy: Energy
    seconds: Mapping[State, float]
    wakes: Mapping[State, int]
    log: Log = field(default_factory=list, repr=False)
    log_complete: bool = True

    def __post_init__(self) -> None:
        _check(self)

    # ---- counts

    @property
    def finished(self) -> int:
        """Requests with an answer."""
        return int(np.isfinite(self.finish_s).sum())

    @property
    def unfinished(self) -> int:
        """Requests that wait or are served when the run ends."""
        return len(self.arrival_s) - self.finished - int((self.dropped > 0).sum())

    @property
    def drops(self) -> dict[str, int]:
        """Dropped requests by reason."""
        return {reason: int((self.dropped == code).sum()) for code, reason in enumerate(REASONS, 1)}

    @property
    def late(self) -> int:
        """Requests answered after their deadline."""
        return int((self.finish_s > self.deadline_s).sum())

    # ---- times and load

    @property
    def latency_s(self) -> F64:
        """From arrival to answer, [requests]; NaN without an answer."""
        return self.finish_s - self.arrival_s

    @property
    def wait_s(self) -> F64:
        """From arrival to the beginning of its work, [requests]; NaN where it did not begin."""
        return self.start_s - self.arrival_s

    @property
    def throughput_per_s(self) -> float:
        """Answers a second over the whole run."""
        return self.finished / self.end_s if self.end_s else 0.0

    @property
    def utilization(self) -> float:
        """Share of the servers' time in which they work."""
        return self.seconds["active"] / (self.servers * self.end_s) if self.end_s else 0.0

    @property
    def mean_in_system(self) -> float:
        """Requests that wait or are served, in the mean over time."""
        return self.area_in_system / self.end_s if self.end_s else 0.0

    @property
    def mean_waiting(self) -> float:
        """Requests whose work has not begun, in the mean over time."""
        return self.area_waiting / self.end_s if self.end_s else 0.0

    @property
    def energy_per_request_j(self) -> float:
        """All energy of the run, standing powers included, per answer (infinite without any)."""
        return self.energy_j / self.finished if self.finished else math.inf

    def percentiles(self, of: str = "latency", network: str | None = None) -> dict[str, float]:
        """``mean``, ``p50``, ``p90``, ``p95``, ``p99``, ``p99.9``, ``max`` of the answers' "latency" or "wait", in s.

        A percentile is one of the observed values (nearest rank). Empty where there is no answer. Raises `BadInput`
        for another quantity, `UnknownName` for another network.
        """
        if of not in ("latency", "wait"):
            raise BadInput(f"percentiles of '{of}': choose 'latency' or 'wait'")
        values = (self.latency_s if of == "latency" else self.wait_s)[self._of(network) & np.isfinite(self.finish_s)]
        if not len(values):
            return {}
        ranks = np.percentile(values, _PERCENTILES, method="inverted_cdf")
        named = {f"p{rank:g}": float(value) for rank, value in zip(_PERCENTILES, ranks, strict=True)}
        return {"mean": math.fsum(values) / len(values), **named, "max": float(values.max())}

    def _of(self, network: str | None) -> NDArray[np.bool_]:
        if network is None:
            return np.ones(len(self.profile), np.bool_)
        if network not in self.networks:
            raise UnknownName("network in this run", network, self.networks)
        return np.asarray(self.profile == self.networks.index(network))

    # ---- energy

    def breakdown(self, by: str = "component") -> dict[str, float]:
        """Joules by "component" (work, leakage, clock, wake_up) or by power "state"; sums to ``energy_j``."""
        if by not in ("component", "state"):
            raise BadInput(f"breakdown by '{by}': choose 'component' or 'state'")
        parts: dict[str, list[float]] = {}
        for (component, state), joules in self.energy.items():
            parts.setdefault(component if by == "component" else state, []).append(joules)
        return {name: math.fsum(joules) for name, joules in parts.items()}

    # ---- tables

    def summary(self) -> dict[str, Any]:
        """The run in one record: counts, times, load, energy."""
        return {
            "requests": len(self.arrival_s),
            "finished": self.finished,
            "unfinished": self.unfinished,
            **{f"dropped_{reason}": count for reason, count in self.drops.items()},
            "late": self.late,
            "end_s": self.end_s,
            "throughput_per_s": self.throughput_per_s,
            "utilization": self.utilization,
            "mean_waiting": self.mean_waiting,
            "mean_in_system": self.mean_in_system,
            "latency_s": self.percentiles(),
            "wait_s": self.percentiles("wait"),
            "energy_j": self.energy_j,
            "energy_per_request_j": self.energy_per_request_j if self.finished else None,
            "breakdown": self.breakdown(),
            "seconds": dict(self.seconds),
            "wakes": {state: count for state, count in self.wakes.items() if count},
        }

    def rows(self) -> list[dict[str, Any]]:
        """A record per network: requests, finished, drops by reason, late, throughput, latencies, dynamic energy."""
        rows = []
        for name in self.networks:
            mine = self._of(name)
            done = int(np.isfinite(self.finish_s[mine]).sum())
            lost = {f"dropped_{why}": int((self.dropped[mine] == code).sum()) for code, why in enumerate(REASONS, 1)}
            row: dict[str, Any] = {"network": name, "requests": int(mine.sum()), "finished": done}
            row |= {"unfinished": row["requests"] - done - sum(lost.values()), **lost}
            row["late"] = int((self.finish_s[mine] > self.deadline_s[mine]).sum())
            row["throughput_per_s"] = done / self.end_s if self.end_s else 0.0
            row |= {f"latency_{rank}_s": value for rank, value in self.percentiles(network=name).items()}
            rows.append(row | {"work_j": math.fsum(self.work_j[mine])})
        return rows

    def requests(self) -> DataFrame:
        """A row per request, in the order of arrival; ``left_after`` names the operator after which it left."""
        import pandas as pd

        return pd.DataFrame(
            {
                "network": np.array(self.networks, object)[self.profile],
                "arrival_s": self.arrival_s,
                "start_s": self.start_s,
                "finish_s": self.finish_s,
                "latency_s": self.latency_s,
                "server": self.server,
                "dropped": np.array(("", *REASONS), object)[self.dropped],
                "left_after": [self._left_after(at) for at in range(len(self.profile))],
                "work_j": self.work_j,
            }
        )

    def _left_after(self, request: int) -> str:
        stage = int(self.exit_stage[request])
        if stage < 0:
            return "filtered" if stage == FILTERED else ""
        return self.stages[int(self.profile[request])][stage]


def _check(run: Served) -> None:
    """Every request counts once, none runs backwards, and what was counted at events equals what the records say."""
    if (run.wait_s < 0).any() or (run.latency_s < 0).any() or (run.finish_s < run.start_s).any():
        raise ImpossibleResult("a request of a serving run starts before it arrives or ends before it starts")
    if run.unfinished < 0 or (np.isfinite(run.finish_s) & (run.dropped > 0)).any():
        raise ImpossibleResult("a request of a serving run is both dropped and answered")
    gone_s = np.where(run.dropped > 0, run.left_s, np.where(np.isfinite(run.finish_s), run.finish_s, run.end_s))
    begun_s = np.where(np.isfinite(run.start_s), run.start_s, gone_s)
    for name, area, until_s in (("in the system", run.area_in_system, gone_s), ("waiting", run.area_waiting, begun_s)):
        total = math.fsum(until_s - run.arrival_s)
        if not math.isclose(area, total, rel_tol=1e-6, abs_tol=1e-9 * run.end_s):
            raise ImpossibleResult(f"request seconds {name}: {area} by events, {total} by requests (Little's law)")
    span_s = run.servers * run.end_s
    if run.utilization > 1 + 1e-9 or not math.isclose(math.fsum(run.seconds.values()), span_s, rel_tol=1e-6):
        raise ImpossibleResult(f"the servers' seconds by state {dict(run.seconds)} do not sum to {span_s}")
