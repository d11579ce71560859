"""The accuracy predictor fitted to published results."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput
from ...models.network import Network
from ..spaces.composed_space import ComposedSpace
from ..spaces.network_space import NetworkSpace
from ..spaces.space import Value
from .features import Features, class_count, network_features, row_features
from .scaling_law import Fit, fit
from .source import Accuracy, SourceOptions

__all__ = [
    "RECIPES",
    "AccuracyReport",
    "Errors",
    "Published",
    "PublishedImagenet",
    "PublishedPredictor",
    "load_published",
]

RECIPES = ("basic", "augmented", "modern")
_TABLE = Path(__file__).resolve().parents[2] / "configs" / "accuracy" / "imagenet_published.csv"
_ROW_FOLDS = 10
_CLASSES = (1000, 1001)  # TensorFlow's networks have one more, for the background
_REMEDY = "take another source of accuracies, such as table, function or trained"


@dataclass(frozen=True)
class Errors:
    """How predictions of rows kept aside compare with the published figures: points of accuracy, rank correlations."""

    rmse_pct: float
    mae_pct: float
    spearman: float
    kendall: float


@dataclass(frozen=True)
class AccuracyReport:
    """Cross-validation: ``by_family`` keeps whole families aside (the honest error for a new design), ``by_row`` tenths
    of the rows; ``basic_by_family`` is the part of the former with the basic recipe. ``widening`` multiplies the
    model's own standard deviation so that the errors by family have unit variance.
    """

    rows: int
    families: int
    by_family: Errors
    basic_by_family: Errors
    by_row: Errors
    widening: float


@dataclass(frozen=True)
class Published:
    """One published result."""

    model: str
    family: str
    top1_pct: float
    recipe: str
    source: str
    features: Features


def load_published(path: Path | None = None) -> tuple[Published, ...]:
    """The table of published ImageNet results (columns: see the YAML file beside it); the shipped one is read once."""
    return _shipped() if path is None else _read(path)


@cache
def _shipped() -> tuple[Published, ...]:
    return _read(_TABLE)


def _read(path: Path) -> tuple[Published, ...]:
    with path.open(encoding="utf-8", newline="") as text:
        return tuple(
            Published(
                row["model"], row["family"], float(row["top1_pct"]), row["recipe"], row["source"], row_features(row)
            )
            for row in csv.DictReader(text)
        )


class PublishedPredictor:
    """A scaling law fitted to published ImageNet results (see ``scaling_law``).

    Predicts for one training recipe. Features outside the range of the recipe's rows are moved to its edge; what the
    law would have added beyond, and for MACs that no published result vouches for (see ``features``), goes into sigma
    instead. No prediction is above the recipe's best published result. Sigma is the fit's standard deviation for a
    network of a new family, times a factor that makes the standardised errors of leave-one-family-out cross-validation
    have unit variance.
    """

    def __init__(self, rows: Sequence[Published] | None = None, recipe: str = "basic") -> None:
        """Fit the rows (default: the shipped table). Raises `BadInput` for an unknown recipe or one without rows."""
        self.rows = tuple(load_published() if rows is None else rows)
        for each in (recipe, *(row.recipe for row in self.rows)):
            if each not in RECIPES:
                raise BadInput(f"recipe: '{each}' is unknown; use one of {', '.join(RECIPES)}")
        self.recipe = recipe
        same = [row for row in self.rows if row.recipe == recipe]
        if len(same) < 2:
            raise BadInput(f"recipe: the table has {len(same)} results trained with '{recipe}'; two or more are needed")
        self._sizes = np.array([row.features.sizes() for row in self.rows])
        self._kinds = np.array([_kinds(row.features, row.recipe) for row in self.rows])
        self._log_error = np.log([100.0 - row.top1_pct for row in self.rows])
        names = sorted({row.family for row in self.rows})
        self._families = np.array([names.index(row.family) for row in self.rows])
        seen = np.array([row.features.sizes() for row in same])
        self._low, self._high = seen.min(axis=0), seen.max(axis=0)
        self._best_pct = max(row.top1_pct for row in same)
        self._fit = self._fitted(np.ones(len(self.rows), dtype=bool))

    def _fitted(self, kept: NDArray[np.bool_]) -> Fit:
        return fit(self._sizes[kept], self._kinds[kept], self._families[kept], self._log_error[kept])

    def predict(self, network: Network) -> Accuracy:
        """The accuracy of a network trained with this predictor's recipe.

        Raises `BadInput` for one without convolutions, of other classes than ImageNet's, and for images smaller than
        those of any published result.
        """
        features = network_features(network)
        for wrong in (_other_classes(class_count(network)), self._too_small(features.resolution)):
            if wrong:
                raise BadInput(f"{network.name}: {wrong}; {_REMEDY}")
        return self.predict_features([features])[0]

    def check_space(self, space: NetworkSpace) -> None:
        """Raise `BadInput` where no network of a space has a prediction, as far as its baseline and fields tell."""
        base = space.base if isinstance(space, ComposedSpace) else space
        network = base.build(base.baseline())
        network_features(network)
        sides = getattr(base, "resolutions", None) or (getattr(base, "resolution", math.inf),)
        for wrong in (_other_classes(class_count(network)), self._too_small(max(sides))):
            if wrong:
                raise BadInput(f"accuracy source 'published_imagenet' on the space '{space.name}': {wrong}; {_REMEDY}")

    def _too_small(self, side: float) -> str:
        least = min(row.features.resolution for row in self.rows)
        return f"images of {side:g} pixels to a side are smaller than any published ({least:g})" if side < least else ""

    def predict_features(self, features: Sequence[Features]) -> list[Accuracy]:
        """As ``predict``, for many networks at once."""
        sizes = np.array([each.sizes() for each in features])
        kinds = np.array([_kinds(each, self.recipe) for each in features])
        inside = np.clip(sizes, self._low, self._high)
        mean, sigma = self._fit.predict(inside, kinds)
        slopes = self._fit.coefficients[1 : 1 + sizes.shape[1]] / self._fit.spread
        refused = (np.abs(sizes - inside) * slopes).sum(axis=1)
        refused += slopes[0] * np.array([each.uncounted for each in features])
        top1 = np.clip(100.0 - np.exp(mean), 0.0, self._best_pct)
        sigma = np.sqrt((self._widening * sigma) ** 2 + refused**2) * (100.0 - top1)
        # Rounded, so that neither the order of sums in a linear-algebra library nor a batch's size shows in a log.
        return [Accuracy(round(float(a), 4), round(float(s), 4)) for a, s in zip(top1, sigma, strict=True)]

    @cached_property
    def _left_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log error and its standard deviation of each row, predicted without its family."""
        return self._cross_validated(self._families)

    def _cross_validated(self, groups: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean, sigma = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        for group in np.unique(groups):
            out = groups == group
            mean[out], sigma[out] = self._fitted(~out).predict(self._sizes[out], self._kinds[out])
        return mean, sigma

    @cached_property
    def _widening(self) -> float:
        mean, sigma = self._left_out
        return float(np.sqrt(np.mean(((mean - self._log_error) / sigma) ** 2)))

    def report(self) -> AccuracyReport:
        """Errors of cross-validation by family and by row over the whole table."""
        return self._report

    @cached_property
    def _report(self) -> AccuracyReport:
        folds = np.random.default_rng(0).permutation(len(self.rows)) % _ROW_FOLDS
        basic = np.array([row.recipe == "basic" for row in self.rows])
        by_family = self._left_out[0]
        return AccuracyReport(
            rows=len(self.rows), families=int(self._families.max()) + 1,
            by_family=_errors(by_family, self._log_error),
            basic_by_family=_errors(by_family[basic], self._log_error[basic]),
            by_row=_errors(self._cross_validated(folds)[0], self._log_error),
            widening=self._widening,
        )

    def statement(self) -> str:
        """What the predictor is and what error cross-validation found."""
        report = self.report()
        family, row = report.by_family, report.by_row
        return (
            f"Top-1 accuracy (ImageNet, {self.recipe} training recipe) is predicted, not measured: a scaling law "
            f"fitted to {report.rows} published results of {report.families} families of networks. Predictions for a "
            f"family left out are wrong by {family.mae_pct:.1f} points on average (RMSE {family.rmse_pct:.1f}; "
            f"rank correlation {family.spearman:.2f}, Kendall {family.kendall:.2f}), for single rows left out by "
            f"{row.mae_pct:.1f} (RMSE {row.rmse_pct:.1f})."
        )


class PublishedOptions(SourceOptions):
    """``recipe``: how the network is trained: ``basic``, ``augmented``, ``modern``."""

    recipe: Literal["basic", "augmented", "modern"] = "basic"


class PublishedImagenet:
    """A scaling law fitted to published ImageNet results (`PublishedPredictor`) of one training recipe.

    Raises `BadInput` for a space of another data set's networks, or of networks without convolutions.
    """

    Options: ClassVar[type[SourceOptions]] = PublishedOptions
    expensive: ClassVar[bool] = False
    blind: ClassVar[bool] = True  # to word widths, zeros, exits and recipes

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        self.predictor = PublishedPredictor(recipe=options.recipe)
        if space is not None:
            self.predictor.check_space(space)

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The accuracy of a network trained with the recipe; `BadInput` as `PublishedPredictor.predict`."""
        return self.predictor.predict(network)

    def report(self) -> AccuracyReport:
        """Errors of cross-validation."""
        return self.predictor.report()

    def statement(self) -> str:
        """What the predictor is and what error cross-validation found."""
        return self.predictor.statement()


def _other_classes(count: int) -> str:
    return "" if count in _CLASSES else f"{count} outputs are not ImageNet's {_CLASSES[0]} classes"


def _kinds(features: Features, recipe: str) -> NDArray[np.float64]:
    """Yes-or-no properties, recipe steps, and how much more a better recipe gives to a larger network."""
    level = RECIPES.index(recipe)
    better = float(level >= 1)
    steps = [better, float(level >= 2), better * float(np.log(features.effective_gmacs))]
    return np.concatenate([features.kinds(), steps])


def _errors(predicted: NDArray[np.float64], published: NDArray[np.float64]) -> Errors:
    from scipy.stats import kendalltau, spearmanr

    miss = np.exp(predicted) - np.exp(published)
    return Errors(
        rmse_pct=float(np.sqrt(np.mean(miss**2))), mae_pct=float(np.mean(np.abs(miss))),
        spearman=float(spearmanr(predicted, published).statistic),
        kendall=float(kendalltau(predicted, published).statistic),
    )
