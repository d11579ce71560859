"""Networks as YAML: exact round trips, and every mistake answered with its place and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import SpecError
from dovetail.models import (
    Layer,
    Network,
    Op,
    Rank,
    Tensor,
    VectorOp,
    batched_matmul,
    conv2d,
    linear,
    list_networks,
    load_network,
    network_from_yaml,
    network_schema,
    network_to_yaml,
    transposed_conv2d,
)


def _round_trip(*ops, **fields):
    network = Network(fields.pop("name", "net"), tuple(Layer(op) for op in ops), **fields)
    assert network_from_yaml(network_to_yaml(network)) == network


@pytest.mark.parametrize("name", list_networks())
def test_every_network_survives_the_round_trip(name):
    network = load_network(name)
    assert network_from_yaml(network_to_yaml(network)) == network


def test_batched_wide_words_survive_the_round_trip():
    network = load_network("gpt2_decode", batch=4, bits=16)
    assert network_from_yaml(network_to_yaml(network)) == network


def test_operators_that_no_short_form_expresses_survive_as_einsum():
    def tensors(**changes):
        n, k, c, window = Rank((("N", 1),)), Rank((("K", 1),)), Rank((("C", 1),)), Rank((("P", 3), ("R", 2)))
        return (
            Tensor("input", (n, c, window), 8, **changes),
            Tensor("weight", (k, c, Rank((("R", 1),))), 4, is_parameter=True, density=0.25),
            Tensor("output", (n, k, Rank((("P", 1),))), 32),
        )

    dims = (("N", 2), ("K", 5), ("C", 3), ("P", 7), ("R", 3))
    _round_trip(Op("a", dims, tensors(density=0.5), "conv1d", bias=5), Op("b", dims, tensors(is_parameter=True)))


def test_short_forms_with_unusual_details_survive_the_round_trip():
    conv = conv2d("conv", n=2, g=3, k=4, c=5, p=6, q=7, r=3, s=1, stride=(2, 1), dilation=(1, 2), bias=False)
    odd = Op("odd bias", conv.dims, conv.tensors, "stem", bias=7)
    _round_trip(
        conv, odd, transposed_conv2d("up", g=2, k=3, c=4, h=5, w=6, r=2, s=3, stride=(2, 3)),
        linear("fc", n=3, k=4, c=5, bias=False), batched_matmul("experts", g=8, n=2, k=3, c=4, parameter=True),
        VectorOp("norm", "layer_norm", 1, 2, 3, bits=16, params=4, fused=True),
    )


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives_as_name_source_and_note(text):
    _round_trip(linear(text, n=1, k=1, c=1), name=text, source=text, notes=(text,))


@pytest.mark.parametrize("name", ["1", "1e5", "true", "null", "~", "no", "1:30", "0x1f", "- a", "a: b", "a #b", "12.5"])
def test_names_that_look_like_something_else_stay_text(name):
    _round_trip(linear(name, n=1, k=1, c=1), name=name)


def test_a_layer_reads_the_one_before_it_unless_it_says_otherwise():
    network = network_from_yaml("""
name: two towers
layers:
  - {name: a, kind: linear, k: 4, c: 2}
  - {name: b, kind: linear, k: 4, c: 2, inputs: []}
  - {name: sum, kind: vector, function: add, operations: 4, words_in: 8, words_out: 4, inputs: [a, b]}
  - {name: c, kind: linear, k: 1, c: 4}
""")
    assert [layer.inputs for layer in network] == [(), (), ("a", "b"), ("sum",)]


def test_an_einsum_is_written_with_ranks_as_sums():
    op = network_from_yaml("""
name: conv1d
layers:
  - name: conv
    kind: einsum
    dims: {N: 1, K: 8, C: 4, P: 10, R: 3}
    input: [N, C, P*2 + R]
    weight: [K, C, R]
    output: [N, K, P]
    parameters: [weight]
    bits: {input: 8, weight: 4, output: 16}
