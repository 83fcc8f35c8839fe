"""Every metric on record, computed again from the predictions and ``styles.csv`` alone."""

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from fashion_tl.data.catalogue import Catalogue, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.errors import FashionTLError, RunError
from fashion_tl.reporting.evaluation import confused_pairs, metrics, per_class_table
from fashion_tl.runs import write_json
from study.records import (
    COUNTED,
    Record,
    groups,
    need,
    pairs,
    read_measured,
    read_records,
    some_recorded,
)
from study.uncertainty import intervals, paired_difference

METRICS = (
    *("n_test", "correct", "top1", "top5", "ceiling", "top1_learnable", "top5_learnable"),
    *("macro", "macro_classes", "few_shot", "few_shot_classes", "interval95"),
)
LATER = ("ece",)  # older records lack it; nobody can compute nll from what is on record
CONFUSED = ["true", "predicted", "count"]
DRAWN = 0.002  # by which intervals may differ: other versions of numpy may draw otherwise


def main(results: Path, data: str, cache: str | None = None, pair: bool = False) -> None:
    """Check all that is on record; with ``pair``, compare the runs photo by photo, and write
    ``paired.json``.

    RunError names what differs, or says that nothing is on record.
    """
    some_recorded(results)
    records = read_records(results)
    groups(records)
    tables = check(records, data, cache)
    for name in tables:
        print(f"{name}: every metric is what its predictions say")
    compared = paired(records, tables)
    if pair:
        write_json(results / "paired.json", compared)
    elif not close(read_measured(results, "paired") or [], compared, DRAWN):
        raise RunError(
            f"{results / 'paired.json'} is not what the predictions say; "
            "`check --pair` makes it again"
        )
    print(f"{len(tables):,} run{'' if len(tables) == 1 else 's'} checked; none differs")


def check(
    records: dict[str, Record], data: str, cache: str | None = None
) -> dict[str, pd.DataFrame]:
    """Compute every run's metrics and counts again.

    Returns the predictions of each run, with the true class and its training photos. After all runs
    are checked, RunError names each wrong one: the file and the metric that differs, the file that
    can't be read or holds other photos, or what the data lack for it.
    """
    root = open_root(data, cache)
    read = functools.cache(functools.partial(read_catalogue, root))  # most runs read it alike
    tables, faults = {}, []
    for name, each in records.items():
        try:
            tables[name] = check_record(each, catalogue_of(each, read), data)
        except RunError as error:
            faults.append(str(error))
        except FashionTLError as error:  # the data lack what its settings name
            faults.append(f"{each.folder}: {error}")
    if faults:
        wrong = "\n".join(faults)
        raise RunError(f"wrong on record, {len(faults)} of {len(records)} runs:\n{wrong}")
    return tables


def catalogue_of(record: Record, read: Callable[..., Catalogue]) -> Catalogue:
    """The catalogue as the run read it, by ``read(bad_rows, label, split, split_seed)``. RunError
    where run.json is no record of ours.
    """
    need(record, ("approach", "config", *METRICS))
    config = record.config
    if "bad_rows" not in record.about["config"]:
        raise RunError(
            f"{record.folder / 'run.json'} lacks bad_rows in config; record the run again"
        )
    return read(config.bad_rows, config.label, config.split, config.split_seed)


def check_record(record: Record, catalogue: Catalogue, data: str) -> pd.DataFrame:
    """Check one run; its predictions, with the true class and its training photos. RunError as from
    :func:`check`.
    """
    counts = catalogue.counts[record.config.without_largest : record.config.largest or None]
    tested = catalogue.table.loc[~catalogue.trains, ["id", "year", "label"]]
    tested = tested[tested["label"].isin(counts["label"])].astype({"id": str})
    ids = record.predictions["id"]
    if set(ids) != set(tested["id"]) or ids.duplicated().any():
        raise RunError(
            f"{record.folder / 'predictions.csv.gz'} does not hold each test photo of {data} once"
        )
    table = record.predictions.merge(tested.merge(counts[["label", "train"]]), on="id")
    point = metrics(table, counts)
    again = point | {"interval95": intervals(table, counts, point=point)}
    for metric in (*METRICS, *(name for name in LATER if name in record.about)):
        said = differing(metric, record.about[metric], again[metric])
        if said:
            raise RunError(f"{record.folder / 'run.json'}: {said}")
    counted = {
        "per_class.csv": (record.per_class, per_class_table(table, counts), COUNTED),
        "confusions.csv": (record.confusions, confused_pairs(table, len(tested)), CONFUSED),
    }
    for file, (kept, made, columns) in counted.items():
        if not made[columns].equals(kept.reindex(columns=columns)):
            raise RunError(f"{record.folder / file} is not what its predictions say")
    return table


def differing(metric: str, kept: object, made: object) -> str | None:
    """Where a metric on record differs from what the predictions say, in words; None if nowhere."""
    if isinstance(kept, dict) and isinstance(made, dict) and kept.keys() == made.keys():
        parts = (differing(f"{metric}.{name}", kept[name], made[name]) for name in kept)
        return next(filter(None, parts), None)
    if close(kept, made, DRAWN if metric.startswith("interval95") else 1e-9):
        return None
    return f"{metric} is {kept}, but its predictions give {made}"


def close(one: object, other: object, tolerance: float) -> bool:
    """Whether two numbers, or dicts or lists of them, are the same up to a tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            close(one[key], other[key], tolerance) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other, [tolerance] * len(one)))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance
    return one == other


def paired(records: dict[str, Record], tables: dict[str, pd.DataFrame]) -> list[dict]:
    """The predictions of each run and of those that it is compared with, photo by photo. RunError
    for none alike.
    """
    compared = []
    for base, name in pairs(records):
        try:
            compared.append(
                {"first": base, "second": name, **paired_difference(tables[base], tables[name])}
            )
        except ValueError as error:
            raise RunError(f"{base} and {name} can't be compared: {error}") from error
    return compared
