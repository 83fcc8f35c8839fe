"""The package reads well: short modules, short functions, and imports that run one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fashion_tl"
LONGEST_MODULE, LONGEST_FUNCTION = 300, 45  # lines
# The rooms, from the ground up. In one room, each file imports only from those before it, too.
ORDER = (
    *("errors", "machine", "threads", "files", "split", "backbones", "config", "recipes", "distributed", "runs"),
    *("data/sample", "data/download", "data/labels", "data/table", "data/zips", "data/listing", "data/search"),
    *("data/classfolders", "data/dataroot", "data/rows", "data/catalogue", "data/formats", "data/photos"),
    *("data/batches", "data/dataset"),
    *("network/checkpoints", "network/weights", "network/model", "network/inference"),
    *("network/features", "network/optimizer", "network/training"),
    *("reporting/evaluation", "reporting/fonts", "reporting/layout", "reporting/figures", "reporting/gallery"),
    "reporting/report",
    *("approaches", "predict", "export", "__main__"),
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(file: Path) -> str | None:
    """A file's name in ``ORDER``: all of ``data/sample/`` is one; None for a folder's docstring and the examples."""
    name = file.relative_to(PACKAGE).with_suffix("").as_posix()
    if name.startswith("data/sample/"):
        return "data/sample"
    return None if name.endswith("__init__") or name.startswith("examples/") else name


def imported(tree: ast.AST, name: str) -> Iterator[str]:
    """What a module of this dotted name imports, as dotted names: of every form that an import has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(name.split(".")[: -node.level]) + "." if node.level else ""
            base = (above + (node.module or "")).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def places(name: str) -> list[int]:
    """Where in ``ORDER`` a dotted name points: a whole wing points at its last room."""
    path = name.removeprefix("fashion_tl").lstrip(".").replace(".", "/")
    if name.split(".")[0] != "fashion_tl" or not path:
        return []
    under = (n for n, each in enumerate(ORDER) if f"{path}/".startswith(f"{each}/") or each.startswith(f"{path}/"))
    return list(under)[-1:]


def test_no_module_and_no_function_is_long():
    assert {file.name for file in modules() if len(file.read_text().splitlines()) > LONGEST_MODULE} == set()
    long = set()
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                if node.end_lineno - first.lineno >= LONGEST_FUNCTION:
                    long.add(f"{file.name}: {node.name}")
    assert long <= {"training.py: fit"}  # the loop


def test_every_module_has_its_place():
    assert {room(file) for file in modules()} - {None} == set(ORDER)


def test_imports_run_one_way():
    for file in modules():
        name = ".".join(("fashion_tl", *file.relative_to(PACKAGE).with_suffix("").parts))
        if (own := room(file)) is None:
            continue
        for target in imported(ast.parse(file.read_text()), name):
            if own == "data/sample" and target.startswith("fashion_tl.data.sample"):
                continue
            assert all(place < ORDER.index(own) for place in places(target)), f"{own} imports {target}"


def test_every_form_of_import_is_seen():
    forms = "import fashion_tl.a", "from fashion_tl import b", "from fashion_tl.c import d", "from . import e"
    found = imported(ast.parse("\n".join((*forms, "from ..f import g"))), "fashion_tl.x.y")
    assert [name.removeprefix("fashion_tl.") for name in found] == ["a", "b", "c.d", "x.e", "f.g"]
