"""What a study's ``life_cycle`` section says, and the life cycle of a design by it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ...document import field_errors
from ...energy.life import MOST_USES
from ...energy.quantities import is_figure, to_si
from .deployment import Deployment
from .spent import NONE, SearchCost, Spent

if TYPE_CHECKING:
    from ...accel.accelerator import Accelerator
    from ...energy.life import LifeCycle
    from ...mapper.estimate import Estimate
    from ...mapper.training import Recipe
    from ...models.network import Network

__all__ = ["LifePart", "SearchPart"]

_DIMENSIONS = {"idle_power": "power", "standby_power": "power", "die": "mass", "dram": "size"}


class SearchPart(BaseModel):
    """What the search for the design spends: ``trials``, each of an energy and a share of one base training."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    trials: int = Field(ge=0, strict=True)
    trial: str = "0 J"
    training_share: float = Field(default=0.0, ge=0.0)

    @field_validator("trial")
    @classmethod
    def _is_an_energy(cls, text: str) -> str:
        with field_errors():
            to_si(text, "energy")
        return text

    @property
    def cost(self) -> SearchCost:
        """The same for `life_cycle`."""
        return SearchCost(self.trials, to_si(self.trial, "energy"), self.training_share)


class LifePart(BaseModel):
    """How designs are trained, made and used, for the objectives ``co2e_kg`` and ``life_energy_j``.

    ``training`` is a recipe's name, run on ``training_devices`` of ``training_hardware`` (costed by its roofline, which
    takes milliseconds a network), an energy or "none". The other keys are `Deployment`'s.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))
    uses: float = Field(ge=0.0, le=MOST_USES, allow_inf_nan=False)
    training: str = NONE
    training_hardware: str = "a100"
    training_devices: int = Field(default=8, ge=1, strict=True)
    search: SearchPart | None = None
    devices: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | Literal["shared"] = 1.0
    years: float = Field(default=3.0, gt=0.0, allow_inf_nan=False)
    lifetime_years: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    grid: str = "world"
    training_grid: str | None = None
    fab_grid: str = "taiwan"
    pue: float = Field(default=1.1, ge=1.0, allow_inf_nan=False)
    use_pue: float = Field(default=1.0, ge=1.0, allow_inf_nan=False)
    idle_power: str | None = None
    standby_power: str = "0 W"
    standby_share: float = Field(default=0.0, ge=0.0, le=1.0)
    die_yield: float | str = 0.875
    abatement: float = 0.95
    refreshes: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    die: str | None = None
    dram: str | None = None

    @field_validator(*_DIMENSIONS)
    @classmethod
    def _has_its_unit(cls, text: str | None, info: ValidationInfo) -> str | None:
        with field_errors():
            if text is not None:
                to_si(text, _DIMENSIONS[str(info.field_name)])
        return text

    @field_validator("training")
    @classmethod
    def _training_is_known(cls, text: str) -> str:
        from ...mapper.training import load_recipe

        with field_errors():
            if is_figure(text):
                to_si(text, "energy")
            elif text != NONE:
                load_recipe(text)
        return text

    @field_validator("training_hardware")
    @classmethod
    def _hardware_exists(cls, name: str) -> str:
        from ...accel.spec import load_accelerator

        with field_errors():
            load_accelerator(name)
        return name

    @field_validator("grid", "training_grid", "fab_grid", "die_yield", "abatement")
    @classmethod
    def _is_known(cls, value: float | str | None, info: ValidationInfo) -> float | str | None:
        with field_errors():
            Deployment(**{str(info.field_name): value})  # type: ignore[arg-type]
        return value

    @model_validator(mode="after")
    def _parts_agree(self) -> LifePart:
        if self.training == NONE and self.search is not None and self.search.training_share:
            raise ValueError("search: training_share is a share of no training; add 'training:', or leave it out")
        if self._by_recipe and self.training_devices > 1:
            from ...accel.spec import load_accelerator
            from ...mapper.training import link_of, load_recipe

            batch, devices = load_recipe(self.training).batch, self.training_devices
            if batch % devices:
                raise ValueError(f"training_devices: {devices} do not divide the recipe's batch of {batch}")
            with field_errors():
                link_of(load_accelerator(self.training_hardware).name, devices)
        with field_errors():
            _ = self.deployment  # what does not go together is refused as soon as it is read
        return self

    @property
    def _by_recipe(self) -> bool:
        return self.training != NONE and not is_figure(self.training)

    @cached_property
    def deployment(self) -> Deployment:
        """The assumptions for `life_cycle`."""
        own = {name: getattr(self, name) for name in type(self).model_fields if name in Deployment.names()}
        return Deployment(**own)

    def life_of(self, network: Network, estimate: Estimate, recipe: Recipe | None = None) -> LifeCycle:
        """The life cycle of a ``network`` by its estimate, trained by ``recipe`` where one is given.

        Raises `BadInput` where a part of it has no figure.
        """
        from .account import life_cycle

        return life_cycle(
            estimate,
            self.uses,
            training=self._training_of(network, recipe),
            search=self.search.cost if self.search else None,
            deployment=self.deployment,
            uncertainty=False,
        )

    def made_and_used(self, estimate: Estimate) -> LifeCycle:
        """The same without the search and the training, whose estimate takes a hundred times as long as the rest."""
        from .account import life_cycle

        return life_cycle(estimate, self.uses, training=None, deployment=self.deployment, uncertainty=False)

    @cached_property
    def _trained_on(self) -> Accelerator:
        from ...accel.spec import load_accelerator

        return load_accelerator(self.training_hardware)

    def _training_of(self, network: Network, recipe: Recipe | None) -> Spent:
        if recipe is None and not self._by_recipe:
            return self.training
        from ...mapper.training import estimate_training

        return estimate_training(
            network, self._trained_on, recipe=recipe or self.training, devices=self.training_devices, mapper="roofline"
        )
