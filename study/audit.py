"""Labels of the real data to check, and how many mistakes of a network they explain.

python -m study audit --data … --weights …     # writes results/labels.csv and results/audit.json

A person, or whoever else looks at photos, writes ``results/verdicts.csv`` about the photos that
:func:`to_look_at` draws.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fashion_tl.audit import Audit, audit_config, judge_labels
from fashion_tl.config import parse_settings
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.network.model import available_weights
from fashion_tl.runs import write_json, write_table
from study.blocks.labels import LIST, LISTED_MISTAKES, OTHERS
from study.heads import made_with
from study.records import read_record

NETWORK = "two_step"  # the run on record whose mistakes are explained
DRAWN = {LIST: 100, LISTED_MISTAKES: 50, OTHERS: 100}  # photos to look at
SEED = 19


def mistakes_of(data: Data, results: Path, name: str = NETWORK) -> pd.DataFrame:
    """The wrong answers of a run on record for learnable test photos: ``id, given, answer``."""
    answers = read_record(results, name).predictions[["id", "top1"]]
    table = answers.merge(data.table("test").astype({"id": str})[["id", "label"]], on="id")
    counts = data.catalogue.counts
    learnable = table["label"].isin(counts["label"][counts["train"] > 0])
    wrong = table[learnable & (table["top1"] != table["label"])]
    return wrong.rename(columns={"label": "given", "top1": "answer"}).reset_index(drop=True)


def to_look_at(found: pd.DataFrame, mistakes: pd.DataFrame) -> pd.DataFrame:
    """Photos to look at, drawn by ``SEED``: ``drawn_from, id, given, other, is_mistake``.

    They are drawn from the list of labels to check, from those mistakes in it that are not
    drawn yet, and from the other mistakes; ``DRAWN`` says how many of each. ``other`` is the
    suggested class, or the network's answer for the other mistakes.
    """
    listed = found.rename(columns={"suggested": "other"}).sort_values("id")
    others = mistakes.rename(columns={"answer": "other"}).sort_values("id")
    parts: list[pd.DataFrame] = []
    for name, number in DRAWN.items():
        table = others[~others["id"].isin(found["id"])] if name == OTHERS else listed
        if name == LISTED_MISTAKES:
            is_left = listed["id"].isin(mistakes["id"]) & ~listed["id"].isin(parts[0]["id"])
            table = listed[is_left]
        part = table.sample(min(number, len(table)), random_state=SEED)
        parts.append(part.assign(drawn_from=name))
    drawn = pd.concat(parts, ignore_index=True)[["drawn_from", "id", "given", "other"]]
    return drawn.assign(is_mistake=drawn["id"].isin(mistakes["id"]))


def about(result: Audit, data: Data, mistakes: pd.DataFrame) -> dict:
    """The numbers of ``audit.json`` that come from the data."""
    found = result.found
    listed = mistakes.merge(found[["id", "suggested"]], on="id")
    table = data.catalogue.table
    judged = table[~table["label"].isin(result.unjudged.index)]
    years = judged["year"].value_counts().sort_index()
    return {
        "judged": result.judged,
        "right": result.right,
        "unjudged": {"photos": int(result.unjudged.sum()), "classes": len(result.unjudged)},
        "years": {str(year): int(photos) for year, photos in years.items()},
        "mistakes": {
            "run": NETWORK,
            "photos": len(mistakes),
            "in_the_list": len(listed),
            "answer_is_suggested": int((listed["answer"] == listed["suggested"]).sum()),
        },
    }


def main(
    data_path: str, weights: str, cache: str | None, results: Path, settings: Sequence[str] = ()
) -> None:
    """Judge all labels, and write ``labels.csv`` and ``audit.json``.

    ``settings`` are written ``name=value``, and change those of FC only.
    """
    config = audit_config(**parse_settings(settings))
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache)
    mistakes = mistakes_of(data, results)
    result = judge_labels(data, weights, config)
    made = made_with(data, weights, config)
    years = data.catalogue.table.astype({"id": str})[["id", "year"]]
    found = result.found.astype({"id": str}).merge(years, on="id")
    order = ["id", "year", "given", "suggested", "confidence", "given_confidence"]
    write_table(results / "labels.csv", found[order], float_format="%.3f")
    write_json(results / "audit.json", made | about(result, data, mistakes))
