"""The package stays small: a reader should get through it in one sitting."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fashion_tl"


def code_lines(path):
    """Lines that are neither blank, nor comment, nor docstring, nor import."""
    text, docs = path.read_text(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            docs |= set(range(node.lineno, node.end_lineno + 1))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            docs |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and number not in docs for number, line in lines)


def test_no_module_passes_300_lines():
    assert {path.name for path in PACKAGE.rglob("*.py") if len(path.read_text().splitlines()) > 300} == set()


def test_the_package_stays_under_2200_lines_of_code_the_samples_drawing_not_counted():
    assert sum(code_lines(path) for path in PACKAGE.glob("*.py") if path.name != "sample.py") < 2200


ORDER = (
    "errors files config distributed drawing sample download dataroot catalogue photos batches model inference "
    "features training evaluation runs predict export page figures approaches gallery report __main__".split()
)


def test_imports_run_one_way():
    """Each module imports only from those before it; every module has its place in the order."""
    assert {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"} - {"__init__"} <= set(ORDER)
    for place, name in enumerate(ORDER):
        if not (PACKAGE / f"{name}.py").exists():
            continue
        for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fashion_tl."):
                assert ORDER.index(node.module.split(".")[1]) < place, f"{name} imports {node.module}"
