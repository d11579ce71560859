import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from own_data import Lines
from pydantic import ValidationError

import dovetail as dt
from dovetail.cosearch.accuracy.registry import accuracy_source
from dovetail.cosearch.accuracy.trained.data import batches, digits, digits_test, load_data
from dovetail.cosearch.accuracy.trained.loop import Recipe, forward_macs, train
from dovetail.cosearch.accuracy.trained.source import Trained, TrainedOptions
from dovetail.cosearch.spaces.compose import networks_of
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.torch_threads import repeatable
from dovetail.errors import BadInput

CELLS = network_space("digits_cells")
POINT = CELLS.baseline()


def source(**options):
    """Without the registry, so that nothing is known from other tests."""
    return Trained(CELLS, TrainedOptions(**{"dataset": "own_data:lines", "epochs": 3, "batch": 16, **options}))


def test_a_network_learns_the_users_own_data():
    answer = source(epochs=4).predict(CELLS.build(POINT), POINT)
    assert answer.top1_pct > 90
    assert 0 < answer.sigma_pct < 8


def test_equal_networks_get_equal_answers_in_any_process():
    here = source().predict(CELLS.build(POINT), POINT)
    torch.manual_seed(5)
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_trained import CELLS, POINT, source\n"
        "print(repr(source().predict(CELLS.build(POINT), POINT)))"
    )
    folder = __file__.rpartition("/")[0]
    data = folder.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", code, folder, data], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(here)
    assert torch.initial_seed() == 5


def test_multiply_accumulates_are_those_of_every_epoch_and_of_looking():
    network = replace(CELLS, classes=2).build(POINT)
    answer = source(seeds=2).predict(network, POINT)
    convolutions = sum(op.macs for op in network.contractions)
    assert answer.macs == 2 * convolutions * (3 * 96 * 3 + 64)


def test_seeds_differ_and_their_spread_is_in_the_uncertainty():
    recipe, data = Recipe(epochs=1, batch=32), load_data("digits")
    ends = []
    for seed in range(2):
        with repeatable(seed):
            ends.append(train(CELLS.module(POINT, data.shape, data.classes), data, recipe).top1_pct)
    assert ends[0] != ends[1]


def test_a_hopeless_run_ends_early_and_costs_less():
    options = {"epochs": 30, "learning_rate": 1e-6, "schedule": "constant"}
    full = 30 * 96 * 3 + 64
    answer = source(**options, stopping={"aim_pct": 99.9, "after": 6, "probability": 0.4}).predict(None, POINT)
    per_image = forward_macs(CELLS.module(POINT, (1, 8, 8), 2), (1, 8, 8))
    assert answer.macs < 0.6 * full * per_image
    assert answer.sigma_pct > 0


def test_modules_have_the_macs_and_parameters_of_their_descriptions():
    for name in ("digits_cells", "digits_ibn"):
        space = network_space(name)
        values = space.baseline()
        network = space.build(values)
        imported = dt.from_torch(space.module(values, (1, 8, 8), 10), (torch.zeros(1, 1, 8, 8),))
        assert (imported.macs, imported.params) == (network.macs, network.params)


def test_digits_come_in_three_parts_that_share_no_image():
    train_set, held = digits()
    parts = [part.tensors[0].flatten(1) for part in (train_set, held, digits_test())]
    assert [len(part) for part in parts] == [1078, 359, 360]
    assert len(torch.unique(torch.cat(parts), dim=0)) >= 1790


def test_batches_follow_the_order_given():
    train_set, _ = load_data("own_data:lines").train, None
    order = torch.tensor([5, 3, 1])
    labels = torch.cat([labels for _, labels in batches(train_set, 2, order)])
    assert labels.tolist() == [train_set[place][1] for place in (5, 3, 1)]


@pytest.mark.parametrize(("name", "message"), [
    ("own_data:nothing", "has no 'nothing'"),
    ("no_such_module:lines", "cannot be imported"),
    ("own_data:one", "return a pair"),
    ("own_data:numbers", "floating-point tensors"),
    ("own_data:empty", "is empty"),
    ("own_data:data", "'own_data:data' is no function"),
    ("own_data:leaves", "'own_data:leaves' failed: SystemExit: no data today$"),
    ("own_data:fails", "'own_data:fails' failed: OSError: no such disk$"),
    ("own_data:below_zero", r"has the label tensor\(-1\); give classes as whole numbers from 0"),
    ("own_data:shares", r"has the label tensor\(0\.\); give classes"),
    ("own_data:one_hot", r"has the label tensor\(\[1\., 0\.\]\); give classes"),
    ("own_data:coloured", r"shape \(1, 8, 8\) to train on and of \(3, 8, 8\) to judge by; give both the same"),
    ("own_data:triples", "a sample of 'own_data:triples' is 3 parts; give pairs"),
    ("own_data:counted", "lists 1 classes and has the label 1; list them all"),
])  # fmt: skip
def test_what_is_no_data_set_is_refused(name, message):
    with pytest.raises(BadInput, match=message):
        load_data(name)


