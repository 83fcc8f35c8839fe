"""Most anonymous memory of a full fine-tune (the photos are a file's pages, and don't count): for ``make bench``.

    python benchmarks/memory.py data/fashion-product-images-small.zip 0.25

trains on photos taken evenly from the first quarter of them, validates, keeps a checkpoint, and prints the peak.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from measures import evenly, some

from fashion_tl.approaches import load_data
from fashion_tl.config import make_config
from fashion_tl.inference import pick_device
from fashion_tl.model import build_resnet50
from fashion_tl.training import fit


def anonymous() -> int:
    """Bytes of memory of this process that no file stands behind (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    path, share = sys.argv[1], float(sys.argv[2])
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], anonymous())
            time.sleep(0.05)

    threading.Thread(target=watch, daemon=True).start()
    config = make_config("direct", epochs=2)
    data = load_data(path, config)
    rows = data.task.train[: int(share * len(data.task.train))]
    train = some(data, evenly(rows, 640), config)
    val = some(data, evenly(rows, 128), config)
    model = build_resnet50(data.task.num_classes, None).to(pick_device())
    with tempfile.TemporaryDirectory() as folder:
        fit(model, train, val, config, np.ones(data.task.num_classes), Path(folder) / "checkpoint.pt")
    done.set()
    print(json.dumps({"anonymous_gb": peak[0] / 1e9}))


if __name__ == "__main__":
    main()
