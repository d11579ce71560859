"""Where measured and published rows are read from: a folder outside the package, which may be absent."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import BadInput

__all__ = ["REFERENCE_VARIABLE", "Reference", "number", "reference_folder"]

REFERENCE_VARIABLE = "DOVETAIL_REFERENCE"


def reference_folder(given: Path | None) -> Path | None:
    """Where the reference data is: as given, ``DOVETAIL_REFERENCE``, or ``shared/reference`` beside the checkout.

    None where nothing was named and nothing is there; raises `BadInput` where the named folder does not exist.
    """
    named = os.environ.get(REFERENCE_VARIABLE)
    folder = given or (Path(named) if named else None)
    if folder is not None and not folder.is_dir():
        raise BadInput(f"no folder '{folder}' of reference data; give --reference or {REFERENCE_VARIABLE} another")
    beside = Path(__file__).resolve().parents[3] / "shared" / "reference"
    return folder or (beside if beside.is_dir() else None)


@dataclass
class Reference:
    """A folder of reference data, or none; remembers in ``missing`` which files were asked for and are not there."""

    folder: Path | None
    missing: list[str] = field(default_factory=list)

    def path(self, name: str) -> Path | None:
        """The file called ``name`` (relative), or None where it is absent."""
        path = None if self.folder is None else self.folder / name
        if path is not None and path.is_file():
            return path
        if name not in self.missing:
            self.missing.append(name)
        return None

    def table(self, name: str, columns: Iterable[str] = ()) -> list[dict[str, str]] | None:
        """The rows of a CSV file by column, stripped; None where it is absent.

        Raises `BadInput` where it cannot be read or lacks one of ``columns``.
        """
        path = self.path(name)
        if path is None:
            return None
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                rows = [{(key or "").strip(): (value or "").strip() for key, value in row.items()} for row in reader]
                names = [name.strip() for name in reader.fieldnames or ()]
        except (OSError, csv.Error, UnicodeDecodeError, AttributeError) as error:
            raise BadInput(f"{path}: cannot be read as a table ({error}); check the reference folder") from error
        lacking = [column for column in columns if column not in names]
        if lacking:
            raise BadInput(f"{path}:1: no column '{lacking[0]}'; it has {', '.join(names)}")
        return rows

    def json(self, name: str) -> Any:
        """The content of a JSON file; None where it is absent. Raises `BadInput` where it cannot be read."""
        path = self.path(name)
        if path is None:
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be read as JSON ({error}); check the reference folder") from error


def number(row: dict[str, str], column: str, where: str) -> float | None:
    """A cell as a number; None where it is blank (kept aside). Raises `BadInput`, naming ``where``, for other text."""
    text = row[column].rstrip("%").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise BadInput(f"{where}: {column} is '{row[column]}', not a number; check the reference folder") from error
