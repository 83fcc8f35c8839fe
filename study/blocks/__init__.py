"""The marked blocks of the documents: a function each, from the folder of results to Markdown."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from study.blocks import (
    approaches,
    detail,
    episodes,
    few_shots,
    labels,
    minutes,
    others,
    runs,
    speed,
    sureness,
    unknown,
)
from study.published import THEIR_NAMES

# By the name in the marker `<!-- results: NAME -->`; a training of the study has its story.
BLOCKS: dict[str, Callable[[Path], str]] = {
    "table": approaches.table,
    "weights": approaches.weights,
    "merits": approaches.merits,
    "others": others.others,
    "ahead": others.ahead,
    "baselines": approaches.baselines,
    "shift": approaches.shift,
    "runs": runs.runs,
    "seeds": runs.seeds,
    "flips": runs.flips,
    "detail": detail.detail,
    "pairs": runs.pairs,
    "head": sureness.head,
    "calibration": sureness.calibration,
    "unknown": unknown.unknown,
    "few_shot": few_shots.few_shot,
    "episodes": episodes.episodes,
    "honest": sureness.honest,
    "labels": labels.labels,
    "verdicts": labels.verdicts,
    "looks": runs.looks,
    "trials": runs.trials,
    "left_out": runs.left_out,
    "fewer": runs.fewer,
    "minutes": minutes.minutes,
    "bench": speed.speed,
    "bench_notes": speed.speed_notes,
    "profiles": speed.profiles,
    "precision": speed.precision,
    **{name: partial(approaches.story, name) for name in THEIR_NAMES},
}
