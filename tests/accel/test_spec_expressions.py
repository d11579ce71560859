"""Arithmetic on quantities: the numbers of Python, the units of physics, and no way to run a program."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.accel.expressions import KINDS, PURE, compile_expression, parse_literal
from dovetail.errors import BadInput

NAMES = {"a": PURE, "b": PURE, "size": KINDS["size"].unit, "rate": KINDS["bandwidth"].unit}
VALUES = {"a": 7, "b": 3, "size": 8 * 1024, "rate": 8e9}


def value(text, kind="count", clock_hz=1e9):
    return compile_expression(text, KINDS[kind], NAMES).value_as(KINDS[kind], VALUES, clock_hz)


@st.composite
def arithmetic(draw, depth=3):
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["a", "b", *(str(n) for n in range(1, 10))]))
    left, right = draw(arithmetic(depth=depth - 1)), draw(arithmetic(depth=depth - 1))
    forms = ["({} + {})", "{} * {}", "({} - {})", "{} // {}", "{} / {}", "min({}, {})", "max({}, {})"]
    form = draw(st.sampled_from(forms))
    return form.format(left, right)


@given(arithmetic())
def test_the_arithmetic_is_that_of_python(text):
    try:
        expected = eval(text, {"__builtins__": {}, "min": min, "max": max}, dict(VALUES))  # noqa: S307
    except ZeroDivisionError:
        with pytest.raises(BadInput, match="divides by zero"):
            compile_expression(text, KINDS["count"], NAMES).value(VALUES)
    else:
        assert compile_expression(text, KINDS["count"], NAMES).value(VALUES) == expected


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("64 KiB", "size", 64 * 8192),
        ("64KiB", "size", 64 * 8192),
        ("size / 2", "size", 4096),
        ("2 * size - 1 KiB", "size", 8192),
        ("a * 16 bit", "size", 112),
        ("size / (8 bit)", "count", 1024),
        ("2 * (a + 1)", "count", 16),
        ("max(a, b, 12)", "count", 12),
        ("-b + 5", "count", 2),
        ("20 GB/s", "bandwidth", 160e9),
        ("a * 2 B/cycle", "bandwidth", 7 * 16 * 1e9),
        ("8 pJ/bit", "energy_per_bit", 8e-12),
        ("1 cycle", "cycles", 1),
        ("1.2 mm2", "area", 1.2),
        ("16 bit", "bits", 16),
        (12, "count", 12),
        ("9" * 199, "count", int("9" * 199)),
    ],
)
def test_quantities_come_out_in_si(text, kind, expected):
    assert value(text, kind) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("64", "size", "'64' has no unit; write '64 KiB'"),
        ("a", "size", "a plain number"),
        ("64 KiB", "bandwidth", "a size, but a bandwidth is needed"),
        ("20 GB/s", "size", "a bandwidth, but a size is needed"),
        ("64 KiB", "count", "write a whole number without unit"),
        ("size + 2", "size", "joins a size and a plain number"),
        ("min(size, rate)", "size", "use one unit"),
        ("siz / 2", "size", "'siz' is no parameter; did you mean 'size'?"),
        ("zzzz", "count", "parameters: a, b, size, rate"),
        ("a / (b - 3)", "count", "divides by zero"),
        ("a / b", "count", "not a whole number"),
        ("b - a", "count", "must be more than zero"),
        ("0 KiB", "size", "must be more than zero"),
        ("-1 pJ", "energy", "must be zero or more"),
        ("2 +", "count", "ends too early"),
        ("(2", "count", "close the parenthesis"),
        ("2 a", "count", "write '2 * a'"),
        ("a ** 2", "count", "unexpected"),
        ("min", "count", "min(a, b)"),
        ("64 kb", "size", "'64 KiB' or '64 kB'"),
        ("64 parsecs", "size", "no known unit"),
        ("", "count", "nothing is written"),
        ("1e300 * 1e300", "count", "too large"),
        ("9" * 201, "count", "longer than"),
        ("__import__('os').system('ls')", "count", "no parameter"),
        ("a.b", "count", "unexpected"),
        ("[a]", "count", "unexpected"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(text, kind, part):
    with pytest.raises(BadInput) as caught:
        value(text, kind)
    assert part in str(caught.value)
    assert "; " in str(caught.value)


@given(st.fractions(min_value=Fraction(1, 1000), max_value=1000).map(float))
def test_a_literal_keeps_its_number_and_unit(number):
    found, unit, text = parse_literal(f"{number!r} MB")
    assert math.isclose(found, number * 8e6, rel_tol=1e-12)
    assert (unit, text) == (KINDS["size"].unit, "MB")


def test_arithmetic_is_no_literal():
    with pytest.raises(BadInput, match="not a number with a unit"):
        parse_literal("2 * 3 KiB")
