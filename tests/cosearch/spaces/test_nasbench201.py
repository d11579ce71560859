import numpy as np
import pytest

from dovetail.cosearch.spaces.networks import network_space
from dovetail.errors import BadInput
from dovetail.models.zoo.nasbench201 import nasbench201

SPACE = network_space("nasbench201")


def test_the_space_holds_the_benchmarks_cells():
    assert SPACE.space.size == 15_625


def test_a_key_names_the_cell_in_the_benchmarks_notation_and_back():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = SPACE.space.sample(rng)
        assert SPACE.values(SPACE.key(values)) == values
    assert SPACE.key(SPACE.baseline()).startswith("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|")


def test_a_point_builds_the_zoos_network():
    values = SPACE.baseline() | {"net.edge_23": "skip_connect"}
    assert SPACE.build({**values, "hw.pes_x": 4}).macs == nasbench201(SPACE.key(values)).macs


def test_a_cell_without_a_path_is_refused():
    with pytest.raises(BadInput, match="no path"):
        SPACE.build(dict.fromkeys(SPACE.space.names, "none"))
