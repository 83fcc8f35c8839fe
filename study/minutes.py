"""Minutes of the runs on record, and what the published loop would take on the same machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.records import Record, read_benches, read_measured, read_records

EPOCHS = 20  # of the published study
HELD_BACK = 0.2  # share of its photos that only validate: they run forward, and never back
PIXELS = {"80×60": 80 * 60, "224×224": 224 * 224}
FC_ONLY = "FC only, 20 epochs, 224×224"  # a row that only a whole bench has

# Runs that shared the machine with other work, and their commits: if one is made again, it counts.
SHARED = {
    "direct_80x60": "3202db77a7",
    "direct_80x60_published": "3202db77a7",
    "direct_lp_ft": "7dba574fbe",
    "gpu_direct_160x120_seed0": "c0a22c9196",
    "gpu_direct_224x168_seed0": "c0a22c9196",
    "gpu_direct_trimmed_seed2": "c0a22c9196",
    "gpu_rare_trimmed_seed2": "c0a22c9196",
    "gpu_top20_160x120_seed0": "c0a22c9196",
    "gpu_top20_trimmed_seed2": "c0a22c9196",
    "gpu_two_step_160x120_seed0": "c0a22c9196",
    "gpu_two_step_trimmed_seed2": "c0a22c9196",
    "top20_80x60": "3202db77a7",
    "top20_80x60_published": "d17ae1063b",
    "two_step_80x60": "3202db77a7",
    "two_step_80x60_published": "d17ae1063b",
}


@dataclass(frozen=True)
class Timed:
    """A run of all classes, and its minutes, with those of the step before it."""

    name: str
    training: str
    top1: float
    minutes: float


def shared(record: Record) -> bool:
    """Whether a run's minutes include other work on its machine."""
    return SHARED.get(record.name) == record.about["commit"]


def fc_only_minutes(results: Path, machine: str) -> dict[str, Any] | None:
    """FC only on this machine, from an empty cache: ``minutes.json``; None if not measured there.

    The minutes of a run on record say too little: its features may have been in the cache.
    """
    measured = read_measured(results, "minutes")
    return measured if measured and measured["machine"] == machine else None


def whole_minutes(record: Record, records: dict[str, Record]) -> float:
    """Minutes of a run, with those of the step before it."""
    first = records.get(record.name.replace("two_step", "top20"))
    before = first.about["minutes"] if first and first.name != record.name else 0.0
    return record.about["minutes"] + before


def timed(results: Path) -> tuple[list[Timed], dict[str, Any] | None]:
    """Runs of all classes on the machine of a whole bench, the quickest first, and that bench.

    It is the first whole bench whose machine has runs on record. Without one: ``[], None``.
    """
    records = read_records(results)
    if not {"top20", "direct"} <= set(records):  # whose photos the published loop is scaled to
        return [], None
    for bench in read_benches(results):
        machine = bench["machine"]
        own = [
            Timed(name, record.config.training, record.about["top1"], minutes)
            for name, record in records.items()
            if record.about["machine"] == machine
            and not (record.config.largest or record.config.without_largest or shared(record))
            and record.config.training != "fc_only"
            for minutes in [whole_minutes(record, records)]
        ]
        if own and any(row["name"] == FC_ONLY for row in bench["rows"]):
            if measured := fc_only_minutes(results, machine):
                own.append(Timed("fc_only", "fc_only", measured["top1"], measured["minutes"]))
            return sorted(own, key=lambda run: run.minutes), bench
    return [], None


def published_minutes(results: Path, bench: dict[str, Any]) -> dict[str, float]:
    """What the published loop would take on that machine for each training, at 224×224.

    FC only was timed at that size. Fine-tuning was timed at 80×60, and is scaled by the number of
    pixels. The photos that are held back take as long as FC only's, which run forward alone. The
    step with frozen children is scaled by how much faster it makes our own loop.
    """
    rows = {row["name"]: row for row in bench["rows"]}
    records = read_records(results)
    photos = {name: int(records[name].per_class["train"].sum()) for name in ("top20", "direct")}
    fc_only = rows[FC_ONLY]["peer"] / 60
    forward = fc_only / EPOCHS / photos["direct"]
    scale = PIXELS["224×224"] / PIXELS["80×60"]
    back = scale / rows["full fine-tune, 80×60"]["peer"] / 60
    frozen = rows["step 2 (5 children frozen), 80×60"]["ratio_peer"]

    def trained(name: str, faster: float = 1.0) -> float:
        of_a_photo = (1 - HELD_BACK) * back / faster + HELD_BACK * forward
        return EPOCHS * photos[name] * of_a_photo

    return {
        "fc_only": fc_only,
        "direct": trained("direct"),
        "two_step": trained("top20") + trained("direct", frozen),
    }
