"""Nested search by prediction: what is learnt of networks' errors, and swept of their costs, says which come next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..predictors.base import Inputs
from ..predictors.gaussian_process import GaussianProcess
from ..predictors.registry import make_predictor
from ..predictors.trust import Trust, cross_validated
from ..spaces.space import Value
from ..studies.trial import Dropped, TrialResult
from .attainment import Attainment, expected_improvement
from .base import Batched, StrategyOptions, Task
from .candidates import Candidates, Key, Pool, key_of
from .greedy_volume import by_gain
from .hardware_fronts import ERROR, HardwareFront, HardwareFronts
from .predictor import PredictorOptions

__all__ = ["NestedPredictor"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
_ROUNDS = 20  # of drawing candidates, none of which has hardware, before the search ends
_FEWEST_LABELS = 4  # that a predictor is fitted to
_SHORTLIST = 2000  # networks whose costs are predicted
_MOST_SWEEPS = 400  # that costs of others are predicted from
_HOPELESS = 0.1  # chance of hardware below which a network is put off
_SMALLEST_GAIN = 1e-4  # of the best design of the batch, that another design of a known network must bring


class NestedPredictor(Batched):
    """Proposes networks by the improvement expected of their best hardware.

    The predictor learns the error of the networks asked about. Where the error is the only objective, those of the
    greatest expected improvement among the feasible come next; where costs are objectives too, those whose whole
    hardware front is expected to add most to the hypervolume. Raises `BadInput` for a task without a sweep, and for one
    that asks for no accuracy.
    """

    Options: ClassVar[type[StrategyOptions]] = PredictorOptions

    def __init__(self, task: Task, options: Any, designs: int = 8, patience: int | None = None) -> None:
        self.options: PredictorOptions = options
        self._fronts = HardwareFronts(task, patience)
        self._most_designs = designs if self._fronts.costs else 1
        super().__init__(task, batch=options.batch * self._most_designs)
        self._rng = np.random.default_rng(task.seed)
        self._candidates = Candidates(self._fronts.networks, task.statistics, options.candidates, self._rng)
        self._errors: dict[Key, float] = {}  # of the networks whose accuracy was asked for
        self._designs: dict[Key, list[tuple[float, ...]]] = {}  # what the feasible ones cost, by network
        self._tried: set[tuple[Key, int]] = set()
        self._proposed = {key_of(values) for values in self._first}

    # ---- learning ----------------------------------------------------------------------------------------------------

    def _learn(self, points: Sequence[Mapping[str, Value]], results: Sequence[TrialResult]) -> None:
        for values, result in zip(points, results, strict=True):
            network = self._fronts.network(values)
            if ERROR in result.metrics:
                self._take(network)
                self._errors[key_of(network)] = result.metrics[ERROR]
            if result.status == "ok":
                costs = tuple(result.metrics[name] for name in self._fronts.costs)
                self._designs.setdefault(key_of(network), []).append(costs)

    def _take(self, network: Mapping[str, Value]) -> None:
        if not self._candidates.taken(network):
            self._candidates.take(network)

    def trust(self) -> Trust:
        """How well the predictor ranks the networks asked about so far; `BadInput` where they are too few."""
        networks = [dict(key) for key in self._errors]
        labels = -np.array(list(self._errors.values()))
        make = lambda: make_predictor(self.options.predictor, self.task.seed)  # noqa: E731
        return cross_validated(make, self._candidates.inputs(networks), labels)

    @property
    def rejected(self) -> int:
        """Networks that were dropped for want of hardware, without asking for their accuracy."""
        return self._fronts.rejected

    @property
    def dropped(self) -> Dropped:
        """Those networks, and by how much the limits were missed."""
        return self._fronts.dropped

    # ---- proposing ---------------------------------------------------------------------------------------------------

    def _propose(self, count: int) -> list[dict[str, Value]]:
        """Designs that were not proposed yet, of the next batch that has any."""
        fresh: list[dict[str, Value]] = []
        while not fresh:
            offered = self._offered(count)
            fresh = [values for values in offered if key_of(values) not in self._proposed]
            if not offered:
                break
        self._proposed |= {key_of(values) for values in fresh}
        return fresh

    def _offered(self, count: int) -> list[dict[str, Value]]:
        wanted = min(count, self.options.batch)
        if len(self._errors) >= max(self.options.start, _FEWEST_LABELS):
            return self._predicted(count, wanted)
        error = float(np.mean(list(self._errors.values()))) if self._errors else 50.0
        return self._on_hardware([(network, error) for network in self._feasible(self._spread_out(), wanted)], count)

    def _feasible(self, networks: Iterator[Mapping[str, Value]], wanted: int) -> list[Mapping[str, Value]]:
        """The first of ``networks`` that have hardware; all that are looked at are taken."""
        found: list[Mapping[str, Value]] = []
        while len(found) < wanted and not self._fronts.given_up:
            network = next(networks, None)
            if network is None:
                break
            if not self._candidates.taken(network):
                self._take(network)
                if len(self._fronts.of(network)):
                    found.append(network)
        return found

    def _spread_out(self) -> Iterator[Mapping[str, Value]]:
        """Networks at random, in turn from the strata of the first statistic, so that few labels span it."""
        for _ in range(_ROUNDS):
            pool = self._candidates.pool([])
            if not len(pool.free):
                return
            order = self._rng.permutation(pool.free)
            if pool.inputs.statistics.shape[1]:
                order = order[np.argsort(pool.inputs.statistics[order, 0], kind="stable")]
                strata = [self._rng.permutation(part) for part in np.array_split(order, self.options.start)]
                longest = max(len(part) for part in strata)
                turns = self._rng.permutation(len(strata))
                order = np.array([strata[at][row] for row in range(longest) for at in turns if row < len(strata[at])])
            for place in order:
                yield pool.points[int(place)]

    # ---- by prediction -----------------------------------------------------------------------------------------------

    def _predicted(self, count: int, wanted: int) -> list[dict[str, Value]]:
        networks: list[tuple[Mapping[str, Value], float]] = []
        for _ in range(_ROUNDS):
            if self._fronts.given_up:
                break
            parents = [dict(key) for key in sorted(self._errors, key=lambda key: self._errors[key])]
            pool = self._candidates.pool(parents)
            if not len(pool.free):
                break
            networks += self._most_promising(pool, wanted - len(networks))
            if len(networks) >= wanted:
                break
        known = [(dict(key), error) for key, error in self._errors.items()] if self._fronts.costs else []
        return self._on_hardware(networks, count, known)

    def _most_promising(self, pool: Pool, wanted: int) -> list[tuple[Mapping[str, Value], float]]:
        """The networks of greatest expected gain that have hardware, with their predicted error."""
        keys = list(self._errors)
        predictor = make_predictor(self.options.predictor, self.task.seed)
        predictor.prepare(pool.inputs)
        predictor.fit(self._candidates.inputs([dict(key) for key in keys]), np.array([self._errors[k] for k in keys]))
        mean, sigma = predictor.predict(pool.inputs.rows(pool.free))
        order = self._worth_sweeping(pool, mean, sigma)
        if not self._fronts.costs:
            return self._first_feasible(pool, order, mean, wanted)
        found: list[tuple[int, HardwareFront]] = []
        for at in order:
            if self._fronts.given_up:
                break
            found.append((int(at), self._fronts.of(pool.points[int(pool.free[at])])))
        feasible = [(at, front) for at, front in found if len(front)]
        for at, front in found:
            if not len(front):
                self._take(pool.points[int(pool.free[at])])
        return self._greedily(pool, feasible, mean, sigma, wanted)

    def _first_feasible(
        self, pool: Pool, order: I64, mean: F64, wanted: int
    ) -> list[tuple[Mapping[str, Value], float]]:
        found: list[tuple[Mapping[str, Value], float]] = []
        for at in order:
            network = pool.points[int(pool.free[at])]
            self._take(network)
            if len(self._fronts.of(network)):
                found.append((network, float(mean[at])))
            if len(found) == wanted or self._fronts.given_up:
                break
        return found

    def _greedily(
        self, pool: Pool, feasible: Sequence[tuple[int, HardwareFront]], mean: F64, sigma: F64, wanted: int
    ) -> list[tuple[Mapping[str, Value], float]]:
        """One after another by expected gain, each then believed to be as good as predicted."""
        surface = self._surface()
        masks = [surface.reached(front.costs) for _, front in feasible]
        places = np.array([at for at, _ in feasible], dtype=np.int64)
        chosen: list[tuple[Mapping[str, Value], float]] = []
        left = np.ones(len(feasible), dtype=bool)
        while len(chosen) < wanted and left.any():
            gains = np.where(left, surface.gains(masks, mean[places], sigma[places]), -np.inf)
            best = int(np.argmax(gains))
            left[best] = False
            network = pool.points[int(pool.free[places[best]])]
            self._take(network)
            surface.add(feasible[best][1].costs, float(mean[places[best]]))
            chosen.append((network, float(mean[places[best]])))
        return chosen

    def _worth_sweeping(self, pool: Pool, mean: F64, sigma: F64) -> I64:
        """Places among the free of the networks to sweep next, the most promising first.

        What the sweeps so far tell of others decides: a front is stood for by its least costs, each predicted, and a
        network very probably without hardware counts for less. The sweep itself then settles both.
        """
        surface = self._surface()
        whole = expected_improvement(surface.error[:, None], mean[None], sigma[None]).mean(axis=0)
        order = np.lexsort((self._rng.random(len(whole)), -whole))[:_SHORTLIST]  # chance decides between equals
        asked, gains = pool.inputs.rows(pool.free[order]), whole[order]
        swept = self._fronts.swept_networks()
        known = self._candidates.inputs([network for network, _ in swept])
        fitting = np.array([row for row, (_, front) in enumerate(swept) if len(front)], dtype=np.int64)
        if self._fronts.costs and len(fitting) >= _FEWEST_LABELS:
            least = np.log([np.min(swept[row][1].costs, axis=0) for row in fitting])
            ideal = np.exp(np.stack([_smooth(known.rows(fitting), column, asked)[0] for column in least.T], axis=1))
            masks = (surface.reached(costs[None]) for costs in ideal)
            gains = surface.gains(masks, mean[order], sigma[order])
        margins = np.array([front.margin for _, front in swept])
        told = np.flatnonzero(np.isfinite(margins))
        if len(told) >= _FEWEST_LABELS and (margins[told] > 0).any():
            from scipy.special import ndtr

            excess, doubt = _smooth(known.rows(told), margins[told], asked)
            gains = gains * np.minimum(1.0, ndtr(-excess / np.maximum(doubt, 1e-9)) / _HOPELESS)
        places: I64 = order[np.argsort(-gains, kind="stable")][: self.options.sweeps]
        return places

    # ---- fronts ------------------------------------------------------------------------------------------------------

    def _empty(self) -> Attainment:
        """Over the costs of all fronts seen, with the worst error seen everywhere."""
        fronts = [front.costs for _, front in self._fronts.swept_networks() if len(front)]
        worst = min(max(self._errors.values(), default=100.0), self.task.limits.get(ERROR, np.inf))
        axes = len(self._fronts.costs)
        points = np.concatenate(fronts) if fronts else np.ones((1, axes))
        return Attainment(points.min(axis=0), points.max(axis=0), worst)

    def _surface(self) -> Attainment:
        """What the feasible designs so far have reached."""
        surface = self._empty()
        for key, costs in self._designs.items():
            surface.add(np.array(costs), self._errors.get(key, np.inf))
        return surface

    def _on_hardware(
        self, networks: Sequence[tuple[Mapping[str, Value], float]], count: int,
        known: Sequence[tuple[Mapping[str, Value], float]] = (),
    ) -> list[dict[str, Value]]:  # fmt: skip
        """Designs of new networks (each on one accelerator at least) and of known ones, by what they are to add."""
        surface = self._surface()
        offers = list(self._offers(surface, [*networks, *self._still_useful(surface, known)]))
        smallest: float | None = None
        waiting = {key_of(network) for network, _ in networks}
        chosen: list[dict[str, Value]] = []
        used: Counter[Key] = Counter()
        for at, gain in by_gain(len(offers), lambda at: surface.gain(offers[at][3], offers[at][1])):
            smallest = _SMALLEST_GAIN * gain if smallest is None else smallest
            if len(chosen) == count:
                break
            network, error, number, mask = offers[at]
            key = key_of(network)
            if used[key] >= self._most_designs or (
                key not in waiting and (gain <= smallest or count - len(chosen) <= len(waiting))
            ):
                continue
            surface.error[mask] = np.minimum(surface.error[mask], error)
            waiting.discard(key)
            used[key] += 1
            self._tried.add((key, number))
            chosen.append(self._fronts.design(network, number))
        return chosen

    def _still_useful(
        self, surface: Attainment, known: Sequence[tuple[Mapping[str, Value], float]]
    ) -> list[tuple[Mapping[str, Value], float]]:
        """The known networks whose other hardware would add most."""
        gains = [surface.gain(surface.reached(self._fronts.of(network).costs), error) for network, error in known]
        best = np.argsort(-np.array(gains), kind="stable")[: self.options.batch]
        return [known[int(at)] for at in best if gains[int(at)] > 0.0]

    def _offers(
        self, surface: Attainment, networks: Sequence[tuple[Mapping[str, Value], float]]
    ) -> Iterator[tuple[Mapping[str, Value], float, int, NDArray[np.bool_]]]:
        """Every design of the networks that was not tried: network, error, hardware, the cells it reaches."""
        for network, error in networks:
            front, key = self._fronts.of(network), key_of(network)
            for place, number in enumerate(front.numbers.tolist()):
                if (key, number) not in self._tried:
                    yield network, error, number, surface.reached(front.costs[place : place + 1])


def _smooth(known: Inputs, labels: F64, asked: Inputs) -> tuple[F64, F64]:
    """What costs of networks swept say of others, and how surely; the latest sweeps count where there are many."""
    model = GaussianProcess()
    model.prepare(asked)
    model.fit(known.rows(np.arange(len(known))[-_MOST_SWEEPS:]), labels[-_MOST_SWEEPS:])
    return model.predict(asked)
