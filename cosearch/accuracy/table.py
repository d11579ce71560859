"""Accuracies looked up in a CSV file: a benchmark's table, or results a user has collected."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from ...errors import BadInput, nearest, printable, shortened, suggestion
from ...models.network import Network
from ..spaces.network_space import NetworkSpace, known_values
from ..spaces.space import Value
from ..validation.reference import reference_folder
from .source import Accuracy, SourceOptions

__all__ = ["AccuracyTable", "TableOptions", "read_accuracies"]

_REFERENCE = "reference:"
_TRAINING_PASSES = 3  # forward, gradient of the activations, gradient of the weights


class TableOptions(SourceOptions):
    """``path`` is a CSV file (beside the study, or ``reference:NAME`` in the folder of reference data).

    ``key`` is the column with the architecture as the space writes it, ``accuracy`` the one with top-1 accuracy in
    percent. ``sigma_pct`` is its standard deviation, ``sigma`` a column with it instead. With ``epochs`` and ``images``
    a look-up stands for a training of that length: it is then accounted as such, and asked for last.
    """

    path: str = Field(min_length=1)
    key: str = "arch_str"
    accuracy: str = "top1_pct"
    sigma_pct: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    sigma: str | None = None
    epochs: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    images: int = Field(default=0, ge=0, validate_default=True)

    def files(self) -> tuple[Path, ...]:
        """The table."""
        return (table_path(self.path),)

    @field_validator("images")
    @classmethod
    def _says_all_of_a_training(cls, images: int, info: ValidationInfo) -> int:
        epochs = info.data.get("epochs")
        if epochs is not None and (epochs > 0) != (images > 0):
            given, missing = ("epochs", "images") if epochs > 0 else ("images", "epochs")
            raise ValueError(f"{given} without {missing} are no training; give both, or leave both out")
        return images


class AccuracyTable:
    """Looks accuracies up in a CSV table keyed by architecture; rows whose accuracy is blank count as absent.

    Raises `BadInput` with file and line where the file is not such a table.
    """

    Options: ClassVar[type[SourceOptions]] = TableOptions

    def __init__(self, space: NetworkSpace | None, options: Any) -> None:
        self.options: TableOptions = options
        self.path = table_path(options.path)
        self.known = read_accuracies(self.path, options.key, options.accuracy, options.sigma, options.sigma_pct)
        self._space = space

    @property
    def expensive(self) -> bool:
        """Whether a look-up stands for a training."""
        return self.options.epochs * self.options.images > 0

    def predict(self, network: Network, values: Mapping[str, Value] | None = None) -> Accuracy:
        """The row of the architecture; `BadInput` where the table has none.

        A network of no space is found by its name; the network of the space's own baseline by its key.
        """
        key = self._key(network, values)
        if key not in self.known:
            close = None if len(key) > 40 else nearest(key, self.known)
            hint = f"the nearest is '{close}'" if close else f"its keys look like '{shortened(next(iter(self.known)))}'"
            what = f"{self.path.name} has no accuracy for '{shortened(key, 120)}' (column {self.options.key})"
            raise BadInput(printable(f"{what}; add a row for it, or keep it out of the space: {hint}"))
        found = self.known[key]
        spent = _TRAINING_PASSES * network.macs * self.options.epochs * self.options.images
        return Accuracy(found.top1_pct, found.sigma_pct, float(spent))

    def _key(self, network: Network, values: Mapping[str, Value] | None) -> str:
        if self._space is None or (values is None and network.name in self.known):
            return network.name
        own = known_values(self._space, network, values)
        return network.name if own is None else self._space.key(own)

    def statement(self) -> str:
        """Which file and column, how many rows, and what uncertainty they have."""
        options = self.options
        sigma = f"column {options.sigma}" if options.sigma else f"{options.sigma_pct:g} points for every row"
        text = (
            f"Top-1 accuracy is looked up, not predicted: column {options.accuracy} of {self.path.name} "
            f"({len(self.known):,} architectures); standard deviation: {sigma}."
        )
        if self.expensive:
            text += f" A look-up is accounted as training for {options.epochs:g} epochs of {options.images:,} images."
        return text


def table_path(path: str) -> Path:
    """The file that ``path`` means; `BadInput` where it is in the reference data and there is none."""
    if not path.startswith(_REFERENCE):
        return Path(path)
    folder = reference_folder(None)
    name = path.removeprefix(_REFERENCE)
    if folder is None:
        remedy = "set DOVETAIL_REFERENCE to the folder of reference data, or give the path of your own table"
        raise BadInput(f"accuracy.path: '{path}' is in the reference data, which is not here; {remedy}")
    return folder / name


def read_accuracies(
    path: Path, key: str, accuracy: str, sigma: str | None = None, sigma_pct: float = 0.0
) -> dict[str, Accuracy]:
    """Top-1 accuracies in percent by key. ``sigma`` names a column of standard deviations, else all have ``sigma_pct``.

    Raises `BadInput` with file and line for a missing file or column, one that is there twice, a row with more fields
    than there are columns, a quote that is not closed, a blank or repeated key, and anything that is no percentage.
    Rows without an accuracy are skipped.
    """
    columns = [key, accuracy] + ([sigma] if sigma else [])
    known: dict[str, Accuracy] = {}
    for line, row in _rows(path, columns):
        where = f"{path}:{line}"
        name = row[key]
        if not name:
            raise BadInput(f"{where}: column {key} is blank; name the architecture or remove the row")
        if name in known:
            raise BadInput(f"{where}: '{shortened(name)}' has a row already; keep one row for each architecture")
        if not row[accuracy]:
            continue
        top1 = _percentage(row[accuracy], accuracy, where)
        known[name] = Accuracy(top1, _percentage(row[sigma], sigma, where) if sigma else sigma_pct)
    if not known:
        raise BadInput(f"{path}: column {accuracy} holds no accuracy; give a table with at least one row")
    return known


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            records = _records(path, file)
            _, header = next(records, (1, list[str]()))
            _check_header(path, header, columns)
            for line, cells in records:
                if len(cells) > len(header) and any(cells):
                    has = f"{len(cells)} fields, and the header names {len(header)} columns"
                    raise BadInput(f"{path}:{line}: {has}; put a text with commas in quotes, or remove the surplus")
                row = {**dict.fromkeys(columns, ""), **dict(zip(header, cells, strict=False))}
                broken = [name for name in columns if len(row[name].splitlines()) > 1]
                if broken:
                    what = f"column {broken[0]} goes over several lines"
                    raise BadInput(f"{path}:{line}: {what}; close the quote that is open, or remove it")
                if any(row[name] for name in columns):
                    yield line, row
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such table of accuracies; check accuracy.path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as a CSV table ({error}); save it as UTF-8 text with commas") from error


def _records(path: Path, file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The stripped cells of each record with the line it begins in; a quote left open has swallowed what follows it."""
    reader = csv.reader(file, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = 'close the quote that is open, and write "" for one that is meant'
            raise BadInput(f"{path}:{line}: cannot be read as CSV from here on ({error}); {remedy}") from error
        yield line, [cell.strip() for cell in cells]


def _check_header(path: Path, header: list[str], columns: list[str]) -> None:
    for column in columns:
        if column not in header:
            hint = suggestion(column, header, "it has") if any(header) else "it has no header line"
            raise BadInput(f"{path}:1: no column '{column}'; {hint}")
    twice = next((name for name in header if name and header.count(name) > 1), "")
    if twice:
        raise BadInput(f"{path}:1: column '{shortened(twice)}' is there twice; rename or remove one of them")


def _percentage(text: str, column: str, where: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError as error:
        raise BadInput(f"{where}: {column} is '{shortened(text)}', not a number; write percent such as 71.8") from error
    if not (math.isfinite(value) and 0.0 <= value <= 100.0):
        raise BadInput(f"{where}: {column} is {text}; a percentage lies between 0 and 100")
    return value
