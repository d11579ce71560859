"""How networks are trained: samples, epochs, batch, optimiser and words, as published; from `configs/training`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ...document import field_errors, load_document, shipped, validate
from ...errors import BadInput, UnknownName
from ...models.network import Network
from ...models.training import METHODS, SparseSchedule
from ...models.training.optimizers import optimizer_named
from ...models.training.precision import precision_named

__all__ = ["Recipe", "load_recipe", "recipe_names", "recipe_of"]


@dataclass(frozen=True)
class Recipe:
    """A training: ``samples`` samples, each taken ``epochs`` times, in steps of ``batch`` over all devices together.

    ``batch_norm``: the bias that networks for inference have in their convolutions is a batch norm in training, but not
    in the networks of ``without_batch_norm``. ``networks`` names those for which this is the published recipe, where
    ``classes`` is stated those with so many outputs. Raises
    `BadInput` for counts that are not positive and `UnknownName` for an optimiser or precision that does not exist.
    """

    name: str
    samples: int
    epochs: float
    batch: int
    optimizer: str = "momentum"
    precision: str = "mixed"
    method: str = "backprop"
    recompute: str = "none"
    sparsity: SparseSchedule | None = None
    batch_norm: bool = False
    without_batch_norm: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    classes: int | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in ("samples", "batch"):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadInput(f"recipe {self.name}: {what} is {value!r}; it must be a whole number of at least 1")
        if (
            isinstance(self.epochs, bool)
            or not isinstance(self.epochs, int | float)
            or not 0.0 < self.epochs < math.inf
        ):
            raise BadInput(f"recipe {self.name}: epochs is {self.epochs!r}; it must be a number above 0")
        optimizer_named(self.optimizer)
        precision_named(self.precision)

    @property
    def steps(self) -> int:
        """Steps of the whole training, the last one perhaps not full."""
        return math.ceil(self.samples * self.epochs / self.batch)

    def norms(self, network: Network) -> bool:
        """Whether the network's convolutions are followed by batch norms in training."""
        return self.batch_norm and network.name not in self.without_batch_norm


class _ScheduleSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["static", "rigl", "granet"] = "static"
    final: float
    initial: float = 1.0
    begin: float = 0.0
    end: float = 1.0
    interval: int = 100


class _RecipeSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    samples: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    batch: Annotated[int, Field(ge=1)]
    optimizer: str = "momentum"
    precision: str = "mixed"
    method: str = "backprop"
    recompute: str = "none"
    sparsity: _ScheduleSpec | None = None
    batch_norm: bool = False
    without_batch_norm: list[str] = []
    networks: list[str] = []
    classes: Annotated[int, Field(ge=1)] | None = None
    source: str = ""
    notes: list[str] = []

    @model_validator(mode="after")
    def _long_enough(self) -> _RecipeSpec:
        if self.steps is None and (self.samples is None or self.epochs is None):
            raise ValueError("no length; add 'samples:' and 'epochs:', or 'steps:'")
        if self.steps is not None and self.epochs is not None:
            raise ValueError("both epochs and steps; keep one of them")
        return self

    @field_validator("optimizer", "precision", "method")
    @classmethod
    def _is_known(cls, name: str, info: ValidationInfo) -> str:
        with field_errors():
            if info.field_name == "optimizer":
                optimizer_named(name)
            elif info.field_name == "precision":
                precision_named(name)
            elif name not in METHODS:
                raise UnknownName("training method", name, METHODS)
        return name

    @property
    def length(self) -> tuple[int, float]:
        """Samples and epochs; a training of so many steps takes each of its samples once."""
        return (self.steps * self.batch, 1.0) if self.steps is not None else (self.samples or 1, self.epochs or 1.0)


def recipe_names() -> tuple[str, ...]:
    """The shipped recipes."""
    return tuple(shipped("training"))


def load_recipe(what: str | Path | Recipe) -> Recipe:
    """A shipped recipe by name, or one from a ``.yaml`` file.

    Raises `UnknownName` for another name, `SpecError` with file and line for a wrong file.
    """
    if isinstance(what, Recipe):
        return what
    text = str(what)
    if text.endswith((".yaml", ".yml")):
        return _read(Path(text))
    files = shipped("training")
    if text not in files:
        raise UnknownName("training recipe", text, tuple(files))
    return _shipped(files[text])


def recipe_of(network: Network) -> str | None:
    """The name of the shipped recipe published for the network, by its name and its classes; None where none is."""
    classes = network.contractions[-1].bounds.get("K") if network.contractions else None
    found = [recipe for recipe in map(_shipped, shipped("training").values()) if network.name in recipe.networks]
    found = [recipe for recipe in found if recipe.classes in (None, classes)]
    return min(found, key=lambda recipe: recipe.classes is None).name if found else None


@lru_cache(maxsize=64)
def _shipped(path: Path) -> Recipe:
    return _read(path)


def _read(path: Path) -> Recipe:
    spec = validate(_RecipeSpec, load_document(path))
    samples, epochs = spec.length
    schedule = None
    if spec.sparsity is not None:
        schedule = SparseSchedule(**spec.sparsity.model_dump(), steps=math.ceil(samples * epochs / spec.batch))
    return Recipe(
        name=spec.name,
        samples=samples,
        epochs=epochs,
        batch=spec.batch,
        optimizer=spec.optimizer,
        precision=spec.precision,
        method=spec.method,
        recompute=spec.recompute,
        sparsity=schedule,
        batch_norm=spec.batch_norm,
        without_batch_norm=frozenset(spec.without_batch_norm),
        networks=tuple(spec.networks),
        classes=spec.classes,
        source=spec.source,
        notes=tuple(spec.notes),
    )
