import numpy as np
import pytest

from dovetail.cosearch.accuracy.source import Accuracy
from dovetail.cosearch.accuracy.stated_losses import StatedLosses
from dovetail.cosearch.spaces.compose import choices_of, networks_of
from dovetail.cosearch.spaces.genes import recipe_values, training_recipe
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.spaces.networks import network_space
from dovetail.errors import BadInput, UnknownName
from dovetail.models.patterns import NofM


def _networks(space="mobilenet_v2", **part):
    return networks_of(NetworkPart.model_validate({"space": space, **part}))


def _shapes(network):
    return [op.shape_key for op in network.ops]


# ---- any gene


@pytest.mark.parametrize(
    "part",
    [
        {"bits": [4, 8]},
        {"bits": {"options": [4, 8], "per": "block"}},
        {"sparsity": {"options": ["dense", "2:4", 0.5], "per": "stage"}},
        {"exits": {"s3": {"share": 0.2}, "s5": {"share": 0.3}}},
        {"recipe": {"name": ["imagenet_300", "imagenet_90"], "lr": [0.1, 0.2]}},
        {"space": "mobilenet_s3", "bits": {"options": [4, 8], "per": "layer"}},
        {"space": "vit", "bits": {"options": [4, 8], "per": "block"}, "sparsity": {"options": ["dense", "2:4"]}},
        {"space": "nasbench201", "bits": {"options": [4, 8, 16], "per": "network"}},
    ],
)
def test_genes_join_a_space_and_leave_its_baseline_as_it_is(part):
    networks = _networks(**part)
    plain = network_space(part.get("space", "mobilenet_v2"))
    assert _shapes(networks.build(networks.baseline())) == _shapes(plain.build(plain.baseline()))
    assert networks.space.size > plain.space.size
    rng = np.random.default_rng(3)
    for _ in range(5):
        point = networks.space.sample(rng)
        assert networks.space.decode(networks.space.encode(point)) == point
        assert networks.space.point(networks.space.number(point)) == point
        assert networks.build(point).macs > 0


def test_a_key_tells_points_apart_that_differ_in_a_gene_alone():
    networks = _networks("nasbench201", bits=[4, 8])
    keys = {networks.key({**networks.baseline(), "net.bits": bits}) for bits in (4, 8)}
    assert len(keys) == 2
    assert all(key.startswith("|nor_conv_3x3~0|+") for key in keys)


# ---- word widths


def test_widths_by_stage_change_that_stages_weights_and_what_flows_in_it():
    networks = _networks(bits={"options": [4, 8], "per": "stage"})
    network = networks.build({**networks.baseline(), "net.bits.s3": 4})
    widths = {op.name: op.tensor("weight").bits for op in network.contractions}
    assert {name for name, bits in widths.items() if bits == 4} == {
        f"block{block}.{part}" for block in (3, 4, 5) for part in ("expand", "depthwise", "project")
    }


def test_widths_of_some_layers_only_leave_the_others():
    networks = _networks(bits={"options": [2, 8], "layers": "block*.project"})
    network = networks.build({**networks.baseline(), "net.bits": 2})
    assert {op.name.partition(".")[2] for op in network.contractions if op.tensor("weight").bits == 2} == {"project"}


def test_every_layer_of_an_operator_that_is_there_has_its_own_width():
    networks = _networks("mobilenet_s3", bits={"options": [4, 8], "per": "layer"})
    point = networks.space.complete({**networks.baseline(), "net.b05.op": "fused"})
    assert "net.bits.b05.fused" in point
    assert "net.bits.b05.depthwise" not in point
    network = networks.build({**point, "net.bits.b05.fused": 4})
    assert [op.name for op in network.contractions if op.tensor("weight").bits == 4] == ["block4.fused"]


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_s3", "mobilenet_ibn", "efficientnet_edge", "vit", "bert"])
def test_the_groups_of_layers_of_any_point_are_its_layers(name):
    networks, rng = _networks(name, bits={"options": [4, 8], "per": "layer"}), np.random.default_rng(1)
    for _ in range(6):
        point = {name: 4 if name.startswith("net.bits") else v for name, v in networks.space.sample(rng).items()}
        network = networks.build(point)
        stored = [op for op in network.contractions if op.tensor("weight").is_parameter]
        assert all(op.tensor("weight").bits == 4 for op in stored)
        assert sum(key.startswith("net.bits") for key in point) == len(stored)


# ---- sparsity


