"""Compiled code is kept where it is safe, and dropped when the model changes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dovetail.accel import compiled


@pytest.fixture(autouse=True)
def _forget() -> object:
    compiled._folder.cache_clear()
    yield
    compiled._folder.cache_clear()


def test_the_folder_is_named_after_the_text_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path))
    (tmp_path / "package" / "accel").mkdir(parents=True)
    (tmp_path / "package" / "mapper").mkdir()
    monkeypatch.setattr(compiled, "_PACKAGE", tmp_path / "package")
    names = set()
    for model, mapper in (("a = 1", ""), ("a = 2", ""), ("a = 2", "b = 1"), ("a = 1", "")):
        (tmp_path / "package" / "accel" / "kernel.py").write_text(model)
        (tmp_path / "package" / "mapper" / "kernel_search.py").write_text(mapper)
        compiled._folder.cache_clear()
        folder = compiled._folder(tmp_path / "package" / "mapper")
        assert folder is not None
        assert folder.parent == tmp_path / "compiled"
        names.add(folder.name)
    assert len(names) == 3


def test_where_the_cache_cannot_be_written_a_private_temporary_folder_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("DOVETAIL_CACHE", str(blocked))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = compiled._folder(tmp_path)
    assert folder is not None
    assert tmp_path in folder.parents


def test_a_temporary_folder_open_to_others_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    compiled._own_temporary_folder().chmod(0o777)
    assert compiled._folder(tmp_path) is None
