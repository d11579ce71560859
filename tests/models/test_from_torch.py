"""The torch importer against hand counts, torch's own FLOP counter and the zoo."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from dovetail.errors import ImportFailure
from dovetail.models.from_torch import from_torch
from dovetail.models.network import Network
from dovetail.models.op import VectorOp


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def counted_macs(module: nn.Module, *inputs: Tensor) -> int:
    """torch's own count, two operations per multiply-accumulate."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(*inputs)
    return int(counter.get_total_flops()) // 2


def layers(network: Network) -> dict[str, Any]:
    return {layer.op.name: layer for layer in network}


class BasicBlock(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
                                  nn.MaxPool2d(3, 2, 1))
        sizes = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
                 (512, 512, 1)]
        self.blocks = nn.Sequential(*(BasicBlock(*size) for size in sizes))
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1), 1))


def test_a_residual_block_folds_its_norms_and_fuses_its_activation() -> None:
    module = BasicBlock(8, 16, 2)
    network = from_torch(module, (torch.zeros(1, 8, 10, 10),))
    assert [op.name for op in network.contractions] == ["conv1", "conv2", "downsample.0"]
    assert network.macs == 5 * 5 * 16 * (8 * 9 + 16 * 9 + 8)
    found = layers(network)
    assert found["relu"].op.fused
    assert found["relu"].inputs == ("conv1",)
    assert found["add"].inputs == ("conv2", "downsample.0")
    assert not found["add"].op.fused
    assert found["relu_2"].inputs == ("add",)


def test_a_folded_norm_leaves_one_bias_per_channel_where_torch_stores_two_words() -> None:
    module = BasicBlock(8, 16, 2)
    network = from_torch(module, (torch.zeros(1, 8, 10, 10),))
    weights = sum(part.weight.numel() for part in module.modules() if isinstance(part, nn.Conv2d))
    assert network.params == weights + 3 * 16
    assert parameters(module) == weights + 2 * 3 * 16


def test_resnet18_built_here_is_the_zoo_s_resnet18_operator_by_operator() -> None:
    load = pytest.importorskip("dovetail.models.load")
    imported = from_torch(ResNet18(), (torch.zeros(1, 3, 224, 224),))
    shipped = load.load_network("resnet18")
    assert imported.macs == shipped.macs == 1_814_073_344
    assert imported.params == shipped.params
    assert [op.shape_key for op in imported.contractions] == [op.shape_key for op in shipped.contractions]
    vectors = [[(op.kind, op.shape_key) for op in network.ops if isinstance(op, VectorOp)]
               for network in (imported, shipped)]
    assert vectors[0] == vectors[1]


def test_resnet18_has_torch_s_own_count_of_macs() -> None:
    image = torch.zeros(1, 3, 64, 64)
    module = ResNet18()
    assert from_torch(module, (image,)).macs == counted_macs(module, image)


def test_a_depthwise_separable_block_has_one_filter_per_group() -> None:
    module = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.ReLU6(), nn.Conv2d(8, 16, 1), nn.Hardswish())
    network = from_torch(module, (torch.zeros(2, 8, 9, 7),))
    depthwise, pointwise = network.contractions
    assert depthwise.kind == "depthwise_conv2d"
    assert depthwise.bounds == {"N": 2, "G": 8, "K": 1, "C": 1, "P": 5, "Q": 4, "R": 3, "S": 3}
    assert network.macs == 2 * 20 * 8 * 9 + 2 * 20 * 8 * 16
    assert network.params == parameters(module)
    assert pointwise.name == "2"


@pytest.mark.parametrize(("module", "shape"), [
    (nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), (2, 4, 9, 9)),
    (nn.Conv2d(4, 6, (1, 5), stride=(1, 2), padding=(0, 2)), (1, 4, 6, 12)),
    (nn.Conv1d(4, 6, 5, padding="same"), (2, 4, 20)),
    (nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2), (2, 6, 5, 5)),
    (nn.Linear(12, 5), (2, 3, 12)),
])
def test_single_layers_have_torch_s_macs_and_parameters(module: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape)
    network = from_torch(module, (x,))
    assert network.macs == counted_macs(module, x)
    assert network.params == parameters(module)


def test_a_transformer_layer_is_six_products_with_torch_s_parameters() -> None:
    module = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    network = from_torch(module, (torch.zeros(2, 5, 16),))
    products = {op.name: op.macs for op in network.contractions}
    tokens, scores = 10, 2 * 4 * 5 * 5 * 4
    assert products == {
        "self_attn.in_proj": tokens * 16 * 48, "self_attn.attention.qk": scores, "self_attn.attention.av": scores,
        "self_attn.out_proj": tokens * 16 * 16, "linear1": tokens * 16 * 32, "linear2": tokens * 32 * 16}
    assert network.params == parameters(module)
    assert layers(network)["self_attn.attention.softmax"].op.words_in == 2 * 4 * 5 * 5


def test_the_module_keeps_its_training_mode_and_dropout_costs_nothing() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.ReLU())
    network = from_torch(module, (torch.zeros(1, 4),))
    assert module.training
    assert [op.name for op in network.ops] == ["0", "2"]


