"""How well a network learns classes that come later, from a few photos each.

python -m study few-shot --data … --weights …              # FC only; writes few_shot.json
python -m study few-shot --data … --run RUN                # adds the network of a run

The classes are those that come only in odd years. Some of their photos, with their labels, are
drawn and given to the network, as ``fashion-tl extend`` does; the others test. So these figures use
labelled photos of odd years, and must not be compared with any that don't.

Before the odd years, the ways to do it are compared on even years alone: classes are hidden in the
training of FC only's head, and come back with a few photos (``study/hidden.py``).
"""

from pathlib import Path
from typing import Any

import numpy as np

from fashion_tl.data.dataset import load_data
from fashion_tl.data.twins import twin_groups
from fashion_tl.network.calibration import masked_logits
from fashion_tl.network.extending import RIDGE, SCALE, layer_of
from fashion_tl.network.model import available_weights, build_network
from fashion_tl.network.trained import load_network
from fashion_tl.recipes import make_config
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, write_json
from study.heads import made_with, refuse_without_new
from study.hidden import SHIPPED, compared, drawn, possible, with_head
from study.record import look, name_of, weights_or_run
from study.records import one_at_a_time, read_measured
from study.two_blocks import LastBlocks, last_blocks

DRAWS = 100
FEWEST = 2  # test photos of a new class: one to learn from, and one to name
# What `extend` does: its values, and its name among the methods that are compared.
CHOSEN = {"ridge": RIDGE, "scale": SCALE, "method": SHIPPED}
FIGURES = ("known", "new", "new_macro", "harmonic", "all")


def odd_years(network: LastBlocks, blocks: int = 1, draws: int = DRAWS) -> list[dict[str, Any]]:
    """For each number of shots, the mean of every figure over the draws, and its interval."""
    data = network.data
    task = data.task
    twins = twin_groups(data.digests)
    ground = network.ground(task.train, blocks)
    features = network.features(task.test, blocks)
    old = masked_logits(ground.layer.logits(features), task.fit_counts.tolist())
    best, answers = old.max(axis=1), old.argmax(axis=1)
    common = ground.common.logits(features)
    place = np.full(len(task.labels), -1)
    place[task.test] = np.arange(len(task.test))
    is_new = task.fit_counts[task.labels[task.test]] == 0
    found = []
    for shots in possible(task.test[is_new], task.labels):
        rng = np.random.default_rng(shots)
        rows = []
        for _ in range(draws):
            chosen, classes, left = drawn(rng, task.test[is_new], task.labels, twins, shots)
            means = features[place[chosen]].mean(axis=1)
            new = common + ground.rows(means).logits(features)
            named = np.where(new.max(axis=1) > best, classes[new.argmax(axis=1)], answers)
            tests = np.sort(np.concatenate([task.test[~is_new], left]))
            rows.append(
                figures(task.labels[tests], named[place[tests]], classes, is_new[place[tests]])
            )
        mean = {name: float(np.mean([row[name] for row in rows])) for name in FIGURES}
        interval = {
            name: np.quantile([row[name] for row in rows], (0.025, 0.975)).round(5).tolist()
            for name in FIGURES
        }
        right = answers == task.labels[task.test]
        before = {"known": float(right[~is_new].mean()), "all": float(right.mean())}
        sizes = {"shots": shots, "classes": len(classes), "draws": draws}
        found.append(sizes | {"before": before, "after": mean, "interval95": interval})
    return found


def figures(
    labels: np.ndarray, named: np.ndarray, classes: np.ndarray, is_new: np.ndarray
) -> dict[str, float]:
    """The shares of right answers after one draw.

    ``new`` is that of the photos of the classes that were drawn; ``all`` counts all photos, also
    those of new classes that had too few photos.
    """
    right = labels == named
    of_drawn = np.isin(labels, classes)
    known, new = right[~is_new].mean(), right[of_drawn].mean()
    return {
        "known": known,
        "new": new,
        "new_macro": np.mean([right[labels == own].mean() for own in classes if own in labels]),
        "harmonic": 2 * known * new / max(known + new, 1e-9),
        "all": right.mean(),
    }


def both_ways(network: LastBlocks) -> dict[str, Any]:
    """The odd years by the last block, as ``extend`` does it, and by the last two blocks."""
    return {"last": odd_years(network), "last two": odd_years(network, blocks=2)}


def of_run(folder: str, data_path: str, cache: str | None, results: Path) -> dict[str, Any]:
    """The odd years by a finished run's network."""
    run, data = open_steps(folder, data_path, cache)[-1]
    refuse_without_new(data, folder, FEWEST)
    saved = load_network(run)
    network = last_blocks(saved.model, layer_of(saved.model), data, run.config)
    found = {
        **made_with(data, run.about["weights"]["name"], run.config),
        **CHOSEN,
        "odd_years": both_ways(network),
    }
    about = run.metrics | {"commit": commit()}
    look(name_of(run.folder), about, run.config, "new classes from a few photos", results)
    return found


def of_fc_only(
    data_path: str, weights: str, cache: str | None, results: Path, **settings: Any
) -> dict[str, Any]:
    """Hidden classes of even years, and then the odd years, by FC only's network."""
    config = make_config("fc_only", **settings)
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache)
    refuse_without_new(data, data_path, FEWEST)
    model = build_network(data.task.num_classes, weights, config)
    network = last_blocks(model, layer_of(model), data, config)
    hidden = compared(network, config)
    network = with_head(network, data, config)
    found = both_ways(network)
    right = round(found["last"][0]["before"]["all"] * len(data.task.test))
    about = {"seed": config.seed, "epochs": config.epochs, "correct": right, "commit": commit()}
    look("fc_only_head", about, config, "new classes from a few photos", results)
    return {
        **made_with(data, weights, config),
        **CHOSEN,
        "hidden": hidden,
        "odd_years": found,
    }


def main(
    data_path: str,
    weights: str | None,
    cache: str | None,
    results: Path,
    run: str | None = None,
    **settings: Any,
) -> None:
    """Measure FC only's network from ``weights``, or that of a ``run``, and write it down.

    ``settings`` change FC only's recipe. ConfigError unless one of the two is given, and for
    settings beside a run. DataError if there is no class to learn later. RunError if the run isn't
    finished, was extended, has a drawn split or was made on other data. WeightsError if the weights
    or the run's network can't be read. WriteError if ``few_shot.json`` can't be written.
    """
    weights_or_run(weights, run, settings)
    read_measured(results, "few_shot")  # a damaged file is an error before the work
    if run:
        name, own = name_of(run), of_run(run, data_path, cache, results)
    else:
        assert weights, "or a run was given"
        name, own = "fc_only", of_fc_only(data_path, weights, cache, results, **settings)
    with one_at_a_time(results):
        found = read_measured(results, "few_shot") or {"networks": {}}
        found["networks"][name] = own
        write_json(results / "few_shot.json", found)
