import numpy as np
import pytest

from dovetail.accel.accelerator import Accelerator, Compute, Memory, Parameter
from dovetail.accel.spec import load_accelerator
from dovetail.cosearch.spaces.hardware import hardware_defaults, hardware_space, hardware_values
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.errors import BadInput, UnknownName
from dovetail.models.zoo.mobilenet import mobilenet_v2

SMALL = Space((Choice("a", (1, 2, 3)), Choice("b", ("x", "y")), Choice("c", (True, False))))


def _accelerator(*parameters):
    return Accelerator("toy", 1e9, 45, (Memory("dram", frozenset({"input"})), Compute("mac")), parameters)


def test_size_counts_the_points_exactly():
    assert SMALL.size == 12
    codes = {SMALL.encode(SMALL.decode((i, j, k))) for i in range(3) for j in range(2) for k in range(2)}
    assert len(codes) == 12


def test_the_same_generator_seed_draws_the_same_points_and_all_options_turn_up():
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    draws = [SMALL.sample(one) for _ in range(100)]
    assert draws == [SMALL.sample(two) for _ in range(100)]
    assert {SMALL.encode(point) for point in draws} == set(np.ndindex(3, 2, 2))


def test_neighbours_differ_in_exactly_one_choice():
    point = {"a": 2, "b": "x", "c": True}
    found = list(SMALL.neighbours(point))
    assert len(found) == 2 + 1 + 1
    assert all(sum(other[name] != point[name] for name in point) == 1 for other in found)


def test_a_sum_of_spaces_is_the_joint_space_and_refuses_a_name_twice():
    joint = SMALL + Space((Choice("d", (0.5, 1.5)),))
    assert joint.size == 24
    assert joint.names == ("a", "b", "c", "d")
    with pytest.raises(BadInput, match="'a' is defined twice"):
        SMALL + SMALL


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 4, "b": "x", "c": True}, r"a: 4 is not an option; choose one of 1, 2, 3"),
        ({"a": 1, "b": "x", "c": 1}, r"c: 1 is not an option; choose one of True, False"),
        ({"a": 1, "b": "x"}, r"c: no value is given; choose one of True, False"),
        ({"a": 1, "b": "x", "c": True, "bb": "x"}, r"bb = 'x': the space has no such choice; did you mean 'b'\?"),
    ],
)
def test_a_wrong_point_is_answered_with_choice_value_and_options(values, message):
    with pytest.raises(BadInput, match=message):
        SMALL.validate(values)


def test_validate_orders_a_point_like_the_space():
    assert list(SMALL.validate({"c": False, "b": "y", "a": 3})) == ["a", "b", "c"]


@pytest.mark.parametrize("options", [(), (1, 1.0), (float("nan"),)])
def test_a_choice_refuses_no_repeated_and_non_finite_options(options):
    with pytest.raises(BadInput, match="a: "):
        Choice("a", options)


@pytest.mark.parametrize("code", [(0, 0), (0, 0, 0, 0), (3, 0, 0), (-1, 0, 0)])
def test_decoding_refuses_a_wrong_length_and_an_index_out_of_range(code):
    with pytest.raises(BadInput):
        SMALL.decode(code)


def test_restricting_keeps_only_the_named_options():
    assert SMALL.restrict({"a": [3]}).size == 4
    with pytest.raises(BadInput, match="a: 9 is not an option"):
        SMALL.restrict({"a": [9]})
    with pytest.raises(UnknownName):
        SMALL.restrict({"z": [1]})


def test_hardware_space_offers_the_parameters_choices_and_leaves_fixed_ones_out():
    accelerator = _accelerator(Parameter("pes", 4, choices=(2, 4, 8)), Parameter("clock", 1e9))
    space = hardware_space(accelerator)
    assert space.choices == (Choice("hw.pes", (2, 4, 8)),)
    assert hardware_values({"hw.pes": 8, "net.resolution": 224}) == {"pes": 8}


def test_every_option_of_a_shipped_accelerator_can_be_set_as_it_stands():
    accelerator = load_accelerator("edge_tpu")
    space = hardware_space(accelerator)
    assert space.size == 50_000
    assert space.choice("hw.bandwidth").options == (5, 10, 15, 20, 25)
    defaults = space.validate(hardware_defaults(accelerator))
    assert defaults["hw.local_memory"] == 2
    assert accelerator.with_parameters(**hardware_values(defaults)).values == accelerator.values
    for point in space.neighbours(defaults):
        assert accelerator.with_parameters(**hardware_values(point)).values != accelerator.values


def test_hardware_space_asks_for_points_of_a_range():
    accelerator = _accelerator(Parameter("bandwidth", 2.0, bounds=(1.0, 3.0)), Parameter("clock", 1e9))
    with pytest.raises(BadInput, match=r"hw.bandwidth: .* range 1 to 3 .* give the points"):
        hardware_space(accelerator)
    assert hardware_space(accelerator, points={"bandwidth": (1.0, 2.5)}).choices[0].options == (1.0, 2.5)
    with pytest.raises(BadInput, match=r"hw\.clock: the parameter is fixed"):
        hardware_space(accelerator, ["clock"])
    with pytest.raises(UnknownName, match="bandwidth"):
        hardware_space(accelerator, ["bandwith"])


def test_the_baseline_of_the_mobilenet_space_is_mobilenet_v2_layer_by_layer():
    space = network_space("mobilenet_ibn")
    ours, published = space.build(space.baseline()), mobilenet_v2()
    assert [op.shape_key for op in ours.ops] == [op.shape_key for op in published.ops]
    assert ours.params == published.params


def test_the_mobilenet_space_has_seventeen_blocks_and_an_exact_size():
    space = network_space("mobilenet_ibn").space
    assert sum(name.endswith(".op") for name in space.names) == 17
    assert space.size == 4 * 2**2 * 3**5 * 3**17 * 2**16 * 2**17


def test_every_choice_of_the_mobilenet_space_changes_the_network():
    space = network_space("mobilenet_ibn")
    reference = [op.shape_key for op in space.build(space.baseline()).ops]
    for point in space.space.neighbours(space.baseline()):
        assert [op.shape_key for op in space.build(point).ops] != reference


def test_building_ignores_hardware_choices_and_names_a_wrong_network_choice():
    space = network_space("mobilenet_ibn")
    values = {**space.baseline(), "hw.pes": 4}
    assert space.build(values).macs == mobilenet_v2().macs
    with pytest.raises(BadInput, match=r"net\.b03\.kernel: 4 is not an option; choose one of 3, 5, 7"):
        space.build({**values, "net.b03.kernel": 4})
    with pytest.raises(UnknownName, match="did you mean 'mobilenet_ibn'"):
        network_space("mobilenet_ibm")


def test_points_are_numbered_like_an_odometer():
    space = Space((Choice("a", (1, 2)), Choice("b", ("x", "y", "z")), Choice("c", (False, True))))
    points = [space.point(number) for number in range(space.size)]
    assert [space.number(point) for point in points] == list(range(12))
    assert points[1] == {"a": 1, "b": "x", "c": True}
    for number in (-1, 12):
        with pytest.raises(BadInput, match=r"0\.\.11"):
            space.point(number)
