"""Patches of studies: what they fix, and what of a study they reach."""

import pytest

from dovetail.cosearch.studies.evaluator import StudyEvaluator
from dovetail.cosearch.studies.load import load_study
from dovetail.errors import BadInput

STUDY = """\
name: mine
network: {space: digits_cells}
hardware: {accelerator: gemmini, search: [pes_x, pes_y, scratchpad]}
accuracy: {source: training_free}
budget: {trials: 6}
"""


@pytest.fixture
def load(tmp_path):
    def load(*patches, text=STUDY):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return load_study(path, patches=patches)

    return load


@pytest.mark.parametrize("patch", ["columns?x=8", "pes_x=8", "hardware.pes_x=8", "hardware.columns?x=8", "pes_x=7"])
def test_a_parameter_that_a_patch_fixes_drops_out_of_the_search(load, patch):
    study = StudyEvaluator(load(patch))
    assert study.hardware.names == ("hw.pes_y", "hw.scratchpad")
    assert study.accelerator.values["pes_x"] == int(patch[-1])


def test_values_to_try_of_a_parameter_that_a_patch_fixes_are_left_out(load):
    text = STUDY.replace("scratchpad]", "scratchpad], points: {pes_x: [4, 8]}")
    assert StudyEvaluator(load(text=text)).hardware.choice("hw.pes_x").options == (4, 8)
    assert StudyEvaluator(load("pes_x=16", text=text)).hardware.names == ("hw.pes_y", "hw.scratchpad")


def test_a_parameter_whose_formula_a_patch_overwrites_drops_out_of_the_search(load):
    text = STUDY.replace("gemmini, search: [pes_x, pes_y, scratchpad]", "eyeriss, search: [pes_x, glb_size]")
    assert StudyEvaluator(load("glb?size=256 KiB", text=text)).hardware.names == ("hw.pes_x",)


def test_the_documented_patches_of_a_shipped_study_are_taken():
    study = load_study("edge_imagenet", patches=["stage2.block*?kernel=5", "pes?y=2", "strategy?population=10"])
    assert "hw.pes_y" not in StudyEvaluator(study).hardware.names
    assert study.strategy.options.population == 10


def test_a_parameter_that_the_spec_itself_fixes_is_refused_still(load):
    text = STUDY.replace("gemmini, search: [pes_x, pes_y, scratchpad]", "eyeriss, search: [clock_energy]")
    with pytest.raises(BadInput, match=r"mine\.yaml:3:\d+: hardware\.search: hw\.clock_energy: .*is fixed at 4"):
        load(text=text)


def test_a_patch_that_names_another_strategy_leaves_out_the_options_of_the_study_and_no_patch(load):
    text = STUDY + "strategy: {name: nsga2, population: 10, around_first: 0.5}\n"
    for patches in (["strategy?name=linas&population=8"], ["strategy?population=8", "strategy?name=linas"]):
        strategy = load(*patches, text=text).strategy
        assert (strategy.name, strategy.options.population) == ("linas", 8)
    assert load("strategy?name=nsga2", text=text).strategy.options.around_first == 0.5
    with pytest.raises(BadInput, match="unknown key 'around_first'"):
        load("strategy?around_first=1", "strategy?name=linas", text=text)


@pytest.mark.parametrize(
    ("patches", "name", "population"),
    [
        (["strategy?population=8", "strategy=linas"], "linas", 8),
        (["strategy=linas", "strategy?population=8"], "linas", 8),
        (["strategy?name=linas", "strategy?name=nsga2"], "nsga2", 10),
        (["strategy=linas&seed=3"], "linas", 50),
    ],
)
def test_patches_of_a_strategys_name_and_options_commute(load, patches, name, population):
    study = load(*patches, text=STUDY + "strategy: {name: nsga2, population: 10, around_first: 0.5}\n")
    assert (study.strategy.name, study.strategy.options.population) == (name, population)
    assert study.seed == (3 if "&seed" in patches[0] else 1)


def test_a_wrong_option_of_a_choice_is_told_though_a_key_of_the_study_is_called_alike(tmp_path, monkeypatch):
    (tmp_path / "alike.py").write_text(
        "from dovetail.cosearch.spaces.networks import network_space\n"
        "from dovetail.cosearch.spaces.space import Choice, Space\n"
        "CELLS = network_space('digits_cells')\n"
        "class Alike:\n"
        "    name, space = 'alike', Space((Choice('net.model', ('a', 'b')),))\n"
        "    def build(self, values):\n"
        "        return CELLS.build(CELLS.baseline())\n"
        "    def baseline(self):\n"
        "        return {'net.model': 'a'}\n"
        "    def key(self, values):\n"
        "        return values['net.model']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(STUDY.replace("digits_cells", "'alike:Alike'"))
    with pytest.raises(BadInput, match=r"net\.model: 'zz' is not an option; choose one of 'a', 'b'"):
        load_study(path, patches=["model=zz"])


@pytest.mark.parametrize("patch", ["budget.trials=9&seed=3", "strategy.name=linas&population=8"])
def test_a_path_before_several_changes_is_told_how_to_end(patch):
    with pytest.raises(BadInput, match=r"several changes ends with '\?'; write (budget|strategy)\?name=value&"):
        load_study("edge_imagenet", patches=[patch])


def test_of_two_patches_of_one_choice_the_later_wins(load):
    study = StudyEvaluator(load("edge_01=none", "edge_01=skip_connect", "pes_x=4", "pes_x=8"))
    assert study.space.choice("net.edge_01").options == ("skip_connect",)
    assert study.accelerator.values["pes_x"] == 8


def test_a_misspelt_patch_is_answered_with_what_is_near_alone():
    with pytest.raises(BadInput) as caught:
        load_study("edge_imagenet", patches=["pess?y=2"])
    assert str(caught.value) == "patch 'pess?y=2': edge_tpu has nothing called 'pess'; did you mean 'pes'?"


@pytest.mark.parametrize(
    ("patch", "key"), [("strategi?population=9", "strategy"), ("seeed=3", "seed"), ("budgt.trials=9", "budget")]
)
def test_a_key_of_the_study_is_near_too(patch, key):
    with pytest.raises(
        BadInput, match=f"neither the study nor its networks or hardware have '.*'; did you mean '{key}'"
    ):
        load_study("edge_imagenet", patches=[patch])


def test_a_patch_that_nothing_is_near_names_some_of_what_there_is():
    with pytest.raises(BadInput, match=r"choices are resolution, .* and \d+ more; .*edge_tpu has nothing called"):
        load_study("edge_imagenet", patches=["qqqq?zz=2"])
