"""What a training step keeps: optimiser states beside torch's, activations beside those torch saves."""

from __future__ import annotations

import math

import pytest
import torch
import torch_twins
from counted import Counted
from torch import nn

import dovetail as dt
from dovetail.errors import BadInput, UnknownName
from dovetail.models import NetworkBuilder
from dovetail.models.training import OPTIMIZERS, PRECISIONS, Optimizer, Precision

BATCH = 2


def small(batch=BATCH):
    """Convolutions with and without groups, batch norms, a pool and a classifier."""
    builder = NetworkBuilder("small", channels=3, height=12, width=12, batch=batch)
    builder.conv("conv1", 8, 3, activation="relu")
    builder.max_pool("pool", 2, stride=2)
    builder.depthwise("conv2", 3, activation="relu")
    builder.conv("conv3", 16, 1, activation="relu")
    builder.global_average_pool("mean")
    builder.linear("classifier", 10)
    return builder.build()


def small_module():
    def norm(channels):
        return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), norm(8), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), norm(8),
        nn.Conv2d(8, 16, 1, bias=False), norm(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip


class Lion(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 1e-4})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            m = self.state[p].setdefault("m", torch.zeros_like(p))
            p.sub_(torch.sign(0.9 * m + 0.1 * p.grad), alpha=1e-4)
            m.mul_(0.99).add_(p.grad, alpha=0.01)


TORCH = {
    "sgd": lambda params: torch.optim.SGD(params, 0.1),
    "momentum": lambda params: torch.optim.SGD(params, 0.1, momentum=0.9),
    "nesterov": lambda params: torch.optim.SGD(params, 0.1, momentum=0.9, nesterov=True),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "lion": Lion,
}


def state_bytes(optimizer):
    tensors = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize("name", TORCH)
def test_optimiser_state_has_torch_s_bytes_after_a_real_step(name):
    module = small_module()
    optimizer = TORCH[name](module.parameters())
    loss = nn.functional.cross_entropy(module(torch.randn(BATCH, 3, 12, 12)), torch.zeros(BATCH, dtype=torch.long))
    loss.backward()
    optimizer.step()
    step = dt.training_step(small(), optimizer=name, precision="fp32", batch_norm=True)
    assert step.state_bytes == state_bytes(optimizer)
    assert step.parameter_bytes == sum(p.numel() * p.element_size() for p in module.parameters())
    assert step.gradient_bytes == sum(p.grad.numel() * p.grad.element_size() for p in module.parameters())


