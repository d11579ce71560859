import math

import pytest

from dovetail.cosearch.reports.analysis.ablation import ablation, ablation_frame, changes_between
from dovetail.cosearch.reports.analysis.ablation_read import gained_by, path_of, worth_of
from dovetail.cosearch.studies.trial import TrialResult

START = {"net.b01.kernel": 3, "net.b01.op": "ibn", "net.resolution": 224, "hw.pes": 4, "hw.memory": 1}
GOAL = {"net.b01.kernel": 5, "net.b01.op": "fused", "net.resolution": 192, "hw.pes": 8, "hw.memory": 0.5}
WORTH = {"net.b01.kernel": -0.5, "net.b01.op": 2.0, "net.resolution": 4.0, "hw.pes": 1.0, "hw.memory": 0.25}


def additive(values):
    """Every change is worth the same wherever it is made."""
    gain = sum(WORTH[name] for name in WORTH if values.get(name) == GOAL[name])
    return TrialResult("ok", {"latency_s": 10.0 - gain})


def tight(values):
    """The larger array fits only after the memory has been made smaller."""
    if values["hw.pes"] == 8 and values["hw.memory"] == 1:
        return TrialResult("constraint", {"area_mm2": 9.0}, "area_mm2 9 exceeds 5 mm²", 0.8)
    return additive(values)


def run(judge, start=START, goal=GOAL, most=10_000, whole_network=False):
    asked = []

    def evaluate(points):
        asked.extend(points)
        return [judge(values) for values in points]

    changes = changes_between(start, goal, {"hw.memory": {"1": "1 MB"}}, most, whole_network)
    steps = ablation(start, goal, changes, evaluate, lambda result: result.metrics.get("latency_s", math.inf))
    return ablation_frame(steps), asked


def test_the_path_begins_at_the_start_ends_at_the_goal_and_takes_the_best_change_first():
    frame, asked = run(additive)
    path = path_of(frame)
    assert asked[0] == START
    assert asked[1] == GOAL
    assert path["score"].tolist() == pytest.approx([10.0, 6.0, 4.0, 3.0, 2.75, 3.25])
    assert path["change"].tolist()[:3] == ["baseline", "resolution", "b01 op"]


def test_a_change_that_makes_it_worse_comes_last_and_is_shown_with_its_worth():
    worth = worth_of(run(additive)[0])
    assert worth["text"].iloc[-1] == "b01 kernel: kernel 3 → 5"
    for column in ("on_the_way", "alone", "at_the_end"):
        assert worth[column].iloc[-1] == pytest.approx(-0.5)


def test_where_changes_do_not_interact_each_is_worth_the_same_everywhere():
    worth = worth_of(run(additive)[0])
    for column in ("alone", "at_the_end"):
        assert worth[column].tolist() == pytest.approx(worth["on_the_way"].tolist())


def test_a_change_that_breaks_a_limit_waits_until_it_does_not():
    frame, _ = run(tight)
    path = path_of(frame)
    assert (path["status"] == "ok").all()
    order = path["change"].tolist()
    assert order.index("memory") < order.index("pes")
    alone = frame[(frame["kind"] == "alone") & (frame["change"] == "pes")]
    assert alone["reason"].tolist() == ["area_mm2 9 exceeds 5 mm²"]
    assert worth_of(frame)["alone"].isna().sum() == 1


def test_where_every_way_on_is_barred_the_path_passes_through_and_says_why():
    def barred(values):
        between = values not in (START, GOAL)
        return TrialResult("infeasible", {}, "no mapping") if between else additive(values)

    path = path_of(run(barred)[0])
    assert path["status"].tolist() == ["ok", *["infeasible"] * 4, "ok"]
    assert path["reason"].iloc[2] == "no mapping"


def test_few_evaluations_make_coarse_changes():
    names = [[c.label for c in changes_between(START, GOAL, {}, most, False)] for most in (100, 14, 6, 0)]
    assert len(names[0]) == 5
    assert names[1] == ["b01", "resolution", "pes", "memory"]
    assert names[2] == ["network", "hardware"] == names[3]


def test_networks_on_the_way_are_not_asked_about_where_accuracy_is_paid_for():
    _, asked = run(additive, whole_network=True)
    networks = {tuple(sorted((k, str(v)) for k, v in values.items() if k.startswith("net."))) for values in asked}
    assert len(networks) == 2


def test_choices_that_only_one_side_has_are_taken_along():
    goal = {**GOAL, "net.extra": 1}
    del goal["net.resolution"]
    _, asked = run(lambda values: TrialResult("ok", {"latency_s": 1.0}), goal=goal)
    assert asked[1] == goal
    assert any("net.resolution" not in values for values in asked[2:])


def test_equal_designs_have_no_changes_between_them():
    assert changes_between(START, START, {}, 100, False) == []


def test_one_and_true_are_different_values():
    assert len(changes_between({"net.a": 1}, {"net.a": True}, {}, 100, False)) == 1


def test_texts_carry_units_and_the_share_of_the_first_changes_is_told():
    frame, _ = run(additive)
    assert "memory 1 MB → 0.5" in frame["text"].tolist()
    share, changes = gained_by(frame, 3)
    assert (share, changes) == (pytest.approx(7.0 / 6.75), 5)
    assert gained_by(None, 3) is None
