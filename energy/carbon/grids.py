"""Carbon intensity of electricity: by place and year, by source, as a mix, as a figure, or hour by hour from a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...errors import BadInput, UnknownName, nearest, shortened
from ..quantities import is_figure, to_si
from .hours import BestHours, best_run, best_split, mean_over
from .series import read_series
from .tables import GridFigures, PlaceFigures, grid_figures

__all__ = ["Grid", "data_centre_energy_j", "grid", "grid_names"]

_J_PER_KWH = 3.6e6
_YEAR = 2023
_SHARE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Grid:
    """Carbon per joule of electricity: the mean (kg/J), and hour by hour (kg/J; a day or a year) where it is known.

    Raises `BadInput` for an intensity that is negative or no number.
    """

    name: str
    kg_per_j: float
    hourly: tuple[float, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        for value in (self.kg_per_j, *self.hourly):
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"grid {self.name}: an intensity of {value} kg/J; give a finite figure, 0 or more")

    @property
    def g_per_kwh(self) -> float:
        """The mean in grams per kilowatt-hour."""
        return self.kg_per_j * _J_PER_KWH * 1e3

    def co2e_kg(self, energy_j: float) -> float:
        """Kilograms of CO2 equivalent of ``energy_j`` joules at the mean intensity."""
        return energy_j * self.kg_per_j

    def average(self, start_hour: float, duration_s: float) -> float:
        """Mean intensity (kg/J) of a run of ``duration_s`` from ``start_hour``; the series begins again at its end.

        The mean of all hours where there is no series. Raises `BadInput` for a duration that is not above 0.
        """
        if not self.hourly:
            return self.kg_per_j
        return mean_over(self.hourly, start_hour, duration_s)

    def best_hours(self, duration_s: float, *, pausing: bool = False) -> BestHours:
        """When to run for ``duration_s`` at constant power with the least carbon, and how much that saves.

        In one piece it starts wherever the mean is least (at a full hour, or so that it ends at one); ``pausing``, it
        runs in the cleanest hours of the series. Raises `BadInput` for a grid without an hourly series, and for a
        duration that is not above 0 or, pausing, beyond the series.
        """
        if not self.hourly:
            raise BadInput(f"grid {self.name} has no hourly series; give a CSV file of one (24 or 8760 hours)")
        return (best_split if pausing else best_run)(self.hourly, duration_s)


def grid(what: Grid | str | Path | Mapping[str, float]) -> Grid:
    """A grid from what a user may write.

    A place by ISO code or English name ("FRA", "france", "world"), of a year ("USA@2022"; else 2023 or the newest
    before it); a source ("coal", "wind"); a figure ("300 g/kWh"); a mix of such by shares that add up to
    1 (``{"wind": 0.6, "gas": 0.4}`` or "wind=0.6,gas=0.4"); a CSV file of an hourly series (`read_series`); or a `Grid`
    itself. Raises `UnknownName` for another name, `BadInput` for a year without figures, shares that do not add up, a
    figure with a foreign unit, a broken file.
    """
    if isinstance(what, Grid):
        return what
    if isinstance(what, Mapping):
        return _mix(what)
    if isinstance(what, Path):
        return _from_file(what)
    if not isinstance(what, str):
        raise BadInput(f"'{shortened(what)}' is no grid; give a place, '300 g/kWh', a mix, or a CSV file")
    text = what.strip()
    if text.lower().endswith(".csv"):
        return _from_file(Path(text))
    if "=" in text:
        return _mix(_shares(text))
    return _named(text)


def grid_names() -> tuple[str, ...]:
    """The names `grid` knows: codes and names of places, sources of electricity."""
    figures = grid_figures()
    places = [name for place in figures.places.values() for name in (place.code, *_names(place))]
    return (*dict.fromkeys(places), *figures.sources)


def data_centre_energy_j(devices: float, power_w: float, seconds: float, pue: float = 1.1) -> float:
    """Joules a data centre draws for ``devices`` of ``power_w`` each over ``seconds``: N · W · t · PUE.

    ``pue`` is all the centre's energy over that of its computers (at least 1). Patterson et al., arXiv 2104.10350,
    2021. Raises `BadInput` for a negative figure or a PUE below 1.
    """
    for name, value in (("devices", devices), ("power_w", power_w), ("seconds", seconds)):
        if not (math.isfinite(value) and value >= 0.0):
            raise BadInput(f"{name} is {value}; give 0 or more")
    if not (math.isfinite(pue) and pue >= 1.0):
        raise BadInput(f"a PUE of {pue}; a data centre draws at least what its computers do: give 1 or more")
    return devices * power_w * seconds * pue


def _names(place: PlaceFigures) -> tuple[str, ...]:
    return (place.name, *place.also)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


@lru_cache(maxsize=1)
def _places() -> dict[str, PlaceFigures]:
    """Places by every name, plainly written."""
    return {_plain(one): place for place in grid_figures().places.values() for one in (place.code, *_names(place))}


@lru_cache(maxsize=256)
def _named(text: str) -> Grid:
    """A place or a source of electricity by name, or a figure."""
    if is_figure(text):
        return Grid(text, to_si(text, "carbon_intensity"), source="as given")
    figures = grid_figures()
    name, at, year = text.partition("@")
    place = _places().get(_plain(name))
    if place is not None:
        return _of_year(place, year.strip() if at else None, text)
    if _plain(name) not in figures.sources:
        raise _unknown(name, figures)
    if at:
        raise BadInput(f"'{shortened(text)}': a source of electricity has no year; write '{_plain(name)}'")
    return Grid(_plain(name), figures.sources[_plain(name)], source=figures.source)


def _of_year(place: PlaceFigures, year: str | None, text: str) -> Grid:
    known = ", ".join(str(one) for one in sorted(place.by_year))
    if year is None:
        newest = max((one for one in place.by_year if one <= _YEAR), default=max(place.by_year))
    elif year.isdecimal() and int(year) in place.by_year:
        newest = int(year)
    else:
        asked = shortened(year) or "no year"
        raise BadInput(f"'{shortened(text)}': no figure of {place.name} for {asked}; there is {known}")
    return Grid(f"{place.name} {newest}", place.by_year[newest], source=f"{place.source}; {place.name}, {newest}")


def _unknown(name: str, figures: GridFigures) -> BadInput:
    """The nearest name where one is close; else what may be written, rather than two hundred names."""
    known = grid_names()
    plain = tuple(_plain(one) for one in known)
    if nearest(_plain(name), plain) is not None:
        return UnknownName("grid", _plain(name), plain)
    ways = ("world", "europe", "a country's name or ISO code", *figures.sources, "'300 g/kWh'", "a CSV file")
    return UnknownName("grid", name, ways)


def _shares(text: str) -> dict[str, float]:
    """``"wind=0.6,gas=0.4"`` as a mapping."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        if name in shares:
            raise BadInput(f"'{shortened(text)}' names {shortened(name)} twice; add up its shares")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise BadInput(f"'{shortened(part)}' is no share of a mix; write e.g. 'wind=0.6,gas=0.4'") from error
    return shares