def test_n_of_m_zeros_go_where_they_fit_and_densities_everywhere():
    networks = _networks(sparsity=["dense", "2:4", 0.5])
    two = networks.build({**networks.baseline(), "net.sparsity": "2:4"})
    by_name = {op.name: op.tensor("weight") for op in two.contractions}
    assert by_name["block3.expand"].pattern == NofM(2, 4)
    assert by_name["block3.depthwise"].density == 1.0
    half = networks.build({**networks.baseline(), "net.sparsity": 0.5})
    assert all(op.tensor("weight").density == 0.5 for op in half.contractions)


# ---- early exits


def test_exits_stand_behind_their_stages_and_share_the_inputs():
    networks = _networks(exits={"s5": {"share": 0.5}, "s3": {"share": 0.2}})
    values = {**networks.baseline(), "net.exit.s3": True, "net.exit.s5": True}
    network = networks.build(values)
    names = [op.name for op in network.ops]
    assert names.index("block5.add") + 2 == names.index("exit_s3.classifier") < names.index("block6.expand")
    parts = networks.parts(network, values)
    assert [share for share, _ in parts] == pytest.approx([0.2, 0.4, 0.4])
    assert [part.ops[-1].name for _, part in parts[:2]] == ["exit_s3.classifier", "exit_s5.classifier"]
    assert parts[0][1].macs < parts[1][1].macs < parts[2][1].macs == network.macs
    classifier = next(op for op in network.contractions if op.name == "exit_s3.classifier")
    assert classifier.bounds == {"N": 1, "K": 1000, "C": 32}


def test_a_transformers_exit_reads_one_token():
    networks = _networks("vit", exits={"l06": {"share": 0.3}})
    network = networks.build({**networks.baseline(), "net.exit.l06": True})
    assert next(op for op in network.contractions if op.name == "exit_l06.classifier").macs == 192 * 1000


def test_without_exits_everything_runs_to_the_end():
    networks = _networks(exits={"s3": {"share": 0.2}})
    network = networks.build(networks.baseline())
    assert networks.parts(network, networks.baseline()) == ((1.0, network),)


# ---- losses


def test_losses_are_those_stated_by_share_of_weights_and_of_inputs():
    networks = _networks(
        bits={"options": [4, 8], "per": "stage", "loss_pct": {"4": 2.0}},
        exits={"s3": {"share": 0.25, "loss_pct": 8.0}},
        recipe={"name": ["imagenet_300", "imagenet_90"], "loss_pct": {"imagenet_90": 0.5}},
    )
    assert networks.unstated == ()
    assert networks.loss_pct(networks.build(networks.baseline()), networks.baseline()) == 0.0
    point = {name: 4 if name.startswith("net.bits") else value for name, value in networks.baseline().items()}
    assert networks.loss_pct(networks.build(point), point) == pytest.approx(2.0)
    point = {**networks.baseline(), "net.exit.s3": True, "net.recipe.name": "imagenet_90"}
    assert networks.loss_pct(networks.build(point), point) == pytest.approx(0.25 * 8.0 + 0.5)


def test_genes_without_a_stated_loss_are_named():
    assert _networks(bits=[4, 8], exits={"s3": {"share": 0.2}}).unstated == ("bits", "exits.s3")


# ---- recipes


def test_a_recipe_gene_is_the_training_of_the_life_cycle():
    networks = _networks(recipe={"name": ["imagenet_300", "imagenet_90"], "epochs": [30, 60], "lr": [0.1]})
    point = {**networks.baseline(), "net.recipe.name": "imagenet_90", "net.recipe.epochs": 60}
    recipe = training_recipe(point)
    assert (recipe.name, recipe.epochs) == ("imagenet_90", 60)
    assert recipe_values(point) == {"name": "imagenet_90", "epochs": 60, "lr": 0.1}
    assert training_recipe(network_space("mobilenet_v2").baseline()) is None


# ---- conditions, options, bad input


def test_genes_can_be_put_under_conditions():
    networks = _networks("mobilenet_s3", bits={"options": [4, 8], "per": "block"}, when={
        "net.bits.b05": {"net.b05.op": ["fused"]}
    })  # fmt: skip
    plain = _networks("mobilenet_s3", bits={"options": [4, 8], "per": "block"})
    assert networks.space.size == plain.space.size // 4 * 3
    assert "net.bits.b05" not in networks.baseline()
    assert networks.build(networks.baseline()).macs == plain.build(plain.baseline()).macs


