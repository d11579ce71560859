"""Networks by name or by file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..document import shipped
from ..errors import BadInput, UnknownName, nearest
from .network import Network
from .transforms import with_batch, with_bits
from .zoo import DESCRIBED, ZOO

__all__ = ["list_networks", "load_network", "network_options"]

_SUFFIXES = (".yaml", ".yml", ".onnx")


def list_networks() -> tuple[str, ...]:
    """Names that `load_network` knows: the zoo, then the shipped YAML files."""
    return (*ZOO, *(name for name in shipped("networks") if name not in ZOO))


def network_options(name: str) -> dict[str, str]:
    """The options of a zoo network (``width``, ``resolution``, ``seq`` …) and their types; {} for a YAML network."""
    if name not in ZOO:
        return {}
    parameters = inspect.signature(ZOO[name]).parameters.values()
    return {
        parameter.name: str(parameter.annotation)
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.name not in ("batch", "bits")
    }


def load_network(name_or_path: str | Path, *, batch: int = 1, bits: int | None = None, **options: Any) -> Network:
    """The network of a zoo or shipped name, or of a ``.yaml``, ``.yml`` or ``.onnx`` file.

    A name of `DESCRIBED` may be followed by a colon and the member of its family: ``nasbench201:|skip_connect~0|+…``.
    ``batch`` samples run together. ``bits`` is the width of every word (default: what the file states, 8 for the zoo).
    ``options`` are those of the zoo network (`network_options`). Raises `UnknownName` for a name that does not exist,
    `BadInput` for a missing file, a batch below 1, or an option that the network does not have.
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise BadInput(f"batch is {batch}; it must be a whole number of at least 1")
    if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int) or bits < 1):
        raise BadInput(f"bits is {bits}; it must be a whole number of at least 1")
    name = str(name_or_path)
    zoo, _, description = name.partition(":")
    if isinstance(name_or_path, str) and zoo in ZOO and (zoo in DESCRIBED or not description):
        _check_options(zoo, options)
        given = (description,) if description else ()
        return ZOO[zoo](*given, batch=batch, bits=8 if bits is None else bits, **options)
    if options:
        raise BadInput(f"{name}: only zoo networks take options, this is none; remove {', '.join(map(repr, options))}")
    path = shipped("networks").get(name) if isinstance(name_or_path, str) else None
    network = _from_file(Path(name) if path is None else path, name, bits)
    return with_batch(network, batch)


def _from_file(path: Path, given: str, bits: int | None) -> Network:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        if path.is_file() or "/" in given:
            raise BadInput(f"{given}: not a network file; use one of {', '.join(_SUFFIXES)}")
        raise UnknownName("network", given, list_networks())
    if not path.is_file():
        raise BadInput(f"{given}: no such file; check the path, or use a name: {', '.join(list_networks())}")
    if suffix == ".onnx":
        from .from_onnx import from_onnx

        return from_onnx(path, bits=8 if bits is None else bits)
    from .yaml_io import network_from_yaml

    network = network_from_yaml(path)
    return network if bits is None else with_bits(network, bits)


_LARGEST_OPTION = 100_000  # far above any real network; keeps the products of sizes in 64-bit integers
_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "float": (lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number"),
}


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = network_options(name)
    for option, value in options.items():
        if option not in known:
            close = nearest(option, known)
            hint = f"did you mean '{close}'? " if close else ""
            raise BadInput(f"{name}: no option '{option}'; {hint}known: {', '.join(known)}, batch, bits")
        accepts, words = _TYPES[known[option].removesuffix(" | None")]
        if not accepts(value) and not (value is None and known[option].endswith("None")):
            raise BadInput(f"{name}: {option} is {value!r}; it must be {words}")
        if known[option].startswith("int") and isinstance(value, int) and value < 1:
            raise BadInput(f"{name}: {option} is {value}; it must be at least 1")
        if isinstance(value, int | float) and value > _LARGEST_OPTION:
            raise BadInput(f"{name}: {option} is {value:g}; it must be at most {_LARGEST_OPTION:,}")
