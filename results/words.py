"""The README's tables and sentences, each made from the result files: one function per marked block."""

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

from compare import FIGURES, on_the_same_photos, read_published, recorded, with_accuracy, with_interval

from fashion_tl.reporting.evaluation import best_and_worst
from fashion_tl.runs import read_table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from timing import notes, show  # noqa: E402

TITLES = {
    "fc_only": "FC only",
    "direct": "Direct",
    "top20": "Two steps: 20 classes",
    "two_step": "Two steps: all",
}


def render(text: str, results: Path = HERE) -> str:
    """The text with every block between ``<!-- results: NAME -->`` and ``<!-- end -->`` made anew."""

    def block(match: re.Match) -> str:
        name = match[1]
        body = BLOCKS[name](results) if name in BLOCKS else story(name, results)
        return f"<!-- results: {name} -->\n{body}\n<!-- end -->"

    return re.sub(r"<!-- results: (\w+) -->\n.*?<!-- end -->", block, text, flags=re.DOTALL)


def read(results: Path, name: str) -> dict | list | None:
    """A result file, or None where it isn't there yet."""
    file = results / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def markdown(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def table(results: Path) -> str:
    """All approaches beside the published figures."""
    published = read_published(results)
    head = ["approach", "top-1 published", "ours", "ceiling", "top-5 published", "ours", "macro published", "ours"]
    head += ["few-shot published", "ours", "input, epochs", "minutes"]
    rows = []
    for name, title in TITLES.items():
        if (ours := read(results, name)) is None:
            continue
        theirs = published.get(name, [])
        cells = [title, *compared("top1", ours, theirs), percent(ours["ceiling"], 2)]
        for key in ("top5", "macro", "few_shot"):
            cells += compared(key, ours, theirs)
        first = read(results, "top20") if name == "two_step" else None
        minutes = " + ".join(f"{each['minutes']:.0f}" for each in (first, ours) if each)
        cells += ["{}×{}, {}".format(*ours["image_size"], ours["epochs"]), minutes]
        rows.append(cells)
    return markdown(head, rows)


def merits(results: Path) -> str:
    """Every figure of merit of the approaches: published, the goal set before tuning, and ours with its interval."""
    published, goals = read_published(results), read(results, "goals")
    rows = []
    for name, title in TITLES.items():
        if (ours := read(results, name)) is None:
            continue
        for key, words in FIGURES.items():
            if ours[key] is None:
                continue
            theirs = [each for each in published.get(name, []) if key in each]
            known = " / ".join(percent(each[key]) for each in theirs) or "–"
            goal = goals.get(name, {}).get(key)
            verdict = "" if goal is None else "met" if ours[key] >= goal else f"{100 * (ours[key] - goal):+.1f}"
            ceiling = percent(ours["ceiling"], 2) if key.startswith("top") else ""
            beside = ahead(ours, theirs[-1], key) if theirs else "–"
            rows.append([title, words, known, with_interval(ours, key), beside, percent(goal), verdict, ceiling])
    head = ["approach", "", "published", "ours (95 % interval)", "ours − published, points", "goal", "goal met?"]
    return markdown([*head, "ceiling"], rows)


def ahead(ours: dict, theirs: dict, key: str) -> str:
    """``"+1.6 ± 2.7"``: points that ours is above the published, and what chance in both tests' photos makes of it."""
    difference = f"{100 * (ours[key] - theirs[key]):+.1f}"
    if key not in theirs["margin95"]:
        return difference
    low, high = ours["interval95"][key]
    return f"{difference} ± {100 * math.hypot((high - low) / 2, theirs['margin95'][key]):.1f}"


def shift(results: Path) -> str:
    """What each approach reaches in even years, on photos it did not learn from, and in odd years."""
    head = ["approach", "validation (even years)", "odd years", "odd years, each class as frequent as in even ones"]
    rows = []
    for name, title in TITLES.items():
        if (ours := read(results, name)) is None:
            continue
        epoch = read_table(results / f"{name}_history.csv").query("best").iloc[0]
        known = with_accuracy(read_table(results / f"{name}_per_class.csv")).query("train > 0 and test > 0")
        alike = (known["accuracy"] * known["train"]).sum() / known["train"].sum()
        rows.append([title, percent(epoch["val_accuracy"]), percent(ours["top1_learnable"]), percent(alike)])
    return markdown(head, rows)


def runs(results: Path) -> str:
    """Every run on record, with what it takes to judge it."""
    head = ["run", "recipe", "input", "flips", "epochs", "seed", "right", *FIGURES.values()]
    head += ["learnable: top-1", "top-5", "minutes", "precision", "commit", "machine"]
    rows = []
    for name in recorded(results):
        ours = read(results, name)
        size, right = "{}×{}".format(*ours["image_size"]), f"{ours['correct']:,} of {ours['n_test']:,}"
        flips = [part for part, key in (("training", "flip"), ("test", "flip_test")) if ours["config"][key]]
        row = [f"`{name}`", ours["recipe"], size, ", ".join(flips) or "–", ours["epochs"], ours["seed"], right]
        row += [with_interval(ours, key) for key in (*FIGURES, "top1_learnable", "top5_learnable")]
        rows.append([*row, f"{ours['minutes']:.0f}", ours["precision"], f"`{ours['commit']}`", ours["machine"]])
    hours = sum(read(results, name)["minutes"] for name in recorded(results)) / 60
    return f"{markdown(head, rows)}\n\nAll together: {hours:.1f} hours."


def seeds(results: Path) -> str:
    """The mean and the spread of runs that differ in nothing but the seed."""
    runs, rows = {}, []
    for name in recorded(results):
        runs.setdefault(re.sub(r"_seed\d+", "", name), []).append(read(results, name))
    for name, same in runs.items():
        if len(same) > 1:
            rows.append([f"`{name}`", len(same), *(spread([each[key] for each in same]) for key in FIGURES)])
    if not rows:
        return "Not measured yet; `python results/train.py … --gpu` does."
    return markdown(["run", "seeds", *(f"{title}, mean ± standard deviation" for title in FIGURES.values())], rows)


def spread(shares: list[float | None], digits: int = 1) -> str:
    """``"70.4 % ± 0.2"``: mean and standard deviation."""
    return "–" if None in shares else f"{percent(mean(shares), digits)} ± {100 * stdev(shares):.{digits}f}"


def baselines(results: Path) -> str:
    """The published recipe from our weights and on our photos, beside ours at the same size."""
    said = []
    for name in ("fc_only", "direct_80x60", "two_step_80x60"):
        if (ours := read(results, name)) and (theirs := read(results, f"{name}_published")):
            where = f"{TITLES[ours['approach']]} at {'×'.join(map(str, ours['image_size']))}"
            said.append(f"{where} {percent(theirs['top1'])}, ours {percent(ours['top1'])}")
    return f"- **The published recipe** from our weights and on our photos (top-1): {'; '.join(said)}."


def flips(results: Path) -> str:
    """What averaging over mirror images in testing is worth."""
    head = ["run", *(f"{title}: with, without" for title in FIGURES.values())]
    rows = [
        [f"`{name}`", *(f"{percent(each['with'][key])}, {percent(each['without'][key])}" for key in FIGURES)]
        for name, each in (read(results, "flips") or {}).items()
    ]
    return markdown(head, rows) if rows else "Not measured yet; `python results/flips.py RUN … --data …` does."


def pairs(results: Path) -> str:
    """Runs compared on the same photos."""
    if not read(results, "paired"):
        return "Nothing is compared yet; `python results/make.py check --data … --pair` does."
    table = on_the_same_photos(results)
    for name in ("first", "second"):
        table[name] = "`" + table[name] + "`"
    return markdown(list(table.columns), table.to_numpy().tolist())


def speed(results: Path) -> str:
    """What ``make bench`` measured, machine by machine."""
    parts = []
    for file in sorted((results / "bench").glob("*.json")):
        about = json.loads(file.read_text())
        versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("torch", "torchvision"))
        data = f"{about['photos']:,} photos of {about['data']}"
        parts.append(f"{about['machine']}; {versions}; {data}; commit {about['commit']}:\n\n{show(about['rows'])}")
    return "\n\n".join(parts)


