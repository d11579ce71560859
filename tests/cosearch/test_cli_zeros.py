"""`--zeros` on the command line: where patterns go, what stays dense, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dovetail.cosearch.cli.app import main
from dovetail.cosearch.cli.zeros import with_zeros_everywhere
from dovetail.errors import BadInput
from dovetail.models.load import load_network
from dovetail.models.patterns import Blocks, NofM


def test_patterns_go_to_every_layer_they_fit_and_images_stay_dense() -> None:
    network = with_zeros_everywhere(load_network("resnet18"), ["weight=2:4", "input=0.5"])
    first, second = network.contractions[:2]
    assert first.tensor("weight").density == 1.0  # three channels are no whole groups of four
    assert first.tensor("input").density == 1.0
    assert second.tensor("weight").pattern == NofM(2, 4)
    assert second.tensor("input").density == 0.5


def test_blocks_are_read_with_their_sides() -> None:
    network = with_zeros_everywhere(load_network("resnet18"), ["weight=30%@K16xC16"])
    assert network.contractions[5].tensor("weight").pattern == Blocks(0.3, (("K", 16), ("C", 16)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("weight=2", "--zeros weight=2: '2' is not a share from 0 to 1"),
        ("weight=5:4", "n > m"),
        ("foo=0.5", "write TENSOR=SHARE"),
        ("weight=0.5@K16x", "'K16x' is no block"),
        ("weight=0.5@Q16", "no layer of resnet18 can have this pattern of weights"),
    ],
)
def test_what_cannot_be_is_refused_with_the_rule(given: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        with_zeros_everywhere(load_network("resnet18"), [given])
    assert said in str(error.value)


def test_a_tensor_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="given twice"):
        with_zeros_everywhere(load_network("resnet18"), ["weight=0.5", "weight=0.4"])


def test_estimate_with_zeros_costs_less_on_an_accelerator_that_gates(tmp_path: Path) -> None:
    found = []
    for more in ([], ["--zeros", "input=0.3"]):
        file = tmp_path / f"{len(more)}.json"
        assert main(["estimate", "ds_cnn_kws", "eyeriss", *more, "--json", str(file)]) == 0
        found.append(json.loads(file.read_text()))
    assert found[1]["energy_j"] < found[0]["energy_j"]
    assert found[1]["cycles"] <= found[0]["cycles"]


def test_an_accelerator_without_a_use_for_zeros_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "ds_cnn_kws", "gemmini", "--zeros", "weight=0.3", "--seconds", "0.2"]) == 0
    assert "gemmini makes no use of zeros" in capsys.readouterr().out
    assert main(["estimate", "ds_cnn_kws", "gemmini", "--seconds", "0.2"]) == 0
    assert "no use of zeros" not in capsys.readouterr().out
