"""All solutions of this task that state figures on the same split, beside ours."""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from study.blocks.markdown import markdown, percent
from study.records import Record, read_measured, read_records

# Our runs by the part of the test photos that they name: a training on two cores, and its seeds on
# a GPU.
OURS = {
    "top20": ("top20", "gpu_top20_trimmed"),
    "rare": ("rare", "gpu_rare_trimmed"),
    "all": ("two_step", "gpu_two_step_trimmed"),
}
# The same parts in words, the largest first.
WORDS = {"all": "on all classes", "rare": "on the 122 smallest", "top20": "on the 20 largest"}
PUBLISHED = "mtagda/transfer-learning-fashion-dataset (the published study)"
TABLE = "results/README.md#beside-all-other-solutions"
STATED = "one figure, without interval, seeds or predictions"


def others(results: Path) -> str:
    """What each solution states for the three parts of the test photos, and what it leaves open."""
    if (stated := read_measured(results, "others")) is None:
        return "`others.json` is missing; it is part of the repository."
    records = read_records(results).values()
    rows = [
        [
            each["who"],
            f"{each['network']}; {each['photos']}",
            *(f"{each[part]} %" if each[part] else "–" for part in OURS),
            each.get("caution", STATED),
        ]
        for each in stated["reported"]
    ]
    for place, network in enumerate(("one run each, two cores", "a GPU, borders trimmed")):
        shares = [group_share(records, names[place]) for names in OURS.values()]
        words = f"ResNet-50, compressed weights; small, 80×60; {network}"
        rows.append(["**ours**", words, *shares, "larger photos, better weights"])
    titles = ["who", "network; photos", "20 largest", "the other 122", "all 142", "left open"]
    return markdown(titles, rows)


def ahead(results: Path) -> str:
    """How many other solutions state a higher top-1 than ours, of those that state one.

    Ours is that of the run on two cores, or the mean over the seeds on a GPU where there is no such
    run.
    """
    stated = read_measured(results, "others")
    if stated is None:
        return "`others.json` is missing; it is part of the repository."
    records = read_records(results).values()
    solutions = [each for each in stated["reported"] if each["who"] != PUBLISHED]
    higher, counts = [], []
    for part, words in WORDS.items():
        ours = next(filter(None, (tops(records, group) for group in OURS[part])), [])
        known = [each for each in solutions if each[part]]
        if ours and known:
            # At the digits that they state: 88.3 is not above our 88.298.
            figure = 100 * mean(ours)
            above = [each for each in known if each[part] > round(figure, digits(each[part]))]
            counts.append(f"{len(above)} of {len(known)} {words}")
            higher += above
    photos = ""
    if higher:
        large = all(each["photos"].startswith("full size") for each in higher)
        photos = f"; {'all' if large else 'not all'} from full-size photos"
    listed = f"[{len(solutions)} solutions]({TABLE})"
    shares = ", ".join(counts)
    return f"- **Beside others:** of {listed}, these pass our top-1: {shares}{photos}."


def digits(stated: float) -> int:
    """How many digits a figure has behind its point."""
    return len(str(stated).partition(".")[2])


def tops(records: Iterable[Record], group: str) -> list[float]:
    """Top-1 of the runs that differ in the seed alone."""
    return [record.about["top1"] for record in records if record.group == group]


def group_share(records: Iterable[Record], group: str) -> str:
    """Top-1 of the runs that differ in the seed alone: their mean, and how many they are."""
    shares = tops(records, group)
    if not shares:
        return "–"
    seeds = f" ({len(shares)} seeds: {percent(min(shares))} to {percent(max(shares))})"
    return f"**{percent(mean(shares))}**" + (seeds if len(shares) > 1 else "")
