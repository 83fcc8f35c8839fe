"""What larger photos are worth: the same photos, small and large, by the same trainings.

python -m study detail --data SMALL --large LARGE --weights … --out runs/detail

It writes results/detail.json. The networks differ in nothing but the photos' detail: they have the
same training, validation and test photos, and the same input size, to which small photos are
enlarged. Only photos count that both data roots have, so the figures must not be compared with any
others.
"""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashion_tl.approaches import direct, fc_only
from fashion_tl.data.contents import DataRoot
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import ConfigError, DataError, RunError, fault_of_file
from fashion_tl.files import StrPath, as_path, replacing
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import make_config
from fashion_tl.runs import Run, write_json
from study.heads import made_with
from study.record import look
from study.records import one_at_a_time, read_measured
from study.uncertainty import paired_difference

SMALL, LARGE = (80, 60), (224, 168)  # how the photos are stored: height, width
TRAININGS = {"fc_only": fc_only, "direct": direct}


def copy_shared(data: StrPath, others: StrPath, target: Path) -> None:
    """Write a zip with the table of ``data`` and those of its photos that ``others`` has, too.

    A zip of these very files that is there already stays. DataError if one is there with other
    files, and if the two share no photo.
    """
    root, other = open_root(data), open_root(others)
    if root.table is None:
        raise DataError(f"{root.path} has no styles.csv; name a copy of the real data")
    shared = [own for own in root.photos if own in other.photos]
    if not shared:
        raise DataError(f"{root.path} and {other.path} have no photo in common")
    names = [root.table, *(root.photos[own].name for own in shared)]
    if target.exists():
        _refuse_other_files(target, root, names)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(target) as draft,
        zipfile.ZipFile(draft, "w") as archive,
        root.open_files() as read,
    ):
        for name in names:
            archive.writestr(name, read(name))


def _refuse_other_files(target: Path, root: DataRoot, names: Sequence[str]) -> None:
    """DataError unless a zip of an earlier call holds these files of the root, and no others."""
    advice = f"delete {target.parent}, or name another folder with --out"
    try:
        with zipfile.ZipFile(target) as archive:
            found = {member.filename: member.CRC for member in archive.infolist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(fault_of_file(target, error, advice)) from error
    with root.open_files() as read:
        is_same = found.keys() == set(names) and all(
            found[name] == zlib.crc32(read(name)) for name in names
        )
    if not is_same:
        raise DataError(
            f"{target} was made of other data than these two: its photos or its table differ; "
            f"{advice}"
        )


def load_both(paths: Sequence[StrPath], cache: StrPath | None) -> list[Data]:
    """The small and the large photos, with the same rows in each part.

    DataError if a photo can be read only in one of the two sizes, and if the two tables give a
    photo other labels or other parts.
    """
    small, large = (
        load_data(path, make_config("direct", stored_size=size), cache)
        for path, size in zip(paths, (SMALL, LARGE), strict=True)
    )
    tables = [data.catalogue.table.reset_index(drop=True) for data in (small, large)]
    if not tables[0]["id"].equals(tables[1]["id"]):
        raise DataError(f"{paths[0]} and {paths[1]} don't have the same usable photos")
    for column in ("label", "part"):
        differs = tables[0][column].astype(str) != tables[1][column].astype(str)
        if differs.any():
            first, second = (table[differs].iloc[0] for table in tables)
            raise DataError(
                f"photo {first['id']} has another {column} in {paths[0]} ({first[column]}) than in "
                f"{paths[1]} ({second[column]}); give both the same styles.csv"
            )
    return [small, replace(large, task=small.task)]


def sources(paths: Sequence[StrPath], both: Sequence[Data]) -> dict[str, dict[str, str]]:
    """The name of the data that each size comes from, and the fingerprint of the shared photos."""
    return {
        size: {"data": open_root(path).name, "fingerprint": data.fingerprint}
        for size, path, data in zip(("small", "large"), paths, both, strict=True)
    }


def kept(found: dict[str, Any], chosen: Sequence[str], photos: dict[str, Any]) -> dict[str, Any]:
    """What of ``detail.json`` stays until the ``chosen`` trainings are measured on these photos.

    RunError if another training is of other photos, or of unknown ones: one file never mixes them.
    """
    same = {name: own for name, own in found.items() if own.get("sources") == photos}
    for name in found:
        if name not in (*same, *chosen):
            all_of = " ".join(f"--only {each}" for each in (name, *chosen))
            raise RunError(
                f"detail.json has {name} of other photos, or from a version that didn't record "
                f"which; measure it on these, too: {all_of}. With the same --out, a finished run "
                "isn't trained again"
            )
    return same


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

    A training that was stopped goes on, and a finished one is read. ConfigError for a name that
    isn't one of them. DataError as from :func:`copy_shared` and :func:`load_both`, RunError as from
    :func:`kept`.
    """
    chosen = list(only or TRAININGS)
    if others := [name for name in chosen if name not in TRAININGS]:
        raise ConfigError(f"--only {others[0]}: no such training; take {' or '.join(TRAININGS)}")
    folder = as_path(out)
    weights_path = available_weights(weights, is_sample=False)
    paths = [folder / "small.zip", folder / "large.zip"]
    copy_shared(data_path, large_path, paths[0])
    copy_shared(large_path, data_path, paths[1])
    both = load_both(paths, cache)
    photos = sources((data_path, large_path), both)
    kept(read_measured(results, "detail") or {}, chosen, photos)
    for name in chosen:
        runs = []
        for data, size in zip(both, (SMALL, LARGE), strict=True):
            config = make_config(name, stored_size=size)
            own = folder / f"{name}_{'small' if size == SMALL else 'large'}"
            runs += TRAININGS[name](data, weights_path, own, config)
        made = made_with(both[0], weights, runs[0].config) | {"sources": photos}
        sizes = {"train": len(both[0].task.train), "val": len(both[0].task.val)}
        new = made | sizes | compared(*runs)
        for run in runs:
            why = "what larger photos are worth"
            look(run.folder.name, run.metrics, run.config, why, results)
        with one_at_a_time(results):
            found = kept(read_measured(results, "detail") or {}, chosen, photos)
            write_json(results / "detail.json", found | {name: new})