def speed_notes(results: Path) -> str:
    """How each row of that table was measured."""
    return "\n".join(notes(json.loads(file.read_text())["rows"]) for file in sorted((results / "bench").glob("*.json")))


def precision(results: Path) -> str:
    """What bf16 changes, as benchmarks/precision.py measured it."""
    if (measured := read(results, "precision")) is None:
        return "Not measured yet; `python benchmarks/precision.py RUN --data …` does."
    changes = [
        f"{TITLES[each['approach']]} at {'×'.join(map(str, each['image_size']))}: {each['correct_bf16']:,} right "
        f"instead of {each['correct_fp32']:,}, {percent(each['same_answer'])} of the answers the same"
        for each in measured
    ]
    return (
        "Predicted in bf16 instead of float32, the same trained networks, those on record before the tuning and run "
        f"whole from photos, differ by little ({'; '.join(changes)})."
    )


def compared(key: str, ours: dict, theirs: list[dict]) -> tuple[str, str]:
    """Published and ours, the better one bold; with flips after without, where the study has both."""
    known = [each[key] for each in theirs if key in each]
    left, right = " / ".join(map(percent, known)) or "–", percent(ours[key])
    if known and ours[key] is not None:
        left, right = (left, f"**{right}**") if ours[key] > max(known) else (f"**{left}**", right)
    return left, right


