"""Find mappings: of one operator, or of thousands at once, each distinct question asked once and remembered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..accel.accelerator import Accelerator
from ..accel.analytic import evaluate
from ..errors import BadInput, Infeasible, check_type
from ..models.op import Op
from ..storage import cache_folder
from .base import UNLIMITED, Limits, Mapper, MappingResult
from .cache import Entry, MappingCache
from .constraints import Constraints
from .keys import accelerator_text, content_key, request_text
from .mapspace import Mapspace
from .objective import Objective
from .registry import DEFAULT_MAPPER, mapper_class
from .threads import available_threads, sharing_threads

__all__ = ["Progress", "best_mapping", "map_all", "map_many"]

Progress = Callable[[int, int], None]
_SAVE_AFTER_S = 5.0  # an interrupted run loses no more than this of its answers


def best_mapping(
    op: Op,
    accelerator: Accelerator,
    objective: str | Objective = "edp",
    mapper: str = DEFAULT_MAPPER,
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
) -> MappingResult:
    """The best mapping the mapper finds for one operator, with its cost and certificate.

    ``objective`` is "energy", "latency", "edp" or another mix of the two (`Objective.parse`). ``constraints`` narrow
    the mapspace, ``limits`` let the mapper stop early. ``cache`` is a folder, True (the user's cache folder) or False.
    Raises `Infeasible` where nothing fits, `UnknownName` for an unknown objective or mapper.
    """
    check_type(op, Op, "op", "take one of a network's contractions")
    return map_all([op], accelerator, objective, mapper, constraints=constraints, limits=limits, cache=cache)[0]


def map_all(
    ops: Sequence[Op],
    accelerator: Accelerator,
    objective: str | Objective = "edp",
    mapper: str = DEFAULT_MAPPER,
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
) -> list[MappingResult]:
    """A mapping for each operator; equal operators are mapped once, different ones on ``workers`` threads.

    Raises like `best_mapping`; `Infeasible` names the first operator, in the order given, that does not fit.
    """
    check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    batch = _Batch.of(objective, mapper, constraints, limits, cache, workers)
    results = []
    for answer in batch.answers([(op, accelerator) for op in ops], stop=True):
        if isinstance(answer, Infeasible):
            raise answer
        results.append(answer)
    return results


def map_many(
    pairs: Iterable[tuple[Op, Accelerator]],
    objective: str | Objective = "edp",
    mapper: str = DEFAULT_MAPPER,
    *,
    constraints: Constraints | None = None,
    limits: Limits = UNLIMITED,
    cache: Path | bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[MappingResult | Infeasible]:
    """An answer for each pair of an operator and an accelerator: a result, or the reason why nothing fits.

    Equal questions are asked once, different ones on ``workers`` threads (default: one per core), which they share
    with what threads the mapper starts itself. Answers are remembered every few seconds, so that an interrupted call
    goes on where it was. ``progress`` is called with (questions answered, questions in all). The other arguments are
    those of `best_mapping`; bad input is raised, also where it concerns one pair alone.
    """
    asked = list(pairs)
    for op, accelerator in asked:
        check_type(op, Op, "op", "take one of a network's contractions")
        check_type(accelerator, Accelerator, "accelerator", "load it with load_accelerator")
    return _Batch.of(objective, mapper, constraints, limits, cache, workers).answers(asked, progress=progress)


@dataclass(frozen=True)
class _Question:
    """An operator on an accelerator.

    Its keys: ``proven`` for an answer whatever the limits, ``limited`` for one under those asked. The ``seed`` depends
    on the operator and the accelerator alone, so that another version of Dovetail draws the same numbers.
    """

    op: Op
    accelerator: Accelerator
    proven: str
    limited: str
    seed: int


_Answer = MappingResult | Infeasible

_CHECKED: dict[tuple[str, Entry], MappingResult] = {}
_MOST_CHECKED = 4096


@dataclass(frozen=True)
class _Batch:
    """What all questions of one call have in common."""

    objective: Objective
    mapper: type[Mapper]
    constraints: Constraints
    limits: Limits
    store: MappingCache
    threads: int

    @classmethod
    def of(
        cls,
        objective: str | Objective,
        mapper: str,
        constraints: Constraints | None,
        limits: Limits,
        cache: Path | bool,
        workers: int | None,
    ) -> _Batch:
        if workers is not None and workers < 1:
            raise BadInput(f"workers = {workers}: at least one is needed")
        wanted, chosen = Objective.parse(objective), mapper_class(mapper)
        folder = (cache_folder() if cache else None) if isinstance(cache, bool) else cache
        store = MappingCache(folder)
        return cls(wanted, chosen, constraints or Constraints(), limits, store, workers or available_threads())

    def answers(
        self, pairs: Sequence[tuple[Op, Accelerator]], *, stop: bool = False, progress: Progress | None = None
    ) -> list[_Answer]:
        """An answer for each pair; with ``stop``, none after the first that is infeasible."""
        questions = self._questions(pairs)
        distinct: dict[str, _Question] = {}
        for one in questions:
            distinct.setdefault(one.limited, one)
        known = self._remembered(list(distinct.values()))
        missing = [one for key, one in distinct.items() if key not in known]
        unsaved: dict[str, Entry] = {}
        saved = time.monotonic()
        asked = self._ask_all(missing)
        try:
            for question, answer in asked:
                known[question.limited] = answer
                if isinstance(answer, MappingResult):
                    key = question.proven if answer.certificate.proven else question.limited
                    unsaved[key] = answer.mapping, answer.certificate
                if progress:
                    progress(len(known), len(distinct))
                if time.monotonic() - saved > _SAVE_AFTER_S:
                    self.store.put(unsaved)
                    unsaved, saved = {}, time.monotonic()
                if stop and isinstance(answer, Infeasible):
                    break
        finally:
            asked.close()
            self.store.put(unsaved)
        found: list[_Answer] = []
        for question, (op, _) in zip(questions, pairs, strict=True):
            if question.limited not in known:
                break
            found.append(_of(known[question.limited], distinct[question.limited].op, op))
        return found

    def _questions(self, pairs: Sequence[tuple[Op, Accelerator]]) -> list[_Question]:
        proven, limited = (
            request_text(self.constraints, self.objective, self.mapper, limits) for limits in (None, self.limits)
        )
        forms: dict[int, str] = {}
        asked: dict[tuple[tuple[object, ...], int], tuple[str, str, int]] = {}
        found = []
        for op, accelerator in pairs:
            if id(accelerator) not in forms:
                forms[id(accelerator)] = accelerator_text(accelerator)
            form, same = forms[id(accelerator)], (op.shape_key, id(accelerator))
            if same not in asked:
                seed = int(content_key(op, form, "")[:8], 16)
                asked[same] = content_key(op, form, proven), content_key(op, form, limited), seed
            found.append(_Question(op, accelerator, *asked[same]))
        return found

    def _remembered(self, questions: Sequence[_Question]) -> dict[str, _Answer]:
        """Answers from the file, by ``limited`` key, each evaluated afresh."""
        entries = self.store.get(key for one in questions for key in (one.proven, one.limited))
        found: dict[str, _Answer] = {}
        for one in questions:
            for key in (one.proven, one.limited):
                if key in entries and one.limited not in found:
                    result = self._checked(one, entries[key])
                    if result:
                        found[one.limited] = result
        return found

    def _checked(self, question: _Question, entry: Entry) -> MappingResult | None:
        """The remembered mapping with its cost; None where it no longer is what its certificate says.

        The same entry is evaluated once in a process: thousands of similar networks ask for the same operators.
        """
        memory = (question.limited, entry)
        if memory in _CHECKED:
            return _CHECKED[memory]
        mapping, certificate = entry
        try:
            cost = evaluate(question.op, question.accelerator, mapping)
        except (BadInput, Infeasible):
            return None
        value = self.objective.value(cost.energy_j, cost.latency_s)
        if not math.isclose(value, certificate.optimum, rel_tol=1e-9):
            return None
        if len(_CHECKED) >= _MOST_CHECKED:
            _CHECKED.clear()
        return _CHECKED.setdefault(memory, MappingResult(mapping, cost, certificate))

    def _ask(self, question: _Question, threads: int) -> _Answer:
        try:
            with sharing_threads(threads):
                space = Mapspace(question.op, question.accelerator, self.constraints)
                return self.mapper().map(space, self.objective, question.seed, self.limits)
        except Infeasible as error:
            return error.with_traceback(None)  # an answer: it must not keep the search alive

    def _ask_all(self, questions: Sequence[_Question]) -> Generator[tuple[_Question, _Answer], None, None]:
        """The mapper's answers in the order of the questions; closing it drops those not begun."""
        at_once = min(len(questions), self.threads)
        if at_once <= 1:
            for one in questions:
                yield one, self._ask(one, self.threads)
            return
        pool = ThreadPoolExecutor(at_once)
        futures: list[Future[_Answer]] = [pool.submit(self._ask, one, self.threads // at_once) for one in questions]
        try:
            for one, future in zip(questions, futures, strict=True):
                yield one, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _of(answer: _Answer, asked: Op, op: Op) -> _Answer:
    """An answer as ``op``'s own: a reason that names the equal operator it was asked for names this one."""
    text = str(answer)
    if not isinstance(answer, Infeasible) or asked.name == op.name or not text.startswith(f"{asked.name}: "):
        return answer
    return Infeasible(op.name + text[len(asked.name) :], level=answer.level, missing_words=answer.missing_words)
