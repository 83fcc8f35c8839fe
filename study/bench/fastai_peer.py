"""fastai's fine-tuning as a peer: ``vision_learner`` on the same network and photos, all of it
learning.
"""

from collections.abc import Callable
from pathlib import Path

from fastai.vision.all import ImageDataLoaders, Resize, resnet50, vision_learner


def fastai_epoch(
    files: list[Path], labels: list[str], size: tuple[int, int] = (80, 60)
) -> Callable[[], int]:
    """A function that runs one epoch of ``fit_one_cycle`` over the photos, and says how many they
    were.
    """
    loaders = ImageDataLoaders.from_lists(
        files[0].parent,
        files,
        labels,
        valid_pct=0.0,
        bs=64,
        num_workers=0,
        item_tfms=Resize(size, method="squish"),
    )
    learner = vision_learner(loaders, resnet50, pretrained=False, normalize=False)
    learner.unfreeze()

    def epoch() -> int:
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(1, 1e-4)
        return len(learner.dls.train) * 64  # whole batches: fastai drops the rest

    return epoch
