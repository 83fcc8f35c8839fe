"""Where things are: the clone that this package lies in, and what is on record there."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"
