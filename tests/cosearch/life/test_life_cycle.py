"""From an estimate to a life cycle, and the command that prints it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import dovetail as dt
from dovetail.cosearch.cli import main
from dovetail.cosearch.life import Deployment
from dovetail.cosearch.life.figures import phases_info, plot_life, uses_info
from dovetail.cosearch.life.made import made_of
from dovetail.cosearch.life.published import published_accuracy
from dovetail.cosearch.life.spent import SearchCost
from dovetail.energy.carbon import die_footprint, grid
from dovetail.energy.life import PHASES
from dovetail.errors import BadInput, UnknownName

YEAR_S = 31536000.0


@pytest.fixture(scope="module")
def spotter() -> dt.Estimate:
    return dt.estimate(dt.load_network("ds_cnn_kws"), dt.load_accelerator("edge_tpu"), mapper="annealing")


def test_each_phase_is_what_a_hand_calculation_gives(spotter: dt.Estimate) -> None:
    where = Deployment(devices=10, years=2, lifetime_years=4, grid="FRA", training_grid="coal", pue=1.2,
                       idle_power="5 mW", refreshes=2, dram="512 MiB")  # fmt: skip
    life = dt.life_cycle(spotter, 1e8, training="3 kWh", search="1 kWh", accuracy=0.9, deployment=where)
    france, coal = grid("FRA").kg_per_j, grid("coal").kg_per_j
    waiting_s = 10 * 2 * YEAR_S - 1e8 * spotter.latency_s
    assert list(life.phases) == list(PHASES)
    assert life.phases["search"].energy_j == pytest.approx(3.6e6 * 1.2)
    assert life.phases["training"].energy_j == pytest.approx(3 * 3 * 3.6e6 * 1.2)
    assert life.phases["training"].co2e_kg == pytest.approx(3 * 3 * 3.6e6 * 1.2 * coal)
    assert life.phases["inference"].energy_j == pytest.approx(1e8 * spotter.energy_j)
    assert life.phases["inference"].co2e_kg == pytest.approx(1e8 * spotter.energy_j * france)
    assert life.phases["idle"].energy_j == pytest.approx(waiting_s * 5e-3)
    die = die_footprint(spotter.area_mm2, spotter.accelerator.technology_nm)
    assert life.phases["embodied"].parts["die"].co2e_kg == pytest.approx(10 * die.co2e_kg / 2)
    assert life.g_mui() == pytest.approx(
        0.9 / (1e8 * spotter.energy_j + life.phases["training"].energy_j + life.phases["search"].energy_j)
    )


def test_the_total_is_as_uncertain_as_its_parts(spotter: dt.Estimate) -> None:
    life = dt.life_cycle(spotter, 1e10, training="1 Wh")
    parts = {
        f"{phase}.{part}": amount.co2e_kg for phase, one in life.phases.items() for part, amount in one.parts.items()
    }
    assert life.spreads["inference.uses"] == pytest.approx(spotter.uncertainty().energy_j.relative)
    assert life.spreads["idle.idle"] == pytest.approx(spotter.uncertainty().leakage_w.relative)
    assert life.sd("co2e_kg") == pytest.approx(
        math.hypot(*(life.spreads.get(key, 0) * kg for key, kg in parts.items()))
    )
    assert "training.base" not in life.spreads
    assert dt.life_cycle(spotter, 1.0, training=None, uncertainty=False).sd("co2e_kg") == 0.0


def test_waiting_is_split_between_idle_and_standby(spotter: dt.Estimate) -> None:
    where = Deployment(idle_power="4 mW", standby_power="1 mW", standby_share=0.75)
    parts = dt.life_cycle(spotter, 0.0, training=None, deployment=where).phases["idle"].parts
    assert parts["idle"].energy_j == pytest.approx(3 * YEAR_S * 0.25 * 4e-3)
    assert parts["standby"].energy_j == pytest.approx(3 * YEAR_S * 0.75 * 1e-3)


def test_several_designs_are_compared_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "edge_tpu", "--mapper", "annealing", "--training", "2 kWh"]
    words += ["--against", "gemmini", "--against", "gap9"]
    assert main([*words, "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["against"]] == ["ds_cnn_kws on gemmini", "ds_cnn_kws on gap9"]
    assert len(told["break_even"]) == 2
    assert main(words) == 0
    assert "Best by carbon:" in capsys.readouterr().out


def test_a_batch_serves_as_many_uses(spotter: dt.Estimate) -> None:
    one, four = (dt.life_cycle(spotter, 1e6, training=None, batch=batch) for batch in (1, 4))
    assert four.phases["inference"].energy_j == pytest.approx(one.phases["inference"].energy_j / 4)


def test_training_is_that_of_the_network_for_one_sample(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "--mapper", "annealing", "--uses", "1e6", "--json", "-"]
    told = []
    for more in (["edge_tpu"], ["edge_tpu", "--batch", "4"], ["nvdla"]):  # nvdla fuses operators, which trains nothing
        assert main([*words, *more]) == 0
        told.append(json.loads(capsys.readouterr().out)["phases"]["training"]["energy_j"])
    assert told == pytest.approx([told[0]] * 3, rel=1e-12)


def test_a_recipe_for_several_uses_a_run_needs_the_network(spotter: dt.Estimate) -> None:
    with pytest.raises(BadInput, match="network for one sample"):
        dt.life_cycle(spotter, 1.0, batch=4)
    one = dt.load_network("ds_cnn_kws")
    assert dt.life_cycle(spotter, 1.0, batch=4, network=one).phases["training"].energy_j > 0


def test_what_is_stated_of_the_device_leaves_the_training_hardware(spotter: dt.Estimate) -> None:
    run = dt.estimate_training(dt.load_network("ds_cnn_kws"), recipe="digits", mapper="roofline")
    own = Deployment(die_yield=0.5, die="500 kg", dram="64 GiB", storage=("nand_tlc_v3", "1 TB"))
    lives = [dt.life_cycle(spotter, 1.0, training=run, deployment=where) for where in (Deployment(), own)]
    made = [life.phases["embodied"].parts["training hardware"].co2e_kg for life in lives]
    assert made[0] == made[1] > 0


def test_training_on_a_chip_of_an_unknown_fab_says_what_is_not_counted(spotter: dt.Estimate) -> None:
    run = dt.estimate_training(dt.load_network("ds_cnn_kws"), "eyeriss", recipe="digits", mapper="roofline")
    life = dt.life_cycle(spotter, 1.0, training=run)
    assert "training hardware" not in life.phases["embodied"].parts
    assert any("not counted: eyeriss: no published fab figures" in note for note in life.notes)


def test_modelled_training_is_uncertain_and_the_sources_name_all(spotter: dt.Estimate) -> None:
    run = dt.estimate_training(dt.load_network("ds_cnn_kws"), recipe="digits", mapper="roofline")
    life = dt.life_cycle(spotter, 1.0, training=run)
    assert life.spreads["training.base"] == 0.5
    assert set(spotter.sources()) <= set(life.sources)
    assert set(run.sources()) <= set(life.sources)


def test_a_search_that_trains_wears_machines_out(spotter: dt.Estimate) -> None:
    run = dt.estimate_training(dt.load_network("ds_cnn_kws"), recipe="digits", mapper="roofline")
    search = SearchCost(100, 0.0, 0.01)
    life = dt.life_cycle(spotter, 1.0, training=run, search=search, deployment=Deployment(refreshes=3))
    made = life.phases["embodied"].parts
    assert made["search hardware"].co2e_kg == pytest.approx(made["training hardware"].co2e_kg / 4)
    assert life.phases["search"].energy_j == pytest.approx(life.phases["training"].energy_j / 4)


def test_a_stated_die_is_not_that_of_a_chip_with_a_known_fab(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "--mapper", "annealing", "--training", "none", "--json", "-"]
    assert main([*words, "eyeriss", "--die", "5 g", "--against", "eyeriss_chip", "--against", "gap9"]) == 0
    told = json.loads(capsys.readouterr().out)
    dies = [one["phases"]["embodied"]["parts"]["die"]["co2e_kg"] for one in (told, *told["against"])]
    assert dies[:2] == [0.005, 0.005]
    assert main([*words, "gap9"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert dies[2] == alone["phases"]["embodied"]["parts"]["die"]["co2e_kg"]


def test_a_memory_named_like_a_part_keeps_its_own(tmp_path: Path) -> None:
    spec = (Path(dt.__file__).parent / "configs" / "accelerators" / "edge_tpu.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(spec.replace("name: dram", "name: packages", 1))
    parts, _ = made_of(dt.load_accelerator(path), Deployment(dram="1 GiB"))
    usual, _ = made_of(dt.load_accelerator("edge_tpu"), Deployment(dram="1 GiB"))
    assert parts["packages memory"].co2e_kg == usual["dram"].co2e_kg
    assert parts["packages"].co2e_kg == usual["packages"].co2e_kg


def test_standby_counts_for_its_share_of_the_waiting(spotter: dt.Estimate) -> None:
    with pytest.raises(BadInput, match="flows for no time"):
        Deployment(standby_power="1 mW")
    life = dt.life_cycle(
        spotter, 1.0, training=None, deployment=Deployment(standby_power="20 W", standby_share=0.5, idle_power="1 mW")
    )
    assert any("takes more while it waits (10 W)" in note for note in life.notes)


def test_a_device_that_takes_more_waiting_than_in_use_is_told(spotter: dt.Estimate) -> None:
    life = dt.life_cycle(spotter, 1.0, training=None, deployment=Deployment(idle_power="50 W"))
    assert any("takes more while it waits (50 W)" in note for note in life.notes)


def test_a_search_spends_its_trials_and_their_share_of_a_training(spotter: dt.Estimate) -> None:
    life = dt.life_cycle(spotter, 1.0, training="10 kWh", search=SearchCost(100, 3.6e4, 0.01))
    assert life.phases["search"].energy_j == pytest.approx((100 * 3.6e4 + 10 * 3.6e6) * 1.1)


def test_named_trainings_are_parts_of_the_phase(spotter: dt.Estimate) -> None:
    life = dt.life_cycle(spotter, 1.0, training={"base": "2 kWh", "pruning": 3.6e6})
    assert set(life.phases["training"].parts) == {"base", "pruning"}
    assert life.phases["training"].energy_kwh == pytest.approx(3.3)


def test_training_in_the_best_hours_emits_less(spotter: dt.Estimate, tmp_path: Path) -> None:
    hours = tmp_path / "sunny.csv"
    rows = [f"{hour},{100 if 10 <= hour < 16 else 500}" for hour in range(24)]
    hours.write_text("hour,carbon_intensity_g_per_kwh\n" + "\n".join(rows) + "\n")
    run = dt.estimate_training(dt.load_network("ds_cnn_kws"), recipe="digits", mapper="roofline")
    lives = [
        dt.life_cycle(spotter, 1.0, training=run, deployment=Deployment(training_grid=str(hours), best_hours=best))
        for best in (False, True)
    ]
    assert lives[1].phases["training"].co2e_kg < lives[0].phases["training"].co2e_kg
    assert lives[1].phases["training"].energy_j == lives[0].phases["training"].energy_j
    stated = dt.life_cycle(spotter, 1.0, training="1 kWh", deployment=Deployment(grid=str(hours), best_hours=True))
    assert any("what is stated takes the grid's mean" in note for note in stated.notes)


def test_a_modelled_training_brings_its_share_of_the_machines(spotter: dt.Estimate) -> None:
    run = dt.estimate_training(dt.load_network("mobilenet_v2"), recipe="imagenet_300", devices=8, mapper="roofline")
    life = dt.life_cycle(spotter, 1.0, training=run)
    assert life.phases["training"].energy_j == pytest.approx(1.1 * run.energy_j)
    assert life.phases["embodied"].parts["training hardware"].co2e_kg > 0
    assert any("imagenet_300 on 8 x a100" in note for note in life.notes)


def test_the_published_accuracy_is_found_by_work_and_weights() -> None:
    assert published_accuracy(dt.load_network("mobilenet_v2"))[0] == 0.718
    assert published_accuracy(dt.load_network("mobilenet_v2", width=0.5))[0] == 0.654
    assert published_accuracy(dt.load_network("bert_base"))[0] is None


def test_a_network_without_a_recipe_says_that_no_training_is_counted(spotter: dt.Estimate) -> None:
    network = dt.Network("own", spotter.network.layers)
    life = dt.life_cycle(dt.estimate(network, spotter.accelerator, mapper="annealing"), 1.0)
    assert life.phases["training"].energy_j == 0.0
    assert any("no recipe of its own" in note for note in life.notes)


def test_the_picture_shows_totals_and_phases(spotter: dt.Estimate, tmp_path: Path) -> None:
    dirty, clean = (Deployment(grid=name, training_grid="world", idle_power="0 W") for name in ("coal", "wind"))
    one = dt.life_cycle(spotter, 1e6, training="1 Wh", name="one", deployment=dirty)
    other = dt.life_cycle(spotter, 1e6, training="3 Wh", name="other", deployment=clean)
    info = uses_info([one, other])
    assert info.totals.shape == (2, len(info.uses))
    assert len(info.reversals) == 1
    assert phases_info([one, other]).amounts.shape == (2, len(PHASES))
    assert plot_life([one, other], tmp_path / "life.png").stat().st_size > 10_000
    assert plot_life([one], tmp_path / "one.svg").is_file()
    with pytest.raises(BadInput, match="cannot be written"):
        plot_life([one], tmp_path / "no" / "folder.png")


def test_the_command_prints_phases_that_sum_to_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "edge_tpu", "--mapper", "annealing", "--training", "2 kWh", "--grid", "FRA"]
    assert main([*words, "--uses", "1e6", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["phases"]) == set(PHASES)
    for quantity in ("energy_j", "co2e_kg"):
        parts = math.fsum(phase[quantity] for phase in told["phases"].values())
        assert parts == pytest.approx(told["total"][quantity], rel=1e-9)
    assert told["g_mui"] is None
    assert main([*words, "--against", "gemmini"]) == 0
    said = capsys.readouterr().out
    assert "By carbon:" in said
    assert "total" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--uses", "-5"], "'-5' uses are impossible"),
        (["--uses", "many"], "'many' is not a number"),
        (["--grid", "atlantis"], "no grid named 'atlantis'"),
        (["--fab-grid", "tawian"], "did you mean"),
        (["--pue", "0.5"], "pue is 0.5"),
        (["--devices", "0"], "devices is 0"),
        (["--devices", "few"], "'few' is not a number"),
        (["--years", "-1"], "years is -1"),
        (["--training", "imagenet_91"], "did you mean 'imagenet_90'"),
        (["--training", "3 m"], "an energy is needed"),
        (["--training", "a=1 kWh", "--training", "2 kWh"], "write NAME=WHAT"),
        (["--training", "a=1 kWh", "--training", "a=2 kWh"], "is there twice"),
        (["--training", "-3 kWh"], "'-3 kWh' is too small"),
        (["--training", "none", "--training", "2 kWh"], "for each of several entries"),
        (["--uses", "1e300"], "a number from 0 to 1e+24"),
        (["--best-hours"], "has no hourly series"),
        (["--search", "long"], "'long' is no energy"),
        (["--idle-power", "5"], "has no unit"),
        (["--idle-power", "5 J"], "power is needed"),
        (["--standby", "5 J"], "power is needed"),
        (["--standby-share", "1.5"], "not a share"),
        (["--die-yield", "1.5"], "not a share"),
        (["--die-yield", "murfy"], "did you mean 'murphy'"),
        (["--abatement", "0.5"], "0.95"),
        (["--storage", "32 GB"], "write KIND=SIZE"),
        (["--storage", "nand_tlc_v3=0 GB"], "storage is 0; it must be above 0"),
        (["--storage", "nand_tlc_v4=32 GB"], "did you mean 'nand_tlc_v3'"),
        (["--picture", "life.txt"], "pictures are .png"),
        (["--picture", "life.svg", "--json", "life.svg"], "name another one"),
        (["--accuracy", "72"], "not a share from 0 to 1"),
        (["--tau", "-1"], "tau is -1"),
        (["--against", "gemini"], "did you mean 'gemmini'"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["life-cycle", "ds_cnn_kws", "edge_tpu", "--mapper", "annealing", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_a_node_that_no_fab_table_covers_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "eyeriss", "--mapper", "annealing", "--training", "none"]
    assert main(words) == 2
    assert "65" in capsys.readouterr().err


def test_impossible_deployments_are_refused() -> None:
    with pytest.raises(UnknownName, match="no grid named 'atlantis'"):
        Deployment(grid="atlantis")
    with pytest.raises(BadInput, match="refreshes is -1"):
        Deployment(refreshes=-1)
    with pytest.raises(BadInput, match="lifetime_years is 0"):
        Deployment(lifetime_years=0)
    with pytest.raises(BadInput, match="trials is -1"):
        SearchCost(-1)
    for storage in ("nand_tlc_v3", ("nand_tlc_v3",), (3, "32 GB")):
        with pytest.raises(BadInput, match="give a kind and a size"):
            Deployment(storage=storage)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="did you mean 'murphy'"):
        Deployment(die_yield="murpy")
    with pytest.raises(BadInput, match=r"abatement is 0\.5"):
        Deployment(abatement=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": [1]}, "training is of type list"),
        ({"training": True}, "training is of type bool"),
        ({"training": -3.0}, "cannot be spent"),
        ({"search": [1]}, "is no energy"),
        ({"search": SearchCost(10, 5.0, 0.5)}, "share of a training, but none is counted"),
        ({"deployment": {"grid": "FRA"}}, "make one with Deployment"),
        ({"batch": 1.5}, "batch is 1.5"),
        ({"uses": "many"}, "uses is many"),
    ],
)
def test_what_is_no_life_is_refused(spotter: dt.Estimate, change: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        dt.life_cycle(spotter, **{"uses": 1.0, "training": None, **change})  # type: ignore[arg-type]


def test_none_of_several_trainings_is_left_out(spotter: dt.Estimate) -> None:
    life = dt.life_cycle(spotter, 1.0, training={"base": "none", "pruning": ".5 kWh", "tuning": None})
    assert set(life.phases["training"].parts) == {"pruning"}


def test_a_design_is_compared_with_its_like(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["life-cycle", "ds_cnn_kws", "edge_tpu", "--mapper", "annealing", "--training", "none"]
    assert main([*words, "--against", "edge_tpu", "--picture", str(tmp_path / "same.svg")]) == 0
    said = capsys.readouterr().out
    assert "edge_tpu (2)" in said
    assert "the two cost the same" in said
    assert main([*words, "--uses", "1e24", "--picture", str(tmp_path / "often.svg")]) == 0
