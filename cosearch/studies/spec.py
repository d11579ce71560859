"""What a study's YAML says: which networks and hardware to search, for what, within which limits, and how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ...document import field_errors
from ...energy.quantities import to_si
from ...errors import UnknownName
from ..accuracy.registry import accuracy_class, accuracy_names
from ..accuracy.source import SourceOptions
from ..life.study_part import LifePart
from ..spaces.network_part import NetworkPart
from ..spaces.space import Value
from ..strategies.base import StrategyOptions
from ..strategies.mode_base import ModeOptions
from ..strategies.modes import mode_class, mode_names
from ..strategies.registry import strategy_class, strategy_names
from .trial import LIFE_METRICS, METRICS, OBJECTIVES

__all__ = ["MOST_SEED", "MOST_TRIALS", "NAMED_PARTS", "HardwarePart", "Limit", "StudySpec"]

BASELINE: Literal["baseline"] = "baseline"
_ALWAYS = ("space", "only", "accelerator", "search", "points")
TABLES = "tables"
NAMED_PARTS = ("strategy", "mode")
"""Parts of a study that may be a name alone, as text."""
MOST_TRIALS = 1_000_000
MOST_SEED = 2**32 - 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(kind: str, name: str, names: tuple[str, ...]) -> str:
    with field_errors():
        if name not in names:
            raise UnknownName(kind, name, names)
    return name


Objective = Annotated[str, AfterValidator(lambda name: _known("objective", name, OBJECTIVES))]


class HardwarePart(_Part):
    """``search`` lists the accelerator's parameters to vary (absent: all that can); ``points`` gives values to try.

    ``patch`` changes the spec before (``pes?x=8``, which fixes the parameter behind it). ``dataflow`` lists what
    mappings may be held to: ``free``, ``weight_stationary`` …, or files of constraints; absent: the mapper is free.
    """

    accelerator: str
    search: list[str] | None = None
    points: dict[str, list[Value]] = Field(default_factory=dict)
    patch: list[str] = Field(default_factory=list)
    dataflow: list[str] = Field(default_factory=list)


class AccuracyPart(BaseModel):
    """Where a network's accuracy comes from: a source and its own options."""

    model_config = ConfigDict(extra="allow", frozen=True)
    source: str = "published_imagenet"

    @field_validator("source")
    @classmethod
    def _source_exists(cls, name: str) -> str:
        return _known("accuracy source", name, accuracy_names())

    @property
    def options(self) -> SourceOptions:
        """The options, checked and completed by the source's own model."""
        return accuracy_class(self.source).Options.model_validate(self.model_extra or {})


class Limit(_Part):
    """The most a metric may be: a quantity with its unit, or ``baseline`` for the baseline design's value."""

    max: str | int | float

    @field_validator("max", mode="before")
    @classmethod
    def _is_no_boolean(cls, most: Any) -> Any:
        if isinstance(most, bool):
            raise ValueError(f"'{str(most).lower()}' is no limit; write a quantity, or baseline")
        return most


def _limit_value(metric: str, limit: Limit) -> float:
    return to_si(limit.max, METRICS[metric].dimension, positive=True)


class Constraints(_Part):
    """Limits on a design; the order is the one they are checked in, the cheapest to know first."""

    area_mm2: Limit | None = None
    params: Limit | None = None
    macs: Limit | None = None
    error_pct: Limit | None = None
    latency_s: Limit | None = None
    energy_j: Limit | None = None
    tracking_loss_pct: Limit | None = None
    co2e_kg: Limit | None = None
    life_energy_j: Limit | None = None

    @field_validator("*")
    @classmethod
    def _has_its_unit(cls, limit: Limit | None, info: ValidationInfo) -> Limit | None:
        if limit is not None and limit.max != BASELINE:
            with field_errors():
                _limit_value(str(info.field_name), limit)
        return limit

    def stated(self) -> dict[str, Limit]:
        """The limits that are given, by metric."""
        limits = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: limit for name, limit in limits.items() if limit is not None}


class BaselinePart(_Part):
    """The network and the accelerator every design is compared with.

    ``network`` is a zoo name or a path, or the network space's own name: then it is the one that the space varies.
    """

    network: str
    accelerator: str


class MapperPart(_Part):
    """The mapper, and what it minimises for each layer.

    ``tables`` costs each operator on the whole hardware space when a network first has it, and adds up: for spaces of
    few different operators, where it makes a network's costs on all hardware known at once.
    """

    name: str = "annealing"
    objective: Literal["energy", "latency", "edp"] = "edp"


def _or_a_name(schema: dict[str, Any]) -> None:
    whole = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, whole]


