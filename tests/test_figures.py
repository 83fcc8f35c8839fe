"""What a reader of the figures sees: the rows, marks, colours and words in them."""

import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import cbook
from nbclient import NotebookClient

from fashion_tl.errors import WriteError
from fashion_tl.reporting import calibration_figures, figures, photo_figures
from fashion_tl.reporting.text import shorten
from tests.made_runs import history

SOURCE = "built-in sample, 12 photos · ResNet-50 from weights.safetensors"
NAMES = ["Shirts", "Perfume and Body Mist", "Heels"]
COUNTS = pd.DataFrame({"label": NAMES, "train": [900, 7, 0], "test": [400, 0, 3]})
PHOTOS = np.random.default_rng(0).integers(0, 256, (3, 80, 60, 3), dtype=np.uint8)
PREDICTIONS = pd.DataFrame(
    {
        "label": NAMES,
        "top1": ["Shirts", "Heels", "Heels"],
        "p1": [0.9, 0.61, 0.4],
        "loss": [0.1, 4.2, 0.9],
    }
)
PER_CLASS = COUNTS.assign(correct=[300, 0, 0], accuracy=[0.75, np.nan, 0.0])
JUDGED = pd.DataFrame(
    {
        "confidence": [0.95, 0.9, 0.8, 0.62, 0.61],
        "right": [True, True, False, True, False],
        "learnable": [True, True, True, True, False],
    }
)
PAIRS = pd.DataFrame(
    {
        "true": ["Heels", "Shirts"],
        "predicted": ["Flats", "Tops"],
        "count": [3, 9],
        "share": [0.5, 0.1],
    }
)


