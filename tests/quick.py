"""Settings of runs that are over in seconds, for tests that need a whole run."""

from tests.tiny import TINY_BACKBONE

QUICK = {"epochs": 1, "image_size": (32, 32), "batch_size": 32, "precision": "fp32", "lr": 1e-3}
QUICKEST = QUICK | {"backbone": TINY_BACKBONE.name}  # where any network will do
SETS = [
    f"--set={name}={value}".replace("(", "").replace(")", "") for name, value in QUICKEST.items()
]