class _Named(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, json_schema_extra=_or_a_name)

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class StrategyPart(_Named):
    """A strategy's name, alone or with its own options."""

    name: str = "nsga2"

    @field_validator("name")
    @classmethod
    def _strategy_exists(cls, name: str) -> str:
        return _known("strategy", name, strategy_names())

    @property
    def options(self) -> StrategyOptions:
        """The options, checked and completed by the strategy's own model."""
        return strategy_class(self.name).Options.model_validate(self.model_extra or {})


class ReportPart(_Part):
    """What is worked out of the balanced design once the search is done.

    ``ablation``: at most so many evaluations for the way from the baseline to it, 0 for none (None: half of the trials,
    at least 36). ``timeline``: whether it is simulated. ``figures``: whether PNG and PDF are
    drawn. ``transfer``: other networks to run on its hardware.
    """

    ablation: int | None = Field(default=None, ge=0, le=100_000, strict=True)
    timeline: bool = True
    figures: bool = True
    transfer: list[str] = Field(default=["resnet18", "bert_base"])


class ModePart(_Named):
    """Which part of a design is searched when: a mode's name, alone or with its own options."""

    name: str = "joint"

    @field_validator("name")
    @classmethod
    def _mode_exists(cls, name: str) -> str:
        return _known("mode", name, mode_names())

    @property
    def options(self) -> ModeOptions:
        """The options, checked and completed by the mode's own model."""
        return mode_class(self.name).Options.model_validate(self.model_extra or {})


class Budget(_Part):
    """When to stop: after so many trials, or before a design whose accuracy would be one network's too many."""

    trials: int = Field(ge=1, le=MOST_TRIALS, strict=True)
    accuracy_evaluations: int | None = Field(default=None, ge=1, strict=True)


class StudySpec(_Part):
    """A study: networks, hardware, accuracy, objectives (minimised), constraints, baseline, life, strategy, budget."""

    name: str = Field(min_length=1)
    description: str = ""
    network: NetworkPart
    hardware: HardwarePart
    accuracy: AccuracyPart = AccuracyPart()
    objectives: list[Objective] = Field(default=["latency_s", "energy_j", "error_pct"], min_length=1)
    constraints: Constraints = Constraints()
    baseline: BaselinePart | None = None
    life_cycle: LifePart | None = None
    mapper: MapperPart = MapperPart()
    strategy: StrategyPart = StrategyPart()
    mode: ModePart = ModePart()
    budget: Budget
    report: ReportPart = ReportPart()
    seed: int = Field(default=1, ge=0, le=MOST_SEED, strict=True)

    @field_validator("objectives")
    @classmethod
    def _objectives_differ(cls, names: list[str]) -> list[str]:
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise ValueError(f"'{repeated[0]}' is listed twice; remove one of them")
        return names

    @model_validator(mode="after")
    def _baseline_is_there(self) -> StudySpec:
        if self.baseline is None and any(limit.max == BASELINE for limit in self.constraints.stated().values()):
            raise ValueError("a limit refers to the baseline, and there is none; add 'baseline:' or give a number")
        return self

    @model_validator(mode="after")
    def _life_is_described(self) -> StudySpec:
        asked = [name for name in (*self.objectives, *self.constraints.stated()) if name in LIFE_METRICS]
        if asked and self.life_cycle is None:
            what = f"{asked[0]} is that of a whole life, which is not described"
            raise ValueError(f"{what}; add 'life_cycle: {{uses: 1e9}}'")
        return self

    def limits(self, baseline: Mapping[str, float]) -> dict[str, float]:
        """The most each constrained metric may be, in SI units (area: mm²), given the baseline's metrics."""
        return {
            name: baseline[name] if limit.max == BASELINE else _limit_value(name, limit)
            for name, limit in self.constraints.stated().items()
        }

    def identity(self) -> dict[str, Any]:
        """What decides a study's trials, as plain data: all but the budget, the report and the prose."""
        data = self.model_dump(mode="json", exclude={"name", "description", "budget", "report", "mode"})
        data["strategy"] = {"name": self.strategy.name, **self.strategy.options.model_dump(mode="json")}
        if self.mode.name != "joint":  # what a study is that says nothing of its mode
            data["mode"] = {"name": self.mode.name, **self.mode.options.model_dump(mode="json")}
        data["accuracy"] = {"source": self.accuracy.source, **self.accuracy.options.model_dump(mode="json")}
        for part in ("network", "hardware"):  # what is not asked for is as if there were no word for it
            data[part] = {key: value for key, value in data[part].items() if key in _ALWAYS or value}
        return data

    def fingerprint(self) -> str:
        """Equal for studies whose trials are the same, however many of them."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()
