"""The zoo: counts agree with publications, batches multiply activations only, caches have the right size."""

from __future__ import annotations

import csv

import pytest

from dovetail.errors import BadInput, UnknownName
from dovetail.models import Network, NetworkBuilder, list_networks, load_network, network_counts, with_batch, with_bits
from dovetail.models.network import Layer
from dovetail.models.op import linear

CONTRACT = [
    "alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "mobilenet_edgetpu", "efficientnet_edgetpu_s",
    "vit_b_16", "bert_base", "gpt2_prefill", "gpt2_decode",
]


def test_the_contract_names_are_listed():
    assert set(CONTRACT) <= set(list_networks())


def test_counts_agree_with_the_published_ones():
    outside = [row for row in network_counts() if not row.within]
    assert not outside


TORCHVISION = {"alexnet": "AlexNet", "vgg16": "VGG16", "vgg19": "VGG19", "squeezenet1_0": "SqueezeNet1_0",
               "squeezenet1_1": "SqueezeNet1_1", "inception_v1": "GoogLeNet", "resnet18": "ResNet18",
               "resnet50": "ResNet50", "resnet152": "ResNet152", "densenet121": "DenseNet121",
               "mobilenet_v2": "MobileNet_V2", "vit_b_16": "ViT_B_16"}


@pytest.mark.parametrize("name", TORCHVISION)
def test_counts_agree_with_torchvision_within_one_per_cent(name, reference):
    with (reference / "imagenet" / "torchvision_imagenet_weights.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["weights"] == f"{TORCHVISION[name]}_Weights")
    network = load_network(name)
    assert network.macs == pytest.approx(float(row["gflops"]) * 1e9, rel=0.01)  # the column counts macs
    assert not row["params"] or network.params == pytest.approx(int(row["params"]), rel=0.01)


def test_the_reference_table_adds_no_second_comparison_of_a_count(reference):
    rows = [(row.name, row.quantity) for row in network_counts(reference)]
    assert len(rows) == len(set(rows))
    assert all(row.within for row in network_counts(reference))


def test_a_reference_folder_without_the_table_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="reference folder"):
        network_counts(tmp_path)


@pytest.mark.parametrize(("name", "published"), [
    ("resnet18", 11689512), ("resnet50", 25557032), ("mobilenet_v2", 3504872),
])
def test_parameters_are_exact_once_batch_norm_is_unfolded(name, published):
    network = load_network(name)
    # Folding leaves one word per channel of the two that batch norm has.
    folded = sum(op.bias for op in network.contractions if op.kind != "linear")
    assert network.params + folded == published


@pytest.mark.parametrize("name", list_networks())
def test_layers_stand_in_topological_order(name):
    seen = set()
    for layer in load_network(name):
        assert set(layer.inputs) <= seen
        seen.add(layer.op.name)


@pytest.mark.parametrize("name", list_networks())
def test_every_output_but_the_last_is_read(name):
    network = load_network(name)
    read = {source for layer in network for source in layer.inputs}
    assert {op.name for op in network.ops} - read == {network.ops[-1].name}


@pytest.mark.parametrize("name", list_networks())
def test_a_batch_multiplies_macs_and_leaves_parameters(name):
    single, batched = load_network(name), load_network(name, batch=3)
    assert batched.macs == 3 * single.macs
    assert batched.params == single.params
    assert batched == with_batch(single, 3)


@pytest.mark.parametrize("name", ["mobilenet_v2", "bert_base", "ds_cnn_kws"])
def test_bits_set_the_width_of_every_word(name):
    network = load_network(name, bits=4)
    assert {tensor.bits for op in network.contractions for tensor in op.tensors} == {4}
    assert network == with_bits(load_network(name), 4)


def test_the_grouped_alexnet_has_the_shapes_of_the_eyeriss_measurements():
    network = load_network("alexnet", grouped=True)
    conv = [op.bounds for op in network.contractions if op.kind == "conv2d"]
    assert [(c["G"], c["G"] * c["K"], c["C"], c["P"]) for c in conv] == [
        (1, 96, 3, 55), (2, 256, 48, 27), (1, 384, 256, 13), (2, 384, 192, 13), (2, 256, 192, 13),
    ]


