"""Evaluates batches of designs with the same results anywhere, and finds out once what can be known once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from ..accuracy.source import Answer
from ..spaces.space import Value
from ..studies.trial import Proposal, Trial, TrialResult, answer_of
from .workers import Workers

__all__ = ["Executor", "NetworkKey"]

NetworkKey = Callable[[Mapping[str, Value]], str | None]
"""The name of a point's network to whoever finds its accuracy; None where accuracy is not the network's alone."""

_Design = tuple[tuple[str, Value], ...]


@dataclass
class _Chain:
    """The designs of one network in the order of their numbers; ``payer`` is the one that is finding its accuracy."""

    network: str | None
    designs: deque[list[Proposal]]
    payer: int | None = None


class Executor:
    """Runs batches of proposals on workers.

    A design met again takes its known result and no time. A network's accuracy is found once, and so is that there is
    none: by the trial with the lowest number that comes to need it, so that who pays does not depend on which worker is
    quicker. Trials of one network therefore wait for each other until it is known; trials of different networks never
    do.
    """

    def __init__(self, workers: Workers, network_key: NetworkKey | None = None) -> None:
        self._workers = workers
        self._network_key: NetworkKey = network_key or _no_key
        self._designs: dict[_Design, Trial] = {}
        self._answers: dict[str, tuple[int, Answer]] = {}

    def learn(self, trials: Sequence[Trial]) -> None:
        """Remember finished trials. A trial takes over only what one with a lower number has found, as it would have
        done in an unbroken run.
        """
        for trial in trials:
            design = _design(trial.values)
            if design not in self._designs or trial.number < self._designs[design].number:
                self._designs[design] = trial
            network, answer = self._network_key(trial.values), answer_of(trial.result)
            if network is not None and answer is not None and trial.number < self._payer(network):
                self._answers[network] = trial.number, answer

    def _payer(self, network: str) -> float:
        return self._answers[network][0] if network in self._answers else float("inf")

    def run(self, proposals: Sequence[Proposal]) -> Iterator[Trial]:
        """The proposals as finished trials, each as it ends (in any order, but whoever pays for an accuracy first).

        Raises what an evaluation raises, and `CannotDo` where no worker can be had.
        """
        groups: dict[_Design, list[Proposal]] = {}
        for proposal in proposals:
            groups.setdefault(_design(proposal.values), []).append(proposal)
        chains: dict[str, _Chain] = {}
        alone: list[_Chain] = []
        for design, group in groups.items():
            if design in self._designs and self._designs[design].number < group[0].number:
                yield from _copies(group, self._designs[design].result)
                continue
            network = self._network_key(group[0].values)
            if network is None:
                alone.append(_Chain(None, deque([group])))
            else:
                chains.setdefault(network, _Chain(network, deque())).designs.append(group)
        yield from self._finished([*alone, *chains.values()])

    def _finished(self, chains: Sequence[_Chain]) -> Iterator[Trial]:
        waiting: dict[int, tuple[_Chain, list[Proposal]]] = {}
        for chain in chains:
            waiting.update(self._submitted(chain))
        while waiting:
            number, result = self._workers.next()
            chain, (first, *others) = waiting.pop(number)
            trial = Trial(number, first.values, result)
            self.learn([trial])
            # Logged before anything that builds on it begins: a kill in between loses no payer.
            yield trial
            yield from _copies(others, result)
            if chain.payer == number:
                chain.payer = None
            waiting.update(self._submitted(chain))

    def _submitted(self, chain: _Chain) -> Iterator[tuple[int, tuple[_Chain, list[Proposal]]]]:
        """Hand the workers those of a chain that need not wait; each with its number."""
        while chain.designs:
            first = chain.designs[0][0]
            accuracy = None
            if chain.network is not None:
                if self._payer(chain.network) < first.number:
                    accuracy = self._answers[chain.network][1]
                elif chain.payer is not None:
                    return
                else:
                    chain.payer = first.number
            self._workers.submit(first.number, dict(first.values), accuracy)
            yield first.number, (chain, chain.designs.popleft())

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Leaving on an error or Ctrl-C: what is being evaluated is lost anyway, so nobody should wait for it.
        self._workers.close(at_once=kind is not None)


def _no_key(values: Mapping[str, Value]) -> str | None:
    return None


def _design(values: Mapping[str, Value]) -> _Design:
    return tuple(sorted(values.items()))


def _copies(proposals: Sequence[Proposal], result: TrialResult) -> Iterator[Trial]:
    """The same result for designs met again: it took no time and no accuracy was paid for."""
    metrics = dict(result.metrics)
    if "accuracy_macs" in metrics:
        metrics["accuracy_macs"] = 0.0
    for proposal in proposals:
        yield Trial(proposal.number, proposal.values, replace(result, metrics=metrics, wall_s=0.0))
