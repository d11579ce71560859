"""YAML documents whose every value knows its line and column, and pydantic models checked against them.

The reading is stricter and plainer than YAML 1.1: a key may stand once in a mapping; only ``true`` and ``false`` are
booleans (so ``N``, ``y``, ``no`` stay text); only decimal numbers are numbers (``1e6`` is one, ``0o17`` and ``1:30``
are text); dates stay text; there are no tags and no merge keys. A file holds one document, and that is a mapping.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .errors import BadInput, Problem, SpecError, shortened, suggestion

__all__ = [
    "MOST_CHARACTERS", "Document", "YamlPath", "dotted", "field_errors", "load_document", "parse_document",
    "problems_of", "shipped", "validate",
]

YamlPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

MOST_CHARACTERS = 4_000_000
_MOST_NODES = 200_000  # aliases expand: a page of them can describe more nodes than a memory holds
_DEEPEST = 64
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """The plain ``data`` of a YAML text and where each part of it stands; ``source`` is the file's name as given."""

    data: dict[str, Any]
    source: str
    places: Mapping[YamlPath, tuple[int, int]] = field(default_factory=dict, repr=False)

    def position(self, path: YamlPath) -> tuple[int, int]:
        """Line and column (from 1) of the key or list item at ``path``, or of the nearest part of it that exists."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return (1, 1)

    def problem(self, path: YamlPath, what: str, remedy: str = "") -> Problem:
        """A `Problem` placed at ``path``."""
        line, column = self.position(path)
        return Problem(self.source, line, column, dotted(path), what, remedy)


def dotted(path: Iterable[str | int]) -> str:
    """``("levels", 2, "size")`` as people write it: ``levels[2].size``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shortened(step)}" if text else shortened(step)
    return text


def shipped(kind: str) -> dict[str, Path]:
    """Names and files of the YAML that comes with the package, ``kind`` being a folder of ``configs``."""
    folder = Path(__file__).parent / "configs" / kind
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


# ---- reading -------------------------------------------------------------------------------------------------------


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, bool | None] = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None,
}


