"""Accuracies from a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from ...errors import BadInput, DovetailError, shortened
from ...models.network import Network
from ..spaces.network_space import NetworkSpace, network_values
from ..spaces.space import Value
from .named import named_object
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

    Raises `BadInput` where there is no such function. What the function raises itself becomes `BadInput` too: the
    design is then infeasible, and its reason says what happened.
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
        try:
            answer = self._function(network, network_values(values or {}))
        except DovetailError:
            raise
        except Exception as error:  # somebody else's code: it concerns one design
            what = f"{self.options.function} failed for {network.name}: {type(error).__name__}: {error}"
            raise BadInput(shortened(what, 300)) from error
        return self._accuracy(answer)

    def _accuracy(self, answer: object) -> Accuracy:
        if isinstance(answer, Accuracy):
            top1, sigma, macs = answer.top1_pct, answer.sigma_pct, answer.macs
        else:
            several = isinstance(answer, Sequence) and not isinstance(answer, str)
            parts: Sequence[Any] = answer if several else (answer, self.options.sigma_pct)  # type: ignore[assignment]
            try:
                top1, sigma = (float(part) for part in parts)
            except (TypeError, ValueError) as error:
                raise BadInput(f"{self._asked} '{shortened(answer)}'; {_REMEDY}") from error
            macs = 0.0
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
