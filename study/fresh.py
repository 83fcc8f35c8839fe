"""What FC only takes from nothing: a run whose cache is empty, from the zip to the metrics.

python -m study minutes --data … --weights …     # writes results/minutes.json; 10 to 30 minutes

A run on record counts the minutes of its training and its test. The photos are decoded before, and
features that an earlier run left in the cache are only read. For FC only, the features are most of
the work. So here nothing is there already: no photo, no feature and no compiled code.
"""

import os
import tempfile
import time
from pathlib import Path

from fashion_tl.approaches import fc_only
from fashion_tl.data.dataset import load_data
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import make_config
from fashion_tl.runs import write_json
from study.heads import made_with
from study.record import look

COMPILED = "TORCHINDUCTOR_CACHE_DIR"  # where torch keeps compiled code


def main(data_path: str, weights: str, results: Path) -> None:
    """Run FC only by its recipe, and write ``minutes.json``; the cache and the run are deleted.

    The run answers the odd years' photos, so it is a look at them. WeightsError if the weights
    can't be read. WriteError if ``minutes.json`` can't be written.
    """
    config = make_config("fc_only")
    start_from = available_weights(weights, is_sample=False, backbone=config.backbone)
    before = os.environ.get(COMPILED)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[COMPILED] = str(Path(folder, "compiled"))
        try:
            started = time.perf_counter()
            data = load_data(data_path, config, Path(folder, "cache"))
            loaded = time.perf_counter()
            (run,) = fc_only(data, start_from, Path(folder, "run"), config)
            ended = time.perf_counter()
        finally:
            os.environ.pop(COMPILED, None)
            os.environ |= {COMPILED: before} if before else {}
        made = made_with(data, weights, run.config)
        look("fc_only", run.metrics, run.config, "its minutes from an empty cache", results)
        write_json(
            results / "minutes.json",
            made
            | {
                "loading": round((loaded - started) / 60, 3),
                "minutes": round((ended - started) / 60, 2),
                "correct": run.metrics["correct"],
                "top1": run.metrics["top1"],
            },
        )
