"""Modes: which part of a design is searched when."""

import pytest
from study_fakes import STUDY, FakeProblem

from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.cosearch.strategies.base import Task
from dovetail.cosearch.strategies.modes import make_strategy, mode_class, mode_names
from dovetail.cosearch.strategies.phase import PhaseOptions
from dovetail.cosearch.strategies.registry import strategy_class
from dovetail.cosearch.studies.load import check_shape, load_study
from dovetail.cosearch.studies.run import run_study
from dovetail.cosearch.studies.trial import TrialResult
from dovetail.document import parse_document
from dovetail.errors import BadInput, SpecError, UnknownName

NETWORK = {f"net.c{index}": 0 for index in range(4)}
HARDWARE = {"hw.pes": 4, "hw.memory": 1}
SPACE = Space((
    *(Choice(name, (0, 1, 2, 3)) for name in NETWORK), Choice("hw.pes", (1, 2, 4, 8, 16)),
    Choice("hw.memory", (1, 2, 3)),
))  # fmt: skip
BASELINE = {**NETWORK, **HARDWARE}
STRATEGIES = ["evolution", "nsga2", "random"]


def task(**changes):
    usual = {"space": SPACE, "objectives": ("error_pct",), "first": (BASELINE,), "limits": {"latency_s": 1.2}}
    return Task(**(usual | changes))


def judge(values):
    size = sum(values[name] for name in NETWORK)
    area = values["hw.pes"] + values["hw.memory"]
    if area > 15:
        return TrialResult("constraint", {"area_mm2": area}, "too large", area / 15 - 1)
    latency = (5.0 + size) / values["hw.pes"] + 0.1 * (4 - values["hw.memory"])
    metrics = {"area_mm2": area, "latency_s": latency, "error_pct": 40.0 - size}
    over = max(0.0, latency / 1.2 - 1)
    return TrialResult("constraint" if over else "ok", metrics, "too slow" if over else "", over)


def drive(strategy, trials, pieces=None):
    seen = []
    while len(seen) < trials:
        left = min(strategy.batch, trials - len(seen))
        proposals, wanted = [], pieces or left
        while len(proposals) < left:
            piece = strategy.ask(min(wanted, left - len(proposals)))
            if not piece:
                break
            proposals += piece
        if not proposals:
            break
        strategy.tell([p.number for p in proposals], [judge(p.values) for p in proposals])
        seen += proposals
    return seen


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryMode:
    def test_joint_is_the_strategy_itself(self, name):
        chosen = strategy_class(name)
        assert drive(make_strategy("joint", name, task()), 60) == drive(chosen(task(), chosen.Options()), 60)

    def test_hw_only_keeps_the_network_of_the_first_design(self, name):
        seen = drive(make_strategy("hw_only", name, task()), 12)
        assert seen[0].values == BASELINE
        assert {tuple(p.values[name] for name in NETWORK) for p in seen} == {(0, 0, 0, 0)}
        assert len({p.values["hw.pes"] for p in seen}) > 2

    def test_nas_only_keeps_the_hardware_of_the_first_design(self, name):
        seen = drive(make_strategy("nas_only", name, task()), 40)
        assert {(p.values["hw.pes"], p.values["hw.memory"]) for p in seen} == {(4, 1)}
        assert len({p.values["net.c1"] for p in seen}) > 2

    def test_phase_searches_networks_on_the_best_hardware_of_its_first_part(self, name):
        seen = drive(make_strategy("phase", name, task(), None, PhaseOptions(phase_trials=15)), 90)
        first, then = seen[:15], seen[15:]
        assert all(p.values[name] == 0 for p in first for name in NETWORK)
        best = min(first, key=lambda p: judge(p.values).metrics.get("latency_s", 99.0))
        assert {(p.values["hw.pes"], p.values["hw.memory"]) for p in then} == {
            (best.values["hw.pes"], best.values["hw.memory"])
        }
        assert len({tuple(p.values.items()) for p in then}) > 40

    @pytest.mark.parametrize("mode", ["phase", "hw_only", "nas_only"])
    def test_proposals_are_points_numbered_through_and_repeat(self, name, mode):
        own = PhaseOptions(phase_trials=11) if mode == "phase" else None
        runs = [drive(make_strategy(mode, name, task(), None, own), 60, pieces) for pieces in (None, None, 1, 7)]
        assert runs[0] == runs[1] == runs[2] == runs[3]
        assert [p.number for p in runs[0]] == list(range(len(runs[0])))
        assert all(SPACE.validate(p.values) == p.values for p in runs[0])


