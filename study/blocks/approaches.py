"""The approaches beside the published study: the README's table, every figure of merit, each in
words.
"""

import math
from pathlib import Path

from fashion_tl.reporting.evaluation import best_and_worst
from study.blocks.markdown import markdown, percent
from study.compare import with_interval
from study.minutes import fc_only_minutes
from study.published import THEIR_NAMES, read_published, read_study
from study.records import (
    METRICS,
    TITLES,
    Record,
    read_measured,
    read_record,
    read_records,
    recorded,
)

OF_THE_TABLE = ("fc_only", "direct", "top20", "two_step")
# The published recipe from our weights and on our photos; each is compared with ours at the same
# size.
BASELINES = ("fc_only_published", "direct_80x60_published", "two_step_80x60_published")


def titled(results: Path) -> dict[str, Record]:
    """The runs on record that have a title, in that order."""
    records = read_records(results)
    return {name: records[name] for name in TITLES if name in records}


def table(results: Path) -> str:
    """All approaches beside the published figures; of two published runs, the better."""
    published, records = read_published(results), titled(results)
    head = ["approach", "top-1 published", "top-1 ours", "ceiling"]
    for figure in ("top-5", "macro", "few-shot"):
        head += [f"{figure} published", f"{figure} ours"]
    head += ["input, epochs", "minutes"]
    rows = []
    for name, record in records.items():
        ours, theirs = record.about, published.get(name, [])
        cells = [TITLES[name], *compared("top1", ours, theirs), percent(ours["ceiling"], 2)]
        for key in ("top5", "macro", "few_shot"):
            cells += compared(key, ours, theirs)
        first = records.get("top20") if name == "two_step" else None
        took = [minutes_of(each, results) for each in (first, record) if each]
        cells += [f"{record.size}, {ours['epochs']}", " + ".join(map(whole, took))]
        rows.append(cells)
    return markdown(head, rows)


def weights(results: Path) -> str:
    """The approaches with torchvision's weights beside ours, and what each weights cost."""
    records, own = read_records(results), titled(results)
    known = {name: minutes_of(own[name], results) for name in OF_THE_TABLE if name in own}
    took = [minutes for minutes in known.values() if minutes is not None]
    unknown = [TITLES[name] for name, minutes in known.items() if minutes is None]
    parts = " + ".join(map(whole, took))
    rows = []
    for name in own:
        for each in (name, *(each for each in records if each.startswith(f"{name}_imagenet1k_"))):
            about = records[each].about
            figures = (percent(about[key]) for key in METRICS)
            minutes = whole(minutes_of(records[each], results))
            rows.append([TITLES[name], about["weights"], *figures, minutes])
    table = markdown(["approach", "weights", *METRICS.values(), "minutes"], rows)
    total = whole(sum(took))
    without = f" {' and '.join(unknown)} is left out: not measured yet." if unknown else ""
    return f"{table}\n\nFor each file of weights, that is {parts} = {total} minutes.{without}"


def minutes_of(record: Record, results: Path) -> float | None:
    """A run's minutes; None where they aren't known.

    Those of a run of FC only say too little: its features may have been in the cache. So it gets
    the minutes from an empty cache, measured on its machine.
    """
    if record.config.training != "fc_only":
        return record.about["minutes"]
    measured = fc_only_minutes(results, record.about["machine"])
    return measured["minutes"] if measured else None


def whole(minutes: float | None) -> str:
    return "–" if minutes is None else f"{minutes:.0f}"


def compared(key: str, ours: dict, theirs: list[dict]) -> tuple[str, str]:
    """The best published figure and ours, the better one bold."""
    known = max((each[key] for each in theirs if key in each), default=None)
    left, right = percent(known), percent(ours[key])
    if known is not None and ours[key] is not None:
        left, right = (left, f"**{right}**") if ours[key] > known else (f"**{left}**", right)
    return left, right


