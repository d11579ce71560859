import numpy as np
import pytest

from dovetail.cosearch.spaces.networks import network_space
from dovetail.cosearch.spaces.transformers import Bert, Vit
from dovetail.errors import BadInput
from dovetail.models.zoo.transformer import bert_base, vit_b_16


def test_the_baseline_of_the_vision_space_is_deit_tiny():
    space = network_space("vit")
    network = space.build(space.baseline())
    assert network.params == 5_717_416  # Touvron et al., ICML 2021: 5.7 M; the sum over its layers
    assert network.macs == pytest.approx(1.26e9, rel=0.01)  # 1.3 GFLOPs of the same table count a MAC once


def test_the_baseline_of_the_text_space_is_bert_base():
    space = network_space("bert")
    ours, published = space.build(space.baseline()), bert_base()
    assert [op.shape_key for op in ours.ops] == [op.shape_key for op in published.ops]
    assert ours.params == published.params


def test_a_space_of_one_size_holds_vit_b_16_itself():
    space = Vit(widths=(768,), depths=(12,), heads=(12,), ratios=(4.0,))
    assert space.space.size == 1
    ours, published = space.build(space.baseline()), vit_b_16()
    assert [op.shape_key for op in ours.ops] == [op.shape_key for op in published.ops]
    assert ours.params == published.params


def test_the_size_counts_only_the_layers_that_are_there():
    assert network_space("vit").space.size == 3 * sum(4**depth for depth in (12, 13, 14))
    assert Bert(depths=(1, 3), widths=(768,)).space.size == 6 + 6**3


def test_deeper_networks_have_choices_for_every_layer():
    space, rng = network_space("vit"), np.random.default_rng(2)
    for _ in range(20):
        point = space.space.sample(rng)
        layers = space.layers(point)
        assert len(layers) == point["net.depth"]
        assert sum(name.endswith(".heads") for name in point) == point["net.depth"]
        assert space.build(point).macs > 0


def test_heads_and_feed_forward_widths_change_their_own_layer_only():
    space = network_space("vit")
    reference = {op.name: op.macs for op in space.build(space.baseline()).contractions}
    point = {**space.baseline(), "net.l03.heads": 4, "net.l05.mlp": 3.5}
    changed = {op.name for op in space.build(point).contractions if op.macs != reference[op.name]}
    assert {name.split(".")[0] for name in changed} == {"layer2", "layer4"}
    assert "layer2.attention.scores" in changed
    assert "layer4.mlp.expand" in changed


def test_a_patch_that_does_not_divide_the_resolution_is_refused():
    space = Vit(resolutions=(224, 200))
    with pytest.raises(BadInput, match="multiple of the patch size 16"):
        space.build({**space.baseline(), "net.resolution": 200})


def test_a_layer_beyond_the_depth_has_no_choices():
    space = network_space("vit")
    with pytest.raises(BadInput, match=r"net\.l13\.heads = 3: is chosen only where net\.depth is 13 or 14; remove it"):
        space.build({**space.baseline(), "net.l13.heads": 3})
