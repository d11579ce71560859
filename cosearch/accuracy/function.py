"""Accuracies from a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from ...errors import BadInput
from ...models.network import Network
from ..own_code import FAILURES, failures_told, named_object, one_line
from ..spaces.network_space import NetworkSpace, network_values
from ..spaces.space import Value
from .source import Accuracy, SourceOptions

__all__ = ["AccuracyFunction", "FunctionOptions"]


class FunctionOptions(SourceOptions):
    """``function`` is ``package.module:callable``. It is called with the `Network` and the network's choices.

    It returns top-1 accuracy in percent, or that and its standard deviation, or an `Accuracy`. ``sigma_pct`` is the
    standard deviation where it returns none; ``expensive: false`` says that an answer is quicker than mapping.
    """

    function: str = Field(min_length=1)
    sigma_pct: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    expensive: bool = True


class AccuracyFunction:
    """Asks a function, which has to give equal networks equal answers, in any process.

    Raises `BadInput` where there is no such function. What the function raises itself, a wish to leave the program
    among it, becomes `BadInput` too: the design is then infeasible, and its reason says what happened.
    """

    Options: ClassVar[type[SourceOptions]] = FunctionOptions

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        self.options: FunctionOptions = options
        self._function: Callable[..., Any] = named_object(options.function, "accuracy.function")
        if not callable(self._function):
            raise BadInput(f"accuracy.function: '{options.function}' is no function; give something that can be called")

    @property
    def expensive(self) -> bool:
        """As the options say."""
        return self.options.expensive

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """What the function says; `BadInput` where that is no accuracy. ``values`` are {} for a network of no space."""
        with failures_told(f"{self.options.function} failed for {network.name}"):
            answer = self._function(network, network_values(values or {}))
        return self._accuracy(answer)

    def _accuracy(self, answer: object) -> Accuracy:
        parts: Sequence[Any]
        if isinstance(answer, Accuracy):
            parts = (answer.top1_pct, answer.sigma_pct, answer.macs)
        elif isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
            parts = (*answer, 0.0)
        else:
            parts = (answer, self.options.sigma_pct, 0.0)
        for part in parts:
            if kind := _no_number(part):
                raise BadInput(f"{self._asked} {kind} '{one_line(part, 60)}', no number; {_REMEDY}")
        try:
            top1, sigma, macs = (float(part) for part in parts)
        except FAILURES as error:
            raise BadInput(f"{self._asked} '{one_line(answer, 60)}'; {_REMEDY}") from error
        if not (0.0 <= top1 <= 100.0 and 0.0 <= sigma < math.inf and 0.0 <= macs < math.inf):
            raise BadInput(f"{self._asked} {top1:g} ± {sigma:g}; {_REMEDY}")
        return Accuracy(top1, sigma, macs)

    @property
    def _asked(self) -> str:
        return f"{self.options.function} returned"

    def statement(self) -> str:
        """Which function it is, and its own first line of documentation."""
        about = (self._function.__doc__ or "").strip().partition("\n")[0]
        return f"Top-1 accuracy is what {self.options.function} says." + (f" {about}" if about else "")


_REMEDY = "it must return top-1 accuracy in percent (0 to 100), alone or with its standard deviation"


def _no_number(part: object) -> str:
    """What ``float`` would take for a number without its being one, in words; empty for anything else."""
    if isinstance(part, str | bytes):
        return "the text"
    truth = isinstance(part, bool) or "bool" in str(getattr(part, "dtype", ""))
    return "the truth value" if truth else ""
