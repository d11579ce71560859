"""Every built-in strategy keeps the promises, and the suite tells which one a strategy breaks."""

import pickle

import numpy as np
import pytest

from dovetail.cosearch.strategies.random_search import RandomSearch
from dovetail.cosearch.strategies.registry import strategy_class, strategy_names
from dovetail.errors import UnknownName
from dovetail.testing import STRATEGY_PROMISES, StrategyError, check_strategy


class Optionless(RandomSearch):
    Options = dict


class Outside(RandomSearch):
    def _propose(self, count):
        return [{**values, "hw.size": 3} for values in super()._propose(count)]


class Moody(RandomSearch):
    def __init__(self, task, options):
        super().__init__(task, options)
        self._rng = np.random.default_rng()


class Hasty(RandomSearch):
    def ask(self, count):
        self._rng.random(count % 2)
        return super().ask(count)


class Ungrateful(RandomSearch):
    def __init__(self, task, options):
        super().__init__(task, options)
        self._first.clear()


class Discouraged(RandomSearch):
    def _propose(self, count):
        return super()._propose(count) if self.cheerful else []

    cheerful = True

    def _learn(self, points, results):
        self.cheerful = any(result.status == "ok" for result in results)


class Global(RandomSearch):
    def _propose(self, count):
        np.random.rand()
        return super()._propose(count)


class Perverse(RandomSearch):
    """It keeps to the corner of the worst."""

    def _propose(self, count):
        worst = {name: 5 for name in self.task.space.names if name.startswith("net.c")}
        return [{**values, **worst} for values in super()._propose(count)]


BREAKERS = {
    "has options and a batch": Optionless, "proposes points of its space": Outside,
    "repeats itself by its seed": Moody, "does not mind how it is asked": Hasty,
    "tries the given designs first": Ungrateful, "bears that nothing is feasible": Discouraged,
    "leaves global randomness alone": Global, "is no worse than chance": Perverse,
}  # fmt: skip


@pytest.mark.parametrize("promise", BREAKERS)
def test_the_suite_tells_which_promise_is_broken(promise):
    with pytest.raises(StrategyError, match=promise) as caught:
        check_strategy(BREAKERS[promise], promise)
    assert caught.value.promise == promise
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("promise", STRATEGY_PROMISES)
@pytest.mark.parametrize("name", ["evolution", "nsga2", "random"])
def test_every_built_in_strategy_keeps_its_promises(name, promise):
    check_strategy(strategy_class(name), promise)


def test_an_unknown_promise_is_answered_with_the_nearest():
    assert "random" in strategy_names()
    with pytest.raises(UnknownName, match="is no worse than chance"):
        check_strategy(RandomSearch, "is no worse than chances")
