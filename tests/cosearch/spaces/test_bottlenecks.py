import numpy as np
import pytest

from dovetail.cosearch.spaces.mobilenet_ibn import MobilenetS3, MobilenetV2
from dovetail.cosearch.spaces.networks import network_space
from dovetail.errors import BadInput
from dovetail.models.zoo.efficientnet import efficientnet_lite
from dovetail.models.zoo.mobilenet import mobilenet_v2

NAMES = ("mobilenet_v2", "efficientnet_edge", "mobilenet_s3", "mobilenet_ibn")


def _shapes(network):
    return [op.shape_key for op in network.ops]


def test_the_first_space_has_the_published_number_of_networks():
    assert network_space("mobilenet_v2").space.size == 3**17 * 2**16 == 8_463_329_722_368


def test_the_second_space_varies_sixteen_blocks_of_which_the_first_keeps_its_expansion():
    assert network_space("efficientnet_edge").space.size == 3**16 * 2**15


def test_the_third_space_by_block_has_the_published_number_of_networks_but_for_what_rounds_alike():
    by_block = MobilenetS3(kernels=(3, 5, 7), groups=(1,), scale="block").space
    # 16 and 24 channels times 0.75, 1 and 1.25 give two widths each that are multiples of 8.
    assert by_block.size == 3**17 * 2**16 * 2**17 * 2**3 * 3**14


@pytest.mark.parametrize(
    ("name", "published"),
    [("mobilenet_v2", mobilenet_v2()), ("mobilenet_s3", mobilenet_v2()), ("efficientnet_edge", efficientnet_lite())],
)
def test_the_baseline_is_the_published_network_layer_by_layer(name, published):
    space = network_space(name)
    assert _shapes(space.build(space.baseline())) == _shapes(published)


@pytest.mark.parametrize("name", NAMES)
def test_every_choice_changes_the_network(name):
    space = network_space(name)
    reference = _shapes(space.build(space.baseline()))
    for point in space.space.neighbours(space.baseline()):
        assert _shapes(space.build(point)) != reference


@pytest.mark.parametrize("name", NAMES)
def test_random_points_build_and_come_back_from_their_code(name):
    space, rng = network_space(name), np.random.default_rng(1)
    for _ in range(20):
        point = space.space.sample(rng)
        assert space.space.decode(space.space.encode(point)) == point
        assert space.build(point).macs > 0


def test_groups_divide_the_weights_of_the_blocks_1x1_convolutions():
    space = network_space("mobilenet_s3")
    one = space.build(space.baseline())
    two = space.build({**space.baseline(), "net.b05.groups": 2})
    saved = {op.name: op.params - other.params for op, other in zip(one.contractions, two.contractions, strict=True)}
    assert {name for name, params in saved.items() if params} == {"block4.expand", "block4.project"}
    assert saved["block4.expand"] == 32 * 192 // 2


def test_widths_by_block_lose_the_shortcut_between_blocks_that_differ():
    space = MobilenetS3(scale="block")
    point = {**space.baseline(), "net.b05.width": 1.25}
    adds = {op.name for op in space.build(point).ops if op.kind == "add"}
    assert "block4.add" not in adds
    assert "block8.add" in adds


def test_a_baseline_outside_the_options_is_the_nearest_inside():
    space = MobilenetV2(kernels=(5, 7), expansions=(2, 4), resolutions=(160, 192))
    baseline = space.baseline()
    assert (baseline["net.resolution"], baseline["net.b02.kernel"], baseline["net.b02.expansion"]) == (192, 5, 4)


def test_a_wrong_option_is_named_with_its_choice():
    space = network_space("mobilenet_s3")
    with pytest.raises(BadInput, match=r"net\.b03\.kernel: 7 is not an option; choose one of 3, 5"):
        space.build({**space.baseline(), "net.b03.kernel": 7})
