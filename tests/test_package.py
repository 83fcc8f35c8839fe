"""The package installs like any other: what it needs is declared, and its wheel runs outside the
clone.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import fashion_tl
from fashion_tl import provenance
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import how_to_install
from fashion_tl.recipes import APPROACHES
from tests import REPOSITORY
from tests.checks.installing import (
    EXTRAS,
    PROJECT,
    bounds,
    build_wheel,
    check_output,
    fresh_environment,
    tracked,
)

# Of each approach that has one.
NOTEBOOKS = [row.notebook for row in APPROACHES.values() if row.notebook]

DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}  # where the module has another name
GUIDE = REPOSITORY / "docs" / "kaggle-and-colab.md"


def imported(node: ast.AST, is_inside: bool = False):
    """The third-party packages that code imports, and whether each import stands inside a
    function."""
    for child in ast.iter_child_nodes(node):
        names = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            names = [child.module]
        for module in (
            {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"fashion_tl"}
        ):
            yield DISTRIBUTIONS.get(module, module), is_inside
        yield from imported(
            child, is_inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        )


def all_imports() -> set[tuple[str, bool]]:
    package = REPOSITORY / "fashion_tl"
    # These are for others to copy.
    sources = set(package.rglob("*.py")) - set((package / "examples").iterdir())
    return {pair for path in sources for pair in imported(ast.parse(path.read_text("utf-8")))}


def pins() -> dict[str, Requirement]:
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line.split("#")[0]) for line in lines if "==" in line]
    return {pin.name: pin for pin in pinned}


def test_every_package_imported_at_the_top_is_a_dependency_and_nothing_else_is():
    assert {name for name, is_inside in all_imports() if not is_inside} == set(bounds())


def test_every_other_package_belongs_to_an_extra_and_is_imported_inside_a_function():
    optional = bounds(*(extra for extra in EXTRAS if extra != "dev"))
    assert {name for name, is_inside in all_imports() if is_inside} <= set(optional)


def test_there_are_lower_bounds_alone():
    for need in bounds(*EXTRAS).values():
        assert [bound.operator for bound in need.specifier] == [">="], need


def test_every_dependency_is_pinned_for_this_clone_within_its_bound():
    pinned = pins()
    for name, need in bounds(*EXTRAS).items():
        (pin,) = pinned[name].specifier
        assert need.specifier.contains(pin.version), f"{pinned[name]} does not keep to {need}"


def test_the_version_stands_in_one_place():
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", fashion_tl.__version__)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(names) == tracked("fashion_tl")


def test_the_wheel_says_what_it_needs_and_brings_a_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        read = {
            name.split("/")[-1]: archive.read(name)
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    about = message_from_bytes(read["METADATA"])
    assert about["Version"] == fashion_tl.__version__
    extras = {"audit", "demo", "dev", "kaggle", "notebooks", "onnx"}
    assert set(about.get_all("Provides-Extra")) == extras
    needs = [Requirement(line) for line in about.get_all("Requires-Dist")]
    assert {need.name: need.specifier for need in needs if need.marker is None} == {
        name: need.specifier for name, need in bounds().items()
    }
    assert (
        read["entry_points.txt"].decode()
        == "[console_scripts]\nfashion-tl = fashion_tl.__main__:main\n"
    )


def cells(section: str) -> list[str]:
    """The cells of code that the guide gives in one section."""
    text = GUIDE.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@dataclass(frozen=True)
class Site:
    """A machine as Kaggle and Colab lend it: a notebook, all packages but ours, no index, folders
    of its own.

    It lies in a git repository, which isn't ours. The data are small, and read-only where this
    machine can do that.
    """

    home: Path
    programs: Path

    def run(self, *command: object, **variables: object) -> str:
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        pip = {"PIP_NO_INDEX": 1, "PIP_DISABLE_PIP_VERSION_CHECK": 1}
        return check_output(
            *command, at=self.home, PATH=path, IPYTHONDIR=self.home / "ipython", **pip, **variables
        )

    def run_cell(self, cell: str, **variables: object) -> str:
        """Run one of the guide's cells, in folders below ``home``: few epochs, small photos, no
        weights.
        """
        cell = re.sub(
            "/kaggle|/content|/tmp/fashion_tl", lambda place: f"{self.home}{place[0]}", cell
        )
        small = "--weights none --epochs 1 --set image_size=32x32 --set backbone=resnet18"
        cell = cell.replace("run fc_only", f"run fc_only {small}")
        (self.home / "cell.ipy").write_text(cell)
        command = [
            self.programs / "python",
            "-m",
            "IPython",
            "--no-banner",
            "--colors=NoColor",
            "cell.ipy",
        ]
        return self.run(*read_only(self.home / "kaggle" / "input"), *command, **variables)


def read_only(folder: Path) -> list[str]:
    """Words before a command that let it see a folder as Kaggle mounts it; none where this machine
    can't do that.
    """
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, str(folder)]
    can = (
        shutil.which("unshare")
        and subprocess.run([*words, "true"], capture_output=True).returncode == 0
    )
    return words if can else []


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Site:
    home = tmp_path_factory.mktemp("site")
    inputs = home / "kaggle" / "input" / "datasets"
    data = draw_sample(
        inputs / "paramaggarwal" / "fashion-product-images-small", photos=60, types=6
    )
    (data / "sample.json").unlink()
    shutil.copytree(data, data / "myntradataset")  # as in Kaggle's own
    (inputs / "me" / "wheel").mkdir(parents=True)
    shutil.copy(wheel, inputs / "me" / "wheel")
    for folder in ("kaggle/working", "content"):
        (home / folder).mkdir()
    shutil.copy(wheel, home / "content")
    shutil.make_archive(home / "content" / "fashion-product-images-small", "zip", data)
    for words in ("init -q", "-c user.name=A -c user.email=a@b commit -q --allow-empty -m theirs"):
        subprocess.run(["git", *words.split()], cwd=home, check=True)
    return Site(home, fresh_environment(home / "environment"))


@pytest.fixture(scope="module")
def on_kaggle(site) -> Site:
    """After the guide's cells for Kaggle have been run."""
    inputs = site.home / "kaggle" / "input"
    before = {path: path.stat().st_mtime_ns for path in inputs.rglob("*")}
    install, train, *_ = cells("Kaggle")
    assert "usable" in site.run_cell(install)
    assert "top1" in site.run_cell(train, FASHION_TL_CACHE=site.home / "tmp" / "fashion_tl")
    assert {path: path.stat().st_mtime_ns for path in inputs.rglob("*")} == before
    return site


