"""Genes, dataflows and patches in a study, with costs that stand in for a mapper's."""

from dataclasses import dataclass

import pytest

from dovetail.cosearch.accuracy.source import Refusal
from dovetail.cosearch.spaces.compose import networks_of
from dovetail.cosearch.spaces.dataflow import DATAFLOW, dataflow_constraints
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.studies.evaluator import StudyEvaluator, mean_costs
from dovetail.cosearch.studies.load import load_study, study_text
from dovetail.cosearch.studies.tables import option_text, trials_frame
from dovetail.cosearch.studies.trial import Trial, TrialResult, answer_of
from dovetail.errors import BadInput, UnknownName

STUDY = """\
name: mine
network:
  space: mobilenet_v2
  options: {{resolutions: [128, 224]}}
  {network}
hardware:
  accelerator: edge_tpu
  search: [pes_x, bandwidth]
  {hardware}
budget: {{trials: 20}}
"""
VIDEO_STUDY = STUDY.replace("mobilenet_v2", "video_levers").replace(
    "options: {{resolutions: [128, 224]}}", "only: {{}}"
)


@dataclass
class _Estimate:
    latency_s: float
    energy_j: float
    utilization: float = 0.5

    @property
    def edp(self):
        return self.latency_s * self.energy_j

    @property
    def cycles(self):
        return self.latency_s * 8e8


class _Costs:
    """A MAC takes a nanosecond and a picojoule."""

    sweep = None

    def __init__(self):
        self.dataflows = []

    def estimate(self, network, accelerator, hardware):
        self.dataflows.append((hardware or {}).get(DATAFLOW))
        return _Estimate(network.macs * 1e-9, network.macs * 1e-12)


@pytest.fixture
def load(tmp_path):
    def load(network="", hardware="", text=STUDY, **given):
        path = tmp_path / "mine.yaml"
        path.write_text(text.format(network=network, hardware=hardware))
        return load_study(path, **given)

    return load


@pytest.fixture
def evaluator(load):
    def evaluator(*args, **given):
        made = StudyEvaluator(load(*args, **given))
        made.__dict__["costs"] = _Costs()
        return made

    return evaluator


# ---- genes


def test_early_exits_cost_the_mean_over_where_inputs_leave(evaluator):
    study = evaluator("exits: {s3: {share: 0.5, loss_pct: 4}}")
    plain, early = ({**study.first[0], "net.exit.s3": built} for built in (False, True))
    before, after = study.evaluate(plain).metrics, study.evaluate(early).metrics
    network = study.networks.build(early)
    parts = study.networks.parts(network, early)
    assert after["latency_s"] == pytest.approx(sum(share * part.macs for share, part in parts) * 1e-9)
    assert after["latency_s"] < before["latency_s"]
    assert after["edp"] == pytest.approx(after["latency_s"] * after["energy_j"])
    assert after["macs"] > before["macs"]
    assert after["error_pct"] - before["error_pct"] == pytest.approx(0.5 * 4)


def test_mean_costs_weigh_utilisation_by_cycles():
    costs = [
        {"latency_s": 1.0, "energy_j": 2.0, "cycles": 10.0, "utilization": 0.2, "edp": 2.0},
        {"latency_s": 3.0, "energy_j": 4.0, "cycles": 30.0, "utilization": 0.6, "edp": 12.0},
    ]
    mean = mean_costs([0.5, 0.5], costs)
    assert mean["edp"] == 2.0 * 3.0
    assert mean["utilization"] == pytest.approx((0.2 * 10 + 0.6 * 30) / 40)
    assert mean_costs([1.0], costs[:1]) == costs[0]


def test_stated_losses_of_widths_are_taken_off_the_predicted_accuracy(evaluator):
    study = evaluator("bits: {options: [4, 8], loss_pct: {4: 1.5}}")
    wide, narrow = (study.evaluate({**study.first[0], "net.bits": bits}).metrics for bits in (8, 4))
    assert narrow["error_pct"] - wide["error_pct"] == pytest.approx(1.5)
    assert "Losses by genes" in study.accuracy_statement()


@pytest.mark.parametrize("gene", ["bits: [4, 8]", "sparsity: [dense, 0.5]", "exits: {s3: {share: 0.5}}"])
def test_a_source_that_cannot_see_a_gene_asks_what_it_costs(load, gene):
    with pytest.raises(BadInput, match=r"mine\.yaml:5:\d+: network.*cannot see what .* state it as loss_pct"):
        load(gene)


def test_the_baseline_without_genes_is_the_first_design(evaluator):
    study = evaluator("bits: {options: [4, 8], per: stage, loss_pct: {}}", "dataflow: [free, weight_stationary]")
    first = study.first[0]
    assert first["net.bits.s3"] == 8
    assert first[DATAFLOW] == "free"
    assert study.space.validate(first) == first


def test_a_study_with_genes_and_patches_reads_back_the_same(load, tmp_path):
    study = load("bits: {options: [4, 8], loss_pct: {4: 1}}\n  patch: ['stage2.block*?kernel=3']", "patch: ['pes?y=2']")
    (tmp_path / "again.yaml").write_text(study_text(study))
    again = load_study(tmp_path / "again.yaml")
    assert again == study
    assert again.fingerprint() == study.fingerprint()
    assert again.fingerprint() != load().fingerprint()