def test_query_heads_that_share_a_key_head_are_rows_of_one_product() -> None:
    class Grouped(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            return functional.scaled_dot_product_attention(q, k, k, enable_gqa=True)

    network = from_torch(Grouped(), (torch.zeros(2, 8, 5, 16), torch.zeros(2, 2, 7, 16)))
    assert network.contractions[0].bounds == {"G": 4, "N": 20, "K": 7, "C": 16}
    assert network.macs == 2 * (2 * 8 * 5 * 7 * 16)


def test_products_by_matmul_addmm_einsum_and_a_stored_left_operand_are_told_apart() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.zeros(6, 4)), nn.Parameter(torch.zeros(4))
            self.mix = nn.Parameter(torch.zeros(3, 5))

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            z = torch.addmm(self.bias, x, self.weight)
            return self.mix @ (z + torch.einsum("ij,jk->ik", x, y))

    module = Products()
    network = from_torch(module, (torch.zeros(5, 6), torch.zeros(6, 4)))
    assert [(op.kind, op.macs, op.params) for op in network.contractions] == [
        ("linear", 120, 28), ("matmul", 120, 0), ("linear", 60, 15)]
    assert network.params == parameters(module)


def test_an_einsum_with_leading_axes_is_the_batched_product_of_matmul() -> None:
    class Products(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return torch.einsum("...ij,...jk->...ik", x, y), x @ y

    first, second = from_torch(Products(), (torch.zeros(2, 3, 4), torch.zeros(2, 4, 5))).contractions
    assert first.shape_key == second.shape_key


def test_a_norm_after_an_addition_stands_alone() -> None:
    class PreActivation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x + x.flip(-1))

    network = from_torch(PreActivation(), (torch.zeros(1, 4, 3, 3),))
    norm = layers(network)["norm"].op
    assert (norm.kind, norm.operations, norm.params) == ("batch_norm", 72, 8)


def test_tied_weights_are_stored_once_and_tables_tokens_and_positions_once_each() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
            self.head.weight = self.table.weight
            self.token, self.position = nn.Parameter(torch.zeros(1, 1, 6)), nn.Parameter(torch.zeros(1, 4, 6))

        def forward(self, ids: Tensor) -> Tensor:
            x = torch.cat([self.token.expand(2, -1, -1), self.table(ids)], 1) + self.position
            return self.head(functional.layer_norm(x, (6,)))

    module = Tied()
    network = from_torch(module, (torch.zeros(2, 3, dtype=torch.long),))
    assert network.params == parameters(module) == 11 * 6 + 6 + 24
    assert network.contractions[0].macs == 2 * 4 * 6 * 11


def test_in_place_writes_and_branches_keep_their_edges() -> None:
    class Split(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 8)

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.fc(x).chunk(2, -1)
            b.sigmoid_()
            return a.mul_(b)

    network = from_torch(Split(), (torch.zeros(3, 4),))
    found = layers(network)
    assert not found["sigmoid"].op.fused  # only a part of the producer's output passes through it
    assert set(found["mul"].inputs) == {"fc", "sigmoid"}


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lstm, self.conv = nn.Linear(8, 8), nn.LSTM(8, 16, batch_first=True), nn.Conv3d(1, 2, 3)

    def forward(self, x: Tensor, volume: Tensor) -> Tensor:
        y, _ = self.lstm(self.fc(x))
        return y.sum() + self.conv(volume).sum() + torch.linalg.det(x[:, :8]).sum()


def test_every_unsupported_operator_is_listed_at_once_with_its_share() -> None:
    inputs = (torch.zeros(2, 8, 8), torch.zeros(1, 1, 5, 5, 5))
    with pytest.raises(ImportFailure) as failure:
        from_torch(Odd(), inputs)
    known, lstm, conv = 16 * 64, 16 * (64 * 8 + 64 * 16), 27 * 27 * 2
    total = known + lstm + conv
    message = str(failure.value)
    assert f"lstm × 1 ({100 * lstm / total:.1f} % of MACs, estimated)" in message
    assert f"conv3d × 1 ({100 * conv / total:.1f} % of MACs, estimated)" in message
    assert "det × 1 (unknown MACs)" in message
    assert "allow_unsupported=True" in message
    assert "--allow-unsupported" in message


def test_unsupported_operators_are_left_out_on_request_and_named_in_the_notes() -> None:
    inputs = (torch.zeros(2, 8, 8), torch.zeros(1, 1, 5, 5, 5))
    network = from_torch(Odd(), inputs, allow_unsupported=True)
    assert network.macs == 16 * 64
    assert sum("left out, not supported" in note for note in network.notes) == 3


def test_a_module_that_cannot_be_exported_is_one_clear_message() -> None:
    with pytest.raises(ImportFailure, match=r"Linear: torch\.export failed: .*; make torch\.export") as failure:
        from_torch(nn.Linear(4, 4), (torch.zeros(1, 5),))
    assert "\n" not in str(failure.value)


def test_bits_set_every_word_width() -> None:
    network = from_torch(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (torch.zeros(1, 4),), bits=16, name="small")
    assert network.name == "small"
    assert {tensor.bits for op in network.contractions for tensor in op.tensors} == {16}
    assert network.ops[1].bits == 16  # type: ignore[union-attr]
