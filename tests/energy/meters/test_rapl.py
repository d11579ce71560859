"""Power zones of the kernel: which are added, counts that begin again, zones that may not be read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fake_meters import Zones

from dovetail.energy.meters import Rapl
from dovetail.energy.meters.find import find_meters
from dovetail.errors import CannotDo

SERVER = {
    "intel-rapl:0": ("package-0", 1_000_000),
    "intel-rapl:0:0": ("core", 10),
    "intel-rapl:0:1": ("dram", 500),
    "intel-rapl:1": ("package-1", 7_000_000),
    "intel-rapl:1:0": ("dram", 9_000),
}


def test_packages_and_their_memories_are_added_and_cores_only_reported(tmp_path: Path) -> None:
    zones = Zones(tmp_path, SERVER)
    meter = Rapl(tmp_path)
    meter.start()
    for folder, used in zip(SERVER, (3_000_000, 2_000_000, 500_000, 4_000_000, 250_000), strict=True):
        zones.add(folder, used)
    used = meter.stop()
    assert used == pytest.approx(
        {"package-0": 3.0, "package-0/core": 2.0, "package-0/dram": 0.5, "package-1": 4.0, "package-1/dram": 0.25}
    )
    assert [part.name for part in meter.parts if part.counted] == [
        "package-0", "package-0/dram", "package-1", "package-1/dram",
    ]  # fmt: skip


def test_a_count_that_begins_again_goes_on_from_its_range(tmp_path: Path) -> None:
    zones = Zones(tmp_path, {"intel-rapl:0": ("package-0", 900_000_000)}, limit=1_000_000_000)
    meter = Rapl(tmp_path)
    meter.start()
    zones.set("intel-rapl:0", 300_000_000)
    assert meter.stop() == pytest.approx({"package-0": 400.0})


def test_samples_in_between_catch_a_count_that_begins_again_twice(tmp_path: Path) -> None:
    zones = Zones(tmp_path, {"intel-rapl:0": ("package-0", 90_000_000_000)}, limit=100_000_000_000)
    meter = Rapl(tmp_path)
    meter.start()
    for count in (20_000_000_000, 90_000_000_000, 10_000_000_000):
        zones.set("intel-rapl:0", count)
        meter.sample()
    zones.set("intel-rapl:0", 15_000_000_000)
    assert meter.stop() == pytest.approx({"package-0": 125e3})


def test_counts_are_read_often_enough_for_a_kilowatt(tmp_path: Path) -> None:
    Zones(tmp_path, {"intel-rapl:0": ("package-0", 0), "intel-rapl:0:0": ("dram", 0)}, limit=65_532_610_987)
    assert Rapl(tmp_path).poll_s == pytest.approx(65_532.610987 / 1000 / 2)


def test_the_thread_of_a_long_measurement_samples_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zones = Zones(tmp_path, {"intel-rapl:0": ("package-0", 10)})
    monkeypatch.setattr(Rapl, "poll_s", 1e-3)
    meter, sampled = Rapl(tmp_path), threading.Event()
    plain = meter.sample
    monkeypatch.setattr(meter, "sample", lambda: (plain(), sampled.set()))
    before = threading.active_count()
    meter.start()
    assert sampled.wait(5)
    zones.set("intel-rapl:0", 40)
    assert meter.stop() == pytest.approx({"package-0": 30e-6})
    assert threading.active_count() == before


def test_a_failure_in_the_thread_is_raised_when_the_measurement_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = Zones(tmp_path, {"intel-rapl:0": ("package-0", 10)})
    monkeypatch.setattr(Rapl, "poll_s", 1e-3)
    meter = Rapl(tmp_path)
    meter.start()
    (zones.root / "intel-rapl:0" / "energy_uj").write_text("gone")
    with pytest.raises(CannotDo, match="holds 'gone', not a count"):
        meter.stop()


def test_a_count_that_falls_without_a_known_range_is_refused(tmp_path: Path) -> None:
    zones = Zones(tmp_path, {"intel-rapl:0": ("package-0", 900)}, limit=None)
    meter = Rapl(tmp_path)
    assert meter.poll_s == 0
    meter.start()
    zones.set("intel-rapl:0", 300)
    with pytest.raises(CannotDo, match="its range is not known"):
        meter.stop()


def test_the_platform_is_added_only_where_no_package_is_shown(tmp_path: Path) -> None:
    Zones(tmp_path / "both", {"intel-rapl:0": ("package-0", 1), "intel-rapl:1": ("psys", 1)})
    Zones(tmp_path / "alone", {"intel-rapl:0": ("psys", 1)})
    both, alone = Rapl(tmp_path / "both"), Rapl(tmp_path / "alone")
    assert [(part.name, part.counted) for part in both.parts] == [("package-0", True), ("psys", False)]
    assert [part.counted for part in alone.parts] == [True]


def test_zones_shown_twice_are_counted_once(tmp_path: Path) -> None:
    Zones(tmp_path, {"intel-rapl:0": ("package-0", 1), "intel-rapl:0:0": ("dram", 1)})
    for inside in ("intel-rapl:0/intel-rapl:0:0", "intel-rapl-mmio:0"):  # nested again; the other way to one register
        Zones(tmp_path, {inside: ("package-0", 1)})
    assert [part.name for part in Rapl(tmp_path).parts] == ["package-0", "package-0/dram"]


def test_zones_nested_as_in_the_devices_folder_are_found(tmp_path: Path) -> None:
    Zones(tmp_path, {"intel-rapl:0": ("package-0", 1), "intel-rapl:0/intel-rapl:0:1": ("dram", 1)})
    assert [part.name for part in Rapl(tmp_path).parts] == ["package-0", "package-0/dram"]


def test_without_zones_it_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CannotDo, match=r"nowhere is not there .*modprobe intel_rapl_msr"):
        Rapl(tmp_path / "nowhere")
    with pytest.raises(CannotDo, match="holds no zone 'intel-rapl:"):
        Rapl(tmp_path)


def forbid(monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    """Let the kernel refuse the counts of zones of this name; tests may run as root, whom no mode stops."""
    plain = Path.read_text

    def read_text(path: Path, *args: object, **more: object) -> str:
        if path.name == "energy_uj" and plain(path.parent / "name").strip() == title:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *args, **more)

    monkeypatch.setattr(Path, "read_text", read_text)


def test_a_forbidden_count_is_explained_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Zones(tmp_path, SERVER)
    forbid(monkeypatch, "dram")
    with pytest.raises(CannotDo) as error:
        Rapl(tmp_path)
    assert "may be read by the administrator only" in str(error.value)
    assert f"sudo chmod a+r {tmp_path}/intel-rapl:*/energy_uj" in str(error.value)


def test_a_forbidden_count_that_is_not_added_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Zones(tmp_path, SERVER)
    forbid(monkeypatch, "core")
    assert "package-0/core" not in [part.name for part in Rapl(tmp_path).parts]


def test_no_meter_at_all_says_what_was_looked_for_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)  # as if it were not installed
    with pytest.raises(CannotDo) as error:
        find_meters(tmp_path / "nowhere")
    said = str(error.value)
    assert said.startswith("no energy meter works on this machine, so nothing can be measured:\n- RAPL: ")
    assert "\n- NVML: the package nvidia-ml-py is not installed; pip install 'dovetail[meters]'" in said
    assert "read_codecarbon" in said
