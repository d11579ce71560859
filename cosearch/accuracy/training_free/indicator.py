"""Training-free indicators by name: what each one measures, which way it points, and how several are computed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from ....errors import BadInput, UnknownName
from ....models.network import Network
from ...torch_threads import repeatable
from .probe import Probe

if TYPE_CHECKING:
    import torch

__all__ = ["INDICATORS", "Indicator", "fresh_module", "indicator", "indicator_scores", "network_scores"]

Needs = Literal["network", "module"]


@dataclass(frozen=True)
class Indicator:
    """A number of an untrained network. ``better`` is +1 where more of it goes with accuracy, −1 where less does.

    ``needs`` says what it is read off: the description of the ``network`` alone, or a ``module`` with random weights.
    ``family`` is the file and function that computes it, with its siblings, in one go; it may change the module's
    tensors, not its parts.
    """

    name: str
    better: Literal[1, -1]
    needs: Needs
    family: tuple[str, str]
    source: str


_ABDELFATTAH = "Abdelfattah et al., ICLR 2021 (arXiv:2101.08134)"
_TENAS = "Chen, Gong & Wang, ICLR 2021 (arXiv:2102.11535)"

INDICATORS: dict[str, Indicator] = {
    one.name: one
    for one in (
        Indicator("macs", 1, "network", ("size", "sizes"), "multiply-accumulates of one image"),
        Indicator("params", 1, "network", ("size", "sizes"), "stored words"),
        Indicator("effective_depth", 1, "network", ("size", "connections"), "Chen et al., NeurIPS 2022"),
        Indicator("log_paths", 1, "network", ("size", "connections"), "Chen et al., NeurIPS 2022"),
        Indicator("entropy", 1, "network", ("entropy", "entropies"), "Shen et al., CVPR 2023 (arXiv:2303.02165)"),
        Indicator("effectiveness", -1, "network", ("entropy", "entropies"), "Shen et al., CVPR 2023"),
        Indicator("synflow", 1, "module", ("synflow", "synaptic_flow"), "Tanaka et al., NeurIPS 2020, logarithm"),
        Indicator("grad_norm", 1, "module", ("saliency", "saliencies"), _ABDELFATTAH),
        Indicator("snip", 1, "module", ("saliency", "saliencies"), "Lee et al., ICLR 2019"),
        Indicator("fisher", 1, "module", ("saliency", "saliencies"), "Turner et al., ICLR 2020"),
        Indicator("plain", 1, "module", ("saliency", "saliencies"), _ABDELFATTAH),
        Indicator("l2_norm", 1, "module", ("saliency", "weight_norms"), _ABDELFATTAH),
        Indicator("grasp", 1, "module", ("saliency", "gradient_flow"), "Wang et al., ICLR 2020"),
        Indicator("naswot", 1, "module", ("codes", "activation_codes"), "Mellor et al., ICML 2021 (arXiv:2006.04647)"),
        Indicator("linear_regions", 1, "module", ("codes", "linear_regions"), _TENAS),
        Indicator("jacov", 1, "module", ("jacobian", "input_jacobian"), "Mellor et al., 2020 (arXiv:2006.04647v1)"),
        Indicator("epe_nas", 1, "module", ("jacobian", "input_jacobian"), "Lopes et al., ICANN 2021"),
        Indicator("ntk_condition", -1, "module", ("ntk", "tangent_kernel"), _TENAS),
        Indicator("ntk_error", -1, "module", ("ntk", "tangent_kernel"), "TEG-NAS, 2021 (arXiv:2108.11939)"),
        Indicator("zen", 1, "module", ("zen", "zen"), "Lin et al., ICCV 2021 (arXiv:2102.01063)"),
    )
}  # fmt: skip


def indicator(name: str) -> Indicator:
    """The indicator called ``name``; `UnknownName` where there is none."""
    if name not in INDICATORS:
        raise UnknownName("training-free indicator", name, tuple(INDICATORS))
    return INDICATORS[name]


def network_scores(names: Iterable[str], network: Network) -> dict[str, float]:
    """The indicators among ``names`` that need the description alone."""
    return _scores([indicator(name) for name in names], "network", lambda family: family(network))


def indicator_scores(names: Iterable[str], module: torch.nn.Module, probe: Probe) -> dict[str, float]:
    """The indicators among ``names`` that need a module; it is left as it was.

    Computed on one thread with the probe's seed: equal weights give equal numbers, rounded to eight digits. An
    indicator that is not finite there (a constant output, a singular kernel) is NaN.
    """

    twin = copy.deepcopy(module)
    state = [tensor.detach().clone() for tensor in _tensors(twin)]

    def compute(family: Callable[[torch.nn.Module, Probe], dict[str, float]]) -> dict[str, float]:
        for tensor, kept in zip(_tensors(twin), state, strict=True):
            tensor.data, tensor.grad = kept.clone(), None
        with repeatable(probe.seed):
            return family(twin.train(), probe)

    return _scores([indicator(name) for name in names], "module", compute)


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def fresh_module(make: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    """A module with the weights that ``seed`` gives, whatever was drawn before."""
    with repeatable(seed):
        return make()


def _scores(
    asked: list[Indicator], needs: Needs, compute: Callable[[Callable[..., dict[str, float]]], dict[str, float]]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in asked:
        if one.needs == needs and one.name not in found:
            found |= compute(_family(*one.family))
    return {one.name: _rounded(found[one.name]) for one in asked if one.needs == needs}


@lru_cache
def _family(file: str, function: str) -> Callable[..., dict[str, float]]:
    module: Any = import_module(f".{file}", __package__)
    family: Callable[..., dict[str, float]] = getattr(module, function)
    return family


def _rounded(value: float) -> float:
    number = float(f"{value:.8g}")
    return number if abs(number) != float("inf") else float("nan")


def checked_images(probe: Probe) -> torch.Tensor:
    """The probe's images; `BadInput` where they are no batch of images."""
    if probe.images.ndim != 4 or len(probe.images) != len(probe.targets):
        shape = tuple(probe.images.shape)
        raise BadInput(f"a probe's images are (n, channels, height, width) with n targets, not {shape}")
    return probe.images
