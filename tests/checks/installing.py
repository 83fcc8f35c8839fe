"""The package as a user installs it: a wheel, in an environment of its own, away from the clone."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def bounds(*extras: str) -> dict[str, Requirement]:
    """What the package needs, and what some extras do, by name; an extra's own extras are left
    out."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    needed = [Requirement(line) for line in lines]
    return {each.name: each for each in needed if each.name != PROJECT["name"]}


def tracked(folder: str = ".") -> list[str]:
    """The files that git tracks below a folder of the repository, as they are in the working
    tree."""
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git, or no checkout: nobody knows which files are the package's")
    names = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout
    return sorted(
        name for name in names.decode().split("\0") if name and (REPOSITORY / name).is_file()
    )


def build_wheel(to: Path) -> Path:
    """Build the wheel from a copy of all tracked files, without a network: setuptools must be
    here."""
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not in this environment, and builds the wheel")
    clone = to / "clone"
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, clone / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    check_output(
        *pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", to, clone, at=to
    )
    (wheel,) = to.glob("*.whl")
    return wheel


def fresh_environment(folder: Path) -> Path:
    """A new environment that sees every package of this one except ours; its folder of programs."""
    check_output(sys.executable, "-m", "venv", "--without-pip", folder, at=folder.parent)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    find_site = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(check_output(programs / "python", "-c", find_site, at=folder).strip())
    others = folder / "others"
    others.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if PROJECT["name"] not in package.name:
            (others / package.name).symlink_to(package)
    (site / "others.pth").write_text(f"{others}\n")
    return programs


def check_output(*command: object, at: Path, **variables: object) -> str:
    """What a command prints, errors included, away from the clone; AssertionError with all of it
    when it fails.
    """
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {name: str(value) for name, value in variables.items()}
    command = [str(word) for word in command]
    options = {
        "cwd": at,
        "env": environment,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **options)
    assert ended.returncode == 0, f"{' '.join(command)}:\n{ended.stdout}"
    return ended.stdout
