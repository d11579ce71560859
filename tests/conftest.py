"""Shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail

PACKAGE = Path(dovetail.__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples come first: each is a long test of its own, at the end one of them would keep a single core busy."""
    items.sort(key=lambda item: item.path.name != "test_examples.py")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of published and measured figures; tests that need it are skipped where it is absent."""
    folder = PACKAGE.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the reference data is not beside the checkout")
    return folder
