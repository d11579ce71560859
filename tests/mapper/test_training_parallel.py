"""The gradients' exchange: a ring's words and steps, and what of them the backward pass hides."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dovetail.energy import constant
from dovetail.errors import BadInput, SpecError, UnknownName
from dovetail.mapper.training import Link, exchange_gradients, link_names, load_link, ring_all_reduce_s
from dovetail.mapper.training.parallel import ring_bits

WIRE = Link("wire", 1e9, 1e-3)


def ring(values: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Sum the rows of ``values`` [n, n·k] in a ring, chunk by chunk: the rows after it, words sent by each, steps."""
    devices = len(values)
    parts = values.reshape(devices, devices, -1).astype(float).copy()
    sent = steps = 0
    for kind in ("reduce", "gather"):
        for step in range(devices - 1):
            shift = step if kind == "reduce" else step - 1
            moved = [((i - shift) % devices, parts[i, (i - shift) % devices].copy()) for i in range(devices)]
            for source, (chunk, words) in enumerate(moved):
                target = (source + 1) % devices
                parts[target, chunk] = parts[target, chunk] + words if kind == "reduce" else words
            sent += moved[0][1].size
            steps += 1
    return parts.reshape(values.shape), sent, steps


@pytest.mark.parametrize("devices", [2, 3, 8])
def test_a_ring_walked_step_by_step_sends_the_words_of_the_closed_form(devices):
    values = np.random.default_rng(devices).normal(size=(devices, devices * 5))
    summed, sent, steps = ring(values)
    assert np.allclose(summed, values.sum(axis=0))
    assert sent == ring_bits(devices * 5, devices)
    assert steps == 2 * (devices - 1)
    assert ring_all_reduce_s(devices * 5, devices, WIRE) == pytest.approx(sent / 1e9 + steps * 1e-3)


def test_one_device_exchanges_nothing():
    found = exchange_gradients([(1.0, 1e9)], 2.0, 1, WIRE)
    assert (found.link_s, found.exposed_s, found.exposed_share) == (0.0, 0.0, 0.0)
    assert ring_all_reduce_s(1e9, 1, WIRE) == 0.0


def test_without_overlap_all_of_the_links_time_is_exposed():
    gradients = [(0.1 * i, 1e8 * i) for i in range(1, 6)]
    found = exchange_gradients(gradients, 1.0, 4, WIRE, overlap=False, bucket_bits=0)
    alone = math.fsum(ring_all_reduce_s(bits, 4, WIRE) for _, bits in gradients)
    assert found.exposed_s == pytest.approx(alone)
    assert found.exposed_share == pytest.approx(1.0)


def test_gradients_that_are_all_there_at_once_take_the_longer_of_link_and_backward_pass():
    for backward in (0.1, 10.0):
        found = exchange_gradients([(0.0, 1e8)] * 5, backward, 4, WIRE, bucket_bits=0)
        step = backward + found.exposed_s
        assert step == pytest.approx(max(backward, 5 * ring_all_reduce_s(1e8, 4, WIRE)))


def test_the_link_sends_one_bucket_after_the_other_and_none_before_it_is_ready():
    rng = np.random.default_rng(0)
    for _ in range(50):
        gradients = [(float(at), float(bits)) for at, bits in rng.uniform((0, 1e6), (2, 1e9), (12, 2))]
        limit = float(rng.uniform(0, 2e9))
        found = exchange_gradients(gradients, 2.0, 5, WIRE, bucket_bits=limit)
        assert math.fsum(one.bits for one in found.buckets) == pytest.approx(math.fsum(bits for _, bits in gradients))
        assert all(one.bits >= limit for one in found.buckets[:-1])
        assert all(one.start_s >= one.ready_s for one in found.buckets)
        assert all(a.end_s <= b.start_s for a, b in zip(found.buckets, found.buckets[1:], strict=False))
        idle = all(b.start_s in (a.end_s, b.ready_s) for a, b in zip(found.buckets, found.buckets[1:], strict=False))
        assert idle  # the link waits for nothing but gradients
        assert max(0.0, found.link_s - 2.0) - 1e-12 <= found.exposed_s <= found.link_s + 1e-12


def test_buckets_save_latency():
    gradients = [(0.01 * i, 1e5) for i in range(100)]
    alone = exchange_gradients(gradients, 1.0, 8, WIRE, bucket_bits=0)
    together = exchange_gradients(gradients, 1.0, 8, WIRE, bucket_bits=1e6)
    assert (len(alone.buckets), len(together.buckets)) == (100, 10)
    assert together.link_s < alone.link_s


def test_every_shipped_link_is_read_and_cited():
    for name in link_names():
        link = load_link(name)
        assert link.bandwidth_bits_per_s > 1e11
        assert link.source


def test_a_bandwidth_is_a_link():
    assert load_link("100 GB/s").bandwidth_bits_per_s == 8e11


def test_links_that_are_none_are_refused(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'nvlink3'"):
        load_link("nvlink33")
    with pytest.raises(BadInput, match="bandwidth"):
        load_link("100 GB")
    with pytest.raises(BadInput, match="positive"):
        Link("none", 0.0)
    with pytest.raises(BadInput, match="latency_s"):
        Link("odd", 1.0, -1.0)
    with pytest.raises(BadInput, match="at least 1"):
        ring_all_reduce_s(1.0, 0, WIRE)
    file = tmp_path / "slow.yaml"
    file.write_text("name: slow\nbandwidth: 3 apples/s\n")
    with pytest.raises(SpecError, match=r"slow.yaml:2:1: bandwidth"):
        load_link(str(file))


def test_links_take_their_energy_from_the_technology_tables(tmp_path: Path) -> None:
    nvlink, ethernet = (constant(f"link_energy_{kind}").value for kind in ("nvlink", "ethernet"))
    assert load_link("nvlink4").energy_j_per_bit == nvlink
    assert load_link("nvlink4_ndr").energy_j_per_bit == pytest.approx(0.875 * nvlink + 0.125 * ethernet)
    path = tmp_path / "own.yaml"
    for energy, message in (("nvlnk", "did you mean 'nvlink'"), ("{nvlink: 0.5}", "add up to 0.5"), ("3 J", "energy")):
        path.write_text(f"name: own\nbandwidth: 1 GB/s\nenergy: {energy}\n")
        with pytest.raises(SpecError, match=message):
            load_link(str(path))
