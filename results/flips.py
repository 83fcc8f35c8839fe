"""What averaging over mirror images in testing is worth: trained networks scored on the odd years without it.

python results/flips.py runs/results/direct_80x60 … --data …     # writes results/flips.json
"""

import argparse
import sys
from pathlib import Path

from make import HERE, look

from fashion_tl.errors import FashionTLError
from fashion_tl.files import as_path
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.model import load_model
from fashion_tl.reporting.evaluation import metrics, prediction_table
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import open_run, write_json


def without_flips(folder: Path, data_path: str, cache: str | None = None) -> dict[str, float | int | None]:
    """The figures of merit of a finished run's network (of two steps, the second's), each test photo predicted once.

    RunError when the run was made on other data.
    """
    run, data = open_steps(folder, data_path, cache)[-1]
    saved = load_model(run.model_path)
    model = saved.model.to(pick_device())
    logits = forward(model, data.batches("test", run.config), run.config.precision).numpy()
    return metrics(prediction_table(data.table("test"), logits, saved.classes, saved.train_counts), data.counts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="folders named as the runs on record")
    parser.add_argument("--data", required=True)
    parser.add_argument("--cache")
    args = parser.parse_args()
    try:
        found = {}
        for folder in map(as_path, args.runs):
            run, figures = open_run(folder), without_flips(folder, args.data, args.cache)
            look(folder.name, run.metrics | figures, "without flips in testing")
            found[folder.name] = {"with": {figure: run.metrics[figure] for figure in figures}, "without": figures}
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_json(HERE / "flips.json", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
