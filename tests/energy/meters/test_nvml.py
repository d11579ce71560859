"""GPUs through a library that stands in for pynvml: counters, sampled powers, and what is refused."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from fake_meters import Clock, Gpus, Zones

from dovetail.energy.meters import Nvml
from dovetail.energy.meters.find import find_meters
from dovetail.errors import BadInput, CannotDo


def test_counters_of_millijoules_are_subtracted() -> None:
    library = Gpus("H200", "H200")
    library.counts = [10_000, 5]
    meter = Nvml(module=library)
    meter.start()
    library.counts = [12_500, 105]
    assert meter.stop() == pytest.approx({"gpu-0": 2.5, "gpu-1": 0.1})
    assert [(part.name, part.method, part.device) for part in meter.parts] == [
        ("gpu-0", "counter", "H200"), ("gpu-1", "counter", "H200"),
    ]  # fmt: skip


def test_only_the_devices_asked_for_are_measured() -> None:
    meter = Nvml([1], module=Gpus("A", "B"))
    assert [part.device for part in meter.parts] == ["B"]
    with pytest.raises(BadInput, match="there is no GPU 2; this machine has 2"):
        Nvml([2], module=Gpus("A", "B"))


def test_power_without_a_counter_is_integrated_by_trapezoids() -> None:
    library, clock = Gpus("P100"), Clock()
    library.counts = [None]
    meter = Nvml(module=library, clock=clock, interval_s=1e6)
    assert meter.parts[0].method == "sampled power"
    library.powers = [100_000]
    meter.start()
    for seconds, milliwatts in ((1.0, 200_000), (3.0, 100_000)):
        clock.sleep(seconds)
        library.powers = [milliwatts]
        meter.sample()
    clock.sleep(0.5)
    library.powers = [0]
    assert meter.stop() == pytest.approx({"gpu-0": 150.0 + 450.0 + 25.0})


def test_the_thread_takes_powers_by_itself_and_ends() -> None:
    library = Gpus("P100")
    library.counts, library.powers = [None], [50_000]
    meter, before = Nvml(module=library, interval_s=1e-3), threading.active_count()
    begun = time.perf_counter()
    meter.start()
    while len(meter._samples["gpu-0"]) < 4:
        time.sleep(1e-3)
    joules = meter.stop()["gpu-0"]
    assert 0 < joules <= 50.0 * (time.perf_counter() - begun)
    assert threading.active_count() == before


def test_a_gpu_that_tells_nothing_is_named_and_the_others_measured() -> None:
    library = Gpus("GT 1030", "A100")
    library.counts[0] = library.powers[0] = None
    meter = Nvml(module=library)
    assert [part.name for part in meter.parts] == ["gpu-1"]
    assert "gpu-0 (GT 1030) tells neither its energy nor its power" in meter.missing[0]
    library.counts[1] = library.powers[1] = None
    with pytest.raises(CannotDo, match="no GPU can be measured: gpu-0"):
        Nvml(module=library)


def test_without_a_gpu_or_a_driver_it_says_so() -> None:
    with pytest.raises(CannotDo, match="the driver shows none"):
        Nvml(module=Gpus())
    library = Gpus("A100")
    library.driver = False
    with pytest.raises(CannotDo, match="no NVIDIA driver answers"):
        Nvml(module=library)


def test_a_counter_that_fell_is_no_energy() -> None:
    library = Gpus("A100")
    library.counts = [500]
    meter = Nvml(module=library)
    meter.start()
    library.counts = [3]
    with pytest.raises(CannotDo, match="driver was loaded anew"):
        meter.stop()


def test_a_machine_with_processor_and_gpu_has_both_meters(tmp_path: Path) -> None:
    Zones(tmp_path, {"intel-rapl:0": ("package-0", 1)})
    found = find_meters(tmp_path, Gpus("A100"))
    assert [meter.name for meter in found.meters] == ["RAPL", "NVML"]
    assert found.missing == ()


def test_what_a_machine_lacks_is_said_beside_what_it_has(tmp_path: Path) -> None:
    Zones(tmp_path, {"intel-rapl:0": ("package-0", 1)})
    library = Gpus("A100")
    library.driver = False
    found = find_meters(tmp_path, library)
    assert [meter.name for meter in found.meters] == ["RAPL"]
    assert "no NVIDIA driver answers" in found.missing[0]
