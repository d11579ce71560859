"""The loop of a search: batches are asked for, replayed or evaluated, kept and told, as long as the budget lasts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from ...errors import BadInput
from ..executors.executor import Executor, NetworkKey
from ..spaces.space import Value
from ..strategies.base import Strategy
from .spec import Budget
from .trial import Proposal, Trial, answer_of

__all__ = ["Purse", "finished_trials"]

_NONE_ASKED = "budget.accuracy_evaluations: this study asks for no network's accuracy; leave it out"


class Purse:
    """Counts the networks whose accuracy was asked for, found or not, and says which trials may still be evaluated.

    A search ends before the first design of a network whose accuracy is not known, once ``most`` are: exactly, in the
    order of the trials' numbers, whatever runs side by side.
    """

    def __init__(self, most: int | None, network_key: NetworkKey | None) -> None:
        """Raises `BadInput` where accuracies are to be counted that are no network's alone."""
        self._most = most
        self._key = network_key
        self._paid: set[str] = set()
        if most is not None and network_key is None:
            raise BadInput(_NONE_ASKED)

    @property
    def spent(self) -> int:
        """How many networks' accuracies were asked for."""
        return len(self._paid)

    def note(self, trial: Trial) -> None:
        """Count a finished trial's network, where its accuracy was asked for."""
        key = self._key(trial.values) if self._key is not None else None
        if key is not None and answer_of(trial.result) is not None:
            self._paid.add(key)

    def affordable(self, proposals: deque[Proposal]) -> list[Proposal]:
        """Take from the left those that cannot overdraw even if each pays; none are left to take at the end."""
        taken: list[Proposal] = []
        new: set[str] = set()
        while proposals:
            if self._most is not None and self._key is not None:
                key = self._key(proposals[0].values)
                if key is None:
                    raise BadInput(_NONE_ASKED)
                if key not in self._paid:
                    new.add(key)
                if self.spent + len(new) > self._most:
                    break
            taken.append(proposals.popleft())
        return taken


def finished_trials(
    strategy: Strategy, executor: Executor, budget: Budget, purse: Purse, logged: Sequence[Trial],
    keep: Callable[[Trial], None],
) -> Iterator[Trial]:  # fmt: skip
    """Batch after batch: logged trials are replayed, the others evaluated and kept; all are told in numbers' order.

    Raises `BadInput` where a logged trial is not what the strategy proposes.
    """
    executor.learn(logged)
    known = {trial.number: trial for trial in logged}
    asked = 0
    while asked < budget.trials:
        at_once = min(strategy.batch, getattr(strategy, "at_once", strategy.batch))
        proposals = strategy.ask(min(at_once, budget.trials - asked))
        if not proposals:
            return
        asked += len(proposals)
        batch: dict[int, Trial] = {}
        waiting = deque(proposals)
        while waiting:
            window = purse.affordable(waiting)
            if not window:
                return
            for trial in _window(window, executor, known, keep):
                batch[trial.number] = trial
                purse.note(trial)
                yield trial
        numbers = sorted(batch)
        strategy.tell(numbers, [batch[number].result for number in numbers])


def _window(
    proposals: Sequence[Proposal], executor: Executor, known: dict[int, Trial], keep: Callable[[Trial], None]
) -> Iterator[Trial]:
    replayed = [_same(proposal, known[proposal.number]) for proposal in proposals if proposal.number in known]
    yield from replayed
    for trial in executor.run([proposal for proposal in proposals if proposal.number not in known]):
        keep(trial)
        yield trial


def _differing(left: Mapping[str, Value], right: Mapping[str, Value]) -> set[str]:
    return {name for name in {**left, **right} if name not in left or name not in right or left[name] != right[name]}


def _same(proposal: Proposal, logged: Trial) -> Trial:
    if dict(logged.values) != dict(proposal.values):
        name = min(_differing(logged.values, proposal.values))
        was, now = (one.get(name, "not chosen") for one in (logged.values, proposal.values))
        place = f"{logged.place}: " if logged.place else ""
        raise BadInput(
            f"{place}trial {proposal.number} is another design than this study proposes ({name} is {was}, not {now}): "
            "the line was edited, or the log made by another version; delete the line (its trial is evaluated again) "
            "or restore the file, or use another folder"
        )
    return logged
