"""The network of a run, and what the run remembers of its training photos.

A file of another run may fit well enough to answer, but it answers wrongly. So it is compared here
with what else the run's folder holds.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from fashion_tl.errors import RunError, WeightsError, some_of
from fashion_tl.extension import extension_of, measured, new_classes
from fashion_tl.network.memory import Memory, read_memory
from fashion_tl.network.model import SavedModel, load_model
from fashion_tl.network.tensors import body_digest
from fashion_tl.runfiles import way_out
from fashion_tl.runs import Run


def load_network(run: Run) -> SavedModel:
    """A run's network. WeightsError if it can't be read, or if it is of another run."""
    saved = load_model(run.model_path)
    with suppress(RunError):  # without the tables the network can be used, too
        learned = [*measured(run).per_class["label"], *new_classes(extension_of(run))]
        refuse_other_classes(run, saved, learned, "the run's tables")
    return saved


def load_remembering(run: Run) -> tuple[SavedModel, Memory]:
    """A run's network and memory.

    WeightsError as from :func:`load_network`. RunError if the memory is missing or damaged, or if
    it is of another network.
    """
    saved = load_network(run)
    memory = read_memory(run.memory_path)
    difference = _other_classes(memory.classes, saved.classes, "the network")
    if not difference and memory.classes != saved.classes:
        difference = "its classes have another order"
    if len(memory.mean) != saved.width:
        difference = f"it has {len(memory.mean)} features of a photo, not {saved.width}"
    if not difference and memory.network not in ("", body_digest(saved.model)):
        difference = "its features are those of other weights"
    if difference:
        again = (
            f"copy the run's own, or make it again: fashion-tl remember {run.folder} --data DATA"
        )
        way = way_out(run.folder, again)
        raise RunError(f"{run.memory_path} is of another network: {difference}; {way}")
    return saved, memory


def load_trained(run: Run) -> tuple[SavedModel, Memory | None]:
    """:func:`load_remembering`; the memory of an older run, which has none, is None."""
    if os.path.lexists(run.memory_path):
        return load_remembering(run)
    return load_network(run), None


def refuse_other_classes(run: Run, saved: SavedModel, classes: Sequence[str], whose: str) -> None:
    """WeightsError unless a run's network has these ``classes``, in any order."""
    if difference := _other_classes(saved.classes, classes, whose):
        raise WeightsError(
            f"{run.model_path} is of another run: {difference}; {way_out(run.folder)}"
        )


def _other_classes(classes: Sequence[str], wanted: Sequence[str], whose: str) -> str:
    """The classes that only one of both has, in words; empty if there are none."""
    known, there = set(wanted), set(classes)
    more = [name for name in classes if name not in known]
    fewer = [name for name in wanted if name not in there]
    words = [f"it knows {some_of(more)}, unlike {whose}"] if more else []
    return ", and ".join(words + ([f"it doesn't know {some_of(fewer)}"] if fewer else []))
