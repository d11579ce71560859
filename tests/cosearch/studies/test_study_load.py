import re

import pytest
import yaml

from dovetail.cosearch.accuracy import table
from dovetail.cosearch.studies.load import load_study, study_text
from dovetail.document import shipped
from dovetail.errors import BadInput, SpecError, UnknownName

GOOD = """\
name: mine
network: {space: mobilenet_ibn}
hardware:
  accelerator: edge_tpu
  search: [pes_x, bandwidth]
baseline: {network: mobilenet_v2, accelerator: edge_tpu}
constraints:
  area_mm2: {max: 50 mm2}
strategy: {name: nsga2, population: 10}
budget: {trials: 20}
"""


@pytest.fixture
def load(tmp_path):
    def load(text, **overrides):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return load_study(path, **overrides)

    return load


def test_shipped_study_searches_the_seven_parameters_under_the_baselines_area():
    study = load_study("edge_imagenet")
    assert len(study.hardware.search) == 7
    assert study.limits({"area_mm2": 42.0}) == {"area_mm2": 42.0}
    assert study.budget.trials >= 300


def test_limits_have_units_and_come_out_in_si(load):
    text = GOOD.replace("area_mm2: {max: 50 mm2}", "latency_s: {max: 3 ms}\n  energy_j: {max: 2 mJ}")
    assert load(text).limits({}) == {"latency_s": 3e-3, "energy_j": 2e-3}


def test_overrides_replace_budget_and_seed(load):
    study = load(GOOD, trials=7, seed=9)
    assert (study.budget.trials, study.seed) == (7, 9)


def test_effective_study_reads_back_the_same(load, tmp_path):
    study = load(GOOD, trials=7, seed=9)
    (tmp_path / "again.yaml").write_text(study_text(study))
    again = load_study(tmp_path / "again.yaml")
    assert again == study
    assert again.fingerprint() == study.fingerprint()


def test_fingerprint_ignores_the_budget_and_prose_but_not_the_seed(load):
    prints = [load(GOOD, trials=t, seed=s).fingerprint() for t, s in ((5, 1), (9, 1), (5, 2))]
    assert prints[0] == prints[1] != prints[2]
    assert load("description: other words\n" + GOOD).fingerprint() == prints[0]
    assert load(GOOD.replace("population: 10", "population: 10, crossover: 0.9")).fingerprint() == prints[0]


def test_accelerators_beside_the_study_are_found_from_anywhere(load, tmp_path, monkeypatch):
    (tmp_path / "chip.yaml").write_text(shipped("accelerators")["edge_tpu"].read_text())
    monkeypatch.chdir("/")
    study = load(GOOD.replace("accelerator: edge_tpu\n", "accelerator: chip.yaml\n"))
    assert study.hardware.accelerator == str(tmp_path / "chip.yaml")


def test_every_file_beside_the_study_is_found_from_anywhere(load, tmp_path, monkeypatch):
    beside = {"recipe.yaml": ("training", "imagenet_90"), "machine.yaml": ("accelerators", "a100"),
              "net.yaml": ("networks", "ds_cnn_kws")}  # fmt: skip
    for name, (kind, what) in beside.items():
        (tmp_path / name).write_text(shipped(kind)[what].read_text())
    monkeypatch.chdir("/")
    recipes = "{name: [imagenet_90, recipe.yaml], loss_pct: {recipe.yaml: 0.5}}"
    genes = f"recipe: {recipes}, only: {{net.recipe.name: [recipe.yaml]}}"
    spec = load(GOOD.replace("{space: mobilenet_ibn}", f"{{space: mobilenet_ibn, {genes}}}") + """\
life_cycle: {uses: 1e9, training: recipe.yaml, training_hardware: machine.yaml}
report: {transfer: [net.yaml, resnet18]}
""")
    recipe = str(tmp_path / "recipe.yaml")
    assert spec.network.recipe.name == ["imagenet_90", recipe]
    assert spec.network.recipe.loss_pct == {recipe: 0.5}
    assert spec.network.only == {"net.recipe.name": [recipe]}
    assert (spec.life_cycle.training, spec.life_cycle.training_hardware) == (recipe, str(tmp_path / "machine.yaml"))
    assert spec.report.transfer == [str(tmp_path / "net.yaml"), "resnet18"]


def test_a_key_is_named_once_where_it_is_wrong(load, monkeypatch):
    monkeypatch.delenv("DOVETAIL_REFERENCE", raising=False)
    monkeypatch.setattr(table, "reference_folder", lambda _: None)
    with pytest.raises(SpecError, match=r"mine\.yaml:11:27: accuracy\.path: 'reference:none\.csv' is in the reference"):
        load(GOOD + "accuracy: {source: table, path: 'reference:none.csv'}\n")
    with pytest.raises(SpecError, match=r"mine\.yaml:11:30: accuracy\.function: 'no_such_module' cannot be imported"):
        load(GOOD + "accuracy: {source: function, function: 'no_such_module:top1'}\n")


