"""A finished run taken into ``results/runs/NAME/``, and each look at the odd years into
``results/looks.csv``.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from fashion_tl.config import Config
from fashion_tl.errors import ConfigError, RunError, in_a_line
from fashion_tl.extension import refuse_extended
from fashion_tl.files import absolute, as_path
from fashion_tl.reporting.evaluation import TOP_K, confused_pairs, metrics
from fashion_tl.runs import Run, open_run, write_json, write_table
from fashion_tl.split import parse_split
from study.records import COUNTED, LOOKS, one_at_a_time, read_looks, read_record, recorded
from study.uncertainty import intervals

ANSWERS = [f"top{k}" for k in range(1, TOP_K + 1)]
LONGEST_NAME = 200  # bytes; most systems take 255, and a record's name is part of other names


def main(
    runs: Sequence[str],
    results: Path,
    name: str | None = None,
    why: str = "on record",
    base: Sequence[str] | None = None,
    group: str | None = None,
) -> None:
    """Take these finished runs over, after all of them and all names are checked.

    See :func:`record`. ConfigError for a name that would be for several runs. RunError also for two
    runs that would have one name, and for a ``base`` that isn't on record.
    """
    if len(runs) > 1 and (name, base, group) != (None, None, None):
        raise ConfigError("--name, --base and --group are for a single run")
    names = [checked_name(finished(run), name, base, group) for run in runs]
    if twice := [own for own in names if names.count(own) > 1]:
        raise RunError(
            f"several of these runs would have the name {twice[0]!r}; record them one by one, with "
            "--name"
        )
    there = recorded(results)
    for each in base or ():
        if each not in there:
            known = f"there are: {', '.join(there)}" if there else "there is none yet"
            raise RunError(f"--base {in_a_line(each)}: no such run is on record; {known}")
    for run in runs:
        print(record(run, results, name, why, base, group))


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
            it replaces. They may go on record later.
        group: the name that it shares with runs that differ in the seed alone; by default as
            ``base``, or its own.

    Returns the folder of the record. RunError as from :func:`finished` and :func:`checked_name`.
    """
    run = finished(folder)
    name = checked_name(run, name, base, group)
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


def checked_name(run: Run, name: str | None, base: Sequence[str] | None, group: str | None) -> str:
    """The name of a run's record: the one given, or its training's.

    RunError for a name that no folder can have, for an empty group, and for a record that would be
    compared with itself.
    """
    name = run.config.training if name is None else name
    is_short = len(os.fsencode(name)) <= LONGEST_NAME
    if not name.strip() or Path(name).name != name or name.startswith(".") or not is_short:
        raise RunError(
            f"{in_a_line(name)} can't be the name of a record: a folder has it, so it must be "
            "short, without slashes and a first dot"
        )
    if group is not None and not group.strip():
        raise RunError("the group's name is empty; leave out --group, or give the runs a name")
    if name in (base or ()):
        raise RunError(f"{name} can't be compared with itself; name another record with --base")
    return name


def finished(folder: str | os.PathLike) -> Run:
    """A run that can go on record; RunError for any other, such as one on the built-in sample."""
    run = open_run(folder)
    if run.is_sample:
        raise RunError(
            f"{folder} ran on the built-in sample; results/ holds measurements on real data alone"
        )
    refuse_unmeasured(folder)
    return run


def name_of(run: str | os.PathLike) -> str:
    """The name of a run's folder, also where a user names it by a dot."""
    return absolute(as_path(run)).name


def refuse_unmeasured(folder: str | os.PathLike) -> None:
    """RunError for a run without figures of its own, or not yet, or with a split that was drawn."""
    refuse_extended(folder, "its figures are those of the run before, so measure that one")
    run = open_run(folder)
    run.refuse_unfinished("then this one")
    # The settings alone don't say it: without a table, folders decide, or chance if they don't.
    if parse_split(run.config.split).is_drawn or run.metrics.get("split_is_drawn"):
        raise RunError(
            f"{folder} has a split that was drawn; results/ holds runs whose split the data state"
        )


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
    with one_at_a_time(results):
        table = read_looks(results)
        if not (table == pd.Series(new)[LOOKS]).all(axis=1).any():
            write_table(results / "looks.csv", pd.concat([table, pd.DataFrame([new])])[LOOKS])
