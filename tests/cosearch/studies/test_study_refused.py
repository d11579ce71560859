"""What is wrong with a study is said when it is loaded, at its line, before a trial is made."""

import re

import pytest

import dovetail as dt
from dovetail.cosearch.cli import main
from dovetail.cosearch.spaces.compose import choices_of
from dovetail.cosearch.studies.load import load_study
from dovetail.cosearch.studies.repeats import search_repeats
from dovetail.errors import BadInput

STUDY = """\
name: mine
network: {space: digits_cells}
hardware: {accelerator: gemmini, search: [pes_x, pes_y]}
accuracy: {source: training_free}
strategy: {name: random}
budget: {trials: 6}
"""


@pytest.fixture
def load(tmp_path):
    def load(*changes, add="", **given):
        text = STUDY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.yaml"
        path.write_text(text + add)
        return load_study(path, **given)

    return load


@pytest.fixture
def refused(load):
    """The one line that answers a study."""

    def refused(*changes, **given):
        with pytest.raises(BadInput) as caught:
            load(*changes, **given)
        line = str(caught.value)
        assert "\n" not in line
        return line[line.find("mine.yaml") :] if "mine.yaml" in line else line

    return refused


# ---- metrics


@pytest.mark.parametrize(
    ("add", "place"),
    [
        ("objectives: [latency_s, tracking_loss_pct]", "7:25: objectives[1]"),
        ("constraints: {tracking_loss_pct: {max: 2}}", "7:15: constraints.tracking_loss_pct"),
        ("mode: {name: phase, objective: tracking_loss_pct, phase_trials: 3}", "7:21: mode.objective"),
    ],
)
def test_what_only_the_video_pipeline_gives_is_asked_of_no_other_study(refused, add, place):
    assert refused(add=add).startswith(f"mine.yaml:{place}: tracking_loss_pct is that of the video pipeline alone; ")


def test_a_life_that_is_not_described_is_no_objective_of_a_phase(refused):
    mode = "mode: {name: phase, objective: co2e_kg, phase_trials: 3}"
    assert "mode.objective: co2e_kg is that of a whole life" in refused(add=mode)


def test_the_video_pipeline_is_not_asked_for_what_it_does_not_give(refused):
    video = (("{space: digits_cells}", "{space: video_levers}"), ("accuracy: {source: training_free}", "# none"))
    costs = "objectives: [latency_s, tracking_loss_pct]\n"
    assert "7:25: objectives[1]: the video pipeline gives no error_pct; it gives latency_s, " in refused(
        *video, add="objectives: [latency_s, error_pct]"
    )
    assert "8:15: constraints.macs: the video pipeline gives no macs" in refused(
        *video, add=costs + "constraints: {macs: {max: 2}}"
    )
    assert "objectives[2]: the video pipeline gives no error_pct" in refused(*video)


# ---- hardware and networks


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("{pes_x: ['a']}", "points.pes_x[0]: 'a' is not a number"),
        ("{pes_x: [4, -4]}", "points.pes_x[1]: '-4' is not allowed; use one of 4, 8, 16, 32"),
        ("{pes_x: [4, 4]}", "points: hw.pes_x: option 4 is listed twice"),
        ("{scratchpad: ['1 mm2']}", "points.scratchpad[0]: '1 mm2' is an area; use one of 64 KiB"),
        ("{pes_z: [4]}", "points.pes_z: no parameter of gemmini named 'pes_z'; did you mean 'pes_"),
    ],
)
def test_a_value_to_try_that_a_parameter_cannot_have_is_refused(refused, points, message):
    told = refused(("[pes_x, pes_y]", f"[pes_x, pes_y], points: {points}"))
    assert re.match(r"mine\.yaml:3:\d+: hardware\.", told)
    assert message in told


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("digits_cells, options: {channels: 0}", "channels of digits_cells holds 0; write whole numbers above zero"),
        ("digits_cells, options: {cells: -1}", "cells of digits_cells holds -1; write whole numbers above zero"),
        ("digits_cells, options: {cells: 1.5}", "cells of digits_cells holds 1.5; write whole numbers above zero"),
        ("digits_cells, options: {resolution: 1}", "window does not fit a 1x1 tensor; raise the resolution"),
        ("digits_ibn, options: {operators: [foo]}", "operators are ['foo']; use some of ibn, fused"),
        ("mobilenet_s3, options: {groups: [7]}", "7 groups divide neither"),
        ("video_levers, options: {densities: [0, 1]}", "densities: 0 among them; give shares above 0 up to 1"),
    ],
)
def test_a_space_that_has_no_networks_is_refused(refused, network, message):
    told = refused(("{space: digits_cells}", f"{{space: {network}}}"), add="objectives: [latency_s]")
    assert re.match(r"mine\.yaml:2:\d+: network\.options: ", told)
    assert message in told


