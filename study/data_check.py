"""Is the test honest? Photos that even and odd years share, labels that disagree on them, and
classes that shift.

python -m study data-check --data …     # writes results/data_check.json; half a minute
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import ExifTags, Image
from torch.nn import functional as F

from fashion_tl.data.catalogue import facts
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.twins import twin_groups
from fashion_tl.recipes import make_config
from fashion_tl.runs import commit, write_json

NEAR = (2, 4)  # root mean square difference of two photos of 20×15 pixels, in levels of 255
THUMBNAIL = (20, 15)
CHUNK = 2048


def small(array: np.ndarray) -> torch.Tensor:
    """Every photo shrunk to a vector: float32 [photos, 900]."""
    parts = [
        torch.from_numpy(array[i : i + CHUNK]).permute(0, 3, 1, 2).float()
        for i in range(0, len(array), CHUNK)
    ]
    return torch.cat([F.interpolate(part, THUMBNAIL, mode="area").flatten(1) for part in parts])


def near_pairs(
    first: torch.Tensor, second: torch.Tensor, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (i, j) of rows whose root mean square difference is below ``limit``, and that
    difference.
    """
    found, norms = [], (second**2).sum(1)
    for start in range(0, len(first), CHUNK):
        part = first[start : start + CHUNK]
        squares = (part**2).sum(1, keepdim=True) + norms - 2 * part @ second.T
        # Generously: the difference of large squares is not exact, and another processor rounds it
        # another way.
        i, j = torch.nonzero(squares < (2 * limit) ** 2 * first.shape[1], as_tuple=True)
        exact = ((part[i] - second[j]) ** 2).mean(1).sqrt()
        found.append(
            torch.stack([i.double() + start, j.double(), exact.double()])[:, exact < limit]
        )
    i, j, difference = torch.cat(found, 1).numpy()
    return i.astype(int), j.astype(int), difference


def alike(data: Data, first: np.ndarray, second: np.ndarray) -> dict[str, dict[str, int]]:
    """Exact and near duplicates between two sets of rows, and how often their labels disagree.

    ``photos`` are those of the second set. If both sets are the same array, pairs within it are
    counted.
    """
    labels, groups = data.task.labels, twin_groups(data.digests)
    is_within = first is second
    array = data.photos.array
    i, j, difference = near_pairs(small(array[first]), small(array[second]), NEAR[-1])
    a, b = first[i], second[j]
    if is_within:  # each pair once, and none of a photo with itself
        a, b, difference = a[a < b], b[a < b], difference[a < b]
    exact = groups[a] == groups[b]
    result = {}
    for kind, chosen in (
        ("exact", exact),
        *((f"below {n}", ~exact & (difference < n)) for n in NEAR),
    ):
        photos = np.union1d(a[chosen], b[chosen]) if is_within else np.unique(b[chosen])
        disagree = int((labels[a[chosen]] != labels[b[chosen]]).sum())
        result[kind] = {
            "pairs": int(chosen.sum()),
            "photos": len(photos),
            "labels_disagree": disagree,
        }
    return result


def shared(data: Data, even: np.ndarray) -> dict[str, dict[str, int]]:
    """:func:`alike` between the years, and within the even and the odd ones. ``photos`` between the
    years are those of odd years.
    """
    odd = data.task.test
    pairs = {"even and odd years": (even, odd), "even years": (even, even), "odd years": (odd, odd)}
    return {
        f"{words}, {kind}": counted
        for words, rows in pairs.items()
        for kind, counted in alike(data, *rows).items()
    }


def noise(data: Data, even: np.ndarray) -> list[dict]:
    """The pairs of classes that exact twins bear, where they differ: within the years, and between
    them.
    """
    table = pd.DataFrame({"group": twin_groups(data.digests), "label": data.task.labels})
    table = table.assign(row=table.index, years=np.where(table.index.isin(even), "even", "odd"))
    twins = table.merge(table, on="group", suffixes=("_1", "_2"))
    twins = twins[(twins["row_1"] < twins["row_2"]) & (twins["label_1"] != twins["label_2"])]
    alike = twins["years_1"] == twins["years_2"]
    pairs = pd.DataFrame(np.sort(twins[["label_1", "label_2"]], axis=1), columns=["one", "other"])
    pairs.insert(0, "years", twins["years_1"].where(alike, "even and odd").to_numpy())
    pairs = pairs.groupby(["years", "one", "other"]).size().reset_index(name="pairs")
    names = dict(enumerate(data.task.classes))
    return pairs.replace({"one": names, "other": names}).to_dict("records")


def as_stored(data: Data) -> dict[str, int]:
    """How many of the used photos are stored otherwise than people see them: on their side, or
    partly transparent.
    """
    counts = {"photos": 0, "on_their_side": 0, "transparent": 0}
    with data.root.open_files() as read:
        for number in data.photos.ids:
            with Image.open(io.BytesIO(read(data.root.photos[number].name))) as image:
                counts["photos"] += 1
                counts["on_their_side"] += image.getexif().get(ExifTags.Base.Orientation, 1) != 1
                counts["transparent"] += image.has_transparency_data
    return counts


def shift(data: Data, n: int = 12) -> list[dict]:
    """The classes whose share of the photos differs most between even and odd years."""
    counts = data.catalogue.counts
    moved = (counts["test"] / counts["test"].sum() - counts["train"] / counts["train"].sum()).abs()
    chosen = counts.loc[moved.sort_values(ascending=False, kind="stable").index[:n]]
    return chosen[["label", "train", "test"]].to_dict("records")


def main(data_path: str, cache: str | None, results: Path) -> None:
    """Count all of it, and write ``data_check.json``."""
    data = load_data(data_path, make_config("direct"), cache)
    even = np.flatnonzero(data.catalogue.trains)
    years = data.catalogue.table["year"].value_counts().sort_index()
    about = {
        "data": data.root.name,
        "commit": commit(),
        "facts": facts(data.catalogue),
        "years": {str(year): int(photos) for year, photos in years.items()},
        "as_stored": as_stored(data),
        "shared": shared(data, even),
        "noise": noise(data, even),
        "shift": shift(data),
    }
    write_json(results / "data_check.json", about)
