"""A run folder: settings, history, weights, predictions and metrics of one training, each written
whole.
"""

import gzip
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_tl import __version__
from fashion_tl.backbones import find_backbone
from fashion_tl.config import DEFAULT_WEIGHTS, Config
from fashion_tl.distributed import rank
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.files import as_path, is_made, lock, make_once, replacing
from fashion_tl.machine import processors
from fashion_tl.recipes import make_config

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "pillow", "scikit-learn", "safetensors")
TEXT = (  # columns of our tables that are text whatever stands in them: a class may be called 001, NA or True
    "id", "label", "articleType", "true", "predicted", "top1", "top2", "top3", "top4", "top5", "photo", "error",
    "run", "commit", "input", "why", "approach", "trial", "image_size",
)  # fmt: skip
# The files of a run that hold what it reached.
OWN_FILES = (
    "run.json",
    "history.csv",
    "checkpoint.pt",
    "model.safetensors",
    "predictions.csv.gz",
    "per_class.csv",
    "model_card.md",
    "metrics.json",
)
_held: dict[
    tuple[int, int], int | None
] = {}  # locks of the runs this process is at, by run.json's device and inode


@dataclass(frozen=True)
class Run:
    """One training's folder. ``about`` holds its ``config``, ``data``, ``weights``, ``machine``,
    ``versions`` and ``commit``; everything else is read from the folder's files when asked for.
    RunError where one is missing.
    """

    folder: Path
    about: dict[str, Any]

    @cached_property
    def config(self) -> Config:
        try:
            return Config.from_dict(self.about["config"])
        except (TypeError, ConfigError) as error:
            raise RunError(
                f"{self.folder} was made by another version of this package ({error})"
            ) from error

    @property
    def source(self) -> str:
        """The data, weights and recipe behind a figure, in one line. Other seeds and epochs don't
        change a recipe.
        """
        data, weights = self.about["data"], self.about["weights"]["name"]
        photos = f"{data['name']}, {data['photos']:,} photos"
        config, own = self.config, {"seed": self.config.seed, "epochs": self.config.epochs}
        changed = (
            "" if config == make_config(config.training, config.recipe, **own) else ", changed"
        )
        network = find_backbone(config.backbone).title
        return f"Data: {photos} · {network} from {weights} · {config.recipe} recipe{changed}"

    @property
    def is_random(self) -> bool:
        """Whether it started from no weights: nothing was transferred."""
        weights = self.about["weights"]
        return weights.get(
            "is_random", weights["name"] == "random weights"
        )  # older runs have the name alone

    @property
    def is_sample(self) -> bool:
        """Whether it learned from the built-in sample's drawings: it measures nothing."""
        data = self.about["data"]
        return data.get("is_sample", data["name"] == "the built-in sample")

    @property
    def identity(self) -> dict[str, dict[str, Any]]:
        """What makes it the run that it is: its settings, data and weights, as this version names
        them.
        """
        data = self.about["data"] | {"is_sample": self.is_sample}
        return {
            "config": self.config.to_dict(),
            "data": data,
            "weights": self.about["weights"] | {"is_random": self.is_random},
        }

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def is_finished(self) -> bool:
        """Whether it was trained to the end, and measured."""
        is_measured = (self.folder / "metrics.json").is_file() and not self.checkpoint.exists()
        return is_measured and not self.metrics.get("interrupted")

    @property
    def model_path(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def history(self) -> pd.DataFrame:
        return self._read("history.csv", read_table)

    @property
    def predictions(self) -> pd.DataFrame:
        return self._read("predictions.csv.gz", read_table)

    @property
    def per_class(self) -> pd.DataFrame:
        return self._read("per_class.csv", read_table)

    @property
    def metrics(self) -> dict[str, Any]:
        return self._read(
            "metrics.json",
            lambda path: json.loads(path.read_bytes(), parse_constant=lambda _: None),
        )

    def _read(self, name: str, reader: Callable[[Path], Any]) -> Any:
        try:
            return reader(self.folder / name)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.folder}: {name} can't be read ({error}); is the run finished?"
            ) from error


def open_run(folder: str | os.PathLike) -> Run:
    """The run in a folder; RunError when none lies there."""
    folder = as_path(folder)
    if not folder.is_dir():
        raise RunError(f"no such run folder: {folder}")
    try:
        return Run(folder, json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError) as error:
        below = ", ".join(sorted(path.parent.name for path in folder.glob("*/run.json")))
        hint = f"; runs lie in it: {below}" if below else ""
        raise RunError(
            f"{folder} is no run folder: run.json can't be read ({error}){hint}"
        ) from error


