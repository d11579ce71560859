"""Embodied carbon and training runs: ACT's tables and examples, and the training runs of Patterson et al."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ....document import load_document, shipped, validate
from ....energy import parse_quantity, to_si
from ....energy.carbon import (
    Footprint,
    data_centre_energy_j,
    die_footprint,
    dram_footprint,
    grid,
    package_footprint,
    storage_footprint,
)
from ....errors import BadInput
from ..reference import Reference
from ..result import Case, SuiteResult, Target

__all__ = ["ABOUT", "TITLE", "run"]

TITLE = "Carbon: fabs, memories, grids and training runs"
ABOUT = """\
Gupta et al. (ACT, ISCA 2022) publish what a fab spends per area of wafer by node, what memory costs per capacity and
what electricity costs by place and source. Their tables are this project's, so that every entry must come out again;
the comparison goes through the model (a die of 1 cm² or a memory of 1 GB at a yield of 1), not through its tables. Two
of ACT's examples are whole products: the Fairphone 3 and the Dell R740 server, their chips counted as 28 nm made with
electricity from coal, for which ACT prints its own results. The makers' own assessments of the same parts show how far
the method is from other bookkeeping; nothing is asked there.

Patterson et al. (arXiv 2104.10350, 2021) give devices, power, time, PUE and net carbon intensity of five training
runs, and their energy and carbon.
"""
_ACT = "the same figures: ACT prints them"
_ASSESSED_BAR = "ACT's own results: the same errors"
_GB = 8e9
_MM2_PER_CM2 = 100.0
_Positive = Annotated[float, Field(gt=0)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    dies: list[_Positive] = Field(default_factory=list)
    dram: list[_Positive] = Field(default_factory=list)
    flash: list[_Positive] = Field(default_factory=list)
    packages: int
    act_kg: _Positive
    assessed_kg: _Positive


class _Bills(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    node_nm: _Positive
    fab_grid: str
    abatement: float
    yield_: float = Field(alias="yield")
    dram: str
    flash: str
    items: list[_Item]


class _Run(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    devices: int
    power: str
    time: str
    pue: float
    grid: str
    mwh: _Positive
    tonnes: _Positive


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bills: _Bills
    runs: list[_Run]


def run(reference: Reference) -> list[SuiteResult]:
    """Every table of the reference folder, ACT's two products, and five training runs."""
    record = validate(_Record, load_document(shipped("validation")["carbon"]))
    return [*_tables(reference), *_products(record.bills), *_training(record.runs)]


# ---- the tables ------------------------------------------------------------------------------------------------------


def _square_centimetre(key: str, part: str, abatement: float = 0.95) -> Footprint:
    node_nm = round(1e9 * to_si(f"{key.removesuffix('nm')} nm", "length"), 6)
    return die_footprint(_MM2_PER_CM2, node_nm, abatement=abatement, yield_=1.0).part(part)


def _place(year: int) -> Callable[[str], float]:
    return lambda name: grid(f"{name}@{year}").kg_per_j


# Quantity -> its unit, and the files that belong to it with the model's figure for an entry (SI, per cm2 or GB).
_QUANTITIES: dict[str, tuple[str, dict[str, Callable[[str], float]]]] = {
    "fab electricity": ("kWh/cm2", {"epa": lambda key: _square_centimetre(key, "electricity").energy_j / 100.0}),
    "fab gases": (
        "g/cm2",
        {
            "gpa_95": lambda key: _square_centimetre(key, "gases").co2e_kg / 100.0,
            "gpa_99": lambda key: _square_centimetre(key, "gases", 0.99).co2e_kg / 100.0,
        },
    ),
    "fab materials": ("g/cm2", {"materials": lambda key: _square_centimetre(key, "materials").co2e_kg / 100.0}),
    "DRAM": ("g/GB", {"dram_hynix": lambda key: dram_footprint(_GB, key, yield_=1.0).co2e_kg / _GB}),
    "SSDs and drives": (
        "g/GB",
        dict.fromkeys(
            ("ssd_hynix", "ssd_seagate", "ssd_western", "hdd_consumer", "hdd_enterprise"),
            lambda key: storage_footprint(_GB, key, yield_=1.0).co2e_kg / _GB,
        ),
    ),
    "grids": (
        "g/kWh",
        {
            "location_2022": _place(2022),
            "location_2023": _place(2023),
            "source": lambda key: grid(key).kg_per_j,
        },
    ),
}
_NEEDED = ("epa", "gpa_95", "gpa_99", "materials", "dram_hynix", "ssd_hynix")


