"""Every training that the results name, one after the other; each is taken into results/ when it is finished.

python results/train.py --data … --weights … --out runs/results [--only direct]

How long those on record took on two cores stands in results/README.md. A run that was killed goes on after its last
epoch. ``--gpu`` makes instead what two cores have no time for: every approach by both recipes, with three seeds
each, at 80×60, 224×168 and the size that won. Their names begin with ``gpu_``: those on record stay.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from make import record

from fashion_tl.approaches import (
    finish_run,
    run_direct,
    run_fc_only,
    run_two_step,
    start_run,
    train_head,
    train_network,
    unless_interrupted,
)
from fashion_tl.config import TUNED
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import FashionTLError
from fashion_tl.files import as_path
from fashion_tl.network.model import available_weights, build_resnet50, freeze_all_but_head
from fashion_tl.recipes import make_config
from fashion_tl.runs import Run


def lp_ft(
    data_path: str, weights: str, folder: Path, recipe: str = "tuned", cache: str | None = None, **settings
) -> list[Run]:
    """Direct, started from the head that FC only learns (Kumar et al., 2022)."""
    config = make_config("direct", recipe, **settings)
    weights = available_weights(weights, is_sample=False)
    head_config = make_config("fc_only", recipe, seed=config.seed, image_size=config.image_size)
    data = load_data(data_path, config, cache)
    run = start_run(folder, config, data, weights)
    head_run = start_run(folder / "head", head_config, data, weights)
    model = build_resnet50(data.task.num_classes, weights, config.seed)
    freeze_all_but_head(model)
    unless_interrupted(train_head(model, data, head_run))  # which never sees a test photo
    model.requires_grad_(True)
    finish_run(run, model, data, unless_interrupted(train_network(model, data, run)))
    return [run]


PUBLISHED = {"recipe": "published"}
SMALL = {"image_size": (80, 60)}


def own_size(training: str) -> dict:
    """The input size of our recipe, so that with another recipe nothing but the recipe differs."""
    return {"image_size": TUNED[training]["image_size"]}


def as_long_as_two_steps() -> int:
    """Epochs of direct that see as many photos as both steps of two: the 20 largest classes hold 76 % of them."""
    return round(0.76 * TUNED["top20"]["epochs"] + TUNED["two_step"]["epochs"])


# Name of the run: function, settings, and why the odd years are looked at. A run is compared with the one whose name
# its own begins with.
WHOLE, SIZE, BASELINE = "tuned, whole", "baseline: our recipe at 80×60", "baseline: the published recipe"
RUNS: dict[str, tuple[Callable, dict, str]] = {
    "fc_only": (run_fc_only, {}, WHOLE),
    "direct": (run_direct, {}, WHOLE),
    "two_step": (run_two_step, {}, WHOLE),
    "fc_only_published": (run_fc_only, PUBLISHED | own_size("fc_only"), BASELINE),
    "direct_lp_ft": (lp_ft, {}, "baseline: started from FC only's head"),
    "direct_long": (run_direct, {"epochs": as_long_as_two_steps()}, "baseline: as many photos as both of two steps"),
    "direct_80x60": (run_direct, SMALL, SIZE),
    "two_step_80x60": (run_two_step, SMALL, SIZE),
    "direct_80x60_published": (run_direct, SMALL | PUBLISHED, BASELINE),
    "two_step_80x60_published": (run_two_step, SMALL | PUBLISHED, BASELINE),
}
GPU_RUNS: dict[str, tuple[Callable, dict, str]] = {
    f"gpu_{name}_{size[0]}x{size[1]}_seed{seed}{suffix}": (
        RUNS[name][0],
        recipe | {"image_size": size, "seed": seed},
        "both recipes, three sizes, three seeds",
    )
    for name in ("fc_only", "direct", "two_step")
    for size in sorted({(80, 60), (224, 168), own_size(name)["image_size"]})
    for seed in range(3)
    for suffix, recipe in (("", {}), ("_published", PUBLISHED))
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cache")
    parser.add_argument("--only", action="append", choices=(*RUNS, *GPU_RUNS), metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--gpu", action="store_true", help="what a GPU has time for, instead")
    args = parser.parse_args()
    try:
        out = as_path(args.out)
        for name in args.only or (GPU_RUNS if args.gpu else RUNS):
            function, settings, why = (RUNS | GPU_RUNS)[name]
            print(f"=== {name}", flush=True)
            for run in function(args.data, args.weights, out / name, cache=args.cache, **settings):
                first = run.config.training == "top20"
                own_name = name.replace("two_step", "top20") if first else name
                print(f"results/{record(run.folder, name=own_name, why=why)}.json")
    except FashionTLError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
