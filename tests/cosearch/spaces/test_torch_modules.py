import copy
import csv
import pickle

import numpy as np
import pytest
import torch

from dovetail.cosearch.spaces.mobilenet_ibn import MobilenetS3
from dovetail.cosearch.spaces.nasbench201 import Nasbench201
from dovetail.cosearch.spaces.network_space import Trainable
from dovetail.errors import BadInput

SPACE = Nasbench201(cells=1)
CELLS = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
]


def made(arch, space=SPACE, shape=(3, 32, 32), classes=10, **more):
    return space.module(space.values(arch), shape, classes, **more)


def macs_of(module, images):
    """Multiply-accumulates of the convolutions and linear layers that run, from their outputs and weights."""
    counts = []
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            part.register_forward_hook(lambda part, _, out: counts.append(out.numel() * part.weight[0].numel()))
    with torch.no_grad():
        module.eval()(images)
    return sum(counts)


def stored(module):
    return sum(weight.numel() for weight in module.parameters())


def folded(network):
    """A module's batch norm has two numbers for each bias of the convolution it is folded into."""
    return sum(op.bias for op in network.contractions if "P" in op.bounds)


@pytest.mark.parametrize("arch", CELLS)
def test_a_cells_module_multiplies_and_stores_what_its_network_does(arch):
    network = SPACE.build(SPACE.values(arch))
    assert stored(made(arch)) == network.params + folded(network)
    assert macs_of(made(arch), torch.zeros(1, 3, 32, 32)) == network.macs


def test_with_all_edges_the_parameters_are_the_benchmarks(reference):
    with (reference / "nasbench201" / "nasbench201.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["zc_cifar10_params"]][:6]
    for row in rows:
        count = sum(weight.numel() for weight in made(row["arch_str"], Nasbench201(), all_edges=True).parameters())
        assert count / 1e6 == pytest.approx(float(row["zc_cifar10_params"]), rel=1e-5)


def test_a_module_trains_copies_and_pickles():
    module = made(CELLS[0], Nasbench201(channels=4, cells=1), (1, 8, 8), 4, all_edges=True)
    images = torch.randn(3, 1, 8, 8)
    module(images).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    module.eval()
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(images), module(images))


def test_fewer_stages_end_the_network_earlier():
    assert made(CELLS[0], stages=1)(torch.zeros(2, 3, 3, 3)).shape == (2, 10)


def test_a_cell_that_connects_nothing_is_bad_input():
    with pytest.raises(BadInput, match="no path leads"):
        made("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")


@pytest.mark.parametrize("seed", range(3))
def test_a_module_of_bottlenecks_multiplies_and_stores_what_its_network_does(seed):
    space = MobilenetS3()
    values = space.space.sample(np.random.default_rng(seed))
    network = space.build(values)
    module = space.module(values, (3, 224, 224), 1000)
    assert stored(module) == network.params + folded(network)
    assert macs_of(module, torch.zeros(1, 3, 224, 224)) == network.macs


def test_spaces_of_cells_and_bottlenecks_are_trainable():
    assert isinstance(SPACE, Trainable)
    assert isinstance(MobilenetS3(), Trainable)
