"""Optimisers by what they keep and do per parameter."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import BadInput, UnknownName

__all__ = ["OPTIMIZERS", "Optimizer", "optimizer_named"]


@dataclass(frozen=True)
class Optimizer:
    """``state_words_per_param`` words kept and ``operations_per_param`` scalar operations done per parameter and step.

    A root, a division and a sign count as one operation each, like a sum or a product; factors that are the same for
    all parameters (a learning rate over a bias correction) are computed once and count nothing. ``counters`` are the
    32-bit step counts kept for each parameter tensor. ``formula`` is the step whose operations are counted.
    Raises `BadInput` for a negative count.
    """

    name: str
    state_words_per_param: int
    operations_per_param: int
    counters: int = 0
    formula: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("state_words_per_param", "operations_per_param", "counters"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise BadInput(f"optimizer {self.name}: {field} is {value!r}; it must be a whole number from 0 on")


_ADAM = "m = b1 m + (1-b1) g (3); v = b2 v + (1-b2) g g (4); w -= a m / (r sqrt(v) + e) (6)"

OPTIMIZERS: dict[str, Optimizer] = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", 0, 2, 0, "w -= a g (2)", "Robbins and Monro, 1951"),
        Optimizer("momentum", 1, 4, 0, "v = b v + g (2); w -= a v (2)", "Polyak, 1964; as in torch.optim.SGD"),
        Optimizer("nesterov", 1, 6, 0, "v = b v + g (2); w -= a (g + b v) (4)",
                  "Sutskever et al., ICML 2013; as in torch.optim.SGD"),
        Optimizer("adagrad", 1, 7, 1, "v += g g (2); w -= a g / (sqrt(v) + e) (5)", "Duchi et al., JMLR 2011"),
        Optimizer("rmsprop", 1, 9, 1, "v = b v + (1-b) g g (4); w -= a g / (sqrt(v) + e) (5)",
                  "Tieleman and Hinton, 2012"),
        Optimizer("adam", 2, 13, 1, _ADAM, "Kingma and Ba, ICLR 2015, arXiv:1412.6980, section 2"),
        Optimizer("adamw", 2, 14, 1, f"w *= d (1); {_ADAM}", "Loshchilov and Hutter, ICLR 2019, arXiv:1711.05101"),
        Optimizer("lamb", 2, 20, 1,
                  "m = b1 m + (1-b1) g (3); v = b2 v + (1-b2) g g (4); r = (c m) / (sqrt(k v) + e) + d w (7); "
                  "sums of w w and r r (4); w -= t r (2)", "You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2"),
        Optimizer("lion", 1, 10, 0, "u = sign(b1 m + (1-b1) g) (4); w *= d (1); w -= a u (2); m = b2 m + (1-b2) g (3)",
                  "Chen et al., NeurIPS 2023, arXiv:2302.06675, Algorithm 2"),
    )
}  # fmt: skip


def optimizer_named(what: str | Optimizer) -> Optimizer:
    """The optimiser of a name. Raises `UnknownName` where there is none."""
    if isinstance(what, Optimizer):
        return what
    if not isinstance(what, str) or what.lower() not in OPTIMIZERS:
        raise UnknownName("optimizer", str(what), tuple(OPTIMIZERS))
    return OPTIMIZERS[what.lower()]
