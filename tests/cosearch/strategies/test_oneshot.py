import numpy as np
import pytest

from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.cosearch.spaces.compose import networks_of
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.foresight import Foresight
from dovetail.cosearch.strategies.modes import make_strategy, mode_names
from dovetail.cosearch.strategies.oneshot import OneShotOptions
from dovetail.cosearch.studies.pareto import dominates
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.cosearch.sweep.base import SweepCosts
from dovetail.errors import BadInput

CELLS = network_space("digits_cells")
HARDWARE = Space((Choice("hw.pes", (1, 2, 4, 8)),))
OBJECTIVES = ("latency_s", "error_pct")
SUPERNET = {"dataset": "own_data:lines", "epochs": 1, "batch": 32}


class FakeSweep:
    """Latency is MACs over processing elements; eight of them are too large for anything."""

    hardware = HARDWARE
    area_mm2 = np.array([1.0, 2.0, 4.0, 8.0])
    asked = 0

    def costs(self, values):
        FakeSweep.asked += 1
        latency = CELLS.build(values).macs / np.array([1.0, 2.0, 4.0, np.inf])
        latency[3] = np.inf
        return SweepCosts(latency, latency * 2, self.area_mm2)


class FakeAccuracy:
    """More multiply-accumulates are better."""

    def predict(self, network, values):
        return Accuracy(90.0 + network.macs / 1e5, 1.0)


def judge(values, accuracy):
    latency = CELLS.build(values).macs / values["hw.pes"]
    metrics = {"latency_s": latency, "error_pct": accuracy.top1_error, "area_mm2": values["hw.pes"]}
    return TrialResult("constraint" if values["hw.pes"] > 4 else "ok", metrics)


def task(**changes):
    given = {
        "space": CELLS.space + HARDWARE, "objectives": OBJECTIVES, "limits": {"area_mm2": 4.0}, "networks": CELLS,
        "judge": judge, "first": ({**CELLS.baseline(), "hw.pes": 2},),
    }  # fmt: skip
    return Task(**{**given, **changes})


def finalists(strategy, count):
    proposals = []
    while len(proposals) < count:
        batch = strategy.ask(min(strategy.batch, count - len(proposals)))
        if not batch:
            break
        proposals += batch
        strategy.tell([each.number for each in batch], [TrialResult("ok", {"latency_s": 1.0})] * len(batch))
    return proposals


def oneshot(given, **options):
    chosen = OneShotOptions(**{"supernet": SUPERNET, "inner_trials": 16, **options})
    return make_strategy("oneshot", "random", given, None, chosen)


def test_the_mode_is_known():
    assert "oneshot" in mode_names()


@pytest.mark.parametrize("given", [task(), task(sweep=FakeSweep())], ids=["mapper", "sweep"])
def test_finalists_keep_the_limits_and_the_best_come_first(given):
    proposals = finalists(oneshot(given), 6)
    assert dict(proposals[0].values) == dict(given.first[0])
    assert [each.number for each in proposals] == list(range(6))
    assert all(each.values["hw.pes"] <= 4 for each in proposals)
    again = finalists(oneshot(given), 6)
    assert [dict(each.values) for each in again] == [dict(each.values) for each in proposals]


def test_no_finalist_is_dominated_by_a_later_one():
    from dovetail.cosearch.strategies.oneshot import ranked

    rng = np.random.default_rng(0)
    designs = [
        ({"place": place}, TrialResult("ok" if place % 3 else "constraint", dict(zip(OBJECTIVES, costs, strict=True))))
        for place, costs in enumerate(rng.uniform(size=(40, 2)))
    ]
    costs = [[designs[each["place"]][1].metrics[name] for name in OBJECTIVES] for each in ranked(designs, OBJECTIVES)]
    assert len(costs) == sum(result.status == "ok" for _, result in designs)
    assert not any(dominates(late, early) for at, early in enumerate(costs) for late in costs[at + 1 :])


def test_pieces_are_the_whole_and_the_end_is_known():
    whole = finalists(oneshot(task()), 100)
    strategy, pieces = oneshot(task()), []
    while got := strategy.ask(3):
        pieces += got
        strategy.tell([each.number for each in got], [TrialResult("infeasible")] * len(got))
    assert [dict(each.values) for each in pieces] == [dict(each.values) for each in whole]
    assert 1 < len(whole) <= 17


def test_a_sweep_is_asked_once_for_a_network_and_says_what_does_not_fit():
    FakeSweep.asked = 0
    foresight = Foresight(task(sweep=FakeSweep()), FakeAccuracy())
    point = CELLS.baseline()
    results = [foresight.result({**point, "hw.pes": pes}) for pes in (1, 2, 4, 8)]
    assert FakeSweep.asked == 1
    assert [result.status for result in results] == ["ok", "ok", "ok", "infeasible"]
    assert results[0].metrics["latency_s"] == 2 * results[1].metrics["latency_s"]
    assert foresight.result({**dict.fromkeys(point, "none"), "hw.pes": 1}).status == "infeasible"


def test_what_cannot_be_foreseen_is_told():
    with pytest.raises(BadInput, match="needs a space"):
        oneshot(task(networks=None))
    with pytest.raises(BadInput, match="offers no costs by sweep"):
        oneshot(task(), costs="sweep")
    with pytest.raises(BadInput, match="offers no costs by mapper"):
        oneshot(task(judge=None))
    with pytest.raises(BadInput, match="does not tell 'co2e_kg'"):
        oneshot(task(sweep=FakeSweep(), objectives=("co2e_kg",)), costs="sweep")
    with pytest.raises(BadInput, match="has no supernet"):
        oneshot(task(networks=network_space("mobilenet_ibn")))


def test_training_the_supernet_is_counted_before_it_is_trained():
    mode = OneShotOptions(supernet=SUPERNET, inner_trials=4)
    strategy = make_strategy("oneshot", "random", task(), None, mode)
    spent = strategy.preparation_macs
    assert 96 * 3 * 10_000 < spent < 96 * 3 * 200_000
    strategy.ask(1)
    assert strategy.preparation_macs == spent


def test_losses_that_a_study_states_are_taken_off_the_supernets_accuracies():
    part = {"space": "digits_cells", "bits": {"options": [4, 8], "loss_pct": {"4": 3.0}}}
    networks, seen = networks_of(NetworkPart.model_validate(part)), []

    def judge(values, accuracy):
        seen.append((values["net.bits"], accuracy.lost_pct))
        return TrialResult("ok", {"latency_s": 1.0, "error_pct": accuracy.top1_error, "area_mm2": 1.0})

    given = task(space=networks.space + HARDWARE, networks=networks, judge=judge, first=())
    options = OneShotOptions.model_validate({"supernet": SUPERNET, "inner_trials": 6})
    make_strategy("oneshot", "random", given, mode_options=options).ask(2)
    assert {bits for bits, _ in seen} == {4, 8}
    assert all(lost == pytest.approx(3.0 if bits == 4 else 0.0) for bits, lost in seen)
