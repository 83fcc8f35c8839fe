"""The page of a run: what a reader finds on it, that it needs nothing else, and when it is
refused."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_tl.__main__ import main
from fashion_tl.errors import RunError
from fashion_tl.reporting.gallery import draw_all
from fashion_tl.reporting.report import write_report
from fashion_tl.runs import open_run
from tests.conftest import jpeg, pattern, row_line
from tests.made_runs import make_run, predictions_on_record, repeating_photos

VOID = {"meta", "link", "img", "input", "br"}
HOSTILE = [
    "<script>alert(1)</script>",
    'x" onerror="alert(2)',
    "{{ 7 * 7 }}",
    "</title></style><b>",
    "R&amp;B 'n' Jazz",
]


@pytest.fixture(scope="module", autouse=True)
def few_photos():
    """The pages are of runs with more predictions than photos."""
    with repeating_photos():
        yield


class Page(HTMLParser):
    """A page taken apart: its elements as (tag, attributes, text in it), each closed where it
    should be.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):  # within SVG
        self.elements.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def texts(self, tag: str) -> list[str]:
        return [" ".join(text.split()) for name, _, text in self.elements if name == tag]

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for name, attributes, _ in self.elements if name == tag]


def report(folder, root, *more) -> Page:
    assert main(["report", str(folder), "--data", str(root), *map(str, more)]) == 0
    return Page((folder / "report.html").read_text())


