"""The accuracy source ``trained``: every network is really trained."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, field_validator

from ....document import field_errors
from ....errors import BadInput, suggestion
from ....models.network import Network
from ...own_code import failures_told, named_object
from ...spaces.composed_space import ComposedSpace
from ...spaces.genes import RECIPE_PREFIX, recipe_values
from ...spaces.network_space import NetworkSpace, Trainable
from ...spaces.space import Value
from ..curves.stopping import Stopping
from ..source import Accuracy, SourceOptions

if TYPE_CHECKING:
    from .loop import Recipe, Training

__all__ = ["Trained", "TrainedOptions", "TrainingOptions", "held_out_sigma_pct", "seed_of"]


class TrainingOptions(SourceOptions):
    """The data and how to train on them.

    ``dataset``: ``digits``, or ``package.module:callable`` that returns torch data sets to train on and to judge by.
    """

    dataset: str = "digits"
    epochs: int = Field(default=20, ge=1, le=100_000)
    batch: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=5e-3, gt=0.0)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0.0)
    seed: int = Field(default=0, ge=0)

    @field_validator("dataset")
    @classmethod
    def _names_data(cls, name: str) -> str:
        module, colon, attribute = name.partition(":")
        with field_errors():
            if name != "digits" and not (module and colon and attribute):
                raise BadInput(f"'{name}' is no data set; write 'digits', or package.module:callable for your own")
        return name

    def recipe(self) -> Recipe:
        """The recipe alone."""
        from .loop import Recipe

        return Recipe(self.epochs, self.batch, self.learning_rate, self.optimizer, self.schedule, self.weight_decay)

    def chosen(self, genes: Mapping[str, Value]) -> Self:
        """The same with what a network's own recipe says in its place (``lr`` for ``learning_rate``).

        Raises `BadInput` for what is no part of a recipe, and for values that it cannot have.
        """
        renamed = {_GENES.get(name, name): value for name, value in genes.items()}
        for name in renamed:
            if name not in _RECIPE:
                remedy = suggestion(name, sorted({*_RECIPE, *_GENES}), "it knows")
                raise BadInput(f"{RECIPE_PREFIX}{name}: 'trained' cannot follow it; {remedy}")
        try:
            return type(self).model_validate({**self.model_dump(), **renamed})
        except ValidationError as error:
            first = error.errors()[0]
            what = f"{RECIPE_PREFIX}{first['loc'][0]} = {first['input']!r}: {first['msg']}"
            raise BadInput(f"{what}; give a value that 'trained' can follow") from error


_RECIPE = ("epochs", "batch", "learning_rate", "optimizer", "schedule", "weight_decay")
_GENES = {"lr": "learning_rate"}


def _check_genes(space: ComposedSpace, options: TrainedOptions) -> None:
    """Raise `BadInput` for genes that training does not see, and for values of a recipe that it cannot follow."""
    for name in space.unstated:
        if name == "recipe.name" or not name.startswith("recipe."):
            raise BadInput(
                f"accuracy source 'trained': networks are trained without {name}; state what it loses (loss_pct)"
            )
    for gene in space.genes:
        for choice in gene.choices:
            for option in choice.options:
                options.chosen(recipe_values({choice.name: option}))


class TrainedOptions(TrainingOptions):
    """``seeds``: how often each network is trained; ``stopping``: when to leave off before the last epoch."""

    seeds: int = Field(default=1, ge=1, le=100)
    stopping: Stopping | None = None


class Trained:
    """Trains each network of a space from scratch and looks at its accuracy on held-out data.

    A network's seeds follow from its key, so that the same network gets the same answer in any process of the same
    machine and torch.
    """

    Options: ClassVar[type[SourceOptions]] = TrainedOptions
    expensive: ClassVar[bool] = True

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        if not isinstance(space, Trainable):
            named = f"the network space '{space.name}' has no modules to train" if space else "there is no space"
            raise BadInput(f"accuracy source 'trained': {named}; use another source, or a space with modules")
        if isinstance(space, ComposedSpace):
            _check_genes(space, options)
        if options.dataset != "digits":
            named_object(options.dataset, "accuracy.dataset")
        self._space: Any = space
        self._options: TrainedOptions = options
        self._known: dict[str, Accuracy] = {}

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The mean top-1 over the seeds. Raises `BadInput` without ``values``, and where training fails.

        ``sigma_pct`` is that of the mean: the spread over the seeds (nothing with a single one), the finite held-out
        data, and what is unknown of epochs that were not run.
        """
        if values is None:
            raise BadInput(f"{network.name}: 'trained' needs a point of the space; a description cannot be trained")
        key = self._space.key(values)
        if key not in self._known:
            with failures_told(f"{key}: cannot be trained on '{self._options.dataset}'"):
                self._known[key] = self._answer(key, values)
        return self._known[key]

    def _answer(self, key: str, values: Mapping[str, Value]) -> Accuracy:
        from ...torch_threads import repeatable
        from .data import load_data
        from .loop import train

        options, data = self._options.chosen(recipe_values(values)), load_data(self._options.dataset)
        runs = []
        for number in range(options.seeds):
            with repeatable(seed_of(key, options.seed, number)):
                module = self._space.module(values, data.shape, data.classes)
                stop = options.stopping.rule(options.epochs) if options.stopping else None
                runs.append(train(module, data, options.recipe(), stop))
        ends = [_end(run, options) for run in runs]
        mean = statistics.fmean(top1 for top1, _ in ends)
        unknown = math.fsum(sigma * sigma for _, sigma in ends) / len(ends) ** 2
        spread = statistics.variance(top1 for top1, _ in ends) / len(ends) if len(ends) > 1 else 0.0
        held = held_out_sigma_pct(mean, len(data.held))  # type: ignore[arg-type]
        macs = math.fsum(run.macs for run in runs)
        return Accuracy(round(mean, 4), round(math.sqrt(spread + unknown + held * held), 4), macs)

    def statement(self) -> str:
        """What was trained, how often, and what the uncertainty holds."""
        options = self._options
        seeds = "one seed (its spread over seeds is not known)" if options.seeds == 1 else f"{options.seeds} seeds"
        stopped = ", stopped early where its learning curve allows" if options.stopping else ""
        return (
            f"Each network is trained on '{options.dataset}' for {options.epochs} epochs with {seeds}{stopped}; "
            "accuracy is that on held-out data. Its uncertainty holds the spread of seeds and the finite number of "
            "these data."
        )


def _end(run: Training, options: TrainedOptions) -> tuple[float, float]:
    """Accuracy after the last epoch and its standard deviation: known where it was run, else extrapolated."""
    if run.epochs == options.epochs or options.stopping is None:
        return run.top1_pct, 0.0
    return options.stopping.extrapolate(run.curve, options.epochs)


def held_out_sigma_pct(top1_pct: float, count: int) -> float:
    """Standard deviation in points of an accuracy on ``count`` samples (binomial, one right and wrong added)."""
    share = (top1_pct / 100.0 * count + 1.0) / (count + 2.0)
    return 100.0 * math.sqrt(share * (1.0 - share) / count)


def seed_of(key: str, seed: int, number: int) -> int:
    """A seed that depends on the network, the study's choice and the repetition."""
    return int.from_bytes(hashlib.sha256(f"{key}|{seed}|{number}".encode()).digest()[:6], "big")
