"""Shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail

PACKAGE = Path(dovetail.__file__).resolve().parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of published and measured figures; tests that need it are skipped where it is absent."""
    folder = PACKAGE.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the reference data is not beside the checkout")
    return folder