def predictions(*rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """From ``(true, predicted)``, both of a run with a training photo of every true class but
    "Unseen".
    """
    table = pd.DataFrame(rows, columns=["label", "top1"]).assign(p1=0.5, loss=1.25)
    table.loc[table["label"] == "Unseen", "loss"] = np.nan
    counts = pd.DataFrame({"label": table["label"].unique()})
    return table, counts.assign(train=np.where(counts["label"] == "Unseen", 0, 60))


@pytest.fixture(scope="module")
def large(sample_root, tmp_path_factory):
    """A run of 142 classes and 20,634 predictions, and its page."""
    folder = make_run(
        tmp_path_factory.mktemp("large") / "run", sample_root, *predictions_on_record()
    )
    return open_run(folder), report(folder, sample_root)


@pytest.fixture
def root(make_root):
    """Four photos, two of them to test."""
    return make_root(
        [(1, 2010, "Shirts"), (2, 2010, "Tops"), (3, 2011, "Shirts"), (4, 2013, "Tops")]
    )


def test_with_142_classes_and_20634_predictions_it_is_far_below_5_mb(large):
    run, page = large
    assert len(run.predictions) == 20_634 and len(run.per_class) == 142
    assert (run.folder / "report.html").stat().st_size < 1_000_000
    assert page.texts("title") == ["FC only: 70.4 % · the built-in sample"]


def test_it_needs_no_network(large):
    run, page = large
    text = (run.folder / "report.html").read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text.split("<script>")[0])
    links = [
        attributes[name]
        for _, attributes, _ in page.elements
        for name in ("src", "href")
        if name in attributes
    ]
    assert links and all(link.startswith(("data:", "#")) for link in links)
    policy = next(
        a["content"]
        for a in page.attributes("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")


def test_headline_and_ceiling_are_said_from_the_runs_own_numbers(large):
    run, page = large
    unseen = run.per_class.query("train == 0 and test > 0")
    words = " ".join(page.texts("section"))
    assert f"{run.metrics['correct']:,} of 20,634 test photos right" in words
    assert f"{100 * run.metrics['top1']:.1f} % top-1" in words
    assert f"Ceiling {100 * run.metrics['ceiling']:.2f} %." in words and "88.17 %" in words
    said = f"{len(unseen)} classes with {unseen['test'].sum():,} test photos"
    assert said == "35 classes with 2,442 test photos"
    assert f"{said} exist only in photos of odd years, so no classifier" in words
    for name in ("top1_learnable", "top5", "macro", "few_shot"):
        assert f"{100 * run.metrics[name]:.1f} %" in " ".join(page.texts("dd"))


def test_it_has_every_part_and_says_what_it_was_made_from(large):
    run, page = large
    assert page.texts("h3") == [
        "Loss and accuracy",
        "How sure, how right",
        "Most confused pairs",
        "Largest losses",
        "Sample predictions",
        "Every class",
        "Made from",
        "Settings",
    ]
    assert run.source in page.texts("p")
    assert {"resnet50.safetensors", run.about["data"]["fingerprint"], run.about["machine"]} <= set(
        page.texts("dd")
    )
    assert set(run.about["config"]) <= set(page.texts("dt")) and "224×168" in page.texts("dd")
    assert len(page.attributes("svg")) == 4 and len(page.attributes("polyline")) == 5 + 4
    assert "The weights of epoch 3 of 4 (dotted line) were kept" in " ".join(page.texts("p"))
    assert page.texts("th").count("Tshirts → Tops") == 1
    assert len(page.attributes("img")) == 12 + 18


def test_every_class_has_a_row_with_its_photos_and_a_note_where_it_can_not_be_learned_or_measured(
    large,
):
    run, page = large
    rows = page.texts("tr")[-142:]
    for row, own in zip(rows, run.per_class.itertuples(), strict=True):
        assert row.startswith(own.label)
        assert ("cannot be learned" in row) == (own.train == 0) and (
            "cannot be measured" in row
        ) == (own.test == 0)
        assert ("few-shot" in row) == (1 <= own.train <= 50)
        share = f"{100 * own.accuracy:.1f} %" if own.test else "–"
        assert row.endswith(f"{own.train:,} {own.test:,} {own.correct:,} {share}")


def test_it_can_be_used_by_keyboard_and_screen_reader(large):
    _, page = large
    assert len(page.attributes("caption")) == len(page.attributes("table")) == 4
    assert all(head["scope"] in ("col", "row") for head in page.attributes("th"))
    assert [head["aria-sort"] for head in page.attributes("th") if "aria-sort" in head] == [
        "none"
    ] * 5
    assert page.texts("button") == ["Class", "Training photos", "Test photos", "Right", "Accuracy"]
    assert [label["for"] for label in page.attributes("label")] == [
        field["id"] for field in page.attributes("input")
    ]
    assert page.texts("output") == ["142 of 142 classes"]
    assert all(a["aria-label"] for _, a, _ in page.elements if a.get("role") == "img")
    ids = [a["id"] for _, a, _ in page.elements if "id" in a]
    assert len(ids) == len(set(ids)) and {link["href"][1:] for link in page.attributes("a")} <= set(
        ids
    )


def test_photos_stand_with_their_products_name_small_and_of_the_data(root, tmp_path):
    folder = make_run(
        tmp_path / "run",
        root,
        *predictions(("Shirts", "Tops"), ("Tops", "Tops")),
        stored_size=[480, 360],
    )
    photos = report(folder, root).attributes("img")
    assert {photo["alt"] for photo in photos} == {"Name 3 (photo 3)", "Name 4 (photo 4)"}
    for photo in photos:
        head, _, content = photo["src"].partition(",")
        image = Image.open(io.BytesIO(base64.b64decode(content)))
        assert (
            head == "data:image/jpeg;base64" and image.format == "JPEG" and image.size == (180, 240)
        )


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_whatever_stands_in_them(name, make_root, tmp_path):
    quoted = '"' + name.replace('"', '""') + '"'
    rows = [
        (1, 2010, quoted),
        (2, 2010, "Tops"),
        row_line(3, 2011, "Tops", "X").replace("X 3", quoted),
    ]
    root = make_root([*rows, (4, 2011, quoted)])
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", name), (name, "Tops")))
    page = report(folder, root)
    assert f"{name} (photo 3)" in [photo["alt"] for photo in page.attributes("img")]
    assert f"Tops → {name}" in page.texts("th") and f"is {name}" in page.texts("span")
    assert len(page.attributes("script")) == len(page.attributes("style")) == 1
    assert not [a for _, attributes, _ in page.elements for a in attributes if a.startswith("on")]


def test_if_all_are_right_the_largest_losses_say_so_and_none_is_below_zero(root, tmp_path):
    said = "All of these photos are right"
    table, counts = predictions(("Shirts", "Shirts"), ("Tops", "Tops"))
    page = report(make_run(tmp_path / "right", root, table.assign(loss=-1e-9), counts), root)
    assert any(text.startswith(said) for text in page.texts("p"))
    assert page.texts("small").count("loss 0.00") == 2
    table, counts = predictions(("Shirts", "Shirts"), ("Tops", "Shirts"))
    page = report(make_run(tmp_path / "wrong", root, table, counts), root)
    assert not any(text.startswith(said) for text in page.texts("p"))


def test_of_two_steps_both_are_shown_the_first_one_first(root, tmp_path):
    folder = make_run(
        tmp_path / "run",
        root,
        *predictions(("Tops", "Tops"), ("Unseen", "Tops")),
        training="two_step",
    )
    make_run(folder / "top20", root, *predictions(("Tops", "Tops")), training="top20")
    page = report(folder, root)
    assert page.texts("h1") == ["Two steps"]
    assert page.texts("h2") == [
        "First of two steps (largest classes)",
        "Second of two steps (all classes)",
    ]
    assert page.texts("li")[:2] == [
        "First of two steps (largest classes): 100.0 %",
        "Second of two steps (all classes): 50.0 %",
    ]
    first, second = page.texts("section")
    assert (
        "Every class that is tested has training photos." in first
        and "No photo was taken for one of" in first
    )
    assert "Ceiling 50.00 %. 1 class with 1 test photo exists only in photos of odd years" in second
    assert {"top20", "two_step"} <= set(page.texts("dd"))


def test_without_validation_nothing_is_said_of_it(root, tmp_path):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")), val_fraction=0)
    page = report(folder, root)
    assert len(page.attributes("polyline")) == 2 + 4
    assert (
        page.texts("li")[7:8] == ["training"]
        and "nan" not in " ".join(page.texts("section")).lower().split()
    )


SURE = pd.DataFrame(
    [("Tops", "Tops", 0.9), ("Tops", "Tops", 0.8), ("Tops", "Shirts", 0.7), ("New", "Tops", 0.85)],
    columns=["label", "top1", "p1"],
).assign(loss=0.5)
KNOWN = pd.DataFrame({"label": ["Tops", "Shirts", "New"], "train": [9, 9, 0]})


def test_it_says_how_many_photos_the_surest_answers_would_label_and_what_a_threshold_gives(
    root, tmp_path
):
    folder = make_run(tmp_path / "run", root, SURE, KNOWN)
    chosen = {"temperature": 0.5, "val_ece": 0.0123, "threshold95": 0.82, "threshold98": None}
    numbers = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(numbers | chosen))
    page = report(folder, root)
    words = " ".join(page.texts("section"))
    assert "a temperature of 0.500" in words and "the calibration error is 0.012" in words
    # One bin each: two are right with 0.1 and 0.2 to spare, one is wrong.
    assert f"the calibration error is {(0.1 + 0.2 + 0.7) / 3:.3f}" in words
    rows = [text for text in page.texts("tr") if "% on " in text]
    assert rows == [
        "95 % on test photos 25.0 % 1 photo, 100.0 % right 66.7 % 2 photos, 100.0 % right",
        "98 % on test photos 25.0 % 1 photo, 100.0 % right 66.7 % 2 photos, 100.0 % right",
        "95 % on validation photos probability at least 82.0 % "
        "50.0 % 2 photos, 50.0 % right 33.3 % 1 photo, 100.0 % right",
    ]


