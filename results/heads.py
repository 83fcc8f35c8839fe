"""How sure are FC only's figures? Five seeds, five folds of the even years, and each even year held out in turn.

python results/heads.py --data … --weights …     # writes results/fc_head.json; some minutes, most of it features
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
import torch
from make import HERE, look
from sklearn.model_selection import StratifiedGroupKFold

from fashion_tl.data.dataset import Data, load_data
from fashion_tl.data.photos import twin_groups
from fashion_tl.errors import FashionTLError
from fashion_tl.network.features import part_features
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.model import available_weights, build_resnet50, freeze_all_but_head, split_frozen
from fashion_tl.network.training import fit
from fashion_tl.network.weights import weights_name
from fashion_tl.recipes import make_config
from fashion_tl.reporting.evaluation import metrics, prediction_table
from fashion_tl.runs import commit, machine, write_json

FEWEST = 100  # photos of a year that is worth holding out
FIGURES = ("n_test", "ceiling", "correct", "top1", "top1_learnable", "top5", "macro", "macro_classes", "few_shot")


def trained(weights: str, data: Data, on: str, seed: int = 0) -> dict[str, float]:
    """The tuned recipe's head, scored once on the ``"test"`` photos or, trained to the last epoch, on ``"val"``."""
    config = make_config("fc_only", seed=seed)
    model = build_resnet50(data.task.num_classes, weights, seed).to(pick_device())
    freeze_all_but_head(model)
    frozen, head = split_frozen(model)
    train, val = part_features(data, frozen, config, "train", "val")
    scored = part_features(data, frozen, config.change(flip=config.flip_test), "test")[0] if on == "test" else val
    if on == "val":
        val = replace(val, rows=val.rows[:0], labels=val.labels[:0])  # to choose an epoch on it would flatter
    fit(head, train, val, config, data.class_weights(config))
    logits = forward(head, scored, config.precision, None, flip=config.flip_test).numpy()
    counts = data.task.train_counts
    predictions = prediction_table(data.table(on), logits, data.task.classes, counts)
    result = metrics(predictions, data.counts if on == "test" else data.counts.assign(train=counts))
    return {"train": len(data.task.train)} | {figure: result[figure] for figure in FIGURES}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--cache")
    args = parser.parse_args()
    try:
        available_weights(args.weights, is_sample=False)
        data = load_data(args.data, make_config("fc_only"), args.cache)
        even = np.sort(np.concatenate([data.task.train, data.task.val]))
        labels, years = data.task.labels[even], data.catalogue.table["year"].to_numpy()[even]
        twins = twin_groups(data.digests)[even]

        def held_out(rows: np.ndarray) -> dict[str, float]:
            task = replace(data.task, train=np.setdiff1d(even, rows), val=rows)
            return trained(args.weights, replace(data, task=task), "val")

        seeds = [{"seed": seed} | trained(args.weights, data, "test", seed) for seed in range(5)]
        config = make_config("fc_only")
        for each in seeds:
            about = each | {"epochs": config.epochs, "image_size": config.image_size, "commit": commit()}
            look("fc_only_head", about, "the spread over five seeds")
        split = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(even, labels, twins)
        folds = [{"fold": fold} | held_out(even[rows]) for fold, (_, rows) in enumerate(split, 1)]
        named, photos = np.unique(years, return_counts=True)
        by_year = [{"year": int(year)} | held_out(even[years == year]) for year in named[photos >= FEWEST]]
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    about = {"data": data.root.name, "weights": weights_name(args.weights), "config": make_config("fc_only").to_dict()}
    about |= {"torch": torch.__version__, "machine": machine(), "commit": commit()}
    write_json(HERE / "fc_head.json", about | {"seeds": seeds, "folds": folds, "years": by_year})
    return 0


if __name__ == "__main__":
    sys.exit(main())
