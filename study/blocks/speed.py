"""How fast it is, machine by machine, and what the quicker numbers change."""

from pathlib import Path
from typing import Any

from study.bench.timing import TIME_IN, notes, show
from study.blocks.markdown import markdown, percent
from study.records import TITLES, read_benches, read_measured


def speed(results: Path) -> str:
    """The tables, machine by machine."""
    parts = []
    for about in compared(results):
        measured_with = (
            about["machine"],
            ", ".join(f"{name} {about['versions'][name]}" for name in ("torch", "torchvision")),
            f"{about['photos']:,} photos of {about['data']}",
            f"commit {about['commit']}",
        )
        parts.append(f"{'; '.join(measured_with)}:\n\n{show(about['rows'])}")
    return "\n\n".join(parts)


def speed_notes(results: Path) -> str:
    """How each row of those tables was measured."""
    return "\n".join(notes(about["rows"]) for about in compared(results))


def compared(results: Path) -> list[dict[str, Any]]:
    """The benches that compare programs."""
    return [about for about in read_benches(results) if not is_profile(about)]


def is_profile(about: dict[str, Any]) -> bool:
    """Whether a bench says where the time of a training goes."""
    return any(f": {TIME_IN}" in row["name"] for row in about["rows"])


def profiles(results: Path) -> str:
    """Where the time of a training goes, machine by machine."""
    parts = []
    for about in filter(is_profile, read_benches(results)):
        table: dict[str, dict[str, str]] = {}
        for row in about["rows"]:
            training, _, what = row["name"].rpartition(": ")
            table.setdefault(what, {})[training] = f"{row['ours']:.0f} %"
        titles = list(dict.fromkeys(title for own in table.values() for title in own))
        rows = [[what, *(own.get(title, "–") for title in titles)] for what, own in table.items()]
        machine = f"{about['machine']}; torch {about['versions']['torch']}"
        parts.append(f"{machine}; commit {about['commit']}:\n\n{markdown(['', *titles], rows)}")
    return "\n\n".join(parts) or "Not measured yet; `python -m study bench profile --data …` does."


def precision(results: Path) -> str:
    """What bf16 changes, as ``python -m study bench precision`` measured it."""
    if (measured := read_measured(results, "precision")) is None:
        return "Not measured yet; `python -m study bench precision RUN … --data …` does."
    rows = [
        [
            f"{TITLES[each['approach']]} at {'×'.join(map(str, each['image_size']))}",
            f"{each['correct_fp32']:,}",
            f"{each['correct_bf16']:,}",
            percent(each["same_answer"]),
        ]
        for each in measured
    ]
    table = markdown(["network", "right in float32", "right in bf16", "same answers"], rows)
    return (
        "Each network predicted the test photos twice, once in float32 and once in bf16. The "
        "answers are almost the same. The networks are those that were on record before the "
        "tuning. Each ran whole, from the photos: FC only did not use kept features here.\n\n"
        f"{table}"
    )
