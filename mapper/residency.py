"""Which tensors of a network stay on the chip between its operators, and where each operator finds its own.

An accelerator's spec names the memory in which activations may stay (one operator's output is the next one's input) and
the one in which weights may stay from run to run (parameter caching). The plan follows from a rule, not from a search:

1. A tensor lives from the operator that makes it to the last one that reads it, a residual connection included; fused
   operators work on their producer's tensor in place. It stays for its whole life or not at all: what does not stay is
   written to the outermost memory and read from there by everyone. The network's inputs and outputs always are, and
   what operators left to the host read and write.
2. Operators are visited in order. While the tensors that are alive do not fit, beside `SHARE` of the memory for the
   tiles of what the operator streams, the one whose next use is farthest gives way (Belády's rule), the larger one of
   two. Tensors that one operator reads as a single operand stay or go together.
3. Weights take what the tightest operator leaves, or the part the spec sets aside, in the network's order; what does
   not fit as a whole is streamed in every run. The Edge TPU's compiler caches parameters in what is left and streams
   the others likewise (coral.ai/docs/edgetpu/compiler, "Parameter data caching"); the order and that no operator's are
   divided is our reading.

What an operator finds left for its tiles is rounded down to a multiple of `SHARE`, so that equal layers at different
depths are one question to a mapper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..accel.accelerator import Accelerator, Memory
from ..accel.residence import Residence
from ..models.network import Layer, Network
from ..models.op import ROLES, Op, Role

__all__ = ["SHARE", "Plan", "plan_residency"]

SHARE = 1 / 16


@dataclass(frozen=True)
class Plan:
    """Where every operator's tensors are, in the network's order.

    ``shares`` [operators, 3] of its input's, weight's and output's words stay on the chip (0 or 1 but for the inputs of
    vector operators). Bits are those of the stored tensors: of activations between operators and how many of them stay,
    of weights that are cached, of weights that every run streams.
    """

    residences: tuple[Residence, ...]
    shares: tuple[tuple[float, ...], ...]
    activation_bits: float
    resident_bits: float
    cached_bits: float
    streamed_bits: float

    def inside(self, at: int) -> dict[Role, float]:
        """The share of each tensor's words that stays, of operator number ``at``."""
        return dict(zip(ROLES, self.shares[at], strict=True))

    @property
    def resident_share(self) -> float:
        """Share of the activations' bits that stay on the chip between operators."""
        return self.resident_bits / self.activation_bits if self.activation_bits else 0.0


def plan_residency(network: Network, accelerator: Accelerator, crowded: frozenset[str] = frozenset()) -> Plan | None:
    """The plan by the rule above; None where the spec lets nothing stay.

    ``crowded`` names operators for which no mapping was found beside what stayed: during them no activation stays, and
    cached weights take half of their memory at the most.
    """
    if not any(accelerator.residence(role) for role in ROLES):
        return None
    return _Planner(network, accelerator, crowded).plan()


@dataclass
class _Tensor:
    """What one operator makes: alive from operator ``start`` to the last of its ``uses``."""

    start: int
    words: int
    bits: float
    uses: list[int] = field(default_factory=list)
    group: list[int] = field(default_factory=list)  # tensors that stay or go together, itself among them
    stays: bool = True

    def alive(self, at: int) -> bool:
        return self.stays and self.start <= at <= self.uses[-1]

    def next_use(self, at: int) -> int:
        return next(use for use in self.uses if use > at or (use == at and self.start < at))


