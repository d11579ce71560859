"""Puts `torch` modules together into a graph that trains, copies, pickles and exports as one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["ModuleGraph", "conv_norm"]


class ModuleGraph:
    """A module under construction: ``apply`` a module to a tensor, ``add`` tensors, at last ``module``.

    What is applied to nothing is kept all the same (``idle``): its parameters count, it is never run.
    """

    def __init__(self) -> None:
        import torch

        self._root = torch.nn.Module()
        self._graph = torch.fx.Graph()
        self.images: torch.fx.Node = self._graph.placeholder("images")

    def apply(self, name: str, module: torch.nn.Module, tensor: torch.fx.Node) -> torch.fx.Node:
        """What ``module`` makes of ``tensor``; ``name`` is its own in the graph."""
        self._root.add_module(name, module)
        return self._graph.call_module(name, (tensor,))

    def idle(self, name: str, module: torch.nn.Module) -> None:
        """Keep a module that nothing reads."""
        self._root.add_module(name, module)

    def add(self, *tensors: torch.fx.Node) -> torch.fx.Node:
        """The sum of one or more tensors of one shape."""
        import operator

        total = tensors[0]
        for tensor in tensors[1:]:
            total = self._graph.call_function(operator.add, (total, tensor))
        return total

    def module(self, output: torch.fx.Node) -> torch.nn.Module:
        """The finished module, which gives ``output`` for a batch of images."""
        import torch

        self._graph.output(output)
        return torch.fx.GraphModule(self._root, self._graph)


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, activation: str = ""
) -> torch.nn.Sequential:
    """A convolution without bias that keeps the size (but for its stride), batch norm, and an activation."""
    from torch import nn

    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    kinds: dict[str, list[type[nn.Module]]] = {
        "": [], "relu": [nn.ReLU], "relu6": [nn.ReLU6], "silu": [nn.SiLU], "hard_swish": [nn.Hardswish],
    }
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *(kind() for kind in kinds[activation]))