BROKEN = [
    ("budget: {trials: 20}", "budget: {trials: 0}", r"10:10: budget\.trials: .*write at least 1"),
    ("budget: {trials: 20}", "budget: {trials: many}", r"10:10: budget\.trials: 'many' is not a whole number"),
    ("budget: {trials: 20}", "", r"budget: is missing; add 'budget:'"),
    ("name: mine", "name: mine\nsed: 3", r"2:1: sed: unknown key 'sed'; did you mean 'seed'"),
    ("name: mine", "name: mine\nseed: -3", r"2:1: seed: "),
    ("name: mine", "name: mine\nobjectives: [latency_s, enrgy_j]",
     r"2:25: objectives\[1\]: no objective named 'enrgy_j'; did you mean 'energy_j'"),
    ("name: mine", "name: mine\nobjectives: []", r"2:1: objectives: "),
    ("name: mine", "name: mine\nobjectives: [edp, edp]", r"2:1: objectives: 'edp' is listed twice"),
    ("space: mobilenet_ibn", "space: mobilnet", r"2:11: network\.space: no network space named 'mobilnet'; did you"),
    ("name: nsga2, population: 10", "name: nsga3", r"9:12: strategy\.name: .*did you mean 'nsga2'"),
    ("population: 10", "popluation: 10", r"9:25: strategy\.popluation: unknown key .*did you mean 'population'"),
    ("population: 10", "population: 1", r"9:25: strategy\.population: "),
    ("{max: 50 mm2}", "{max: 50}", r"8:3: constraints\.area_mm2: '50' has no unit; write"),
    ("{max: 50 mm2}", "{max: 50 ms}", r"8:3: constraints\.area_mm2: .*area"),
    ("area_mm2:", "aera_mm2:", r"8:3: constraints\.aera_mm2: unknown key .*'area_mm2'"),
    ("baseline: {network: mobilenet_v2, accelerator: edge_tpu}\nconstraints:\n  area_mm2: {max: 50 mm2}",
     "constraints:\n  area_mm2: {max: baseline}", r"refers to the baseline, and there is none"),
    ("accelerator: edge_tpu\n", "accelerator: edge_tpo\n", r"4:3: hardware\.accelerator: .*did you mean 'edge_tpu'"),
    ("[pes_x, bandwidth]", "[pes_z, bandwidth]", r"5:12: hardware\.search\[0\]: .*did you mean 'pes_"),
    ("network: mobilenet_v2", "network: mobilenet_v9", r"6:12: baseline\.network: .*did you mean"),
    ("{space: mobilenet_ibn}", "{space: mobilenet_ibn, only: {net.reso: [224]}}", r"2:33: network\.only: "),
    ("name: mine", "name: mine\nmapper: {name: anneal}", r"2:10: mapper\.name: no mapper named 'anneal'; did you mean"),
    ("name: mine", "name: mine\nmapper: {objective: enrgy}", r"2:10: mapper\.objective: .*did you mean 'energy'"),
    ("{space: mobilenet_ibn}", "{space: mobilenet_ibn, only: {net.resolution: [225]}}", r"225 is not an option"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_a_wrong_study_is_answered_with_place_and_remedy(load, old, new, message):
    assert old in GOOD
    with pytest.raises(SpecError, match=rf"mine\.yaml:{message}" if re.match(r"\d+:", message) else message):
        load(GOOD.replace(old, new))


def test_all_problems_are_reported_at_once(load):
    text = GOOD.replace("mobilenet_ibn", "x").replace("population", "popul").replace("trials: 20", "trials: -1")
    with pytest.raises(SpecError) as caught:
        load("colour: red\n" + text)
    assert len(caught.value.problems) == 4


def test_an_empty_study_is_bad_input(load):
    with pytest.raises(SpecError, match="the file is empty"):
        load("")


def test_a_missing_study_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(UnknownName, match="did you mean 'edge_imagenet'"):
        load_study("edge_imagnet")


@pytest.mark.parametrize("override", [{"trials": 0}, {"seed": -1}])
def test_overrides_are_checked_like_the_study(load, override):
    with pytest.raises(BadInput, match="give a whole number from"):
        load(GOOD, **override)


def test_options_of_choices_can_be_narrowed_by_pattern(load):
    from dovetail.cosearch.studies.evaluator import network_choices

    study = load(GOOD.replace("{space: mobilenet_ibn}", '{space: mobilenet_ibn, only: {"net.b*.kernel": [3, 5]}}'))
    space = network_choices(study)
    assert space.choice("net.b07.kernel").options == (3, 5)
    assert yaml.safe_load(study_text(study))["network"]["only"] == {"net.b*.kernel": [3, 5]}


@pytest.mark.parametrize(
    ("strategy", "place"),
    [
        ("{name: evolution, reward: {weights: {area_mm2: 1}}}", "strategy.reward.weights.area_mm2"),
        ("{name: differentiable, weights: {area_mm2: 1}}", "strategy.weights.area_mm2"),
    ],
)
def test_a_weight_of_what_is_no_objective_is_refused(load, strategy, place):
    text = GOOD.replace("{name: nsga2, population: 10}", strategy)
    with pytest.raises(SpecError, match="area_mm2 is no objective") as caught:
        load(text)
    assert caught.value.problems[0].path == place
    assert load(text.replace("area_mm2: 1}", "latency_s: 1}")).strategy.options


def test_a_phase_may_weigh_its_own_objective(load):
    text = GOOD.replace("{name: nsga2, population: 10}", "{name: evolution, reward: {weights: {edp: 1}}}")
    assert load(text + "mode: {name: phase, objective: edp, phase_trials: 9}\n").mode.name == "phase"
