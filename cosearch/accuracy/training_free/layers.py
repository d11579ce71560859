"""The parts of a module that indicators look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["hooked", "rectifiers", "weighted"]

_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU)


def weighted(module: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Convolutions and linear layers, in the order of the module."""
    return [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]


def rectifiers(module: nn.Module) -> list[nn.Module]:
    """Activations that separate positive from negative inputs."""
    return [part for part in module.modules() if isinstance(part, _RECTIFIERS)]


@contextmanager
def hooked(parts: list[nn.Module], see: Callable[[nn.Module, Tensor, Tensor], Tensor | None]) -> Iterator[None]:
    """Within it, ``see(part, input, output)`` is called as each part runs; what it returns replaces the output."""

    def seen(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        return see(part, inputs[0], output)

    handles: list[RemovableHandle] = [part.register_forward_hook(seen) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
