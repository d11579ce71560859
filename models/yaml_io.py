"""Networks as YAML text: one line per layer, read back to an equal `Network`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..document import MOST_CHARACTERS, Document, load_document, parse_document, validate
from ..errors import BadInput, Problem, SpecError, nearest
from .network import Layer, Network
from .op import ROLES, Op, VectorOp
from .yaml_spec import ContractionSpec, EinsumSpec, NetworkSpec, parse_rank, rank_text
from .yaml_zeros import describe_zeros

__all__ = ["network_from_yaml", "network_schema", "network_to_yaml"]


def network_schema() -> dict[str, Any]:
    """JSON Schema of a network file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **NetworkSpec.model_json_schema()}


# ---- reading -------------------------------------------------------------------------------------------------------


def network_from_yaml(source: Path | str) -> Network:
    """The network in a file (`Path`) or in a text (`str`).

    Raises `SpecError` with every problem at its line and column, `BadInput` where there is no such file.
    """
    document = load_document(source) if isinstance(source, Path) else parse_document(source, "<text>")
    spec = validate(NetworkSpec, document)
    layers: list[Layer] = []
    problems: list[Problem] = []
    places: dict[str, int] = {}
    for index, item in enumerate(spec.layers):
        path = ("layers", index)
        if item.name in places:
            what = f"'{item.name}' is also the name of layers[{places[item.name]}]"
            problems.append(document.problem((*path, "name"), what, "rename one"))
        inputs = item.inputs if item.inputs is not None else [spec.layers[index - 1].name] if index else []
        problems += _check_inputs(document, path, inputs, item.name, places, [later.name for later in spec.layers])
        places.setdefault(item.name, index)
        found = _check_ranks(document, path, item) if isinstance(item, EinsumSpec) else []
        if not found and isinstance(item, ContractionSpec):
            found = _check_zeros(document, path, item)
        problems += found
        if not found:
            layers.append(Layer(item.operator(), tuple(inputs)))
    if problems:
        raise SpecError(problems)
    return Network(spec.name, tuple(layers), spec.source, tuple(spec.notes), spec.extra_params)


def _check_inputs(
    document: Document, path: tuple[str, int], inputs: list[str], name: str, earlier: Mapping[str, int],
    names: list[str],
) -> list[Problem]:
    problems = []
    for index, given in enumerate(inputs):
        if given in earlier:
            continue
        place = (*path, "inputs", index)
        if given in names:
            what = f"'{given}' does not stand before '{name}'"
            problems.append(document.problem(place, what, "list layers in the order in which they run"))
        else:
            close = nearest(given, earlier)
            remedy = f"did you mean '{close}'?" if close else "name a layer that stands before it"
            problems.append(document.problem(place, f"no layer named '{given}'", remedy))
    return problems


def _check_ranks(document: Document, path: tuple[str, int], item: EinsumSpec) -> list[Problem]:
    """What is wrong with the ranks of a general contraction."""
    problems = []
    for role in ROLES:
        for index, text in enumerate(getattr(item, role)):
            place = (*path, role, index)
            try:
                dims = [dim for dim, _ in parse_rank(text).terms]
            except BadInput as error:
                what, _, remedy = str(error).partition("; ")
                problems.append(document.problem(place, what, remedy))
                continue
            for dim in dims:
                if dim not in item.dims:
                    remedy = f"declare it under dims; declared: {', '.join(item.dims)}"
                    problems.append(document.problem(place, f"'{text}' uses the dimension '{dim}'", remedy))
    return problems


def _check_zeros(document: Document, path: tuple[str, int], item: ContractionSpec) -> list[Problem]:
    """What is wrong with the patterns of a contraction's tensors, now that its dimensions are known."""
    problems, op = [], item.shape()
    for role, pattern in item.density.patterns().items():
        try:
            pattern.density_for(op.tensor(role), op.bounds)
        except BadInput as error:
            what, _, remedy = str(error).partition("; ")
            problems.append(document.problem((*path, "density", role), what, remedy))
    return problems


# ---- writing -------------------------------------------------------------------------------------------------------


def network_to_yaml(network: Network) -> str:
    """A YAML text that `network_from_yaml` reads back to an equal network.

    Raises `BadInput` where measured masks make it longer than a document may be.
    """
    head: dict[str, Any] = {"name": network.name}
    if network.source:
        head["source"] = network.source
    if network.notes:
        head["notes"] = list(network.notes)
    if network.extra_params:
        head["extra_params"] = network.extra_params
    lines = [f"{key}: {_flow(value)}" for key, value in head.items()]
    lines.append("layers:")
    previous: tuple[str, ...] = ()
    for layer in network.layers:
        item = _describe(layer.op)
        if layer.inputs != previous:
            item["inputs"] = list(layer.inputs)
        lines.append(f"  - {_flow(item)}")
        previous = (layer.op.name,)
    text = "\n".join(lines) + "\n"
    if len(text) > MOST_CHARACTERS:
        what = f"{network.name}: {len(text):,} characters of YAML are more than is read ({MOST_CHARACTERS:,})"
        raise BadInput(f"{what}; give densities or structured patterns in place of large measured masks")
    return text