class _Planner:
    """One run of the rule; ``made`` and ``read`` hold each layer's tensors by number."""

    def __init__(self, network: Network, accelerator: Accelerator, crowded: frozenset[str]) -> None:
        self.layers, self.crowded = network.layers, crowded
        self.home, self.cache = accelerator.residence("input"), accelerator.residence("weight")
        self.tensors: list[_Tensor] = []
        self.made: list[int | None] = []
        self.read: list[dict[Role, list[int]]] = []
        self.taken: list[float] = []  # [operators] bits of the tensors that stay while one runs
        self._find_tensors(accelerator)
        self.working = [
            at
            for at, layer in enumerate(self.layers)
            if isinstance(layer.op, Op) or not (layer.op.fused or accelerator.on_host(layer.op))
        ]

    # ---- tensors ---------------------------------------------------------------------------------------------------

    def _find_tensors(self, accelerator: Accelerator) -> None:
        named: dict[str, int | None] = {}
        for at, layer in enumerate(self.layers):
            sources = [named[name] for name in layer.inputs]
            known = [source for source in sources if source is not None]
            for source in dict.fromkeys(known):
                self.tensors[source].uses.append(at)
            if not isinstance(layer.op, Op) and layer.op.fused:
                made = sources[0] if sources else None
            else:
                made = len(self.tensors)
                self.tensors.append(self._tensor(at, layer))
                self.tensors[made].group = [made]
            named[layer.op.name] = made
            self.made.append(made)
            self.read.append(self._operands(layer, known))
            if isinstance(layer.op, Op) and len(known) < len(sources):  # the network's own input is part of an operand
                self._forbid(known)
            if accelerator.on_host(layer.op):  # the host finds and leaves tensors in its own memory
                self._forbid(known if made is None else [*known, made])
        for at, layer in enumerate(self.layers):
            if not isinstance(layer.op, Op) and layer.op.fused and self.made[at] is not None:
                self._drop_own_use(at)
        for at, layer in enumerate(self.layers):
            if isinstance(layer.op, Op):
                self._tie(at, layer.op)
        self._forbid([at for at, tensor in enumerate(self.tensors) if not tensor.uses or self.home is None])

    def _forbid(self, tensors: Sequence[int]) -> None:
        for tensor in tensors:
            self.tensors[tensor].stays = False

    def _tensor(self, at: int, layer: Layer) -> _Tensor:
        op = layer.op
        words, bits = (op.words("output"), op.tensor("output").bits) if isinstance(op, Op) else (op.words_out, op.bits)
        return _Tensor(at, words, float(words * (self.home.bits("output", bits) if self.home else bits)))

    def _drop_own_use(self, at: int) -> None:
        """A fused operator that is the last to touch a tensor leaves it to its readers: it is no use by itself."""
        made = self.made[at]
        if made is not None:
            self.tensors[made].uses.remove(at)

    def _operands(self, layer: Layer, sources: list[int]) -> dict[Role, list[int]]:
        """The tensors behind each operand; where a product's two operands cannot be told apart, behind both."""
        if not isinstance(layer.op, Op) or layer.op.tensor("weight").is_parameter:
            return {"input": sources}
        if len(sources) == 2:
            return {"input": sources[:1], "weight": sources[1:]}
        return {"input": sources, "weight": sources}

    def _tie(self, at: int, op: Op) -> None:
        """Tensors that are one operand stay together; those that the memory cannot serve as an operand do not stay."""
        for role, sources in self.read[at].items():
            for other in sources[1:]:
                self._join(sources[0], other)
            held = sum(self.tensors[source].words for source in set(sources))
            served = self.home is not None and role in self.home.keeps
            if role == "weight" and not (served and op.words("weight") <= held):  # or a cache of earlier runs is read
                self._forbid(sources)

    def _join(self, one: int, other: int) -> None:
        group = self.tensors[one].group
        if other not in group:
            group.extend(self.tensors[other].group)
            for member in group:
                self.tensors[member].group = group

    # ---- activations -----------------------------------------------------------------------------------------------

    def _stay(self, at: int, role: Role) -> bool:
        """Whether a tensor of a contraction is in the activations' memory."""
        if role == "output":
            made = self.made[at]
            return made is not None and self.tensors[made].stays
        sources = self.read[at].get(role, [])
        return bool(sources) and all(self.tensors[source].stays for source in sources)

    def _needed(self, memory: Memory, at: int) -> float:
        """Bits of ``memory`` taken while an operator runs: activations that stay, and the least for streamed tiles."""
        activations = self.taken[at] if memory is self.home else 0.0
        mine = [role for role in memory.keeps if memory is self.home and self._stay(at, role)]
        streams = isinstance(self.layers[at].op, Op) and len(mine) < len(memory.keeps)
        return activations + (memory.size_bits * SHARE if streams else 0.0)

    def _settle_activations(self) -> None:
        home = self.home
        self._forbid([member for tensor in self.tensors if not tensor.stays for member in tensor.group])
        self.taken = [0.0] * len(self.layers)
        for tensor in self.tensors:
            if tensor.stays:
                self._take(tensor, tensor.bits)
        if home is None or math.isinf(home.size_bits):
            return
        room = home.size_bits - (home.weight_room_bits or 0.0)
        for at in self.working:
            everyone = self.layers[at].op.name in self.crowded
            while self._needed(home, at) > room or everyone:
                alive = [tensor for tensor in self.tensors if tensor.alive(at)]
                if not alive:
                    break
                self._leave(max(alive, key=lambda tensor: (tensor.next_use(at), tensor.bits)).group)

    def _take(self, tensor: _Tensor, bits: float) -> None:
        for at in range(tensor.start, tensor.uses[-1] + 1):
            self.taken[at] += bits

    def _leave(self, group: list[int]) -> None:
        for member in group:
            self._take(self.tensors[member], -self.tensors[member].bits)
        self._forbid(group)

    # ---- weights ---------------------------------------------------------------------------------------------------

    def _parameters(self) -> Iterator[tuple[int, float]]:
        """(operator, bits of its weights where they are cached) of those that have any."""
        for at, layer in enumerate(self.layers):
            op = layer.op
            if isinstance(op, Op):
                words, bits = op.words("weight") * op.tensor("weight").is_parameter, op.tensor("weight").bits
            else:
                words, bits = op.params, op.bits
            if words:
                yield at, float(words * (self.cache.bits("weight", bits) if self.cache else bits))

    def _cached(self) -> frozenset[int]:
        """Operators whose weights stay."""
        if self.cache is None:
            return frozenset()
        room = self.cache.weight_room_bits
        if room is None:
            room = self.cache.size_bits
            if not math.isinf(room):
                room -= max((self._needed(self.cache, at) for at in self.working), default=0.0)
        if self.crowded:
            room = min(room, self.cache.size_bits / 2)
        found = []
        for at, bits in self._parameters():
            if bits <= room and self.layers[at].op.name not in self.crowded:
                room -= bits
                found.append(at)
        return frozenset(found)

    # ---- the plan --------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Settle activations, then weights."""
        self._settle_activations()
        cached = self._cached()
        kept = sum(bits for at, bits in self._parameters() if at in cached)
        between = [tensor for tensor in self.tensors if tensor.uses]
        layers = range(len(self.layers))
        return Plan(
            tuple(self._residence(at, at in cached, kept) for at in layers),
            tuple(self._shares(at, at in cached) for at in layers),
            activation_bits=sum(tensor.bits for tensor in between),
            resident_bits=sum(tensor.bits for tensor in between if tensor.stays),
            cached_bits=kept,
            streamed_bits=sum(bits for at, bits in self._parameters() if at not in cached),
        )

    def _residence(self, at: int, cached: bool, kept: float) -> Residence:
        """Homes and rooms of a contraction; nothing for a vector operator, which has no tiles."""
        if not isinstance(self.layers[at].op, Op):
            return Residence()
        homes: list[tuple[Role, str]] = []
        for role in ROLES:
            if role == "weight" and cached and self.cache:
                homes.append((role, self.cache.name))
            elif self.home and self._stay(at, role):
                homes.append((role, self.home.name))
        rooms = {}
        for memory in (self.home, self.cache):
            if memory is None or math.isinf(memory.size_bits):
                continue
            taken = self.taken[at] if memory is self.home else 0.0
            if memory is self.cache:
                taken += kept if memory.weight_room_bits is None else memory.weight_room_bits
            step = memory.size_bits * SHARE
            left = math.floor((memory.size_bits - taken) / step * (1.0 + 1e-12)) * step
            if left < memory.size_bits:
                rooms[memory.name] = max(1.0, left)
        return Residence(tuple(homes), tuple(rooms.items()))

    def _shares(self, at: int, cached: bool) -> tuple[float, ...]:
        """The share of each tensor's words that stays."""
        op = self.layers[at].op
        output, weight = float(self._stay(at, "output")), float(cached or self._stay(at, "weight"))
        if isinstance(op, Op):
            return float(self._stay(at, "input")), weight, output
        sources = self.read[at].get("input", [])
        words = [self.tensors[source].words for source in sources]
        here = sum(count for source, count in zip(sources, words, strict=True) if self.tensors[source].stays)
        return here / max(op.words_in, sum(words), 1), weight, output