def default_weights(*folders: str | os.PathLike) -> str:
    """DEFAULT_WEIGHTS; but torchvision's other ones where a run in one of these folders began with
    them, to go on.
    """
    for folder in folders:
        with suppress(RunError, KeyError, TypeError):
            name = open_run(as_path(folder)).about["weights"]["name"]
            if name.startswith("IMAGENET1K_"):
                return name
    return DEFAULT_WEIGHTS


def create_run(
    folder: str | os.PathLike, config: Config, data: dict[str, Any], weights: dict[str, Any]
) -> Run:
    """Make a run folder, or take up the one that lies there if it is of the very same run.

    ``data`` has ``name``, ``photos`` (their number), ``fingerprint`` and ``is_sample``; ``weights``
    have ``name``, ``fingerprint`` and ``is_random``. An unfinished run is this process's own from
    then on. RunError when another process is at it, when another run lies there (nothing is
    changed), or the folder can't be written.
    """
    folder, about = as_path(folder), {"config": config.to_dict(), "data": data, "weights": weights}
    try:
        if rank() == 0 and not is_made(
            folder / "run.json"
        ):  # the others must find what the first one made
            folder.mkdir(parents=True, exist_ok=True)
            others = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
            if others and "run.json" not in others:
                raise RunError(f"{folder} holds something that is no run; name another folder")
            versions = {"python": platform.python_version(), "fashion_tl": __version__}
            versions |= {name: version(name) for name in PACKAGES}
            here = {"machine": machine(), "versions": versions, "commit": commit()}
            make_once(
                folder / "run.json",
                lambda new: new.write_text(json.dumps(about | here, indent=2) + "\n"),
            )
        run = open_run(folder)
        there, changed = run.identity, []
        for part in about:
            for name, new in about[part].items():
                if (old := there[part].get(name)) != new:
                    changed.append(
                        f"{name if part == 'config' else f'{part} {name}'} ({old!r}, now {new!r})"
                    )
        if changed:
            raise RunError(
                f"{folder} holds a run with other settings: {'; '.join(changed)}. "
                "Name another folder for this run, or delete that one first."
            )
        if rank() == 0 and not run.is_finished:
            _hold(folder)
    except OSError as error:
        raise RunError(f"{folder} can't be written: {error}") from error
    return run


def _hold(folder: Path) -> None:
    """Keep other processes from a run as long as this one lives, which may start it again, as a
    notebook does.

    RunError when another has it. Where there are no locks, nobody is kept from it.
    """
    file = (folder / "run.json").stat()
    if (file.st_dev, file.st_ino) not in _held:
        try:
            _held[file.st_dev, file.st_ino] = lock(folder / "run.json")
        except BlockingIOError as error:
            raise RunError(
                f"{folder}: another process is at this run. Wait until it ends, or end it (a notebook keeps its run "
                "until its kernel is shut down), or name another folder."
            ) from error


def refuse_own_file(path: Path) -> None:
    """RunError for a file that a run itself keeps: an answer or a page written there would destroy
    the run.
    """
    if path.name in OWN_FILES and (path.parent / "run.json").exists():
        raise RunError(f"{path} is a file of the run itself; name another file")


def write_text(path: Path, text: str) -> None:
    _write(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    _write(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_table(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """As CSV (gzipped when the name ends so), with the same bytes for the same table."""
    content = table.to_csv(index=False, float_format=float_format, lineterminator="\n").encode()
    _write(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """What :func:`write_table` wrote. Every table of ours is read here: its columns of ``TEXT``
    come back as the text they were, and what is empty in the others as NaN. OSError or ValueError
    where it can't be read.
    """
    empty = {name: [""] for name in pd.read_csv(path, nrows=0) if name not in TEXT}
    table = pd.read_csv(
        path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=empty
    )
    return table.rename(
        columns={"articleType": "label"}
    )  # so older versions called it, whatever the label was


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def file_fingerprint(path: str | os.PathLike) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(as_path(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def machine() -> str:
    """The processor (and GPU) in words, and the number of cores this process may use."""
    import torch

    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {processors()} cores{gpu}"


def commit() -> str | None:
    """The commit of the code, with ``+`` when files that git tracks differ from it; None outside
    our own checkout.

    An installed package often lies in a repository that isn't ours: that of the project whose
    environment it's in.
    """
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if not here.parent.samefile(git("rev-parse", "--show-toplevel")):
            return None
        git(
            "ls-files", "--error-unmatch", "--", "__init__.py"
        )  # fails where this code isn't in the repository
        changed = git("status", "--porcelain", "--untracked-files=no", "--", here.as_posix())
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
