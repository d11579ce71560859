"""A small neural network that first learns what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import F64, Inputs, check_labels

if TYPE_CHECKING:
    import torch

__all__ = ["PretrainedMlp"]

_WIDTH = 64
_MOST_POOL = 4000
_BATCH = 256
_PRETRAINING, _TRAINING = 400, 250  # steps
_MEMBERS = 4
_DECAY = 1e-3


class PretrainedMlp:
    """A multi-layer perceptron of the choices whose encoder is trained on the free statistics before it sees a label.

    After FBNetV3 (Dai et al., CVPR 2021, section 3.2): an encoder of the one-hot code learns MACs, parameters and the
    like of a pool of candidates, which cost nothing; then a new head, and the encoder with it, learn the labels. The
    uncertainty is the spread of several such networks. ``pretrain`` False leaves the first stage out.
    """

    def __init__(self, seed: int = 0, pretrain: bool = True) -> None:
        self._seed, self._pretrain = seed, pretrain
        self._pool: Inputs | None = None
        self._encoders: list[Any] = []

    def prepare(self, pool: Inputs) -> None:
        """Train the encoders on the statistics of (a part of) the pool."""
        every = len(pool) // _MOST_POOL + 1
        self._pool = pool.rows(np.arange(0, len(pool), every))
        self._encoders = []

    def fit(self, inputs: Inputs, labels: F64) -> None:
        """Train heads and encoders on the labels."""
        check_labels(inputs, labels)
        if self._pool is None:
            self.prepare(inputs)
        if not self._encoders:
            self._encoders = [self._encoder(self._seed * _MEMBERS + member) for member in range(_MEMBERS)]
        self._mean, self._scale = float(labels.mean()), float(labels.std()) or 1.0
        scaled = (labels - self._mean) / self._scale
        self._members = [
            self._headed(encoder, inputs.codes, scaled, self._seed * _MEMBERS + member)
            for member, encoder in enumerate(self._encoders)
        ]

    def predict(self, inputs: Inputs) -> tuple[F64, F64]:
        """Mean and standard deviation over the networks."""
        import torch

        codes = torch.from_numpy(inputs.codes).float()
        with torch.no_grad():
            answers = np.stack([member(codes)[:, 0].double().numpy() for member in self._members])
        return self._mean + self._scale * answers.mean(axis=0), self._scale * answers.std(axis=0)

    def _encoder(self, seed: int) -> torch.nn.Module:
        import torch

        pool = self._pool
        columns = 0 if pool is None else pool.codes.shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = torch.nn.Sequential(
                torch.nn.Linear(columns, _WIDTH), torch.nn.ReLU(), torch.nn.Linear(_WIDTH, _WIDTH), torch.nn.ReLU()
            )
            if pool is None or not self._pretrain or not pool.statistics.shape[1]:
                return encoder
            spread = pool.statistics.std(axis=0)
            targets = (pool.statistics - pool.statistics.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
            whole = torch.nn.Sequential(encoder, torch.nn.Linear(_WIDTH, targets.shape[1]))
            _train(whole, pool.codes, targets, _PRETRAINING)
        return encoder

    def _headed(self, encoder: torch.nn.Module, codes: F64, labels: F64, seed: int) -> torch.nn.Module:
        from copy import deepcopy

        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            whole = torch.nn.Sequential(deepcopy(encoder), torch.nn.Linear(_WIDTH, 1))
            _train(whole, codes, labels[:, None], _TRAINING)
        return whole


def _train(module: torch.nn.Module, codes: F64, targets: F64, steps: int) -> None:
    import torch

    inputs, wanted = torch.from_numpy(codes).float(), torch.from_numpy(targets).float()
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randperm(len(inputs))[:_BATCH]
        loss = torch.nn.functional.mse_loss(module(inputs[rows]), wanted[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
