"""Minutes of the runs on record, and what the published loop would take on the same machine."""

from pathlib import Path
from typing import Any

from study.records import Record, read_benches, read_records

EPOCHS = 20  # of the published study
PIXELS = {"80×60": 80 * 60, "224×224": 224 * 224}


def whole_minutes(record: Record, records: dict[str, Record]) -> float:
    """Minutes of a run, with those of the step before it."""
    first = records.get(record.name.replace("two_step", "top20"))
    before = first.about["minutes"] if first and first.name != record.name else 0.0
    return record.about["minutes"] + before


def timed(results: Path) -> tuple[dict[str, Record], dict[str, Any] | None]:
    """Runs of all classes on the machine of a whole bench, by name, and that bench."""
    records = read_records(results)
    for bench in read_benches(results):
        if any(row["name"].startswith("FC only, 20 epochs, 224") for row in bench["rows"]):
            own = {
                name: record
                for name, record in records.items()
                if record.about["machine"] == bench["machine"] and not record.config.largest
            }
            return own, bench
    return {}, None


def published_minutes(results: Path, bench: dict[str, Any]) -> dict[str, float]:
    """What the published loop would take on that machine for each training, at 224×224.

    FC only was timed at that size. Fine-tuning was timed at 80×60, and is scaled by the number of
    pixels. The step with frozen children is scaled by how much faster it makes our own loop.
    """
    rows = {row["name"]: row for row in bench["rows"]}
    records = read_records(results)
    scale = PIXELS["224×224"] / PIXELS["80×60"]
    per_photo = scale / rows["full fine-tune, 80×60"]["peer"] / 60
    frozen = rows["step 2 (5 children frozen), 80×60"]["ratio_peer"]
    photos = {name: int(records[name].per_class["train"].sum()) for name in ("top20", "direct")}
    return {
        "fc_only": rows["FC only, 20 epochs, 224×224"]["peer"] / 60,
        "direct": EPOCHS * photos["direct"] * per_photo,
        "two_step": EPOCHS * (photos["top20"] + photos["direct"] / frozen) * per_photo,
    }