def test_a_study_may_search_a_space_of_a_file_beside_it(load, tmp_path, evaluator):
    (tmp_path / "narrow.yaml").write_text("name: narrow\nspace: mobilenet_v2\nonly: {'net.*.kernel': [3]}\n")
    text = STUDY.replace("space: mobilenet_v2", "space: narrow.yaml").replace(
        "options: {{resolutions: [128, 224]}}", "only: {{'net.b02.expansion': [6]}}"
    )
    study = evaluator(text=text)
    assert study.networks.name == "narrow"
    assert study.space.choice("net.b05.kernel").options == (3,)
    assert study.evaluate(study.first[0]).status == "ok"


# ---- dataflows


def test_a_dataflow_is_a_choice_of_the_hardware(evaluator):
    study = evaluator(hardware="dataflow: [free, output_stationary, edge_tpu_output_stationary]")
    assert study.space.choice(DATAFLOW).options == ("free", "output_stationary", "edge_tpu_output_stationary")
    point = {**study.first[0], DATAFLOW: "output_stationary"}
    assert study.evaluate(point).status == "ok"
    assert study.costs.dataflows == ["output_stationary"]
    assert "dataflow" not in study.design(point)[1].values


def test_stationarity_holds_in_every_memory_but_the_innermost(evaluator):
    accelerator = evaluator().accelerator
    rules = dataflow_constraints("weight_stationary", accelerator)
    assert {name: rule.stationary for name, rule in rules.levels.items()} == {
        "dram": "weight",
        "local_memory": "weight",
    }
    rules.check(accelerator)
    assert dataflow_constraints("free", accelerator) is None
    with pytest.raises(UnknownName, match="no dataflow named 'weight_stationry'; did you mean 'weight_stationary'"):
        dataflow_constraints("weight_stationry", accelerator)


def test_a_dataflow_of_another_accelerator_is_refused_where_it_stands(load):
    with pytest.raises(BadInput, match="'glb' is no level of 'edge_tpu'"):
        load(hardware="dataflow: [free, eyeriss_row_stationary]")
    with pytest.raises(BadInput, match=r"mine\.yaml:9:\d+: hardware\.dataflow\[1\]: no dataflow named 'rowstationary'"):
        load(hardware="dataflow: [free, rowstationary]")


@pytest.mark.parametrize(
    ("network", "hardware", "message"),
    [
        ("", "dataflow: [free, weight_stationary]", "maps freely; leave dataflows out"),
        ("exits: {s3: {share: 0.5, loss_pct: 1}}", "", "costs whole networks; leave early exits out"),
    ],
)
def test_tables_refuse_what_they_cannot_cost(load, network, hardware, message):
    with pytest.raises(BadInput, match=message):
        load(network, hardware, STUDY + "mapper: {{name: tables}}\n")


@pytest.mark.parametrize(
    ("network", "hardware", "message"),
    [
        ("sparsity: [dense, 0.5]", "", "take no genes or conditions; name 'video_levers' alone"),
        ("", "dataflow: [free, output_stationary]", "mappings are free; leave dataflows out"),
    ],
)
def test_the_video_pipeline_refuses_what_it_would_ignore(load, network, hardware, message):
    with pytest.raises(BadInput, match=message):
        load(network, hardware, VIDEO_STUDY)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("life_cycle: {{uses: 1e9}}", "not for a life; remove life_cycle"),
        ("accuracy: {{source: training_free}}", "itself.*remove accuracy"),
    ],
)
def test_a_video_study_refuses_parts_it_would_ignore(load, part, message):
    with pytest.raises(BadInput, match=message):
        load(text=VIDEO_STUDY + part)


# ---- patches


def test_patches_of_a_study_reach_networks_hardware_and_the_study_itself(load):
    patches = ["stage3.block*?kernel=5", "pes?y=8", "strategy?population=12", "seed=7", "hardware?search=[bandwidth]"]
    spec = load(patches=patches)
    study = StudyEvaluator(spec)
    assert (spec.seed, spec.strategy.options.population) == (7, 12)
    assert study.hardware.names == ("hw.bandwidth",)
    assert study.accelerator.values["pes_y"] == 8
    assert study.space.choice("net.b05.kernel").options == (5,)
    assert study.space.choice("net.b07.kernel").options == (3, 5, 7)


def test_the_first_design_is_the_baseline_as_patched(evaluator):
    first = evaluator(patches=["stage3.block*?kernel=5", "pes?y=2"]).first[0]
    assert [name for name, value in first.items() if value == 5 and name.endswith("kernel")] == [
        "net.b04.kernel", "net.b05.kernel", "net.b06.kernel",
    ]  # fmt: skip
    assert evaluator(network="only: {'net.b05.kernel': [5]}").first == ()


