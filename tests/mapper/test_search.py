"""Many questions at once: each asked once, on every thread, remembered while the call runs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from plain_mapper import PlainMapper

import dovetail as dt
from dovetail.errors import BadInput, ImpossibleResult
from dovetail.mapper import search
from dovetail.mapper.threads import available_threads, mapper_threads, sharing_threads
from dovetail.models.op import linear


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    monkeypatch.setattr(PlainMapper, "asked", [])
    return PlainMapper.asked


@pytest.fixture(scope="module")
def chip() -> dt.Accelerator:
    return dt.load_accelerator("gemmini")


def fully(count: int, bits: int = 8) -> list[dt.Op]:
    return [linear(f"fc{n}", n=n, k=8, c=8, bits=bits) for n in range(1, count + 1)]


def test_equal_questions_are_asked_once_and_every_pair_has_its_answer(
    chip: dt.Accelerator, asked: list[tuple[str, int]]
) -> None:
    same_chip, other_chip = dt.load_accelerator("gemmini"), chip.with_parameters(bandwidth="8 GB/s")
    one, two = fully(2)
    twin = linear("twin", n=1, k=8, c=8)
    pairs = [(one, chip), (two, chip), (twin, chip), (one, same_chip), (one, other_chip)]
    found = dt.map_many(pairs, "energy", "plain", cache=False)
    assert sorted(name for name, _ in asked) == ["fc1", "fc1", "fc2"]
    for (op, accelerator), result in zip(pairs, found, strict=True):
        assert isinstance(result, dt.MappingResult)
        assert result.cost == dt.evaluate(op, accelerator, result.mapping)


def test_what_fits_nowhere_is_data_that_names_its_own_operator(chip: dt.Accelerator) -> None:
    wide, twin = (linear(name, n=1, k=8, c=8, bits=10**7) for name in ("wide", "twin"))
    found = dt.map_many([(wide, chip), (fully(1)[0], chip), (twin, chip)], mapper="plain", cache=False)
    assert [type(answer) for answer in found] == [dt.Infeasible, dt.MappingResult, dt.Infeasible]
    for op, answer in ((wide, found[0]), (twin, found[2])):
        assert isinstance(answer, dt.Infeasible)
        assert str(answer).startswith(f"{op.name}: {answer.level} of 'gemmini'")
        assert str(answer.missing_words) in str(answer)
        assert answer.__traceback__ is None


def test_the_first_operator_that_does_not_fit_ends_the_mapping_of_a_network(
    chip: dt.Accelerator, asked: list[tuple[str, int]]
) -> None:
    ops = [fully(1)[0], linear("second", n=2, k=8, c=8, bits=10**7), *fully(9, bits=10**7)]
    with pytest.raises(dt.Infeasible, match="second: "):
        search.map_all(ops, chip, mapper="plain", cache=False, workers=1)
    assert [name for name, _ in asked] == ["fc1", "second"]


def test_what_was_found_before_a_failure_is_remembered(
    chip: dt.Accelerator, asked: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = fully(6)
    monkeypatch.setattr(PlainMapper, "fails_at", "fc5")
    with pytest.raises(ImpossibleResult):
        search.map_all(ops, chip, mapper="plain", cache=tmp_path, workers=1)
    monkeypatch.setattr(PlainMapper, "fails_at", "")
    asked.clear()
    search.map_all(ops, chip, mapper="plain", cache=tmp_path, workers=1)
    assert [name for name, _ in asked] == ["fc5", "fc6"]


def test_answers_are_saved_while_the_call_runs(
    chip: dt.Accelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SAVE_AFTER_S", 0.0)
    saved: list[int] = []
    original = search.MappingCache.put
    monkeypatch.setattr(
        search.MappingCache, "put", lambda self, entries: saved.append(len(entries)) or original(self, entries)
    )
    dt.map_many([(op, chip) for op in fully(4)], mapper="plain", cache=tmp_path)
    assert saved == [1, 1, 1, 1, 0]


def test_progress_counts_distinct_questions_to_the_last(chip: dt.Accelerator) -> None:
    steps: list[tuple[int, int]] = []
    pairs = [(op, chip) for op in (*fully(3), *fully(3))]
    dt.map_many(pairs, mapper="plain", cache=False, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_threads_are_shared_out_and_never_multiply(chip: dt.Accelerator, asked: list[tuple[str, int]]) -> None:
    pairs = [(op, chip) for op in fully(3)]
    dt.map_many(pairs, mapper="plain", cache=False, workers=7)
    dt.map_many(pairs, mapper="plain", cache=False, workers=1)
    dt.map_many(pairs[:1], mapper="plain", cache=False)
    assert [threads for _, threads in asked] == [2] * 3 + [1] * 3 + [available_threads()]


def test_the_environment_says_how_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_NUM_THREADS", "5")
    assert available_threads() == mapper_threads() == 5
    monkeypatch.setenv("DOVETAIL_NUM_THREADS", "all")
    with pytest.raises(BadInput, match="DOVETAIL_NUM_THREADS='all' is not a positive number"):
        available_threads()


def test_outside_a_batch_a_mapper_may_use_every_thread() -> None:
    with sharing_threads(3):
        assert mapper_threads() == 3
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(mapper_threads()))
        thread.start()
        thread.join()
    assert seen == [available_threads()]
    assert mapper_threads() == available_threads()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda op, chip: dt.map_many([(op, "gemmini")]), "accelerator is the text 'gemmini'"),
        (lambda op, chip: dt.map_many([("fc", chip)]), "op is the text 'fc'"),
        (lambda op, chip: dt.map_many([(op, chip)], workers=0), "workers = 0: at least one"),
        (lambda op, chip: dt.map_many([(op, chip)], "speed"), "unknown objective 'speed'"),
        (lambda op, chip: dt.estimate_many("resnet18", [chip]), "network is the text 'resnet18'"),
    ],
)
def test_bad_input_is_answered_before_anything_is_mapped(chip: dt.Accelerator, call, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        call(fully(1)[0], chip)


def test_no_questions_have_no_answers(tmp_path: Path) -> None:
    assert dt.map_many([], cache=tmp_path) == []
    assert dt.estimate_many(dt.Network("none", (dt.Layer(dt.VectorOp("v", "reshape", 0, 0, 0)),)), []) == []
