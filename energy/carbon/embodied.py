"""Embodied carbon of dies, memory, storage and packages by ACT's model (Gupta et al., ISCA 2022)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from numbers import Real

from ...errors import BadInput, UnknownName
from ..quantities import to_si
from .footprint import Footprint
from .grids import Grid, grid
from .tables import CarbonTable, carbon_tables
from .yields import ACT_YIELD, DEFECTS_PER_CM2, die_yield

__all__ = [
    "ABATEMENTS",
    "FAB_NODES_NM",
    "die_footprint",
    "dram_footprint",
    "dram_footprint_kinds",
    "package_footprint",
    "storage_footprint",
    "storage_kinds",
]

ABATEMENTS = (0.95, 0.97, 0.99)
FAB_NODES_NM = (3.0, 28.0)
_DIGITS = 6  # of a node in nanometres, so that 7e-9 m is 7 nm
_STORAGE = ("ssd_nand", "ssd_seagate", "ssd_western_digital", "hdd_consumer", "hdd_enterprise")


def die_footprint(
    area_mm2: float | str,
    node_nm: float | str,
    *,
    fab_grid: Grid | str = "taiwan",
    abatement: float = 0.95,
    yield_: float | str = ACT_YIELD,
    defects_per_cm2: float = DEFECTS_PER_CM2,
) -> Footprint:
    """One working logic die: area · (fab intensity · electricity + gases + materials) / yield, per area of wafer.

    Area and node are numbers, or texts with a unit ("80 mm2", "7 nm"). ``node_nm``: 28 to 3 nm; between the nodes
    of the table the three figures lie on a straight line. ``abatement``: the share of the gases that is abated,
    0.95, 0.99 or their mean, 0.97. ``yield_``: a share, or "poisson", "murphy", "negative_binomial" with
    ``defects_per_cm2``. Its parts are "electricity", "gases" and "materials"; packaging is `package_footprint`'s.
    Raises `BadInput` for an area, node, abatement, yield or density out of range, `UnknownName` for another yield
    model or grid. Method: Gupta et al., ISCA 2022, eq. 4 and 5.
    """
    area_mm2 = _number(area_mm2, "area")
    node_nm = 1e9 * to_si(node_nm, "length") if isinstance(node_nm, str) else node_nm
    if not area_mm2 > 0.0:
        raise BadInput(f"a die of {area_mm2} mm2; its area must be above 0")
    where = grid(fab_grid)
    wafer_mm2 = area_mm2 / die_yield(yield_, area_mm2, defects_per_cm2)
    electricity_j = wafer_mm2 * _at_node("fab_energy", node_nm)
    source = carbon_tables()["fab_energy"].source
    parts = (
        Footprint("electricity", where.co2e_kg(electricity_j), electricity_j, sources=(source, where.source)),
        Footprint("gases", wafer_mm2 * _gases(node_nm, abatement), sources=(source,)),
        Footprint("materials", wafer_mm2 * _at_node("fab_materials", node_nm), sources=(source,)),
    )
    return Footprint.total(f"die of {area_mm2:g} mm2, {node_nm:g} nm", parts)


def dram_footprint(size_bits: float | str, kind: str, *, yield_: float | str = ACT_YIELD) -> Footprint:
    """DRAM of a size (bits, or a text such as "8 GB") by kind, e.g. "ddr4_10nm" (`dram_footprint_kinds`), unpackaged.

    For kinds nobody published (HBM, GDDR, DDR5, LPDDR5) the nearest published process stands in, which the source
    says. Raises `BadInput` for a size or yield out of range, `UnknownName` for another kind.
    """
    return _by_capacity("DRAM", size_bits, kind, [carbon_tables()["dram"]], yield_)


def storage_footprint(size_bits: float | str, kind: str, *, yield_: float | str = ACT_YIELD) -> Footprint:
    """Flash or a drive of a size (bits, or a text such as "1 TB") by kind, e.g. "exosx16" (`storage_kinds`), bare.

    Raises `BadInput` for a size or yield out of range, `UnknownName` for another kind.
    """
    return _by_capacity("storage", size_bits, kind, [carbon_tables()[name] for name in _STORAGE], yield_)


def package_footprint(ics: int = 1) -> Footprint:
    """The packages of ``ics`` integrated circuits, 150 g each whatever their size (ACT); raises `BadInput`."""
    if isinstance(ics, bool) or not isinstance(ics, int) or ics < 0:
        raise BadInput(f"{ics} packages; give a whole number, 0 or more")
    table = carbon_tables()["package"]
    return Footprint(f"{ics} package{'' if ics == 1 else 's'}", ics * table.figures["ic"], sources=(table.source,))


def dram_footprint_kinds() -> tuple[str, ...]:
    """The kinds of DRAM `dram_footprint` knows."""
    return tuple(_kinds([carbon_tables()["dram"]]))


def storage_kinds() -> tuple[str, ...]:
    """The kinds of storage `storage_footprint` knows."""
    return tuple(_kinds(carbon_tables()[name] for name in _STORAGE))


def _number(value: float | str, dimension: str) -> float:
    """A text in the base unit of its dimension, or a finite number that is in it already."""
    if isinstance(value, str):
        return to_si(value, dimension)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise BadInput(f"{dimension} is {value!r}; give a finite number, or a text with its unit")
    return float(value)


def _at_node(table: str, node_nm: float) -> float:
    """The figure at a node, on a straight line between the table's nodes."""
    nodes, figures = _by_node(table)
    if not (isinstance(node_nm, int | float) and nodes[0] <= round(node_nm, _DIGITS) <= nodes[-1]):
        raise BadInput(
            f"no published fab figures for {node_nm} nm; they reach from {nodes[0]:g} to {nodes[-1]:g} nm: state the "
            f"nearest of these nodes, or the die's footprint itself"
        )
    node = round(node_nm, _DIGITS)
    upper = bisect_left(nodes, node)
    if nodes[upper] == node:
        return figures[upper]
    share = (node - nodes[upper - 1]) / (nodes[upper] - nodes[upper - 1])
    return figures[upper - 1] + share * (figures[upper] - figures[upper - 1])


