"""How and where a design is trained, made and used: everything a life cycle assumes besides the design itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

from ...energy.carbon import ABATEMENTS, Grid, die_yield, grid, storage_footprint
from ...energy.carbon.yields import ACT_YIELD
from ...energy.quantities import to_si
from ...errors import BadInput

__all__ = ["SHARED", "YEAR_S", "Deployment"]

YEAR_S = 31536000.0
SHARED = "shared"
_Amount = float | str


@dataclass(frozen=True)
class Deployment:
    """Assumptions of a life cycle; numbers are SI, texts carry their unit ("50 mW", "2 GB").

    ``devices`` are in service for ``years`` ("shared": others use them, too, so that only the time in use counts);
    each lasts ``lifetime_years`` (default: the years of service) and is then written off. ``grid`` supplies them,
    ``training_grid`` (default: the same) the data centre that searches and trains, ``fab_grid`` the fab; each is a
    name, a mix or an intensity that `dovetail.energy.carbon.grid` knows. ``pue`` is the data centre's power usage
    effectiveness, ``use_pue`` that of the place of use. ``idle_power`` flows while a device waits (default: the
    accelerator's leakage), ``standby_power`` for the ``standby_share`` of that time. ``refreshes`` is how often the
    training is repeated during service. ``die`` is the footprint of a die whose fab is not in the tables ("0.5
    kg"). ``dram`` is the size of each off-chip memory that its spec leaves open (default: what the network needs,
    in steps of 256 MiB), ``storage`` pairs a kind of flash or disk with its size. ``die_yield`` is the share of good
    dies or the name of a yield model, ``abatement`` the share of fluorinated gases that the fab destroys.
    ``best_hours`` runs modelled trainings in the cleanest hours of the data centre's grid, which must have an
    hourly series. Raises `BadInput` for what cannot be, `UnknownName` for unknown grids, yield models and kinds of
    storage.
    """

    devices: float | Literal["shared"] = 1.0
    years: float = 3.0
    lifetime_years: float | None = None
    grid: str | Grid = "world"
    training_grid: str | Grid | None = None
    fab_grid: str | Grid = "taiwan"
    pue: float = 1.1
    use_pue: float = 1.0
    idle_power: _Amount | None = None
    standby_power: _Amount = 0.0
    standby_share: float = 0.0
    refreshes: float = 0.0
    die: _Amount | None = None
    dram: _Amount | None = None
    storage: tuple[str, _Amount] | None = None
    die_yield: float | str = ACT_YIELD
    abatement: float = 0.95
    best_hours: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.devices, str):
            if self.devices != SHARED:
                raise BadInput(f"devices is '{self.devices}'; give a number, or '{SHARED}' where others use them, too")
        else:
            _check("devices", self.devices, above=0.0)
        _check("years", self.years, above=0.0)
        if self.lifetime_years is not None:
            _check("lifetime_years", self.lifetime_years, above=0.0)
        _check("refreshes", self.refreshes, least=0.0)
        for name in ("pue", "use_pue"):
            _check(name, getattr(self, name), least=1.0)
        for what in (self.grid, self.fab_grid):
            grid(what)
        if not isinstance(self.best_hours, bool):
            raise BadInput(f"best_hours is {self.best_hours!r}; give True or False")
        if not self.data_centre_grid.hourly and self.best_hours:
            name = self.data_centre_grid.name
            raise BadInput(f"best_hours: grid {name} has no hourly series; give a CSV file of one, or leave it out")
        if self.idle_power_w is not None:
            _check("idle_power", self.idle_power_w, least=0.0)
        _check("standby_power", self.standby_power_w, least=0.0)
        _check("standby_share", self.standby_share, least=0.0)
        if self.standby_share > 1.0:
            raise BadInput(f"standby_share is {self.standby_share:g}; give a share from 0 to 1")
        if self.standby_power_w and not self.standby_share:
            raise BadInput("standby_power flows for no time; give the standby_share of the waiting, such as 0.9")
        if self.die_kg is not None:
            _check("die", self.die_kg, least=0.0)
        if self.dram_bits is not None:
            _check("dram", self.dram_bits, above=0.0)
        if self.storage_bits is not None:
            kind, bits = self.storage_bits
            _check("storage", bits, above=0.0)
            storage_footprint(bits, kind)
        die_yield(self.die_yield, 1.0)
        if self.abatement not in ABATEMENTS:
            raise BadInput(f"abatement is {self.abatement}; give one of {', '.join(f'{one:g}' for one in ABATEMENTS)}")

    @property
    def fleet(self) -> float:
        """Devices of its own; 0 where they are shared."""
        return 0.0 if isinstance(self.devices, str) else float(self.devices)

    @property
    def service_s(self) -> float:
        """Seconds of service."""
        return self.years * YEAR_S

    @property
    def lifetime_s(self) -> float:
        """Seconds a device lasts."""
        return (self.years if self.lifetime_years is None else self.lifetime_years) * YEAR_S

    @cached_property
    def use_grid(self) -> Grid:
        """What supplies the devices."""
        return grid(self.grid)

    @cached_property
    def data_centre_grid(self) -> Grid:
        """What supplies the data centre."""
        return self.use_grid if self.training_grid is None else grid(self.training_grid)

    @property
    def idle_power_w(self) -> float | None:
        """Watts of a waiting device, where stated."""
        return None if self.idle_power is None else _si("idle_power", self.idle_power, "power")

    @property
    def standby_power_w(self) -> float:
        """Watts of a device in standby."""
        return _si("standby_power", self.standby_power, "power")

    @property
    def die_kg(self) -> float | None:
        """Footprint of the die, where stated."""
        return None if self.die is None else _si("die", self.die, "mass")

    @property
    def dram_bits(self) -> float | None:
        """Size of an off-chip memory, where stated."""
        return None if self.dram is None else _si("dram", self.dram, "size")

    @property
    def storage_bits(self) -> tuple[str, float] | None:
        """Kind and size of the storage, where there is one."""
        if self.storage is None:
            return None
        if isinstance(self.storage, str) or len(self.storage) != 2 or not isinstance(self.storage[0], str):
            raise BadInput(f"storage is {self.storage!r}; give a kind and a size: ('nand_tlc_v3', '32 GB')")
        return self.storage[0], _si("storage", self.storage[1], "size")

    def of_others(self) -> Deployment:
        """The same without what is known of the device's own die, memory and storage: for a data centre's machines."""
        model = self.die_yield if isinstance(self.die_yield, str) else ACT_YIELD
        return replace(self, die=None, dram=None, storage=None, die_yield=model)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all assumptions."""
        return tuple(field.name for field in fields(cls))


def _si(name: str, value: _Amount, dimension: str) -> float:
    """A text with its unit, or a number that is SI already."""
    if isinstance(value, bool):
        raise BadInput(f"{name}: {value} is no quantity; write one with its unit")
    try:
        return to_si(value, dimension) if isinstance(value, str) else float(value)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error


def _check(name: str, value: float, *, least: float = -math.inf, above: float = -math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInput(f"{name} is {value!r}; give a finite number")
    if value < least:
        raise BadInput(f"{name} is {value:g}; it must be at least {least:g}")
    if value <= above:
        raise BadInput(f"{name} is {value:g}; it must be above {above:g}")
