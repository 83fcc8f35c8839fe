"""Every training that the results name, one after the other; each is taken into results/ when it is finished.

python results/train.py --data … --weights … --out runs/results [--only direct]   # go on where it stopped

On two cores this is days of work in all, on a GPU less than an hour; a run that was killed goes on after its last epoch.
"""

from pathlib import Path

from fashion_tl.approaches import (
    finish_run,
    load_data,
    start_run,
    train_head,
    train_network,
)
from fashion_tl.config import TUNED, make_config
from fashion_tl.model import build_resnet50, freeze_all_but_head
from fashion_tl.runs import Run


def lp_ft(data_path: str, weights: str, folder: Path, recipe: str, cache: str | None = None, **settings) -> list[Run]:
    """Direct, started from the head that FC only learns (Kumar et al., 2022)."""
    config = make_config("direct", recipe, **settings)
    head_config = make_config("fc_only", recipe, seed=config.seed, image_size=config.image_size)
    data = load_data(data_path, config, cache)
    head_run, run = start_run(folder / "head", head_config, data, weights), start_run(folder, config, data, weights)
    model = build_resnet50(data.task.num_classes, weights, config.seed)
    freeze_all_but_head(model)
    finish_run(head_run, model, data, train_head(model, data, head_run))
    model.requires_grad_(True)
    finish_run(run, model, data, train_network(model, data, run))
    return [run]


def size(training: str) -> tuple[int, int]:
    return TUNED[training]["image_size"]
