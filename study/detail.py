"""What larger photos are worth: the same photos, small and large, by the same trainings.

python -m study detail --data SMALL --large LARGE --weights … --out runs/detail

It writes results/detail.json. The networks differ in nothing but the photos' detail: they have the
same training, validation and test photos, and the same input size, to which small photos are
enlarged. Only photos count that both data roots have, so the figures must not be compared with any
others.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.approaches import direct, fc_only
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import DataError
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import make_config
from fashion_tl.runs import Run, commit, write_json
from study.heads import made_with
from study.record import look
from study.records import read_measured
from study.uncertainty import paired_difference

SMALL, LARGE = (80, 60), (224, 168)  # how the photos are stored: height, width
TRAININGS = {"fc_only": fc_only, "direct": direct}


def copy_shared(data: StrPath, others: StrPath, target: Path) -> None:
    """Write a zip with the table of ``data`` and those of its photos that ``others`` has, too.

    A zip that is there already stays. DataError if the two share no photo.
    """
    root, other = open_root(data), open_root(others)
    if root.table is None:
        raise DataError(f"{root.path} has no styles.csv; name a copy of the real data")
    shared = [own for own in root.photos if own in other.photos]
    if not shared:
        raise DataError(f"{root.path} and {other.path} have no photo in common")
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(target) as draft,
        zipfile.ZipFile(draft, "w") as archive,
        root.open_files() as read,
    ):
        archive.writestr(root.table, read(root.table))
        for own in shared:
            name = root.photos[own].name
            archive.writestr(name, read(name))


def load_both(paths: Sequence[StrPath], cache: StrPath | None) -> list[Data]:
    """The small and the large photos, with the same rows in each part.

    DataError if a photo can be read only in one of the two sizes.
    """
    small, large = (
        load_data(path, make_config("direct", stored_size=size), cache)
        for path, size in zip(paths, (SMALL, LARGE), strict=True)
    )
    if not np.array_equal(small.catalogue.table["id"], large.catalogue.table["id"]):
        raise DataError(f"{paths[0]} and {paths[1]} don't have the same usable photos")
    return [small, replace(large, task=small.task)]


def compared(small: Run, large: Run) -> dict[str, Any]:
    """The figures of both runs, and what the large photos change, photo by photo."""
    tables = [
        run.predictions.merge(run.per_class[["label", "train"]], on="label")
        for run in (small, large)
    ]
    measured = ("n_test", "ceiling", "correct", "top1", "top1_learnable", "macro", "few_shot")
    figures = [{name: run.metrics[name] for name in measured} for run in (small, large)]
    return {
        "config": small.config.to_dict(),
        "small": figures[0],
        "large": figures[1],
        "paired": paired_difference(*tables),
    }


def main(
    data_path: str,
    large_path: str,
    weights: str,
    out: str,
    cache: str | None,
    results: Path,
    only: Sequence[str] = (),
) -> None:
    """Train each of ``TRAININGS``, or ``only`` some, on both sizes, and write ``detail.json``.

    A training that was stopped goes on, and a finished one is read.
    """
    folder = as_path(out)
    weights_path = available_weights(weights, is_sample=False)
    paths = [folder / "small.zip", folder / "large.zip"]
    copy_shared(data_path, large_path, paths[0])
    copy_shared(large_path, data_path, paths[1])
    both = load_both(paths, cache)
    found = read_measured(results, "detail") or {}
    for name in only or TRAININGS:
        runs = []
        for data, size in zip(both, (SMALL, LARGE), strict=True):
            config = make_config(name, stored_size=size)
            own = folder / f"{name}_{'small' if size == SMALL else 'large'}"
            runs += TRAININGS[name](data, weights_path, own, config)
            about = runs[-1].metrics | {"commit": commit()}
            look(own.name, about, config, "what larger photos are worth", results)
        made = made_with(both[0], weights, runs[0].config)
        photos = {"train": len(both[0].task.train), "val": len(both[0].task.val)}
        found[name] = made | photos | compared(*runs)
        write_json(results / "detail.json", found)