def test_phase_improves_the_cost_that_is_limited_where_the_error_is_the_only_objective():
    strategy = make_strategy("phase", "evolution", task(limits={"energy_j": 1.0, "area_mm2": 15.0}))
    assert strategy._inner.task.objectives == ("energy_j",)
    strategy = make_strategy("phase", "evolution", task(objectives=("latency_s", "error_pct", "energy_j")))
    assert strategy._inner.task.objectives == ("latency_s", "energy_j")
    strategy = make_strategy("phase", "evolution", task(), None, PhaseOptions(objective="edp"))
    assert strategy._inner.task.objectives == ("edp",)


def test_phase_goes_on_to_networks_where_the_hardware_is_soon_exhausted():
    seen = drive(make_strategy("phase", "evolution", task(), None, PhaseOptions(phase_trials=50)), 60)
    assert len(seen) == 60
    assert {(p.values["hw.pes"], p.values["hw.memory"]) for p in seen[15:]} == {(8, 3)}


def test_a_mode_that_keeps_the_baseline_says_what_to_do_where_there_is_none():
    for mode, what in (("hw_only", "baseline network"), ("nas_only", "default hardware"), ("phase", "network")):
        with pytest.raises(BadInput, match=f"mode {mode} keeps the .*{what}.*network.only"):
            make_strategy(mode, "random", task(first=()))


def test_an_unknown_mode_is_answered_with_the_nearest():
    assert {"joint", "phase", "hw_only", "nas_only"} <= set(mode_names())
    with pytest.raises(UnknownName, match="'phase'"):
        mode_class("phases")


def study_of(mode, strategy="{name: evolution, population: 10, tournament: 3, batch: 5}"):
    report = "{figures: false, ablation: 0}"
    text = STUDY.format(strategy=strategy, trials=40, seed=1, report=report) + f"mode: {mode}\n"
    return check_shape(parse_document(text, "fake.yaml"))


def test_a_study_names_its_mode_and_keeps_to_it(tmp_path):
    spec = study_of("{name: phase, phase_trials: 12}")
    result = run_study(spec, FakeProblem(), out=tmp_path / "study")
    values = [trial.values for trial in result.finished]
    assert len({v["net.resolution"] for v in values[:12]}) == 1
    assert len({(v["hw.pes"], v["hw.memory"]) for v in values[12:]}) == 1
    again = run_study(load_study(tmp_path / "study" / "study.yaml"), FakeProblem())
    assert [t.values for t in again.finished] == values


def test_studies_of_different_modes_are_different_and_joint_is_the_usual_one():
    assert study_of("phase").fingerprint() != study_of("{name: phase, phase_trials: 7}").fingerprint()
    assert study_of("joint").fingerprint() == study_of("{name: joint}").fingerprint()
    assert study_of("joint").fingerprint() != study_of("hw_only").fingerprint()


@pytest.mark.parametrize(("mode", "message"), [
    ("phased", r"fake.yaml:10:\d+: mode.*no mode named 'phased'; did you mean 'phase'"),
    ("{name: phase, phase_trials: 0}", r"mode.phase_trials"),
    ("{name: phase, objective: latency}", r"mode.objective: no objective named 'latency'; did you mean 'latency_s'"),
    ("{name: joint, phase_trials: 10}", r"mode.phase_trials: unknown key"),
])  # fmt: skip
def test_a_wrong_mode_is_refused_with_its_place(mode, message):
    with pytest.raises(SpecError, match=message):
        study_of(mode)


def test_a_wrong_reward_is_refused_with_its_place():
    with pytest.raises(SpecError, match=r"strategy.reward.*'penalty' has no part in the reward 'soft'"):
        study_of("joint", "{name: evolution, reward: {form: soft, penalty: 3}}")
    with pytest.raises(SpecError, match=r"strategy.reward: .harsh. is not allowed here; did you mean .hard."):
        study_of("joint", "{name: evolution, reward: harsh}")
