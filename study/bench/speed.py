"""How fast it is, beside the published way and the bare limit, on this machine: ``make bench``
(20 to 30 minutes).

    python -m study bench speed --data data/fashion-product-images-small.zip

prints one table and writes results/bench/<machine>.json. What a whole training takes is scaled up
from a part of it, timed until it is steady; a row's note says so. Speed does not depend on weights:
all networks are random.
"""

import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from fashion_tl.errors import ConfigError
from fashion_tl.files import as_path
from fashion_tl.recipes import make_config
from study.bench import company, timing


def main(data_path: str, results: Path) -> None:
    """Measure, print the table, and keep it. ConfigError unless the data are a zip."""
    started = time.perf_counter()
    if not as_path(data_path).exists():
        raise ConfigError(f"{data_path}: there is no such file; name the data's zip")
    if not zipfile.is_zipfile(as_path(data_path)):
        raise ConfigError(
            f"{data_path} is not a zip; this bench times how one is decoded, so name the data's zip"
        )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as compiled:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = compiled  # so that compiling starts from nothing
        measure(as_path(data_path), Path(folder), results / "bench", started)


def measure(path: Path, folder: Path, to: Path, started: float) -> None:
    from fashion_tl.data.dataset import load_data

    # Not before: torch reads where its compiler's cache is.
    from study.bench import limit, measures
    from study.bench.fc_only import fc_only

    data = load_data(path, make_config("direct"))
    files, labels = measures.extract(data, measures.evenly(data.task.train, 256), folder)
    light = measures.in_its_own_process("files", str(path))
    rows, decoding = light["rows"], light["decoding"]
    pieces: list[Callable[[], list[dict]]] = [
        lambda: [fc_only(data, files[:32], decoding, (224, 224), batches=2)],
        lambda: [fc_only(data, files, decoding, (80, 60), batches=8)],
        lambda: measures.fine_tuning(data, files[:64], (80, 60), batch=64, batches=8),
        lambda: measures.evaluation(data, (80, 60), batch=64, batches=16),
        lambda: limit.of_the_machine(data, [(80, 60), (160, 120)]),
        lambda: measures.fastai(files, labels, data),
        lambda: measures.compiling(batches=4),
        lambda: measures.per_photo(data),
        lambda: measures.memory(path),
        company.in_company,
    ]
    for piece in pieces:
        minutes = (time.perf_counter() - started) / 60
        print(f"{minutes:5.1f} min  {rows[-1]['name']}: {rows[-1]['ours']}", flush=True)
        rows += piece()
    timing.save(rows, to, data.root.name, len(data.photos.ids), started)
