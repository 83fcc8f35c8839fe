"""Measured results: taken over from run folders, and put into the README.

python results/make.py record runs/real/fc_only   # results/fc_only.json and results/fc_only_per_class.csv
python results/make.py check --data ….zip --pair  # after `record`: compare its predictions with the other runs'
python results/make.py check --data ….zip         # recompute every metric from the predictions, fail on a difference
python results/make.py readme                     # rewrite the README's marked blocks from those files
"""

import argparse
import json
import os
import sys
from itertools import combinations
from pathlib import Path

import pandas as pd

from fashion_tl.data.catalogue import LARGEST, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.errors import FashionTLError, RunError
from fashion_tl.files import replacing
from fashion_tl.reporting.evaluation import TOP_K, confused_pairs, metrics, per_class_table
from fashion_tl.runs import open_run, read_table, write_json, write_table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from charts import draw_all  # noqa: E402
from compare import recorded  # noqa: E402
from uncertainty import intervals, paired_difference  # noqa: E402
from words import render  # noqa: E402

WRITTEN = [HERE.parent / "README.md", HERE / "README.md", HERE / "tuning.md", HERE.parent / "docs" / "speed.md"]
METRICS = ("n_test", "correct", "top1", "top5", "ceiling", "top1_learnable", "top5_learnable", "macro", "macro_classes",
           "few_shot", "few_shot_classes")  # fmt: skip
COUNTED = ["articleType", "train", "test", "correct"]
CONFUSED = ["true", "predicted", "count"]
TOP = [f"top{k}" for k in range(1, TOP_K + 1)]


def record(folder: str | os.PathLike, results: Path = HERE, name: str | None = None, why: str = "on record") -> str:
    """Take a finished run over into ``results``: metrics with their intervals, four tables, and a line in looks.csv.

    The tables are the history, the counts per class, how often each class was taken for which, and the predictions.

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
    write_table(results / f"{name}_per_class.csv", per_class[COUNTED])
    write_table(results / f"{name}_confusions.csv", confused_pairs(predictions, len(predictions)), "%.4g")
    write_table(results / f"{name}_predictions.csv.gz", predictions[["id", *TOP, "p1"]].round({"p1": 3}))
    write_json(results / f"{name}.json", run.metrics | about)
    look(name, run.metrics, why, results)
    return name


def look(name: str, metrics: dict, why: str, results: Path = HERE) -> None:
    """Add to ``looks.csv`` that a trained network was scored on the odd years, unless that very look is there."""
    new = {key: metrics[key] for key in ("commit", "seed", "epochs", "correct")}
    new = {"run": name, **new, "input": "{}x{}".format(*metrics["image_size"]), "why": why}
    file = results / "looks.csv"
    table = read_table(file).astype(str) if file.exists() else pd.DataFrame(columns=list(new))
    same = ["run", "commit", "seed", "correct"]
    if not (table[same] == pd.Series({key: str(new[key]) for key in same})).all(axis=1).any():
        write_table(file, pd.concat([table, pd.DataFrame([new])[list(table.columns)]]))


def check(data: str, results: Path = HERE, cache: Path | None = None) -> dict[str, pd.DataFrame]:
    """Recompute every run's metrics and counts from its predictions and ``styles.csv`` alone.

    Returns the predictions of each run, with the true class and its training photos. RunError names the run and the
    metric that differs, or the file that can't be read or holds other photos.
    """
    root, tables = open_root(data, cache), {}
    for name in recorded(results):
        try:
            record = json.loads((results / f"{name}.json").read_text())
            kept = {part: read_table(results / f"{name}_{part}.csv") for part in ("per_class", "confusions")}
            predictions = read_table(results / f"{name}_predictions.csv.gz")
            catalogue = read_catalogue(root, record["config"]["bad_rows"])
            said = {metric: record[metric] for metric in (*METRICS, "interval95")}
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"results/{name}.* can't be read ({error!r}); record the run again") from error
        counts = catalogue.counts[: LARGEST if record["approach"] == "top20" else None]
        tested = catalogue.table.loc[~catalogue.trains, ["id", "year", "articleType"]]
        tested = tested[tested["articleType"].isin(counts["articleType"])].astype({"id": str})
        if set(predictions["id"]) != set(tested["id"]) or predictions["id"].duplicated().any():
            raise RunError(f"results/{name}_predictions.csv.gz does not hold each test photo of {data} once")
        tables[name] = predictions.merge(tested.merge(counts[["articleType", "train"]]), on="id")
        again = metrics(tables[name], counts) | {"interval95": intervals(tables[name], counts)}
        for metric, value in said.items():
            tolerance = 0.002 if metric == "interval95" else 1e-9  # other versions of numpy may draw otherwise
            if not close(value, again[metric], tolerance):
                raise RunError(f"results/{name}.json says {metric} {value}, its predictions {again[metric]}")
        if not per_class_table(tables[name], counts)[COUNTED].equals(kept["per_class"]):
            raise RunError(f"results/{name}_per_class.csv is not what its predictions say")
        if not confused_pairs(tables[name], len(tested))[CONFUSED].equals(kept["confusions"][CONFUSED]):
            raise RunError(f"results/{name}_confusions.csv is not what its predictions say")
    return tables


def close(one: object, other: object, tolerance: float) -> bool:
    """Whether two numbers, or dicts or lists of them, are the same up to a tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other, [tolerance] * len(one)))
    return one == other if None in (one, other) or isinstance(one, str) else abs(one - other) <= tolerance