def load_document(path: Path) -> Document:
    """Read one YAML file. Raises `BadInput` where there is no readable file, `SpecError` where it is not a document."""
    source = str(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{source}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise BadInput(f"{source}: this is a folder; give the path of a YAML file in it") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{source}: cannot be read ({reason}); check the path") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise SpecError([Problem(source, line, column, "", "not UTF-8 text", "save the file as UTF-8 YAML")]) from error
    return parse_document(text, source)


def parse_document(text: str, source: str) -> Document:
    """Read one YAML document; every duplicate key is reported. Raises `SpecError` with line and column."""
    if len(text) > MOST_CHARACTERS:
        raise SpecError([Problem(source, 1, 1, "", f"{len(text)} characters are too many", "is this a YAML spec?")])
    root = _compose(text, source)
    if root is None:
        raise SpecError([Problem(source, 1, 1, "", "the file is empty", "write a mapping: 'key: value' lines")])
    reader = _Reader(source)
    data = reader.convert(root, ())
    if not isinstance(data, dict) and not reader.problems:
        kind = "a list" if isinstance(data, list) else "a single value"
        remedy = "write 'key: value' lines at the outermost level"
        reader.complain(root, (), f"the document is {kind}, not a mapping", remedy)
    if reader.problems:
        raise SpecError(reader.problems)
    return Document(data, source, reader.places)


def _compose(text: str, source: str) -> Node | None:
    """The node tree of the text; syntax errors become a `SpecError`."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"character #x{ord(text[error.position]):04x} is not allowed in YAML"
        remedy = "remove it; is this a text file?"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what, remedy = _syntax_message(error)
    except RecursionError:
        line, column, what, remedy = 1, 1, "nested too deeply", f"use at most {_DEEPEST} levels"
    raise SpecError([Problem(source, line, column, "", what, remedy)])


def _syntax_message(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    """What is wrong and what to do, in place of the parser's own words where these mislead."""
    problem = (error.problem or "").replace("\n", " ")
    if "another document" in problem:
        return "a second document begins here ('---')", "keep one document in a file"
    if "'\\t'" in problem:
        return "a tab stands where YAML wants spaces", "indent with spaces"
    if "mapping values are not allowed" in problem:
        return "not valid YAML: a ':' too many on this line, or a wrong indentation", "quote the text or align the key"
    if "undefined alias" in problem:
        return f"not valid YAML: {problem}", "define the anchor before it, or quote a text that begins with '*'"
    context = f"{error.context}: " if error.context else ""
    return f"not valid YAML: {context}{problem}", "check brackets, quotes and indentation near here"


class _Reader:
    """Turns nodes into plain values, noting each position and complaint."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: dict[YamlPath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def complain(self, node: Node, path: YamlPath, what: str, remedy: str) -> None:
        """Note a problem at a node."""
        self.problems.append(Problem(self.source, *_mark(node), dotted(path), what, remedy))

    def convert(self, node: Node, path: YamlPath) -> Any:
        """The plain value of a node; list items and the root get their place here, mapping entries at their key."""
        self.nodes += 1
        self.places.setdefault(path, _mark(node))
        if len(path) > _DEEPEST or self.nodes > _MOST_NODES:
            self.complain(node, path[:4], "the document is too deep or too large", "does an anchor contain itself?")
            raise SpecError(self.problems)
        if node.tag.startswith("!"):
            what = f"the tag {_show(node.tag)} is not used here"
            self.complain(node, path, what, "remove it, or quote a text with a '!'")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: YamlPath) -> dict[str | int, Any]:
        data: dict[str | int, Any] = {}
        first: dict[str | int, int] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if isinstance(key, bool) or not isinstance(key, str | int):
                self.complain(key_node, path, "a key must be a word or a whole number", "quote it if it is text")
                continue
            line = _mark(key_node)[0]
            if key_node.tag == _MERGE:
                self.complain(key_node, path, "merge keys ('<<') are not used here", "write the keys out")
                continue
            if key in data:
                what = f"{_show(key)} stands twice in this mapping, on lines {first[key]} and {line}"
                self.complain(key_node, (*path, key), what, "keep one of them")
                continue
            first[key] = line
            self.places[(*path, key)] = _mark(key_node)
            data[key] = self.convert(value_node, (*path, key))
        return data


def _mark(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(node: Node) -> Any:
    """A quoted or block scalar is text; a plain one is a number, ``true``/``false``, nothing, or text."""
    text: str = node.value
    if not isinstance(node, ScalarNode) or node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text) and len(text) < 40:
        return int(text)
    return float(text) if _FLOAT.match(text) else text


# ---- checking against a model --------------------------------------------------------------------------------------


def validate(model: type[M], document: Document) -> M:
    """The document as a ``model``; raises one `SpecError` with every problem, each at its line and column."""
    value, problems = problems_of(model, document)
    if value is None:
        raise SpecError(problems)
    return value


def problems_of(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The document as a ``model``, or None and what is wrong with it (for callers with further checks of their own)."""
    try:
        return model.model_validate(document.data), []
    except ValidationError as error:
        problems: dict[tuple[YamlPath, str], Problem] = {}
        for details in error.errors(include_url=False):
            path = _document_path(details["loc"], document.data, missing=details["type"] == "missing")
            path, what, remedy = _message(model, dict(details), path)
            # A union of plain types complains once per member; the first complaint at a place is enough.
            group = what if details["type"] in ("extra_forbidden", "value_error") else ""
            problems.setdefault((path, group), document.problem(path, what, remedy))
        return None, list(problems.values())


@contextmanager
def field_errors() -> Iterator[None]:
    """Inside a pydantic validator: a `BadInput` becomes the field's problem ("what; remedy") and the check goes on."""
    try:
        yield
    except BadInput as error:
        raise ValueError(str(error)) from error


def _document_path(loc: Sequence[str | int], data: Any, *, missing: bool) -> YamlPath:
    """Pydantic's location without the steps that are not in the text: union tags and validators' names."""
    path: list[str | int] = []
    for index, step in enumerate(loc):
        inside = (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
        )
        if inside:
            data = data[step]
            path.append(step)
        elif missing and index == len(loc) - 1:
            path.append(step)
    return tuple(path)


_EXPECTED = {
    "string_type": ("text", "quote it"),
    "list_type": ("a list", "write [a, b] or '- ' lines"),
    "tuple_type": ("a list", "write [a, b] or '- ' lines"),
    "set_type": ("a list", "write [a, b] or '- ' lines"),
    "frozen_set_type": ("a list", "write [a, b] or '- ' lines"),
    "dict_type": ("a mapping", "write 'key: value' lines"),
    "mapping_type": ("a mapping", "write 'key: value' lines"),
    "model_type": ("a mapping", "write 'key: value' lines"),
    "model_attributes_type": ("a mapping", "write 'key: value' lines"),
    "int_type": ("a whole number", "write it without unit or point"),
    "int_parsing": ("a whole number", "write it without unit or point"),
    "int_from_float": ("a whole number", "write it without a fraction"),
    "float_type": ("a number", "write digits only"),
    "float_parsing": ("a number", "write digits only"),
    "bool_type": ("true or false", "write true or false"),
    "bool_parsing": ("true or false", "write true or false"),
}


def _message(model: type[BaseModel], details: dict[str, Any], path: YamlPath) -> tuple[YamlPath, str, str]:
    """Where, what and the remedy of one pydantic error, in the words of this project."""
    kind, given, context = details["type"], details.get("input"), details.get("ctx") or {}
    if kind == "missing":
        return path, "is missing", f"add '{details['loc'][-1]}:'"
    if kind == "extra_forbidden":
        name = str(details["loc"][-1])
        return path, f"unknown key {_show(name)}", _known(_names_at(model, details["loc"][:-1]), name)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context.get("discriminator", "")).strip("'")
        names = _tags_at(model, details["loc"], tag)
        if kind == "union_tag_not_found":
            return path, f"'{tag}' is missing", f"add '{tag}:' with one of {', '.join(names)}"
        given = str(context.get("tag"))
        return (*path, tag), f"{_show(given)} is not a known {tag}", _known(names, given)
    if kind == "value_error":
        what, _, remedy = str(context.get("error", details["msg"])).partition("; ")
        return path, what, remedy
    if kind in ("too_short", "too_long"):
        least, most = context.get("min_length"), context.get("max_length")
        wanted = f"at least {least}" if kind == "too_short" else f"at most {most}"
        return path, f"has {context.get('actual_length')} entries", f"write {wanted}"
    if kind in ("literal_error", "enum"):
        names = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        remedy = _known(names, given) if isinstance(given, str) and names else f"use {context.get('expected')}"
        return path, f"{_show(given)} is not allowed here", remedy
    for bound, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if bound in context:
            return path, f"{_show(given)} is out of bounds", f"write {words} {context[bound]:g}"
    if kind in _EXPECTED:
        wanted, remedy = _EXPECTED[kind]
        return path, f"{_show(given)} is not {wanted}", remedy
    text = str(details["msg"])
    return path, f"{_show(given)}: {text[:1].lower()}{text[1:]}", "change the value"


