"""Every figure of merit, checked by hand on eight test photos of five classes."""

import numpy as np
import pandas as pd
import pytest

from fashion_tl.errors import RunError
from fashion_tl.reporting.evaluation import (
    best_and_worst,
    class_probabilities,
    confused_pairs,
    largest_losses,
    metrics,
    per_class_table,
    prediction_table,
    top_classes,
)
from study.uncertainty import intervals, margin95, paired_difference

CLASSES = ("Shirts", "Tops", "Belts", "Ties", "Caps")
TRAIN = (100, 60, 10, 0, 5)  # Ties exist only in odd years, Caps only in even ones
COUNTS = pd.DataFrame({"label": CLASSES, "train": TRAIN})
TRUE = ["Shirts", "Shirts", "Shirts", "Shirts", "Tops", "Tops", "Belts", "Ties"]
GUESS = ["Shirts", "Shirts", "Shirts", "Tops", "Tops", "Shirts", "Belts", "Belts"]


@pytest.fixture
def predictions():
    logits = np.full((8, 5), -2.0)
    logits[:, 3] = 50.0  # the network may shout for Ties: it has no ground to
    for row, name in enumerate(GUESS):
        logits[row, CLASSES.index(name)] = 2.0
    photos = pd.DataFrame({"id": range(1, 9), "year": 2013, "label": TRUE})
    return prediction_table(photos, logits, CLASSES, TRAIN)


def test_without_a_test_photo_that_can_be_learned_means_over_these_are_none(predictions):
    ties = predictions[predictions["label"] == "Ties"]
    figures = metrics(ties, COUNTS)
    for name in ("top1_learnable", "top5_learnable", "macro", "few_shot"):
        assert figures[name] is None
    assert (figures["top1"], figures["ceiling"]) == (0, 0)
    assert set(intervals(ties, COUNTS, draws=10)) == {"top1", "top5"}


def test_a_class_without_training_photos_is_never_predicted():
    probabilities = class_probabilities(np.array([[0.0, 0.0, 0.0, 99.0, 0.0]]), TRAIN)
    assert probabilities[0, 3] == 0 and probabilities[0].sum() == pytest.approx(1)


def test_a_class_that_can_be_predicted_is_never_left_out_however_unlikely():
    top = top_classes(
        class_probabilities(np.array([[0.0, 5000.0, 0.0, 0.0, 0.0]]), [1] * 5), CLASSES
    ).iloc[0]
    assert top["top1"] == "Tops" and top["top5"] != ""


def test_the_most_likely_classes_come_first_and_missing_ones_are_empty():
    top = top_classes(np.array([[0.2, 0.7, 0.1, 0.0, 0.0]]), CLASSES).iloc[0]
    assert [top[f"top{k}"] for k in range(1, 6)] == ["Tops", "Shirts", "Belts", "", ""]
    assert top["p1"] == pytest.approx(0.7) and top["p5"] == 0


def test_fewer_than_five_classes_are_no_trouble():
    top = top_classes(np.array([[0.2, 0.8]]), ("Shirts", "Tops")).iloc[0]
    assert [top["top1"], top["top2"], top["top3"]] == ["Tops", "Shirts", ""]


def test_the_table_holds_one_row_per_photo_with_its_loss(predictions):
    assert predictions["top1"].tolist() == GUESS
    assert predictions["loss"][0] == pytest.approx(-np.log(predictions["p1"][0]))
    assert predictions["loss"].isna().tolist() == [False] * 7 + [True]  # Ties can't be predicted


def test_accuracies_stand_beside_their_ceiling(predictions):
    result = metrics(predictions, COUNTS)
    assert (result["correct"], result["n_test"]) == (5, 8)
    assert result["top1"] == 5 / 8 and result["ceiling"] == 7 / 8
    assert result["top1_learnable"] == pytest.approx(5 / 7)
    assert result["top5"] == 7 / 8 and result["top5_learnable"] == 1


def test_macro_accuracy_is_the_mean_over_classes_with_training_and_test_photos(predictions):
    result = metrics(predictions, COUNTS)
    assert result["macro_classes"] == 3
    assert result["macro"] == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)


def test_few_shot_is_macro_over_classes_with_50_training_photos_or_fewer(predictions):
    result = metrics(predictions, COUNTS)
    assert result["few_shot_classes"] == 1 and result["few_shot"] == 1.0
    assert metrics(predictions, COUNTS.assign(train=[100, 60, 51, 0, 5]))["few_shot"] is None


