"""All that a GPU should be measured on, in one go of under 8 minutes.

    python benchmarks/gpu.py --data data/fashion-product-images-small.zip
    python benchmarks/gpu.py --tiny        # tries the script itself, on the built-in sample

writes results/bench/gpu-<machine>.json, as ``make bench`` does: fine-tuning and forward pass at 80×60 and 224×224
beside the bare limit (goal: 0.90) and the published loop with 16 workers; FC only from the zip to the last epoch.
"""

import argparse
import tempfile
import time
from pathlib import Path

import measures
import timing
import torch

from fashion_tl.data.dataroot import SAMPLE
from fashion_tl.data.dataset import load_data
from fashion_tl.recipes import make_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=SAMPLE)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    if not torch.cuda.is_available() and not args.tiny:
        raise SystemExit("there is no GPU here; `make bench` measures a CPU, and --tiny tries this script on one")
    sizes = [(80, 60), (32, 32)] if args.tiny else [(80, 60), (224, 224)]
    batch, batches, photos, workers = (8, 1, 32, 2) if args.tiny else (256, 12, 2048, 16)
    started = time.perf_counter()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        data = load_data(args.data, make_config("direct"), Path(folder, "cache"))
        decoding = time.perf_counter() - start
        files, _ = measures.extract(data, measures.evenly(data.task.train, photos), Path(folder))
        for size in sizes:
            rows += measures.fine_tuning(data, files, size, batch, batches, workers)
            rows += measures.evaluation(data, size, batch, 2 * batches)
            rows.append(measures.fc_only(data, files, decoding, size, batches, workers))
            print(f"{(time.perf_counter() - started) / 60:5.1f} min  {size}", flush=True)
    if args.tiny:
        timing.RESULTS = Path(tempfile.gettempdir())
    file = timing.save(rows, data.root.name, len(data.photos.ids), started, "gpu-")
    print(f"\n{timing.show(rows)}\n\n{file}")


if __name__ == "__main__":
    main()
