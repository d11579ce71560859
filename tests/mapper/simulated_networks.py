"""Small networks and their schedules for the tests of the simulator, and what a timeline must keep to."""

from __future__ import annotations

import math
from functools import cache

import pytest

import dovetail as dt
from dovetail.accel.simulator.recorder import expanded
from dovetail.mapper.base import Limits
from dovetail.models.op import conv2d, linear

FEW = Limits(evaluations=40)


def branchy(name: str = "branchy", k: int = 16) -> dt.Network:
    """Two branches that meet in an addition: a -> (b -> d | c) -> add -> e -> pool -> fc."""
    words = 64 * k
    return dt.Network(
        name,
        (
            dt.Layer(conv2d("a", k=k, c=8, p=8, q=8, r=3, s=3)),
            dt.Layer(dt.VectorOp("a.relu", "relu", words, words, words, fused=True), ("a",)),
            dt.Layer(conv2d("b", k=k, c=k, p=8, q=8, r=3, s=3), ("a.relu",)),
            dt.Layer(conv2d("c", k=k, c=k, p=8, q=8, r=1, s=1), ("a.relu",)),
            dt.Layer(conv2d("d", k=k, c=k, p=8, q=8, r=1, s=1), ("b",)),
            dt.Layer(dt.VectorOp("add", "add", words, 2 * words, words), ("d", "c")),
            dt.Layer(conv2d("e", k=2 * k, c=k, p=8, q=8, r=1, s=1), ("add",)),
            dt.Layer(dt.VectorOp("pool", "avg_pool", 2 * words, 2 * words, 2 * k), ("e",)),
            dt.Layer(linear("fc", n=1, k=10, c=2 * k), ("pool",)),
        ),
    )


def chain(layers: int = 6, name: str = "chain", k: int = 16) -> dt.Network:
    """Equal convolutions one after another."""
    convs = [conv2d(f"conv{at}", k=k, c=k, p=8, q=8, r=3, s=3) for at in range(layers)]
    inputs = [(), *((f"conv{at}",) for at in range(layers - 1))]
    return dt.Network(name, tuple(dt.Layer(op, before) for op, before in zip(convs, inputs, strict=True)))


@cache
def estimated(chip: str, kind: str = "branchy") -> dt.Estimate:
    """The estimate of a small network by its kind on a shipped accelerator, mapped in no time."""
    network = {"branchy": branchy, "chain": chain}[kind]()
    return dt.estimate(network, dt.load_accelerator(chip), "random", limits=FEW, cache=False)


def check(timeline: dt.Timeline, network: dt.Network | None = None) -> None:
    """What holds of every timeline: tracks in order, shares and paths that sum, no operator before its inputs."""
    free_at: dict[str, float] = {}
    for one in expanded(timeline.log):
        assert free_at.get(one.track, 0.0) <= one.start <= one.end <= timeline.cycles * (1 + 1e-12), one
        free_at[one.track] = one.end
    for share in timeline.shares:
        assert share.busy + share.stall + share.idle == pytest.approx(timeline.cycles, rel=1e-9)
        assert math.fsum(share.causes.values()) == pytest.approx(share.stall, rel=1e-9, abs=1e-6)
    assert math.fsum(timeline.critical.values()) == pytest.approx(timeline.cycles, rel=1e-9)
    if network:
        check_order(timeline, network)


def check_order(timeline: dt.Timeline, network: dt.Network) -> None:
    """No operator begins before those it reads from have ended."""
    inputs = {layer.op.name: layer.inputs for layer in network}
    ended = {(run.network, run.run, run.name): run.end for run in timeline.operators}

    def sources(name: str) -> list[str]:
        """Operators of the timeline that make what the operator reads; fused ones are not in it."""
        found = []
        for source in inputs.get(name, ()):
            found += [source] if any(one == source for _, _, one in ended) else sources(source)
        return found

    for run in timeline.operators:
        for source in sources(run.name):
            assert run.start >= ended[run.network, run.run, source] - 1e-6, (run.name, source)
