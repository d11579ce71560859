"""The rules for what zeros may save: who leads, who follows, and which keys go together.

They read the raw levels of a document; what has no usable type is skipped, as the model complains about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..document import YamlPath
from ..models.op import ROLES

__all__ = ["savings_problems"]

Found = tuple[YamlPath, str, str]
Levels = Sequence[Mapping[str, Any]]


def savings_problems(levels: Levels) -> Iterator[Found]:
    """(path, what is wrong, remedy) of every rule of gating and skipping that is broken."""
    for index, level in enumerate(levels):
        if level.get("type") == "memory":
            yield from _followers(levels, index)
            if level.get("capacity") == "worst" and not level.get("compression"):
                what = "nothing is compressed here, so that every tile takes what it takes at worst"
                yield ("levels", index, "capacity"), what, "add 'compression:' or remove this line"
        if level.get("type") == "compute" and isinstance(level.get("skipping"), dict):
            yield from _skipping(level["skipping"], ("levels", index, "skipping"))
            yield from _padded(levels, level["skipping"], ("levels", index, "skipping", "padded"))
        if level.get("lockstep") is True and not _skips(levels):
            what = "no step is skipped on this accelerator, so that all instances step together anyway"
            yield ("levels", index, "lockstep"), what, "add 'skipping:' to the compute level or remove this line"


def _skips(levels: Levels) -> bool:
    return any(level.get("skipping") for level in levels)


def _followers(levels: Levels, index: int) -> Iterator[Found]:
    """A tensor whose words are saved must be the multipliers' from here, whatever the mapping."""
    level, inside = levels[index], levels[index + 1 :]
    for key in ("gating", "skipping"):
        stated = level.get(key)
        for role, leaders in stated.items() if isinstance(stated, dict) else ():
            path: YamlPath = ("levels", index, key, role)
            if role not in ROLES:
                continue
            if isinstance(leaders, list) and role in leaders:
                remedy = f"list the other operand; compression leaves out a {role}'s own zeros"
                yield path, f"'{role}' cannot follow itself", remedy
            if isinstance(leaders, list) and not leaders:
                yield path, "lists no operand", "list those whose zeros save words, or remove this line"
            further = [one.get("name") for one in inside if one.get("type") == "memory" and role in _kept(one)]
            if further:
                what = f"the multipliers take '{role}' from '{further[-1]}', not from here"
                yield path, what, f"state it at '{further[-1]}'"
            bypasses = level.get("may_bypass")
            if isinstance(bypasses, list) and role in bypasses:
                what = f"a mapping may leave '{role}' out of this memory"
                yield path, what, f"remove '{role}' from 'may_bypass'"
            both = level.get("gating", {}), level.get("skipping", {})
            if key == "skipping" and all(isinstance(one, dict) and role in one for one in both):
                yield path, f"'{role}' stands under 'gating', too", "keep one of them: skipping saves time as well"


def _padded(levels: Levels, skipping: Mapping[str, Any], path: YamlPath) -> Iterator[Found]:
    """Zero words that are steps come from a code."""
    coded: dict[Any, Any] = {}
    for level in levels:
        coded.update(level["compression"] if isinstance(level.get("compression"), dict) else {})
    packed = skipping["packed"] if isinstance(skipping.get("packed"), dict) else ()
    for role in skipping["padded"] if isinstance(skipping.get("padded"), list) else ():
        if role not in ROLES:
            continue
        code = coded[role].get("format") if isinstance(coded.get(role), dict) else coded.get(role)
        if role not in coded:
            yield path, f"no memory has a code for '{role}'", "state its 'compression:', or remove it here"
        elif code != "run_length":
            remedy = f"store '{role}' as run_length, or remove it here"
            yield path, f"'{code}', the innermost code of '{role}', inserts no zero words", remedy
        if role in packed or "blocks" in skipping or "structured" in skipping:
            yield path, f"zeros of '{role}' are found in another way, too", "remove it here, or the other key"


def _kept(level: Mapping[str, Any]) -> Sequence[Any]:
    keeps = level.get("keeps")
    return keeps if isinstance(keeps, list) else ()


def _together(leaders: Sequence[Any], common: object) -> bool:
    return set(leaders) <= set(common if isinstance(common, list) else ())


def _skipping(skipping: Mapping[str, Any], path: YamlPath) -> Iterator[Found]:
    leaders, common = skipping.get("leaders"), skipping.get("common")
    known = leaders if isinstance(leaders, list) else list(ROLES)
    for role in common if isinstance(common, list) else ():
        if role not in known:
            yield (*path, "common"), f"'{role}' leads nothing", "add it to 'leaders' or remove it here"
    if "blocks" in skipping and "structured" in skipping:
        yield (*path, "structured"), "stands beside 'blocks'", "zeros are found in one of the two ways; keep that"
    if "structured" in skipping and isinstance(leaders, list) and leaders != ["weight"]:
        yield (*path, "leaders"), "a pattern of n in m is one of weights", "write 'leaders: [weight]'"
    if "window" in skipping and "structured" in skipping:
        what = "a pattern leaves every instance as many steps, so that none waits for another"
        yield (*path, "window"), what, "remove 'window'"
    elif "window" in skipping and leaders and isinstance(leaders, list) and _together(leaders, common):
        remedy = "remove 'window', or a leader from 'common'"
        yield (*path, "window"), "all instances skip together, so that none waits for another", remedy
    if "queue" in skipping and "window" not in skipping:
        what = "holds windows, but no 'window' says how many steps one has"
        yield (*path, "queue"), what, "add 'window:' or remove this line"
    for key in ("packed", "padded"):
        for role in skipping[key] if isinstance(skipping.get(key), dict | list) else ():
            if role in ROLES and isinstance(leaders, list) and role not in leaders:
                yield (*path, key), f"'{role}' leads nothing", f"add it to 'leaders' or remove it from '{key}'"
    if skipping.get("packed") and ("blocks" in skipping or "structured" in skipping):
        remedy = "remove it: single words are packed, not blocks or groups"
        yield (*path, "packed"), "stands beside 'blocks' or 'structured'", remedy
    scan = skipping.get("scan")
    looked = scan.get("leaders") if isinstance(scan, dict) else None
    if isinstance(looked, list) and isinstance(leaders, list):
        for role in looked:
            if role not in leaders:
                yield (*path, "scan", "leaders"), f"'{role}' leads nothing", "list some of the leaders"
        if set(looked) == set(leaders):
            what = "these are all leaders, so that every word looked at is worked on"
            yield (*path, "scan", "leaders"), what, "list the leaders whose words are looked at, or remove 'scan'"
