"""A finished run taken into ``results/runs/NAME/``, and each look at the odd years into
``results/looks.csv``.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from fashion_tl.config import Config
from fashion_tl.errors import ConfigError, RunError
from fashion_tl.extension import refuse_extended
from fashion_tl.reporting.evaluation import TOP_K, confused_pairs, metrics
from fashion_tl.runs import Run, open_run, write_json, write_table
from fashion_tl.split import parse_split
from study.records import COUNTED, LOOKS, read_looks, read_record, recorded
from study.uncertainty import intervals

ANSWERS = [f"top{k}" for k in range(1, TOP_K + 1)]


def record(
    folder: str | os.PathLike,
    results: Path,
    name: str | None = None,
    why: str = "on record",
    base: Sequence[str] | None = None,
    group: str | None = None,
) -> Path:
    """Take a finished run over: run.json with its metrics, their intervals and its settings; four
    tables; a look.

    The tables are the history, the counts per class, how often each class was taken for which, and
    the predictions.

    Args:
        name: of its folder; by default its training's.
        why: the odd years were looked at.
        base: the names of the runs that it is compared with; by default those of the record that
            it replaces.
        group: the name that it shares with runs that differ in the seed alone; by default as
            ``base``, or its own.

    Returns the folder of the record. RunError for a run on the built-in sample, which measures
    nothing, for one that isn't finished, and for a name that no folder can have.
    """
    run = finished(folder)
    name = name or run.config.training
    if Path(name).name != name or name.startswith("."):
        raise RunError(
            f"{name!r} can't be the name of a record: a folder has it, "
            "so leave out slashes and a first dot"
        )
    before = read_record(results, name) if name in recorded(results) else None
    if base is None:
        base = before.base if before else []
    if group is None:
        group = before.group if before else name
    predictions, per_class = run.predictions.round({"p1": 3}), run.per_class
    about = {
        "interval95": intervals(predictions, per_class),
        "config": run.config.to_dict(),
        "data_fingerprint": run.about["data"]["fingerprint"],
        "weights_sha256_16": run.about["weights"]["fingerprint"],
        "versions": run.about["versions"],
    }
    if "temperature" in run.metrics:
        # Of the rounded probabilities, which are all that a check will have.
        about["ece"] = metrics(predictions, per_class)["ece"]
    own = results / "runs" / name
    own.mkdir(parents=True, exist_ok=True)
    write_table(own / "history.csv", run.history, "%.6g")
    write_table(own / "per_class.csv", per_class[COUNTED])
    write_table(own / "confusions.csv", confused_pairs(predictions, len(predictions)), "%.4g")
    write_table(own / "predictions.csv.gz", predictions[["id", *ANSWERS, "p1"]])
    write_json(own / "run.json", {"base": list(base), "group": group} | run.metrics | about)
    look(name, run.metrics, run.config, why, results)
    return own


def finished(folder: str | os.PathLike) -> Run:
    """A run that can go on record; RunError for any other."""
    run = open_run(folder)
    if run.is_sample:
        raise RunError(
            f"{folder} ran on the built-in sample; results/ holds measurements on real data alone"
        )
    refuse_unmeasured(folder)
    # The settings alone don't say it: without a table, folders decide, or chance if they don't.
    if parse_split(run.config.split).is_drawn or run.metrics.get("split_is_drawn"):
        raise RunError(
            f"{folder} has a split that was drawn; results/ holds runs whose split the data state"
        )
    return run


def refuse_unmeasured(folder: str | os.PathLike) -> None:
    """RunError for a run that has no figures of its own, or not yet."""
    refuse_extended(folder, "its figures are those of the run before, so measure that one")
    open_run(folder).refuse_unfinished("then this one")


def weights_or_run(weights: str | None, run: str | None, settings: Collection[str] = ()) -> None:
    """ConfigError unless one of the two is given, and for names of ``settings`` beside a run.

    RunError as from :func:`refuse_unmeasured`.
    """
    if run:
        refuse_unmeasured(run)
    if bool(weights) == bool(run):
        raise ConfigError(
            "give either --weights, for FC only's network, or --run, whose network has its own"
        )
    if run and settings:
        raise ConfigError(f"{run} has its own settings; leave out --set {' and '.join(settings)}")


def look(name: str, metrics: dict, config: Config, why: str, results: Path) -> None:
    """Add to ``looks.csv`` that a trained network was scored on the odd years, unless a look that
    is the same in all columns is there.
    """
    new = {key: str(metrics[key]) for key in ("commit", "seed", "epochs", "correct")}
    new |= {"label": config.label, "input": "{}x{}".format(*config.image_size)}
    new |= {"run": name, "why": why}
    table = read_looks(results)
    if not (table == pd.Series(new)[LOOKS]).all(axis=1).any():
        write_table(results / "looks.csv", pd.concat([table, pd.DataFrame([new])])[LOOKS])
