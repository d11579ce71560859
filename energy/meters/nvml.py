"""Energy of NVIDIA GPUs by their management library (NVML), through the optional package nvidia-ml-py (``pynvml``).

A GPU since Volta counts its millijoules itself (``nvmlDeviceGetTotalEnergyConsumption``). Of an older one the power is
read in a thread and integrated by the trapezoid rule. On newer ones that power is an average over a second (NVML's
reference), of some cards over a quarter of the time only (Yang, Adamek, Armour, "Part-time Power Measurements",
arXiv:2312.02741, 2023), so the counter is taken wherever there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

from ...errors import BadInput, CannotDo
from .meter import Part, Sampler

__all__ = ["Nvml"]

COUNTER_REFRESH_S = 0.1  # assumed of every GPU; the library does not say how often it updates
_INSTALL = "pip install 'dovetail[meters]' brings nvidia-ml-py"


class Nvml:
    """The meter of whole GPUs, memory and board included: all of them, or those whose indices are ``devices``.

    Other programs on a GPU are measured with it; indices are NVML's, in the order of the PCI bus. Raises `CannotDo`
    without the package, a driver or a GPU that can be read, `BadInput` for an index there is not.
    """

    name = "NVML"

    def __init__(
        self,
        devices: Sequence[int] | None = None,
        *,
        interval_s: float = 0.05,
        clock: Callable[[], float] = time.perf_counter,
        module: Any = None,
    ) -> None:
        self._nvml, self._clock, self._interval_s = _started(module), clock, interval_s
        self._counters: dict[str, Any] = {}
        self._powers: dict[str, Any] = {}
        parts, missing = [], []
        for index in self._indices(devices):
            part, reason = self._examine(index)
            parts += [part] if part else []
            missing += [reason] if reason else []
        if not parts:
            raise CannotDo(f"NVML: no GPU can be measured: {'; '.join(missing) or 'the driver shows none'}")
        self.parts, self.missing = tuple(parts), tuple(missing)
        self.refresh_s = COUNTER_REFRESH_S
        self._begun: dict[str, int] = {}
        self._samples: dict[str, list[tuple[float, float]]] = {}
        self._sampler: Sampler | None = None

    def _indices(self, devices: Sequence[int] | None) -> Sequence[int]:
        count = int(self._ask("nvmlDeviceGetCount"))
        for index in devices or ():
            if not 0 <= index < count:
                raise BadInput(f"devices: there is no GPU {index}; this machine has {count}, counted from 0")
        return range(count) if devices is None else tuple(dict.fromkeys(devices))

    def _examine(self, index: int) -> tuple[Part | None, str]:
        """The GPU as a part, by its counter or else its power; or why it is none."""
        handle = self._ask("nvmlDeviceGetHandleByIndex", index)
        title = self._ask("nvmlDeviceGetName", handle)
        device = title.decode(errors="replace") if isinstance(title, bytes) else str(title)
        name = f"gpu-{index}"
        try:
            self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except self._nvml.NVMLError:
            try:
                self._nvml.nvmlDeviceGetPowerUsage(handle)
            except self._nvml.NVMLError as error:
                return None, f"{name} ({device}) tells neither its energy nor its power ({error})"
            self._powers[name] = handle
            return Part(name, self.name, device, "sampled power"), ""
        self._counters[name] = handle
        return Part(name, self.name, device, "counter"), ""

    def _ask(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._nvml.NVMLError as error:
            raise CannotDo(f"NVML: {function} failed ({error}); see what nvidia-smi says") from error

    def start(self) -> None:
        """Begin; of GPUs without a counter the power is sampled from now on."""
        self._samples = {name: [] for name in self._powers}
        self.sample()
        self._begun = self._counts_mj()
        if self._powers:
            self._sampler = Sampler(self.sample, self._interval_s)
            self._sampler.start()

    def sample(self) -> None:
        """Take the power of every GPU that has no counter; the thread calls this."""
        for name, handle in self._powers.items():
            milliwatts = self._ask("nvmlDeviceGetPowerUsage", handle)
            self._samples[name].append((self._clock(), milliwatts * 1e-3))

    def stop(self) -> Mapping[str, float]:
        """Joules of each GPU since `start`."""
        sampler, self._sampler = self._sampler, None
        try:
            ended = self._counts_mj()
        finally:
            if sampler is not None:
                sampler.stop()
        self.sample()
        joules = {name: (count - self._begun[name]) * 1e-3 for name, count in ended.items()}
        for name, used in joules.items():
            if used < 0:
                raise CannotDo(f"NVML: the energy counter of {name} fell: the driver was loaded anew; measure again")
        return joules | {name: _trapezoids(samples) for name, samples in self._samples.items()}

    def _counts_mj(self) -> dict[str, int]:
        question = "nvmlDeviceGetTotalEnergyConsumption"
        return {name: int(self._ask(question, handle)) for name, handle in self._counters.items()}


def _started(module: Any) -> Any:
    """The library, loaded and initialised."""
    try:
        nvml = import_module("pynvml") if module is None else module
    except ImportError as error:
        raise CannotDo(f"NVML: the package nvidia-ml-py is not installed; {_INSTALL}") from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise CannotDo(
            f"NVML: no NVIDIA driver answers ({error}); install it, or pass the GPU to the container"
        ) from error
    return nvml


def _trapezoids(samples: Sequence[tuple[float, float]]) -> float:
    """Joules under powers (s, W)."""
    return sum((then - now) * (after + before) / 2 for (now, before), (then, after) in pairwise(samples))
