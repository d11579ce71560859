"""Energy of processors and their memory by RAPL, as the Linux kernel shows it in its powercap folder.

Each zone ``intel-rapl:P`` (a package) and ``intel-rapl:P:S`` (a part of it) counts microjoules in ``energy_uj``; at
``max_energy_range_uj`` the count begins again at 0 (https://docs.kernel.org/power/powercap/powercap.html). AMD's
processors are read through the same zones since Linux 5.8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import CannotDo
from .meter import Part, Sampler

__all__ = ["POWERCAP", "Rapl"]

POWERCAP = Path("/sys/class/powercap")
MOST_POWER_W = 1000.0  # no zone draws more: how often a count must be read so that it cannot begin again twice
REFRESH_S = 1e-3  # the processor updates its counts about every millisecond (Intel's Software Developer's Manual)
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")


@dataclass(frozen=True)
class _Zone:
    """A zone's folder; ``range_uj`` is 0 where the kernel does not say where its count begins again."""

    folder: Path
    part: Part
    range_uj: int

    def count_uj(self) -> int:
        return _number(self.folder / "energy_uj")


class Rapl:
    """The meter of packages and their DRAM. Cores and graphics lie inside a package and are reported, not added.

    ``psys``, the whole platform, holds the packages too; it is added only where no package is shown. Raises `CannotDo`
    where ``root`` has no zone, or one that must be added may not be read.
    """

    name = "RAPL"
    refresh_s = REFRESH_S
    missing: tuple[str, ...] = ()

    def __init__(self, root: str | Path = POWERCAP) -> None:
        self._zones = tuple(_zones(Path(root)))
        self.parts = tuple(zone.part for zone in self._zones)
        self._last: dict[str, int] = {}
        self._sums: dict[str, int] = {}
        self._sampler: Sampler | None = None

    @property
    def poll_s(self) -> float:
        """How often counts are read so that none begins again twice in between; 0 where none says its range."""
        ranges = [zone.range_uj for zone in self._zones if zone.range_uj]
        return min(ranges) * 1e-6 / MOST_POWER_W / 2 if ranges else 0.0

    def start(self) -> None:
        """Begin: the present counts are the zero."""
        self._last = {zone.part.name: zone.count_uj() for zone in self._zones}
        self._sums = dict.fromkeys(self._last, 0)
        if self.poll_s:
            self._sampler = Sampler(self.sample, self.poll_s)
            self._sampler.start()

    def sample(self) -> None:
        """Add up what was used since the last sample; the thread of a long measurement calls this."""
        for zone in self._zones:
            name, now = zone.part.name, zone.count_uj()
            used = now - self._last[name]
            if used < 0:
                if not zone.range_uj:
                    raise CannotDo(
                        f"RAPL: {zone.folder / 'energy_uj'} fell and its range is not known; measure shorter blocks"
                    )
                used += zone.range_uj
            self._last[name] = now
            self._sums[name] += used

    def stop(self) -> Mapping[str, float]:
        """Joules of each zone since `start`."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.stop()
        self.sample()
        return {name: used * 1e-6 for name, used in self._sums.items()}


def _zones(root: Path) -> list[_Zone]:
    folders = _folders(root)
    if not folders:
        reason = "holds no zone 'intel-rapl:*'" if root.is_dir() else "is not there"
        raise CannotDo(
            f"RAPL: {root} {reason} (a virtual machine or container, another processor, or a kernel without the "
            "driver); on a machine of your own try 'sudo modprobe intel_rapl_msr'"
        )
    titles = {name: _text(folder / "name") for name, folder in folders.items()}
    packages = any(title.startswith("package") for title in titles.values())
    zones = []
    for name, folder in sorted(folders.items()):
        counted = _is_counted(name, titles[name], packages)
        if not counted and not _readable(folder):
            continue
        above = titles.get(name.rpartition(":")[0], "")
        title = f"{above}/{titles[name]}" if above else titles[name]
        _number(folder / "energy_uj")
        limit = folder / "max_energy_range_uj"
        part = Part(title, Rapl.name, f"{folder.name} ({titles[name]})", "counter", counted)
        zones.append(_Zone(folder, part, _number(limit) if limit.exists() else 0))
    return zones


def _folders(root: Path) -> dict[str, Path]:
    """Zones by name. The kernel shows them side by side, and again each inside the one above it."""
    found: dict[str, Path] = {}
    for pattern in ("intel-rapl:*", "intel-rapl/intel-rapl:*", "intel-rapl:*/intel-rapl:*"):
        for folder in sorted(root.glob(pattern)):
            if _ZONE.fullmatch(folder.name) and os.path.exists(folder / "name"):
                found.setdefault(folder.name, folder)
    return found


def _is_counted(name: str, title: str, packages: bool) -> bool:
    if name.count(":") == 2:
        return title == "dram"
    return title != "psys" or not packages


def _readable(folder: Path) -> bool:
    try:
        _number(folder / "energy_uj")
    except CannotDo:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except PermissionError as error:
        # Reading power finely reveals what a processor computes: Lipp et al., "PLATYPUS", IEEE S&P 2021.
        raise CannotDo(
            f"RAPL: {path} may be read by the administrator only, as kernels since 5.10 have it; run as root, or allow "
            f"it until the next start: sudo chmod a+r {path.parent.parent}/intel-rapl:*/{path.name}"
        ) from error
    except OSError as error:
        raise CannotDo(f"RAPL: {path} cannot be read ({error.strerror or error})") from error


def _number(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal():
        raise CannotDo(f"RAPL: {path} holds '{text[:40]}', not a count; is this the kernel's powercap folder?")
    return int(text)
