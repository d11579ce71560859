import sys

import pytest

from dovetail.cosearch.accuracy.function import AccuracyFunction, FunctionOptions
from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.errors import BadInput
from dovetail.models.load import load_network

OWN = """
import sys

import numpy

from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.errors import CannotDo

def by_size(network, values):
    "Larger is better."
    return 50.0 + network.params / 1e7

def with_sigma(network, values):
    return 60, 2.5

def whole(network, values):
    return Accuracy(70.0, 1.0, 5e9)

def choices(network, values):
    return float(len(values))

def words(network, values):
    return "good"

def truth(network, values):
    return True

def digits(network, values):
    return "95"

def sure(network, values):
    return 60.0, numpy.True_

def told(network, values):
    return Accuracy("95", 1.0)

def odd(network, values):
    class Odd:
        def __float__(self):
            raise RuntimeError("no")
    return Odd()

def share(network, values):
    return 0.7, -1

def broken(network, values):
    return values["net.depth"]

def leaves(network, values):
    sys.exit(3)

def mute(network, values):
    raise SystemExit

def wordy(network, values):
    raise ValueError("one\\n  two")

def cannot(network, values):
    raise CannotDo("not today")

def stops(network, values):
    raise KeyboardInterrupt

number = 3
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    (tmp_path / "own_accuracy_functions.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def ask(name, values=None, **options):
        source = AccuracyFunction(None, FunctionOptions(function=f"own_accuracy_functions:{name}", **options))
        return source.predict(load_network("resnet18"), values)

    return ask


def test_a_number_is_an_accuracy_with_the_sigma_of_the_options(ask):
    assert ask("by_size", sigma_pct=1.5) == Accuracy(50.0 + load_network("resnet18").params / 1e7, 1.5)


def test_a_function_may_give_its_own_sigma_and_cost(ask):
    assert ask("with_sigma", sigma_pct=9.0) == Accuracy(60.0, 2.5)
    assert ask("whole") == Accuracy(70.0, 1.0, 5e9)


def test_a_function_sees_the_networks_choices_alone(ask):
    assert ask("choices", {"net.a": 1, "hw.pes_x": 8}).top1_pct == 1.0
    assert ask("choices").top1_pct == 0.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("words", "returned the text 'good', no number; it must return top-1 accuracy in percent"),
        ("digits", "returned the text '95', no number; it must return"),
        ("truth", "returned the truth value 'True', no number; it must return"),
        ("sure", "returned the truth value 'True'"),
        ("told", "returned the text '95'"),
        ("odd", "returned '<own_accuracy_functions.odd"),
        ("share", "returned 0.7 ± -1"),
        ("broken", "failed for resnet18: KeyError: 'net.depth'$"),
        ("leaves", "failed for resnet18: SystemExit: 3$"),
        ("mute", "failed for resnet18: SystemExit$"),
        ("wordy", "failed for resnet18: ValueError: one two$"),
        ("cannot", "failed for resnet18: CannotDo: not today$"),
        ("missing", "has no 'missing'"),
        ("number", "is no function"),
    ],
)
def test_a_function_that_gives_no_accuracy_is_bad_input(ask, name, message):
    with pytest.raises(BadInput, match=message):
        ask(name)


def test_ctrl_c_in_a_function_is_no_failure_of_the_design(ask):
    with pytest.raises(KeyboardInterrupt):
        ask("stops")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef top1(network, values)\n", r"\(\S*unsound\.py:2: SyntaxError: expected ':'\); corr"),
        ("if 1:\nx = 2\n", r"unsound\.py:2: IndentationError: expected an indented block"),
        ("1 / 0\n", r"\(it raised ZeroDivisionError: division by zero\); mend what it does on import"),
        ("raise ValueError('one\\n two')\n", r"\(it raised ValueError: one two\)"),
        ("raise SystemExit(4)\n", r"\(it raised SystemExit: 4\)"),
        ("import no_such_thing\n", r"\(No module named 'no_such_thing'\); install it"),
    ],
)
def test_a_module_that_cannot_be_imported_is_bad_input_in_one_line(tmp_path, monkeypatch, text, message):
    monkeypatch.delitem(sys.modules, "own_unsound", raising=False)
    (tmp_path / "own_unsound.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match=f"^accuracy.function: 'own_unsound' cannot be imported .*{message}") as caught:
        AccuracyFunction(None, FunctionOptions(function="own_unsound:top1"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [".own:top1", "..own.accuracies:top1"])
def test_a_place_relative_to_no_package_is_bad_input(place):
    with pytest.raises(BadInput, match="is relative to no package; write the module's whole name"):
        AccuracyFunction(None, FunctionOptions(function=place))


@pytest.mark.parametrize(("place", "message"), [("nowhere", "package.module:name"), ("no.where:f", "cannot be")])
def test_a_function_that_cannot_be_found_is_bad_input(place, message):
    with pytest.raises(BadInput, match=message):
        AccuracyFunction(None, FunctionOptions(function=place))


def test_the_statement_names_the_function_and_what_it_says_of_itself(tmp_path, monkeypatch):
    (tmp_path / "own_accuracy_two.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    source = AccuracyFunction(None, FunctionOptions(function="own_accuracy_two:by_size", expensive=False))
    assert source.statement().endswith("own_accuracy_two:by_size says. Larger is better.")
    assert not source.expensive
