"""ViT-B/16, BERT-base and -large, and GPT-2 small.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (arXiv:2010.11929), Table 1.
Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019 (arXiv:1810.04805), section 3.
Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, Table 2 (the smallest model).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...errors import BadInput
from ..builder import NetworkBuilder
from ..network import Network
from .blocks import multi_head_attention

__all__ = [
    "EncoderLayer", "bert_base", "bert_large", "bert_network", "gpt2_decode", "gpt2_prefill", "vit_b_16", "vit_network",
]


class EncoderLayer(NamedTuple):
    """A layer's attention heads and the width of its feed-forward part; ``head_size`` features a head (None: even)."""

    heads: int
    hidden: int
    head_size: int | None = None


class _Size(NamedTuple):
    width: int
    heads: int
    depth: int
    hidden: int

    @property
    def layer(self) -> EncoderLayer:
        """One of its layers, which are all alike."""
        return EncoderLayer(self.heads, self.hidden)


_BASE, _LARGE = _Size(768, 12, 12, 3072), _Size(1024, 16, 24, 4096)
_GPT2_WINDOW, _GPT2_VOCABULARY = 1024, 50257
_BERT_WINDOW, _BERT_VOCABULARY, _BERT_SEGMENTS = 512, 30522, 2


def vit_b_16(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """ViT-B/16: 14×14 patches and a class token (197 tokens at 224×224), layer norm before each sub-layer.

    The class token and the position embeddings are ``extra_params``. Raises `BadInput` for a resolution that is no
    multiple of 16.
    """
    return vit_network(
        "vit_b_16", [_BASE.layer] * _BASE.depth, width=_BASE.width, resolution=resolution, classes=classes, batch=batch,
        bits=bits, source="Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, Table 1",
    )


def vit_network(
    name: str, layers: Sequence[EncoderLayer], *, width: int, patch: int = 16, resolution: int = 224,
    classes: int = 1000, batch: int = 1, bits: int = 8, source: str = "",
) -> Network:
    """A vision transformer of any layers on ``patch`` × ``patch`` pixels a token, ``width`` features and a class token.

    Raises `BadInput` for a resolution that is no multiple of the patch size.
    """
    if resolution < patch or resolution % patch:
        raise BadInput(f"{name}: resolution is {resolution}; it must be a multiple of the patch size {patch}")
    builder = NetworkBuilder(
        name, channels=3, height=resolution, width=resolution, batch=batch, bits=bits, source=source
    )
    builder.conv("patches", width, patch, stride=patch, padding=0)
    builder.tokens(extra=1)
    builder.elementwise("positions", "add")
    extra = builder.here.words + width
    for index, layer in enumerate(layers):
        _pre_norm_layer(builder, f"layer{index}", layer)
    builder.layer_norm("norm")
    builder.keep_tokens(1)
    builder.linear("head", classes)
    return builder.build(extra_params=extra)


def bert_base(*, seq: int = 128, predictions: int = 0, batch: int = 1, bits: int = 8) -> Network:
    """BERT-base (uncased) encoder with its pooler, on ``seq`` tokens (1 to 512).

    ``predictions`` masked tokens go through the head that pre-training has; 0: no task head. The three embedding tables
    are ``extra_params``; the head's last matrix is the word table.
    """
    return _bert("bert_base", _BASE, seq, predictions, batch, bits)


def bert_large(*, seq: int = 128, predictions: int = 0, batch: int = 1, bits: int = 8) -> Network:
    """BERT-large (uncased): twice as deep and a third wider; options as those of `bert_base`."""
    return _bert("bert_large", _LARGE, seq, predictions, batch, bits)


def _bert(name: str, size: _Size, seq: int, predictions: int, batch: int, bits: int) -> Network:
    layers = [size.layer] * size.depth
    return bert_network(
        name, layers, width=size.width, seq=seq, predictions=predictions, batch=batch, bits=bits,
        source="Devlin et al., NAACL 2019, arXiv:1810.04805",
    )


def bert_network(
    name: str, layers: Sequence[EncoderLayer], *, width: int, seq: int = 128, predictions: int = 0, batch: int = 1,
    bits: int = 8, source: str = "",
) -> Network:
    """An encoder of any layers of ``width`` features with BERT's embeddings, pooler and heads (see `bert_base`)."""
    _check(name, "seq", seq, _BERT_WINDOW)
    if not 0 <= predictions <= seq:
        raise BadInput(f"{name}: predictions is {predictions}; it must be between 0 and seq, {seq}")
    builder = NetworkBuilder(
        name, channels=1, height=seq, batch=batch, bits=bits, notes=() if predictions else ("no task head",),
        source=source,
    )
    _embed(builder, ("word", "position", "segment"), seq, width)
    builder.layer_norm("embedding.norm")
    for index, layer in enumerate(layers):
        _post_norm_layer(builder, f"layer{index}", layer)
    end = builder.here
    builder.keep_tokens(1)
    builder.linear("pooler", width, activation="tanh")
    tables = _BERT_VOCABULARY + _BERT_WINDOW + _BERT_SEGMENTS
    if predictions:
        builder.resume(end)
        builder.keep_tokens(predictions)
        builder.linear("head.transform", width, activation="gelu")
        builder.layer_norm("head.norm")
        builder.linear("head.words", _BERT_VOCABULARY)
        tables -= _BERT_VOCABULARY
    return builder.build(extra_params=tables * width)


def gpt2_prefill(
    *, seq: int = _GPT2_WINDOW, every_token: bool = False, batch: int = 1, bits: int = 8
) -> Network:
    """GPT-2 small reading a prompt of ``seq`` tokens (1 to 1024); logits of the last token only, which is what follows.

    ``every_token``: logits of all tokens, as training needs them. Scores of masked positions are computed like the
    others. The position table is ``extra_params``; the word table is the matrix of the last layer.
    """
    _check("gpt2_prefill", "seq", seq, _GPT2_WINDOW)
    return _gpt2("gpt2_prefill", tokens=seq, context=seq, batch=batch, bits=bits, every_token=every_token)


def gpt2_decode(*, context: int = _GPT2_WINDOW, batch: int = 1, bits: int = 8) -> Network:
    """GPT-2 small generating one token that attends to ``context`` tokens (1 to 1024), itself included.

    Keys and values of the other context − 1 tokens come from a cache: they are the second operands of the two products
    of every layer, 2 · ``context`` · 768 words a layer and sample.
    """
    _check("gpt2_decode", "context", context, _GPT2_WINDOW)
    return _gpt2("gpt2_decode", tokens=1, context=context, batch=batch, bits=bits)


def _gpt2(name: str, *, tokens: int, context: int, batch: int, bits: int, every_token: bool = False) -> Network:
    builder = NetworkBuilder(
        name, channels=1, height=tokens, batch=batch, bits=bits,
        source="Radford et al., 2019, Table 2 (smallest model)",
        notes=(*(() if every_token else ("logits of the last token only",)), "choosing the next token is not modelled"),
    )
    _embed(builder, ("word", "position"), tokens, _BASE.width)
    for index in range(_BASE.depth):
        _pre_norm_layer(builder, f"layer{index}", _BASE.layer, context=context)
    if not every_token:
        builder.keep_tokens(1)
    builder.layer_norm("norm")
    builder.linear("logits", _GPT2_VOCABULARY, bias=False)
    return builder.build(extra_params=_GPT2_WINDOW * _BASE.width)


def _check(network: str, option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise BadInput(f"{network}: {option} is {value}; it must be between 1 and {most}")


def _embed(builder: NetworkBuilder, tables: tuple[str, ...], tokens: int, width: int) -> None:
    """One row per token from each table, summed."""
    start = builder.here
    total = None
    for table in tables:
        builder.resume(start)
        builder.gather(f"embedding.{table}", tokens, width)
        if total is not None:
            builder.add(f"embedding.{table}.add", total)
        total = builder.here


def _feed_forward(builder: NetworkBuilder, name: str, hidden: int) -> None:
    width = builder.here.channels
    builder.linear(f"{name}.expand", hidden, activation="gelu")
    builder.linear(f"{name}.project", width)


def _pre_norm_layer(builder: NetworkBuilder, name: str, layer: EncoderLayer, context: int | None = None) -> None:
    """Norm, attention, add; norm, feed-forward, add."""
    start = builder.here
    builder.layer_norm(f"{name}.norm1")
    multi_head_attention(
        builder, f"{name}.attention", heads=layer.heads, context=context, head_size=layer.head_size
    )
    builder.add(f"{name}.add1", start)
    start = builder.here
    builder.layer_norm(f"{name}.norm2")
    _feed_forward(builder, f"{name}.mlp", layer.hidden)
    builder.add(f"{name}.add2", start)


def _post_norm_layer(builder: NetworkBuilder, name: str, layer: EncoderLayer) -> None:
    """Attention, add, norm; feed-forward, add, norm."""
    start = builder.here
    multi_head_attention(
        builder, f"{name}.attention", heads=layer.heads, joint_projection=False, head_size=layer.head_size
    )
    builder.add(f"{name}.add1", start)
    builder.layer_norm(f"{name}.norm1")
    start = builder.here
    _feed_forward(builder, f"{name}.mlp", layer.hidden)
    builder.add(f"{name}.add2", start)
    builder.layer_norm(f"{name}.norm2")
