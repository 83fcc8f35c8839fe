"""The tests are a package, so that every file of theirs has one name: ``tests.checks.fuzz``."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
# The first line of Kaggle's styles.csv.
HEADER = (
    "id,gender,masterCategory,subCategory,articleType,"
    "baseColour,season,year,usage,productDisplayName"
)
# What tells a run's run.json from other tools' files of that name.
RUN_JSON = '{"config": {}, "data": {}, "weights": {}}'
