import pytest

from dovetail.cosearch.accuracy.function import AccuracyFunction, FunctionOptions
from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.errors import BadInput
from dovetail.models.load import load_network

OWN = """
from dovetail.cosearch.accuracy.source import Accuracy

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

def share(network, values):
    return 0.7, -1

def broken(network, values):
    return values["net.depth"]

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
        ("words", "returned 'good'; it must return top-1 accuracy in percent"),
        ("share", "returned 0.7 ± -1"),
        ("broken", "failed for resnet18: KeyError: 'net.depth'"),
        ("missing", "has no 'missing'"),
        ("number", "is no function"),
    ],
)
def test_a_function_that_gives_no_accuracy_is_bad_input(ask, name, message):
    with pytest.raises(BadInput, match=message):
        ask(name)


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