def test_a_run_from_before_there_were_temperatures_is_shown_and_drawn_as_it_was(root, tmp_path):
    folder = make_run(tmp_path / "run", root, SURE, KNOWN)
    numbers = json.loads((folder / "metrics.json").read_text())
    older = {name: value for name, value in numbers.items() if name not in ("ece", "nll")}
    (folder / "metrics.json").write_text(json.dumps(older))
    words = " ".join(report(folder, root).texts("section"))
    assert "older than temperatures" in words and "on validation photos" not in words
    assert main(["figures", str(folder), "--data", str(root)]) == 0


@pytest.mark.parametrize("row", [("Tops", "Tops", 1.0), ("New", "Tops", 0.4), ("Tops", "New", 0.0)])
def test_a_single_test_photo_is_enough_for_every_chart(row, root, tmp_path):
    table = pd.DataFrame([row], columns=["label", "top1", "p1"]).assign(loss=0.5)
    folder = make_run(tmp_path / "run", root, table, KNOWN)
    text = " ".join(report(folder, root).texts("section")).lower()
    assert "nan" not in text.split() and "inf" not in text.split()


def test_random_weights_and_drawings_are_called_so(large, root, tmp_path):
    assert "Drawings, not photos:" in " ".join(large[1].texts("header"))
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    about = json.loads((folder / "run.json").read_text()) | {
        "weights": {"name": "random weights", "fingerprint": None}
    }
    (folder / "run.json").write_text(json.dumps(about))
    head = " ".join(report(folder, root).texts("header"))
    assert "Random weights: nothing was transferred" in head and "Drawings" not in head


def test_it_says_in_which_precision_its_answers_were_computed(root, tmp_path):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    numbers = json.loads((folder / "metrics.json").read_text())
    for precision, is_said in (("bf16", True), ("fp32", False)):
        (folder / "metrics.json").write_text(json.dumps(numbers | {"precision": precision}))
        words = " ".join(report(folder, root).texts("section"))
        assert "predict always computes in float32" in words and ("in bfloat16" in words) is is_said


