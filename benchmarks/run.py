"""How fast it is, beside the published way and the bare limit, on this machine: ``make bench`` (about 18 minutes).

    python benchmarks/run.py --data data/fashion-product-images-small.zip

prints one table and writes results/bench/<machine>.json. What a whole training takes is scaled up from a part of
it, timed until it is steady; a row's note says so. Speed does not depend on weights: all networks are random.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COMPILED = tempfile.TemporaryDirectory()
os.environ["TORCHINDUCTOR_CACHE_DIR"] = COMPILED.name  # so that compiling starts from nothing; before torch is there

import fashion_tl  # isort: skip  # noqa: E402, F401  (before torch: it sets how torch's threads wait)
import company  # noqa: E402
import measures  # noqa: E402
import timing  # noqa: E402

from fashion_tl.approaches import load_data  # noqa: E402
from fashion_tl.config import make_config  # noqa: E402
from fashion_tl.files import as_path  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a .zip in Kaggle's layout")
    parser.add_argument("--only-company", action="store_true", help="only the rows beside other programs, in a file")
    args = parser.parse_args()
    path = as_path(args.data)
    started = time.perf_counter()
    if args.only_company:
        rows = company.in_company()
        file = timing.save(rows, "one random batch", company.BATCH, started, "beside-others-")
        print(f"\n{timing.show(rows)}\n\n{file}")
        return
    data = load_data(path, make_config("direct"))
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        files, labels = measures.extract(data, measures.evenly(data.task.train, 256), Path(folder))
        pieces: list[Callable[[], list[dict]]] = [
            lambda: measures.in_its_own_process("files.py", str(path)),
            lambda: [measures.fc_only(data, files[:32], decoding(rows), (224, 224), batches=2)],
            lambda: [measures.fc_only(data, files, decoding(rows), (80, 60), batches=8)],
            lambda: measures.fine_tuning(data, files[:64], (80, 60), batch=64, batches=8),
            lambda: measures.evaluation(data, (80, 60), batch=64, batches=16),
            lambda: measures.fastai(files, labels, data),
            lambda: measures.compiling(batches=4),
            lambda: measures.per_photo(data),
            lambda: measures.memory(path),
            company.in_company,
        ]
        for piece in pieces:
            rows += piece()
            print(
                f"{(time.perf_counter() - started) / 60:5.1f} min  {rows[-1]['name']}: {rows[-1]['ours']}", flush=True
            )
    file = timing.save(rows, data.root.name, len(data.photos.ids), started)
    print(f"\n{timing.show(rows)}\n\n{file}")


def decoding(rows: list[dict]) -> float:
    """Seconds, as measured already."""
    return next(each["ours"] for each in rows if each["name"].startswith("zip on disk"))


if __name__ == "__main__":
    main()
