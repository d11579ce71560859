"""The house rules that no single module can check: floors, the package's face, what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail

PACKAGE = Path(dovetail.__file__).resolve().parent
FLOORS = {"models": 1, "energy": 2, "accel": 3, "mapper": 4, "cosearch": 5}
OPEN_TO_ALL = {"document", "errors", "storage"}
HEAVY = ("torch", "pandas", "plotly", "matplotlib", "optuna", "sklearn", "onnx")


def module_name(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for floor in FLOORS for path in sorted((PACKAGE / floor).rglob("*.py"))}


def imported_modules(name: str, *, at_import: bool) -> set[str]:
    """Modules of the package that ``name`` imports; only those run by importing it if ``at_import``."""
    path = SOURCES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                deeper = ".".join([*base, alias.name])
                found.add(deeper if deeper in SOURCES else ".".join(base))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(other.split(".")[0] == "dovetail" for other in names), f"{name}: imports dovetail absolutely"
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if at_import and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        pending.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_floor_imports_only_from_floors_below(name):
    here = FLOORS[name.split(".")[0]]
    for other in imported_modules(name, at_import=False):
        there = other.split(".")[0]
        assert there in OPEN_TO_ALL or FLOORS.get(there, 99) <= here, f"{name} imports {other or 'the package face'}"


def test_modules_import_each_other_without_circles():
    graph = {name: imported_modules(name, at_import=True) & set(SOURCES) for name in SOURCES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_the_face_is_exactly_its_all():
    assert dovetail.__all__, "the face names nothing"
    assert len(set(dovetail.__all__)) == len(dovetail.__all__)
    for name in dovetail.__all__:
        assert getattr(dovetail, name) is not None, name
    own = {
        name
        for name, thing in vars(dovetail).items()
        if not name.startswith("_") and getattr(thing, "__module__", "").startswith("dovetail")
    }
    assert own <= set(dovetail.__all__), "public names missing from __all__"


def test_every_public_name_has_a_docstring():
    things = {name: getattr(dovetail, name) for name in dovetail.__all__}
    assert not [name for name, thing in things.items() if callable(thing) and not thing.__doc__]


def test_importing_the_package_leaves_heavy_modules_alone():
    report = f"import sys, dovetail; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_command_line_answers_help_without_heavy_modules():
    report = (
        "import sys; from dovetail.cosearch.cli import main; code = main(['--help']); "
        f"sys.stderr.write(str([code, *(name for name in {HEAVY!r} if name in sys.modules)]))"
    )
    answer = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == "[0]"
    assert "usage: dovetail" in answer.stdout