def test_per_class_counts_name_classes_without_test_and_without_training_photos(predictions):
    table = per_class_table(predictions, COUNTS).set_index("label")
    assert table.loc["Shirts", ["train", "test", "correct"]].tolist() == [100, 4, 3]
    assert table.loc["Ties", ["train", "test", "correct", "accuracy"]].tolist() == [0, 1, 0, 0.0]
    assert table.loc["Caps", "test"] == 0 and np.isnan(table.loc["Caps", "accuracy"])


def test_the_best_and_worst_classes_are_learnable_ones(predictions):
    best, worst = best_and_worst(per_class_table(predictions, COUNTS))
    assert best["label"].tolist() == ["Belts", "Shirts", "Tops"]
    assert worst["label"].tolist() == ["Tops", "Shirts", "Belts"]


def test_the_most_confused_pairs_are_counted(predictions):
    pairs = confused_pairs(predictions)
    assert len(pairs) == 3 and pairs["count"].tolist() == [1, 1, 1]
    shirts = pairs[pairs["true"] == "Shirts"].iloc[0]
    assert shirts["predicted"] == "Tops" and shirts["share"] == 1 / 4


def test_the_largest_losses_are_those_of_learnable_classes(predictions):
    worst = largest_losses(predictions, 2)
    assert set(worst["id"]) == {4, 6}


def test_intervals_lie_around_the_figures_and_narrow_with_more_photos(predictions):
    point, around = metrics(predictions, COUNTS), intervals(predictions, COUNTS)
    assert set(around) == {"top1", "top5", "top1_learnable", "top5_learnable", "macro", "few_shot"}
    for name, (low, high) in around.items():
        assert 0 <= low <= point[name] <= high <= 1, name
    assert around["few_shot"] == [1, 1]  # one class, whose only photo is right
    many = intervals(pd.concat([predictions] * 100), COUNTS)
    assert many["top1"][1] - many["top1"][0] == pytest.approx(
        (around["top1"][1] - around["top1"][0]) / 10, rel=0.25
    )
    # Of a share of 800 photos, as the normal distribution has it.
    width = 2 * 1.96 * np.sqrt(5 / 8 * 3 / 8 / 800)
    assert many["top1"][1] - many["top1"][0] == pytest.approx(width, rel=0.1)
    assert around == intervals(predictions, COUNTS)


def test_intervals_of_macro_keep_every_class_as_large_as_it_is(predictions):
    """Drawn from all photos alike, a class of one photo would be missing from a third of the
    draws."""
    sure = predictions.assign(top1=predictions["label"])
    assert intervals(sure, COUNTS)["macro"] == [1, 1]


def test_a_paired_difference_counts_what_one_alone_got_right(predictions):
    predictions = predictions.merge(COUNTS)
    better = predictions.assign(top1=["Shirts"] * 4 + ["Tops", "Tops", "Tops", "Belts"])
    result = paired_difference(predictions, better)
    assert (result["photos"], result["only_first"], result["only_second"]) == (8, 1, 2)
    assert result["top1"]["difference"] == 1 / 8
    # Shirts, Tops, Belts.
    assert result["macro"]["difference"] == pytest.approx((1 / 4 + 1 / 2 - 1) / 3)
    # Belts alone, of one photo.
    assert result["few_shot"] == {
        "difference": -1,
        "interval": [-1, -1],
    }
    for figure in ("top1", "macro"):
        low, high = result[figure]["interval"]
        assert low < result[figure]["difference"] < high
    same = paired_difference(predictions, predictions)
    assert [same[figure]["interval"] for figure in ("top1", "macro", "few_shot")] == [[0, 0]] * 3
    assert paired_difference(predictions, better.tail(2))["photos"] == 2  # those that are in both


def test_the_margin_of_one_share_and_of_a_mean_of_shares():
    assert margin95(40, 100) == pytest.approx(1.96 * np.sqrt(0.4 * 0.6 / 100))
    assert margin95(np.array([40, 40]), np.array([100, 100])) == pytest.approx(
        margin95(40, 100) / np.sqrt(2)
    )


def test_tables_without_a_common_photo_are_not_compared(predictions):
    with pytest.raises(ValueError, match="no photo in common"):
        paired_difference(
            predictions.merge(COUNTS), predictions.merge(COUNTS).assign(id=predictions["id"] + 100)
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_an_error_that_names_the_run(value):
    logits = np.zeros((2, 5), np.float32)
    logits[1, next(place for place, count in enumerate(TRAIN) if count)] = value
    with pytest.raises(
        RunError, match=r"runs/mine: the network's answers are not finite numbers.*lower lr"
    ):
        class_probabilities(logits, TRAIN, "runs/mine")
