"""ViT-B/16, BERT-base and GPT-2 small.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (arXiv:2010.11929), Table 1.
Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019 (arXiv:1810.04805), section 3.
Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, Table 2 (the smallest model).
"""

from __future__ import annotations

from ...errors import BadInput
from ..builder import NetworkBuilder
from ..network import Network
from .blocks import multi_head_attention

__all__ = ["bert_base", "gpt2_decode", "gpt2_prefill", "vit_b_16"]

_WIDTH, _HEADS, _DEPTH, _HIDDEN = 768, 12, 12, 3072  # all three networks
_GPT2_WINDOW, _GPT2_VOCABULARY = 1024, 50257
_BERT_WINDOW, _BERT_VOCABULARY, _BERT_SEGMENTS = 512, 30522, 2


def vit_b_16(*, resolution: int = 224, classes: int = 1000, batch: int = 1, bits: int = 8) -> Network:
    """ViT-B/16: 14×14 patches and a class token (197 tokens at 224×224), layer norm before each sub-layer.

    The class token and the position embeddings are ``extra_params``. Raises `BadInput` for a resolution that is no
    multiple of 16.
    """
    if resolution < 16 or resolution % 16:
        raise BadInput(f"vit_b_16: resolution is {resolution}; it must be a multiple of the patch size 16")
    builder = NetworkBuilder(
        "vit_b_16", channels=3, height=resolution, width=resolution, batch=batch, bits=bits,
        source="Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, Table 1",
    )
    builder.conv("patches", _WIDTH, 16, stride=16, padding=0)
    builder.tokens(extra=1)
    builder.elementwise("positions", "add")
    extra = builder.here.words + _WIDTH
    for index in range(_DEPTH):
        _pre_norm_layer(builder, f"layer{index}")
    builder.layer_norm("norm")
    builder.keep_tokens(1)
    builder.linear("head", classes)
    return builder.build(extra_params=extra)


def bert_base(*, seq: int = 128, batch: int = 1, bits: int = 8) -> Network:
    """BERT-base (uncased) encoder with its pooler, on ``seq`` tokens (1 to 512); no task head.

    The three embedding tables are ``extra_params``.
    """
    _check("bert_base", "seq", seq, _BERT_WINDOW)
    builder = NetworkBuilder(
        "bert_base", channels=1, height=seq, batch=batch, bits=bits, notes=("no task head",),
        source="Devlin et al., NAACL 2019, arXiv:1810.04805",
    )
    _embed(builder, ("word", "position", "segment"), seq)
    builder.layer_norm("embedding.norm")
    for index in range(_DEPTH):
        _post_norm_layer(builder, f"layer{index}")
    builder.keep_tokens(1)
    builder.linear("pooler", _WIDTH, activation="tanh")
    return builder.build(extra_params=(_BERT_VOCABULARY + _BERT_WINDOW + _BERT_SEGMENTS) * _WIDTH)


def gpt2_prefill(*, seq: int = _GPT2_WINDOW, batch: int = 1, bits: int = 8) -> Network:
    """GPT-2 small reading a prompt of ``seq`` tokens (1 to 1024); logits of the last token only, which is what follows.

    Scores of masked positions are computed like the others. The position table is ``extra_params``; the word table is
    the matrix of the last layer.
    """
    _check("gpt2_prefill", "seq", seq, _GPT2_WINDOW)
    return _gpt2("gpt2_prefill", tokens=seq, context=seq, batch=batch, bits=bits)


def gpt2_decode(*, context: int = _GPT2_WINDOW, batch: int = 1, bits: int = 8) -> Network:
    """GPT-2 small generating one token that attends to ``context`` tokens (1 to 1024), itself included.

    Keys and values of the other context − 1 tokens come from a cache: they are the second operands of the two products
    of every layer, 2 · ``context`` · 768 words a layer and sample.
    """
    _check("gpt2_decode", "context", context, _GPT2_WINDOW)
    return _gpt2("gpt2_decode", tokens=1, context=context, batch=batch, bits=bits)


def _gpt2(name: str, *, tokens: int, context: int, batch: int, bits: int) -> Network:
    builder = NetworkBuilder(
        name, channels=1, height=tokens, batch=batch, bits=bits,
        source="Radford et al., 2019, Table 2 (smallest model)",
        notes=("logits of the last token only", "choosing the next token is not modelled"),
    )
    _embed(builder, ("word", "position"), tokens)
    for index in range(_DEPTH):
        _pre_norm_layer(builder, f"layer{index}", context=context)
    builder.keep_tokens(1)
    builder.layer_norm("norm")
    builder.linear("logits", _GPT2_VOCABULARY, bias=False)
    return builder.build(extra_params=_GPT2_WINDOW * _WIDTH)


def _check(network: str, option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise BadInput(f"{network}: {option} is {value}; it must be between 1 and {most}")


def _embed(builder: NetworkBuilder, tables: tuple[str, ...], tokens: int) -> None:
    """One row per token from each table, summed."""
    start = builder.here
    total = None
    for table in tables:
        builder.resume(start)
        builder.gather(f"embedding.{table}", tokens, _WIDTH)
        if total is not None:
            builder.add(f"embedding.{table}.add", total)
        total = builder.here


def _feed_forward(builder: NetworkBuilder, name: str) -> None:
    builder.linear(f"{name}.expand", _HIDDEN, activation="gelu")
    builder.linear(f"{name}.project", _WIDTH)


def _pre_norm_layer(builder: NetworkBuilder, name: str, context: int | None = None) -> None:
    """Norm, attention, add; norm, feed-forward, add."""
    start = builder.here
    builder.layer_norm(f"{name}.norm1")
    multi_head_attention(builder, f"{name}.attention", heads=_HEADS, context=context)
    builder.add(f"{name}.add1", start)
    start = builder.here
    builder.layer_norm(f"{name}.norm2")
    _feed_forward(builder, f"{name}.mlp")
    builder.add(f"{name}.add2", start)


def _post_norm_layer(builder: NetworkBuilder, name: str) -> None:
    """Attention, add, norm; feed-forward, add, norm."""
    start = builder.here
    multi_head_attention(builder, f"{name}.attention", heads=_HEADS, joint_projection=False)
    builder.add(f"{name}.add1", start)
    builder.layer_norm(f"{name}.norm1")
    start = builder.here
    _feed_forward(builder, f"{name}.mlp")
    builder.add(f"{name}.add2", start)
    builder.layer_norm(f"{name}.norm2")
