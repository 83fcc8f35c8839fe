"""Where a run's results come from: the machine, the versions, the commit, the weights' file."""

import hashlib
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from fashion_tl import __version__
from fashion_tl.files import StrPath, as_path
from fashion_tl.machine import processors

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "pillow", "scikit-learn", "safetensors")


def machine() -> str:
    """The names of the processor and the GPU, and the number of cores this process may use."""
    import torch

    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        own = next(line for line in lines if line.startswith("model name"))
        name = own.split(":", 1)[1].strip()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {processors()} cores{gpu}"


def versions() -> dict[str, str]:
    """The versions of Python, of this package, and of the packages that results depend on."""
    own = {"python": platform.python_version(), "fashion_tl": __version__}
    return own | {name: version(name) for name in PACKAGES}


def commit() -> str | None:
    """The commit of the code, with ``+`` if files that git tracks were changed since.

    None outside our own checkout. An installed package often lies in somebody else's repository:
    that of the project whose environment it is in.
    """
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, check=True)
        return os.fsdecode(done.stdout).strip()  # git prints paths in the file system's bytes

    try:
        if not here.parent.samefile(git("rev-parse", "--show-toplevel")):
            return None
        git("ls-files", "--error-unmatch", "--", "__init__.py")  # fails if git doesn't track it
        changed = git("status", "--porcelain", "--untracked-files=no", "--", here.as_posix())
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def file_fingerprint(path: StrPath) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(as_path(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