def test_the_guides_cells_for_kaggle_train_from_the_read_only_mount(on_kaggle):
    assert (on_kaggle.home / "kaggle" / "working" / "fc_only" / "metrics.json").is_file()


@pytest.mark.package
def test_the_guides_cell_for_the_report_finds_the_installed_templates(on_kaggle):
    _, _, report, _ = cells("Kaggle")
    on_kaggle.run_cell(report)
    assert (on_kaggle.home / "kaggle" / "working" / "fc_only" / "report.html").is_file()


def test_the_guides_parameters_for_kaggle_are_those_of_the_notebooks():
    *_, lines = cells("Kaggle")
    names = re.findall(r"^(\w+) =", lines, flags=re.MULTILINE)
    for name in NOTEBOOKS:
        text = (REPOSITORY / "notebooks" / f"{name}.ipynb").read_text("utf-8")
        assert names and all(f'"{each} = ' in text for each in names), name


@pytest.mark.package
def test_the_guides_cells_for_colab_take_the_zip_and_write_to_drive(on_kaggle, tmp_path):
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "colab.py").write_text(
        "class drive:\n    mount = print\n\nclass userdata:\n    get = staticmethod(str.lower)\n"
    )
    install, train = cells("Colab")
    assert "usable" in on_kaggle.run_cell(install, PYTHONPATH=tmp_path)
    assert "top1" in on_kaggle.run_cell(
        train, FASHION_TL_CACHE=on_kaggle.home / "tmp" / "fashion_tl"
    )
    assert (on_kaggle.home / "content" / "drive" / "MyDrive" / "fc_only" / "metrics.json").is_file()


def test_installed_it_runs_from_its_own_environment_and_by_either_name(on_kaggle):
    place = on_kaggle.run(
        on_kaggle.programs / "python", "-c", "import fashion_tl; print(fashion_tl.__file__)"
    )
    assert Path(place.strip()).is_relative_to(on_kaggle.home / "environment")
    assert on_kaggle.run("fashion-tl", "--help").startswith("usage: fashion-tl ")
    assert on_kaggle.run("fashion-tl", "--version") == f"fashion_tl {fashion_tl.__version__}\n"
    module = on_kaggle.run(on_kaggle.programs / "python", "-m", "fashion_tl", "--help")
    assert module.startswith("usage: python -m fashion_tl ")


def test_files_with_the_names_of_its_modules_are_in_nobodys_way(on_kaggle):
    mine = on_kaggle.home / "mine"
    mine.mkdir()
    for name in ("data", "catalogue", "errors", "files", "config", "model", "sample"):
        (mine / f"{name}.py").write_text("raise SystemExit('the wrong file')\n")
    for start in (
        [on_kaggle.programs / "python", "-m", "fashion_tl"],
        [on_kaggle.programs / "fashion-tl"],
    ):
        assert "usable" in check_output(
            *start, "summary", "--data", on_kaggle.home / "kaggle" / "input", at=mine
        )


def test_an_installed_packages_run_does_not_name_the_commit_of_the_repository_around_it(on_kaggle):
    about = json.loads((on_kaggle.home / "kaggle" / "working" / "fc_only" / "run.json").read_text())
    assert about["commit"] is None and about["versions"]["fashion_tl"] == fashion_tl.__version__


def test_an_extra_can_be_added_as_the_errors_say(on_kaggle):
    command = how_to_install("kaggle").split(", or")[0]
    assert command == 'pip install "fashion_tl[kaggle]"'
    on_kaggle.run(on_kaggle.programs / "python", "-m", *shlex.split(command))


@pytest.mark.parametrize("is_added", [False, True])
def test_a_copy_at_the_top_of_somebodys_repository_has_a_commit_only_if_it_is_tracked(
    tmp_path, monkeypatch, is_added
):
    shutil.copytree(
        REPOSITORY / "fashion_tl",
        tmp_path / "fashion_tl",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    add = ["add fashion_tl"] if is_added else []
    for words in (
        "init -q",
        *add,
        "-c user.name=A -c user.email=a@b commit -q --allow-empty -m theirs",
    ):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "fashion_tl" / "provenance.py"))
    assert (provenance.commit() is not None) == is_added


IMPORT_ALL = """
import importlib, sys, warnings
warnings.simplefilter("error")
# matplotlib 3.10 uses old names of pyparsing.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="matplotlib")
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.package
def test_no_module_warns_when_it_is_imported():
    files = [file for file in tracked("fashion_tl") if re.search(r"/[a-z]\w*\.py$", file)]
    names = [file[:-3].replace("/", ".") for file in files if "examples/" not in file]
    command = [sys.executable, "-c", IMPORT_ALL, *names]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert len(names) > 30 and done.returncode == 0, done.stderr
