"""How an accelerator executes a network: convolutions in Winograd's domain, channel-extended, with followers fused.

What changes an operator's words or multiplications before there is any mapping is decided here, from the spec alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..accel.accelerator import Accelerator, Memory
from ..accel.analytic import Cost
from ..models.network import Layer, Network
from ..models.op import Op, Rank, Role, VectorOp
from ..models.winograd import winograd

__all__ = ["Fusion", "back_to_back", "changes", "executed", "extension", "fused"]


@dataclass(frozen=True)
class Fusion:
    """A network in which vector operators take their producer's words as they come; that producer is their first input.

    ``moved`` maps a contraction to the words that its chain reads as second operands, and to those that it writes in
    place of the contraction's own output.
    """

    network: Network
    moved: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Chain:
    """A contraction and what has been fused behind it: the words it leaves and those read on the way."""

    head: Op
    place: int
    leaves: int
    reads: int = 0

    def after(self, op: VectorOp) -> _Chain:
        """The chain with one more operator behind it."""
        return _Chain(self.head, self.place, op.words_out, self.reads + max(0, op.words_in - self.leaves))

    @property
    def changed(self) -> bool:
        """Whether other words move than the contraction's own output."""
        return self.reads > 0 or self.leaves != self.head.words("output")


def changes(accelerator: Accelerator) -> bool:
    """Whether the accelerator executes operators in another form than a network states them."""
    compute, vector = accelerator.compute, accelerator.vector
    return compute.winograd or compute.channel_extension or bool(vector and vector.fuses)


def fused(network: Network, accelerator: Accelerator) -> Fusion:
    """The network with the chains that the vector unit's ``fuses`` make of it.

    An operator joins the chain of the input that is computed last, where nothing else reads that input and its other
    operands were there before the chain began.
    """
    kinds = accelerator.vector.fuses if accelerator.vector else frozenset()
    if not kinds:
        return Fusion(network)
    readers = Counter(name for layer in network for name in layer.inputs)
    places = {layer.op.name: place for place, layer in enumerate(network)}
    chains: dict[str, _Chain] = {}  # by the last layer of each
    layers: list[Layer] = []
    for place, layer in enumerate(network):
        op = layer.op
        if isinstance(op, Op):
            chains[op.name] = _Chain(op, place, op.words("output"))
        elif op.fused:
            if layer.inputs and layer.inputs[0] in chains:
                chains[op.name] = chains.pop(layer.inputs[0]).after(op)
        elif op.kind in kinds:
            last = _joined(layer, op, chains, places, readers)
            if last is not None:
                chains[op.name] = chains.pop(last).after(op)
                others = tuple(name for name in layer.inputs if name != last)
                layer = Layer(replace(op, fused=True), (last, *others))
        layers.append(layer)
    moved = {chain.head.name: (chain.reads, chain.leaves) for chain in chains.values() if chain.changed}
    return Fusion(replace(network, layers=tuple(layers)), moved)


def _joined(
    layer: Layer, op: VectorOp, chains: Mapping[str, _Chain], places: Mapping[str, int], readers: Mapping[str, int]
) -> str | None:
    """The input whose chain the layer joins, if it may join one."""
    ends = [name for name in layer.inputs if name in chains]
    if not ends:
        return None
    last = max(ends, key=lambda name: chains[name].place)
    others = [name for name in layer.inputs if name != last]
    early = all(places[name] < chains[last].place for name in others)
    return last if early and readers[last] == 1 and op.words_in >= chains[last].leaves else None


def executed(
    pairs: Iterable[tuple[Op, Accelerator]], moved: Mapping[str, tuple[int, int]]
) -> list[tuple[Op, Accelerator]]:
    """Operators and accelerators as a mapper is to see them.

    ``moved`` are the words of fused chains (`Fusion.moved`). Words that come on top of a tensor's own, or are spared,
    make its words wider or narrower in the memory where operators find and leave it. Second operands come with
    the input's words, or, where one port serves reads and writes, with the output's, which move but once.
    """
    made: dict[tuple[int, tuple[tuple[Role, float], ...]], Accelerator] = {}
    found = []
    for op, accelerator in pairs:
        run = winograd(op) if accelerator.compute.winograd else op
        widths = _widths(op, run, accelerator, moved.get(op.name))
        variant = accelerator
        if widths:
            variant = made.setdefault((id(accelerator), widths), _of_widths(accelerator, widths))
        found.append((run, variant))
    return found


def back_to_back(cost: Cost, accelerator: Accelerator) -> Cost:
    """The cost of an operator in a row of others, where the accelerator lets them overlap at their ends.

    What a memory or the compute is busy with still counts; waiting for first tiles and last outputs does not. That is
    optimistic: in truth an operator waits for those of its neighbour's outputs that its first tile needs.
    """
    if not accelerator.back_to_back:
        return cost
    cycles, energy = cost.steady_cycles, dict(cost.energy)
    latency_s = cycles / accelerator.clock_hz
    for name, power_w in (("leakage", accelerator.leakage_w), ("clock", accelerator.clock_w)):
        if power_w:
            energy[name, ""] = power_w * latency_s
    utilization = cost.utilization * cost.cycles / cycles
    return replace(
        cost, cycles=cycles, latency_s=latency_s, energy=energy, energy_j=math.fsum(energy.values()),
        utilization=utilization,
    )  # fmt: skip


def _widths(op: Op, run: Op, accelerator: Accelerator, moved: tuple[int, int] | None) -> tuple[tuple[Role, float], ...]:
    """Bits of the words of each tensor where they are not those of ``run``, the form in which ``op`` is executed."""
    own: dict[Role, int] = {tensor.role: tensor.bits for tensor in run.tensors}
    stored, fetched = extension(op) if accelerator.compute.channel_extension else (1.0, 1.0)
    widths: dict[Role, float] = {"weight": own["weight"] * stored, "input": own["input"] * fetched}
    if moved is not None:
        reads, writes = moved
        if accelerator.keeper("output").shared_port:
            reads, writes = 0, reads + writes
        widths["input"] += own["input"] * reads / op.words("input")
        widths["output"] = own["output"] * writes / op.words("output")
    return tuple((role, bits) for role, bits in widths.items() if bits != own[role])


def extension(op: Op) -> tuple[float, float]:
    """(stored weights, fetched inputs) over those used, where a stride's positions are laid out as channels.

    A filter of r taps is padded to whole strides, and of every stride of the input all positions are fetched.
    """
    stored = fetched = 1.0
    for rank in op.tensor("input").ranks:
        if _strided(rank):
            (outer, stride), (inner, _) = rank.terms
            taps, bound = op.bounds[inner], op.bounds[outer]
            whole = math.ceil(taps / stride)
            stored *= whole * stride / taps
            fetched *= (bound + whole - 1) * stride / rank.words(op.bounds)
    return stored, fetched


def _strided(rank: Rank) -> bool:
    return len(rank.terms) == 2 and rank.terms[0][1] > 1 and rank.terms[1][1] == 1


def _of_widths(accelerator: Accelerator, widths: tuple[tuple[Role, float], ...]) -> Accelerator:
    """The accelerator with other word widths in the outermost memory that keeps each tensor."""
    levels = list(accelerator.levels)
    for role, bits in widths:
        home = accelerator.keeper(role).name
        for place, level in enumerate(levels):
            if isinstance(level, Memory) and level.name == home:
                levels[place] = replace(level, word_bits={**level.word_bits, role: bits})
    return replace(accelerator, levels=tuple(levels))