""").contractions[0]
    assert op.macs == 8 * 4 * 10 * 3
    assert op.words("input") == 4 * (9 * 2 + 3)
    assert op.params == 8 * 4 * 3
    assert [tensor.bits for tensor in op.tensors] == [8, 4, 16]


LINEAR = "name: net\nlayers:\n  - {name: a, kind: linear, k: 4, c: 2"


@pytest.mark.parametrize(("text", "expected"), [
    (LINEAR + ", biass: true}", ("<text>:3:41", "layers[0].biass", "unknown key 'biass'", "did you mean 'bias'?")),
    (LINEAR + ", n: 0}", ("<text>:3:41", "layers[0].n", "'0'", "write at least 1")),
    (LINEAR + ", n: two}", ("<text>:3:41", "layers[0].n", "'two' is not a whole number")),
    (LINEAR + ", n: true}", ("<text>:3:41", "layers[0].n", "'true' is not a whole number")),
    (LINEAR + ", inputs: [b]}", ("<text>:3:50", "layers[0].inputs[0]", "no layer named 'b'")),
    (LINEAR + "}\n  - {name: a, kind: linear, k: 4, c: 4}", ("<text>:4:6", "also the name of layers[0]", "rename")),
    (LINEAR + ", k: 5}", ("<text>:3:", "'k' stands twice")),
    (LINEAR + ", inputs: [z]}\n  - {name: z, kind: linear, k: 1, c: 1}", ("'z' does not stand before 'a'",)),
    ("name: net\nlayers:\n  - {name: a, kind: linaer, k: 4, c: 2}",
     ("<text>:3:15", "layers[0].kind", "'linaer' is not a known kind", "did you mean 'linear'?")),
    ("name: net\nlayers:\n  - {name: a, kind: linear, k: 4}", ("<text>:3:5", "layers[0].c", "is missing", "add 'c:'")),
    ("name: net\nlayers: []", ("<text>:2:1", "layers", "write at least 1")),
    ("name: net", ("layers", "is missing")),
    ("layers: [}", ("<text>:1:", "not valid YAML")),
    ("", ("the file is empty",)),
])
def test_a_mistake_is_answered_with_place_path_rule_and_remedy(text, expected):
    with pytest.raises(SpecError) as caught:
        network_from_yaml(text)
    for part in expected:
        assert part in str(caught.value)


EINSUM = "name: net\nlayers:\n  - {name: a, kind: einsum, dims: {K: 2, C: 3}, input: [%s], weight: [K, C], output: [K]}"


@pytest.mark.parametrize(("rank", "expected"), [
    ("C*", "'C*' is not a rank"),
    ("C+C", "one or two distinct dimensions"),
    ("C*0", "factors of at least 1"),
    ("P", "uses the dimension 'P'; declare it under dims; declared: K, C"),
])
def test_a_wrong_rank_is_answered_at_its_place(rank, expected):
    with pytest.raises(SpecError) as caught:
        network_from_yaml(EINSUM % rank)
    assert "<text>:3:57: layers[0].input[0]: " in str(caught.value)
    assert expected in str(caught.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(SpecError) as caught:
        network_from_yaml("name: net\nnmae: x\nlayers:\n  - {name: a, kind: linear, k: 0, c: -1, q: 1}\n")
    assert len(caught.value.problems) == 4


def test_a_file_is_named_in_its_problems(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(LINEAR + ", n: 0}")
    with pytest.raises(SpecError, match=r"net\.yaml:3:41"):
        load_network(path)


def test_the_schema_describes_every_kind_of_layer():
    schema = network_schema()
    kinds = schema["properties"]["layers"]["items"]["discriminator"]["mapping"]
    assert set(kinds) == {"conv2d", "depthwise_conv2d", "transposed_conv2d", "linear", "matmul", "einsum", "vector"}