def story(name: str, results: Path) -> str:
    """One approach in words: right answers of all, and the five best classes, published and ours."""
    theirs = read(results, "published")
    stated, best_theirs = theirs[name]["readme"], theirs["best_five_classes"][name]
    lines = [
        f"- Published: {stated['correct']:,} of {stated['total']:,} right "
        f"({percent(stated['correct'] / stated['total'])}); best five classes: {', '.join(best_theirs)}."
    ]
    if (ours := read(results, name)) is not None:
        best, _ = best_and_worst(with_accuracy(read_table(results / f"{name}_per_class.csv")))
        five = ", ".join(f"{row.articleType} {row.accuracy:.0%}" for row in best.itertuples())
        lines.append(
            f"- Ours: **{ours['correct']:,} of {ours['n_test']:,}** right ({percent(ours['top1'])}; ceiling "
            f"{percent(ours['ceiling'], 2)}); best five classes: {five}."
        )
    return "\n".join(lines)


def percent(fraction: float | None, digits: int = 1) -> str:
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def head(results: Path) -> str:
    """FC only over seeds, folds and years."""
    if (measured := read(results, "fc_head")) is None:
        return "Not measured yet; `python results/heads.py --data … --weights …` does."
    rows = []
    for part, key, words in (("seeds", "seed", "seed {}"), ("folds", "fold", "fold {} of 5"), ("years", "year", "{}")):
        for each in measured[part]:
            ceiling = percent(each["ceiling"], 2)
            shares = [percent(each[figure]) for figure in ("top1", "top1_learnable", "top5", "macro", "few_shot")]
            scored = "odd years" if part == "seeds" else "held out"
            rows.append(
                [words.format(each[key]), f"{each['train']:,}", f"{each['n_test']:,} ({scored})", *shares, ceiling]
            )
    same = [(FIGURES[key], [each[key] for each in measured["seeds"]]) for key in ("top1", "macro", "few_shot")]
    titles = ["", "trained on", "scored on", "top-1", "of learnable", "top-5", "macro", "few-shot", "ceiling"]
    said = ", ".join(f"{title} {spread(shares, 2)}" for title, shares in same)
    said = f"Over the {len(measured['seeds'])} seeds (mean ± standard deviation): {said}."
    return f"{markdown(titles, rows)}\n\n{said}"


def honest(results: Path) -> str:
    """What even and odd years share, and how they differ."""
    if (measured := read(results, "data_check")) is None:
        return "Not measured yet; `python results/data_check.py --data …` does."
    rows = [[words, *each.values()] for words, each in measured["shared"].items()]
    shared = markdown(["duplicates within or between", "pairs", "photos", "pairs whose labels differ"], rows)
    noise, shift = ([list(each.values()) for each in measured[part]] for part in ("noise", "shift"))
    noise = markdown(["years", "one twin is", "the other", "pairs"], noise)
    years = ", ".join(f"{year}: {photos:,}" for year, photos in measured["years"].items())
    moved = markdown(["class", "even years", "odd years"], shift)
    stored = measured["as_stored"]
    turned = (
        f"Of the {stored['photos']:,} photos, {stored['on_their_side']} are stored on their side (by their EXIF data) "
        f"and {stored['transparent']} have transparent pixels. Only such photos are turned upright or put on white."
    )
    return f"{shared}\n\n{noise}\n\nPhotos by year: {years}.\n\n{moved}\n\n{turned}"


def looks(results: Path) -> str:
    """Every time that a trained network was scored on the odd years."""
    table = read_table(results / "looks.csv")
    return markdown(list(table.columns), table.to_numpy().tolist())


def trials(results: Path) -> str:
    """Every tuning trial."""
    table = read_table(results / "tuning.csv")
    table.insert(list(table).index("val_macro") + 1, "criterion", table[["val_accuracy", "val_macro"]].mean(axis=1))
    for name in ("val_accuracy", "margin95", "val_macro", "criterion"):
        table[name] = table[name].map(percent)
    return markdown(list(table.columns), table.to_numpy().tolist())


BLOCKS: dict[str, Callable[[Path], str]] = {
    "table": table,
    "merits": merits,
    "baselines": baselines,
    "shift": shift,
    "runs": runs,
    "seeds": seeds,
    "flips": flips,
    "pairs": pairs,
    "head": head,
    "honest": honest,
    "looks": looks,
    "trials": trials,
    "bench": speed,
    "bench_notes": speed_notes,
    "precision": precision,
}
