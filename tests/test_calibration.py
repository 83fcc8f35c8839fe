"""Probabilities that hold true: a temperature, how it is fitted, and what answers are worth."""

import numpy as np
import pandas as pd
import pytest

from fashion_tl.errors import RunError
from fashion_tl.network.calibration import PLAIN, fit_temperature
from fashion_tl.reporting.calibration import (
    accuracy_by_coverage,
    answered,
    calibration_error,
    coverage_curve,
    find_threshold,
    judged,
    reliability,
)
from fashion_tl.reporting.evaluation import (
    answer_table,
    chosen_on_validation,
    class_probabilities,
    metrics,
    prediction_table,
)

CLASSES = ("Shirts", "Tops", "Belts", "Ties", "Caps", "Socks")
SEEN = [9] * 6
HALF_UNSEEN = [9, 9, 9, 0, 9, 0]


def honest(n: int = 4000, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn by the very probabilities that they give."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, classes))
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(1)


def table_of(*rows: tuple[float, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["confidence", "right"])


@pytest.mark.parametrize("scale", [0.2, 1, 7])
def test_logits_that_are_too_large_or_too_small_are_divided_by_what_they_were_multiplied_by(scale):
    logits, labels = honest()
    assert fit_temperature(scale * logits, labels, SEEN) == pytest.approx(scale, rel=0.05)


def test_it_lowers_the_loss_and_the_calibration_error_and_leaves_every_answer():
    logits, labels = honest()
    logits = 0.3 * logits
    names = np.array(CLASSES)[labels]
    photos = pd.DataFrame({"id": range(len(labels)), "year": 2010, "label": names})
    counts = pd.DataFrame({"label": CLASSES, "train": SEEN})
    temperature = fit_temperature(logits, labels, SEEN)
    before, after = (
        prediction_table(photos, logits, CLASSES, SEEN, temperature=each)
        for each in (PLAIN, temperature)
    )
    assert before.filter(like="top").equals(after.filter(like="top"))
    old, new = metrics(before, counts), metrics(after, counts)
    assert new["nll"] < old["nll"] and new["ece"] < 0.03 < 0.2 < old["ece"]
    assert {key: old[key] for key in old if key not in ("ece", "nll")} == {
        key: new[key] for key in new if key not in ("ece", "nll")
    }


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1, 1e3])
def test_the_order_of_answers_is_that_of_the_logits_at_any_temperature(temperature):
    logits = np.array([[3.0, 900.0, 1.0, 5000.0, 2.0, 4.0]])
    row = answer_table(logits, CLASSES, HALF_UNSEEN, temperature=temperature).iloc[0]
    assert [row[f"top{k}"] for k in range(1, 6)] == ["Tops", "Shirts", "Caps", "Belts", ""]
    assert row["p1"] >= row["p2"] >= row["p3"] >= row["p4"] > row["p5"] == 0


def test_probabilities_at_a_temperature_are_the_softmax_of_the_divided_logits():
    logits, _ = honest(3)
    assert class_probabilities(logits, SEEN, temperature=2.5) == pytest.approx(
        class_probabilities(logits / 2.5, SEEN)
    )


def test_classes_without_training_photos_have_no_say_in_it():
    logits, labels = honest()
    wild = logits.copy()
    wild[:, [3, 5]] = np.nan
    known = np.isin(labels, [0, 1, 2, 4])
    assert fit_temperature(wild, labels, HALF_UNSEEN) == pytest.approx(
        fit_temperature(
            logits[known][:, [0, 1, 2, 4]], labels[known] - (labels[known] == 4), [9] * 4
        )
    )


def test_a_few_photos_that_are_all_right_make_no_answer_certain():
    logits = np.eye(6)[:5] * 3
    temperature = fit_temperature(logits, np.arange(5), SEEN)
    assert 0.2 < temperature < 1
    assert class_probabilities(logits, SEEN, temperature=temperature).max() < 0.9999


def test_without_a_photo_to_fit_it_to_nothing_changes():
    logits, _ = honest(2)
    assert fit_temperature(logits[:0], np.zeros(0, int), SEEN) == PLAIN
    assert fit_temperature(logits, np.array([3, 5]), HALF_UNSEEN) == PLAIN


def test_a_table_of_no_photos_is_empty_and_chooses_nothing():
    photos = pd.DataFrame({"id": [], "year": [], "label": []})
    table = prediction_table(photos, np.zeros((0, 6), np.float32), CLASSES, SEEN)
    counts = pd.DataFrame({"label": CLASSES, "train": SEEN})
    chosen = chosen_on_validation(table, counts, PLAIN)
    assert (len(table), chosen.pop("temperature")) == (0, 1)
    assert set(chosen.values()) == {None}