def _mix(shares: Mapping[str, float]) -> Grid:
    """The mean of places and sources weighted by their shares."""
    if not shares:
        raise BadInput("an empty mix; name sources with shares that add up to 1")
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < math.inf:
            raise BadInput(f"the share of {name} is {share}; give a number from 0 to 1")
        if str(name).lower().endswith(".csv"):
            raise BadInput(f"'{shortened(name)}' cannot be mixed; give places, sources and figures, or one file alone")
    total = math.fsum(shares.values())
    if abs(total - 1.0) > _SHARE_TOLERANCE:
        remedy = "write shares, not percent" if abs(total - 100.0) < 1.0 else "they must add up to 1"
        raise BadInput(f"the shares of {', '.join(shares)} add up to {total:g}; {remedy}")
    grids = {name: _named(name) for name in shares}
    name = ", ".join(f"{one} {100.0 * share:g} %" for one, share in shares.items())
    sources = "; ".join(dict.fromkeys(one.source for one in grids.values()))
    return Grid(name, math.fsum(share * grids[one].kg_per_j for one, share in shares.items()), source=sources)


def _from_file(path: Path) -> Grid:
    hourly = read_series(path)
    return Grid(path.stem, math.fsum(hourly) / len(hourly), hourly, f"hourly series of {path.name}")
