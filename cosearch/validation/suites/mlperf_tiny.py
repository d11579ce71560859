"""MLPerf Tiny: energy and latency of an inference on GAP9 and on Syntiant's NDP120."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ....accel.spec import load_accelerator
from ....document import load_document, shipped, validate
from ....errors import BadInput
from ....mapper.estimate import Estimate, estimate
from ....models.load import load_network
from ....models.network import Network
from ..reference import Reference, number
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "benchmark_network", "on_system", "run", "supplied_j"]

TITLE = "MLPerf Tiny: GAP9 and NDP120"
ABOUT = """\
MLCommons publishes energy and latency of an inference for four networks that fit microcontrollers (Banbury et al.,
2021). All the energy that a system's one supply delivers counts (EEMBC's run rules for MLPerf Tiny): processors,
memories, clocks, leakage and converters, but for preparing the input, which the benchmark's runner sends ready; the
figure is the median of five inputs, each run for ten seconds at least. Compared are all rows with an energy of two
chips at two voltages each, `gap9` and `syntiant_ndp120`, as public sources describe them. Nothing is fitted to these
rows: multiplications and memories cost what the technology tables say at the supply's voltage, the clock network what
it does in Eyeriss, brought to each node by the same tables, and 90 % pass the converter from the measured 1.8 V
(`configs/validation/mlperf_tiny.yaml`).

So much is unknown of both chips (what the cores do meanwhile, how layers start, much of the NDP120's Core 2) that this
checks a band: each row within a factor of two.
"""
_TABLE = "mlperf_tiny/results.csv"
_COLUMNS = ("version", "system", "benchmark", "mode", "latency_ms", "energy", "energy_unit")
_BAR = "no published analytic model of these rows is known to us"
_MICROJOULES = {"uJ": 1.0, "mJ": 1e3, "J": 1e6}
_BAND = 2.0


class _Benchmark(BaseModel):
    """A network by the names that rows call it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: list[str] = Field(min_length=1)
    network: str
    options: dict[str, Any] = {}


class _System(BaseModel):
    """A measured system as an operating point of an accelerator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerator: str
    parameters: dict[str, str]


class _Supply(BaseModel):
    """What lies between the measured supply and the chip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    efficiency: Annotated[float, Field(gt=0, le=1)]
    source: str


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    supply: _Supply
    benchmarks: list[_Benchmark]
    systems: dict[str, _System]


@lru_cache(maxsize=1)
def _record() -> _Record:
    return validate(_Record, load_document(shipped("validation")["mlperf_tiny"]))


def benchmark_network(name: str) -> Network | None:
    """The network that a row's benchmark runs ("ic", "image_classification" …); None for one that is not described."""
    for one in _record().benchmarks:
        if name in one.names:
            return load_network(one.network, **one.options)
    return None


@lru_cache(maxsize=64)
def _estimated(system: str, benchmark: str) -> Estimate | None:
    network, stated = benchmark_network(benchmark), _record().systems.get(system)
    if network is None or stated is None:
        return None
    return estimate(network, load_accelerator(stated.accelerator).with_parameters(**stated.parameters))


def on_system(system: str, benchmark: str) -> Estimate | None:
    """The estimate of a row, mapped for energy times delay; None for a system or benchmark that is not described."""
    names = next((one.names for one in _record().benchmarks if benchmark in one.names), [benchmark])
    return _estimated(system, names[0])


def run(reference: Reference) -> list[SuiteResult]:
    """Energy and latency of every row with an energy, per accelerator; [] without the table.

    Raises `BadInput` where the table is not as expected.
    """
    found: dict[str, tuple[list[Case], list[Case]]] = {}
    for line, row in enumerate(reference.table(_TABLE, _COLUMNS) or (), 2):
        if row["mode"] != "energy" or row["system"] not in _record().systems:
            continue
        where = f"{_TABLE}:{line}"
        energy, latency_ms = (number(row, column, where) for column in ("energy", "latency_ms"))
        modelled = on_system(row["system"], row["benchmark"])
        if energy is None or modelled is None:
            continue
        name = f"{row['version']} {row['system']} {row['benchmark']}"
        energies, latencies = found.setdefault(_record().systems[row["system"]].accelerator, ([], []))
        energies.append(_case(name, _microjoules(energy, row["energy_unit"], where), 1e6 * supplied_j(modelled)))
        if latency_ms is not None:
            latencies.append(_case(name, latency_ms, 1e3 * modelled.latency_s))
    results = []
    for chip, (energies, latencies) in sorted(found.items()):
        results.append(_result(f"{chip} energy", energies, "uJ", _NOTES[chip]))
        results += [_result(f"{chip} latency", latencies, "ms")] if latencies else []
    return results


def supplied_j(modelled: Estimate) -> float:
    """Joules of an inference where they are measured: before the converter that feeds the chip."""
    return modelled.energy_j / _record().supply.efficiency


def _microjoules(energy: float, unit: str, where: str) -> float:
    if unit not in _MICROJOULES:
        raise BadInput(f"{where}: energy_unit is '{unit}', not one of {', '.join(_MICROJOULES)}; check the table")
    return energy * _MICROJOULES[unit]


def _case(name: str, published: float, modelled: float) -> Case:
    return Case(name, published, modelled, f"{modelled / published:.2f} times")


def _result(quantity: str, cases: list[Case], unit: str, notes: tuple[str, ...] = ()) -> SuiteResult:
    band = (Target("each_factor", _BAND),)
    return SuiteResult("mlperf_tiny", quantity, tuple(cases), _BAR, unit, targets=band, notes=notes)


_NOTES = {
    "gap9": (
        "GAP9's energies agree better than what they are made of: the model takes 0.53 to 0.85 times as long and more "
        "power. What starting a layer takes is missing, most in the anomaly detector's ten short layers.",
        "The clock network, with all that waits for the engine, decides GAP9's energies: without it the tables' "
        "multiplications, memories and leakage are 0.13 to 0.26 times the measured. If it took what the advertised "
        "330 uW/GOP at 150 GOPS leave beside them at full load, 64 pJ a cycle at 0.8 V in place of 185, the rows would "
        "come out at 0.50 to 0.59 times.",
    ),
    "syntiant_ndp120": (
        "Keyword spotting is farthest off on the NDP120: the model takes 0.56 to 0.62 times as long. How the chip lays "
        "out layers, and what it does between them, is not public.",
        "Without the clock network of its multipliers the NDP120 would come out at 0.39 to 0.62 times; with it but "
        "without the converter, one row of 20 would leave the band (keyword spotting of v0.7 at 0.9 V, 0.496 times).",
        "Versions 1.1 and 1.2 list the NDP120's measurements of version 1.0 once more.",
    ),
}
