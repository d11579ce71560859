"""Machines to measure on that are not there: power zones in a folder, a GPU library, a clock that tests turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from dovetail.energy.meters import Part


class Clock:
    """Seconds that pass when told; who waits is told, too."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watchers: list[Callable[[float], None]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for watcher in self.watchers:
            watcher(seconds)


class Zones:
    """A kernel's power zones: ``{"intel-rapl:0": ("package-0", 5)}`` names a zone and its first count."""

    def __init__(self, root: Path, zones: dict[str, tuple[str, int]], limit: int | None = 262_143_328_850) -> None:
        self.root = root
        for folder, (title, count) in zones.items():
            (root / folder).mkdir(parents=True)
            (root / folder / "name").write_text(f"{title}\n")
            self.set(folder, count)
            if limit is not None:
                (root / folder / "max_energy_range_uj").write_text(f"{limit}\n")

    def set(self, folder: str, count: int) -> None:
        (self.root / folder / "energy_uj").write_text(f"{count}\n")

    def get(self, folder: str) -> int:
        return int((self.root / folder / "energy_uj").read_text())

    def add(self, folder: str, count: int) -> None:
        self.set(folder, self.get(folder) + count)


class Gpus(ModuleType):
    """A ``pynvml`` with GPUs of these names; ``counts`` in mJ and ``powers`` in mW, None where one does not tell."""

    class NVMLError(Exception):
        """What the library raises."""

    def __init__(self, *names: str) -> None:
        super().__init__("pynvml")
        self.names = names
        self.counts: list[int | None] = [0] * len(names)
        self.powers: list[int | None] = [0] * len(names)
        self.driver = True

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.names[handle]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        return self._told(self.counts[handle])

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return self._told(self.powers[handle])

    def _told(self, value: int | None) -> int:
        if value is None:
            raise self.NVMLError("Not Supported")
        return value


class Meter:
    """A meter that answers with joules given beforehand, one after another."""

    name = "bench"
    refresh_s = 1e-3
    missing: tuple[str, ...] = ()

    def __init__(self, *joules: float, part: str = "chip") -> None:
        self.parts = (Part(part, self.name, "a chip", "counter"),)
        self.joules = list(joules)
        self.running = False

    def start(self) -> None:
        assert not self.running
        self.running = True

    def stop(self) -> dict[str, float]:
        self.running = False
        return {self.parts[0].name: self.joules.pop(0)}
