"""Which score tells photos that are like nothing a network learned from, and how well it does.

python -m study unknown --data … --weights …               # writes results/unknown.json
python -m study unknown --data … --run RUN                 # adds the score of a trained run

The score is chosen on even years alone. Some of their classes are hidden in turn: a fifth of the
classes, then each master category. FC only's head learns the others, and photos of hidden classes
must be told from validation photos. The score with the highest mean AUROC is chosen. Only then are
the odd years scored, once. Photos whose class has no training photo are *near* if their master
category has training photos, and otherwise *far*.
"""

from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import DataError, RunError, photos_in_words
from fashion_tl.network.extending import layer_of
from fashion_tl.network.features import features_and_logits
from fashion_tl.network.inference import pick_device
from fashion_tl.network.memory import build_memory
from fashion_tl.network.model import available_weights
from fashion_tl.network.trained import load_network
from fashion_tl.network.unknown import ACCEPTED
from fashion_tl.recipes import make_config
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, write_json
from study.choices import as_chosen, beside, refuse_mixed
from study.heads import left_out, made_with, refuse_without_new, trained_head
from study.record import look, name_of, weights_or_run
from study.records import one_at_a_time, read_measured
from study.scores import NEIGHBOURS, SCORES, Learned, Photos, accepted, against, auroc, shares

FOLDS = 5  # of classes, hidden in turn
FEWEST = 100  # photos of a master category that is worth hiding
MOST = 1500  # hidden photos that are scored; more say nothing new


def hidden_classes(data: Data) -> dict[str, np.ndarray]:
    """Classes to hide in turn, int64, by name: fifths of the even years' classes, and each master
    category.
    """
    task = data.task
    even = task.train_and_val
    classes = np.random.default_rng(0).permutation(np.unique(task.labels[even]))
    hidden = {f"fifth {fold + 1}": classes[fold::FOLDS] for fold in range(FOLDS)}
    categories = data.catalogue.table["masterCategory"].to_numpy(str)
    for category in np.unique(categories[even]):
        own = np.unique(task.labels[even[categories[even] == category]])
        photos = np.isin(task.labels[even], own).sum()
        if len(own) < len(classes) and photos >= FEWEST:
            hidden[f"all of {category}"] = own
    return hidden


def without(hidden: np.ndarray, data: Data) -> Data:
    """The data without these classes. Their photos of even years test."""
    return left_out(data, np.isin(data.task.labels, hidden))


def refuse_few(data: Data) -> None:
    """DataError if there are too few classes to hide, or too few photos for the scores that count
    neighbours.
    """
    hidden = hidden_classes(data).values()
    if not all(map(len, hidden)):
        raise DataError(f"{data.root.path}: fewer than {FOLDS} classes train; name other data")
    fewest = min(len(without(own, data).task.train) for own in hidden)
    if fewest < max(NEIGHBOURS):
        raise DataError(
            f"{data.root.path}: with some classes hidden, {photos_in_words(fewest)} would train, "
            f"and the scores need {max(NEIGHBOURS)}; name data with more photos"
        )


def learned(
    weights: str, data: Data, config: Config, together: bool
) -> tuple[Learned, Photos, Photos]:
    """A new head, trained as the recipe says, and the validation and test photos as it sees them.

    ``together`` keeps the features of all parts in one file, and scores ``MOST`` test photos.
    """
    head, *parts = trained_head(weights, data, config, together)
    weight, bias = (each.detach().cpu().numpy() for each in head[-1].parameters())
    features = [means(batches) for batches in parts]
    if together and len(features[-1]) > MOST:
        features[-1] = np.random.default_rng(0).permutation(features[-1])[:MOST]
    network = learned_by(weight, bias, features[0], data)
    val, test = (seen(network, each) for each in features[1:])
    return network, val, test


def means(batches: Batches) -> np.ndarray:
    """The mean over the views of each photo, float32 [n, width]."""
    return batches.inputs[batches.rows].mean(1).numpy()


def learned_by(weight: np.ndarray, bias: np.ndarray, features: np.ndarray, data: Data) -> Learned:
    """What a head with these weights learned, and from which features."""
    task = data.task
    ids = data.table("train")["id"].to_list()
    memory = build_memory(features, ids, task.labels[task.train], task.classes)
    return Learned(weight, bias, task.fit_counts > 0, features, memory)


def seen(network: Learned, features: np.ndarray) -> Photos:
    logits = features @ network.weight.T + network.bias
    distances, _ = network.memory.nearest(features, max(NEIGHBOURS))
    return Photos(features, logits[:, network.known], distances)


def compared(weights: str, data: Data, config: Config) -> list[dict[str, Any]]:
    """Every score on every set of hidden classes, on photos of even years alone."""
    rows = []
    for name, hidden in hidden_classes(data).items():
        part = without(hidden, data)
        network, val, test = learned(weights, part, config, together=True)
        scores = {}
        for words, score in SCORES.items():
            known, unknown = score(network, val), score(network, test)
            scores[words] = {"auroc": auroc(known, unknown), "accepted": accepted(known, unknown)}
        rows.append(
            {
                "hidden": name,
                "classes": len(hidden),
                "photos": len(part.task.test),
                "scores": scores,
            }
        )
    return rows


def best(rows: list[dict[str, Any]]) -> str:
    """The score with the highest mean AUROC over the sets of hidden classes."""
    return max(SCORES, key=lambda words: np.mean([row["scores"][words]["auroc"] for row in rows]))