def test_a_resnet_s_adam_state_has_torch_s_bytes():
    module = torch_twins.resnet18()
    optimizer = torch.optim.Adam(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    step = dt.training_step(dt.load_network("resnet18"), optimizer="adam", precision="fp32", batch_norm=True)
    assert step.state_bytes == state_bytes(optimizer)


def test_the_zoo_s_known_sizes_hold_sixteen_bytes_a_parameter_with_adam():
    network = dt.load_network("gpt2_prefill", seq=8)
    step = dt.training_step(network, optimizer="adam", precision="mixed")
    held = step.parameter_bytes + step.gradient_bytes + step.state_bytes
    # 2 + 2 + 12 (Rajbhandari et al., SC 2020, section 3.1); the counters are four bytes for each tensor.
    assert held == 16 * network.params + 4 * step.trained_tensors


def adam(w, g, m, v, decay=False):
    m = 0.9 * m + 0.1 * g
    v = 0.99 * v + 0.01 * g * g
    w = w * 0.999 if decay else w
    return w - 0.001 * m / (v.sqrt() * 1.5 + 1e-8)


def lamb(w, g, m, v):
    m = 0.9 * m + 0.1 * g
    v = 0.99 * v + 0.01 * g * g
    r = 1.1 * m / ((v * 1.2).sqrt() + 1e-8) + 0.01 * w
    sums = Counted(0.0) + w * w, Counted(0.0) + r * r
    assert all(one.value >= 0 for one in sums)
    return w - 0.001 * r


def lion(w, g, m, _):
    u = (0.9 * m + 0.1 * g).sign()
    m = 0.99 * m + 0.01 * g
    return w * 0.999 - 0.001 * u


def momentum(w, g, v, _):
    v = 0.9 * v + g
    return w - 0.1 * v


def nesterov(w, g, v, _):
    v = 0.9 * v + g
    return w - 0.1 * (g + 0.9 * v)


STEPS = {
    "sgd": lambda w, g, m, v: w - 0.1 * g,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": lambda w, g, m, v: w - 0.1 * g / ((v + g * g).sqrt() + 1e-8),
    "rmsprop": lambda w, g, m, v: w - 0.1 * g / ((0.9 * v + 0.1 * g * g).sqrt() + 1e-8),
    "adam": adam,
    "adamw": lambda w, g, m, v: adam(w, g, m, v, decay=True),
    "lamb": lamb,
    "lion": lion,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_s_operations_are_those_of_its_formula(name):
    Counted.done = 0
    STEPS[name](*map(Counted, (0.5, 0.1, 0.2, 0.3)))
    assert Counted.done == OPTIMIZERS[name].operations_per_param


@pytest.mark.parametrize(("precision", "read", "written"), [
    # Gradient, master and two words of state in; master, state and the narrower copy out.
    ("fp32", 128, 96), ("mixed", 112, 112), ("pure_bf16", 64, 48), ("fp8", 112, 104),
])
def test_an_update_moves_the_bits_of_its_precision(precision, read, written):
    step = dt.training_step(small(), optimizer="adam", precision=precision)
    op = next(op for op in step.update.ops if op.name == "classifier.step")
    params = 16 * 10 + 10
    assert op.words_in * op.bits == pytest.approx(params * read, abs=op.bits)
    assert op.words_out * op.bits == pytest.approx(params * written, abs=op.bits)
    words = PRECISIONS[precision]
    assert op.operations == params * (13 + words.copies + words.scaled_loss)


def saved_words(module, x, loss):
    """Words of all tensors that torch saves for the backward pass, each once: no weights, no statistics, no indices."""
    own = {p.untyped_storage().data_ptr() for p in [*module.parameters(), *module.buffers()]}
    found = {}

    def pack(tensor):
        at = tensor.untyped_storage().data_ptr()
        if tensor.is_floating_point() and tensor.dim() > 1 and at not in own:
            found[at] = tensor.untyped_storage().nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = loss(module(x))
    assert kept.requires_grad
    return sum(found.values())


def cross_entropy(y):
    return nn.functional.cross_entropy(y, torch.zeros(len(y), dtype=torch.long))


def input_words(network):
    first = network.contractions[0]
    return first.words("input")


@pytest.mark.parametrize(("network", "module", "size", "pooled"), [
    (small(), small_module, 12, BATCH * 8 * 6 * 6),
    (dt.load_network("resnet18", batch=BATCH, resolution=64), torch_twins.resnet18, 64, BATCH * 64 * 16 * 16),
], ids=["small", "resnet18"])  # fmt: skip
def test_activations_are_those_that_torch_saves(network, module, size, pooled):
    theirs = saved_words(module(), torch.randn(BATCH, 3, size, size), cross_entropy)
    step = dt.training_step(network, precision="fp32", batch_norm=True)
    # Ours besides: a word for each index of the pool, and of the image what windows touch, padding included.
    ours = step.activation_bytes // 4 - pooled - input_words(network) + BATCH * 3 * size * size
    assert ours == theirs


def chain(length, width=32):
    builder = NetworkBuilder("chain", channels=width, batch=4)
    for index in range(length):
        builder.linear(f"fc{index}", width, bias=False, activation="gelu")
    return builder.build()


def test_recomputing_nothing_costs_nothing():
    step = dt.training_step(chain(9))
    assert step.recomputed is None
    assert step.recomputed_macs == 0


def test_a_chain_in_root_segments_runs_once_more_but_for_the_last_segment():
    network = chain(64)
    plain, root = (dt.training_step(network, recompute=plan) for plan in ("none", "sqrt"))
    # About twice the root of the held tensors remains (Chen et al., 2016).
    held = 2 * 64
    assert root.activation_bytes < plain.activation_bytes * 3 / math.sqrt(held)
    assert 0.8 * network.macs < root.recomputed_macs < network.macs
    assert root.macs == plain.macs + root.recomputed_macs


@pytest.mark.parametrize("name", ["resnet50", "vit_b_16", "densenet121", "unet_mobilenet_v2", "vgg16"])
def test_the_plan_all_holds_the_least(name):
    network = dt.load_network(name)
    held = {plan: dt.training_step(network, recompute=plan).activation_bytes for plan in ("none", "sqrt", "all")}
    assert held["all"] <= 1.01 * min(held.values())
    assert held["all"] < held["none"]


def test_named_layers_run_again_from_what_is_held():
    network = small()
    step = dt.training_step(network, recompute=["conv1"])
    again = [layer.op.name for layer in step.network if layer.op.name.endswith(".again")]
    assert again == ["conv1.again", "conv1.relu.again"]
    assert step.recomputed_macs == network.contractions[0].macs
    by_name = {layer.op.name: layer for layer in step.network}
    assert by_name["conv1.relu.dx"].inputs == ("pool.dx", "conv1.relu.again")
    plain = dt.training_step(network)
    assert plain.activation_bytes - step.activation_bytes >= 0
    assert step.activation_bytes < plain.activation_bytes


def test_what_runs_again_computes_what_is_missing_between():
    # The second layer needs the first one's output, which nothing holds.
    step = dt.training_step(chain(4), recompute=["fc0", "fc1"])
    again = [op.name for op in step.recomputed.ops]
    assert again == ["fc0.again", "fc0.gelu.again", "fc1.again", "fc1.gelu.again"]


def test_the_peak_holds_weights_gradients_states_and_activations():
    step = dt.training_step(small(), optimizer="adam")
    static = step.parameter_bytes + step.gradient_bytes + step.state_bytes
    assert step.peak_bytes >= static + step.activation_bytes


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"optimizer": "adma"}, UnknownName, "did you mean 'adam'"),
    ({"optimizer": "lionn"}, UnknownName, "did you mean 'lion'"),
    ({"precision": "mixd"}, UnknownName, "did you mean 'mixed'"),
    ({"method": "backporp"}, UnknownName, "did you mean 'backprop'"),
    ({"recompute": "al"}, UnknownName, "did you mean 'all'"),
    ({"recompute": ["conv4"]}, UnknownName, "did you mean 'conv"),
    ({"recompute": True}, BadInput, "recompute is True; give none, all, sqrt"),
    ({"frozen": "conv9"}, UnknownName, "did you mean 'conv"),
    ({"frozen": ["conv9"]}, UnknownName, "did you mean 'conv"),
    ({"frozen": ["conv1", "conv2", "conv3", "classifier"]}, BadInput, "nothing to train"),
    ({"micro_batches": 0}, BadInput, "micro_batches is 0"),
    ({"micro_batches": 1.5}, BadInput, "micro_batches is 1.5"),
    ({"sparsity": 0.0}, BadInput, "above 0 and at most 1"),
    ({"sparsity": 1.5}, BadInput, "above 0 and at most 1"),
    ({"method": "cafo", "recompute": "all"}, BadInput, "recompute is for method='backprop'"),
    ({"method": "rge", "sparsity": 0.5}, BadInput, "sparsity is for method='backprop'"),
])  # fmt: skip
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        dt.training_step(small(), **options)


def test_a_network_without_weights_has_nothing_to_train():
    builder = NetworkBuilder("pools", channels=3, height=8, width=8)
    builder.max_pool("pool", 2, stride=2)
    with pytest.raises(BadInput, match="nothing to train"):
        dt.training_step(builder.build())


def test_what_is_no_network_is_refused():
    with pytest.raises(BadInput, match=r"load one with dt\.load_network"):
        dt.training_step("resnet18")


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Precision("odd", 0, 32, 32, 32), "compute_bits is 0"),
    (lambda: Precision("odd", 16, 32, 16.5, 32), "gradient_bits is 16.5"),
    (lambda: Optimizer("odd", -1, 3), "state_words_per_param is -1"),
])
def test_impossible_precisions_and_optimisers_are_refused(make, message):
    with pytest.raises(BadInput, match=message):
        make()
