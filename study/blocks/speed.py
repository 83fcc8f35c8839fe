"""How fast it is, machine by machine, and what the quicker numbers change."""

import json
from pathlib import Path

from study.bench.timing import notes, show
from study.blocks.markdown import markdown, percent
from study.records import TITLES, read_measured


def benches(results: Path) -> list[dict]:
    """What ``python -m study bench`` measured, a machine each."""
    return [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((results / "bench").glob("*.json"))
    ]


def speed(results: Path) -> str:
    """The tables, machine by machine."""
    parts = []
    for about in benches(results):
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
    return "\n".join(notes(about["rows"]) for about in benches(results))


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
