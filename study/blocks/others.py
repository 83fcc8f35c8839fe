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
        words = f"ResNet-50, compressed weights; small, 60x80; {network}"
        rows.append(["**ours**", words, *shares, "larger photos, better weights"])
    titles = ["who", "network; photos", "20 largest", "the other 122", "all 142", "left open"]
    return markdown(titles, rows)


def group_share(records: Iterable[Record], group: str) -> str:
    """Top-1 of the runs that differ in the seed alone: their mean, and how many they are."""
    shares = [record.about["top1"] for record in records if record.group == group]
    if not shares:
        return "–"
    seeds = f" ({len(shares)} seeds: {percent(min(shares))} to {percent(max(shares))})"
    return f"**{percent(mean(shares))}**" + (seeds if len(shares) > 1 else "")
