"""Every training that the results name, one after the other; each goes on record when it is
finished.

python -m study train --data … --weights … --out runs/results [--only direct]

How long those on record took on two cores stands in results/README.md. A run that was killed goes
on after its last epoch. ``--gpu`` makes instead what two cores have no time for: every approach by
both recipes, with three seeds each, at 80×60, 224×168 and the size that won. Their names begin with
``gpu_``: those on record stay.

Of torchvision's weights, several can be named, such as ``--weights IMAGENET1K_V1 IMAGENET1K_V2``.
The names of their records then end with that of the weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from fashion_tl.approaches import run_approach
from fashion_tl.backbones import DEFAULT_BACKBONE, find_backbone
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError
from fashion_tl.files import as_path
from fashion_tl.network.model import (
    available_weights,
    build_network,
    freeze_all_but_head,
    freeze_first_children,
)
from fashion_tl.recipes import TRAININGS, make_config
from fashion_tl.running import start_run, train, train_and_finish, unless_interrupted
from fashion_tl.runs import Run
from study.record import record
from study.records import recorded

# The settings of photos and network: a head is only of use to a training that shares them.
SHARED = (
    *("seed", "label", "split", "largest", "bad_rows", "val_fraction", "train_fraction"),
    *("split_seed", "stored_size", "backbone", "blocks", "image_size", "mean", "std", "trim"),
    "without_largest",
)


def lp_ft(
    data_path: str,
    weights: str,
    folder: Path,
    recipe: str = "tuned",
    cache: str | None = None,
    **settings,
) -> list[Run]:
    """Direct, started from the head that FC only learns (Kumar et al., 2022)."""
    config = make_config("direct", recipe, **settings)
    start = available_weights(weights, is_sample=False, backbone=config.backbone)
    head_config = make_config("fc_only", recipe, **{name: getattr(config, name) for name in SHARED})
    data = load_data(data_path, config, cache).of_classes(config)
    run = start_run(folder, config, data, start)
    head_run = start_run(folder / "head", head_config, data, start)
    model = build_network(data.task.num_classes, start, run.config)
    freeze_all_but_head(model)
    unless_interrupted(train(model, data, head_run))  # which never sees a test photo
    model.requires_grad_(True)
    freeze_first_children(model, run.config.frozen_children)
    return [train_and_finish(model, data, run)]


def rare_alone(*args: Any, **settings: Any) -> list[Run]:
    """The run of the other classes alone: the first step before it is that of two steps."""
    return run_approach("rare", *args, **settings)[-1:]


@dataclass(frozen=True)
class Entry:
    """How a run goes on record: its name, the names of those it is compared with, and what its
    seeds share.
    """

    name: str
    base: tuple[str, ...] = ()
    group: str | None = None

    def with_ending(self, ending: str, known: Sequence[str]) -> "Entry":
        """The same for other weights, with names of its own.

        It is also compared with the run that has its name now, if that is ``known``.
        """
        if not ending:
            return self
        base = [f"{name}{ending}" for name in self.base]
        base += [self.name] if self.name in known else []
        group = f"{self.group}{ending}" if self.group else None
        return Entry(f"{self.name}{ending}", tuple(base), group)


@dataclass(frozen=True)
class Plan:
    """A training to put on record: a function of the approaches, its settings, why the odd years
    are looked at, and an entry for each run that it returns. It has the name of the last of them.
    """

    train: Callable[..., list[Run]]
    settings: dict[str, Any]
    why: str
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return self.entries[-1].name


FC_ONLY, DIRECT, TWO_STEP = (
    partial(run_approach, name) for name in ("fc_only", "direct", "two_step")
)
PUBLISHED_RECIPE = {"recipe": "published"}
TWO_BLOCKS = {"blocks": 2, "lr": 0.2}  # the features of two blocks have larger values
INPUT_80X60 = {"image_size": (80, 60)}
WHOLE = "tuned, whole"
TRIMMED = "trimmed, the choice of the trials"
OTHER_SIZE = "baseline: our recipe at 80×60"
BASELINE = "baseline: the published recipe"


def own_size(training: str) -> dict[str, Any]:
    """The input size of our recipe, so that with another recipe nothing but the recipe differs."""
    return {"image_size": TRAININGS[training].tuned["image_size"]}


def as_long_as_two_steps() -> int:
    """Epochs of direct that see as many photos as both steps of two: the 20 largest classes hold 76
    % of them.
    """
    first, second = (TRAININGS[training].tuned["epochs"] for training in ("top20", "two_step"))
    return round(0.76 * first + second)


PLANS = (
    Plan(FC_ONLY, {}, WHOLE, (Entry("fc_only"),)),
    Plan(DIRECT, {}, WHOLE, (Entry("direct", ("fc_only",)),)),
    Plan(
        TWO_STEP,
        {},
        WHOLE,
        (Entry("top20"), Entry("two_step", ("fc_only", "direct", "top20", "direct_long"))),
    ),
    Plan(
        FC_ONLY,
        PUBLISHED_RECIPE | own_size("fc_only"),
        BASELINE,
        (Entry("fc_only_published", ("fc_only",)),),
    ),
    Plan(FC_ONLY, TWO_BLOCKS, "two blocks", (Entry("fc_only_two_blocks", ("fc_only",)),)),
    Plan(lp_ft, {}, "baseline: started from FC only's head", (Entry("direct_lp_ft", ("direct",)),)),
    Plan(
        DIRECT,
        {"epochs": as_long_as_two_steps()},
        "baseline: as many photos as both of two steps",
        (Entry("direct_long", ("direct",)),),
    ),
    Plan(DIRECT, INPUT_80X60, OTHER_SIZE, (Entry("direct_80x60", ("direct",)),)),
    Plan(
        TWO_STEP,
        INPUT_80X60,
        OTHER_SIZE,
        (Entry("top20_80x60", ("top20",)), Entry("two_step_80x60", ("two_step",))),
    ),
    Plan(
        DIRECT,
        INPUT_80X60 | PUBLISHED_RECIPE,
        BASELINE,
        (Entry("direct_80x60_published", ("direct_80x60",)),),
    ),
    Plan(
        TWO_STEP,
        INPUT_80X60 | PUBLISHED_RECIPE,
        BASELINE,
        (
            Entry("top20_80x60_published", ("top20_80x60",)),
            Entry("two_step_80x60_published", ("two_step_80x60",)),
        ),
    ),
)


def gpu_entry(training: str, size: tuple[int, int], seed: int, recipe: str) -> Entry:
    """A run by the published recipe is compared with ours of the same size and seed."""
    suffix = "" if recipe == "tuned" else f"_{recipe}"
    group = "gpu_{}_{}x{}".format(training, *size)
    base = () if recipe == "tuned" else (f"{group}_seed{seed}",)
    return Entry(f"{group}_seed{seed}{suffix}", base, f"{group}{suffix}")


# The choice of the trials judged by years left out, and the other classes alone.
TRIMMED_PLANS = tuple(
    Plan(
        train,
        {"trim": True, "seed": seed, **more},
        why,
        tuple(
            Entry(
                f"gpu_{training}_trimmed_seed{seed}",
                (base,) if base else (),
                f"gpu_{training}_trimmed",
            )
            for training, base in trainings
        ),
    )
    for seed in range(3)
    for train, more, why, trainings in (
        (DIRECT, {"epochs": as_long_as_two_steps()}, TRIMMED, [("direct", "direct_long")]),
        (TWO_STEP, {}, TRIMMED, [("top20", "top20"), ("two_step", "two_step")]),
        (rare_alone, {}, "the other classes alone", [("rare", "")]),
    )
)
GPU_PLANS = tuple(
    Plan(
        train,
        {"recipe": recipe, "image_size": size, "seed": seed},
        "both recipes, three sizes, three seeds",
        tuple(gpu_entry(training, size, seed, recipe) for training in trainings),
    )
    for train, trainings in (
        (FC_ONLY, ("fc_only",)),
        (DIRECT, ("direct",)),
        (TWO_STEP, ("top20", "two_step")),
    )
    for size in sorted({(80, 60), (224, 168), own_size(trainings[-1])["image_size"]})
    for seed in range(3)
    for recipe in ("tuned", "published")
)


def main(
    data: str,
    weights: Sequence[str],
    out: str,
    results: Path,
    cache: str | None = None,
    only: Sequence[str] = (),
    gpu: bool = False,
) -> None:
    """Train what is planned, or what of it has one of these names, and put it on record.

    This is done with each of the ``weights``. WeightsError before any training if some of
    torchvision's can't be downloaded.
    """
    plans = chosen(only, gpu)
    for each in filter(ending_of, weights):
        available_weights(each, is_sample=False)
    known = recorded(results)
    for each, plan in product(weights, plans):
        ending = ending_of(each)
        folder = as_path(out) / f"{plan.name}{ending}"
        print(f"=== {folder.name}", flush=True)
        runs = plan.train(data, each, folder, cache=cache, **plan.settings)
        for run, entry in zip(runs, plan.entries, strict=True):
            own = entry.with_ending(ending, known)
            print(record(run.folder, results, own.name, plan.why, own.base, own.group))


def ending_of(weights: str) -> str:
    """The ending of the names of records with torchvision's weights; empty for a file's."""
    is_torchvisions = weights in find_backbone(DEFAULT_BACKBONE).weights_names
    return f"_{weights.lower()}" if is_torchvisions else ""


def chosen(only: Sequence[str], gpu: bool) -> list[Plan]:
    """The plans of these names, in this order; all for a CPU, or all for a GPU, where there are
    none.
    """
    if not only:
        return list(GPU_PLANS if gpu else PLANS)
    named = {plan.name: plan for plan in (*PLANS, *TRIMMED_PLANS, *GPU_PLANS)}
    for name in only:
        if name not in named:
            raise ConfigError(f"no training has the name {name!r}; there are: {', '.join(named)}")
    return [named[name] for name in only]
