"""The network of a run, and what the run remembers of its training photos."""

from fashion_tl.network.memory import Memory, read_memory
from fashion_tl.network.model import SavedModel, load_model
from fashion_tl.runs import Run


def load_remembering(run: Run) -> tuple[SavedModel, Memory]:
    """A run's network and memory.

    WeightsError if the network can't be read, RunError if the memory is missing or damaged.
    """
    saved = load_model(run.model_path)
    return saved, read_memory(run.memory_path, saved.width)


def load_trained(run: Run) -> tuple[SavedModel, Memory | None]:
    """:func:`load_remembering`; the memory of an older run, which has none, is None."""
    if run.memory_path.exists():
        return load_remembering(run)
    return load_model(run.model_path), None
