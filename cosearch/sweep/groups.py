"""What of a network is costed at once: each operator with the fused ones that hide behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ...accel.accelerator import Accelerator
from ...accel.vector import evaluate_vector
from ...errors import CannotDo
from ...mapper.execution import changes
from ...mapper.residency import plan_residency
from ...models.network import Network
from ...models.op import Op, VectorOp

__all__ = ["Group", "check_costs_add_up", "groups_of", "vector_costs"]


@dataclass(frozen=True, eq=False)
class Group:
    """An operator and its fused followers, each with the place of what it follows (0: the head, 1: the first follower).

    Two groups are equal where they cost the same on any accelerator.
    """

    head: Op | VectorOp
    followers: tuple[tuple[int, VectorOp], ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What decides the cost."""
        kind = self.head.kind if isinstance(self.head, VectorOp) else ""
        return (kind, self.head.shape_key, tuple((after, op.kind, op.shape_key) for after, op in self.followers))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.key == other.key


def groups_of(network: Network) -> Counter[Group]:
    """How many of each group the network runs."""
    heads: dict[str, int] = {}
    members: list[list[tuple[int, Op | VectorOp]]] = []
    place: dict[str, int] = {}
    for layer in network:
        op = layer.op
        before = layer.inputs[0] if layer.inputs else None
        if isinstance(op, VectorOp) and op.fused and before is not None:
            at = heads[before]
            members[at].append((place[before], op))
        else:
            at = len(members)
            members.append([(0, op)])
        heads[op.name], place[op.name] = at, len(members[at]) - 1
    return Counter(
        Group(first[1], tuple((after, op) for after, op in rest if isinstance(op, VectorOp)))
        for first, *rest in members
    )


def vector_costs(group: Group, accelerator: Accelerator, head_cycles: float) -> Iterator[tuple[float, float]]:
    """Cycles and joules of the group's vector operators, given those its contraction takes (0 where it has none)."""
    cycles = []
    if isinstance(group.head, VectorOp):
        cost = evaluate_vector(group.head, accelerator)
        yield cost.cycles, cost.energy_j
        cycles.append(cost.cycles)
    else:
        cycles.append(head_cycles)
    for after, op in group.followers:
        cost = evaluate_vector(op, accelerator, hidden_cycles=cycles[after])
        yield cost.cycles, cost.energy_j
        cycles.append(max(cycles[after], cost.cycles))


def check_costs_add_up(network: Network, accelerator: Accelerator) -> None:
    """Raises `CannotDo` where a network's cost on the accelerator is more than the sum of its operators'."""
    why = (
        "executes operators in another form than the network states them"
        if changes(accelerator)
        else "overlaps operators that run one after another"
        if accelerator.back_to_back
        else "lets tensors stay on the chip between operators"
        if plan_residency(network, accelerator) is not None
        else ""
    )
    if why:
        raise CannotDo(
            f"{accelerator.name} {why}, so that operators cannot be costed one by one for all hardware; "
            "sweep a sample of the hardware instead"
        )