def test_a_patched_parameter_that_was_searched_is_fixed_and_a_list_gives_it_other_choices(load):
    study = StudyEvaluator(load(patches=["pes?x=8"]))
    assert study.hardware.names == ("hw.bandwidth",)
    assert study.accelerator.values["pes_x"] == 8
    spec = load(patches=["pes?x=[2, 16]"])
    assert StudyEvaluator(spec).hardware.choice("hw.pes_x").options == (2, 16)


def test_a_prefix_tells_networks_and_hardware_apart(load):
    patches = ["hardware.local_memory?latency=4 cycle", "network.resolution=128", "network?space=mobilenet_ibn"]
    spec = load(patches=patches)
    assert spec.hardware.patch == ["local_memory?latency=4 cycle"]
    assert spec.network.patch == ["resolution=128"]
    assert spec.network.space == "mobilenet_ibn"


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("stage3.blok1?kernel=5", "no choice 'stage3.blok1.kernel'; did you mean 'stage3.block1.kernel'"),
        ("budget?trial=5", r"unknown key 'trial'; did you mean 'trials'"),
        ("network.b05?kernel=4", r"net\.b05\.kernel: 4 is not an option; choose one of 3, 5, 7"),
        ("nonsense", "write path\\?name=value"),
    ],
)
def test_a_patch_that_fits_nothing_in_a_study_is_refused(load, patch, message):
    with pytest.raises(BadInput, match=message):
        load(patches=[patch])


def test_designs_without_some_choices_are_counted_as_networks_of_their_own():
    from dovetail.cosearch.reports.analysis.convergence import accuracy_evaluations

    values = [{"net.depth": 1}, {"net.depth": 2, "net.l2": 3}, {"net.depth": 1}, {"net.depth": 2, "net.l2": 5}]
    trials = [
        Trial(number, point, TrialResult("ok", {"error_pct": 20.0, "latency_s": 1.0}))
        for number, point in enumerate(values)
    ]
    frame = trials_frame(trials, ["latency_s"])
    assert accuracy_evaluations(frame).tolist() == [1, 2, 2, 3]
    assert option_text({}, "net.l2", frame["net.l2"][0]) == "–"


def test_networks_that_differ_in_stated_genes_alone_share_the_accuracy_that_was_paid_for(evaluator):
    study = evaluator("bits: {options: [2, 4, 8], loss_pct: {4: 1.5, 2: 90}}")
    points = [{**study.first[0], "net.bits": bits} for bits in (2, 4, 8)]
    assert len({study.network_key(point) for point in points}) == 1
    alone = [study.evaluate(point) for point in points]
    assert [one.metrics["stated_loss_pct"] for one in alone[1:]] == [1.5, 0.0]
    assert alone[0].metrics["error_pct"] == 100.0
    for payer in alone:
        shared = [study.evaluate(point, answer_of(payer)).metrics for point in points]
        assert [one["error_pct"] for one in shared] == [one.metrics["error_pct"] for one in alone]


def test_a_gene_that_a_source_sees_stands_beside_one_whose_loss_is_stated():
    part = {"space": "mobilenet_v2", "bits": {"options": [4, 8], "loss_pct": {"4": 2}}, "sparsity": ["dense", 0.5]}
    networks = networks_of(NetworkPart.model_validate(part))
    point = {**networks.baseline(), "net.bits": 4, "net.sparsity": 0.5}
    assert networks.unstated == ("sparsity",)
    assert networks.asked_key(point) == networks.asked_key({**point, "net.bits": 8})
    assert networks.asked_key(point) != networks.asked_key({**point, "net.sparsity": "dense"})
    assert "net.bits" not in networks.asked_values(point)
    assert networks.loss_pct(networks.build(point), point) == pytest.approx(2)


def test_an_accuracy_that_is_refused_is_told_and_refused_again_from_what_was_told(evaluator):
    study = evaluator()
    study.__dict__["_accuracy"] = _Refuses()
    first = study.evaluate(study.first[0])
    assert (first.status, first.reason) == ("infeasible", "nobody knows")
    assert answer_of(first) == Refusal("nobody knows")
    again = study.evaluate(study.first[0], answer_of(first))
    assert (again.status, again.reason, again.metrics) == (first.status, first.reason, first.metrics)
    assert study._accuracy.asked == 1


class _Refuses:
    expensive = True
    asked = 0

    def predict(self, network, values):
        self.asked += 1
        raise BadInput("nobody knows")


def test_what_a_recipe_has_beside_its_name_needs_a_source_that_reads_it(load):
    with pytest.raises(BadInput, match=r"network\.recipe: .*cannot see what 'recipe\.lr' .*; leave it out, or take"):
        load("recipe: {lr: [0.1, 0.01], loss_pct: {}}")
    with pytest.raises(BadInput, match=r"network\.recipe: recipe digits: epochs is -2"):
        load("recipe: {name: [digits], epochs: [1, -2], loss_pct: {}}")


def test_losses_of_exits_are_stated_for_all_or_none(load):
    with pytest.raises(BadInput, match="not for 's4'; give loss_pct for all exits, or for none"):
        load("exits: {s3: {share: 0.5, loss_pct: 1}, s4: {share: 0.5}}")