def runs_to_compare(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of runs: the three approaches with one another, the second step of two with the first and with direct
    trained as long, and every other run with the one that its name begins with."""
    whole = [name for name in ("fc_only", "direct", "two_step") if name in names]
    chosen = [*combinations(whole, 2)]
    chosen += [(name, "two_step") for name in ("top20", "direct_long") if {name, "two_step"} <= set(names)]
    for name in names:
        bases = [base for base in names if name.startswith(f"{base}_") and name not in whole]
        chosen += [(base, name) for base in sorted(bases, key=len)[-1:]]  # direct_80x60 is nearer than direct
    return chosen


def paired(tables: dict[str, pd.DataFrame]) -> list[dict]:
    """The predictions of :func:`runs_to_compare`, photo by photo."""
    pairs = runs_to_compare([*tables])
    return [{"first": one, "second": two, **paired_difference(tables[one], tables[two])} for one, two in pairs]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="take over the results of finished runs")
    recorder.add_argument("runs", nargs="+")
    recorder.add_argument("--name", help="of the files, for a single run; by default its training's")
    recorder.add_argument("--why", default="on record", help="the test photos were looked at")
    commands.add_parser("readme", help="rewrite README.md, results/README.md and images/results/ from results/")
    checker = commands.add_parser("check", help="recompute every metric from predictions and styles.csv alone")
    checker.add_argument("--data", required=True)
    checker.add_argument("--cache")
    checker.add_argument("--pair", action="store_true", help="and compare the runs photo by photo: results/paired.json")
    args = parser.parse_args()
    try:
        if args.command == "record":
            if args.name and len(args.runs) > 1:
                raise RunError("--name is for a single run")
            for run in args.runs:
                print(f"results/{record(run, name=args.name, why=args.why)}.json")
        elif args.command == "check":
            tables = check(args.data, cache=args.cache)
            for name in tables:
                print(f"{name}: every metric is what its predictions say")
            if args.pair:
                write_json(HERE / "paired.json", paired(tables))
            elif not close(json.loads((HERE / "paired.json").read_text()), paired(tables), 0.002):
                raise RunError("results/paired.json is not what the predictions say; `check --pair` makes it anew")
        else:
            for file in WRITTEN:
                text = render(file.read_text(encoding="utf-8"))
                with replacing(file) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            draw_all()
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
