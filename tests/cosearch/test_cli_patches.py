"""`--patch` on the command line, and the listings of spaces."""

import json

import pytest

from dovetail.accel.spec import load_accelerator
from dovetail.cosearch.cli import main
from dovetail.cosearch.cli.app import _dovetail_parser
from dovetail.cosearch.cli.estimate import load_pair
from dovetail.errors import BadInput
from dovetail.models.load import load_network


@pytest.fixture
def pair():
    """The network and the accelerator that a command line means."""

    def pair(*argv):
        return load_pair(_dovetail_parser().parse_args(["estimate", *argv]))

    return pair


def _patches(*texts):
    return [word for text in texts for word in ("--patch", text)]


def test_patches_change_the_accelerator_a_command_names(pair):
    network, accelerator = pair("resnet18", "edge_tpu", *_patches("pes?x=8&y=8", "local_memory.size=1 MB"))
    wanted = load_accelerator("edge_tpu").with_parameters(pes_x=8, pes_y=8, local_memory=1)
    assert accelerator.levels == wanted.levels
    assert network.macs == load_network("resnet18").macs


def test_patches_and_set_work_together(pair):
    _, accelerator = pair("resnet18", "edge_tpu", *_patches("pes?x=8"), "--set", "bandwidth=5")
    assert (accelerator.values["pes_x"], accelerator.values["bandwidth"]) == (8, 40e9)


def test_a_space_of_networks_is_its_baseline_with_patches(pair):
    plain, _ = pair("mobilenet_s3", "edge_tpu")
    fused, _ = pair("mobilenet_s3", "edge_tpu", *_patches("stage3.block*?op=fused_ibn"), "--bits", "4", "--batch", "2")
    assert plain.macs == load_network("mobilenet_v2").macs
    assert [op.name for op in fused.contractions if op.name.endswith(".fused")] == [
        "block3.fused", "block4.fused", "block5.fused",
    ]  # fmt: skip
    assert {op.tensor("weight").bits for op in fused.contractions} == {4}
    assert fused.contractions[0].bounds["N"] == 2


def test_a_zoo_network_that_is_a_space_too_is_patched_as_one(pair):
    network, _ = pair("mobilenet_v2", "edge_tpu", *_patches("b05?kernel=7"))
    assert next(op for op in network.contractions if op.name == "block4.depthwise").bounds["R"] == 7
    assert pair("mobilenet_v2", "edge_tpu", "--option", "width=0.5")[0].macs < network.macs


def test_a_patch_that_fits_neither_is_refused(pair):
    with pytest.raises(BadInput, match="edge_tpu has nothing called 'pess'; did you mean 'pes'"):
        pair("resnet18", "edge_tpu", *_patches("pess?x=8"))
    with pytest.raises(BadInput, match="is a space of networks here; use --patch instead"):
        pair("mobilenet_v2", "edge_tpu", *_patches("b05?kernel=7"), "--option", "width=0.5")


def test_spaces_are_listed_with_their_exact_sizes(capsys):
    assert main(["list", "spaces", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mobilenet_v2"]["size"] == 3**17 * 2**16
    assert "kernels" in rows["mobilenet_s3"]["options"]
    assert main(["list", "spaces"]) == 0
    assert "efficientnet_edge" in capsys.readouterr().out


def test_the_schema_of_a_space_file_knows_its_genes(capsys):
    assert main(["schema", "space"]) == 0
    assert {"space", "bits", "sparsity", "exits", "recipe", "when"} <= set(
        json.loads(capsys.readouterr().out)["properties"]
    )


def test_a_wrong_patch_of_a_study_writes_nothing(capsys, tmp_path):
    assert main(["cosearch", "run", "edge_imagenet", "--out", str(tmp_path / "out"), "--patch", "pes?q=8&&"]) == 2
    assert "is no name=value" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