def test_decoding_reads_a_cache_of_two_times_context_words_per_layer():
    network = load_network("gpt2_decode", context=300)
    products = [op for op in network.contractions if op.kind == "matmul"]
    assert len(products) == 24
    assert all(op.words("weight") == 300 * 768 for op in products)
    assert not any(op.tensor("weight").is_parameter for op in products)


def test_prefill_and_decoding_store_the_same_words():
    assert load_network("gpt2_prefill", seq=64).params == load_network("gpt2_decode", context=64).params


def test_decoding_every_token_multiplies_as_often_as_a_causal_prefill():
    def products(network):
        return sum(op.macs for op in network.contractions if op.kind == "matmul")

    tokens = 6
    decoded = sum(products(load_network("gpt2_decode", context=n)) for n in range(1, tokens + 1))
    # The prefill computes the masked half of the square as well.
    assert products(load_network("gpt2_prefill", seq=tokens)) == decoded * 2 * tokens // (tokens + 1)


def test_a_vision_transformer_sees_197_tokens():
    scores = next(op for op in load_network("vit_b_16").contractions if op.name.endswith("scores"))
    assert scores.bounds == {"G": 12, "N": 197, "K": 197, "C": 64}


def test_resolution_changes_work_but_not_parameters():
    full, small = load_network("mobilenet_v2"), load_network("mobilenet_v2", resolution=96)
    assert small.params == full.params
    assert small.macs < full.macs / 4


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'resnet50'"):
        load_network("resnet5O")


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        load_network(tmp_path / "net.yaml")


def test_a_file_of_another_kind_is_bad_input(tmp_path):
    path = tmp_path / "net.pdf"
    path.write_text("")
    with pytest.raises(BadInput, match="not a network file"):
        load_network(path)


@pytest.mark.parametrize(("options", "message"), [
    ({"batch": 0}, "batch is 0"),
    ({"batch": 1.5}, "batch is 1.5"),
    ({"bits": 0}, "bits is 0"),
    ({"resolutoin": 96}, "did you mean 'resolution'"),
    ({"width": "wide"}, "width is 'wide'; it must be a number"),
    ({"resolution": 0}, "resolution is 0"),
    ({"resolution": True}, "resolution is True"),
])
def test_bad_options_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        load_network("mobilenet_v2", **options)


@pytest.mark.parametrize(("name", "options", "message"), [
    ("vit_b_16", {"resolution": 200}, "multiple of the patch size"),
    ("bert_base", {"seq": 513}, "between 1 and 512"),
    ("gpt2_decode", {"context": 2000}, "between 1 and 1024"),
    ("alexnet", {"resolution": 16}, "raise the resolution"),
    ("ds_cnn_kws", {"resolution": 16}, "only zoo networks take options"),
])
def test_sizes_that_a_network_cannot_have_are_refused(name, options, message):
    with pytest.raises(BadInput, match=message):
        load_network(name, **options)


def test_a_network_refuses_layers_out_of_order_and_equal_names():
    first, second = Layer(linear("a", n=1, k=1, c=1)), Layer(linear("b", n=1, k=1, c=1), ("a",))
    with pytest.raises(BadInput, match="not defined before it"):
        Network("net", (second, first))
    with pytest.raises(BadInput, match="two layers are named 'a'"):
        Network("net", (first, first))
    with pytest.raises(BadInput, match="at least one layer"):
        NetworkBuilder("net", channels=1).build()


@pytest.mark.parametrize(("width", "said"), [(1e30, "at most 100,000"), (-1, "above 0"), (-0.5, "above 0")])
def test_a_width_no_network_has_is_refused(width, said):
    with pytest.raises(BadInput, match=said):
        load_network("mobilenet_v2", width=width)


def test_the_authors_resnet_50_strides_first_and_has_the_paper_s_multiplications():
    network = load_network("resnet50", authors=True)
    assert network.macs == pytest.approx(3.8e9, rel=0.02)  # He et al., Table 1
    strides = {op.name: op.tensor("input").ranks[-1].terms[0][1] for op in network.contractions if op.kind == "conv2d"}
    assert (strides["layer2.0.conv1"], strides["layer2.0.conv2"]) == (2, 1)
    assert network.params == load_network("resnet50").params
