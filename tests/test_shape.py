"""The package and the study read well: short modules, short functions, and imports that run one
way.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import REPOSITORY

PACKAGE, STUDY = REPOSITORY / "fashion_tl", REPOSITORY / "study"
LONGEST_MODULE, LONGEST_FUNCTION = 300, 45  # lines
# Those of the study, which all stand on the package.
STUDY_ORDER = (
    *("places", "records", "uncertainty", "published", "compare", "minutes", "charts"),
    *(
        "bench/timing",
        "bench/peers",
        "bench/fastai_peer",
        "bench/measures",
        "bench/fc_only",
        "bench/limit",
        "bench/files",
        "bench/memory",
    ),
    *("bench/company", "bench/profile", "bench/speed", "bench/gpu"),
    *(
        "blocks/markdown",
        "blocks/approaches",
        "blocks/others",
        "blocks/runs",
        "blocks/sureness",
        "blocks/unknown",
        "blocks/detail",
        "blocks/few_shots",
        "blocks/episodes",
        "blocks/labels",
        "blocks/speed",
        "blocks/minutes",
        "blocks/__init__",
    ),
    *(
        "render",
        "record",
        "bench/precision",
        "check",
        "heads",
        "train",
        "tune",
        "fresh",
        "trials",
        "fewer",
        "scores",
        "choices",
        "unknown",
        "two_blocks",
        "retrained",
        "hidden",
        "few_shot",
        "calibration",
        "detail",
        "flips",
        "data_check",
        "draws",
        "episodes",
        "audit",
        "actions",
        "commands",
        "__main__",
    ),
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def study_modules() -> dict[str, Path]:
    """Those of the study, by their names in ``STUDY_ORDER``; a folder's docstring has none."""
    files = {
        file.relative_to(STUDY).with_suffix("").as_posix(): file
        for file in sorted(STUDY.rglob("*.py"))
    }
    return {
        name: file for name, file in files.items() if name not in ("__init__", "bench/__init__")
    }


def room(file: Path) -> str | None:
    """A file's name in the table of CONTRIBUTING.md.

    All of ``data/sample/`` is one. None for a folder's docstring and the examples.
    """
    name = file.relative_to(PACKAGE).with_suffix("").as_posix()
    if name.startswith("data/sample/"):
        return "data/sample"
    return None if name.endswith("__init__") or name.startswith("examples/") else name


def imported(tree: ast.AST, name: str) -> Iterator[str]:
    """What a module of this dotted name imports, as dotted names: of every form that an import
    has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(name.split(".")[: -node.level]) + "." if node.level else ""
            base = (above + (node.module or "")).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def table_of_contributing() -> tuple[str, ...]:
    """The modules in the order of the table in CONTRIBUTING.md, from the ground up."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = text.split("| folder | module |")[1].split("\n\n")[0].splitlines()[2:]
    names = []
    for row in rows:
        folder, modules = row.split("|")[1:3]
        above = folder.strip(" `").removeprefix("fashion_tl/")
        names += [above + each for each in re.findall(r"`(\w+)/?`", modules)]
    return tuple(names)


def places(name: str, order: Sequence[str]) -> list[int]:
    """Where in an order a dotted name points: a whole wing points at its last room."""
    path = name.removeprefix("fashion_tl").lstrip(".").replace(".", "/")
    if name.split(".")[0] != "fashion_tl" or not path:
        return []
    under = (
        n
        for n, each in enumerate(order)
        if f"{path}/".startswith(f"{each}/") or each.startswith(f"{path}/")
    )
    return list(under)[-1:]


def test_no_module_and_no_function_is_long():
    files = [*modules(), *study_modules().values()]
    assert {
        file.name for file in files if len(file.read_text().splitlines()) > LONGEST_MODULE
    } == set()
    long = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                first = (
                    node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                )
                if node.end_lineno - first.lineno >= LONGEST_FUNCTION:
                    long.add(f"{file.name}: {node.name}")
    assert long <= {"training.py: fit"}  # the loop


def test_every_module_has_its_place():
    assert {room(file) for file in modules()} - {None} == set(table_of_contributing())
    assert set(study_modules()) == set(STUDY_ORDER)


def test_imports_run_one_way():
    """Each file imports only from those before it in the table, also from those in its own row."""
    order = table_of_contributing()
    for file in modules():
        name = ".".join(("fashion_tl", *file.relative_to(PACKAGE).with_suffix("").parts))
        if (own := room(file)) is None:
            continue
        for target in imported(ast.parse(file.read_text()), name):
            if own == "data/sample" and target.startswith("fashion_tl.data.sample"):
                continue
            assert all(place < order.index(own) for place in places(target, order)), (
                f"{own} imports {target}"
            )


def test_imports_of_the_study_run_one_way_and_the_package_knows_nothing_of_it():
    for own, file in study_modules().items():
        before = {name.removesuffix("/__init__") for name in STUDY_ORDER[: STUDY_ORDER.index(own)]}
        for target in imported(ast.parse(file.read_text()), f"study.{own.replace('/', '.')}"):
            path = target.replace(".", "/")
            if path.startswith("study/"):
                assert any(f"{path}/".startswith(f"study/{name}/") for name in before), (
                    f"{own} imports {target}"
                )
    for file in modules():
        assert not [
            name
            for name in imported(ast.parse(file.read_text()), "x")
            if name.split(".")[0] == "study"
        ], file


def test_no_program_and_no_notebook_changes_where_modules_are_looked_for():
    """Else one file may be loaded twice, under two names."""
    folders = [REPOSITORY / name for name in ("fashion_tl", "study", "notebooks", "tests")]
    files = [
        file
        for folder in folders
        for ending in ("*.py", "*.ipynb")
        for file in folder.rglob(ending)
    ]
    changes = re.compile(
        r"sys\.path(\.(append|insert|extend)|\[.*\] *=| *\+?= )|spec_from_file_location"
    )
    assert {file.name for file in files if changes.search(file.read_text(encoding="utf-8"))} <= {
        Path(__file__).name
    }


def test_no_file_of_the_clone_is_loaded_under_two_names():
    """Pytest has loaded every test by now, and what they import."""
    loaded: dict[Path, set[str]] = {}
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/").resolve()
        if file.is_relative_to(REPOSITORY) and "site-packages" not in file.parts:
            loaded.setdefault(file, set()).add(name)
    assert loaded[REPOSITORY / "tests" / "conftest.py"] == {"tests.conftest"}
    assert [names for names in loaded.values() if len(names) > 1] == []


def test_every_form_of_import_is_seen():
    forms = (
        "import fashion_tl.a",
        "from fashion_tl import b",
        "from fashion_tl.c import d",
        "from . import e",
    )
    found = imported(ast.parse("\n".join((*forms, "from ..f import g"))), "fashion_tl.x.y")
    assert [name.removeprefix("fashion_tl.") for name in found] == ["a", "b", "c.d", "x.e", "f.g"]
