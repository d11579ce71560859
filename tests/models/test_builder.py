"""The builder: shapes follow PyTorch, branches join, nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import BadInput, UnknownName
from dovetail.models import IbnBlock, NetworkBuilder, VectorOp, ibn_network
from dovetail.models.zoo.blocks import inverted_bottleneck, make_divisible


@given(size=st.integers(1, 40), kernel=st.integers(1, 7), stride=st.integers(1, 4), padding=st.integers(0, 3),
       dilation=st.integers(1, 3))
def test_the_output_size_is_the_number_of_windows_that_fit(size, kernel, stride, padding, dilation):
    windows = [start for start in range(0, size + 2 * padding, stride)
               if start + dilation * (kernel - 1) < size + 2 * padding]
    builder = NetworkBuilder("net", channels=1, height=size, width=size)
    if not windows:
        with pytest.raises(BadInput, match="raise the resolution"):
            builder.conv("conv", 1, kernel, stride=stride, padding=padding, dilation=dilation)
        return
    builder.conv("conv", 1, kernel, stride=stride, padding=padding, dilation=dilation)
    assert builder.here.height == builder.here.width == len(windows)


@given(size=st.integers(1, 20), out=st.integers(1, 9))
def test_an_adaptive_pool_reads_the_windows_that_torch_averages(size, out):
    builder = NetworkBuilder("net", channels=2, height=size, width=size)
    builder.conv("conv", 2, 1)
    builder.adaptive_average_pool("pool", out)
    operator = builder.build().ops[-1]
    if size == out:
        assert operator.name == "conv"
        return
    lengths = [len([x for x in range(size) if i * size // out <= x < ((i + 1) * size + out - 1) // out])
               for i in range(out)]
    assert isinstance(operator, VectorOp)
    assert operator.operations == 2 * sum(lengths) ** 2


def test_an_addition_reads_both_operands_and_a_fused_activation_follows_it():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    builder.conv("a", 8, 3)
    start = builder.here
    builder.conv("b", 8, 3)
    builder.add("sum", start, activation="relu")
    layers = {layer.op.name: layer for layer in builder.build()}
    assert layers["sum"].inputs == ("b", "a")
    assert layers["sum"].op.words_in == 2 * layers["sum"].op.words_out == 2 * 128
    assert not layers["sum"].op.fused
    assert layers["sum.relu"].op.fused
    assert layers["sum.relu"].inputs == ("sum",)


def test_adding_tensors_of_different_sizes_is_refused():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    start = builder.here
    builder.conv("a", 16, 3)
    with pytest.raises(BadInput, match="256 and 128 words"):
        builder.add("sum", start)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(BadInput, match="3 groups"):
        NetworkBuilder("net", channels=8, height=4, width=4).conv("a", 9, 1, groups=3)


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        NetworkBuilder("net", channels=8, height=4, width=4).conv("a", 8, 1, activation="rellu")


@pytest.mark.parametrize("option", ["batch", "bits", "channels", "height"])
def test_sizes_below_one_are_refused(option):
    with pytest.raises(BadInput, match=f"{option} is 0"):
        NetworkBuilder("net", **{"channels": 3, option: 0})


@given(st.floats(1, 4000))
def test_rounded_channels_are_multiples_of_eight_and_lose_at_most_a_tenth(channels):
    rounded = make_divisible(channels)
    assert rounded % 8 == 0
    assert rounded >= 0.9 * channels
    assert rounded <= channels * 1.1 + 8


def _kinds(fused, expansion):
    builder = NetworkBuilder("net", channels=16, height=8, width=8)
    inverted_bottleneck(builder, "b", kernel=3, expansion=expansion, out_channels=16, fused=fused)
    return [(op.kind, op.bounds["R"]) for op in builder.build().contractions]


def test_an_inverted_bottleneck_expands_filters_and_projects():
    assert _kinds(False, 6) == [("conv2d", 1), ("depthwise_conv2d", 3), ("conv2d", 1)]


def test_a_fused_bottleneck_has_one_full_convolution_and_a_projection():
    assert _kinds(True, 6) == [("conv2d", 3), ("conv2d", 1)]


def test_an_expansion_of_one_leaves_out_the_expanding_layer():
    assert _kinds(False, 1) == [("depthwise_conv2d", 3), ("conv2d", 1)]
    assert _kinds(True, 1) == [("conv2d", 3)]


def test_a_candidate_network_is_built_from_its_blocks():
    blocks = (IbnBlock(3, 4, 24, 2, fused=True), IbnBlock(5, 6, 24), IbnBlock(3, 6, 48, 2))
    network = ibn_network("candidate", blocks, resolution=64, width=0.5, classes=10)
    names = [op.name for op in network.ops]
    assert "block1.add" in names  # stride 1, equal channels
    assert "block2.add" not in names
    assert network.ops[0].bounds["K"] == 16
    assert network.contractions[-1].bounds == {"N": 1, "K": 10, "C": 1280}


@pytest.mark.parametrize("width", [0, -1.0, float("nan")])
def test_a_width_not_above_zero_is_refused(width):
    with pytest.raises(BadInput, match="width"):
        ibn_network("candidate", (IbnBlock(3, 4, 24),), width=width)


def test_a_concatenation_is_read_from_all_its_layers_and_moves_nothing():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    builder.conv("a", 8, 3)
    start = builder.here
    builder.conv("b", 4, 3)
    builder.concat(start, builder.here)
    builder.conv("c", 2, 1)
    layers = {layer.op.name: layer for layer in builder.build()}
    assert list(layers) == ["a", "b", "c"]
    assert layers["c"].inputs == ("a", "b")
    assert layers["c"].op.bounds["C"] == 12


def test_concatenating_maps_of_different_sizes_is_refused():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    builder.conv("a", 8, 3)
    start = builder.here
    builder.conv("b", 8, 3, stride=2)
    with pytest.raises(BadInput, match="cannot concatenate 'a' of 4x4 and 'b' of 2x2"):
        builder.concat(start, builder.here)


def test_a_transposed_convolution_enlarges_by_its_stride():
    builder = NetworkBuilder("net", channels=8, height=4, width=5)
    builder.transposed_conv("up", 3, 3, stride=2)
    assert (builder.here.channels, builder.here.height, builder.here.width) == (3, 8, 10)


def test_an_earlier_layer_is_found_again_by_its_name():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    builder.conv("a", 6, 3, activation="relu")
    builder.conv("b", 2, 1)
    assert builder.after("a.relu").channels == 6
    with pytest.raises(UnknownName, match="layer"):
        builder.after("c")


def test_a_group_size_that_does_not_divide_is_refused():
    builder = NetworkBuilder("net", channels=8, height=4, width=4)
    with pytest.raises(BadInput, match="no multiple of the group size 48"):
        inverted_bottleneck(builder, "b", kernel=3, expansion=4, out_channels=8, fused=True, group_size=48)