@pytest.mark.parametrize(("name", "message"), [("torn", "SystemExit: 5$"), ("sizes", "RuntimeError: stack expects")])
def test_samples_that_cannot_be_read_fail_the_network_that_is_trained(name, message):
    with pytest.raises(BadInput, match=f"accuracy.dataset: the samples cannot be read: {message}"):
        source(dataset=f"own_data:{name}").predict(CELLS.build(POINT), POINT)


@pytest.mark.parametrize(("name", "raised"), [("listed", "IndexError: Target 1 is out of"), ("points", "Error: ")])
def test_data_that_torch_rejects_fail_the_network_that_is_trained(name, raised):
    with pytest.raises(BadInput, match=rf"\+.*: cannot be trained on 'own_data:{name}': .*{raised}"):
        source(dataset=f"own_data:{name}").predict(CELLS.build(POINT), POINT)


def test_images_of_double_precision_are_trained_on():
    assert source(dataset="own_data:double").predict(CELLS.build(POINT), POINT).macs > 0


def test_data_are_loaded_anew_where_another_callable_bears_the_name(monkeypatch):
    before = load_data("own_data:lines")
    assert load_data("own_data:lines") is before
    monkeypatch.setattr("own_data.lines", lambda: (Lines(32, 3), Lines(8, 4)))
    assert len(load_data("own_data:lines").train) == 32


def test_a_data_set_that_is_nowhere_is_refused_before_anything_is_trained():
    with pytest.raises(BadInput, match=r"accuracy\.dataset: 'no_such_module' cannot be imported"):
        source(dataset="no_such_module:lines")


def test_a_data_sets_name_must_be_a_place():
    with pytest.raises(ValidationError, match="for your own"):
        TrainedOptions(dataset="mnist")


def test_a_space_without_modules_and_a_network_of_no_space_are_refused():
    with pytest.raises(BadInput, match="no modules to train"):
        accuracy_source("trained", "video_levers")
    with pytest.raises(BadInput, match="a point of the space"):
        source().predict(CELLS.build(POINT))


def test_a_loss_that_is_no_number_is_told():
    with pytest.raises(BadInput, match="learning_rate"):
        source(optimizer="sgd", learning_rate=1e18).predict(CELLS.build(POINT), POINT)


def test_a_cell_without_a_path_is_not_trained():
    values = dict.fromkeys(POINT, "none")
    with pytest.raises(BadInput, match="no path"):
        source().predict(None, values)


def composed(**part):
    """The cells with genes, as a study's network part makes them."""
    return networks_of(NetworkPart.model_validate({"space": "digits_cells", **part}))


def test_a_networks_own_recipe_takes_the_place_of_the_studys():
    space = composed(recipe={"epochs": [1, 2], "lr": [0.01]})
    trained = Trained(space, TrainedOptions(dataset="own_data:lines", epochs=9, batch=32))
    answers = [trained.predict(None, {**space.baseline(), "net.recipe.epochs": epochs}) for epochs in (1, 2)]
    per_image = (answers[1].macs - answers[0].macs) / (3 * 96)
    assert answers[0].macs == pytest.approx(per_image * (3 * 96 + 64))


def test_genes_that_training_does_not_see_are_refused():
    with pytest.raises(BadInput, match="without bits"):
        Trained(composed(bits=[4, 8]), TrainedOptions())


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"momentum": [0.5, 0.9]}, r"net\.recipe\.momentum: 'trained' cannot follow it; it knows batch, epochs"),
        ({"epoch": [1, 2]}, r"net\.recipe\.epoch: 'trained' cannot follow it; did you mean 'epochs'\?"),
        ({"epochs": [1, -2]}, r"net\.recipe\.epochs = -2: .*; give a value"),
        ({"name": ["digits"], "epochs": [1]}, r"trained without recipe\.name; state what it loses"),
    ],
)
def test_a_recipe_that_training_cannot_follow_is_refused_at_once(recipe, message):
    with pytest.raises(BadInput, match=message):
        Trained(composed(recipe=recipe), TrainedOptions())


def test_what_is_stated_of_a_recipes_name_does_not_hide_its_epochs():
    space = composed(recipe={"name": ["digits"], "epochs": [1, 2], "loss_pct": {"digits": 3}})
    options = {"dataset": "own_data:lines", "epochs": 9, "batch": 32}
    asked = accuracy_source("trained", space, options)
    answers = [asked.predict(None, {**space.baseline(), "net.recipe.epochs": epochs}) for epochs in (1, 2)]
    assert answers[1].macs > 1.5 * answers[0].macs
    assert [answer.lost_pct for answer in answers] == [3, 3]