def _describe(op: Op | VectorOp) -> dict[str, Any]:
    """An operator as its YAML mapping; defaults are left out."""
    if isinstance(op, VectorOp):
        item = {
            "name": op.name, "kind": "vector", "function": op.kind, "operations": op.operations,
            "words_in": op.words_in, "words_out": op.words_out, "bits": op.bits, "params": op.params, "fused": op.fused,
        }
        return _without(item, {"bits": 8, "params": 0, "fused": False})
    details = _details(op)
    short = _short_form(op)
    # The short form is used only where it means the same operator; importers may make contractions it cannot express.
    if short is not None:
        item = {"name": op.name, **short, **details}
        if op.kind != short["kind"]:
            item["label"] = op.kind
        if NetworkSpec.kinds[short["kind"]](**item).operator() == op:
            return item
    item = {"name": op.name, "kind": "einsum", "dims": dict(op.dims)}
    item |= {tensor.role: [rank_text(rank) for rank in tensor.ranks] for tensor in op.tensors}
    item["parameters"] = [tensor.role for tensor in op.tensors if tensor.is_parameter]
    item |= {"bias": op.bias, "label": op.kind}
    return {**_without(item, {"parameters": [], "bias": 0, "label": "einsum"}), **details}


def _details(op: Op) -> dict[str, Any]:
    """Word widths and densities, where they are not the default."""
    details: dict[str, Any] = {}
    widths = {tensor.role: tensor.bits for tensor in op.tensors}
    if len(set(widths.values())) > 1:
        details["bits"] = widths
    elif op.tensors[0].bits != 8:
        details["bits"] = op.tensors[0].bits
    densities = {
        tensor.role: describe_zeros(tensor)
        for tensor in op.tensors
        if tensor.density != 1.0 or tensor.pattern is not None
    }
    if densities:
        details["density"] = densities
    return details


def _without(item: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in defaults or value != defaults[key]}


def _short_form(op: Op) -> dict[str, Any] | None:
    """The likely short form: the caller checks that it means the same."""
    names = "".join(dim for dim, _ in op.dims)
    bounds = {dim.lower(): bound for dim, bound in op.dims}
    bias = op.bias > 0
    if names == "NKC":
        return _without({"kind": "linear", **bounds, "bias": bias}, {"n": 1, "bias": True})
    if names == "GNKC":
        item = {"kind": "matmul", **bounds, "parameter": op.tensor("weight").is_parameter}
        return _without(item, {"g": 1, "parameter": False})
    if names != "NGKCPQRS" or len(op.tensors[0].ranks) != 5 or len(op.tensors[2].ranks) != 5:
        return None
    steps = [[rank.terms[0][1] for rank in tensor.ranks[3:]] for tensor in op.tensors]
    if all(len(rank.terms) == 2 for rank in op.tensors[0].ranks[3:]):
        dilation = [rank.terms[1][1] for rank in op.tensors[0].ranks[3:]]
        if op.kind == "depthwise_conv2d":
            bounds = {"n": bounds["n"], "channels": bounds["g"], **{key: bounds[key] for key in "pqrs"}}
        kind = "depthwise_conv2d" if op.kind == "depthwise_conv2d" else "conv2d"
        item = {"kind": kind, **bounds, "stride": _step(steps[0]), "dilation": _step(dilation), "bias": bias}
    else:
        bounds["h"], bounds["w"] = bounds.pop("p"), bounds.pop("q")
        item = {"kind": "transposed_conv2d", **bounds, "stride": _step(steps[2]), "bias": bias}
    return _without(item, {"n": 1, "g": 1, "stride": 1, "dilation": 1, "bias": True})


def _step(pair: list[int]) -> int | list[int]:
    return pair[0] if pair[0] == pair[1] else pair


# Text that every YAML reader takes for text without quotes: words that are neither numbers nor truth values.
_SPECIAL = "true|false|null|yes|no|on|off|inf|nan"
_PLAIN = re.compile(rf"(?!(?:{_SPECIAL})\Z)[A-Za-z_][\w.*+/-]*(?: [\w.*+/()-]+)*\Z", re.IGNORECASE | re.ASCII)


def _flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if not isinstance(value, str):
        return repr(value)
    return value if _PLAIN.match(value) else f'"{"".join(map(_escape, value))}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
