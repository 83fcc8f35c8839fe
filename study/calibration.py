"""What the probabilities are worth, and on which photos to fit FC only's temperature.

python -m study calibration --data … --weights …     # writes results/calibration.json
python -m study calibration --data … --run RUN       # adds a trained run

Two ways are compared on even years alone. One fits the temperature to the validation photos, as
every run does. The other fits it to years that the head didn't learn from. Each year of ``YEARS``
is left out in turn, and the way with the lower mean error on them is called chosen. Only then are
the odd years scored: both ways in one look. The goal counts the chosen one. The thresholds are at
the temperature from validation photos, which runs keep.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fashion_tl.config import Config
from fashion_tl.data.batches import Batches
from fashion_tl.data.dataset import Data, load_data
from fashion_tl.errors import DataError
from fashion_tl.network.calibration import PLAIN, fit_temperature, masked_logits
from fashion_tl.network.features import features_and_logits
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.model import available_weights
from fashion_tl.network.trained import load_network
from fashion_tl.recipes import make_config
from fashion_tl.reporting.calibration import (
    TARGETS,
    calibration_error,
    find_threshold,
    unattended,
)
from fashion_tl.reporting.evaluation import class_probabilities
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, machine, write_json
from study.heads import left_out, made_with, trained_head
from study.record import look, name_of, weights_or_run
from study.records import one_at_a_time, read_measured

# 2012 stays: two thirds of the photos of even years are of that year.
YEARS = (2010, 2014, 2016, 2018)
WAYS = ("validation", "years")  # what the temperature is fitted to
IMPOSSIBLE = -1e4  # the logit of a class without training photos


@dataclass(frozen=True)
class Answers:
    """Logits, float64 [n, classes], of photos, their labels, int64 [n], and whether these could be
    learned, bool [n].
    """

    logits: np.ndarray
    labels: np.ndarray
    learnable: np.ndarray

    @property
    def every_class(self) -> list[int]:
        """Instead of training photos: the logits themselves say what is impossible."""
        return [1] * self.logits.shape[1]

    def temperature(self) -> float:
        known = self.learnable
        return fit_temperature(self.logits[known], self.labels[known], self.every_class)

    def judged(self, temperature: float) -> pd.DataFrame:
        """``confidence, right, learnable`` of each photo at this temperature."""
        shares = class_probabilities(self.logits, self.every_class, temperature=temperature)
        right = shares.argmax(1) == self.labels
        return pd.DataFrame(
            {"confidence": shares.max(1), "right": right, "learnable": self.learnable}
        )

    def error(self, temperature: float) -> float | None:
        """The calibration error over the photos that could be learned."""
        return calibration_error(self.judged(temperature).query("learnable"))


def answers(logits: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> Answers:
    """Those of a network that learned from so many photos of each class, int64 [classes]."""
    masked = np.maximum(masked_logits(logits, counts.tolist()), IMPOSSIBLE)
    return Answers(masked, labels, counts[labels] > 0)


def pooled(parts: list[Answers]) -> Answers:
    columns = ("logits", "labels", "learnable")
    return Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def scored(
    weights: str, data: Data, config: Config, together: bool = False
) -> tuple[Answers, Answers]:
    """The answers of a new head, trained as the recipe says, for validation and test photos.

    ``together`` keeps the features of all parts in one file.
    """
    head, _, val, test = trained_head(weights, data, config, together)

    def of(samples: Batches) -> Answers:
        logits = forward(head, samples, config.precision, None, flip=config.flip_test)
        return answers(logits.numpy(), samples.labels.cpu().numpy(), data.task.fit_counts)

    return of(val), of(test)


def errors(own: Answers, temperatures: dict[str, float]) -> dict[str, Any]:
    """The number of learnable photos, and their error before and at each temperature."""
    after = {way: own.error(temperature) for way, temperature in temperatures.items()}
    return {"photos": int(own.learnable.sum()), "before": own.error(PLAIN), **after}


def labelled(val: Answers, test: Answers, temperature: float) -> list[dict[str, Any]]:
    """How many test photos could be labelled alone; the thresholds are chosen on validation
    photos.
    """
    chosen = val.judged(temperature).query("learnable")
    thresholds = {name: find_threshold(chosen, share) for name, share in TARGETS.items()}
    return unattended(test.judged(temperature), thresholds)


def years_to_leave_out(data: Data) -> list[int]:
    """Those of ``YEARS`` that the data have. DataError unless there are two, one of which says what
    to expect of the other.
    """
    there = set(data.catalogue.table["year"].to_numpy()[data.task.train_and_val])
    if len(found := [year for year in YEARS if year in there]) < 2:
        raise DataError(
            f"{data.root.path}: at least two of the years {', '.join(map(str, YEARS))} must have "
            "photos that train, since they are left out in turn; name other data"
        )
    return found


def compared(of_years: dict[int, tuple[Answers, Answers]]) -> list[dict[str, Any]]:
    """Both ways on each year. The temperature from years is fitted to the other years alone."""
    rows = []
    for year, (val, own) in of_years.items():
        others = pooled([test for other, (_, test) in of_years.items() if other != year])
        temperatures = {"validation": val.temperature(), "years": others.temperature()}
        rows.append({"year": year, "temperatures": temperatures, **errors(own, temperatures)})
    return rows


def of_run(folder: str, data_path: str, cache: str | None, results: Path) -> dict[str, Any]:
    """What a finished run's probabilities are worth, before and after its temperature."""
    run, data = open_steps(folder, data_path, cache)[-1]
    model = load_network(run).model.to(pick_device())
    val, odd = (
        answers(
            features_and_logits(model, data, run.config, part, part)[1],
            data.task.labels[getattr(data.task, part)],
            data.task.fit_counts,
        )
        for part in ("val", "test")
    )
    temperature = val.temperature()
    right = int(odd.judged(PLAIN)["right"].sum())
    temperatures = {"validation": temperature}
    found = {
        "weights": run.about["weights"]["name"],
        "config": run.config.to_dict(),
        "machine": machine(),
        "commit": commit(),
        "temperature": temperature,
        "validation": errors(val, temperatures),
        "odd_years": {"right": right, **errors(odd, temperatures)},
        "unattended": {
            "temperature": temperature,
            "before": labelled(val, odd, PLAIN),
            "after": labelled(val, odd, temperature),
        },
    }
    about = run.metrics | {"correct": right, "commit": commit()}
    look(name_of(run.folder), about, run.config, "calibration", results)
    return found


