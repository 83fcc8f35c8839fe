"""What bf16 changes in the answers: the test photos predicted in float32 and in bf16 by the same
trained networks.

python -m study bench precision RUN [RUN ...] --data ROOT      # writes results/precision.json
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fashion_tl.data.dataset import load_data
from fashion_tl.errors import RunError
from fashion_tl.files import as_path
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.trained import load_network
from fashion_tl.reporting.evaluation import class_probabilities
from fashion_tl.runs import commit, machine, open_run, write_json
from study.record import refuse_unmeasured


def compare(folder: Path, data_path: str) -> dict:
    """Right answers of one run in both precisions, and how often they are the same.

    RunError if there is no run, if it isn't finished, was extended or has a drawn split, or if it
    was made on other data.
    """
    refuse_unmeasured(folder)
    run = open_run(folder)
    data = load_data(data_path, run.config)
    if data.fingerprint != run.about["data"]["fingerprint"]:
        raise RunError(f"{folder} was made on other data than {data_path}")
    data = data.of_classes(run.config)
    saved, labels = load_network(run), data.task.labels[data.task.test]
    model, batches = saved.model.to(pick_device()), data.batches("test", run.config)
    guess = {
        precision: class_probabilities(
            forward(model, batches, precision, flip=run.config.flip_test).numpy(), saved.fit_counts
        ).argmax(1)
        for precision in ("fp32", "bf16")
    }
    correct = {precision: int((top == labels).sum()) for precision, top in guess.items()}
    return {
        "approach": run.config.training,
        "n_test": len(labels),
        **{f"correct_{precision}": n for precision, n in correct.items()},
        "top1_change": (correct["bf16"] - correct["fp32"]) / len(labels),
        "same_answer": float(np.mean(guess["fp32"] == guess["bf16"])),
        "data": data.root.name,
        "weights": run.about["weights"]["name"],
        "image_size": list(run.config.image_size),
        "commit": commit(),
        "machine": machine(),
    }


def main(runs: Sequence[str], data: str, results: Path) -> None:
    """Compare each of these runs, and write ``precision.json``."""
    found = [compare(as_path(run), data) for run in runs]
    for each in found:
        change = f"top-1 {100 * each['top1_change']:+.3f} points"
        print(f"{each['approach']}: {change}, {each['same_answer']:.2%} the same answers")
    write_json(results / "precision.json", found)
