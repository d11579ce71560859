"""Spaces of transformers: width, depth, and each layer's heads and feed-forward width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from ...errors import BadInput
from ...models.network import Network
from ...models.zoo.transformer import EncoderLayer, bert_network, vit_network
from .layer_groups import LayerGroup, Per
from .network_space import network_values, positive_options, values_key
from .space import Choice, Space, Value

__all__ = ["Bert", "Encoders", "Vit"]


@dataclass(frozen=True)
class Encoders:
    """Transformer encoders: ``net.width``, ``net.depth``, and for every layer ``net.l01.heads`` and ``net.l01.mlp``.

    A layer that a depth leaves out has no choices there. ``mlp`` is the width of the feed-forward part over that of the
    network. A head has ``head_size`` features whatever the width, as in AutoFormer (Chen et al., ICCV 2021,
    arXiv:2107.00651), so that heads change the cost.
    """

    name: str
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    ratios: tuple[float, ...]
    head_size: int = 64

    def __post_init__(self) -> None:
        for what in ("widths", "depths", "heads", "ratios"):
            positive_options(self.name, what, getattr(self, what))

    _before: ClassVar[tuple[str, ...]] = ()
    _after: ClassVar[tuple[str, ...]] = ()
    _projections: ClassVar[tuple[str, ...]] = ()

    @cached_property
    def space(self) -> Space:
        """The choices, the network's own first, then layer by layer."""
        choices = [*self._whole(), Choice("net.width", self.widths), Choice("net.depth", self.depths)]
        for place in range(1, max(self.depths) + 1):
            when = self._deep_enough(place)
            choices.append(Choice(f"net.l{place:02d}.heads", self.heads, when))
            choices.append(Choice(f"net.l{place:02d}.mlp", self.ratios, when))
        return Space(tuple(choices))

    def _whole(self) -> tuple[Choice, ...]:
        """Choices of the whole network beside width and depth."""
        return ()

    def layers_by(self, per: Per) -> tuple[LayerGroup, ...]:
        """The layers ``l01`` …, or the products in each, with what stands around them; `BadInput` for stages."""
        if per == "stage":
            raise BadInput(f"{self.name} has no stages; group its layers per block, layer or network")
        found = [LayerGroup(name, (name,)) for name in self._before]
        for place in range(1, max(self.depths) + 1):
            when = self._deep_enough(place)
            if per == "block":
                found.append(LayerGroup(f"l{place:02d}", (f"layer{place - 1}.*",), when))
            else:
                names = (*self._projections, "attention.output", "mlp.expand", "mlp.project")
                found += [LayerGroup(f"l{place:02d}.{name}", (f"layer{place - 1}.{name}",), when) for name in names]
        return (*found, *(LayerGroup(name, (name,)) for name in self._after))

    def _deep_enough(self, place: int) -> dict[str, list[int]]:
        """At which points there is a layer at this place, from 1."""
        deep = [depth for depth in self.depths if depth >= place]
        return {"net.depth": deep} if len(deep) < len(self.depths) else {}

    def layers(self, values: Mapping[str, Value]) -> list[EncoderLayer]:
        """The layers of one point; `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        labels = [f"net.l{place:02d}" for place in range(1, int(own["net.depth"]) + 1)]
        return [
            EncoderLayer(
                int(own[f"{label}.heads"]), round(int(own["net.width"]) * float(own[f"{label}.mlp"])), self.head_size
            )
            for label in labels
        ]

    def key(self, values: Mapping[str, Value]) -> str:
        """The choices themselves."""
        return values_key(values)

    def _published(self, whole: Mapping[str, Value], heads: int, ratio: float) -> dict[str, Value]:
        """The point with all layers alike; what is not among the options becomes the first of them."""
        wanted: dict[str, Value] = dict(whole)
        for place in range(1, max(self.depths) + 1):
            wanted |= {f"net.l{place:02d}.heads": heads, f"net.l{place:02d}.mlp": ratio}
        known = {name: value for name, value in wanted.items() if value in self.space.choice(name).options}
        return self.space.complete(known)


@dataclass(frozen=True)
class Vit(Encoders):
    """Vision transformers around DeiT-Ti (Touvron et al., ICML 2021): AutoFormer's tiny space, fully by layer.

    ``net.resolution`` and ``net.patch`` are the sides in pixels of the image and of a token's patch. AutoFormer's
    relative positions are not modelled.
    """

    name: str = "vit"
    widths: tuple[int, ...] = (192, 216, 240)
    depths: tuple[int, ...] = (12, 13, 14)
    heads: tuple[int, ...] = (3, 4)
    ratios: tuple[float, ...] = (3.5, 4.0)
    resolutions: tuple[int, ...] = (224,)
    patches: tuple[int, ...] = (16,)

    _before = ("patches",)
    _after = ("head",)
    _projections = ("attention.qkv",)

    def _whole(self) -> tuple[Choice, ...]:
        return Choice("net.resolution", self.resolutions), Choice("net.patch", self.patches)

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        return vit_network(
            self.name,
            self.layers(own),
            width=int(own["net.width"]),
            patch=int(own["net.patch"]),
            resolution=int(own["net.resolution"]),
            source="after Chen et al., ICCV 2021, arXiv:2107.00651, and Touvron et al., ICML 2021, arXiv:2012.12877",
        )

    def baseline(self) -> dict[str, Value]:
        """DeiT-Ti: 192 features, 12 layers of 3 heads, feed-forward parts four times as wide."""
        whole = {"net.resolution": 224, "net.patch": 16, "net.width": 192, "net.depth": 12}
        return self._published(whole, heads=3, ratio=4.0)


@dataclass(frozen=True)
class Bert(Encoders):
    """Text encoders around BERT-base (Devlin et al., NAACL 2019) on ``tokens`` tokens, narrower and shallower too."""

    name: str = "bert"
    widths: tuple[int, ...] = (512, 640, 768)
    depths: tuple[int, ...] = (6, 8, 10, 12)
    heads: tuple[int, ...] = (8, 12)
    ratios: tuple[float, ...] = (2.0, 3.0, 4.0)
    tokens: int = 128

    _after = ("pooler",)
    _projections = ("attention.query", "attention.key", "attention.value")

    def build(self, values: Mapping[str, Value]) -> Network:
        """The network of one point; choices of other spaces in ``values`` are ignored, `BadInput` for a wrong value."""
        own = self.space.validate(network_values(values))
        source = "after Devlin et al., NAACL 2019, arXiv:1810.04805"
        return bert_network(self.name, self.layers(own), width=int(own["net.width"]), seq=self.tokens, source=source)

    def baseline(self) -> dict[str, Value]:
        """BERT-base: 768 features, 12 layers of 12 heads, feed-forward parts four times as wide."""
        return self._published({"net.width": 768, "net.depth": 12}, heads=12, ratio=4.0)
