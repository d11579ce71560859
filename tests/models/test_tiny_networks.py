"""The four networks of MLPerf Tiny: their multiply-accumulates and parameters."""

import pytest

from dovetail.models.load import load_network


@pytest.mark.parametrize(
    ("name", "options", "macs", "params"),
    [
        ("autoencoder_ad", {}, 264_192, 265_864),
        ("resnet8", {}, 12_501_632, 77_706),
        ("ds_cnn_kws", {}, 2_656_768, 22_604),
        ("mobilenet_v1", {"width": 0.25, "resolution": 96, "classes": 2}, 7_489_664, 210_850),
    ],
)
def test_a_tiny_network_counts_what_its_layers_multiply_and_store(name, options, macs, params):
    network = load_network(name, **options)
    assert (network.macs, network.params) == (macs, params)


def test_resnet8_is_the_reference_model_with_batch_norm_folded():
    # The reference's 78,666 words hold four of batch norm for each channel behind its seven 3x3 convolutions.
    channels = 16 * 3 + 32 * 2 + 64 * 2
    assert load_network("resnet8").params == 78_666 - 4 * channels


def test_the_visual_wake_words_network_is_the_reference_model_with_batch_norm_folded():
    network = load_network("mobilenet_v1", width=0.25, resolution=96, classes=2)
    channels = sum(
        op.words("output") // (op.bounds["P"] * op.bounds["Q"]) for op in network.contractions if "P" in op.bounds
    )
    assert network.params == 221_794 - 4 * channels


def test_resnet8_takes_other_sizes_and_batches():
    network = load_network("resnet8", resolution=64, classes=100, batch=2)
    assert network.macs == 2 * (4 * (12_501_632 - 640) + 6400)
