"""The package reads well: short modules, and imports that run one way."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fashion_tl"


def test_no_module_passes_300_lines():
    assert {path.name for path in PACKAGE.rglob("*.py") if len(path.read_text().splitlines()) > 300} == set()


ORDER = (
    "errors machine files config distributed drawing sample download table listing search classfolders dataroot "
    "rows formats catalogue photos batches checkpoints weights model threads inference features optimizer "
    "training evaluation runs predict export fonts page figures approaches gallery report __main__".split()
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
