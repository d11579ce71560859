"""Patches of choices: ``stage3.block*?op=fused_ibn`` fixes options of a space, or changes a point of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import BadInput, suggestion
from .network_space import NetworkSpace
from .patches import Patch, PatchValue, matches, parse_patch
from .space import Choice, Space, Value

__all__ = ["choice_addresses", "patch_space", "patch_values", "touches"]

_PREFIXES = ("net.", "hw.")


def choice_addresses(space: Space, networks: NetworkSpace | None = None) -> dict[str, str]:
    """By address, the choice: its name, the name without ``net.`` or ``hw.``, and what the space of networks calls it.

    A space of networks may give ``addresses`` of its own, such as ``stage3.block1.op`` for ``net.b04.op``.
    """
    found: dict[str, str] = {}
    for name in space.names:
        for prefix in _PREFIXES:
            found.setdefault(name.removeprefix(prefix), name)
    own: Mapping[str, str] = getattr(networks, "addresses", {})
    found |= {address: name for address, name in own.items() if name in space.names}
    return found | {name: name for name in space.names}


def touches(patch: Patch, space: Space, networks: NetworkSpace | None = None) -> bool:
    """Whether the patch addresses any of the choices."""
    known = choice_addresses(space, networks)
    return any(matches(address, pattern) for pattern, _ in patch.addresses() for address in known)


def patch_values(
    space: Space, values: Mapping[str, Value], patches: Iterable[str | Patch], networks: NetworkSpace | None = None
) -> dict[str, Value]:
    """The point with some options changed; choices that become active take their first option.

    Raises `BadInput` for an address that matches no choice, for a value that is none of its options, and where every
    choice that matches is inactive in the patched point.
    """
    asked = [_fixed(space, patch, networks) for patch in patches]
    changed = dict(values)
    for changes in asked:
        for name, options, text in changes:
            if len(options) != 1:
                raise BadInput(f"patch '{text}': a point has one option of '{name}'; give one value")
            changed[name] = options[0]
    point = space.complete(changed)
    for changes in asked:
        inactive = [(name, text) for name, _, text in changes if name not in point]
        if inactive and len(inactive) == len(changes):
            name, text = inactive[0]
            raise BadInput(f"patch '{text}': '{name}' is chosen only where {space.choice(name).condition}")
    return point


def patch_space(space: Space, patches: Iterable[str | Patch], networks: NetworkSpace | None = None) -> Space:
    """The space in which the patched choices keep the patch's options alone; raises `BadInput` as `patch_values`."""
    kept: dict[str, tuple[Value, ...]] = {}
    for patch in patches:
        kept |= {name: options for name, options, _ in _fixed(space, patch, networks)}
    return space.restrict(kept)


def _fixed(
    space: Space, patch: str | Patch, networks: NetworkSpace | None
) -> list[tuple[str, tuple[Value, ...], Patch]]:
    """The choices a patch addresses, with the options it asks for."""
    patch = parse_patch(patch) if isinstance(patch, str) else patch
    known = choice_addresses(space, networks)
    spellings: Mapping[str, Value] = getattr(networks, "spellings", {})
    found: list[tuple[str, tuple[Value, ...], Patch]] = []
    for pattern, value in patch.addresses():
        names = dict.fromkeys(name for address, name in known.items() if matches(address, pattern))
        if not names:
            hint = suggestion(pattern, known, "choices are")
            raise BadInput(f"patch '{patch}': no choice '{pattern}'; {hint}")
        found += [(name, _options(space.choice(name), value, spellings, patch), patch) for name in names]
    return found


def _options(choice: Choice, value: PatchValue, spellings: Mapping[str, Value], patch: Patch) -> tuple[Value, ...]:
    wanted = value if isinstance(value, tuple) else (value,)
    options = []
    for one in wanted:
        try:
            options.append(choice.options[choice.index(_spelled(choice, one, spellings))])
        except BadInput as error:
            raise BadInput(f"patch '{patch}': {error}") from error
    return tuple(dict.fromkeys(options))


def _spelled(choice: Choice, value: Value, spellings: Mapping[str, Value]) -> Value:
    """The option a patch means: itself, one that reads the same, or one it is another name of."""
    if value in choice.options:
        return value
    alike = [option for option in choice.options if str(option) == str(value)]
    return alike[0] if alike else spellings.get(str(value), value)
