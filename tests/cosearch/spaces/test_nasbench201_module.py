import copy
import csv
import pickle

import pytest
import torch

from dovetail import from_torch
from dovetail.cosearch.spaces.nasbench201 import Nasbench201
from dovetail.cosearch.spaces.nasbench201_module import nasbench201_module
from dovetail.cosearch.spaces.network_space import Trainable
from dovetail.errors import BadInput
from dovetail.models.zoo.nasbench201 import nasbench201

SPACE = Nasbench201()
CELLS = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
]


@pytest.mark.parametrize("arch", CELLS)
def test_the_module_multiplies_and_stores_what_the_network_does(arch):
    module = nasbench201_module(arch, cells=1)
    read = from_torch(module, (torch.zeros(1, 3, 32, 32),))
    network = nasbench201(arch, cells=1)
    assert read.macs == network.macs
    # Of contractions: whether the last batch norm folds too depends on whether a sum or a convolution is before it.
    assert sum(op.params for op in read.contractions) == sum(op.params for op in network.contractions)


def test_with_all_edges_the_parameters_are_the_benchmarks(reference):
    with (reference / "nasbench201" / "nasbench201.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["zc_cifar10_params"]][:6]
    for row in rows:
        module = nasbench201_module(row["arch_str"], all_edges=True)
        count = sum(parameter.numel() for parameter in module.parameters())
        assert count / 1e6 == pytest.approx(float(row["zc_cifar10_params"]), rel=1e-5)


def test_a_cell_of_skips_doubles_its_input_where_two_paths_lead_through_it():
    module = nasbench201_module(
        "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|", stages=1, cells=3, channels=2
    ).eval()
    images = torch.randn(2, 3, 4, 4)
    stem, head = module.get_submodule("stem"), module.get_submodule("head")
    torch.testing.assert_close(module(images), head(8 * stem(images)))


def test_averages_do_not_count_the_padding():
    module = nasbench201_module("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|", stages=1, cells=1)
    flat = module.get_submodule("cell0_0_edge03")(torch.ones(1, 16, 4, 4))
    assert torch.equal(flat, torch.ones(1, 16, 4, 4))


def test_a_module_trains_copies_and_pickles():
    module = SPACE.module(SPACE.values(CELLS[0]), (1, 8, 8), 4, channels=4, cells=1)
    images = torch.randn(3, 1, 8, 8)
    module(images).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    module.eval()
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(images), module(images))


def test_the_space_is_trainable():
    assert isinstance(SPACE, Trainable)
    assert SPACE.module(SPACE.baseline(), (3, 32, 32), 10)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nasbench201_module("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), "no path leads"),
        (lambda: nasbench201_module(CELLS[0], channels=0), "channels is 0; give at least 1"),
        (lambda: SPACE.module(SPACE.baseline(), (3, 3, 3), 10), "3x3 pixels are too small"),
    ],
)
def test_a_network_that_cannot_be_is_bad_input(call, message):
    with pytest.raises(BadInput, match=message):
        call()
