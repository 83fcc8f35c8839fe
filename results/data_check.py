"""Is the test honest? Photos that even and odd years share, labels that disagree on them, and classes that shift.

python results/data_check.py --data …     # writes results/data_check.json; half a minute
"""

import argparse
import sys

import numpy as np
import pandas as pd
import torch
from make import HERE
from torch.nn import functional as F

from fashion_tl.approaches import Data, load_data
from fashion_tl.catalogue import facts
from fashion_tl.config import make_config
from fashion_tl.errors import FashionTLError
from fashion_tl.photos import twin_groups
from fashion_tl.runs import commit, write_json

NEAR = (2, 4)  # root mean square difference of two photos of 20×15 pixels, in levels of 255
SMALL = (20, 15)
CHUNK = 2048


def small(array: np.ndarray) -> torch.Tensor:
    """Every photo shrunk to a vector: float32 [photos, 900]."""
    parts = [torch.from_numpy(array[i : i + CHUNK]).permute(0, 3, 1, 2).float() for i in range(0, len(array), CHUNK)]
    return torch.cat([F.interpolate(part, SMALL, mode="area").flatten(1) for part in parts])


def near_pairs(first: torch.Tensor, second: torch.Tensor, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (i, j) of rows whose root mean square difference is below ``limit``, and that difference."""
    found, norms = [], (second**2).sum(1)
    for start in range(0, len(first), CHUNK):
        part = first[start : start + CHUNK]
        squares = (part**2).sum(1, keepdim=True) + norms - 2 * part @ second.T
        i, j = torch.nonzero(squares < limit**2 * first.shape[1], as_tuple=True)
        exact = ((part[i] - second[j]) ** 2).mean(1).sqrt()  # the difference of large squares is not exact
        found.append(torch.stack([i.double() + start, j.double(), exact.double()])[:, exact < limit])
    i, j, difference = torch.cat(found, 1).numpy()
    return i.astype(int), j.astype(int), difference


def shared(data: Data) -> dict[str, dict[str, int]]:
    """Exact and near duplicates, between the years and within the even ones, and how often their labels disagree."""
    labels, groups = data.task.labels, twin_groups(data.digests)
    even = np.sort(np.concatenate([data.task.train, data.task.val]))
    vectors = small(data.photos.array)
    result = {}
    for words, first, second in (("even and odd years", even, data.task.test), ("even years", even, even)):
        i, j, difference = near_pairs(vectors[first], vectors[second], NEAR[-1])
        a, b = first[i], second[j]
        new = a < b if words == "even years" else np.full(len(a), True)
        a, b, difference = a[new], b[new], difference[new]
        exact = groups[a] == groups[b]
        for kind, chosen in (("exact", exact), *((f"below {n}", ~exact & (difference < n)) for n in NEAR)):
            photos = (
                {"photos": len(np.unique(b[chosen]))}
                if words != "even years"
                else {"photos": len(np.unique(np.concatenate([a[chosen], b[chosen]])))}
            )
            disagree = int((labels[a[chosen]] != labels[b[chosen]]).sum())
            result[f"{words}, {kind}"] = {"pairs": int(chosen.sum()), **photos, "labels_disagree": disagree}
    return result


def noise(data: Data, n: int = 12) -> list[dict]:
    """The pairs of classes between which exact twins of the even years disagree most often."""
    even = np.sort(np.concatenate([data.task.train, data.task.val]))
    table = pd.DataFrame({"group": twin_groups(data.digests)[even], "label": data.task.labels[even]})
    pairs = table.merge(table, on="group")
    pairs = pairs[pairs["label_x"] < pairs["label_y"]].groupby(["label_x", "label_y"]).size()
    names = data.task.classes
    pairs = pairs.sort_values(ascending=False, kind="stable").head(n)
    return [{"one": names[one], "other": names[other], "pairs": int(count)} for (one, other), count in pairs.items()]


def shift(data: Data, n: int = 12) -> list[dict]:
    """The classes whose share of the photos differs most between even and odd years."""
    counts = data.catalogue.counts
    moved = (counts["test"] / counts["test"].sum() - counts["train"] / counts["train"].sum()).abs()
    chosen = counts.loc[moved.sort_values(ascending=False, kind="stable").index[:n]]
    return chosen[["articleType", "train", "test"]].to_dict("records")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--cache")
    args = parser.parse_args()
    try:
        data = load_data(args.data, make_config("direct"), args.cache)
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    years = data.catalogue.table["year"].value_counts().sort_index()
    about = {"data": data.root.name, "commit": commit(), "facts": facts(data.catalogue)}
    about |= {"years": {str(year): int(photos) for year, photos in years.items()}}
    write_json(HERE / "data_check.json", about | {"shared": shared(data), "noise": noise(data), "shift": shift(data)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
