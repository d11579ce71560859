import itertools

import numpy as np
import pytest

from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.space import Choice, Space
from dovetail.errors import BadInput, UnknownName


def _tree():
    """A depth with a choice for each layer, one of which has a choice of its own, beside a free one."""
    layers = tuple(
        Choice(f"l{index}.kernel", (3, 5), {"depth": [d for d in (1, 2, 3) if d >= index]}) for index in (1, 2, 3)
    )
    extra = Choice("l2.groups", (1, 2, 4), {"l2.kernel": [5]})
    return Space((Choice("depth", (1, 2, 3)), *layers, extra, Choice("hw.pes", (2, 4))))


def _points(space):
    """Every distinct point, by going through all codes."""
    codes = itertools.product(*(range(len(choice.options)) for choice in space.choices))
    return {tuple(space.decode(code).items()) for code in codes}


def _random_space(rng):
    """Five to seven choices, each with a condition on up to two earlier ones half of the time."""
    choices = []
    for place in range(int(rng.integers(5, 8))):
        when = {}
        if choices and rng.random() < 0.6:
            for parent in rng.choice(len(choices), size=min(len(choices), int(rng.integers(1, 3))), replace=False):
                options = choices[parent].options
                count = int(rng.integers(1, len(options) + 1))
                when[choices[parent].name] = [int(o) for o in rng.choice(options, size=count, replace=False)]
        choices.append(Choice(f"c{place}", tuple(range(int(rng.integers(1, 4)))), when))
    return Space(tuple(choices))


def test_a_size_counts_every_point_once():
    assert _tree().size == (2 + 2 * (1 + 3) + 2 * (1 + 3) * 2) * 2 == len(_points(_tree()))


@pytest.mark.parametrize("seed", range(40))
def test_sizes_and_numbers_of_random_conditions_equal_enumeration(seed):
    space = _random_space(np.random.default_rng(seed))
    points = _points(space)
    assert space.size == len(points)
    assert {tuple(space.point(number).items()) for number in range(space.size)} == points
    assert all(space.number(space.point(number)) == number for number in range(space.size))


def test_ten_thousand_random_points_come_back_from_their_codes_and_numbers():
    space, rng = _tree(), np.random.default_rng(1)
    for _ in range(10_000):
        point = space.sample(rng)
        assert space.decode(space.encode(point)) == point
        assert space.point(space.number(point)) == point
        assert space.validate(point) == point


def test_a_hundred_layers_behind_one_depth_are_counted_at_once():
    depths = tuple(range(1, 101))
    layers = tuple(Choice(f"l{i}", (0, 1, 2), {"depth": [d for d in depths if d >= i]}) for i in depths)
    space = Space((Choice("depth", depths), *layers))
    assert space.size == sum(3**depth for depth in depths)
    assert space.point(space.size - 1)["depth"] == 100


def test_conditions_that_stand_apart_do_not_multiply_the_work():
    pairs = tuple(Choice(f"a{i}", (0, 1)) for i in range(200)) + tuple(
        Choice(f"b{i}", (0, 1, 2), {f"a{i}": [1]}) for i in range(200)
    )
    assert Space(pairs).size == 4**200


def test_inactive_choices_are_absent_and_refused():
    space = _tree()
    point = space.complete({"depth": 2, "l2.kernel": 3, "l3.kernel": 5})
    assert "l3.kernel" not in point
    assert "l2.groups" not in point
    with pytest.raises(BadInput, match=r"l3\.kernel = 5: is chosen only where depth is 3; remove it"):
        space.validate({**point, "l3.kernel": 5})
    with pytest.raises(BadInput, match=r"l2\.groups: no value is given; choose one of 1, 2, 4"):
        space.validate({**point, "l2.kernel": 5})


def test_any_code_decodes_whatever_stands_for_inactive_choices():
    space = _tree()
    assert space.decode((0, 1, 1, 1, 2, 0)) == {"depth": 1, "l1.kernel": 5, "hw.pes": 2}
    assert space.encode({"depth": 1, "l1.kernel": 5, "hw.pes": 2}) == (0, 1, 0, 0, 0, 0)


def test_neighbours_are_points_with_newly_active_choices_at_their_first_option():
    space = _tree()
    point = space.complete({"depth": 1})
    found = list(space.neighbours(point))
    assert all(space.validate(other) == other for other in found)
    assert {"depth": 2, "l1.kernel": 3, "l2.kernel": 3, "hw.pes": 2} in found
    assert len(found) == 2 + 1 + 1


def test_every_option_of_a_conditional_choice_is_drawn():
    rng = np.random.default_rng(5)
    drawn = [_tree().sample(rng) for _ in range(400)]
    assert {point.get("l2.groups") for point in drawn} == {None, 1, 2, 4}
    assert abs(np.mean([point["depth"] == 3 for point in drawn]) - 1 / 3) < 0.08


def test_restricting_drops_choices_that_can_no_longer_be_active():
    space = _tree().restrict({"depth": [1, 2], "l2.kernel": [3]})
    assert space.names == ("depth", "l1.kernel", "l2.kernel", "hw.pes")
    assert space.size == len(_points(space)) == (2 + 2) * 2


def test_conditions_can_be_added_to_choices_of_a_joint_space():
    joint = Space((Choice("net.op", ("a", "b")),)) + Space((Choice("hw.lanes", (1, 2)),))
    assert joint.conditioned({"hw.lanes": {"net.op": ["b"]}}).size == 1 + 2
    with pytest.raises(UnknownName, match=r"hw\.lanes"):
        joint.conditioned({"hw.lane": {"net.op": ["b"]}})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ((Choice("a", (1,)), Choice("b", (1,), {"aa": [1]})), r"b: when: no choice 'aa' stands before it.*'a'"),
        ((Choice("b", (1,), {"a": [1]}), Choice("a", (1,))), r"b: when: no choice 'a' stands before it; define it"),
        ((Choice("a", (1, 2)), Choice("b", (1,), {"a": [3]})), r"a: 3 is not an option; choose one of 1, 2"),
    ],
)
def test_a_condition_on_what_is_not_there_is_refused(choices, message):
    with pytest.raises(BadInput, match=message):
        Space(choices)


@pytest.mark.parametrize("values", ["abc", []])
def test_a_condition_must_list_values(values):
    with pytest.raises(BadInput, match=r"b: when\.a must list the values"):
        Choice("b", (1,), {"a": values})


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_s3", "efficientnet_edge", "nasbench201", "vit", "bert"])
def test_points_of_shipped_spaces_come_back_from_codes_and_numbers(name):
    space, rng = network_space(name).space, np.random.default_rng(4)
    for _ in range(300):
        point = space.sample(rng)
        assert space.decode(space.encode(point)) == point
        assert space.point(space.number(point)) == point
    assert space.number(space.point(space.size - 1)) == space.size - 1


def test_a_hundred_choices_of_which_each_depends_on_the_one_before():
    chain = [Choice("c0", (0, 1))] + [Choice(f"c{i}", (0, 1), {f"c{i - 1}": [1]}) for i in range(1, 100)]
    assert Space(tuple(chain)).size == 101


def test_the_same_condition_twice_over_is_met_by_both():
    space = Space((Choice("a", (1, 2)), Choice("b", (1, 2)), Choice("c", (1, 2, 3), {"a": [1], "b": [2]})))
    assert space.size == 3 + 3
    assert "c" in space.complete({"a": 1, "b": 2})
    assert "c" not in space.complete({"a": 2, "b": 2})