@pytest.mark.parametrize(
    ("folder", "split"),
    [("test/", "the training folders train, the test folders test"), ("train/", "a drawn 80%")],
)
def test_if_folders_name_the_classes_no_setting_of_a_table_is_shown(folder, split, tmp_path):
    for number, kind in enumerate(["Shirts", "Tops"] * 5):
        part = folder if number > 5 else "train/"
        file = tmp_path / "photos" / part / kind / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(pattern(number)))
    root = tmp_path / "photos"
    page = report(make_run(tmp_path / "run", root, *predictions(("Tops", "Tops"))), root)
    settings = dict(zip(page.texts("dt"), page.texts("dd"), strict=True))
    assert settings["label"] == "the name of the folder" and settings["split"].startswith(split)
    assert settings["bad_rows"] == "none: there is no table"


def test_another_name_is_taken_and_its_folder_made(root, tmp_path, capsys):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    file = tmp_path / "sent" / "mine.html"
    assert main(["report", str(folder), "--data", str(root), "--to", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_text().startswith("<!DOCTYPE html>") and not (folder / "report.html").exists()


def test_on_other_data_it_is_refused_and_an_earlier_page_stays(root, make_root, tmp_path, capsys):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    (folder / "report.html").write_text("earlier")
    other = make_root([(1, 2010, "Shirts"), (2, 2010, "Socks"), (3, 2011, "Shirts")], at="other")
    assert main(["report", str(folder), "--data", str(other)]) == 2
    assert "run was made on other data (root) than other" in capsys.readouterr().err
    assert (folder / "report.html").read_text() == "earlier"


def test_the_photos_that_can_not_be_read_any_more_are_named(root, tmp_path):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    (root / "images" / "3.jpg").write_bytes(b"cut off")
    for work in (write_report, draw_all):
        with pytest.raises(
            RunError, match=r"1 photo can't be read now \(images/3\.jpg: .*\)\. If .* again"
        ):
            work(folder, root)


def test_a_sample_of_ones_own_is_asked_for_by_its_folder(sample_root, wide_root, tmp_path):
    folder = make_run(tmp_path / "run", sample_root, *predictions(("Tops", "Tops")))
    with pytest.raises(RunError, match=r"drawn with other photos; name the folder .* --data"):
        write_report(folder, wide_root)


@pytest.mark.parametrize("step", [".", "top20"])
def test_a_run_that_is_not_finished_has_no_report_yet(step, root, tmp_path, capsys):
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")), training="two_step")
    make_run(folder / "top20", root, *predictions(("Tops", "Tops")), training="top20")
    (folder / step / "checkpoint.pt").write_bytes(b"")
    assert main(["report", str(folder), "--data", str(root)]) == 2
    assert "isn't finished; repeat the command that began it" in capsys.readouterr().err
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("command", "work"),
    [
        ("report", "reporting.report.write_report"),
        ("figures", "reporting.gallery.draw_all"),
        ("remember", "similar.remember"),
    ],
)
def test_a_run_on_the_sample_needs_no_data_named_and_any_other_run_does(
    tiny_run, root, tmp_path, monkeypatch, capsys, command, work
):
    used = []
    monkeypatch.setattr(f"fashion_tl.{work}", lambda run, data, *more: used.append(data) or [])
    assert main([command, str(tiny_run.folder)]) == 0
    assert main([command, str(tiny_run.folder), "--data", str(root)]) == 0
    assert used == ["sample", str(root)]
    folder = make_run(tmp_path / "run", root, *predictions(("Tops", "Tops")))
    assert main([command, str(folder)]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {folder} was made on root; name these data with --data\n"
    assert len(used) == 2


def test_a_folder_without_a_run_is_named(root, tmp_path, capsys):
    assert main(["report", str(tmp_path / "none"), "--data", str(root)]) == 2
    assert "no such run folder" in capsys.readouterr().err


def test_the_report_never_takes_the_place_of_a_file_of_another_kind(
    tiny_run, sample_root, tmp_path, capsys
):
    photo = tmp_path / "1.jpg"
    photo.write_bytes(b"mine")
    for target in (photo, tmp_path / "report"):
        words = ["report", tiny_run.folder, "--data", sample_root, "--to", target]
        assert main([str(word) for word in words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"error: {target}: the report is written into a .html or .htm file"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"mine"]
