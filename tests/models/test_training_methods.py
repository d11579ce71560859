"""Sparse schedules, traces of word widths, data diets, and training without back-propagation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import dovetail as dt
from dovetail.errors import BadInput, UnknownName
from dovetail.models import NetworkBuilder
from dovetail.models.training import (
    LOCAL_METHODS,
    DataDiet,
    PrecisionTrace,
    SparseSchedule,
    ZerothOrder,
    layer_densities,
)

BATCH, SIZES = 4, (20, 16, 12, 10)


def mlp():
    builder = NetworkBuilder("mlp", channels=SIZES[0], batch=BATCH)
    for index, size in enumerate(SIZES[1:]):
        builder.linear(f"fc{index}", size, activation="relu" if index < 2 else "")
    return builder.build()


PRODUCTS = [BATCH * a * b for a, b in pairwise(SIZES)]

# -- sparse schedules


def test_granet_s_density_falls_by_a_cube():
    schedule = SparseSchedule("granet", 0.1, initial=0.9, begin=0.2, end=0.7, steps=1000, interval=10)
    assert schedule.at(0.0) == schedule.at(0.2) == 0.9
    for t in (0.3, 0.45, 0.69):
        sparsity = 0.9 + (0.1 - 0.9) * (1 - (t - 0.2) / 0.5) ** 3  # s_f + (s_i - s_f)(1 - (t - t0)/(n dt))^3
        assert schedule.at(t) == pytest.approx(1 - sparsity)
    assert schedule.at(0.7) == schedule.at(1.0) == pytest.approx(0.1)
    assert schedule.at(0.3049) == schedule.at(0.3)  # constant from one update to the next


@pytest.mark.parametrize("schedule", [
    SparseSchedule("granet", 0.2, steps=1000, interval=1),
    SparseSchedule("granet", 0.05, initial=0.5, begin=0.1, end=0.6, steps=997, interval=13),
    SparseSchedule("rigl", 0.3, steps=500), SparseSchedule("static", 0.4),
])
def test_the_mean_density_is_that_of_all_steps(schedule):
    steps = (np.arange(schedule.steps) + 0.5) / schedule.steps
    assert schedule.mean_density() == pytest.approx(np.mean([schedule.at(t) for t in steps]), rel=1e-9)


def test_the_mean_of_a_fine_cube_is_a_quarter_of_the_way():
    schedule = SparseSchedule("granet", 0.2, initial=1.0, steps=100_000, interval=1)
    assert schedule.mean_density() == pytest.approx(0.2 + 0.8 / 4, rel=1e-4)


def test_rigl_s_step_costs_what_its_paper_says():
    """(3 f_s dT + 2 f_s + f_d) / (dT + 1) with an update after dT steps (Evci et al., appendix on FLOPs)."""
    network, density, interval = mlp(), 0.2, 50
    schedule = SparseSchedule("rigl", density, interval=interval + 1, distribution="uniform")
    step = dt.training_step(network, sparsity=schedule)
    dense, first = network.macs, PRODUCTS[0]
    kept = first + density * (dense - first)
    # Without the first layer's input gradient, which the paper counts.
    expected = (interval * (3 * kept - first) + 2 * kept - first + dense) / (interval + 1)
    assert step.effectual_macs == pytest.approx(expected, rel=1e-12)
    assert step.macs == dt.training_step(network).macs


def test_a_density_alone_is_a_static_mask():
    step = dt.training_step(mlp(), sparsity=0.25)
    ops = {op.name: op for op in step.network.contractions}
    assert ops["fc1"].tensor("weight").density == ops["fc1.dx"].tensor("weight").density
    assert ops["fc1.dw"].tensor("output").density == ops["fc1"].tensor("weight").density < 1.0
    assert step.state_bytes == dt.training_step(mlp()).state_bytes


@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_b_16"])
def test_erk_keeps_the_share_asked_for(name, density):
    network = dt.load_network(name)
    densities = layer_densities(network, density)
    sizes = {op.name: op.words("weight") for op in network.contractions if op.name in densities}
    kept = sum(densities[name] * size for name, size in sizes.items())
    assert kept == pytest.approx(density * sum(sizes.values()))
    assert all(0 < share <= 1 for share in densities.values())


def test_erk_leaves_larger_layers_less():
    densities = layer_densities(dt.load_network("resnet18"), 0.1)
    # (n_in + n_out + 6) / (9 n_in n_out) at 512 and 64 channels.
    wanted = ((512 + 512 + 6) / (9 * 512 * 512)) / ((256 + 256 + 6) / (9 * 256 * 256))
    assert densities["layer4.1.conv2"] / densities["layer3.1.conv2"] == pytest.approx(wanted)


def test_updates_replace_less_and_less():
    schedule = SparseSchedule("rigl", 0.1, regrow=0.5)
    assert [schedule.replaced(t) for t in (0.0, 0.5, 1.0)] == pytest.approx([0.5, 0.25, 0.0])
    assert SparseSchedule("static", 0.1).replaced(0.0) == 0.0


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"kind": "graent", "final": 0.5}, UnknownName, "did you mean 'granet'"),
    ({"kind": "static", "final": 0.0}, BadInput, "above 0 and at most 1"),
    ({"kind": "static", "final": 1.2}, BadInput, "above 0 and at most 1"),
    ({"kind": "static", "final": True}, BadInput, "above 0 and at most 1"),
    ({"kind": "granet", "final": 0.5, "initial": 0.2}, BadInput, "the final one must be the lower"),
    ({"kind": "granet", "final": 0.5, "begin": 0.6, "end": 0.4}, BadInput, "0 <= begin < end <= 1"),
    ({"kind": "rigl", "final": 0.5, "interval": 0}, BadInput, "1 <= interval <= steps"),
    ({"kind": "rigl", "final": 0.5, "regrow": 2.0}, BadInput, "from 0 to 1"),
    ({"kind": "rigl", "final": 0.5, "distribution": "ekr"}, UnknownName, "did you mean 'erk'"),
])  # fmt: skip
def test_schedules_that_are_none_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        SparseSchedule(**options)


def test_a_time_outside_the_training_is_refused():
    with pytest.raises(BadInput, match="from 0 to 1"):
        SparseSchedule("static", 0.5).at(1.5)


# -- traces


def test_a_constant_sixteen_bit_trace_costs_half():
    network = mlp()
    trace = PrecisionTrace({op.name: [16] * 7 for op in network.contractions})
    assert trace.relative_cost(network) == 0.5
    assert trace.speedup(network) == 2.0


def test_a_trace_weighs_layers_by_their_work_and_epochs_alike():
    network = mlp()
    trace = PrecisionTrace({"fc0": [8, 16], "fc2": [32, 4]}, {"fc0": [0.5, 1.0]}, overhead=0.01)
    weights = [(8 * 0.5 + 16) / 64, 1.0, (32 + 4) / 64]
    expected = sum(w * macs for w, macs in zip(weights, PRODUCTS, strict=True)) / sum(PRODUCTS) + 0.01
    assert trace.relative_cost(network) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("bits", "densities", "message"), [
    ({}, {}, "at least one layer"),
    ({"fc0": [8, 8], "fc1": [8]}, {}, "as many epochs"),
    ({"fc0": [0]}, {}, "0 is not a word width"),
    ({"fc0": [8.5]}, {}, "is not a word width"),
    ({"fc0": [8]}, {"fc0": [0.0]}, "outside"),
])
def test_traces_that_are_none_are_refused(bits, densities, message):
    with pytest.raises(BadInput, match=message):
        PrecisionTrace(bits, densities)


def test_a_trace_of_a_layer_that_is_not_there_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'fc"):
        PrecisionTrace({"fc9": [8]}).relative_cost(mlp())


# -- without back-propagation


def test_back_propagation_takes_three_passes_but_for_the_first_layer():
    assert dt.training_step(mlp()).macs == 3 * sum(PRODUCTS) - PRODUCTS[0]


def test_mono_forward_takes_a_pass_local_gradients_and_three_products_with_each_projection():
    classes = SIZES[-1]
    projections = [BATCH * size * classes for size in SIZES[1:-1]]
    step = dt.training_step(mlp(), method="mono_forward", precision="fp32")
    assert step.macs == 2 * sum(PRODUCTS) + 3 * sum(projections)
    assert step.trained == mlp().params + sum(size * classes for size in SIZES[1:-1])
    assert step.parameter_bytes == 4 * step.params == 4 * step.trained
    assert not any(op.name in ("fc0.dx", "fc1.dx", "fc2.dx") for op in step.network.ops)


def test_forward_forward_takes_two_passes_and_their_gradients():
    step = dt.training_step(mlp(), method="forward_forward")
    assert (step.forward_macs, step.backward_macs) == (2 * sum(PRODUCTS), 2 * sum(PRODUCTS))
    names = {layer.op.name: layer for layer in step.network}
    assert set(names["fc0.step"].inputs) == {"fc0.dw", "fc0.db", "fc0.negative.dw", "fc0.negative.db"}
    assert step.trained == mlp().params


def test_cafo_trains_predictors_on_blocks_that_stay():
    classes = SIZES[-1]
    step = dt.training_step(mlp(), method="cafo")
    predictors = [BATCH * size * classes for size in SIZES[1:-1]]
    assert step.macs == sum(PRODUCTS) + 2 * sum(predictors) + PRODUCTS[-1]
    assert step.trained == sum(size * classes for size in SIZES[1:-1]) + (SIZES[-2] + 1) * classes


def test_a_local_gradient_ends_at_its_block():
    names = {layer.op.name: layer for layer in dt.training_step(mlp(), method="mono_forward").network}
    assert names["fc1.local"].inputs == ("fc1.relu",)
    assert names["fc1.local.dx"].inputs == ("fc1.local.loss.dx",)
    assert names["fc1.relu.dx"].inputs == ("fc1.local.dx", "fc1.relu")
    assert names["fc1.dw"].inputs == ("fc0.relu", "fc1.relu.dx")


def test_local_losses_hold_a_block_at_a_time():
    builder = NetworkBuilder("deep", channels=64, batch=32)
    for index in range(24):
        builder.linear(f"fc{index}", 64, activation="relu")
    builder.linear("classifier", 10)
    network = builder.build()
    local, whole = (dt.training_step(network, method=name).activation_bytes for name in ("mono_forward", "backprop"))
    assert local < whole / 5


@pytest.mark.parametrize("method", LOCAL_METHODS)
def test_local_methods_train_convolutional_networks(method):
    network = dt.load_network("resnet18", batch=2)
    step = dt.training_step(network, method=method)
    assert step.network.macs == step.macs
    if method == "mono_forward":
        end = next(op for op in step.network.contractions if op.name == "layer4.1.conv2.local")
        assert end.bounds == {"N": 2, "K": 1000, "C": 512 * 7 * 7}


def test_words_that_no_local_loss_reaches_are_named():
    step = dt.training_step(dt.load_network("vit_b_16"), method="mono_forward")
    assert "have no loss of their own" in step.notes[0]


def test_a_network_without_a_classifier_has_no_local_losses():
    builder = NetworkBuilder("two_ends", channels=20, batch=BATCH)
    start = builder.here
    builder.linear("left", 3)
    builder.resume(start)
    builder.linear("right", 3)
    with pytest.raises(BadInput, match="use method='backprop'"):
        dt.training_step(builder.build(), method="mono_forward")


@pytest.mark.parametrize(("method", "passes"), [
    ("cge", mlp().params + 1), ("rge", 2),
    (ZerothOrder("rge", queries=10), 11), (ZerothOrder("rge", queries=1, central=True), 2),
    (ZerothOrder("cge", density=0.1), math.ceil(0.1 * mlp().params) + 1),
    (ZerothOrder("cge", central=True), 2 * mlp().params),
])
def test_zeroth_order_steps_are_forward_passes(method, passes):
    step = dt.training_step(mlp(), method=method)
    assert step.macs == passes * sum(PRODUCTS)
    assert step.backward is None
    assert step.gradient_bytes == step.backward_macs == 0


def test_reused_features_save_the_layers_before():
    params = [(a + 1) * b for a, b in pairwise(SIZES)]
    behind = [sum(PRODUCTS[index:]) for index in range(3)]
    expected = sum(PRODUCTS) + sum(count * macs for count, macs in zip(params, behind, strict=True))
    step = dt.training_step(mlp(), method=ZerothOrder("cge", feature_reuse=True))
    assert step.macs == expected < dt.training_step(mlp(), method="cge").macs


def test_forward_passes_alone_hold_no_more_than_inference():
    network = dt.load_network("resnet18")
    assert dt.training_step(network, method="rge").activation_bytes * 2 < dt.training_step(network).activation_bytes


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"estimator": "cgee"}, UnknownName, "did you mean 'cge'"),
    ({"queries": 0}, BadInput, "queries is 0"),
    ({"density": 0.0}, BadInput, "density is 0"),
    ({"feature_reuse": True}, BadInput, "use estimator='cge'"),
])
def test_estimators_that_are_none_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        ZerothOrder(**options)


# -- batches and data


def test_micro_batches_multiply_the_passes_and_leave_the_update():
    one, four = (dt.training_step(mlp(), optimizer="adam", micro_batches=count) for count in (1, 4))
    assert four.macs == 4 * one.macs
    assert four.state_bytes == one.state_bytes
    names = {layer.op.name: layer for layer in four.network}
    assert names["fc0.sum"].inputs == ("fc0.dw", "fc0.db")
    assert names["fc0.step"].inputs == ("fc0.sum",)


def test_a_diet_trains_on_what_it_keeps_and_pays_for_the_scores():
    assert DataDiet(0.5).trained(50_000, 200) == 50_000 * 100
    diet = DataDiet(0.5, scoring_epochs=20, scoring_runs=10)
    assert diet.trained(50_000, 200) == 50_000 * (100 + 200)
    assert (diet.scored(50_000), DataDiet(0.5).scored(50_000)) == (500_000, 0)


@pytest.mark.parametrize("options", [{"kept": 0.0}, {"kept": 1.1}, {"kept": 0.5, "scoring_epochs": -1}])
def test_diets_that_are_none_are_refused(options):
    with pytest.raises(BadInput):
        DataDiet(**options)
