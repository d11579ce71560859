"""The accuracy source ``supernet``: weights shared by all networks of a space, trained once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ....errors import BadInput
from ....models.network import Network
from ...own_code import failures_told
from ...spaces.composed_space import ComposedSpace
from ...spaces.network_space import NetworkSpace
from ...spaces.slots import shareable
from ...spaces.space import Value
from ..source import Accuracy, SourceOptions
from ..trained.source import TrainingOptions, held_out_sigma_pct, seed_of

if TYPE_CHECKING:
    from ...spaces.modules.mixed import SharedModule

__all__ = ["Supernet", "SupernetOptions"]


class SupernetOptions(TrainingOptions):
    """``sampling``: ``uniform`` trains one random network a step, ``fair`` each candidate once a step (dearer)."""

    epochs: int = 60
    sampling: Literal["uniform", "fair"] = "uniform"


class Supernet:
    """The accuracy that a network has with the weights it shares with all others of its space.

    The supernet is trained when the first answer is asked for, with a seed that depends on the options alone, so that
    every process of one machine and torch trains the same one.
    """

    Options: ClassVar[type[SourceOptions]] = SupernetOptions
    expensive: ClassVar[bool] = False

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        if isinstance(space, ComposedSpace) and space.genes:
            named = ", ".join(space.unstated) or "genes"
            raise BadInput(f"accuracy source 'supernet': weights are shared without {named}; state what they lose")
        self._composed = space if isinstance(space, ComposedSpace) else None
        self._space = shareable(space.base if isinstance(space, ComposedSpace) else space)
        self._options: SupernetOptions = options
        self._known: dict[str, Accuracy] = {}

    @cached_property
    def _trained(self) -> tuple[SharedModule, float]:
        """The supernet, and what one image takes on a mean path."""
        from ...torch_threads import repeatable
        from ..trained.data import load_data
        from .single_path import mean_macs, train_single_path

        options, data = self._options, load_data(self._options.dataset)
        with self._told(), repeatable(seed_of(self._space.name, options.seed, 0)):
            module = self._space.shared_module(data.shape, data.classes)
            fair = options.sampling == "fair"
            train_single_path(module, self._space.slots, data, options.recipe(), fair=fair)
            return module, mean_macs(module, self._space.slots, data)

    @cached_property
    def preparation_macs(self) -> float:
        """Multiply-accumulates of training the supernet, spent once; counted, without training it."""
        from ...torch_threads import repeatable
        from ..trained.data import load_data
        from .single_path import training_macs

        options, data = self._options, load_data(self._options.dataset)
        with self._told(), repeatable(seed_of(self._space.name, options.seed, 0)):
            module = self._space.shared_module(data.shape, data.classes)
            return training_macs(module, self._space.slots, data, options.recipe(), fair=options.sampling == "fair")

    def predict(self, network: Network | None, values: Mapping[str, Value] | None = None) -> Accuracy:
        """Top-1 with shared weights; ``sigma_pct`` is that of the finite held-out data alone.

        ``macs`` are those of looking, of a mean network; training the supernet is in ``preparation_macs``. Raises
        `BadInput` without ``values``.
        """
        if values is None:
            raise BadInput("'supernet' needs a point of the space; a description cannot be looked up in it")
        values = self._composed.base_values(values) if self._composed else values
        key = self._space.key(values)
        if key not in self._known:
            self._known[key] = self._look(values)
        return self._known[key]

    def _look(self, values: Mapping[str, Value]) -> Accuracy:
        from ...torch_threads import repeatable
        from ..trained.data import load_data
        from ..trained.loop import evaluate

        data, (module, per_image) = load_data(self._options.dataset), self._trained
        with self._told(), repeatable(0):
            module.pick({slot.name: slot.index(values) for slot in self._space.slots})
            top1 = evaluate(module, data.held)
        count = len(data.held)  # type: ignore[arg-type]
        return Accuracy(round(top1, 4), round(held_out_sigma_pct(top1, count), 4), per_image * count)

    def _told(self) -> AbstractContextManager[None]:
        """Whatever torch raises is said of the data."""
        return failures_told(f"a supernet of '{self._space.name}' cannot be trained on '{self._options.dataset}'")

    def statement(self) -> str:
        """What was trained, and what the figure is good for."""
        options = self._options
        return (
            f"One set of weights for all networks was trained on '{options.dataset}' for {options.epochs} epochs, one "
            "random network a step. Accuracies with shared weights rank networks; they are not those after training "
            "alone, and the uncertainty holds the finite held-out data only."
        )
