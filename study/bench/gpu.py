"""All that a GPU should be measured on, in one go of under 8 minutes.

    python -m study bench gpu --data data/fashion-product-images-small.zip
    python -m study bench gpu --tiny        # tries this program itself, on the built-in sample

writes results/bench/gpu-<machine>.json: fine-tuning and forward pass at 80×60 and 224×224 beside
the bare limit (goal: 0.90) and the published loop with 16 workers; FC only from the zip to the last
epoch.
"""

import tempfile
import time
from pathlib import Path

import torch

from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError
from fashion_tl.recipes import make_config
from study.bench import limit, measures, timing
from study.bench.fc_only import fc_only


def main(data_path: str, tiny: bool, results: Path) -> None:
    """Measure, print the table, and keep it: a tiny one among the temporary files alone."""
    if not torch.cuda.is_available() and not tiny:
        raise ConfigError(
            "there is no GPU here; `bench speed` measures a CPU, "
            "and --tiny tries this program on one"
        )
    sizes = [(80, 60), (32, 32)] if tiny else [(80, 60), (224, 224)]
    batch, batches, photos, workers = (8, 1, 32, 2) if tiny else (256, 12, 2048, 16)
    started = time.perf_counter()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        data = load_data(data_path, make_config("direct"), Path(folder, "cache"))
        decoding = time.perf_counter() - start
        files, _ = measures.extract(data, measures.evenly(data.task.train, photos), Path(folder))
        for size in sizes:
            rows += measures.fine_tuning(data, files, size, batch, batches, workers)
            rows += measures.evaluation(data, size, batch, 2 * batches)
            rows.append(fc_only(data, files, decoding, size, batches, workers))
            print(f"{(time.perf_counter() - started) / 60:5.1f} min  {size}", flush=True)
        rows += limit.of_the_machine(data, sizes, batch, batches, 64 if tiny else 8192)
    to = Path(tempfile.gettempdir()) if tiny else results / "bench"
    timing.save(rows, to, data.root.name, len(data.photos.ids), started, "gpu-")
