import itertools

import pytest

from dovetail.accel.spec import load_accelerator
from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.patch_accelerator import patch_accelerator
from dovetail.cosearch.spaces.patch_choices import patch_space, patch_values
from dovetail.cosearch.spaces.patches import Patch, parse_patch, patch_document
from dovetail.errors import BadInput, SpecError


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ("pes?x=8&y=8", Patch("pes", (("x", 8), ("y", 8)))),
        ("stage3.block*?op=fused_ibn", Patch("stage3.block*", (("op", "fused_ibn"),))),
        ("dram.size=1.5 MB", Patch("dram", (("size", "1.5 MB"),))),
        ("clock=1.2 GHz", Patch("", (("clock", "1.2 GHz"),))),
        ("b??.kernel?options=[3, 5]", Patch("b??.kernel", (("options", (3, 5)),))),
        ("a?wait=true&text=x%26y", Patch("a", (("wait", True), ("text", "x&y")))),
    ],
)
def test_a_patch_is_read_as_it_is_written_and_written_as_it_is_read(text, patch):
    assert parse_patch(text) == patch
    assert parse_patch(str(patch)) == patch


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pes", "write path\\?name=value"),
        ("?x=8", "write path\\?name=value"),
        ("pes?x=", "'x=' is no name=value"),
        ("pes?x=8&&y=8", "'' is no name=value"),
        ("pes?x=8&x=4", "'x' is set twice"),
        (".x=1", "a step of its path is empty"),
        ("a..b?x=1", "a step of its path is empty"),
        ("pes?x=[1, 2", "is half a list"),
        ("pes?x=[1,,2]", "has an empty entry"),
    ],
)
def test_what_is_no_patch_is_answered_with_how_to_write_one(text, message):
    with pytest.raises(BadInput, match=message):
        parse_patch(text)


# ---- accelerators


def test_a_patch_sets_the_parameters_behind_a_levels_axes():
    accelerator = load_accelerator("edge_tpu")
    patched = patch_accelerator(accelerator, ["pes?x=8&y=2"])
    assert patched.levels == accelerator.with_parameters(pes_x=8, pes_y=2).levels


def test_a_patched_parameter_may_leave_its_choices_and_is_fixed_then():
    patched = patch_accelerator(load_accelerator("edge_tpu"), ["pes?x=16"])
    assert patched.values["pes_x"] == 16
    assert patched.peak_macs_per_cycle == 4 * load_accelerator("edge_tpu").peak_macs_per_cycle
    with pytest.raises(BadInput, match="it is fixed at 16"):
        patched.with_parameters(pes_x=4)


def test_a_list_gives_a_parameter_other_choices():
    patched = patch_accelerator(load_accelerator("edge_tpu"), ["bandwidth=[20, 50]", "pes?x=[2, 16]"])
    bandwidth = next(parameter for parameter in patched.parameters if parameter.name == "bandwidth")
    assert bandwidth.choices == (160e9, 400e9)
    assert patched.values["bandwidth"] == 160e9
    assert patched.values["pes_x"] == 2


def test_a_patch_replaces_fields_of_levels_and_of_the_spec():
    patched = patch_accelerator(
        load_accelerator("edge_tpu"), ["clock=1 GHz", "register_file.word?output=24 bit", "dram?bandwidth=7 GB/s"]
    )
    assert patched.clock_hz == 1e9
    assert patched.memories[2].word_bits["output"] == 24
    assert patched.memories[0].read_bandwidth_bits_per_s == 56e9


def test_a_glob_patches_all_levels_it_matches():
    patched = patch_accelerator(load_accelerator("edge_tpu"), ["*_memory?latency=3 cycle", "reg*?latency=3 cycle"])
    assert [memory.latency_cycles for memory in patched.memories] == [0, 3, 3]


def test_a_value_in_place_of_a_formula_leaves_no_parameter_behind_that_nothing_uses():
    patched = patch_accelerator(load_accelerator("eyeriss"), ["glb?size=256 KiB", "clock=250 MHz"])
    assert (patched.memories[1].size_bits, patched.clock_hz) == (256 * 8192, 250e6)
    assert "glb_size" in load_accelerator("eyeriss").values
    assert "glb_size" not in patched.values
    # What stands in a formula that is overwritten may be used elsewhere.
    kept = patch_accelerator(load_accelerator("edge_tpu"), ["vector?lanes=8"])
    assert kept.values == load_accelerator("edge_tpu").values


def test_a_mapping_that_a_level_leaves_out_is_an_address_too():
    patched = patch_accelerator(load_accelerator("edge_tpu"), ["local_memory.word?output=24 bit"])
    assert [memory.word_bits.get("output") for memory in patched.memories] == [None, 24, 32]
    with pytest.raises(BadInput, match=r"edge_tpu has nothing called 'pes\.word'"):
        patch_accelerator(load_accelerator("edge_tpu"), ["pes.word?output=24 bit"])


