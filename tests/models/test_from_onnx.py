"""The ONNX importer: graphs built here, compared with hand counts and with the torch importer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference
from torch import nn

from dovetail.errors import BadInput, ImportFailure
from dovetail.models.from_onnx import from_onnx
from dovetail.models.from_torch import from_torch
from dovetail.models.network import Network
from dovetail.models.op import VectorOp

Shape = list[int | str]
node = helper.make_node


def build(
    nodes: list[NodeProto], inputs: dict[str, Shape], output: str, *, stored: dict[str, Any] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A model; ``stored`` gives the shape of a float tensor, or an array."""
    tensors = [numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.zeros(value, np.float32), name)
               for name, value in (stored or {}).items()]
    graph = helper.make_graph(
        nodes, "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(output)], tensors)
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    domains = {item.domain for item in nodes} - {""}
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph.output[0].type.tensor_type
    model.graph.output[0].type.tensor_type.shape.CopyFrom(inferred.shape)
    return model


def load(*args: Any, **options: Any) -> Network:
    return from_onnx(build(*args, **options).SerializeToString())


def shape_keys(network: Network) -> list[tuple[object, ...]]:
    return [op.shape_key for op in network.ops]


NORM = {f"{part}{name}": [size] for part, size in (("1", 16), ("2", 16)) for name in ("s", "b", "m", "v")}


def residual_block() -> ModelProto:
    return build([
        node("Conv", ["x", "w1"], ["c1"], "/conv1/Conv", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c1", "1s", "1b", "1m", "1v"], ["n1"], "/bn1"),
        node("Relu", ["n1"], ["r1"], "/relu"),
        node("Conv", ["r1", "w2"], ["c2"], "/conv2/Conv", kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
        node("BatchNormalization", ["c2", "2s", "2b", "2m", "2v"], ["n2"], "/bn2"),
        node("Conv", ["x", "w3", "b3"], ["c3"], "/down", kernel_shape=[1, 1], strides=[2, 2]),
        node("Add", ["n2", "c3"], ["sum"], "/add"),
        node("Relu", ["sum"], ["y"], "/relu_1"),
    ], {"x": ["N", 8, 10, 10]}, "y", stored={
        "w1": [16, 8, 3, 3], "w2": [16, 16, 3, 3], "w3": [16, 8, 1, 1], "b3": [16], **NORM})


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                               nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        self.b = nn.Conv2d(8, 16, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.a(x) + self.b(x))


def test_a_residual_block_equals_the_same_block_imported_from_torch(tmp_path: Path) -> None:
    path = tmp_path / "block.onnx"
    path.write_bytes(residual_block().SerializeToString())
    network = from_onnx(path, batch=2)
    twin = from_torch(Block(), (torch.zeros(2, 8, 10, 10),))
    assert shape_keys(network) == shape_keys(twin)
    assert (network.macs, network.params) == (twin.macs, twin.params)
    assert network.name == "block"
    assert [layer.op.name for layer in network][:2] == ["conv1/Conv", "relu"]
    assert network.layers[-2].inputs == ("conv2/Conv", "down")


def test_a_multilayer_perceptron_is_the_same_from_gemm_from_matmul_and_from_torch() -> None:
    gemm = load([node("Gemm", ["x", "w1", "b1"], ["h"], transB=1), node("Relu", ["h"], ["r"]),
                 node("Gemm", ["r", "w2", "b2"], ["y"])], {"x": [3, 12]}, "y",
                stored={"w1": [20, 12], "b1": [20], "w2": [20, 5], "b2": [5]})
    matmul = load([node("MatMul", ["x", "w1"], ["p"]), node("Add", ["p", "b1"], ["h"]), node("Relu", ["h"], ["r"]),
                   node("MatMul", ["r", "w2"], ["q"]), node("Add", ["b2", "q"], ["y"])], {"x": [3, 12]}, "y",
                  stored={"w1": [12, 20], "b1": [20], "w2": [20, 5], "b2": [5]})
    twin = from_torch(nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 5)), (torch.zeros(3, 12),))
    assert shape_keys(gemm) == shape_keys(matmul) == shape_keys(twin)
    assert gemm.params == matmul.params == twin.params == 12 * 20 + 20 + 20 * 5 + 5


def test_attention_between_activations_is_a_batched_product() -> None:
    network = load([
        node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]), node("MatMul", ["q", "kt"], ["s"], "qk"),
        node("Div", ["s", "scale"], ["d"], "scale"), node("Softmax", ["d"], ["p"], "softmax"),
        node("MatMul", ["p", "v"], ["y"], "av")],
        {"q": [1, 4, 5, 8], "k": [1, 4, 7, 8], "v": [1, 4, 7, 8]}, "y", stored={"scale": np.array(2.0, np.float32)})
    assert [op.bounds for op in network.contractions] == [
        {"G": 4, "N": 5, "K": 7, "C": 8}, {"G": 4, "N": 5, "K": 8, "C": 7}]
    assert network.params == 0
    assert network.layers[1].op.fused  # type: ignore[union-attr]  # one number rides on the product


