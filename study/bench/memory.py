"""Most anonymous memory of a full fine-tune (the photos are a file's pages, and don't count): for
``make bench``.

    python -m study.bench.memory data/fashion-product-images-small.zip 0.25

trains on a few of a data set that holds a quarter of the photos, validates, keeps a checkpoint,
prints the peak.
"""

import json
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np

from fashion_tl.data.dataset import load_data
from fashion_tl.files import as_path
from fashion_tl.network.inference import pick_device
from fashion_tl.network.model import build_network
from fashion_tl.network.training import fit, unless_interrupted
from fashion_tl.recipes import make_config
from study.bench.measures import evenly, some


def anonymous() -> int:
    """Bytes of memory of this process that no file stands behind (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def part_of(path: Path, share: float, folder: Path) -> Path:
    """A zip with only so many of the photos; rows of styles.csv without a photo are left out when
    it is read.
    """
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(folder / "part.zip", "w") as part:
        for name in whole.namelist():
            keep = not name.endswith(".jpg") or int(Path(name).stem) % round(1 / share) == 0
            if keep and not name.endswith("/"):
                part.writestr(name, whole.read(name))
    return folder / "part.zip"


def main(folder: str) -> None:
    path, share = as_path(sys.argv[1]), float(sys.argv[2])
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], anonymous())
            time.sleep(0.05)

    threading.Thread(target=watch, daemon=True).start()
    config = make_config("direct", epochs=2, image_size=(80, 60))
    data = load_data(
        part_of(path, share, Path(folder)) if share < 1 else path, config, Path(folder, "cache")
    )
    train = some(data, evenly(data.task.train, 640), config)
    val = some(data, evenly(data.task.val, 128), config)
    model = build_network(data.task.num_classes, None, make_config("direct")).to(pick_device())
    checkpoint = Path(folder, "checkpoint.pt")
    unless_interrupted(fit(model, train, val, config, np.ones(data.task.num_classes), checkpoint))
    done.set()
    print(json.dumps({"anonymous_gb": peak[0] / 1e9}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(temporary)
