"""A training step of a network as networks of operators: forward, backward, update."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..network import Layer, Network
from ..op import Op, VectorOp
from .memory import ActivationMemory, activation_memory
from .optimizers import Optimizer
from .precision import Precision

__all__ = ["TrainingStep", "part"]


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step: ``micro_batches`` times forward and backward, once update.

    ``forward`` (with the loss), ``backward``, ``recomputed`` and ``update`` are the parts; ``layers`` are all their
    operators for one micro-batch and the update, in an order in which they can run. ``forward_passes`` is how often
    the forward pass runs in place of a backward pass (zeroth-order methods; not whole where passes begin at a layer).
    ``params`` are all stored words, ``trained`` those that the optimiser steps, in ``trained_tensors`` tensors.
    """

    name: str
    method: str
    layers: tuple[Layer, ...]
    forward: Network
    backward: Network | None
    update: Network
    recomputed: Network | None
    optimizer: Optimizer
    precision: Precision
    params: int
    trained: int
    trained_tensors: int
    micro_batches: int = 1
    forward_passes: float = 1.0
    notes: tuple[str, ...] = ()

    @cached_property
    def network(self) -> Network:
        """All operators in topological order: ``conv1``, ``conv1.dx``, ``conv1.dw``, ``conv1.db``, ``conv1.step``.

        It is an ordinary network, to be mapped and costed. The weights that ``.dx`` reads again are counted again in
        its ``params``; those of the step are counted once.
        """
        notes = (*self.forward.notes, *self.notes)
        return Network(self.name, self.layers, self.forward.source, notes, self.forward.extra_params)

    @property
    def forward_macs(self) -> int:
        """Multiply-accumulates of the forward passes of all micro-batches, without recomputation."""
        return round(self.micro_batches * self.forward_passes * self.forward.macs)

    @property
    def backward_macs(self) -> int:
        """Multiply-accumulates of the gradients of all micro-batches."""
        return self.micro_batches * (self.backward.macs if self.backward else 0)

    @property
    def recomputed_macs(self) -> int:
        """Multiply-accumulates of forward operators that run a second time."""
        return self.micro_batches * (self.recomputed.macs if self.recomputed else 0)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the step, zeros counted like all else."""
        return self.forward_macs + self.backward_macs + self.recomputed_macs

    @cached_property
    def effectual_macs(self) -> float:
        """Multiply-accumulates of the step without those that weights which are left out would take."""
        parts = ((self.forward, self.forward_passes), (self.backward, 1.0), (self.recomputed, 1.0))
        return self.micro_batches * math.fsum(
            times * op.macs * _kept(op) for network, times in parts if network for op in network.contractions
        )

    @property
    def parameter_bytes(self) -> int:
        """Stored words: the master weights and, where the precision has one, the narrower copy."""
        return _bytes(self.params, self.precision.parameter_bits)

    @property
    def gradient_bytes(self) -> int:
        """Gradients of all trained words."""
        return _bytes(self.trained, self.precision.gradient_bits) if self.backward else 0

    @property
    def state_bytes(self) -> int:
        """The optimiser's state, its step counters included (four bytes per trained tensor, as torch keeps them)."""
        words = self.trained * self.optimizer.state_words_per_param
        return _bytes(words, self.precision.state_bits) + 4 * self.optimizer.counters * self.trained_tensors

    @cached_property
    def _memory(self) -> ActivationMemory:
        names = {op.name for network in (self.forward, self.recomputed) if network for op in network.ops}
        updated = {op.name for op in self.update.ops}
        layers = [layer for layer in self.layers if layer.op.name not in updated]
        forward = {layer.op.name: layer for layer in layers if layer.op.name in names}
        return activation_memory(layers, forward, self.precision.compute_bits)

    @property
    def activation_bytes(self) -> int:
        """Activations held at the peak of the backward pass of a micro-batch, the network's input among them.

        A tensor is held from where it is made (or made again) to its last reader; what several operators keep is held
        once, and a concatenation is its parts. Without a backward pass: the most held at once.
        """
        return self._memory.activation_bytes

    @property
    def peak_bytes(self) -> int:
        """The most that is held at once: weights, their gradients, state, activations and their gradients."""
        return self.parameter_bytes + self.gradient_bytes + self.state_bytes + self._memory.peak_bytes


def part(name: str, layers: Iterable[Layer]) -> Network | None:
    """These layers alone, what they read of others coming from outside; None where there are none."""
    layers = tuple(layers)
    names = {layer.op.name for layer in layers}
    inside = (Layer(layer.op, tuple(source for source in layer.inputs if source in names)) for layer in layers)
    return Network(name, tuple(inside)) if layers else None


def trained_tensors(op: Op | VectorOp) -> int:
    """Stored tensors of an operator: a weight and perhaps a bias; a scale and a shift."""
    if isinstance(op, Op):
        return int(op.tensor("weight").is_parameter) + int(op.bias > 0)
    return 0 if not op.params else 2 if op.kind in ("batch_norm", "layer_norm", "group_norm", "instance_norm") else 1


def _kept(op: Op) -> float:
    """Share of the products that stored weights which are not zero, or the gradients of such, leave."""
    if op.kind == "weight_gradient":
        return op.tensor("output").density
    return op.tensor("weight").density if op.tensor("weight").is_parameter else 1.0


def _bytes(words: int, bits: int) -> int:
    return -(-words * bits // 8)