def classes(n: int) -> pd.DataFrame:
    """A long tail: the last class has no training photo, the one before it no test photo."""
    train = [*(4000 // (place + 1) for place in range(n - 1)), 0]
    test = [*(2000 // (place + 2) + 1 for place in range(n - 2)), 0, 1]
    return pd.DataFrame(
        {"label": [f"Class number {i}" for i in range(n)], "train": train, "test": test}
    )


DRAWN = {
    "class_distribution": lambda: figures.class_distribution(COUNTS, SOURCE),
    "class_weights_chart": lambda: figures.class_weights_chart(
        NAMES, [900, 7, 0], [0.9, 7.5, 0], "$w_c = 1$", SOURCE
    ),
    "photo_grid": lambda: photo_figures.photo_grid(PHOTOS, NAMES, "Photos", SOURCE),
    "loss_curves": lambda: figures.loss_curves(history(), "Loss", SOURCE),
    "sample_predictions": lambda: photo_figures.sample_predictions(
        PHOTOS, PREDICTIONS, "Some", SOURCE
    ),
    "largest_losses": lambda: photo_figures.largest_losses(PHOTOS, PREDICTIONS, "Worst", SOURCE),
    "largest_losses, none": lambda: photo_figures.largest_losses(
        PHOTOS[:0], PREDICTIONS.head(0), "Worst", SOURCE
    ),
    "per_class_accuracy": lambda: figures.per_class_accuracy(PER_CLASS, "Accuracy", SOURCE),
    "calibration": lambda: calibration_figures.calibration(JUDGED, "How sure", SOURCE),
    "calibration, nothing learnable": lambda: calibration_figures.calibration(
        JUDGED.assign(learnable=False), "How sure", SOURCE
    ),
    "confused_pairs": lambda: figures.confused_pairs(PAIRS, "Mistakes", SOURCE),
    "confused_pairs, none": lambda: figures.confused_pairs(PAIRS.head(0), "Mistakes", SOURCE),
}


def words(figure) -> str:
    """Everything written in the figure, outside of its axes and in them, on one line."""
    texts = [*figure.texts, *(text for ax in figure.axes for text in ax.texts)]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    return " ".join(text.get_text().replace("\n", " ") for text in texts)


def row_names(figure) -> list[str]:
    return [label.get_text() for ax in figure.axes for label in ax.get_yticklabels()]


def points(figure, marker: str) -> list[tuple[float, float]]:
    lines = [line for ax in figure.axes for line in ax.lines if line.get_marker() == marker]
    return [(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)]


@pytest.mark.parametrize("name", DRAWN)
def test_source_stands_at_the_bottom_and_nothing_is_outside_the_figure(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that the font lacks, a layout that does not fit
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib 3.10's own, of pyparsing
        figure = DRAWN[name]()
        figure.draw_without_rendering()
    assert SOURCE in words(figure)
    source = next(text for text in figure.texts if text.get_text() == SOURCE).get_window_extent()
    below = [ax.get_tightbbox().y0 for ax in figure.axes] or [figure.bbox.y1]
    assert 0 < source.y0 < source.y1 < min(below)
    drawn = figure.get_tightbbox()
    assert (
        drawn.x0 >= 0 and drawn.x1 <= figure.get_figwidth() and drawn.y1 <= figure.get_figheight()
    )


def test_dollars_in_a_class_name_are_dollars_and_no_formula():
    figure = figures.class_distribution(
        COUNTS.assign(label=[r"a$\foo$b", "US$5 to US$10", "Heels"]), SOURCE
    )
    figure.draw_without_rendering()  # would raise for a formula that can't be parsed
    labels = [label for ax in figure.axes for label in ax.get_yticklabels()]
    assert [label.get_text().replace(r"\$", "$") for label in labels] == [
        r"a$\foo$b",
        "US$5 to US$10",
        "Heels",
    ]
    assert not any(cbook.is_math_text(label.get_text()) for label in labels)


LONG = {
    "category paths": [
        f"Clothing, Shoes & Jewelry > Women > Clothing > {end}"
        for end in ("Dresses", "Tops", "Skirts")
    ],
    "one long among short ones": ["Shirts", "x" * 200, "Tops"],
    "200 that differ at the end": [f"{'Donaudampfschiff' * 12}{n:04}" for n in range(200)],
    "200 that differ in the middle": [f"Women > {'a' * 90}{n:04}{'b' * 90}" for n in range(200)],
    "wide letters": [f"{'W' * 199}{letter}" for letter in "ABCDE"],
    "with dollar signs": [f"{'US$5 to $10 ' * 16}{letter}" for letter in "ABCDE"],
    "told apart by their length alone": ["W" * n for n in range(100, 140)],
}


def holds_all_its_words(figure):
    """Whether no word of it reaches beyond its sides, and it is no larger than a screen."""
    whole = figure.get_tightbbox()
    inside = whole.x0 >= 0 and whole.x1 <= figure.get_figwidth()
    return inside and max(figure.get_size_inches()) <= 15


@pytest.mark.parametrize("names", LONG.values(), ids=LONG)
def test_long_names_are_shortened_told_apart_and_leave_half_of_each_panel_to_the_marks(names):
    table = pd.DataFrame({"label": names, "train": 900, "test": 10})
    pairs = pd.DataFrame(
        {"true": names[:12], "predicted": names[-12:][::-1], "count": 3, "share": 0.5}
    )
    drawn = [
        figures.class_distribution(table, SOURCE),
        figures.confused_pairs(pairs, "Mistakes", SOURCE),
    ]
    for figure, rows in zip(drawn, (len(names), min(12, len(names))), strict=True):
        assert len(set(row_names(figure))) == len(row_names(figure)) == rows
        assert holds_all_its_words(figure)
        for ax in figure.axes:
            labels = max(label.get_window_extent().width for label in ax.get_yticklabels())
            assert labels <= 0.45 * figure.bbox.width / len(figure.axes)
            assert ax.get_window_extent().width > 0.3 * figure.bbox.width / len(figure.axes)


@pytest.mark.parametrize("names", LONG.values(), ids=LONG)
def test_long_names_under_photos_are_shortened_and_stay_under_their_own_photo(names):
    shown = [*names, *names][:24]
    photos = np.repeat(PHOTOS[:1], len(shown), axis=0)
    grid = photo_figures.photo_grid(photos, shown, "Photos", SOURCE)
    assert len({ax.texts[0].get_text() for ax in grid.axes}) == len(set(shown))
    table = pd.DataFrame({"label": shown, "top1": shown[::-1], "p1": 0.5, "loss": 4.2})
    for figure in (grid, photo_figures.largest_losses(photos, table, "Worst", SOURCE)):
        words = [[text.get_window_extent() for text in ax.texts] for ax in figure.axes]
        assert not any(a.overlaps(b) for one, two in pairwise(words) for a in one for b in two)
        assert holds_all_its_words(figure)


def test_a_shortened_name_keeps_its_beginning_and_what_tells_it_from_the_others():
    path = "Clothing, Shoes & Jewelry > Women > Clothing > "
    names = [
        "Shirts",
        f"{path}Dresses > Casual",
        f"{path}Tops > Casual",
        f"{path}Dresses, long {'and longer ' * 9}",
    ]
    assert shorten(names, len, 30) == {
        "Shirts": "Shirts",
        names[1]: "Clothing,…g > Dresses > Casual",
        names[2]: "Clothing,…hing > Tops > Casual",
        names[3]: "Clothing,…sses, long and long…",
    }


def test_names_that_no_shortening_tells_apart_are_numbered():
    short = shorten(["a" * n for n in range(40, 50)] + ["aaa…aaaaaa"], len, 10)
    assert len(set(short.values())) == 11 and max(map(len, short.values())) == 10
    assert short["aaa…aaaaaa"] == "aaa…aaaaaa" and short["a" * 40] == "a…aaaa (2)"


def test_a_long_name_of_the_data_is_wrapped_also_in_wide_letters():
    for name in ("W" * 200, "DATA " * 40):
        figure = photo_figures.photo_grid(PHOTOS, NAMES, "Photos", f"Data: {name}, 12 photos")
        whole = figure.get_tightbbox()
        assert whole.x0 >= 0 and whole.x1 <= figure.get_figwidth()


def test_an_arrow_points_from_the_true_class_also_between_names_written_from_right_to_left():
    pairs = PAIRS.assign(true=["حقيبة", "Shirts"], predicted=["שמלה", "حقيبة"])
    mark = "\N{LEFT-TO-RIGHT MARK}"  # without them, names and arrow would stand in the other order
    assert row_names(figures.confused_pairs(pairs, "Mistakes", SOURCE)) == [
        f"{mark}Shirts{mark} → {mark}حقيبة",
        f"{mark}حقيبة{mark} → {mark}שמלה",
    ]
    assert (
        row_names(figures.class_distribution(COUNTS.assign(label=["حقيبة", "שמלה", "a"]), SOURCE))[
            0
        ]
        == "حقيبة"
    )


@pytest.mark.parametrize("n", [6, 60, 142])
def test_every_class_has_its_row_and_rows_do_not_overlap(n):
    table = classes(n)
    accuracy = table.assign(
        correct=table["test"] // 2, accuracy=(table["test"] // 2) / table["test"].replace(0, np.nan)
    )
    weights = np.where(table["train"] > 0, 50 / (table["train"] + 1), 0)
    drawn = [
        figures.class_distribution(table, SOURCE),
        figures.class_weights_chart(
            list(table["label"]), table["train"].to_numpy(), weights, "$w$", SOURCE
        ),
        figures.per_class_accuracy(accuracy, "Accuracy", SOURCE),
    ]
    for figure in drawn:
        panels = [ax.get_yticklabels() for ax in figure.axes]
        assert sorted(label.get_text() for labels in panels for label in labels) == sorted(
            table["label"]
        )
        for labels in panels:
            boxes = [label.get_window_extent() for label in labels]
            assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))
        assert max(figure.get_size_inches()) <= 13.1


def test_long_source_and_title_are_wrapped():
    figure = photo_figures.photo_grid(
        PHOTOS, NAMES, "A title of many words " * 9, "a source of many words " * 20
    )
    drawn = figure.get_tightbbox()
    assert (
        drawn.x1 <= figure.get_figwidth() and drawn.y0 >= 0 and drawn.y1 <= figure.get_figheight()
    )


def test_distribution_marks_classes_without_training_or_test_photo():
    figure = figures.class_distribution(COUNTS, SOURCE)
    assert row_names(figure) == NAMES
    assert points(figure, "x") == [(0, 2)]  # Heels have no training photo
    assert points(figure, "+") == [(0, 1)]  # Perfume and Body Mist has no test photo
    assert points(figure, "o") == [(900, 0), (7, 1), (400, 0), (3, 2)]
    assert "900 | 400" in words(figure) and "cannot be learned" in words(figure)


def test_distribution_of_the_largest_classes():
    figure = figures.class_distribution(COUNTS, SOURCE, top=2)
    assert row_names(figure) == NAMES[:2]
    assert "the 2 largest of 3 classes" in words(figure)
    assert "cannot be learned" not in words(figure)  # both were: no entry in the legend


def test_weights_are_sorted_by_photos_and_weight_zero_is_marked():
    formula = r"$w_c = \sqrt{N / n_c}$, normalised to a mean of 1 over the training photos"
    figure = figures.class_weights_chart(
        ["A", "B", "C"], np.array([0, 5, 500]), np.array([0, 8.0, 0.9]), formula, SOURCE
    )
    assert row_names(figure) == ["C", "B", "A"]
    assert points(figure, "o") == [(0.9, 0), (8.0, 1)]
    assert [row for _, row in points(figure, "x")] == [2]
    assert r"$w_c = \sqrt{N / n_c}$" in words(figure)


@pytest.mark.parametrize("shape", [(2048, 8), (8, 2048), (500, 1)])
def test_photos_of_any_shape_make_a_figure_of_bounded_size(shape):
    photos = np.zeros((18, *shape, 3), np.uint8)
    figure = photo_figures.photo_grid(photos, ["Shirts"] * 18, "Photos", SOURCE)
    assert max(figure.get_size_inches()) < 16
    assert all(min(ax.get_window_extent().size) > 30 for ax in figure.axes)


def test_photos_up_to_three_times_as_high_as_wide_keep_their_shape():
    for shape in ((90, 30), (30, 90), (80, 60)):
        (ax,) = photo_figures.photo_grid(
            np.zeros((1, *shape, 3), np.uint8), ["Shirts"], "Photos", SOURCE
        ).axes
        box = ax.get_window_extent()
        assert box.height / box.width == pytest.approx(shape[0] / shape[1])


@pytest.mark.parametrize("n", [1, 6, 7, 24])
def test_photo_grid_shows_each_photo_over_its_label(n):
    labels = ["Perfume and Body Mist"] * n
    figure = photo_figures.photo_grid(np.repeat(PHOTOS[:1], n, axis=0), labels, "Photos", SOURCE)
    assert [" ".join(ax.texts[0].get_text().split()) for ax in figure.axes] == labels
    for ax in figure.axes:
        assert np.array_equal(ax.images[0].get_array(), PHOTOS[0])
        box = ax.get_window_extent()
        assert box.height / box.width == pytest.approx(80 / 60)  # not stretched
    boxes = [ax.texts[0].get_window_extent() for ax in figure.axes]
    # Each only with itself.
    assert sum(one.overlaps(other) for one in boxes for other in boxes) == n


def test_predictions_are_told_apart_by_mark_and_colour():
    figure = photo_figures.sample_predictions(PHOTOS, PREDICTIONS, "Some", SOURCE)
    right, wrong, _ = figure.axes
    assert [text.get_text() for text in right.texts] == ["✓ Shirts 90%"]
    assert (
        " ".join(text.get_text() for text in wrong.texts).replace("\n", " ")
        == "✗ Heels 61% is Perfume and Body Mist"
    )
    assert (right.texts[0].get_color(), wrong.texts[0].get_color()) == ("#009E73", "#D55E00")
    assert right.spines["left"].get_edgecolor() != wrong.spines["left"].get_edgecolor()
    assert "2 of 3 right" in words(figure)


def test_largest_losses_show_loss_prediction_and_truth():
    figure = photo_figures.largest_losses(PHOTOS, PREDICTIONS, "Worst", SOURCE)
    shown = " ".join(text.get_text() for text in figure.axes[1].texts).replace("\n", " ")
    assert shown == "loss 4.20 ✗ Heels 61% is Perfume and Body Mist"
    assert "All are right" not in words(figure)


def test_a_class_written_from_right_to_left_changes_no_order_under_a_photo():
    arabic = PREDICTIONS.assign(label="حقيبة", top1="שמלה")
    figure = photo_figures.sample_predictions(PHOTOS, arabic, "Samples", SOURCE)
    shown = [text.get_text().replace("\n", " ") for text in figure.axes[1].texts]
    mark = "\N{LEFT-TO-RIGHT MARK}"
    assert shown == [f"{mark}✗{mark} {mark}שמלה{mark} {mark}61%", f"{mark}is{mark} {mark}حقيبة"]


def test_each_line_of_a_long_name_written_from_right_to_left_begins_on_the_left():
    names = PREDICTIONS.assign(label="حقيبة", top1="שמלה ארוכה 12 (כחולה)")
    figure = photo_figures.sample_predictions(PHOTOS, names, "Samples", SOURCE)
    lines = figure.axes[0].texts[0].get_text().split("\n")
    assert len(lines) > 1 and all(line.startswith("\N{LEFT-TO-RIGHT MARK}") for line in lines)


def test_if_all_are_right_the_largest_losses_say_so_and_none_is_below_zero():
    right = PREDICTIONS.assign(top1=PREDICTIONS["label"], loss=-1e-9)
    figure = photo_figures.largest_losses(PHOTOS, right, "Worst", SOURCE)
    shown = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "All are right." in words(figure)
    assert "loss 0.00" in shown and "-0.00" not in shown


def test_loss_curves_mark_the_epoch_whose_weights_were_kept():
    figure = figures.loss_curves(history(), "Loss", SOURCE)
    loss, accuracy = figure.axes
    assert (loss.get_title("left"), accuracy.get_title("left")) == ("Loss", "Accuracy")
    assert points(figure, "*") == [(3, pytest.approx(2.5 / 3)), (3, pytest.approx(80))]
    assert "Kept: epoch 3 of 4" in words(figure)
    assert [line.get_label() for line in loss.lines if not line.get_label().startswith("_")] == [
        "training",
        "validation",
        "validation, unweighted",
    ]


def test_loss_curves_draw_the_unweighted_loss_only_where_it_is_another():
    table = history().assign(val_cross_entropy=lambda t: t["val_loss"])
    assert "unweighted" not in words(figures.loss_curves(table, "Loss", SOURCE))


def test_loss_curves_of_one_epoch_and_without_validation():
    figure = figures.loss_curves(history(epochs=1, best=1), "Loss", SOURCE)
    assert [tick for tick in figure.axes[0].get_xticks() if 0.5 < tick < 1.5] == [1]
    figure = figures.loss_curves(history(val=False), "Loss", SOURCE)
    assert "validation" not in words(figure)
    assert points(figure, "*") == [
        (3, pytest.approx(2 / 3)),
        (3, pytest.approx(100 * (1 - 0.5 / 3))),
    ]


def test_accuracy_tells_learnable_few_shot_unlearned_and_unmeasured_classes_apart():
    names = ["Many", "Few", "Best", "Unlearned", "Unmeasured", "Neither"]
    table = pd.DataFrame(
        {"label": names, "train": [51, 50, 99, 0, 8, 0], "test": [4, 10, 2, 3, 0, 0]}
    )
    table = table.assign(correct=[2, 1, 2, 0, 0, 0], accuracy=[0.5, 0.1, 1, 0, np.nan, np.nan])
    figure = figures.per_class_accuracy(table, "Accuracy", SOURCE)
    assert row_names(figure) == ["Best", "Many", "Few", "Unlearned", "Unmeasured", "Neither"]
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [1, 0.5, 0.1]
    assert [bool(bar.get_hatch()) for bar in bars] == [False, False, True]
    assert [row for _, row in points(figure, "x")] == [3, 5]
    assert [row for _, row in points(figure, "+")] == [4, 5]
    assert "2/4" in words(
        figure
    ) and "Mean of the 3 classes with training and test photos: 53.3%" in words(figure)


def test_confused_pairs_are_sorted_with_count_and_share():
    figure = figures.confused_pairs(PAIRS, "Mistakes", SOURCE)
    assert row_names(figure) == ["Shirts → Tops", "Heels → Flats"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [9, 3]
    assert "9 (10%)" in words(figure)


def test_nothing_to_show_is_said_in_words():
    assert "No photo was taken for one of another class" in words(DRAWN["confused_pairs, none"]())
    assert "No test photo is of a class that can be learned" in words(
        DRAWN["largest_losses, none"]()
    )
    unlearned = figures.per_class_accuracy(PER_CLASS.assign(train=0), "Accuracy", SOURCE)
    assert "Mean of the 0 classes with training and test photos: –." in words(unlearned)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: figures.class_distribution(COUNTS.drop(columns="test"), SOURCE),
            "counts lacks the column test",
        ),
        (lambda: figures.class_distribution(COUNTS.head(0), SOURCE), "counts has no rows"),
        (lambda: figures.class_distribution(COUNTS, SOURCE, top=0), "top is 0"),
        (
            lambda: figures.class_weights_chart(NAMES, [1, 2], [1, 1], "", SOURCE),
            "3 classes, 2 counts",
        ),
        (lambda: figures.class_weights_chart([], [], [], "", SOURCE), "0 classes"),
        (
            lambda: photo_figures.photo_grid(PHOTOS, NAMES[:2], "", SOURCE),
            "3 photos and 2 captions",
        ),
        (lambda: photo_figures.photo_grid(PHOTOS[:0], [], "", SOURCE), "0 photos"),
        (
            lambda: photo_figures.photo_grid(np.repeat(PHOTOS, 9, axis=0), ["a"] * 27, "", SOURCE),
            "1 to 24",
        ),
        (lambda: photo_figures.photo_grid(PHOTOS / 255, NAMES, "", SOURCE), "uint8"),
        (
            lambda: photo_figures.sample_predictions(PHOTOS, PREDICTIONS.head(2), "", SOURCE),
            "3 photos and 2 captions",
        ),
        (
            lambda: photo_figures.largest_losses(
                PHOTOS, PREDICTIONS.drop(columns="loss"), "", SOURCE
            ),
            "lacks the column loss",
        ),
        (lambda: figures.loss_curves(history(best=9), "", SOURCE), "one best epoch, not 0"),
        (lambda: figures.per_class_accuracy(COUNTS, "", SOURCE), "correct, accuracy"),
        (
            lambda: figures.confused_pairs(PAIRS.drop(columns="share"), "", SOURCE),
            "pairs lacks the column share",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_save_writes_equal_bytes_for_equal_figures(tmp_path):
    first = figures.save(DRAWN["class_distribution"](), tmp_path / "new" / "folder" / "a.png")
    figure = DRAWN["class_distribution"]()
    again = [figures.save(figure, str(tmp_path / "b.png")).read_bytes() for _ in range(2)]
    assert first.read_bytes().startswith(b"\x89PNG") and {first.read_bytes()} == set(again)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "new"]


def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = DRAWN["photo_grid"]()

    def fail_half_way(path, content):
        path.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail_half_way)
    with pytest.raises(WriteError, match="No space"):
        figures.save(figure, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_figure_that_was_changed_is_drawn_again(tmp_path):
    figure = DRAWN["loss_curves"]()
    before = figures.save(figure, tmp_path / "a.png").read_bytes()
    assert figure._repr_png_() == before
    assert figure._repr_png_() is figure._repr_png_()  # nothing has changed
    figure.axes[0].set_title("Mine")
    figure.draw_without_rendering()  # as a layout does
    assert figure._repr_png_() != before


def test_user_settings_neither_change_a_figure_nor_are_changed(tmp_path):
    import matplotlib

    plain = figures.save(DRAWN["loss_curves"](), tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        before = dict(matplotlib.rcParams)
        assert figures.save(DRAWN["loss_curves"](), tmp_path / "b.png").read_bytes() == plain
        assert dict(matplotlib.rcParams) == before


def test_import_needs_no_pyplot_and_no_torch():
    code = "import sys, fashion_tl.reporting.figures; "
    code += "print({'matplotlib.pyplot', 'torch'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        == "set()\n"
    )


@pytest.mark.parametrize(
    "first", ["", "import matplotlib.pyplot as plt\n"], ids=["alone", "with pyplot"]
)
def test_a_notebook_shows_a_returned_figure_once(first, monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    code = first + (
        "import numpy as np\nfrom fashion_tl.reporting import photo_figures\n"
        "photo = np.zeros((1, 8, 6, 3), 'uint8')\n"
        "photo_figures.photo_grid(photo, ['Shirts'], 'One photo', 'made up')"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=60).execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["execute_result"]
    assert "image/png" in outputs[0].data


def test_the_chart_of_sureness_states_its_error_and_how_many_photos_could_be_answered():
    said = words(DRAWN["calibration"]())
    # Each of the four photos is alone in its bin.
    error = (0.05 + 0.1 + 0.8 + 0.38) / 4
    assert f"calibration error {error:.3f}" in said
    assert "50% of them with 95% right, 50% of them with 98% right" in said
    reliability, coverage = DRAWN["calibration"]().axes
    diagonal, dots = reliability.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert dots.get_xydata() == pytest.approx(np.array([[0.62, 1], [0.8, 0], [0.9, 1], [0.95, 1]]))
    every, learnable, *targets = coverage.lines
    assert every.get_xydata()[-1] == pytest.approx([1, 3 / 5])
    assert learnable.get_xydata()[-1] == pytest.approx([1, 3 / 4])
    assert [line.get_ydata()[0] for line in targets] == [0.95, 0.98]
    nothing = words(DRAWN["calibration, nothing learnable"]())
    assert "no learnable photo" in nothing and "0% of them with 95% right" in nothing


def test_a_chart_of_sureness_without_photos_or_columns_is_refused():
    for table in (JUDGED.head(0), JUDGED.drop(columns="right")):
        with pytest.raises(ValueError, match=r"table (has no rows|lacks the column right)"):
            calibration_figures.calibration(table, "How sure", SOURCE)
