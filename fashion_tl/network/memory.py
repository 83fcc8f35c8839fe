"""What a run remembers of its training photos: their features, compressed, in one small file."""

import json
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fashion_tl.errors import ContentError, RunError, fault_of_file
from fashion_tl.files import StrPath, as_path, check_readable, replacing
from fashion_tl.runfiles import way_out

STEP = 0.4  # of the rounded features, in standard deviations; a photo then takes about 800 bytes
PRINCIPAL = 0.25  # of all dimensions: the space that training photos fill. It can't be the whole.
WIDEST = 0.5  # of all dimensions: the same space after photos of new classes were added
SHORTEST = 0.01  # a direction that adds less to this space, for features of length 1, is noise
CHUNK = 1024  # photos that are compared with the memory at a time
ABOUT = "fashion_tl_memory"  # the name of the file's metadata


@dataclass(frozen=True)
class Memory:
    """The features of a run's training photos, and what tells whether another photo is like them.

    Features are what the network's last layer takes: float32 [photos, width]. Photos are compared
    by the angle between them, so each row is kept as its length and its direction.

    ``ids`` is text [photos]; ``labels``, int64 [photos], are numbers in ``classes``. A direction is
    ``mean`` + ``codes`` × ``scale``: float32 [width], int8 [photos, width] and float32 [width].
    ``lengths`` is float32 [photos]. ``basis``, float32 [kept, width], are the principal components
    of the directions, and what new classes added to them. ``threshold`` is the largest score of a
    photo that still counts as known (see :mod:`fashion_tl.network.unknown`); infinity refuses none.
    The last ``added`` photos came after the training. ``network`` is the
    :func:`fashion_tl.network.tensors.body_digest` of the network that made the features; older
    memories have none.
    """

    ids: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    codes: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    lengths: np.ndarray
    basis: np.ndarray
    threshold: float = math.inf
    added: int = 0
    network: str = ""

    @cached_property
    def directions(self) -> np.ndarray:
        """The photos' features divided by their lengths, nearly: float32 [photos, width]."""
        return unit(self.mean + self.codes * self.scale)

    @property
    def features(self) -> np.ndarray:
        """The photos' features, nearly as they were: float32 [photos, width]."""
        return self.directions * self.lengths[:, None]

    def nearest(self, features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``k`` photos that are most like each of these features, float [n, width].

        Returns their cosine distances, float32 [n, k], from 0 (the same direction) to 2, and their
        places in the memory, int64 [n, k], nearest first. If the memory holds fewer photos, all of
        them are returned.
        """
        k = min(k, len(self.ids))
        distances = np.empty((len(features), k), np.float32)
        places = np.empty((len(features), k), np.int64)
        for start in range(0, len(features), CHUNK):
            own = slice(start, start + CHUNK)
            all_distances = 1 - unit(features[own]) @ self.directions.T
            found = np.argpartition(all_distances, k - 1, axis=1)[:, :k]
            found.sort(axis=1)  # of equal distances, the first photo comes first
            near = np.take_along_axis(all_distances, found, axis=1)
            order = np.argsort(near, axis=1, kind="stable")
            places[own] = np.take_along_axis(found, order, axis=1)
            distances[own] = np.take_along_axis(near, order, axis=1)
        return distances.clip(0), places

    def residuals(self, features: np.ndarray) -> np.ndarray:
        """How far each of these features, float [n, width], points out of the space that training
        photos fill: float32 [n], from 0 to about 1.
        """
        centred = unit(features) - self.mean
        inside = centred @ self.basis.T
        outside = (centred**2).sum(axis=1) - (inside**2).sum(axis=1)
        return np.sqrt(outside.clip(0))

    def with_photos(
        self,
        features: np.ndarray,
        ids: Sequence[str],
        labels: np.ndarray,
        classes: tuple[str, ...],
    ) -> "Memory":
        """The same memory with more photos: features, float [n, width], ids and labels of each.

        ``classes`` are the names of all labels, old and new. Each new class adds at most one
        direction to the space of :meth:`residuals`, however many photos it has. The threshold
        stays, so a space that grew with every photo would soon accept all photos.
        """
        labels = np.asarray(labels, np.int64)
        centred = unit(features) - self.mean
        new = np.setdiff1d(labels, self.labels)
        means = [centred[labels == label].mean(axis=0) for label in new]
        codes = centred / self.scale
        lengths = np.linalg.norm(features, axis=1)
        return replace(
            self,
            ids=np.concatenate([self.ids, np.asarray(ids, dtype=object)]),
            labels=np.concatenate([self.labels, labels]),
            classes=classes,
            codes=np.concatenate([self.codes, _int8(codes)]),
            lengths=np.concatenate([self.lengths, lengths.astype(np.float32)]),
            basis=_widened(self.basis, np.reshape(means, (len(new), len(self.mean)))),
            added=self.added + len(lengths),
        )


def nearest_photos(memory: Memory, features: np.ndarray, top: int) -> list[list[dict[str, Any]]]:
    """The nearest training photos for each of these features, float [n, width], as dicts."""
    return [
        [
            {
                "id": str(memory.ids[place]),
                "label": memory.classes[memory.labels[place]],
                "distance": round(float(distance), 4),
            }
            for distance, place in zip(*pair, strict=True)
        ]
        for pair in zip(*memory.nearest(features, top), strict=True)
    ]


def unit(features: np.ndarray) -> np.ndarray:
    """Each row divided by its length: float32 [n, width]. A row of zeros stays."""
    features = np.asarray(features, np.float32)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(np.float32).tiny)


def build_memory(
    features: np.ndarray,
    ids: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    step: float = STEP,
) -> Memory:
    """A memory of photos with these features, float [n, width], ids and labels, each [n].

    Their directions are rounded to multiples of ``step`` standard deviations, the same for all
    features.
    """
    directions = unit(features)
    mean = directions.mean(axis=0)
    centred = directions - mean
    deviation = float(np.sqrt((centred**2).mean()))
    least = max(step * deviation, float(np.finfo(np.float32).eps))
    scale = np.maximum(np.abs(centred).max(axis=0) / 127, least).astype(np.float32)
    return Memory(
        ids=np.asarray(ids, dtype=object),
        labels=np.asarray(labels, np.int64),
        classes=tuple(classes),
        codes=_int8(centred / scale),
        scale=scale,
        mean=mean,
        lengths=np.linalg.norm(features, axis=1).astype(np.float32),
        basis=principal(centred, int(PRINCIPAL * centred.shape[1])),
    )


def principal(centred: np.ndarray, most: int, shortest: float = 0.0) -> np.ndarray:
    """The ``most`` principal components of centred rows, float32 [n, width]: float32 [kept, width].

    Components without variance, and those of a size below ``shortest``, are left out. The values
    are those that a file keeps as float16.
    """
    from sklearn.utils.extmath import randomized_svd  # takes a second, and most commands need none

    kept = max(1, min(most, *centred.shape))
    _, sizes, basis = randomized_svd(centred, kept, n_iter=2, random_state=0)
    least = max(sizes.max() * 1e-3, shortest, np.finfo(np.float32).tiny)
    return basis[sizes > least].astype(np.float16).astype(np.float32)


def _widened(basis: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The basis, float32 [kept, width], and what the centred means of new classes add to its space.

    ``means`` are float32 [classes, width]. The basis has at most ``WIDEST`` of the width, so that
    enough directions always lie outside.
    """
    room = int(WIDEST * basis.shape[1]) - len(basis)
    if room < 1 or not len(means):
        return basis
    outside = means - means @ basis.T @ basis
    return np.concatenate([basis, principal(outside, room, SHORTEST)])


def _int8(codes: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(codes), -127, 127).astype(np.int8)


def save_memory(path: Path, memory: Memory) -> None:
    """Write a memory as one ``.safetensors`` file, whole or not at all."""
    about = {
        "ids": memory.ids.tolist(),
        "classes": list(memory.classes),
        "added": memory.added,
        "network": memory.network,
        "threshold": memory.threshold if math.isfinite(memory.threshold) else None,
    }
    # Feature by feature, the codes take half of the space.
    codes = zlib.compress(np.ascontiguousarray(memory.codes.T).tobytes())
    tensors = {
        "labels": memory.labels.astype(np.int32),
        "codes": np.frombuffer(codes, np.uint8),
        "scale": memory.scale,
        "basis": memory.basis.astype(np.float16),
        "mean": memory.mean,
        "lengths": memory.lengths,
    }
    # Arrays in another order would be written as they lie in memory.
    whole = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    content = save(whole, {ABOUT: json.dumps(about)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_memory(path: StrPath) -> Memory:
    """Read what :func:`save_memory` wrote. RunError if the file is missing or damaged."""
    path = as_path(path)
    if not os.path.lexists(path):
        remember = (
            "an older version made it, or it was stopped. Make one without training: "
            f"fashion-tl remember {path.parent} --data DATA"
        )
        way = way_out(path.parent, remember)
        raise RunError(f"{path.parent} has no memory of its training photos: {way}")
    try:
        check_readable(path)
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})[ABOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        memory = Memory(
            ids=np.array(about["ids"], dtype=object),
            labels=tensors["labels"].astype(np.int64),
            classes=tuple(about["classes"]),
            codes=_unpacked(tensors["codes"], len(tensors["lengths"]), len(tensors["mean"])),
            scale=tensors["scale"],
            mean=tensors["mean"],
            lengths=tensors["lengths"],
            basis=tensors["basis"].astype(np.float32),
            threshold=math.inf if about["threshold"] is None else float(about["threshold"]),
            added=int(about.get("added", 0)),
            network=str(about.get("network", "")),
        )
        _check(memory)
    except (OSError, SafetensorError, zlib.error, KeyError, TypeError, ValueError) as error:
        again = f"delete it and make it again: fashion-tl remember {path.parent} --data DATA"
        way = way_out(path.parent, again)
        raise RunError(fault_of_file(path, error, way)) from error
    return memory


def _unpacked(packed: np.ndarray, photos: int, width: int) -> np.ndarray:
    """The codes, int8 [photos, width]; ValueError if there are more or fewer."""
    content = zlib.decompressobj().decompress(packed.tobytes(), photos * width + 1)
    if len(content) != photos * width:
        raise ContentError("its parts don't fit together")
    return np.ascontiguousarray(np.frombuffer(content, np.int8).reshape(width, photos).T)


def _check(memory: Memory) -> None:
    """ValueError unless the parts fit together and hold numbers."""
    photos, width = memory.codes.shape
    fits = (
        photos > 0
        and memory.ids.shape == memory.labels.shape == memory.lengths.shape == (photos,)
        and memory.scale.shape == memory.mean.shape == memory.basis.shape[1:] == (width,)
        and 0 <= memory.labels.min() <= memory.labels.max() < len(memory.classes)
    )
    if not fits:
        raise ContentError("its parts don't fit together")
    for values in (memory.scale, memory.basis, memory.mean, memory.lengths):
        if not np.isfinite(values).all():
            raise ContentError("it holds values that aren't finite numbers")
