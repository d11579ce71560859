"""Training runs: parts sum, devices and batches scale, what does not fit or make sense is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import dovetail as dt
from dovetail.errors import BadInput, CannotDo, SpecError, UnknownName
from dovetail.mapper.base import Limits
from dovetail.mapper.training import Recipe, load_recipe, recipe_names, recipe_of
from dovetail.models.network import Layer
from dovetail.models.op import linear


@pytest.fixture(scope="module")
def resnet() -> dt.Network:
    return dt.load_network("resnet18")


def run(network: dt.Network, accelerator: str = "a100", **changes: object) -> dt.TrainingEstimate:
    return dt.estimate_training(network, accelerator, mapper="roofline", **changes)  # type: ignore[arg-type]


# ---- what it takes ---------------------------------------------------------------------------------------------------


def test_parts_sum_to_the_whole(resnet):
    found = run(resnet, devices=4, batch=256)
    assert math.fsum(found.breakdown().values()) == pytest.approx(found.energy_j, rel=1e-12)
    assert math.fsum(found.times.values()) == pytest.approx(found.step_s, rel=1e-12)
    assert found.energy_j == pytest.approx(found.steps * found.step_j)
    assert found.time_s == pytest.approx(found.steps * found.step_s)
    assert found.device_hours == pytest.approx(4 * found.time_s / 3600)
    assert found.power_w == pytest.approx(found.energy_j / found.time_s / 4)
    assert set(found.breakdown()) == {"forward", "backward", "update", "communication", "standing"}


def test_one_device_waits_for_no_other(resnet):
    found = run(resnet)
    assert found.communication_s == found.exposed_share == found.breakdown()["communication"] == 0.0


def test_a_mapped_training_costs_more_than_its_bound():
    network = dt.load_network("ds_cnn_kws")
    mapped = dt.estimate_training(network, limits=Limits(evaluations=300))
    least = run(network)
    assert least.time_s <= mapped.time_s
    assert least.energy_j <= mapped.energy_j
    assert mapped.recipe.name == least.recipe.name == "mlperf_tiny_kws"


def test_the_backward_pass_takes_about_twice_the_forward_pass():
    found = run(dt.load_network("vgg16"))
    assert 2.0 <= found.times["backward"] / found.times["forward"] <= 2.5  # two products for one, and masks of ReLUs


@pytest.mark.parametrize(("accelerator", "idle_w", "most_w"), [
    ("a100", 53, 400), ("h100", 70, 700), ("h200", 80, 700), ("tpu_v4", 90, 250),
])  # fmt: skip
def test_power_in_training_lies_between_idle_and_the_published_limit(accelerator, idle_w, most_w):
    for name in ("mobilenet_v2", "bert_base"):
        assert idle_w < run(dt.load_network(name), accelerator).power_w < most_w


def test_each_accelerator_is_as_fast_as_its_age_says(resnet):
    rates = [run(resnet, name).samples_per_s for name in ("tpu_v4", "a100", "h100", "h200")]
    assert rates == sorted(rates)


def test_sources_and_notes_name_what_was_used(resnet):
    found = run(resnet, devices=8, batch=256)
    assert any("torchvision" in line for line in found.sources())
    assert any(line.startswith("link nvlink3") for line in found.sources())
    assert any("lower bound" in note for note in found.notes)
    assert "imagenet_90 on 8 x a100" in repr(found)


# ---- batches, devices, words -----------------------------------------------------------------------------------------


def test_weak_scaling_loses_only_what_is_exposed(resnet):
    alone = run(resnet, batch=64)
    each = []
    for devices in (2, 8, 64, 512):
        found = run(resnet, devices=devices, batch=64 * devices)
        assert found.step_s == pytest.approx(alone.step_s + found.communication_s)
        each.append(found.samples_per_s / devices)
    assert each == sorted(each, reverse=True)
    assert each[0] > 0.9 * alone.samples_per_s


def test_more_devices_on_one_batch_are_never_slower_by_more_than_the_exchange(resnet):
    times = [run(resnet, devices=devices, batch=256).time_s for devices in (1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)


def test_no_overlap_adds_the_whole_exchange(resnet):
    hidden, bare = (run(resnet, devices=8, batch=256, overlap=overlap) for overlap in (True, False))
    assert bare.exposed_share == pytest.approx(1.0)
    assert bare.step_s - hidden.step_s == pytest.approx(bare.communication_s - hidden.communication_s)


def test_the_exchange_carries_every_trained_word_once(resnet):
    found = run(resnet, devices=2, batch=256)
    sent = math.fsum(bucket.bits for bucket in found.exchange.buckets)
    assert sent == pytest.approx(8 * found.training.gradient_bytes, rel=1e-6)


def test_another_batch_takes_the_same_samples(resnet):
    small, large = run(resnet, batch=128), run(resnet, batch=1024)
    assert small.steps * 128 == pytest.approx(large.steps * 1024, rel=1e-3)


def test_a_share_that_does_not_fit_is_run_in_as_few_micro_batches_as_fit():
    found = run(dt.load_network("vit_b_16"))
    assert found.training.micro_batches > 1
    assert found.memory_bytes <= 80e9
    assert any("micro-batches" in note for note in found.notes)
    with pytest.raises(CannotDo):
        run(dt.load_network("vit_b_16"), micro_batches=found.training.micro_batches // 2)


def test_micro_batches_hold_less_and_step_once(resnet):
    whole, parts = run(resnet, micro_batches=1), run(resnet, micro_batches=4)
    assert parts.memory_bytes < whole.memory_bytes
    assert parts.training.macs == whole.training.macs
    assert parts.times["update"] == pytest.approx(whole.times["update"])


def test_sums_over_micro_batches_do_not_hold_back_the_gradients(resnet):
    found = run(resnet, devices=2, batch=2048, micro_batches=4, bucket="0 B")
    assert found.exposed_share < 0.1


def test_recomputation_holds_less_and_takes_longer(resnet):
    plain, again = run(resnet), run(resnet, recompute="sqrt")
    assert again.memory_bytes < plain.memory_bytes
    assert again.step_s > plain.step_s


def test_words_of_32_bits_halve_the_tensor_cores(resnet):
    half, full = run(resnet), run(resnet, precision="fp32")
    assert full.accelerator.compute.operand_bits == 32
    assert full.accelerator.peak_ops_per_s == pytest.approx(half.accelerator.peak_ops_per_s / 2)
    assert full.step_s > half.step_s


@pytest.mark.parametrize("method", ["mono_forward", "forward_forward", "rge"])
def test_methods_without_a_backward_pass_run_on_several_devices(method):
    network = dt.load_network("ds_cnn_kws")
    found = run(network, recipe=replace(load_recipe("mlperf_tiny_kws"), method=method), devices=2)
    assert found.energy_j > 0.0
    assert (found.times["backward"] == 0.0) == (method == "rge")


# ---- recipes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_read_cited_and_of_known_networks(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.source
    unknown = set(recipe.networks) - set(dt.list_networks())
    assert not unknown


def test_lengths_are_the_published_ones():
    assert load_recipe("efficientnet_350").steps == 218_949
    assert load_recipe("imagenet_90").steps == math.ceil(90 * 1_281_167 / 256)
    assert load_recipe("bert").steps == 1_000_000


def test_networks_are_trained_by_their_own_recipe():
    assert recipe_of(dt.load_network("mobilenet_v2")) == "imagenet_300"
    assert recipe_of(dt.load_network("gpt2_decode")) is None
    assert recipe_of(dt.load_network("mobilenet_v1")) == "imagenet_300"
    assert recipe_of(dt.load_network("mobilenet_v1", width=0.25, resolution=96, classes=2)) == "mlperf_tiny_vww"


def test_only_networks_with_folded_norms_get_them_back():
    recipe = load_recipe("imagenet_90")
    assert recipe.norms(dt.load_network("resnet50"))
    assert not recipe.norms(dt.load_network("vgg16"))


def test_a_recipe_may_be_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nsamples: 1000\nepochs: 2\nbatch: 10\noptimizer: lion\n")
    assert load_recipe(file).steps == 200


def test_a_sparse_recipe_needs_fewer_products_and_says_that_dense_hardware_does_them_all(tmp_path, resnet):
    file = tmp_path / "sparse.yaml"
    file.write_text("name: s\nsteps: 100\nbatch: 32\nsparsity: {kind: granet, final: 0.1, interval: 10}\n")
    sparse = run(resnet, recipe=file)
    assert sparse.training.effectual_macs < 0.8 * sparse.training.macs
    assert any("makes no use of zeros" in note for note in sparse.notes)


@pytest.mark.parametrize(("text", "message"), [
    ("name: x\nbatch: 8\n", "no length"),
    ("name: x\nbatch: 0\nsteps: 1\n", "mine.yaml:2:1: batch"),
    ("name: x\nbatch: 8\nsteps: 1\noptimizer: adan\n", "mine.yaml:4:1: optimizer: no optimizer named 'adan'"),
    ("name: x\nmethod: backporp\nbatch: 8\nsteps: 1\n", "mine.yaml:2:1: method"),
    ("name: x\nbatch: 8\nprecision: mixd\nsteps: 1\n", "did you mean 'mixed'"),
    ("name: x\nbatch: 8\nsteps: 1\nepoch: 3\n", "mine.yaml:4:1"),
])  # fmt: skip
def test_a_wrong_recipe_is_answered_with_its_line(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SpecError, match=message):
        load_recipe(file)


def test_a_recipe_of_no_samples_is_refused():
    with pytest.raises(BadInput, match="samples"):
        Recipe("none", 0, 1, 1)
    with pytest.raises(BadInput, match="epochs"):
        Recipe("none", 1, -1.0, 1)


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "kind", "message"), [
    ({"recipe": "imagenet_91"}, UnknownName, "imagenet_90"),
    ({"accelerator": "a10"}, UnknownName, "did you mean 'a100'"),
    ({"devices": 0}, BadInput, "devices is 0"),
    ({"devices": 2.5}, BadInput, "devices is 2.5"),
    ({"devices": 3}, BadInput, "does not divide among 3 devices; give batch=255"),
    ({"micro_batches": 7}, BadInput, "7 micro-batches"),
    ({"micro_batches": 0}, BadInput, "micro_batches is 0"),
    ({"optimizer": "adan"}, UnknownName, "did you mean"),
    ({"precision": "fp23"}, UnknownName, "did you mean"),
    ({"devices": 2, "link": "nvlink"}, UnknownName, "did you mean 'nvlink"),
    ({"devices": 16, "link": "nvlink3"}, BadInput, "reaches 8 devices"),
    ({"accelerator": "eyeriss", "devices": 2}, BadInput, "give link="),
    ({"devices": 2, "link": "-1 GB/s"}, BadInput, "too small"),
    ({"objective": "joy"}, BadInput, "joy"),
    ({"bucket": "25"}, BadInput, "has no unit"),
    ({"batch": -8}, BadInput, "batch is -8"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_remedy(resnet, changes, kind, message):
    with pytest.raises(kind, match=message):
        run(resnet, **changes)


def test_an_unknown_mapper_is_told_of_the_roofline(resnet):
    with pytest.raises(UnknownName, match="roofline"):
        dt.estimate_training(resnet, mapper="rooflin")


def test_a_network_with_its_batch_inside_is_refused():
    with pytest.raises(BadInput, match="described for 4 samples; load it with batch=1"):
        dt.estimate_training(dt.load_network("ds_cnn_kws", batch=4), mapper="roofline")


def test_a_network_without_a_recipe_needs_one(resnet):
    with pytest.raises(BadInput, match="no recipe of its own"):
        run(dt.Network("own", resnet.layers))


def test_activations_that_do_not_fit_name_recomputation_and_the_batch(resnet):
    with pytest.raises(CannotDo, match=r"do not fit into dram of a100, 80 GB.*recompute=.*smaller batch"):
        run(resnet, batch=16384, micro_batches=1)


def test_weights_that_do_not_fit_name_the_optimizer_and_the_memory():
    huge = dt.Network("huge", (Layer(linear("fc", n=1, k=100_000, c=100_000)),))
    with pytest.raises(CannotDo, match=r"optimizer with less state.*more memory"):
        run(huge, recipe="digits")
