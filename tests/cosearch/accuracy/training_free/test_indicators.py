import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from dovetail.cosearch.accuracy.training_free.entropy import Wide, deepest_path, effectiveness, entropy
from dovetail.cosearch.accuracy.training_free.indicator import (
    INDICATORS,
    fresh_module,
    indicator,
    indicator_scores,
    network_scores,
)
from dovetail.cosearch.accuracy.training_free.jacobian import spectrum_score
from dovetail.cosearch.accuracy.training_free.ntk import condition_number, tangent_rows
from dovetail.cosearch.accuracy.training_free.probe import Probe, make_probe
from dovetail.cosearch.spaces.nasbench201 import Nasbench201
from dovetail.errors import BadInput, UnknownName
from dovetail.models.builder import NetworkBuilder
from dovetail.models.load import load_network

SPACE = Nasbench201(channels=4, cells=1)
OF_MODULES = [name for name, one in INDICATORS.items() if one.needs == "module"]
PROBE = make_probe("digits", (1, 8, 8), count=12)


def cell(arch="|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|", seed=0):
    return fresh_module(lambda: SPACE.module(SPACE.values(arch), (1, 8, 8), 10), seed)


def small(*layers):
    return fresh_module(lambda: nn.Sequential(*(layer() for layer in layers)), 0)


def test_the_condition_number_is_that_of_the_explicit_jacobian():
    module = small(lambda: nn.Conv2d(1, 3, 3), nn.ReLU, nn.Flatten, lambda: nn.Linear(108, 4)).double()
    images = PROBE.images[:6].double()
    weights = {name: value for name, value in module.named_parameters() if name.endswith("weight")}
    others = {name: value for name, value in module.named_parameters() if name not in weights}

    def summed(chosen):
        return torch.func.functional_call(module, {**chosen, **others}, (images,)).sum(1)

    jacobian = torch.func.jacrev(summed)(weights)
    explicit = torch.cat([part.reshape(6, -1) for part in jacobian.values()], 1)
    singular = torch.linalg.svdvals(explicit.detach())
    kappa = float((singular[0] / singular[-1]) ** 2)
    assert condition_number(tangent_rows(module, images)) == pytest.approx(kappa, rel=1e-6)


def test_a_singular_kernel_has_no_finite_condition():
    assert condition_number(torch.ones(3, 5)) > 1e12 or math.isinf(condition_number(torch.ones(3, 5)))


def test_kernel_regression_of_data_it_can_represent_has_no_error():
    """With a kernel that only sees the class, every image of the other half is predicted exactly."""
    images = torch.zeros(32, 2, 1, 1)
    targets = torch.arange(32) % 2
    images[torch.arange(32), targets] = 1.0
    module = small(nn.Flatten, lambda: nn.Linear(2, 3))
    found = indicator_scores(["ntk_error"], module, Probe(images, targets, 2))
    assert found["ntk_error"] == pytest.approx(0.0, abs=1e-9)


def test_synaptic_flow_is_the_sum_over_paths():
    """Two layers, weights (2, −3) and 5: R = 2·5 + 3·5 = 25, and each layer's Σ|w ∂R/∂w| is R again."""
    layers = (lambda: nn.Conv2d(2, 1, 1, bias=False), lambda: nn.BatchNorm2d(1), nn.Flatten, lambda: nn.Linear(1, 1))
    module = small(*layers)
    module[0].weight.data[:] = torch.tensor([2.0, -3.0]).reshape(1, 2, 1, 1)
    module[3].weight.data[:] = 5.0
    module[3].bias.data[:] = 0.0
    probe = Probe(torch.zeros(2, 2, 1, 1), torch.tensor([0, 0]), 2)
    assert indicator_scores(["synflow"], module, probe)["synflow"] == pytest.approx(math.log(50.0))


def test_saliencies_of_a_linear_layer_are_the_closed_form():
    """Cross entropy of zero weights over two classes: the gradient is (softmax − one-hot)·x, averaged."""
    module = small(nn.Flatten, lambda: nn.Linear(2, 2, bias=False))
    module[1].weight.data[:] = torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).reshape(2, 2, 1, 1)
    share = 1.0 / (1.0 + math.exp(0.5))  # of the wrong class
    probe = Probe(images, torch.arange(2), 2)
    found = indicator_scores(["grad_norm", "snip", "plain", "l2_norm", "fisher"], module, probe)
    assert found["l2_norm"] == pytest.approx(math.sqrt(0.5), rel=1e-6)
    assert found["grad_norm"] == pytest.approx(share, rel=1e-6)
    assert found["snip"] == pytest.approx(2 * 0.5 * share / 2, rel=1e-6)
    assert found["plain"] == pytest.approx(-2 * 0.5 * share / 2, rel=1e-6)
    # Two channels of two weights each; the saliency of a channel comes from the one image that turns it on.
    assert found["fisher"] == pytest.approx(2 * 2 * 0.5 * (0.5 * share / 2) ** 2 / 2, rel=1e-6)


