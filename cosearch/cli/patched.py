"""`--patch` of the commands that take a network and an accelerator."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ...errors import BadInput

if TYPE_CHECKING:
    from ...accel.accelerator import Accelerator
    from ...models.network import Network
    from ..spaces.network_space import NetworkSpace

__all__ = ["load_patched"]


def load_patched(args: argparse.Namespace, accelerator: Accelerator) -> tuple[Network | None, Accelerator]:
    """The network of a network space's baseline, and the accelerator, with the patches of a command line.

    None for the network where what the command names is no space of networks, or a zoo network that stays as it is.
    Raises `BadInput` for a patch that fits neither.
    """
    from ...models.zoo import ZOO

    if not args.patches and args.network in ZOO:
        return None, accelerator
    networks = _space_of(args.network)
    if not args.patches and networks is None:
        return None, accelerator
    from ..spaces.patch_accelerator import patch_accelerator
    from ..spaces.patch_choices import patch_values, touches
    from ..spaces.patches import parse_patches

    patches = parse_patches(args.patches)
    mine = [one for one in patches if networks is not None and touches(one, networks.space, networks)]
    accelerator = patch_accelerator(accelerator, [one for one in patches if one not in mine])
    if networks is None or not (mine or args.network not in ZOO):
        return None, accelerator
    if args.options:
        raise BadInput(f"--option {args.options[0]}: '{args.network}' is a space of networks here; use --patch instead")
    values = patch_values(networks.space, networks.baseline(), mine, networks)
    return _as_asked(networks.build(values), args), accelerator


def _as_asked(network: Network, args: argparse.Namespace) -> Network:
    from ...models.transforms import with_batch, with_bits

    network = network if args.bits is None else with_bits(network, args.bits)
    return with_batch(network, args.batch)


def _space_of(name: str) -> NetworkSpace | None:
    from ..spaces.compose import networks_of
    from ..spaces.network_part import NetworkPart
    from ..spaces.networks import NETWORK_SPACES

    if name in NETWORK_SPACES:
        return networks_of(NetworkPart(space=name))
    return None