def measured(
    data: Data, network: Learned, val: Photos, test: Photos, chosen: str
) -> dict[str, Any]:
    """What the chosen score says of the odd years, and the AUROC of all scores.

    The threshold accepts ``ACCEPTED`` of the validation photos.
    """
    table = data.table("test")
    is_known = network.known[data.task.labels[data.task.test]]
    categories = table["masterCategory"].to_numpy(str)
    is_near = np.isin(categories, data.table("train")["masterCategory"].unique())
    scores = SCORES[chosen](network, test)
    threshold = float(np.quantile(SCORES[chosen](network, val), ACCEPTED))
    known = scores[is_known]
    parts = {"all": ~is_known, "near": ~is_known & is_near, "far": ~is_known & ~is_near}
    others = {words: score(network, test) for words, score in SCORES.items()}
    return {
        "score": chosen,
        "threshold": threshold,
        "known": shares(known, threshold),
        "unknown": {name: against(known, scores[rows], threshold) for name, rows in parts.items()},
        "scores": {
            words: {
                "auroc": auroc(each[is_known], each[~is_known]),
                "accepted": accepted(each[is_known], each[~is_known]),
            }
            for words, each in others.items()
        },
    }


def correct(network: Learned, photos: Photos, data: Data) -> int:
    """How many of the test photos get their right class."""
    guesses = np.flatnonzero(network.known)[photos.logits.argmax(1)]
    return int((guesses == data.task.labels[data.task.test]).sum())


def of_run(
    folder: str, data_path: str, cache: str | None, chosen: str, results: Path
) -> dict[str, Any]:
    """What the chosen score says by the network of a finished run."""
    run, data = open_steps(folder, data_path, cache)[-1]
    refuse_without_new(data, folder)
    model = load_network(run).model.to(pick_device())
    features = {
        part: features_and_logits(model, data, run.config, part, part)[0]
        for part in ("train", "val", "test")
    }
    layer = layer_of(model)
    network = learned_by(layer.weight, layer.bias, features["train"], data)
    val, test = (seen(network, features[part]) for part in ("val", "test"))
    found = measured(data, network, val, test, chosen)
    found |= made_with(data, run.about["weights"]["name"], run.config)
    about = run.metrics | {"correct": correct(network, test, data), "commit": commit()}
    look(name_of(run.folder), about, run.config, "unknown photos", results)
    return found


def main(
    data_path: str,
    weights: str | None,
    cache: str | None,
    results: Path,
    run: str | None = None,
    **settings: Any,
) -> None:
    """Choose a score on FC only's network, score the odd years, and write ``unknown.json``.

    Its backbone has these ``weights``, and ``settings`` change its recipe. With a ``run`` instead,
    that network is scored, by the score that was chosen before.

    ConfigError unless either weights or a run is given, for settings beside a run, and as from
    :func:`refuse_mixed`. DataError if no class is unknown, or too few photos train. RunError if no
    score was chosen, or if the run isn't finished, was extended, has a drawn split or was made on
    other data.
    WeightsError if the weights or the run's network can't be read. WriteError if ``unknown.json``
    can't be written.
    """
    weights_or_run(weights, run, settings)
    file, before = results / "unknown.json", read_measured(results, "unknown")
    if run:
        if not before:
            raise RunError(f"{file}: choose a score first, without --run")
        own = of_run(run, data_path, cache, before["chosen"], results)
        with one_at_a_time(results):
            found = as_chosen(before["chosen"], results) or before
            write_json(file, found | {"runs": found["runs"] | {name_of(run): own}})
        return
    assert weights, "or a run was given"
    config = make_config("fc_only", **settings)
    of_fc_only(data_path, weights, cache, results, config, before)


def of_fc_only(
    data_path: str,
    weights: str,
    cache: str | None,
    results: Path,
    config: Config,
    before: dict[str, Any] | None,
) -> None:
    """Every score on hidden classes, and the chosen one on the odd years, into ``unknown.json``.

    A choice that was made ``before``, at another input size, stays. Then this says, too, what would
    have been chosen here. If a choice at the same size turns out otherwise, what was scored by the
    old one is left out.
    """
    available_weights(weights, is_sample=False, backbone=config.backbone)
    if before:
        refuse_mixed(before, weights, config, results / "unknown.json")
    data = load_data(data_path, config, cache)
    refuse_without_new(data, data_path)
    refuse_few(data)
    rows = compared(weights, data, config)
    here = best(rows)
    network, val, test = learned(weights, data, config, together=False)
    found = {**made_with(data, weights, config), "hidden": rows, "chosen": here}
    own_choice = measured(data, network, val, test, here)
    if before is None or tuple(before["config"]["image_size"]) == config.image_size:
        found["odd_years"] = own_choice
    else:
        as_before = measured(data, network, val, test, before["chosen"])
        found |= {"odd_years": as_before, "by_own_choice": own_choice}
    about = {"seed": config.seed, "epochs": config.epochs, "commit": commit()}
    about["correct"] = correct(network, test, data)
    look("fc_only_head", about, config, "unknown photos", results)
    with one_at_a_time(results):
        now = as_chosen((before or found)["chosen"], results) or before
        if now and not before:
            refuse_mixed(now, weights, config, results / "unknown.json")
        write_json(results / "unknown.json", beside(now, found, config))
