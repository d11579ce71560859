"""Controllers: distributions over the points of a space that a gradient can move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..spaces.space import Space, Value

if TYPE_CHECKING:
    import torch

__all__ = ["Controller"]

Codes = NDArray[np.int64]


class Controller:
    """Draws points choice after choice and says how likely each option was.

    ``lstm`` reads the options chosen so far (the controller of NAHAS, and of Zoph & Le, ICLR 2017); ``independent``
    has one distribution a choice. Options start out nearly equally likely. Inactive choices are left out of every sum.
    Numbers are float64, and draws come from the caller's generator, so that a seed repeats itself.
    """

    def __init__(self, space: Space, kind: Literal["lstm", "independent"], hidden: int, seed: int) -> None:
        import torch

        self._space = space
        self.sizes = [len(choice.options) for choice in space.choices]
        self._offsets = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        count, widest = len(self.sizes), max(self.sizes, default=1)
        self.bias = torch.zeros(count, widest, dtype=torch.float64, requires_grad=True)
        self._forbidden = torch.tensor([[at >= size for at in range(widest)] for size in self.sizes], dtype=torch.bool)
        self.parameters: list[torch.Tensor] = [self.bias]
        self._lstm: torch.nn.LSTM | None = None
        if kind == "lstm" and count:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._lstm = torch.nn.LSTM(hidden, hidden, batch_first=True, dtype=torch.float64)
                tokens = 0.1 * torch.randn(sum(self.sizes) + 1, hidden, dtype=torch.float64)
                heads = 0.01 * torch.randn(count, hidden, widest, dtype=torch.float64)
            self._tokens, self._heads = tokens.requires_grad_(), heads.requires_grad_()
            self.parameters += [self._tokens, self._heads, *self._lstm.parameters()]

    def sample(self, count: int, rng: np.random.Generator) -> list[dict[str, Value]]:
        """``count`` points drawn from the present distribution."""
        import torch

        codes = np.zeros((count, len(self.sizes)), dtype=np.int64)
        state: tuple[torch.Tensor, torch.Tensor] | None = None
        with torch.no_grad():
            for at, size in enumerate(self.sizes):
                logits = self.bias[at, :size].expand(count, size)
                if self._lstm is not None:
                    read, state = self._lstm(self._tokens[self._read(codes, at)].unsqueeze(1), state)
                    logits = logits + read[:, 0] @ self._heads[at, :, :size]
                chances = torch.softmax(logits, dim=1).numpy().cumsum(axis=1)
                drawn = (rng.random((count, 1)) * chances[:, -1:] > chances).sum(axis=1)
                codes[:, at] = np.minimum(drawn, size - 1)
        return [self._space.decode([int(index) for index in code]) for code in codes]

    def _read(self, codes: Codes, at: int) -> Codes:
        """The token before choice ``at``: the option of the choice before it, or the start."""
        if at == 0:
            return np.full(len(codes), sum(self.sizes), dtype=np.int64)
        return np.asarray(codes[:, at - 1] + self._offsets[at - 1], dtype=np.int64)

    def encode(self, points: Sequence[Mapping[str, Value]]) -> tuple[Codes, NDArray[np.bool_]]:
        """Indices of the points' options (n, choices) and which of the choices are active."""
        codes = np.array([self._space.encode(values) for values in points], dtype=np.int64)
        active = np.array([[name in values for name in self._space.names] for values in points], dtype=bool)
        return codes.reshape(len(points), -1), active.reshape(len(points), -1)

    def log_chances(self, codes: Codes) -> torch.Tensor:
        """Log-probability of every option of every choice, given those before it: (n, choices, widest choice).

        Minus infinity stands where a choice has no such option.
        """
        import torch

        logits = self.bias.expand(len(codes), *self.bias.shape)
        if self._lstm is not None:
            read = np.stack([self._read(codes, at) for at in range(len(self.sizes))], axis=1)
            output, _ = self._lstm(self._tokens[torch.from_numpy(read)])
            logits = logits + torch.einsum("nch,cho->nco", output, self._heads)
        return torch.log_softmax(logits.masked_fill(self._forbidden, float("-inf")), dim=2)
