"""The runs on record and what was tried: all of them, their seeds, pairs, flips, looks and
trials."""

from pathlib import Path

import numpy as np
import pandas as pd

from study.blocks.markdown import markdown, percent, spread
from study.compare import on_the_same_photos, with_interval
from study.records import METRICS, groups, read_columns, read_looks, read_measured, read_records


def runs(results: Path) -> str:
    """Every run on record, with what it takes to judge it."""
    head = ["run", "recipe", "input", "flips", "epochs", "seed", "right", *METRICS.values()]
    head += ["learnable: top-1", "top-5", "minutes", "precision", "commit", "machine"]
    rows, records = [], read_records(results)
    for name, record in records.items():
        ours, right = record.about, f"{record.about['correct']:,} of {record.about['n_test']:,}"
        flips = [
            part
            for part, key in (("training", "flip"), ("test", "flip_test"))
            if ours["config"][key]
        ]
        row = [
            f"`{name}`",
            ours["recipe"],
            record.size,
            ", ".join(flips) or "–",
            ours["epochs"],
            ours["seed"],
            right,
        ]
        row += [with_interval(ours, key) for key in (*METRICS, "top1_learnable", "top5_learnable")]
        rows.append(
            [
                *row,
                f"{ours['minutes']:.0f}",
                ours["precision"],
                f"`{ours['commit']}`",
                ours["machine"],
            ]
        )
    hours = sum(record.about["minutes"] for record in records.values()) / 60
    return f"{markdown(head, rows)}\n\nAll together: {hours:.1f} hours."


def seeds(results: Path) -> str:
    """The mean and the spread of runs that differ in nothing but the seed."""
    rows = []
    for name, same in groups(read_records(results)).items():
        if len(same) > 1:
            shares = ([record.about[key] for record in same] for key in METRICS)
            rows.append([f"`{name}`", len(same), *map(spread, shares)])
    if not rows:
        return "Not measured yet; `python -m study train … --gpu` does."
    return markdown(
        [
            "run",
            "seeds",
            *(f"{title}, mean ± standard deviation" for title in METRICS.values()),
        ],
        rows,
    )


def flips(results: Path) -> str:
    """What averaging over mirror images in testing is worth."""
    head = ["run", *(f"{title}: with, without" for title in METRICS.values())]
    rows = [
        [
            f"`{name}`",
            *(f"{percent(each['with'][key])}, {percent(each['without'][key])}" for key in METRICS),
        ]
        for name, each in (read_measured(results, "flips") or {}).items()
    ]
    return (
        markdown(head, rows)
        if rows
        else "Not measured yet; `python -m study flips RUN … --data …` does."
    )


def pairs(results: Path) -> str:
    """Runs compared on the same photos."""
    table = on_the_same_photos(results)
    if table.empty:
        return "Nothing is compared yet; `python -m study check --data … --pair` does."
    for name in ("first", "second"):
        table[name] = "`" + table[name] + "`"
    return markdown(list(table.columns), table.to_numpy().tolist())


def looks(results: Path) -> str:
    """Every time that a trained network was scored on the odd years."""
    table = read_looks(results)
    return markdown(list(table.columns), table.to_numpy().tolist())


def left_out(results: Path) -> str:
    """Every trial judged by years left out, the best criterion of each approach first."""
    if not (results / "trials.csv").exists():
        return "Not measured yet; `python -m study trials --data … --weights …` does."
    table = read_columns(
        results / "trials.csv", ("trial", "on", "correct", "n", "minutes", "commit")
    )
    table["share"] = table["correct"] / table["n"]
    shares = table.pivot(index="trial", columns="on", values="share")
    about = table.groupby("trial")[["minutes", "commit"]].first()
    shares.insert(0, "criterion", shares.mean(axis=1))
    kind = shares.index.str.partition(",").get_level_values(0)
    shares = shares.iloc[np.lexsort((-shares["criterion"], kind))]
    rows = [[name, *map(percent, shares.loc[name]), *about.loc[name]] for name in shares.index]
    return markdown(["trial", *shares.columns, *about.columns], rows)


def fewer(results: Path) -> str:
    """Trainings with fewer operations beside whole ones, seed by seed."""
    if not (results / "fewer.csv").exists():
        return "Not measured yet; `python -m study fewer --data … --weights …` does."
    names = ["training", "trial", "seed"]
    about = ["train", "operations", "seconds", "commit"]
    table = read_columns(results / "fewer.csv", (*names, *about, "on", "n", "correct"))
    table["share"] = table["correct"] / table["n"]
    shares = table.pivot(index=names, columns="on", values="share")
    shares.insert(0, "criterion", shares.mean(axis=1))
    own = table.groupby(names)[about].first()
    rows = [[*key, *map(percent, shares.loc[key]), *own.loc[key]] for key in shares.index.tolist()]
    lines = [markdown([*names, *shares.columns, *about], rows), ""]
    by_trial = shares[["criterion"]].join(own).reset_index()
    whole = by_trial[by_trial["trial"] == "whole"].drop(columns="trial")
    others = by_trial[by_trial["trial"] != "whole"]
    pairs = others.merge(whole, on=["training", "seed"], suffixes=("", "_whole"))
    for (training, trial), its in pairs.groupby(["training", "trial"]):
        points = 100 * (its["criterion"] - its["criterion_whole"])
        # A machine's speed changes from day to day.
        same_commit = its[its["commit"] == its["commit_whole"]]
        time = f" and in {_part(same_commit, 'seconds')} of the time" if len(same_commit) else ""
        lines.append(
            f"- {training}, {trial} beside whole: {points.mean():+.1f} points of the criterion "
            f"({points.min():+.1f} to {points.max():+.1f} over {len(its)} seeds), with "
            f"{_part(its, 'operations')} of the operations{time}."
        )
    return "\n".join(lines)


def _part(pairs: pd.DataFrame, cost: str) -> str:
    return f"{pairs[cost].sum() / pairs[f'{cost}_whole'].sum():.0%}"


def trials(results: Path) -> str:
    """Every tuning trial."""
    table = read_columns(results / "tuning.csv", ("val_accuracy", "val_macro", "margin95"))
    table.insert(
        list(table).index("val_macro") + 1,
        "criterion",
        table[["val_accuracy", "val_macro"]].mean(axis=1),
    )
    for name in ("val_accuracy", "margin95", "val_macro", "criterion"):
        table[name] = table[name].map(percent)
    return markdown(list(table.columns), table.to_numpy().tolist())