def test_logits_that_are_no_numbers_are_an_error_that_names_the_run():
    with pytest.raises(RunError, match="runs/mine: the network's answers are not finite numbers"):
        fit_temperature(np.full((2, 6), np.nan), np.array([0, 1]), SEEN, "runs/mine")


def test_the_calibration_error_by_hand():
    """Two photos in the bin up to 2/3, three in the last."""
    table = table_of((0.62, True), (0.64, False), (0.95, True), (0.97, True), (0.99, False))
    gaps = abs(1 / 2 - 0.63), abs(2 / 3 - 0.97)
    assert calibration_error(table) == pytest.approx((2 * gaps[0] + 3 * gaps[1]) / 5)
    assert calibration_error(table.head(0)) is None
    bins = reliability(table)
    assert len(bins) == 15 and bins["photos"].tolist() == [0] * 9 + [2, 0, 0, 0, 0, 3]
    assert bins["accuracy"][[9, 14]].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert bins["accuracy"][0] != bins["accuracy"][0]  # no photo, no accuracy


def test_a_probability_on_an_edge_is_in_the_lower_bin_and_certainty_in_the_last():
    bins = reliability(table_of((0.2, True), (0.2000001, True), (1.0, True)))
    assert bins["photos"][[2, 3, 14]].tolist() == [1, 1, 1]


def test_only_learnable_photos_count_in_ece_and_nll():
    counts = pd.DataFrame({"label": ["Shirts", "Ties"], "train": [9, 0]})
    rows = [("Shirts", "Shirts", 0.9, 0.1), ("Ties", "Shirts", 0.9, np.nan)]
    table = pd.DataFrame(rows, columns=["label", "top1", "p1", "loss"]).assign(
        top2="", top3="", top4="", top5=""
    )
    figures = metrics(table, counts)
    assert (figures["ece"], figures["nll"]) == (pytest.approx(0.1), 0.1)
    assert metrics(table.drop(columns="loss"), counts)["nll"] is None
    nothing = metrics(table.tail(1), counts)
    assert nothing["ece"] is nothing["nll"] is None


def test_accuracy_by_coverage_counts_from_the_surest_answer_down_and_equals_together():
    table = table_of((0.5, False), (0.9, True), (0.9, False), (0.99, True))
    curve = accuracy_by_coverage(table)
    assert curve["threshold"].tolist() == [0.99, 0.9, 0.5]
    assert curve["coverage"].tolist() == [1 / 4, 3 / 4, 1]
    assert curve["accuracy"].tolist() == pytest.approx([1, 2 / 3, 2 / 4])


def test_the_curve_of_a_chart_is_short_and_leaves_out_the_few_surest_answers():
    n = 5000
    sure = pd.DataFrame({"confidence": np.linspace(0.1, 1, n), "right": True})
    sure.loc[n - 1, "right"] = False  # the surest answer of all is wrong
    curve = coverage_curve(sure)
    assert len(curve) <= 200 and curve["accuracy"].min() > 0.97
    assert curve["coverage"].iloc[[0, -1]].tolist() == pytest.approx([0.01, 1])
    assert coverage_curve(sure.head(0)).empty and len(coverage_curve(sure.head(3))) == 3


def test_a_threshold_is_the_lowest_that_reaches_the_accuracy():
    table = table_of((0.9, True), (0.8, False), (0.7, True), (0.6, True), (0.5, False))
    assert find_threshold(table, 0.75) == 0.6  # three of four right, though two of three above it
    assert answered(table, 0.6) == {"photos": 4, "coverage": 0.8, "accuracy": 0.75}
    assert find_threshold(table, 0.8) == 0.9 and find_threshold(table.tail(1), 0.5) is None
    assert find_threshold(table.head(0), 0.95) is None
    assert answered(table, None) == {"photos": 0, "coverage": 0.0, "accuracy": None}
    assert answered(table.head(0), 0.5)["coverage"] == 0


def test_what_validation_photos_choose_leaves_out_those_that_could_not_be_learned():
    counts = pd.DataFrame({"label": ["Shirts", "Ties"], "train": [9, 0]})
    sure = pd.DataFrame({"label": ["Shirts", "Ties"], "top1": "Shirts", "p1": [0.8, 0.9]})
    chosen = chosen_on_validation(sure, counts, 0.5)
    assert chosen == {
        "temperature": 0.5,
        "val_ece": pytest.approx(0.2),
        "threshold95": 0.8,
        "threshold98": 0.8,
    }
    assert set(chosen_on_validation(sure.tail(1), counts, 0.5).values()) == {0.5, None}
    assert judged(sure, counts)["learnable"].tolist() == [True, False]