def test_a_choice_of_the_space_that_a_condition_leaves_out_has_the_baselines_option():
    networks = _networks("mobilenet_ibn", when={"net.b03.kernel": {"net.resolution": [160]}})
    assert "net.b03.kernel" not in networks.baseline()
    depthwise = next(op for op in networks.build(networks.baseline()).contractions if op.name == "block2.depthwise")
    assert depthwise.bounds["R"] == 3


def test_options_set_the_fields_of_a_space():
    networks = _networks("mobilenet_s3", options={"kernels": [3], "groups": [1, 2, 4], "scale": "block"})
    assert networks.space.choice("net.b05.groups").options == (1, 2, 4)
    assert "net.b05.kernel" not in networks.space.names
    assert "net.b05.width" in networks.space.names
    assert choices_of(NetworkPart(space="vit", options={"depths": [2, 3]}, only={"net.depth": [2]})).size == 3 * 4**2


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"options": {"kernel": [3]}}, "no option 'kernel'; did you mean 'kernels'"),
        ({"options": {"kernels": 3}}, r"kernels of mobilenet_v2 is 3; write a list such as \[3, 5, 7\]"),
        ({"options": {"scale": ["block"]}}, "write one value such as stage"),
        ({"options": {"kernels": []}}, "mobilenet_v2: kernels: none; give one or more numbers above zero"),
        ({"options": {"resolutions": [0, 224]}}, "resolutions: 0 among them; give one or more numbers above zero"),
        ({"options": {"scale": "layer"}}, "scale is 'layer'; use stage or block"),
        ({"options": {"kernels": [3, 4]}}, "kernels: 4 is even"),
        ({"options": {"operators": ["ibm"]}}, "operators are \\['ibm'\\]; use some of ibn, fused"),
        ({"space": "vit", "options": {"depths": [-1]}}, "vit: depths: -1 among them"),
        ({"options": {"kernels": ["three"]}}, "kernels of mobilenet_v2 holds 'three'; write values such as 3"),
        ({"bits": {"options": [4, 8], "loss_pct": {"2": 1.0}}}, "bits.loss_pct: 2 is none of the options"),
        ({"bits": {"options": [4, 8], "per": "block", "layers": "c*x"}}, "no block named 'c\\*x'"),
        ({"exits": {"s9": {"share": 0.1}}}, "no stage to exit from named 's9'; did you mean 's"),
        ({"when": {"net.b99.kernel": {"net.resolution": [224]}}}, "no choice named 'net.b99.kernel'"),
        ({"space": "nasbench201", "bits": {"options": [4], "per": "stage"}}, "nasbench201 names no stages"),
        ({"space": "vit", "bits": {"options": [4], "per": "stage"}}, "vit has no stages; group its layers per block"),
    ],
)
def test_a_wrong_part_is_answered_with_what_there_is(part, message):
    with pytest.raises(BadInput, match=message):
        _networks(**part)


@pytest.mark.parametrize("option", ["2-4", "4:2", 0.0, 1.5])
def test_a_sparsity_is_dense_n_of_m_or_a_share(option):
    with pytest.raises(ValueError, match="no sparsity; write dense, n:m"):
        NetworkPart.model_validate({"space": "mobilenet_v2", "sparsity": [option]})


def test_a_recipe_that_is_not_shipped_is_named():
    with pytest.raises(UnknownName, match="imagenet_90"):
        training_recipe({"net.recipe.name": "imagenet_91"})


class _Counted:
    """A source that gives every network 80 %, and says what it was asked about."""

    expensive = True

    def __init__(self):
        self.asked = []

    def predict(self, network, values=None):
        self.asked.append((network, values))
        return Accuracy(80.0, 1.0)

    def statement(self):
        return "All are alike."


def test_with_stated_losses_a_source_is_asked_about_the_network_without_genes():
    networks = _networks(bits={"options": [4, 8], "loss_pct": {"4": 2.0}})
    source = _Counted()
    stated = StatedLosses(source, networks)
    point = {**networks.baseline(), "net.bits": 4}
    assert stated.predict(networks.build(point), point) == Accuracy(78.0, 1.0, lost_pct=2.0)
    network, values = source.asked[0]
    assert "net.bits" not in values
    assert {op.tensor("weight").bits for op in network.contractions} == {8}
    assert stated.expensive
    assert stated.statement().startswith("All are alike. Losses by genes")


def test_a_network_of_no_space_has_no_genes_to_lose_by():
    networks = _networks(bits={"options": [4, 8], "loss_pct": {"4": 2.0}})
    assert StatedLosses(_Counted(), networks).predict(networks.build(networks.baseline())).top1_pct == 80.0