def merits(results: Path) -> str:
    """Every figure of merit of the approaches: published, the goal set before tuning, and ours with
    its interval.
    """
    published, goals = read_published(results), read_measured(results, "goals")
    rows = []
    for name, record in titled(results).items():
        ours = record.about
        for key, words in METRICS.items():
            if ours[key] is None:
                continue
            theirs = [each for each in published.get(name, []) if key in each]
            known = " / ".join(percent(each[key]) for each in theirs) or "–"
            goal = goals.get(name, {}).get(key)
            verdict = (
                ""
                if goal is None
                else "met"
                if ours[key] >= goal
                else f"{100 * (goal - ours[key]):.1f} short"
            )
            ceiling = percent(ours["ceiling"], 2) if key in ("top1", "top5") else ""
            beside = ahead(ours, theirs[-1], key) if theirs else "–"
            cells = [
                TITLES[name],
                words,
                known,
                with_interval(ours, key),
                beside,
                percent(goal),
                verdict,
                ceiling,
            ]
            rows.append(cells)
    head = [
        "approach",
        "",
        "published",
        "ours (95 % interval)",
        "ours − published, points",
        "goal",
        "points to the goal",
    ]
    return markdown([*head, "ceiling"], rows)


def ahead(ours: dict, theirs: dict, key: str) -> str:
    """``"+1.6 ± 2.7"``: points that ours is above the published, and what chance in both tests'
    photos makes of it.
    """
    difference = f"{100 * (ours[key] - theirs[key]):+.1f}"
    if key not in theirs["margin95"]:
        return difference
    low, high = ours["interval95"][key]
    return f"{difference} ± {100 * math.hypot((high - low) / 2, theirs['margin95'][key]):.1f}"


def shift(results: Path) -> str:
    """What each approach reaches in even years, on photos it did not learn from, and in odd
    years."""
    head = [
        "approach",
        "validation (even years)",
        "odd years",
        "odd years, if each class were as frequent as in even years",
    ]
    rows = []
    for name, record in titled(results).items():
        epoch = record.history.query("best").iloc[0]
        known = record.per_class.query("train > 0 and test > 0")
        alike = (known["accuracy"] * known["train"]).sum() / known["train"].sum()
        shares = (epoch["val_accuracy"], record.about["top1_learnable"], alike)
        rows.append([TITLES[name], *map(percent, shares)])
    return markdown(head, rows)


def baselines(results: Path) -> str:
    """The published recipe from our weights and on our photos, beside ours at the same size."""
    rows, names = [], recorded(results)
    for theirs in (read_record(results, name) for name in BASELINES if name in names):
        for ours in (read_record(results, name) for name in theirs.base if name in names):
            where = f"{TITLES[ours.about['approach']]} at {ours.size}"
            rows.append([where, percent(theirs.about["top1"]), percent(ours.about["top1"])])
    table = markdown(["top-1", "published recipe", "our recipe"], rows)
    return f"Both recipes start from our weights here, and learn from our photos.\n\n{table}"


def story(name: str, results: Path) -> str:
    """One approach in words: right answers of all, and the five best classes, published and
    ours."""
    study, records = read_study(results), titled(results)
    best_theirs = study["best_five_classes"][name]
    first, *with_flips = (study[own]["readme"] for own in THEIR_NAMES[name])
    stated = f"{first['correct']:,} of {first['total']:,} right ({_share(first)})"
    without = " without flips" if with_flips else ""
    for each in with_flips:
        stated += f"{without}, and {each['correct']:,} ({_share(each)}) with them"
    lines = [f"- Published: {stated}; best five classes{without}: {', '.join(best_theirs)}."]
    if name in records:
        ours, (best, _) = records[name].about, best_and_worst(records[name].per_class)
        five = ", ".join(f"{row.label} {row.accuracy:.0%}" for row in best.itertuples())
        lines.append(
            f"- Ours: **{ours['correct']:,} of {ours['n_test']:,}** right "
            f"({percent(ours['top1'])}; ceiling {percent(ours['ceiling'], 2)}); "
            f"best five classes: {five}."
        )
    return "\n".join(lines)


def _share(stated: dict[str, int]) -> str:
    return percent(stated["correct"] / stated["total"])