def _tables(reference: Reference) -> list[SuiteResult]:
    """One result for each quantity some file of which is there; the files every copy has are missed where absent."""
    results = []
    for quantity, (unit, files) in _QUANTITIES.items():
        cases = [
            case
            for name, modelled in files.items()
            if (path := _file(reference, name)) is not None
            for case in _cases(path, unit, modelled, name if len(files) > 1 else "")
        ]
        if cases:
            targets = (Target("each_abs_error_pct", 0.0),)
            results.append(SuiteResult("carbon", quantity, tuple(cases), _ACT, unit, targets=targets))
    return results


def _file(reference: Reference, name: str) -> Path | None:
    if name in _NEEDED:
        return reference.path(f"carbon/{name}.yaml")
    path = None if reference.folder is None else reference.folder / "carbon" / f"{name}.yaml"
    return path if path is not None and path.is_file() else None


def _cases(path: Path, unit: str, modelled: Callable[[str], float], prefix: str) -> list[Case]:
    document = load_document(path)
    dimension, scale = parse_quantity(f"1 {unit}").dimension, parse_quantity(f"1 {unit}").value
    cases = []
    for key, text in document.data.items():
        line, _ = document.position((key,))
        try:
            published = to_si(str(text), dimension)
            found = modelled(str(key))
        except BadInput as error:
            raise BadInput(f"{path}:{line}: {key}: {error}") from error
        cases.append(Case(f"{prefix} {key}".strip(), _twelve(published / scale), _twelve(found / scale)))
    return cases


def _twelve(value: float) -> float:
    """Twelve digits: what the change of units leaves beyond them is no error."""
    return float(f"{value:.12g}")


# ---- the products ----------------------------------------------------------------------------------------------------


def _products(bills: _Bills) -> list[SuiteResult]:
    """ACT's results, which must come out again, and the makers' assessments."""
    found = {item.name: _bill_kg(item, bills) for item in bills.items}
    printed = tuple(Case(item.name, _twelve(item.act_kg), _twelve(found[item.name])) for item in bills.items)
    assessed = tuple(Case(item.name, item.assessed_kg, found[item.name]) for item in bills.items)
    exact = (Target("each_abs_error_pct", 0.0),)
    return [
        SuiteResult("carbon", "products, as ACT prints them", printed, _ACT, "kg", targets=exact),
        SuiteResult(
            "carbon", "products, as their makers assess them", assessed, _ASSESSED_BAR, "kg", notes=(_ASSESSED_NOTE,)
        ),
    ]


def _bill_kg(item: _Item, bills: _Bills) -> float:
    made = Footprint.total(
        item.name,
        [
            *(
                die_footprint(
                    area, bills.node_nm, fab_grid=bills.fab_grid, abatement=bills.abatement, yield_=bills.yield_
                )
                for area in item.dies
            ),
            *(dram_footprint(_GB * size, bills.dram, yield_=bills.yield_) for size in item.dram),
            *(storage_footprint(_GB * size, bills.flash, yield_=bills.yield_) for size in item.flash),
            package_footprint(item.packages),
        ],
    )
    return made.co2e_kg


# ---- the training runs -----------------------------------------------------------------------------------------------


def _training(runs: list[_Run]) -> list[SuiteResult]:
    """Energy and carbon of the published runs from their published inputs."""
    energy_j = {
        one.name: data_centre_energy_j(one.devices, to_si(one.power, "power"), to_si(one.time, "time"), one.pue)
        for one in runs
    }
    energy = tuple(Case(one.name, one.mwh, energy_j[one.name] / 3.6e9) for one in runs)
    carbon = {one.name: Case(one.name, one.tonnes, grid(one.grid).co2e_kg(energy_j[one.name]) / 1e3) for one in runs}
    bar, within = "the paper's own arithmetic", (Target("each_abs_error_pct", 1.0),)
    coarse = tuple(case for case in carbon.values() if case.published < _COARSE_T)
    fine = tuple(case for case in carbon.values() if case.published >= _COARSE_T)
    return [
        SuiteResult("carbon", "energy of training runs", energy, bar, "MWh", targets=within, notes=(_RUNS_NOTE,)),
        SuiteResult("carbon", "carbon of training runs", fine, bar, "t", targets=within),
        SuiteResult("carbon", "carbon of training runs below 10 t", coarse, bar, "t", notes=(_COARSE_NOTE,)),
    ]


_COARSE_T = 10.0
_ASSESSED_NOTE = (
    "Products: the phone's processor and chips and the small drive are within 16 % of the makers' assessments; memory, "
    "large drives and the server's processors are assessed at one and a half to three times as much. The gap lies "
    "between two ways of accounting for the same parts; the arithmetic is ACT's, as the exact rows show."
)
_RUNS_NOTE = (
    "Training runs: the published power is an average to three digits and the time to a tenth of a day, which is where "
    "the remaining tenths of a percent are."
)
_COARSE_NOTE = "GShard-600B's 4.3 t is published to two digits: 24.1 MWh at 0.177 kg/kWh are 4.27 t."
