"""When each gradient of a backward pass is there: operators one after another, as they are costed."""

from __future__ import annotations

from ...models.network import Layer
from ...models.op import VectorOp
from ...models.training import TrainingStep
from ..estimate import Estimate

__all__ = ["Gradient", "gradients_ready", "seconds_of", "stored_words"]

Gradient = tuple[float, float]


def seconds_of(estimate: Estimate) -> dict[str, float]:
    """By operator, its own seconds and those it takes to start it."""
    overhead = estimate.accelerator.operator_overhead_s
    return {
        op.name: cost.latency_s + (overhead if estimate.starts(op) else 0.0)
        for op, cost in zip(estimate.network.ops, estimate.costs, strict=True)
    }


def gradients_ready(step: TrainingStep, estimate: Estimate) -> tuple[float, list[Gradient]]:
    """Seconds of a micro-batch's backward pass, recomputation included, and (ready after, bits) of each gradient.

    Gradients of micro-batches are summed as soon as they are there; the last micro-batch's are the ones to send.
    """
    seconds = seconds_of(estimate)
    names = {op.name for op in step.update.ops}
    update = [layer for layer in step.layers if layer.op.name in names]
    readers = {name: layer.op.name for layer in update for name in layer.inputs}
    sizes = {layer.op.name: stored_words(step, layer) * step.precision.gradient_bits for layer in update}
    done, ready = 0.0, dict.fromkeys(readers.values(), 0.0)
    for layer in _eager(step):
        done += seconds[layer.op.name]
        reader = readers.get(layer.op.name)
        if reader is not None:
            ready[reader] = done
    return done, [(at, float(sizes[name])) for name, at in ready.items()]


def stored_words(step: TrainingStep, layer: Layer) -> int:
    """How many words an operator of the update steps, from what it reads for each."""
    words = step.precision
    bits = words.gradient_bits + words.master_bits + step.optimizer.state_words_per_param * words.state_bits
    return layer.op.words_in * words.master_bits // bits if isinstance(layer.op, VectorOp) else 0


def _eager(step: TrainingStep) -> list[Layer]:
    """The backward pass with its recomputation; each sum over micro-batches directly behind what it sums."""
    forward, update = ({op.name for op in part.ops} for part in (step.forward, step.update))
    layers = [layer for layer in step.layers if layer.op.name not in forward and layer.op.name not in update]
    places = {layer.op.name: place for place, layer in enumerate(layers)}

    def turn(layer: Layer) -> tuple[int, bool]:
        summing = step.micro_batches > 1 and layer.op.name.endswith(".sum")
        summed = [places[source] for source in layer.inputs if source in places] if summing else []
        return max(summed, default=places[layer.op.name]), bool(summed)

    return sorted(layers, key=turn)
