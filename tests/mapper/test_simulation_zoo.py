"""The zoo on the shipped accelerators: without limits the simulator takes the model's cycles, with them never fewer."""

from __future__ import annotations

import pytest
from simulated_networks import check

import dovetail as dt
from dovetail.errors import BadInput
from dovetail.mapper.base import Limits
from dovetail.mapper.estimate import estimate_schedule

NETWORKS = (
    "alexnet", "vgg16", "resnet18", "resnet50", "mobilenet_v2", "mobilenet_edgetpu", "efficientnet_edgetpu_s",
    "vit_b_16", "bert_base", "gpt2_prefill", "gpt2_decode",
)  # fmt: skip
SHARES = 4
# sparse engines take small networks: many are built for one kind of layer, or are one element of a chip; so do chips
# for microcontrollers, which have no memory outside, and chips for training, whose large batches are none of this
SMALL = {
    "block_sparse_edge": "ds_cnn_kws", "dual_side_tensor_core": "ds_cnn_kws", "eie": "autoencoder_ad",
    "eyeriss_sparseloop": "ds_cnn_kws", "eyeriss_v2_pe": "ds_cnn_kws", "gap9": "resnet8", "nm_systolic": "ds_cnn_kws",
    "scnn": "ds_cnn_kws", "sparse_tensor_core": "ds_cnn_kws", "spmspm_bitmask": "autoencoder_ad",
    "syntiant_ndp120": "resnet8", "a100": "autoencoder_ad", "h100": "autoencoder_ad", "h200": "autoencoder_ad",
    "tpu_v4": "autoencoder_ad",
}  # fmt: skip
NONE = "spmspm_coordinates"  # has room for two sparse matrices of 128 x 128 only
WHOLE = [chip for chip in dt.list_accelerators() if chip not in {*SMALL, NONE}]
NEAR = Limits(gap=0.5, seconds=3.0)
FEW = Limits(evaluations=100)


def mapped(network: dt.Network, accelerator: dt.Accelerator) -> dt.Estimate:
    """An estimate found quickly; its mappings are good enough not to be walked for minutes."""
    try:
        return dt.estimate(network, accelerator, "optimal", "latency", limits=NEAR, cache=False)
    except BadInput:  # the mapper proves nothing of this accelerator
        return dt.estimate(network, accelerator, "annealing", "latency", limits=FEW, cache=False)


def check_pair(name: str, chip: str, *, limited: bool = True) -> None:
    """One network on one accelerator, without limits and, where asked for, with them."""
    network, accelerator = dt.load_network(name), dt.load_accelerator(chip)
    found = mapped(network, accelerator)
    free = accelerator.unlimited()
    wanted = estimate_schedule(network, free, found.schedule)
    timeline = dt.simulate(network, free, found.schedule)
    assert timeline.cycles == pytest.approx(wanted.cycles, rel=1e-7)
    for run in timeline.operators:
        assert run.cycles == pytest.approx(run.analytic, rel=1e-7, abs=1e-6), (chip, name, run.name)
    if not limited:
        return
    real = dt.simulate(network, accelerator, found.schedule)
    assert real.cycles >= found.cycles * (1 - 1e-9)
    for run in real.operators:
        assert run.cycles >= run.analytic * (1 - 1e-9) - 1e-6, (chip, name, run.name)
    for one in real.contended():
        assert one.resource, one


@pytest.mark.parametrize(
    ("name", "chip"), [("alexnet", "edge_tpu"), ("resnet18", "gemmini"), ("bert_base", "coral_usb")]
)
def test_a_few_networks_keep_to_the_model(name: str, chip: str) -> None:
    check_pair(name, chip)


@pytest.mark.slow
@pytest.mark.parametrize(("chip", "name"), SMALL.items())
def test_sparse_engines_and_small_chips_keep_to_the_model(chip: str, name: str) -> None:
    check_pair(name, chip)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "chip"), enumerate(WHOLE))
def test_all_accelerators_keep_to_the_model(number: int, chip: str) -> None:
    """Each with its share of the networks, in turn; `benchmarks/simulator.py` takes all pairs of six of them."""
    for name in NETWORKS[number % SHARES :: SHARES]:
        check_pair(name, chip, limited=name in ("resnet18", "mobilenet_v2", "bert_base", "gpt2_decode"))


@pytest.mark.parametrize("chip", ["edge_tpu", "coral_usb"])
def test_a_timeline_of_a_whole_network_holds_together(chip: str) -> None:
    network = dt.load_network("resnet18")
    found = dt.estimate(network, dt.load_accelerator(chip), "random", limits=Limits(evaluations=40), cache=False)
    timeline = dt.simulate(network, found.accelerator, found.schedule)
    check(timeline, network)
    assert sum(run.walked for run in timeline.operators) < sum(run.steps for run in timeline.operators)
