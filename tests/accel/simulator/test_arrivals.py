"""Arrivals: what a person may write, what a trace may hold, and what is said where it cannot be used."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from dovetail.accel.simulator.arrivals import (
    ClosedLoop,
    FixedRate,
    Merged,
    Poisson,
    Trace,
    parse_arrivals,
    read_trace,
)
from dovetail.errors import BadInput


def first_times(arrivals, count, seed=0):
    return [time_s for time_s, _ in islice(arrivals.times(np.random.default_rng(seed)), count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100/s", FixedRate(100.0)),
        (" 6e3 / min ", FixedRate(100.0)),
        ("100 Hz", FixedRate(100.0)),
        ("10 ms", FixedRate(100.0)),
        ("2 kHz", FixedRate(2000.0)),
        ("poisson:100/s", Poisson(100.0)),
        ("Poisson: 10 ms", Poisson(100.0)),
        ("closed:8", ClosedLoop(8)),
        ("closed:8,10 ms", ClosedLoop(8, 0.01)),
        ("a=100/s; b = poisson:5/s", Merged((("a", FixedRate(100.0)), ("b", Poisson(5.0))))),
    ],
)
def test_every_form_is_read(text, expected):
    assert parse_arrivals(text) == expected


def test_a_fixed_rate_is_even_and_does_not_drift():
    times = first_times(FixedRate(10.0), 100_001)
    assert times[:3] == [0.0, 0.1, 0.2]
    assert times[-1] == 10_000.0


def test_poisson_gaps_are_exponential_across_blocks():
    gaps = np.diff([0.0, *first_times(Poisson(50.0), 200_000)])
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(0.02, rel=0.01)
    assert gaps.std() == pytest.approx(0.02, rel=0.01)
    assert np.mean(gaps > 0.02) == pytest.approx(np.exp(-1), rel=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "0\n0.5\n0.5\n2\n",
        "time_s\n0\n0.5\n0.5\n2",
        "# camera\n\n0\r\n0.5\r\n0.5\r\n2\r\n",
        "\ufefftime_s\n0\n.5\n5e-1\n2",
    ],
)
def test_a_trace_is_times_with_or_without_a_header(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_bytes(text.encode())
    for given in (str(path), f"trace:{path}"):
        trace = parse_arrivals(given)
        assert first_times(trace, 10) == [0.0, 0.5, 0.5, 2.0]
        assert trace.requests == 4


def test_a_trace_names_networks_in_either_column_order(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("network,time_s\na,0\nb,1\n,2\n")
    trace = read_trace(path)
    assert trace.networks == ("a", "b", "")
    assert trace.lines == (2, 3, 4)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0\n-1\n", [":2:", "negative"]),
        ("time_s\n0\n2\n1.5\n", [":4:", "before", "sort"]),
        ("0\nsoon\n", [":2:", "'soon'", "not a number", "seconds"]),
        ("0\n\n# note\nnan\n", [":4:", "finite"]),
        ("inf\n", [":1:", "finite"]),
        ("time_s\n0\n-inf\n", [":3:", "finite"]),
        ("time_s,network\n0,a\n1\n", [":3:", "1 values", "time_s and network"]),
        ("0\n1,a\n", [":2:", "2 values"]),
        ("time,network\n0,a\n", [":1:", "no column time_s"]),
        ("time_s,network,size\n0,a,1\n", [":1:", "'size'"]),
        ("time_s,time_s\n0,1\n", [":1:", "'time_s'"]),
        ("", ["holds no requests"]),
        ("time_s\n\n", ["holds no requests"]),
    ],
)
def test_a_bad_trace_is_answered_with_file_line_and_remedy(tmp_path, text, parts):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        parse_arrivals(str(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_an_unreadable_trace_says_why(tmp_path):
    binary = tmp_path / "trace.bin"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    for path, reason in ((tmp_path / "none.csv", "no such trace"), (tmp_path, "folder"), (binary, "UTF-8")):
        with pytest.raises(BadInput, match=reason):
            parse_arrivals(str(path))
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(BadInput, match="cannot be read"):
            parse_arrivals(name)


@pytest.mark.parametrize(
    "text",
    [
        "", "0/s", "-5/s", "nan/s", "inf/s", "1e999/s", "100", "100/x", "fast/s", "0 ms", "-1 ms", "poisson:",
        "poisson:0/s", "poisson:nan/s", "poisson:fast", "10 GB", "closed:", "closed:0", "closed:-1", "closed:two",
        "closed:2.5", "closed:8,10", "closed:8,-1 ms", "a=100/s; b=", "a=1/s; a=2/s", "a=1/s; b=none.csv",
        "1/s; 2/s", ";", "1e400 ms",
    ],
)  # fmt: skip
def test_arrivals_that_cannot_be_are_refused(text):
    with pytest.raises(BadInput) as caught:
        parse_arrivals(text)
    assert ";" in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedRate(0.0),
        lambda: FixedRate(float("inf")),
        lambda: Poisson(float("nan")),
        lambda: Poisson("100/s"),
        lambda: ClosedLoop(0),
        lambda: ClosedLoop(1.5),
        lambda: ClosedLoop(1, -1.0),
        lambda: Merged(()),
        lambda: Merged((("a", "100/s"),)),
        lambda: Merged((("a", Merged((("b", FixedRate(1.0)),))),)),
        lambda: Trace(np.zeros(0)),
        lambda: Trace(np.zeros((2, 2))),
        lambda: Trace(np.array([1.0, 0.0])),
        lambda: Trace(np.array([-1.0])),
        lambda: Trace(np.array([np.nan])),
        lambda: Trace(np.array([0.0, 1.0]), ("a",)),
    ],
)
def test_arrivals_made_in_code_are_checked_too(make):
    with pytest.raises(BadInput):
        make()
