"""The accuracy source ``training_free``: indicators, calibrated with a few accuracies from another source."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ....document import field_errors
from ....errors import BadInput, Infeasible
from ....models.network import Network
from ....models.op import Op
from ...own_code import one_line
from ...spaces.network_space import NetworkSpace, Trainable, known_values, network_values
from ...spaces.space import Space, Value
from ..calibrated import Calibrated, CalibrationReport, FitKind
from ..source import Accuracy, AccuracySource, SourceOptions
from .indicator import fresh_module, indicator, indicator_scores, network_scores
from .probe import Images, Probe, make_probe

if TYPE_CHECKING:
    import torch

__all__ = ["TrainingFree", "TrainingFreeOptions"]

_TRIES = 20
_PASSES = 3  # forward, and backward twice as much


def _known_indicator(name: str) -> str:
    with field_errors():
        indicator(name)
    return name


def _each_once(names: list[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"'{twice}' is listed twice; remove one of them")
    return names


class CalibrationPart(BaseModel):
    """``source`` and its own options: where accuracies come from; ``labels``: how many networks are drawn for them."""

    model_config = ConfigDict(extra="allow", frozen=True)
    source: str
    labels: int = Field(default=50, ge=3, le=100_000)

    @field_validator("source")
    @classmethod
    def _knows_accuracies(cls, name: str) -> str:
        if name == "training_free":
            raise ValueError("scores cannot be calibrated by scores; name a source of accuracies, such as table")
        return name


class TrainingFreeOptions(SourceOptions):
    """``indicators`` by name, the ``images`` a network is looked at with, and the source it is calibrated by.

    ``batch`` images of ``side`` pixels (default: the network's own resolution), weights from ``repeats`` seeds (scores
    are means). ``thin`` replaces fields of the space for the modules alone, such as ``{channels: 4, cells: 1}``.
    """

    indicators: Annotated[list[Annotated[str, AfterValidator(_known_indicator)]], AfterValidator(_each_once)] = Field(
        default=["naswot", "jacov"], min_length=1
    )
    images: Images = "digits"
    batch: int = Field(default=32, ge=4, le=1024)
    side: int | None = Field(default=None, ge=4, le=1024)
    repeats: int = Field(default=1, ge=1, le=100)
    thin: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    fit: FitKind = "monotone"
    least_labels: int = Field(default=20, ge=3)
    calibrate: CalibrationPart | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)

    def files(self) -> tuple[Path, ...]:
        """Those of the source that labels come from, where its options are right."""
        part = self.calibrate
        if part is None:
            return ()
        try:
            return _teachers_options(part).files()
        except (BadInput, ValidationError):
            return ()

    @model_validator(mode="after")
    def _has_labels_enough(self) -> TrainingFreeOptions:
        part = self.calibrate
        if part is not None and part.labels < self.least_labels:
            raise ValueError(
                f"{part.labels} labels are asked for and least_labels is {self.least_labels}; raise calibrate.labels"
            )
        return self


class TrainingFree:
    """Scores a network as it is before training, and says what accuracy networks of such scores had.

    Networks for the calibration are drawn with the seed, from the ``choices`` that a study leaves of the space, so that
    every process arrives at the same one. ``learnt`` is that calibration, for other processes to ``take``.
    Without ``calibrate`` there are scores (`scores`) and no accuracies: `predict` raises `BadInput`.
    """

    Options: ClassVar[type[SourceOptions]] = TrainingFreeOptions
    blind: ClassVar[bool] = True  # to word widths, zeros, exits and recipes
    draws: ClassVar[bool] = True  # networks for the calibration

    def __init__(self, space: NetworkSpace | None, options: Any, choices: Space | None = None) -> None:
        self.options: TrainingFreeOptions = options
        self._space = space
        self._choices = space.space if choices is None and space is not None else choices
        self._of_modules = [name for name in options.indicators if indicator(name).needs == "module"]
        if self._of_modules and not isinstance(space, Trainable):
            where = f"the network space '{space.name}' has none" if space else "there is no space"
            raise BadInput(
                f"accuracy.indicators: {self._of_modules[0]} looks at a torch module, and {where}; use macs, params, "
                "entropy, or a space with modules"
            )
        self._check_teacher()
        self._module_space = _thinned(space, options.thin)
        self._probes: dict[tuple[int, int, int], Probe] = {}
        self._refused: list[str] = []  # why the other source had no label

    @property
    def expensive(self) -> bool:
        """Whether a module has to be run."""
        return bool(self._of_modules)

    def scores(self, network: Network, values: Mapping[str, Value] | None = None) -> dict[str, float]:
        """The indicators of a network by name, means over the repeats.

        Raises `BadInput` where a module is needed and ``values`` are not known.
        """
        found = network_scores(self.options.indicators, network)
        if self._of_modules:
            own = known_values(self._space, network, values)
            if own is None:
                raise BadInput(f"{network.name}: {self._of_modules[0]} needs a point of the space, not a description")
            probe, runs = self._probe(network), []
            for repeat in range(self.options.repeats):
                module = fresh_module(lambda: self._module(own, probe), self.options.seed + repeat)
                runs.append(indicator_scores(self._of_modules, module, probe))
            found |= {name: float(np.mean([run[name] for run in runs])) for name in self._of_modules}
        return {name: found[name] for name in self.options.indicators}

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """What the calibration makes of the scores; `BadInput` without one, or where it has too few labels."""
        self._check_labels()
        scores = self.scores(network, values)
        found = self.calibration.predict(list(scores.values()))
        return dataclasses.replace(found, macs=self._scoring_macs(network))

    def _scoring_macs(self, network: Network) -> float:
        return float(_PASSES * network.macs * self.options.batch * self.options.repeats * len(self._of_modules))

    @cached_property
    def calibration(self) -> Calibrated:
        """Fitted to the labelled networks. Raises `BadInput` without ``calibrate``, or where labels cannot be had."""
        part, options = self.options.calibrate, self.options
        if part is None or self._space is None:
            remedy = "add 'calibrate: {source: table, path: ...}', or another source of accuracies"
            raise BadInput(f"accuracy.calibrate: a score is no accuracy until it is calibrated; {remedy}")
        made = Calibrated(
            [indicator(name).better for name in options.indicators], fit=options.fit, least_labels=options.least_labels
        )
        for network, values, accuracy in self._labels:
            made.add(list(self.scores(network, values).values()), accuracy.top1_pct)
        return made

    @property
    def learnt(self) -> Calibrated | None:
        """The calibration, where it was made."""
        made: Calibrated | None = self.__dict__.get("calibration")
        return made

    def take(self, learnt: Calibrated) -> None:
        """Have another process's calibration instead of one's own."""
        self.calibration = learnt

    @property
    def preparation_macs(self) -> float:
        """Multiply-accumulates of the calibration: what its labels took, and to look at their networks."""
        if self.options.calibrate is None:
            return 0.0
        before = float(getattr(self._teacher, "preparation_macs", 0.0))
        spent = (accuracy.macs + self._scoring_macs(network) for network, _, accuracy in self._labels)
        return before + math.fsum(spent)

    def _check_labels(self) -> None:
        """Raise `BadInput` where the other source gave too few labels, with what became of those it was asked for."""
        labels, least, part = len(self.calibration), self.options.least_labels, self.options.calibrate
        if labels >= least or part is None:
            return
        few = f"accuracy.calibrate: {labels} labels, {least} are needed (least_labels)"
        failed = len(self._refused)
        if not failed:
            raise BadInput(f"{few}: the space has no more networks that can be built; widen it, or lower least_labels")
        first = one_line(self._refused[0], 300)
        raise BadInput(
            f"{few}: the source '{part.source}' was asked about {labels + failed} networks and failed for {failed}; "
            f"mend or extend it; the first reason: {first}"
        )

    def report(self) -> CalibrationReport:
        """How well the calibration predicts networks it did not see."""
        return self.calibration.report()

    def statement(self) -> str:
        """What is looked at, how it was calibrated, and how far it can be trusted: overall and among the best.

        Raises `BadInput` as `predict` does, so that a study without labels ends before it begins.
        """
        self._check_labels()
        options, report = self.options, self.report()
        part = options.calibrate
        top = "too few to tell" if np.isnan(report.kendall_top) else f"{report.kendall_top:.2f}"
        images = f" with {options.batch} images ({options.images})" if self._of_modules else ""
        return (
            f"Top-1 accuracy is guessed from untrained networks ({', '.join(options.indicators)}){images}, calibrated "
            f"({options.fit}) with {report.labels} accuracies of the source '{part.source if part else ''}'. Networks "
            f"left out are ordered with Kendall {report.kendall:.2f}, the best tenth of them with {top} "
            f"({report.top_labels} networks); the error is {report.rmse_pct:.1f} points (RMSE)."
        )

    @cached_property
    def _labels(self) -> list[tuple[Network, dict[str, Value], Accuracy]]:
        """So many different networks of the choices as have an accuracy, drawn with the seed."""
        part, space, choices = self.options.calibrate, self._space, self._choices
        if part is None or space is None or choices is None:
            return []
        teacher, baseline = self._teacher, space.baseline()
        rng, seen = np.random.default_rng(self.options.seed), set[str]()
        found: list[tuple[Network, dict[str, Value], Accuracy]] = []
        for _ in range(_TRIES * part.labels):
            if len(found) == part.labels:
                break
            values = network_values(space.space.complete({**baseline, **choices.sample(rng)}))
            key = space.key(values)
            if key in seen:
                continue
            seen.add(key)
            try:
                network = space.build(values)
            except BadInput:
                continue
            try:
                found.append((network, values, teacher.predict(network, values)))
            except (BadInput, Infeasible) as error:
                self._refused.append(str(error))
        return found

    def _check_teacher(self) -> None:
        """The other source's name and options, before anything is asked of it."""
        part = self.options.calibrate
        if part is None:
            return
        try:
            _teachers_options(part)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, ("accuracy.calibrate", *first["loc"])))
            raise BadInput(f"{place}: {first['msg']}; see the options of the source '{part.source}'") from error

    @cached_property
    def _teacher(self) -> AccuracySource:
        from ..registry import accuracy_source

        part = self.options.calibrate
        if part is None or self._space is None:
            raise BadInput("accuracy.calibrate: there is no source to calibrate with; name one")
        return accuracy_source(part.source, self._space, part.model_extra)

    def _module(self, values: Mapping[str, Value], probe: Probe) -> torch.nn.Module:
        channels, height, width = (int(size) for size in probe.images.shape[1:])
        if not isinstance(self._module_space, Trainable):
            raise BadInput("accuracy.thin: the thinned space has no modules")
        return self._module_space.module(values, (channels, height, width), probe.classes)

    def _probe(self, network: Network) -> Probe:
        """Images of the shape that the network's first convolution reads."""
        shape = _image_shape(network, self.options.side)
        if shape not in self._probes:
            options = self.options
            self._probes[shape] = make_probe(options.images, shape, count=options.batch, seed=options.seed)
        return self._probes[shape]


def _teachers_options(part: CalibrationPart) -> SourceOptions:
    from ..registry import accuracy_class

    return accuracy_class(part.source).Options.model_validate(part.model_extra or {})


def _thinned(space: NetworkSpace | None, fields: Mapping[str, int]) -> NetworkSpace | None:
    if not fields or space is None:
        return space
    own: Any = space
    known = [one.name for one in dataclasses.fields(own)] if dataclasses.is_dataclass(own) else []
    for name in fields:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadInput(f"accuracy.thin: '{name}' is no field of the space '{space.name}'; {has}")
    thinned: NetworkSpace = dataclasses.replace(own, **fields)
    return thinned


def _image_shape(network: Network, side: int | None) -> tuple[int, int, int]:
    for op in network.ops:
        if isinstance(op, Op) and {"P", "Q", "R", "S"} <= op.bounds.keys():
            rows = next(rank for rank in op.tensor("input").ranks if any(dim == "P" for dim, _ in rank.terms))
            pixels = side or op.bounds["P"] * dict(rows.terms)["P"]
            return op.bounds.get("C", 1) * op.bounds.get("G", 1), pixels, pixels
    raise BadInput(f"{network.name}: it has no convolution, so there is no image to look at it with")