def test_transposed_grouped_and_one_dimensional_convolutions_keep_torch_s_shapes() -> None:
    transposed = load([node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], group=2)], {"x": [1, 6, 5, 5]}, "y",
                      stored={"w": [6, 2, 3, 3]})
    flat = load([node("Conv", ["x", "w"], ["y"], dilations=[2], group=2)], {"x": [2, 4, 20]}, "y",
                stored={"w": [6, 2, 3]})
    twins = (from_torch(nn.ConvTranspose2d(6, 4, 3, 2, groups=2, bias=False), (torch.zeros(1, 6, 5, 5),)),
             from_torch(nn.Conv1d(4, 6, 3, dilation=2, groups=2, bias=False), (torch.zeros(2, 4, 20),)))
    assert [shape_keys(transposed), shape_keys(flat)] == [shape_keys(twin) for twin in twins]


def test_quantised_operators_cost_what_plain_ones_do() -> None:
    scale, zero = np.array(0.1, np.float32), np.array(0, np.uint8)
    weight = np.zeros((16, 8, 3, 3), np.uint8)
    network = load([
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("DequantizeLinear", ["c", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w2", "s2", "z2"], ["w2f"], axis=0),
        node("Conv", ["d", "w2f"], ["y"], "second"),
    ], {"x": [1, 8, 6, 6]}, "y", stored={
        "s": scale, "z": zero, "w": weight, "b": np.zeros(16, np.int32), "w2": np.zeros((4, 16, 1, 1), np.uint8),
        "s2": np.ones(4, np.float32), "z2": np.zeros(4, np.uint8)})
    assert [op.name for op in network.ops] == ["conv", "second"]
    assert network.macs == 36 * 16 * 8 * 9 + 36 * 4 * 16
    assert network.params == 16 * 72 + 16 + 64


def test_shape_arithmetic_leaves_no_layer_and_its_reshape_is_resolved() -> None:
    network = load([
        node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0), node("GlobalAveragePool", ["x"], ["g"], "pool"),
        node("Reshape", ["g", "target"], ["f"]), node("Gemm", ["f", "w"], ["y"], "fc")],
        {"x": [2, 8, 4, 4]}, "y", stored={
            "zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "w": [8, 3]})
    assert [op.name for op in network.ops] == ["pool", "fc"]
    assert network.params == 24


def test_an_embedding_table_counts_as_parameters_and_only_its_rows_move() -> None:
    ids = node("Cast", ["x"], ["ids"], to=TensorProto.INT64)
    network = load([ids, node("Gather", ["table", "ids"], ["e"], "embed"),
                    node("LayerNormalization", ["e", "s", "b"], ["y"], "norm")],
                   {"x": [2, 5]}, "y", stored={"table": [100, 8], "s": [8], "b": [8]})
    vectors = [op for op in network.ops if isinstance(op, VectorOp)]
    assert [(op.kind, op.words_in) for op in vectors] == [("gather", 80), ("layer_norm", 80)]
    assert network.params == 816


def unsupported() -> bytes:
    return build([
        node("Gemm", ["x", "w"], ["h"]), node("Frobnicate", ["h"], ["a"], domain="acme"), node("Det", ["m"], ["d"]),
        node("Reshape", ["h", "seq"], ["s"]), node("LSTM", ["s", "lw", "lr"], ["l"], hidden_size=4),
        node("Frobnicate", ["a"], ["y"], domain="acme")],
        {"x": [6, 8], "m": [3, 3]}, "y",
        stored={"w": [8, 8], "seq": np.array([6, 1, 8]), "lw": [1, 16, 8], "lr": [1, 16, 4]},
    ).SerializeToString()


def test_every_unsupported_operator_is_listed_at_once_with_its_share() -> None:
    with pytest.raises(ImportFailure) as failure:
        from_onnx(unsupported())
    lstm = 6 * (16 * 8 + 16 * 4)
    message = str(failure.value)
    assert f"LSTM × 1 ({100 * lstm / (lstm + 6 * 64):.1f} % of MACs, estimated)" in message
    assert "acme.Frobnicate × 2 (unknown MACs)" in message
    assert "Det × 1 (unknown MACs)" in message
    assert "--allow-unsupported" in message


def test_unsupported_operators_are_left_out_on_request_and_named_in_the_notes() -> None:
    network = from_onnx(unsupported(), allow_unsupported=True)
    assert network.macs == 6 * 64
    assert len(network.notes) == 3


@pytest.mark.parametrize(("content", "said"), [
    (b"", "the file is empty"),
    (b"\x00\x01random\xff\xfe" * 9, "not an ONNX model"),
    (residual_block().SerializeToString()[:600], "not an ONNX model"),
    (ModelProto(ir_version=8).SerializeToString(), "holds no graph"),
    (build([node("Relu", ["x"], ["y"])], {"x": [1]}, "y", opset=999).SerializeToString(), "opset 999 is newer than"),
    (build([node("Relu", ["nowhere"], ["y"])], {"x": [1]}, "y").SerializeToString(), "not a valid ONNX model"),
    (build([node("MatMul", ["x", "w"], ["y"])], {"x": [2, 3]}, "y", stored={"w": [4, 5]}).SerializeToString(),
     "do not fit together"),
    (build([node("Identity", ["x"], ["y"])], {"x": [2, 3]}, "y").SerializeToString(),
     "no operator in it costs anything"),
])
def test_an_unusable_file_is_one_clear_message_with_a_remedy(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as failure:
        from_onnx(path)
    message = str(failure.value)
    assert "\n" not in message
    assert ";" in message
    with pytest.raises(ImportFailure, match=said):
        from_onnx(content)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFailure, match=r"nowhere\.onnx: no such file"):
        from_onnx(tmp_path / "nowhere.onnx")
    with pytest.raises(ImportFailure, match=r"cannot be read"):
        from_onnx(tmp_path)


def test_open_sizes_are_all_named_and_can_be_given() -> None:
    inputs: dict[str, Shape] = {"x": ["batch", "tokens", 8], "unused": ["batch", "width"]}
    content = build([node("MatMul", ["x", "w"], ["y"])], inputs, "y", stored={"w": [8, 4]}).SerializeToString()
    with pytest.raises(ImportFailure, match=r"'tokens' \(input 'x', axis 1\), 'width' \(input 'unused', axis 1\)"):
        from_onnx(content)
    network = from_onnx(content, batch=3, dimensions={"tokens": 5, "width": 2})
    assert network.contractions[0].bounds == {"N": 15, "K": 4, "C": 8}


def test_a_fixed_batch_is_not_silently_changed() -> None:
    content = build([node("Relu", ["x"], ["y"])], {"x": [2, 8]}, "y").SerializeToString()
    assert from_onnx(content, batch=2).ops[0].words_in == 16  # type: ignore[union-attr]
    with pytest.raises(ImportFailure, match="fixed batch of 2, not 4"):
        from_onnx(content, batch=4)
