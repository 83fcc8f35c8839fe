"""A run folder: settings, history, weights, predictions and metrics of one training."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_tl.backbones import find_backbone
from fashion_tl.config import Config
from fashion_tl.distributed import rank
from fashion_tl.errors import ConfigError, RunError, photos_in_words
from fashion_tl.files import (
    RUN_FILE,
    StrPath,
    as_path,
    is_made,
    is_run_folder,
    make_once,
    write_whole,
)
from fashion_tl.locks import hold
from fashion_tl.provenance import commit, machine, versions
from fashion_tl.recipes import APPROACHES, make_config
from fashion_tl.runfiles import (
    about_run,
    of_another_run,
    read_metrics,
    read_results,
    unreadable,
    way_out,
)

# The files that a run itself keeps.
OWN_FILES = (
    RUN_FILE,
    "history.csv",
    "checkpoint.pt",
    "model.safetensors",
    "memory.safetensors",
    "photos.npz",
    "predictions.csv.gz",
    "per_class.csv",
    "model_card.md",
    "metrics.json",
)
# What a figure's source line says of these settings, if they aren't the usual ones.
TOLD = {
    "label": "label {}",
    "split": "split {}",
    "largest": "{} largest classes",
    "without_largest": "without the {} largest classes",
}


@dataclass(frozen=True)
class Run:
    """The folder of one training.

    ``about`` holds its ``config``, ``data``, ``weights``, ``machine``, ``versions`` and ``commit``.
    Everything else is read from the folder's files on demand; RunError if a file is missing.
    """

    folder: Path
    about: dict[str, Any]

    @cached_property
    def config(self) -> Config:
        try:
            config = Config.from_dict(self.about["config"])
            make_config(config.training, config.recipe)  # ConfigError for an unknown training
            return config
        except (TypeError, KeyError, AttributeError, RecursionError, ConfigError) as error:
            raise RunError(
                f"{self.folder / RUN_FILE} is damaged, or was made by another version of this "
                f"package ({error}); {way_out(self.folder)}"
            ) from error

    @property
    def source(self) -> str:
        """The data, weights and recipe behind a figure, in one line.

        The label, the split and the number of classes are named if they aren't the usual ones. A
        recipe with others, another seed or other epochs doesn't count as changed.
        """
        data = self.about["data"]
        config = self.config
        usual = make_config(config.training, config.recipe)
        own = {name: getattr(config, name) for name in (*TOLD, "seed", "epochs", "backbone")}
        is_changed = config != usual.change(**own)
        unusual = [name for name in TOLD if own[name] != getattr(usual, name)]
        words = [
            f"Data: {data['name']}, {photos_in_words(data['photos'])}",
            *(TOLD[name].format(own[name]) for name in unusual),
            f"{find_backbone(config.backbone).title} from {self.about['weights']['name']}",
            f"{config.recipe} recipe{', changed' if is_changed else ''}",
        ]
        return " · ".join(words)

    @property
    def is_random(self) -> bool:
        """Whether it started from random weights, so that nothing was transferred."""
        weights = self.about["weights"]
        # Older runs have only the name.
        return weights.get("is_random", weights["name"] == "random weights")

    @property
    def is_sample(self) -> bool:
        """Whether it learned from the built-in sample's drawings, so that it measures nothing."""
        data = self.about["data"]
        return data.get("is_sample", data["name"] == "the built-in sample")

    @property
    def identity(self) -> dict[str, dict[str, Any]]:
        """The settings, data and weights of this run, in this version's names."""
        return {
            "config": self.config.to_dict(),
            "data": self.about["data"] | {"is_sample": self.is_sample},
            "weights": self.about["weights"] | {"is_random": self.is_random},
        }

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def is_finished(self) -> bool:
        """Whether it was trained to the end and tested.

        RunError if metrics.json is there, but can't be read: the run would be trained again.
        """
        file = self.folder / "metrics.json"
        if not os.path.lexists(file) or (file.is_file() and os.path.lexists(self.checkpoint)):
            return False
        return not self.metrics.get("interrupted")

    def refuse_unfinished(self, then: str) -> None:
        """RunError unless it is finished; the message says what to do ``then``, afterwards."""
        if not self.is_finished:
            raise RunError(
                f"{self.folder} isn't finished; repeat the command that began it, and {then}"
            )

    @property
    def model_path(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def memory_path(self) -> Path:
        return self.folder / "memory.safetensors"

    @property
    def history(self) -> pd.DataFrame:
        return self._read("history.csv", read_results)

    @property
    def predictions(self) -> pd.DataFrame:
        return self._read("predictions.csv.gz", read_results)

    @property
    def per_class(self) -> pd.DataFrame:
        return self._read("per_class.csv", read_results)

    @property
    def metrics(self) -> dict[str, Any]:
        return self._read("metrics.json", read_metrics)

    def _read(self, name: str, reader: Callable[[Path], Any]) -> Any:
        try:
            return reader(self.folder / name)
        except Exception as error:  # a damaged file makes readers raise any error
            is_missing = not os.path.lexists(self.folder / name)
            if is_missing and isinstance(error, FileNotFoundError) and not self.is_finished:
                why = f"{self.folder}: {name} can't be read ({error}); is the run finished?"
                raise RunError(f"{why} If not, repeat the command that began it") from error
            raise unreadable(self.folder / name, error) from error

    def check_results(self) -> None:
        """RunError if what a finished run measured is missing, damaged or of another run."""
        fault = of_another_run(self.metrics, self.history, self.predictions, self.per_class)
        if fault:
            raise RunError(f"{self.folder / fault}; {way_out(self.folder)}")


def open_run(folder: StrPath) -> Run:
    """The run in a folder; RunError if there is none, or if its run.json is damaged."""
    return Run(as_path(folder), about_run(folder))


def steps_of(run: Run) -> list[Run]:
    """The runs of the steps before this one, which lie below it, and the run itself."""
    training = run.config.training
    steps = [row.trainings[:-1] for row in APPROACHES.values() if row.trainings[-1] == training]
    there = [own for own in steps if all(is_run_folder(run.folder / step) for step in own)]
    before = max(there, key=len, default=())
    return [*(open_run(run.folder / step) for step in before), run]


def create_run(
    folder: StrPath, config: Config, data: dict[str, Any], weights: dict[str, Any]
) -> Run:
    """Make a run folder, or continue the run in it if that is the very same run.

    ``data`` has ``name``, ``photos`` (their number), ``fingerprint`` and ``is_sample``; ``weights``
    has ``name``, ``fingerprint`` and ``is_random``. From then on, an unfinished run belongs to this
    process. RunError if another process works on it, if another run is in the folder (nothing is
    changed then), or if the folder can't be written.
    """
    folder = as_path(folder)
    about = {"config": config.to_dict(), "data": data, "weights": weights}
    try:
        file = folder / RUN_FILE
        is_foreign = os.path.isfile(file) and not is_run_folder(folder)
        is_new = not is_made(file) and not file.is_symlink()
        if rank() == 0 and (is_new or is_foreign):
            _make_run_folder(folder, about)
        run = open_run(folder)
        changed = _changes(run, about)
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


def _make_run_folder(folder: Path, about: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    others = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if others and not (RUN_FILE in others and is_run_folder(folder)):
        raise RunError(f"{folder} holds something that isn't a run; name another folder")
    here = {"machine": machine(), "versions": versions(), "commit": commit()}
    text = json.dumps(about | here, indent=2) + "\n"

    def write(new: Path) -> None:
        new.write_text(text, encoding="utf-8")

    make_once(folder / RUN_FILE, write)


def _changes(run: Run, about: dict[str, dict[str, Any]]) -> list[str]:
    """What differs between a run and the one that was asked for, in words."""
    changes = []
    for part, wanted in about.items():
        there = run.identity[part]
        for name, new in wanted.items():
            if (old := there.get(name)) != new:
                named = name if part == "config" else f"{part} {name}"
                changes.append(f"{named} ({old!r}, now {new!r})")
    return changes


def _hold(folder: Path) -> None:
    """Keep other processes from a run as long as this process lives.

    This process itself may start it again, as a notebook does. RunError if another process has it.
    On a system without locks this does nothing.
    """
    try:
        hold(folder / RUN_FILE)
    except BlockingIOError as error:
        raise RunError(
            f"{folder}: another process is working on this run. Wait until it ends, or end it "
            "(a notebook keeps its run until its kernel is shut down), or name another folder."
        ) from error


def refuse_own_file(path: Path) -> None:
    """RunError if a run itself keeps this file: writing anything else there would destroy it."""
    if path.name.casefold() in OWN_FILES and is_run_folder(path.parent):
        raise RunError(f"{path} is a file of the run itself; name another file")


def write_text(path: Path, text: str) -> None:
    write_whole(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; ValueError for NaN and infinities."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def write_table(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Write CSV, gzipped if the name ends in .gz, whole or not at all.

    The same table gives the same bytes.
    """
    content = table.to_csv(index=False, float_format=float_format, lineterminator="\n").encode()
    write_whole(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