def test_a_gene_for_layers_that_no_network_has_is_refused(load, refused):
    def genes(text):
        return ("digits_cells", f"digits_cells, {text}")

    assert "network.bits: layers: no layer is called 'zzz*'; layers are called stem" in refused(
        genes("bits: {options: [4, 8], layers: 'zzz*', loss_pct: {4: 1}}")
    )
    assert "network.sparsity: layers: no layer is called 'zzz*'" in refused(
        genes("sparsity: {options: [dense, 0.5], layers: 'zzz*', loss_pct: {'0.5': 1}}")
    )
    stated = ("{source: training_free}", "{source: table, path: none.csv}")
    assert "none.csv" in refused(genes("bits: {options: [4, 8], layers: 'stem*', loss_pct: {4: 1}}"), stated)


def test_layers_that_only_other_networks_than_the_baseline_have_may_be_named():
    from dovetail.cosearch.spaces.compose import networks_of
    from dovetail.cosearch.spaces.network_part import NetworkPart

    genes = {"bits": {"options": [4, 8], "layers": "*.fused", "loss_pct": {}}, "options": {"kernels": [3]}}
    networks = networks_of(NetworkPart.model_validate({"space": "mobilenet_s3", **genes}))
    assert "net.bits" in networks.space.names


@pytest.mark.parametrize(
    ("gene", "message"),
    [
        ("bits: {options: [4, 8], loss_pct: {4: 200}}", "bits.loss_pct[4]: '200' is out of bounds; write at most 100"),
        ("bits: {options: [4], loss_pct: {4: -101}}", "bits.loss_pct[4]: '-101' is out of bounds; write at least -100"),
        ("sparsity: {options: [0.5], loss_pct: {'0.5': 101}}", "'101' is out of bounds; write at most 100"),
        ("recipe: {name: [imagenet_90], loss_pct: {imagenet_90: 101}}", "'101' is out of bounds; write at most 100"),
        ("exits: {s5: {share: 0.3, loss_pct: 101}}", "'101' is out of bounds; write at most 100"),
    ],
)
def test_a_loss_is_no_more_than_there_is_to_lose(refused, gene, message):
    assert message in refused(("digits_cells", f"digits_cells, {gene}"))


# ---- arguments


@pytest.mark.parametrize("given", [{"seed": 2**40}, {"trials": "4"}, {"trials": 2.5}, {"trials": True}, {"seed": -1}])
def test_trials_and_seed_are_whole_numbers_that_a_study_may_have(load, given):
    (name,) = given
    with pytest.raises(BadInput, match=rf"^{name} = .*: give a whole number from"):
        load(**given)


@pytest.mark.parametrize("study", [{"name": "mine"}, None, 3])
def test_a_study_is_named_or_a_file(study):
    with pytest.raises(BadInput, match=r"^study is of type \w+, not a name or a path"):
        dt.search(study)


def test_one_patch_may_be_given_as_text(load):
    assert load(patches="strategy?name=nsga2").strategy.name == "nsga2"
    for wrong in (3, [3]):
        with pytest.raises(BadInput, match="patches hold a value of type int; give texts"):
            load(patches=wrong)


