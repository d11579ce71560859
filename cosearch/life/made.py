"""What a device is made of: the die, the memories off the chip, storage, packages."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...accel.accelerator import Accelerator, Memory
from ...energy.carbon import Footprint, die_footprint, dram_footprint, package_footprint, storage_footprint
from ...errors import BadInput
from ...models.network import Network
from ...models.op import ROLES, Op
from .deployment import Deployment

__all__ = ["made_of"]

_OTHERS = ("die", "storage", "packages")
DRAM_STEP_BITS = 256 * 2**20 * 8


def made_of(
    accelerator: Accelerator, deployment: Deployment, network: Network | None = None
) -> tuple[dict[str, Footprint], tuple[str, ...]]:
    """Footprints of one device by part, and notes on what was assumed.

    Raises `BadInput` for a process node outside the fab's tables and for an unknown kind of storage.
    """
    parts = {"die": _die(accelerator, deployment)}
    notes: list[str] = []
    packages = 1
    for memory, bits, note in _off_chip(accelerator, deployment, network):
        name = f"{memory.name} memory" if memory.name in _OTHERS else memory.name
        parts[name] = dram_footprint(bits, memory.dram_kind)
        packages += 1
        notes += [note] if note else []
    if deployment.storage_bits is not None:
        kind, bits = deployment.storage_bits
        parts["storage"] = storage_footprint(bits, kind)
        packages += 1
    parts["packages"] = package_footprint(packages)
    return parts, tuple(notes)


def _die(accelerator: Accelerator, deployment: Deployment) -> Footprint:
    if deployment.die_kg is not None:
        return Footprint("die", deployment.die_kg, sources=("footprint of the die: as stated",))
    try:
        return die_footprint(
            accelerator.area_mm2,
            accelerator.technology_nm,
            fab_grid=deployment.fab_grid,
            abatement=deployment.abatement,
            yield_=deployment.die_yield,
        )
    except BadInput as error:
        what = str(error).partition(";")[0]
        raise BadInput(
            f"{accelerator.name}: {what}; state the die's footprint (die='0.5 kg', --die '0.5 kg')"
        ) from error


def _off_chip(
    accelerator: Accelerator, deployment: Deployment, network: Network | None
) -> Iterator[tuple[Memory, float, str]]:
    """(memory, bits, note) of each memory off the chip."""
    for memory in accelerator.memories:
        if not memory.dram_kind:
            continue
        if math.isfinite(memory.size_bits):
            yield memory, memory.size_bits, ""
        elif deployment.dram_bits is not None:
            yield memory, deployment.dram_bits, ""
        else:
            steps = max(1, math.ceil(_needed_bits(network) / DRAM_STEP_BITS)) if network else 1
            size = f"{steps * 256 / 1024:g} GiB" if steps > 3 else f"{steps * 256} MiB"
            yield memory, steps * DRAM_STEP_BITS, f"{memory.name} is taken to be {size}, what the network needs"


def _needed_bits(network: Network) -> float:
    """Room for all weights and the largest operator's activations."""
    weights = sum(op.params * (op.tensor("weight").bits if isinstance(op, Op) else op.bits) for op in network.ops)
    activations = max(
        sum(op.words(role) * op.tensor(role).bits for role in ROLES) if isinstance(op, Op)
        else (op.words_in + op.words_out) * op.bits
        for op in network.ops
    )  # fmt: skip
    return float(weights + activations)
