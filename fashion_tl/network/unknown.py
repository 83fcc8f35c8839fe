"""Whether a photo is like nothing that a network learned from, by the run's memory."""

from dataclasses import replace

import numpy as np
from torch import nn

from fashion_tl.config import Config
from fashion_tl.data.dataset import Data
from fashion_tl.errors import photos_in_words
from fashion_tl.machine import say
from fashion_tl.network.features import features_and_logits
from fashion_tl.network.memory import Memory, build_memory
from fashion_tl.network.tensors import body_digest

K = 2  # the score has the distance to the K-th nearest photo; `python -m study unknown` chose it
ENOUGH = 20  # photos of an added class, from which it is judged as the trained ones are
ACCEPTED = 0.95  # the share of validation photos whose score is at most the threshold
FEWEST = round(1 / (1 - ACCEPTED))  # validation photos; fewer can't tell one wrong one in 20


def unknown_scores(memory: Memory, features: np.ndarray) -> np.ndarray:
    """How unlike all training photos each photo is: float64 [n], more for less alike.

    The score is the distance to the ``K``-th nearest training photo (Sun et al., 2022), multiplied
    by how far the features point out of the space that training photos fill (as in ViM, Wang et
    al., 2022). ``features`` are float [n, width]. Of the few photos that an extension added to
    a class, no ``K`` may be near each other. So for a photo that is nearest to one of these, the
    distance to the nearest photo counts until the class has ``ENOUGH`` photos. The class may be new
    or, with ``--known``, a trained one.
    """
    distances, places = memory.nearest(features, K)
    nearest = places[:, 0]
    is_added = nearest >= len(memory.ids) - memory.added
    photos = np.bincount(memory.labels)[memory.labels[nearest]]
    k = np.where(is_added & (photos < ENOUGH), 1, K).clip(max=distances.shape[1])
    distance = np.take_along_axis(distances, k[:, None] - 1, axis=1)[:, 0]
    return distance.astype(np.float64) * memory.residuals(features)


def doubts(memory: Memory, features: np.ndarray) -> dict[str, np.ndarray]:
    """``unknown``, bool [n], and ``unknown_score``, float64 [n]; see :func:`unknown_scores`."""
    scores = unknown_scores(memory, features)
    return {"unknown": scores > memory.threshold, "unknown_score": scores}


def note_on_threshold(validated: int) -> str | None:
    """What to expect of the mark "unknown" if so few photos validate; None if they are enough."""
    if validated >= FEWEST:
        return None
    if not validated:
        return "no photo validates, so no photo is ever called unknown"
    return (
        f"only {photos_in_words(validated)} validated, so far more than 1 in {FEWEST} good photos "
        "may be called unknown"
    )


def training_memory(model: nn.Module, data: Data, config: Config, val: np.ndarray) -> Memory:
    """A memory of a network's training photos, with a threshold.

    ``val`` are the features of the validation photos, float32 [photos, width]. The threshold
    accepts ``ACCEPTED`` of those whose class has training photos. Without any, it refuses no photo.
    A line says so, or that there are fewer than ``FEWEST``.
    """
    task = data.task
    features, _ = features_and_logits(model, data, config, "train", "remembering")
    ids = data.table("train")["id"].to_list()
    memory = build_memory(features, ids, task.labels[task.train], task.classes)
    memory = replace(memory, network=body_digest(model))
    known = task.val_known
    if words := note_on_threshold(int(known.sum())):
        say(f"NOTE: {words}")
    if not known.any():
        return memory
    scores = unknown_scores(memory, val[known])
    return replace(memory, threshold=float(np.quantile(scores, ACCEPTED)))