def test_out_and_workers_are_checked(load, tmp_path):
    load()
    for given, message in (
        ({"out": ""}, "out is empty; name a folder"), ({"out": 3}, "out is of type int"),
        ({"workers": "2"}, "workers = '2': give a whole number"), ({"workers": 0}, "workers = 0: give a whole number"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=message):
            dt.search(tmp_path / "mine.yaml", **given)
    with pytest.raises(BadInput, match="2 seeds from it on go beyond"):
        search_repeats(tmp_path / "mine.yaml", 2, seed=2**32 - 1, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_command_line_refuses_before_it_writes(load, tmp_path, monkeypatch, capsys):
    load()
    monkeypatch.chdir(tmp_path)
    for words, message in (
        (["--out", ""], "--out is empty; name a folder"),
        (["--out", "out", "--seed", "99999999999"], "seed = 99999999999: give a whole number from 0 to 4294967295"),
    ):
        assert main(["cosearch", "run", "mine.yaml", *words]) == 2
        assert capsys.readouterr().err == f"error: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


# ---- names alone, and wording


def test_a_name_alone_is_a_strategy_or_a_mode_and_may_be_patched(load, refused):
    random = ("{name: random}", "random")
    assert load(random).strategy.name == "random"
    assert load(random).fingerprint() == load().fingerprint()
    patched = load(random, add="mode: joint", patches=["mode?name=nested", "strategy?name=nsga2&population=6"])
    assert (patched.mode.name, patched.strategy.options.population) == ("nested", 6)
    assert "5:1: strategy: no strategy named 'randm'; did you mean 'random'" in refused(("{name: random}", "randm"))


def test_a_patch_may_leave_a_list_empty(load):
    assert load(patches=["report?transfer=[]"]).report.transfer == []
    with pytest.raises(BadInput, match="needs a value; write at least one"):
        load(patches=["hardware.pes_x=[]"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{name: random, foo: 3}", "strategy.foo: unknown key 'foo'; it takes no options; remove it"),
        ("{name: evolution, tournament: 100}", "strategy: a tournament of 100 needs as many alive"),
    ],
)
def test_what_is_wrong_with_a_part_is_said_of_the_part(refused, change, message):
    assert message in refused(("{name: random}", change))


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("params: {max: '1 M'}", "'1 M' must be a plain number, without 'M'; write e.g. '1e6'"),
        ("error_pct: {max: '31 %'}", "'31 %' must be a plain number, without '%'; write e.g. '31'"),
        ("area_mm2: {max: '1 M'}", "'1 M' has no known unit; write e.g. '1 mm2'"),
        ("macs: {max: many}", "'many' is not a number; write e.g. '64'"),
        ("error_pct: {max: true}", "error_pct.max: 'true' is no limit; write a quantity, or baseline"),
    ],
)
def test_a_limit_is_told_how_to_be_written(refused, limit, message):
    assert message in refused(add=f"constraints: {{{limit}}}")


def test_limits_and_what_breaks_them_are_told_apart():
    from dovetail.cosearch.cli.metric_words import texts_apart
    from dovetail.cosearch.studies.evaluator import exceeded

    assert texts_apart("params", (10.0, 4770.0)) == ["10", "4,770"]
    assert texts_apart("params", (1e6, 1e6 + 2)) == ["1 M", "1.000002 M"]
    assert texts_apart("error_pct", (0.01, 0.02)) == ["0.01 %", "0.02 %"]
    assert texts_apart("error_pct", (31.01, 31.02)) == ["31.01 %", "31.02 %"]
    assert exceeded({"params": 1e6 + 2}, {"params": 1e6})[0] == "params 1.000002 exceeds 1 M"


# ---- what would have no effect


def test_a_phase_that_leaves_no_trial_to_the_networks_is_refused(refused, load):
    line = refused(add="mode: phase")
    assert "budget.trials: all 6 trials would go to the hardware (phase_trials: 100); give more trials" in line
    assert load(add="mode: phase", trials=101).budget.trials == 101
    assert "phase_trials: 100" in refused(add="mode: phase", trials=100)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{space: digits_cells}", "{space: digits_cells, only: {net.edge_01: [none, nothing]}}", "'nothing' is not an"),
        ("{space: digits_cells}", "{space: digits_cells, only: {net.edge_01: []}}", "keeps no option"),
        (
            "{space: digits_cells}", "{space: digits_cells, only: {net.edge_01: [none], net.edge_*: [skip_connect]}}",
            "leaves no option of net.edge_01; it offers none",
        ),
        ("search: [pes_x, pes_y]", "search: [pes_x], points: {pes_y: [4]}", "'pes_y' has points but is not searched"),
    ],
)  # fmt: skip
def test_options_and_points_that_would_be_passed_over_are_refused(refused, old, new, told):
    assert told in refused((old, new))


def test_points_where_tables_sweep_all_hardware_are_refused(refused):
    line = refused(
        ("gemmini, search: [pes_x, pes_y]", "edge_tpu, search: [pes_x]"),
        add="mode: {name: nested, points: 7}\nmapper: {name: tables}\n",
    )
    assert "mode.points: tables sweep all hardware, so that no points are sampled; remove points" in line


def test_of_two_lines_that_keep_options_of_one_choice_both_hold(load):
    kept = "only: {net.edge_*: [none, skip_connect], net.edge_01: [skip_connect, nor_conv_1x1]}"
    spec = load(("{space: digits_cells}", "{space: digits_cells, " + kept + "}"))
    assert choices_of(spec.network).choice("net.edge_01").options == ("skip_connect",)
