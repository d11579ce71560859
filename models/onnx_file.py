"""Reading an ONNX file: every way it can be unusable ends in one message that says what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImportFailure
from .importing import Shape

if TYPE_CHECKING:
    import onnx

__all__ = ["dimensions_of", "fix_dimensions", "infer_shapes", "read_model"]


def read_model(path_or_bytes: str | Path | bytes, supported: Collection[str]) -> tuple[onnx.ModelProto, str]:
    """The parsed and checked model (local functions inlined) and how to call it in messages.

    Operators that neither ``supported`` nor the installed onnx know are let through, so that all can be listed at once.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto, inliner

    origin = "<bytes>" if isinstance(path_or_bytes, bytes) else str(path_or_bytes)
    content = path_or_bytes if isinstance(path_or_bytes, bytes) else _content(Path(path_or_bytes))
    if not content:
        raise ImportFailure(f"{origin}: the file is empty; export the model again")
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ImportFailure(f"{origin}: not an ONNX model, or a damaged one; export the model again") from error
    if not model.ir_version or not model.graph.node:
        raise ImportFailure(f"{origin}: not an ONNX model: it holds no graph; export the model again")
    _check(model, path_or_bytes, origin, supported)
    return (inliner.inline_local_functions(model) if model.functions else model), origin


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImportFailure(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise ImportFailure(f"{path}: cannot be read ({error.strerror}); give the path of an .onnx file") from error


def _check(
    model: onnx.ModelProto, path_or_bytes: str | Path | bytes, origin: str, supported: Collection[str]
) -> None:
    from onnx import __version__, checker, defs

    newest = defs.onnx_opset_version()
    versions = {opset.domain: opset.version for opset in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if version > newest:
        raise ImportFailure(f"{origin}: opset {version} is newer than onnx {__version__} knows ({newest}); export with "
                            f"opset_version={newest} or lower, or upgrade onnx")
    plain = {node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")}
    if any(not defs.has(operator) for operator in plain - set(supported)):
        return  # the checker would stop at the first of them
    try:
        checker.check_model(model if isinstance(path_or_bytes, bytes) else str(path_or_bytes))
    except checker.ValidationError as error:
        raise ImportFailure(f"{origin}: not a valid ONNX model: {_one_line(error)}; export the model again") from error


def fix_dimensions(
    model: onnx.ModelProto, origin: str, batch: int | None, dimensions: Mapping[str, int]
) -> None:
    """Give every symbolic axis of the inputs its size, in place: the first is the batch, others by name.

    Raises ImportFailure naming all axes left open, and where ``batch`` contradicts a fixed first axis.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in stored]
    sizes = dict(dimensions)
    for info in inputs:
        for axis in info.type.tensor_type.shape.dim[:1]:
            if axis.dim_param:
                sizes.setdefault(axis.dim_param, batch or 1)
    opened = []
    for info in inputs:
        for place, axis in enumerate(info.type.tensor_type.shape.dim):
            if axis.HasField("dim_value") and axis.dim_value > 0:
                if place == 0 and batch is not None and batch != axis.dim_value:
                    raise ImportFailure(
                        f"{origin}: input '{info.name}' has a fixed batch of {axis.dim_value}, not {batch}; "
                        f"ask for batch={axis.dim_value} or export with a symbolic first axis")
            elif axis.dim_param in sizes:
                axis.dim_value = sizes[axis.dim_param]
            elif place == 0:
                axis.dim_value = batch or 1
            else:
                opened.append(f"'{axis.dim_param or '?'}' (input '{info.name}', axis {place})")
    if opened:
        raise ImportFailure(f"{origin}: sizes left open: {', '.join(opened)}; give them as dimensions={{name: size}}, "
                            "or fix them with onnx.tools.update_model_dims or in the export")
    _substitute(model, sizes)


def _substitute(model: onnx.ModelProto, sizes: Mapping[str, int]) -> None:
    """Known names in the shapes recorded inside the graph; a name that stays open is left to inference."""
    for info in (*model.graph.value_info, *model.graph.output):
        for axis in info.type.tensor_type.shape.dim:
            if axis.dim_param in sizes:
                axis.dim_value = sizes[axis.dim_param]
            elif axis.dim_param:
                axis.ClearField("dim_param")


def infer_shapes(model: onnx.ModelProto, origin: str) -> onnx.ModelProto:
    """The model with the shape of every value that can be told from its inputs."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        raise ImportFailure(f"{origin}: the shapes in it do not fit together: {_one_line(error)}; check the sizes "
                            "asked for (batch, dimensions) against the export") from error


def dimensions_of(info: onnx.ValueInfoProto) -> Shape | None:
    """A value's shape, None where an axis is unknown."""
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not kind.HasField("shape"):
        return None
    axes = kind.shape.dim
    return tuple(axis.dim_value for axis in axes) if all(axis.HasField("dim_value") for axis in axes) else None


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:300] or type(error).__name__
