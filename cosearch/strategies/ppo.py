"""A controller trained by proximal policy optimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..spaces.space import Value
from ..studies.trial import TrialResult
from ..torch_threads import one_thread
from .base import Batched, StrategyOptions, Task
from .controller import Controller
from .rewards import RewardOptions, make_reward

if TYPE_CHECKING:
    import torch

__all__ = ["ProximalPolicy"]

_MOST = 5.0  # of an advantage, in deviations of the reward


class PolicyOptions(StrategyOptions):
    """``controller``: `lstm` reads the choices made so far, `independent` has one distribution a choice.

    ``batch``: designs drawn before the policy moves; ``epochs``: steps on each batch; ``clip``: how far the probability
    of an option may move by it; ``decay``: of the moving average that rewards are compared with; ``entropy``: the worth
    of staying undecided; ``hidden``: width of the LSTM.
    """

    controller: Literal["lstm", "independent"] = "lstm"
    batch: int = Field(default=32, ge=1, le=10_000)
    epochs: int = Field(default=4, ge=1, le=1000)
    learning_rate: float = Field(default=0.003, gt=0.0, le=10.0)
    clip: float = Field(default=0.2, gt=0.0, lt=1.0)
    decay: float = Field(default=0.9, ge=0.0, lt=1.0)
    entropy: float = Field(default=0.1, ge=0.0, le=10.0)
    hidden: int = Field(default=32, ge=1, le=4096)
    reward: RewardOptions = RewardOptions()


class ProximalPolicy(Batched):
    """The multi-trial search of NAHAS (arXiv 2102.08619): a controller writes network and hardware option by option.

    Its reward moves it by PPO's clipped objective (Schulman et al., arXiv 1707.06347) against a moving average.
    Designs may be proposed again, the more surely the nearer the policy is to its end.
    """

    Options: ClassVar[type[StrategyOptions]] = PolicyOptions

    def __init__(self, task: Task, options: Any) -> None:
        import torch

        super().__init__(task, options.batch)
        self._options = options
        self._rng = np.random.default_rng(task.seed)
        self._reward = make_reward(options.reward, task.objectives, task.limits, task.baseline)
        self._controller = Controller(task.space, options.controller, options.hidden, task.seed)
        self._optimizer = torch.optim.Adam(self._controller.parameters, lr=options.learning_rate)
        self._baseline: float | None = None
        self._spread = 0.0

    def _propose(self, count: int) -> list[dict[str, Value]]:
        with one_thread():
            return self._controller.sample(count, self._rng)

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        with one_thread():
            self._train(points, results)

    def _train(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        import torch

        rewards = np.array([self._reward.score(result) for result in results])
        self._reward.learn(results)
        advantages = torch.from_numpy(self._advantages(rewards)).unsqueeze(1)
        codes, active = self._controller.encode(points)
        chosen, mask = torch.from_numpy(codes).unsqueeze(2), torch.from_numpy(active)
        before = self._controller.log_chances(codes).gather(2, chosen).squeeze(2).detach()
        for _ in range(self._options.epochs):
            chances = self._controller.log_chances(codes)
            ratio = torch.exp(chances.gather(2, chosen).squeeze(2) - before)
            clipped = ratio.clamp(1.0 - self._options.clip, 1.0 + self._options.clip)
            gain = torch.minimum(ratio * advantages, clipped * advantages)
            undecided = -(chances.exp() * chances.clamp(min=-100.0)).sum(dim=2)
            loss = -((gain + self._options.entropy * undecided) * mask).sum() / len(points)
            self._step(loss)

    def _step(self, loss: torch.Tensor) -> None:
        import torch

        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._controller.parameters, 5.0)
        self._optimizer.step()

    def _advantages(self, rewards: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Rewards less their moving average, in moving deviations: forms of reward differ in their scale."""
        decay, mean = self._options.decay, float(rewards.mean())
        if self._baseline is None:
            self._baseline, self._spread = mean, float(rewards.std())
        advantages = (rewards - self._baseline) / max(self._spread, 1e-9)
        deviation = float(np.sqrt(np.mean((rewards - self._baseline) ** 2)))
        self._baseline = decay * self._baseline + (1.0 - decay) * mean
        self._spread = decay * self._spread + (1.0 - decay) * deviation
        return np.clip(advantages, -_MOST, _MOST)