def test_grasp_is_the_weights_times_the_change_of_half_the_squared_gradient():
    module = cell().double()
    probe = Probe(PROBE.images.double(), PROBE.targets, 10)
    found = indicator_scores(["grasp"], module, probe)["grasp"]

    def half_square(scale):
        moved = copy.deepcopy(module)
        weights = [part.weight for part in moved.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        for weight in weights:
            weight.data *= 1.0 + scale
        loss = nn.functional.cross_entropy(moved(probe.images), probe.targets)
        return sum(float((g**2).sum()) for g in torch.autograd.grad(loss, weights)) / 2.0

    slope = (half_square(1e-5) - half_square(-1e-5)) / 2e-5
    assert found == pytest.approx(-slope, rel=1e-4)


def test_activation_codes_count_agreements():
    module = small(nn.Flatten, nn.ReLU)
    images = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0]]).reshape(2, 3, 1, 1)
    found = indicator_scores(["naswot"], module, Probe(images, torch.zeros(2, dtype=torch.long), 2))
    assert found["naswot"] == pytest.approx(math.log(3 * 3 - 1 * 1))
    alike = Probe(images[:1].repeat(2, 1, 1, 1), torch.zeros(2, dtype=torch.long), 2)
    assert math.isnan(indicator_scores(["naswot"], module, alike)["naswot"])


def test_linear_regions_of_one_rectifier_per_pixel_are_its_orthants():
    assert indicator_scores(["linear_regions"], small(nn.Flatten), PROBE)["linear_regions"] == 1.0
    module = small(lambda: nn.Conv2d(1, 1, 4, bias=False), nn.ReLU)
    assert indicator_scores(["linear_regions"], module, PROBE)["linear_regions"] == 2.0


def test_jacobians_that_differ_score_higher():
    rng = np.random.default_rng(0)
    different = rng.standard_normal((8, 100))
    alike = different[:1] + 0.01 * rng.standard_normal((8, 100))
    assert spectrum_score(different) > spectrum_score(alike)
    assert spectrum_score(np.linalg.qr(rng.standard_normal((100, 8)))[0].T) == pytest.approx(-8.0, abs=0.1)
    assert math.isnan(spectrum_score(np.zeros((3, 4))))


def test_zen_score_of_a_wider_stem_is_higher():
    def net(width):
        return small(lambda: nn.Conv2d(1, width, 3, bias=False), lambda: nn.BatchNorm2d(width), nn.ReLU)

    assert indicator_scores(["zen"], net(16), PROBE)["zen"] > indicator_scores(["zen"], net(4), PROBE)["zen"]


def test_entropy_and_effectiveness_of_three_layers_are_the_closed_form():
    builder = NetworkBuilder("three", channels=3, height=8, width=8)
    builder.conv("a", 4, 3)
    builder.depthwise("b", 5, stride=2)
    builder.conv("c", 6, 1)
    network = builder.build()
    widths = (3 * 9, 25, 4)
    assert deepest_path(network) == (Wide(27.0, 4, 64), Wide(25.0, 4, 16), Wide(4.0, 6, 16))
    first, both = math.log(27), sum(map(math.log, widths))
    found = network_scores(["entropy", "effectiveness"], network)
    assert found["entropy"] == pytest.approx(math.log(4 * 64) * first + 8 * math.log(6 * 16) * both, rel=1e-7)
    assert found["effectiveness"] == pytest.approx(3 / math.prod(widths) ** (1 / 3), rel=1e-7)


def test_a_residual_networks_path_is_its_main_branch():
    path = deepest_path(load_network("resnet18"))
    assert len(path) == 17
    assert entropy(path) > 0
    assert 0.0 < effectiveness(path) < 0.5


def test_a_network_without_convolutions_has_no_entropy():
    with pytest.raises(BadInput, match="no convolution"):
        network_scores(["entropy"], load_network("bert_base"))


def test_scores_repeat_and_leave_the_module_as_it_was():
    module = cell()
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(1)
    first = indicator_scores(OF_MODULES, module, PROBE)
    torch.manual_seed(2)
    assert indicator_scores(OF_MODULES, module, PROBE) == first
    assert list(first) == OF_MODULES
    assert all(math.isfinite(value) for value in first.values())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_fresh_weights_depend_on_the_seed_alone():
    one, two, other = cell(seed=3), cell(seed=3), cell(seed=4)
    assert torch.equal(next(one.parameters()), next(two.parameters()))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.parametrize("kind", ["noise", "natural", "digits"])
def test_probes_are_standardised_and_repeat(kind):
    probe = make_probe(kind, (3, 16, 16), count=20, seed=5)
    assert probe.images.shape == (20, 3, 16, 16)
    assert float(probe.images.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(probe.images.std()) == pytest.approx(1.0, abs=1e-3)
    assert torch.equal(probe.images, make_probe(kind, (3, 16, 16), count=20, seed=5).images)
    assert set(probe.targets.tolist()) <= set(range(10))


def test_natural_images_have_the_spectrum_of_photographs():
    probe = make_probe("natural", (1, 64, 64), count=64)
    power = (torch.fft.fft2(probe.images[:, 0]).abs() ** 2).mean(0)
    low, high = float(power[0, 2]), float(power[0, 16])
    assert math.log(low / high) / math.log(8) == pytest.approx(2.0, abs=0.3)  # power falls with the square


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_probe("cats", (1, 8, 8)), "'cats' is unknown; use one of noise"),
        (lambda: make_probe("noise", (1, 8, 8), count=1), "at least two"),
        (lambda: make_probe("digits", (1, 8, 8), count=5000), "1797 digits"),
        (lambda: indicator_scores(["snip"], cell(), Probe(PROBE.images[0], PROBE.targets, 10)), "n targets"),
    ],
)
def test_a_probe_that_cannot_be_is_bad_input(call, message):
    with pytest.raises(BadInput, match=message):
        call()


def test_an_unknown_indicator_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'synflow'"):
        indicator("sinflow")