def _known(names: Sequence[str], name: str) -> str:
    """The remedy for a name that is not among ``names``."""
    return suggestion(name, names) if names else "it takes no options; remove it"


def _show(value: Any) -> str:
    """A value as the user may recognise it, cut to a line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{shortened(text)}'"


# ---- what names a model knows at a place ---------------------------------------------------------------------------


def _names_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    names: dict[str, None] = {}
    for kind in _kinds_at(model, loc):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names.update((info.alias or name, None) for name, info in kind.model_fields.items())
    return list(names)


def _tags_at(model: type[BaseModel], loc: Sequence[str | int], tag: str) -> list[str]:
    """The values a discriminator may take at a place."""
    return [value for kind in _kinds_at(model, loc) for value in _tag_values(kind, tag)]


def _tag_values(kind: Any, tag: str | None = None) -> list[str]:
    """The literal values of a model's field ``tag`` (of any field where None)."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    kinds = [info.annotation for name, info in kind.model_fields.items() if tag in (None, name)]
    return [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]


def _kinds_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[Any]:
    """The types that may stand at pydantic's location ``loc`` (union tags included) under ``model``."""
    kinds: list[Any] = [model]
    for step in loc:
        below = [found for kind in kinds for found in _below(kind, step)]
        tagged = [kind for kind in kinds if step in _tag_values(kind)]
        kinds = [member for kind in (below or tagged or kinds) for member in _members(kind)]
    return kinds


def _below(kind: Any, step: str | int) -> list[Any]:
    """The type found by going one step into ``kind``: a model's field, an item of a list or a mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [info.annotation for name, info in kind.model_fields.items() if step in (name, info.alias)]
    origin, arguments = get_origin(kind), get_args(kind)
    if not (isinstance(origin, type) and arguments):
        return []
    if issubclass(origin, Mapping):
        return [arguments[1]]
    return [arguments[0]] if isinstance(step, int) and issubclass(origin, Iterable) else []


def _members(kind: Any) -> list[Any]:
    """The members of a union, without annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _members(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return [member for argument in get_args(kind) for member in _members(argument)]
    return [kind]
