"""Measured results: taken over from run folders, and put into the README.

python results/make.py record runs/real/fc_only   # results/fc_only.json and results/fc_only_per_class.csv
python results/make.py readme                     # rewrite the README's marked blocks from those files
"""

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_tl.catalogue import LARGEST, read_catalogue
from fashion_tl.dataroot import open_root
from fashion_tl.errors import FashionTLError, RunError
from fashion_tl.evaluation import TOP_K, confused_pairs, intervals, metrics, paired_difference
from fashion_tl.runs import open_run, write_json, write_table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from charts import draw_all  # noqa: E402
from words import render  # noqa: E402

WRITTEN = [HERE.parent / "README.md", HERE / "README.md", HERE / "tuning.md"]
CONFUSED = ["true", "predicted", "count"]
TOP = [f"top{k}" for k in range(1, TOP_K + 1)]


def record(folder: Path, results: Path = HERE, name: str | None = None) -> str:
    """Take a finished run over into ``results``: metrics with their intervals, and four tables.

    These are the history, the counts per class, how often each class was taken for which, and the predictions.

    Raises:
        RunError: for a run on the built-in sample, which measures nothing.
    """
    run = open_run(folder)
    if run.about["data"]["name"] == "the built-in sample":
        raise RunError(f"{folder} ran on the built-in sample; results/ holds measurements on real data alone")
    if not run.is_finished:
        raise RunError(f"{folder} was interrupted: its same command goes on; only a finished run is a result")
    name = name or run.config.training
    predictions, per_class = run.predictions, run.per_class
    about = {
        "interval95": intervals(predictions, per_class),
        "config": run.config.to_dict(),
        "data_fingerprint": run.about["data"]["fingerprint"],
        "weights_sha256_16": run.about["weights"]["fingerprint"],
        "versions": run.about["versions"],
    }
    write_table(results / f"{name}_history.csv", run.history, "%.6g")
    write_table(results / f"{name}_per_class.csv", per_class[["articleType", "train", "test", "correct"]])
    write_table(results / f"{name}_confusions.csv", confused_pairs(predictions, len(predictions)), "%.4g")
    write_table(results / f"{name}_predictions.csv.gz", predictions[["id", *TOP, "p1"]].round({"p1": 3}))
    write_json(results / f"{name}.json", run.metrics | about)
    return name


def check(data: str, results: Path = HERE, cache: Path | None = None) -> list[str]:
    """Recompute every run's metrics from its predictions and ``styles.csv`` alone, and compare runs on their photos.

    Returns the names of the runs. RunError names the run and the metric that differs, or the photos that do.
    """
    catalogue = read_catalogue(open_root(data, cache))
    table, tables = catalogue.table[["id", "year", "articleType"]], {}
    for name in recorded(results):
        record = json.loads((results / f"{name}.json").read_text())
        counts = catalogue.counts[: LARGEST if record["approach"] == "top20" else None]
        predictions = pd.read_csv(results / f"{name}_predictions.csv.gz", keep_default_na=False)
        tested = table[(table["year"] % 2 == 1) & table["articleType"].isin(counts["articleType"])]
        if set(predictions["id"]) != set(tested["id"]) or predictions["id"].duplicated().any():
            raise RunError(f"results/{name}_predictions.csv.gz does not hold each test photo of {data} once")
        tables[name] = predictions.merge(tested, on="id")
        again = metrics(tables[name], counts) | {"interval95": intervals(tables[name], counts)}
        for metric, value in again.items():
            if not np.allclose(
                np.array(flat(value), float), np.array(flat(record[metric]), float), atol=1e-9, equal_nan=True
            ):
                raise RunError(f"results/{name}.json says {metric} {record[metric]}, its predictions {value}")
        pairs = confused_pairs(tables[name], len(tested))[CONFUSED]
        if not pairs.equals(pd.read_csv(results / f"{name}_confusions.csv")[CONFUSED]):
            raise RunError(f"results/{name}_confusions.csv is not what its predictions say")
    write_json(results / "paired.json", paired(tables))
    return list(tables)


def flat(value: object) -> list:
    """The numbers in it, whatever it is; None as not-a-number."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in flat(value[key])]
    return [number for each in value for number in flat(each)] if isinstance(value, list) else [value]


def recorded(results: Path = HERE) -> list[str]:
    """The names of the runs on record."""
    return sorted(path.name.removesuffix("_predictions.csv.gz") for path in results.glob("*_predictions.csv.gz"))


def paired(tables: dict[str, pd.DataFrame]) -> list[dict]:
    """Every two runs compared on the photos that both predicted."""
    return [
        {"first": first, "second": second, **paired_difference(tables[first], tables[second])}
        for first, second in combinations(tables, 2)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="take over the results of finished runs")
    recorder.add_argument("runs", nargs="+", type=Path)
    recorder.add_argument("--name", help="of the files, for a single run; by default its training's")
    commands.add_parser("readme", help="rewrite README.md, results/README.md and images/results/ from results/")
    checker = commands.add_parser("check", help="recompute every metric from predictions and styles.csv alone")
    checker.add_argument("--data", required=True)
    checker.add_argument("--cache")
    args = parser.parse_args()
    try:
        if args.command == "record":
            if args.name and len(args.runs) > 1:
                raise RunError("--name is for a single run")
            for run in args.runs:
                print(f"results/{record(run, name=args.name)}.json")
        elif args.command == "check":
            for name in check(args.data, cache=args.cache):
                print(f"{name}: every metric is what its predictions say")
        else:
            for file in WRITTEN:
                file.write_text(render(file.read_text(encoding="utf-8")), encoding="utf-8")
            draw_all()
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