@lru_cache
def _by_node(table: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes (nm) in order and the figures of a table at them."""
    given = carbon_tables()[table].figures
    points = sorted((round(1e9 * to_si(text, "length"), _DIGITS), value) for text, value in given.items())
    return tuple(node for node, _ in points), tuple(value for _, value in points)


def _gases(node_nm: float, abatement: float) -> float:
    if abatement not in ABATEMENTS:
        known = ", ".join(f"{one:g}" for one in ABATEMENTS)
        raise BadInput(f"no published gases for an abatement of {abatement}; give one of {known}")
    least, most = (_at_node(f"fab_gases_{percent}", node_nm) for percent in (95, 99))
    return {0.95: least, 0.99: most}.get(abatement, (least + most) / 2.0)


def _kinds(tables: Iterable[CarbonTable]) -> dict[str, CarbonTable]:
    return {kind: table for table in tables for kind in (*table.figures, *table.same_as, *table.stands_in)}


def _by_capacity(
    what: str, size: float | str, kind: str, tables: Iterable[CarbonTable], yield_: float | str
) -> Footprint:
    size_bits = _number(size, "size")
    if not size_bits >= 0.0:
        raise BadInput(f"{what} of {size_bits} bit; give a size of 0 or more")
    if not isinstance(kind, str):
        raise BadInput(f"{what}: kind is {kind!r}; give its name, e.g. 'lpddr4' or 'nand_tlc_v3'")
    if isinstance(yield_, str):
        raise BadInput(f"{what} has no die area for the yield model '{yield_}'; give a share, e.g. {ACT_YIELD:g}")
    known = _kinds(tables)
    name = kind.strip().lower().replace(" ", "_").replace("-", "_")
    if name not in known:
        raise UnknownName(f"kind of {what}", kind, tuple(known))
    table = known[name]
    entry = table.same_as.get(name, table.stands_in.get(name, name))
    source = table.source
    if name in table.stands_in:
        source = f"{entry} stands in for {name}, for which no figure is published; {source}"
    carbon = size_bits * table.figures[entry] / die_yield(yield_, 1.0)
    return Footprint(f"{what} {name}, {size_bits / 8e9:g} GB", carbon, sources=(source,))