def of_fc_only(data_path: str, weights: str, cache: str | None, results: Path) -> dict[str, Any]:
    """Both ways on even years, and which of them is chosen; then both on the odd years."""
    config = make_config("fc_only")
    available_weights(weights, is_sample=False, backbone=config.backbone)
    data = load_data(data_path, config, cache)
    years = data.catalogue.table["year"].to_numpy()
    of_years = {
        year: scored(weights, left_out(data, years == year), config, together=True)
        for year in years_to_leave_out(data)
    }
    rows = compared(of_years)
    chosen = min(WAYS, key=lambda way: np.mean([row[way] for row in rows]))
    val, odd = scored(weights, data, config)
    every_year = pooled([test for _, test in of_years.values()])
    temperatures = {"validation": val.temperature(), "years": every_year.temperature()}
    right = int(odd.judged(PLAIN)["right"].sum())
    found = {
        **made_with(data, weights, config),
        "left_out": rows,
        "chosen": chosen,
        "temperatures": temperatures,
        "validation": errors(val, temperatures),
        "odd_years": {"right": right, **errors(odd, temperatures)},
        "unattended": {
            "temperature": temperatures["validation"],
            "before": labelled(val, odd, PLAIN),
            "after": labelled(val, odd, temperatures["validation"]),
        },
    }
    about = {"seed": config.seed, "epochs": config.epochs, "correct": right, "commit": commit()}
    look("fc_only_head", about, config, "calibration", results)
    return found


def main(
    data_path: str, weights: str | None, cache: str | None, results: Path, run: str | None = None
) -> None:
    """Measure FC only's head or, with a ``run``, that run, and write ``calibration.json``.

    ConfigError unless either weights or a run is given. DataError as from
    :func:`years_to_leave_out`. RunError if the run isn't finished, was extended, has a drawn split
    or was made on other data. WeightsError if the weights or the run's network can't be
    read. WriteError if ``calibration.json`` can't be written.
    """
    weights_or_run(weights, run)
    read_measured(results, "calibration")  # a damaged file is an error before the work
    if run:
        own = of_run(run, data_path, cache, results)
    else:
        assert weights, "or a run was given"
        own = of_fc_only(data_path, weights, cache, results)
    with one_at_a_time(results):
        found = read_measured(results, "calibration") or {"fc_only": None, "runs": {}}
        if run:
            found["runs"][name_of(run)] = own
        else:
            found["fc_only"] = own
        write_json(results / "calibration.json", found)
