"""Measured results: taken over from run folders, and put into the README.

python results/make.py record runs/real/fc_only   # results/fc_only.json and results/fc_only_per_class.csv
python results/make.py readme                     # rewrite the README's marked blocks from those files
"""

import argparse
import json
import re
import sys
from pathlib import Path

import pandas as pd

from fashion_tl.errors import FashionTLError, RunError
from fashion_tl.evaluation import best_and_worst
from fashion_tl.runs import open_run, write_json, write_table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from timing import show  # noqa: E402

README = HERE.parent / "README.md"
APPROACHES = {"fc_only": "FC only", "direct": "Direct", "top20": "Two steps: 20 classes", "two_step": "Two steps: all"}


def record(folder: Path, results: Path = HERE, name: str | None = None) -> str:
    """Copy a finished run's metrics and per-class counts into ``results``.

    Raises:
        RunError: for a run on the built-in sample, which measures nothing.
    """
    run = open_run(folder)
    if run.about["data"]["name"] == "the built-in sample":
        raise RunError(f"{folder} ran on the built-in sample; results/ holds measurements on real data alone")
    if not run.is_finished:
        raise RunError(f"{folder} was interrupted: its same command goes on; only a finished run is a result")
    name = name or run.config.training
    write_json(results / f"{name}.json", run.metrics)
    write_table(results / f"{name}_per_class.csv", run.per_class[["articleType", "train", "test", "correct"]])
    return name


def render(readme: str, results: Path = HERE) -> str:
    """The README's text with every block between ``<!-- results: NAME -->`` and ``<!-- end -->`` made anew."""

    def block(match: re.Match) -> str:
        name = match[1]
        makers = {"table": table, "bench": speed, "precision": precision}
        body = makers[name](results) if name in makers else story(name, results)
        return f"<!-- results: {name} -->\n{body}\n<!-- end -->"

    return re.sub(r"<!-- results: (\w+) -->\n.*?<!-- end -->", block, readme, flags=re.DOTALL)


def table(results: Path) -> str:
    """All approaches beside the published figures."""
    published = json.loads((results / "published.json").read_text())
    lines = [
        "| approach | top-1 published | ours | ceiling | top-5 published | ours | macro published | ours "
        "| few-shot published | ours | input, epochs | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, title in APPROACHES.items():
        if not (results / f"{name}.json").exists():
            continue
        ours = json.loads((results / f"{name}.json").read_text())
        theirs = [figures_of(published[key]) for key in (name, f"{name}_flips") if key in published]
        cells = [
            title,
            *compared("top1", ours, theirs),
            percent(ours["ceiling"], 2),
            *compared("top5", ours, theirs),
            *compared("macro", ours, theirs),
            *compared("few_shot", ours, theirs),
            "{}×{}, {}".format(*ours["image_size"], ours["epochs"]),
            f"{ours['minutes']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def speed(results: Path) -> str:
    """What ``make bench`` measured, machine by machine."""
    parts = []
    for file in sorted((results / "bench").glob("*.json")):
        about = json.loads(file.read_text())
        versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("torch", "torchvision"))
        data = f"{about['photos']:,} photos of {about['data']}"
        parts.append(f"{about['machine']}; {versions}; {data}; commit {about['commit']}:\n\n{show(about['rows'])}")
    return "\n\n".join(parts)


def precision(results: Path) -> str:
    """What bf16 changes, as benchmarks/precision.py measured it."""
    if not (results / "precision.json").exists():
        return "Not measured yet; `python benchmarks/precision.py RUN --data …` does."
    changes = [
        f"{APPROACHES[each['approach']]}: {100 * each['top1_change']:+.2f} points of top-1, "
        f"{percent(each['same_answer'])} of the answers the same"
        for each in json.loads((results / "precision.json").read_text())
    ]
    return f"Predicted in bf16 instead of float32, the same trained networks differ by little ({'; '.join(changes)})."


def figures_of(published: dict) -> dict[str, float]:
    """A published training's figures of merit: right answers as the study states them, macro from its counts."""
    stated, counted = published["readme"], published["notebook"]
    shares = {"top1": stated["correct"], "top5": stated.get("top5_correct")}
    return {key: n / stated["total"] for key, n in shares.items() if n is not None} | counted


def compared(key: str, ours: dict, theirs: list[dict]) -> tuple[str, str]:
    """Published and ours, the better one bold; with flips after without, where the study has both."""
    known = [each[key] for each in theirs if key in each]
    left, right = " / ".join(map(percent, known)) or "–", percent(ours[key])
    if known and ours[key] is not None:
        left, right = (left, f"**{right}**") if ours[key] > max(known) else (f"**{left}**", right)
    return left, right


def story(name: str, results: Path) -> str:
    """One approach in words: right answers of all, and the five best classes, published and ours."""
    theirs = json.loads((results / "published.json").read_text())
    stated, best_theirs = theirs[name]["readme"], theirs["best_five_classes"][name]
    lines = [
        f"- Published: {stated['correct']:,} of {stated['total']:,} right "
        f"({percent(stated['correct'] / stated['total'])}); best five classes: {', '.join(best_theirs)}."
    ]
    if (results / f"{name}.json").exists():
        ours = json.loads((results / f"{name}.json").read_text())
        best, _ = best_and_worst(with_accuracy(pd.read_csv(results / f"{name}_per_class.csv")))
        five = ", ".join(f"{row.articleType} {row.accuracy:.0%}" for row in best.itertuples())
        lines.append(
            f"- Ours: **{ours['correct']:,} of {ours['n_test']:,}** right ({percent(ours['top1'])}; ceiling "
            f"{percent(ours['ceiling'], 2)}); best five classes: {five}."
        )
    return "\n".join(lines)


def with_accuracy(per_class: pd.DataFrame) -> pd.DataFrame:
    return per_class.assign(accuracy=per_class["correct"] / per_class["test"].where(per_class["test"] > 0))


def percent(fraction: float | None, digits: int = 1) -> str:
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="take over the results of finished runs")
    recorder.add_argument("runs", nargs="+", type=Path)
    recorder.add_argument("--name", help="of the files, for a single run; by default its approach")
    commands.add_parser("readme", help="rewrite the README's blocks")
    args = parser.parse_args()
    try:
        if args.command == "record":
            if args.name and len(args.runs) > 1:
                raise RunError("--name is for a single run")
            for run in args.runs:
                print(f"results/{record(run, name=args.name)}.json")
        README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