def test_patches_of_different_things_commute():
    accelerator = load_accelerator("edge_tpu")
    patches = ["pes?x=8", "pes?y=2", "clock=1 GHz", "local_memory?size=1 MB&double_buffered=false"]
    results = [patch_accelerator(accelerator, order) for order in itertools.permutations(patches)]
    assert all(result.levels == results[0].levels and result.values == results[0].values for result in results)
    halves = patch_accelerator(patch_accelerator(accelerator, patches[:2]), patches[2:])
    assert halves.levels == results[0].levels
    space = network_space("mobilenet_ibn")
    rules = ["stage3.block*?op=fused", "stage4.block2?kernel=7&expansion=3", "resolution=160"]
    points = [patch_values(space.space, space.baseline(), order, space) for order in itertools.permutations(rules)]
    assert all(point == points[0] for point in points)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("pess?x=8", "patch 'pess\\?x=8': edge_tpu has nothing called 'pess'; did you mean 'pes'"),
        ("parameters?pes_z=8", "no parameter named 'pes_z'; did you mean 'pes_"),
        ("local_memory?sise=1 MB", "levels\\[2\\]\\.sise: unknown key 'sise'; did you mean 'size'"),
        ("local_memory?size=1 GHz", "size"),
        ("bandwidth=3 kg", "bandwidth"),
    ],
)
def test_a_patch_that_fits_nothing_says_what_is_there(patch, message):
    with pytest.raises(BadInput, match=message) as caught:
        patch_accelerator(load_accelerator("edge_tpu"), [patch])
    if isinstance(caught.value, SpecError):
        assert "edge_tpu with" in str(caught.value)


# ---- networks


def test_a_patch_of_a_stage_changes_all_its_blocks():
    space = network_space("mobilenet_s3")
    point = patch_values(space.space, space.baseline(), ["stage3.block*?op=fused_ibn"], space)
    assert [name for name, value in point.items() if value == "fused"] == ["net.b04.op", "net.b05.op", "net.b06.op"]
    assert any(op.name == "block3.fused" for op in space.build(point).ops)


def test_choices_are_addressed_by_name_with_and_without_their_prefix():
    space = network_space("mobilenet_s3")
    for patch in ("net.b05?kernel=5", "b05?kernel=5", "b05.kernel=5", "stage3.block2?kernel=5"):
        assert patch_values(space.space, space.baseline(), [patch], space)["net.b05.kernel"] == 5


def test_a_patch_keeps_options_of_a_space():
    space = network_space("mobilenet_ibn")
    patched = patch_space(space.space, ["stage3.block*?op=fused_ibn", "resolution=[160, 192]"], space)
    assert patched.choice("net.b04.op").options == ("fused",)
    assert patched.choice("net.resolution").options == (160, 192)
    assert patched.size == space.space.size // 2**3 // 2


def test_a_patch_that_makes_choices_active_or_inactive_gives_a_point():
    space = network_space("vit")
    point = patch_values(space.space, space.baseline(), ["depth=13", "l13?heads=4"], space)
    assert point["net.l13.heads"] == 4
    assert space.space.validate(point) == point
    with pytest.raises(BadInput, match=r"'net\.l14\.heads' is chosen only where net\.depth is 14"):
        patch_values(space.space, point, ["l14?heads=4"], space)
    assert patch_values(space.space, point, ["l*?heads=4"], space)["net.l12.heads"] == 4


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("stage3.blok*?op=fused", r"no choice 'stage3\.blok\*\.op'; did you mean 'stage3\.block"),
        ("stage3.block1?op=fuse", r"net\.b04\.op: 'fuse' is not an option; choose one of 'ibn', 'fused'"),
        ("stage3.block1?kernel=[3, 5]", r"a point has one option of 'net\.b04\.kernel'; give one value"),
    ],
)
def test_a_patch_of_no_choice_or_option_says_what_there_is(patch, message):
    space = network_space("mobilenet_s3")
    with pytest.raises(BadInput, match=message):
        patch_values(space.space, space.baseline(), [patch], space)


# ---- documents


def test_a_document_is_patched_at_its_mappings():
    data = {"strategy": {"name": "nsga2"}, "levels": [{"name": "a", "size": 1}, {"size": 2}], "seed": 1}
    assert patch_document(data, parse_patch("strategy?population=10"), "it")["strategy"]["population"] == 10
    assert patch_document(data, parse_patch("seed=3"), "it")["seed"] == 3
    assert patch_document(data, parse_patch("levels.*?size=[4, 5]"), "it")["levels"][0]["size"] == [4, 5]
    assert patch_document(data, parse_patch("levels.1?size=7"), "it")["levels"] == [
        {"name": "a", "size": 1},
        {"size": 7},
    ]
    assert data["levels"][1]["size"] == 2
    with pytest.raises(BadInput, match="it has no mapping 'strateg'; did you mean 'strategy'"):
        patch_document(data, parse_patch("strateg?name=random"), "it")
