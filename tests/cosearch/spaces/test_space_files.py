import sys

import pytest

from dovetail.cosearch.spaces.compose import networks_of
from dovetail.cosearch.spaces.network_part import NetworkPart
from dovetail.cosearch.spaces.network_space import Trainable
from dovetail.errors import BadInput, SpecError

SMALL = """\
name: small_s3
description: two stages of S3, searched
space: mobilenet_s3
options: {groups: [1, 2, 4]}
only: {"net.s*.width": [1.0]}
patch: ["stage5.block*?op=ibn&kernel=3"]
bits: {options: [4, 8], per: stage, loss_pct: {4: 1.5}}
when: {"net.b02.groups": {net.b02.op: [ibn]}}
"""


def _space(path):
    return networks_of(NetworkPart(space=str(path)))


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_a_file_describes_a_space_with_restrictions_conditions_and_genes(small):
    space = _space(small)
    assert space.name == "small_s3"
    assert space.space.choice("net.b05.groups").options == (1, 2, 4)
    assert space.space.choice("net.s3.width").options == (1.0,)
    assert space.space.choice("net.b11.op").options == ("ibn",)
    assert dict(space.space.choice("net.b02.groups").when) == {"net.b02.op": ("ibn",)}
    assert space.unstated == ()
    point = space.space.complete({**space.baseline(), "net.b02.op": "fused", "net.bits.s2": 4})
    assert "net.b02.groups" not in point
    assert {op.tensor("weight").bits for op in space.build(point).contractions if op.name.startswith("block1.")} == {4}


def test_a_file_builds_on_a_file_beside_it(small):
    path = small.with_name("smaller.yaml")
    path.write_text(
        "name: smaller\nspace: small.yaml\nexits: {s4: {share: 0.3, loss_pct: 1}}\nonly: {net.bits.s1: [8]}\n"
    )
    space = _space(path)
    assert space.name == "smaller"
    assert space.space.choice("net.bits.s1").options == (8,)
    values = {**space.baseline(), "net.exit.s4": True, "net.bits.s2": 4}
    network = space.build(values)
    assert [share for share, _ in space.parts(network, values)] == [0.3, 0.7]
    assert {op.tensor("weight").bits for op in network.contractions if op.name.startswith("block1.")} == {4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nspace: mobilenet_s4\n", r"x\.yaml:2:1: space: no network space named 'mobilenet_s4'; did you mean"),
        ("name: x\nspace: mobilenet_s3\nonli: {}\n", r"x\.yaml:3:1: onli: unknown key 'onli'; did you mean 'only'"),
        ("space: mobilenet_s3\n", r"x\.yaml:1:1: name: is missing"),
        ("name: x\nspace: mobilenet_s3\nbits: [0]\n", r"x\.yaml:3:\d+: bits.*0.*out of bounds"),
        ("name: x\nspace: x.yaml\n", "spaces build on each other in a circle"),
        ("name: x\nspace: y.yaml\n", r"y\.yaml: no such file"),
        ("name: x\nspace: mobilenet_s3\npatch: ['b77?op=ibn']\n", r"x\.yaml: patch 'b77\?op=ibn': no choice"),
    ],
)
def test_a_wrong_file_is_answered_with_its_place_or_its_name(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        _space(path)


def test_spaces_that_build_on_each_other_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a\nspace: b.yaml\n")
    (tmp_path / "b.yaml").write_text("name: b\nspace: a.yaml\n")
    with pytest.raises(BadInput, match="circle"):
        _space(tmp_path / "a.yaml")


def test_a_space_may_be_a_python_object(tmp_path, monkeypatch):
    (tmp_path / "own_spaces.py").write_text(
        "from dovetail.cosearch.spaces.mobilenet_ibn import MobilenetV2\n"
        "NARROW = MobilenetV2(name='narrow', kernels=(3, 5))\n"
        "def wide():\n    return MobilenetV2(name='wide', kernels=(3, 5, 7, 9))\n"
        "NOTHING = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert _space("own_spaces:NARROW").space.size == 2**17 * 2**16
    assert _space("own_spaces:wide").name == "wide"
    with pytest.raises(BadInput, match="'own_spaces:NOTHING' has no 'name'"):
        _space("own_spaces:NOTHING")
    with pytest.raises(BadInput, match=r"'json:loads' cannot be made .*; it is called without arguments"):
        _space("json:loads")
    with pytest.raises(BadInput, match=r"network space: 'own_spaces' has no 'MISSING'; check its spelling"):
        _space("own_spaces:MISSING")
    sys.modules.pop("own_spaces", None)


def test_a_file_that_is_no_yaml_mapping_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("- a\n")
    with pytest.raises(SpecError, match="not a mapping"):
        _space(path)


def test_a_file_that_was_edited_is_read_anew_below_another_too(tmp_path):
    below, above = tmp_path / "below.yaml", tmp_path / "above.yaml"
    above.write_text("name: above\nspace: below.yaml\n")
    for option in ("none", "skip_connect"):
        below.write_text(f"name: below\nspace: digits_cells\nonly: {{net.edge_01: [{option}]}}\n")
        assert _space(above).space.choice("net.edge_01").options == (option,)
    assert _space(above) is _space(above)


OWN = """
from dovetail.cosearch.spaces.networks import network_space

CELLS = network_space("digits_cells")

class Base:
    name, space = "own", CELLS.space
    def build(self, values): return CELLS.build(values)
    def baseline(self): return CELLS.baseline()
    def key(self, values): return CELLS.key(values)
    def module(self, values, shape, classes): return CELLS.module(values, shape, classes)

class Broken(Base):
    def __init__(self): raise RuntimeError("not now")

class Raises(Base):
    def build(self, values): raise RuntimeError("nope")

class Keyless(Base):
    def key(self, values): return 1 / 0

class Nothing(Base):
    def build(self, values): return None

class Text(Base):
    space = "cells"

class Nameless(Base):
    name = 5

class Lost(Base):
    def baseline(self): return {}

class Unhashable(Base):
    __hash__ = None
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_cells.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: _space(f"own_cells:{name}")
    sys.modules.pop("own_cells", None)


def test_a_space_of_ones_own_is_the_same_object_and_of_the_same_kind(own):
    space = own("Base")
    assert space is own("Base")
    assert isinstance(space, Trainable)
    assert space.build(space.baseline()).macs > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Broken", r"cannot be made \(RuntimeError: not now\)"),
        ("Text", "its space is of type str; give it a Space of choices"),
        ("Nameless", "its name is 5; give it a text"),
        ("Lost", "its baseline is no point of it: net.edge_01: no value is given"),
        ("Unhashable", r"cannot be used \(unhashable .*\); make it an object of a class"),
    ],
)
def test_what_is_no_space_of_networks_is_refused(own, name, message):
    with pytest.raises(BadInput, match=f"network space 'own_cells:{name}'.*{message}"):
        own(name)


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("Raises", "build", "build failed: RuntimeError: nope"),
        ("Keyless", "key", "key failed: ZeroDivisionError"),
        ("Nothing", "build", "build returned NoneType; it must return a Network"),
    ],
)
def test_a_method_that_fails_is_told_with_the_spaces_name(own, name, method, message):
    space = own(name)
    with pytest.raises(BadInput, match=f"network space 'own_cells:{name}': {message}"):
        getattr(space, method)(space.baseline())
