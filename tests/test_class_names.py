"""Class names are text, whatever they look like, however long they are and in whatever script they
are written.
"""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.errors import WriteError
from fashion_tl.network.model import load_model
from fashion_tl.reporting import figures, gallery
from fashion_tl.reporting.evaluation import confused_pairs, metrics, per_class_table
from fashion_tl.runfiles import TEXT, read_table
from fashion_tl.runs import open_run, write_table
from study import compare
from study.check import check
from study.places import RESULTS
from study.record import record
from study.records import read_records
from tests.conftest import jpeg, pattern
from tests.test_report import Page

PATH = "Clothing, Shoes & Jewelry > Women > Clothing > Dresses > "
LONG = "Donaudampfschifffahrt" * 9
NAMES = [
    *(
        "001",
        "1",
        "1.0",
        "1e5",
        "inf",
        "-0",
        "True",
        "False",
        "NA",
        "nan",
        "None",
        "null",
        "2012-01-01",
        "12:30",
    ),
    *(
        "=1+1",
        "_x",
        "#",
        "$x$",
        "a$b$c",
        "\\",
        r"\$\foo$",
        'in "quotes"',
        "<b>x</b>",
        "&amp;",
        "{{ 7 * 7 }}",
        "% s",
    ),
    *("W" * 200, f"{LONG}1", f"{LONG}2", f"{PATH}Casual", f"{PATH}Formal"),
    *("衬衫", "シューズ", "साड़ी", "حقيبة", "تيشيرت", "שמלה", "Юбка", "👗 Dress", "신발"),
    *("shirt", "Shirt", "Café", "a b"),
]
NUMBERS = ["1", "2", "3"]


def catalogue_of(names: list[str], folder) -> str:
    """Two photos of even years and one of an odd year for each name."""
    (folder / "images").mkdir(parents=True)
    with open(folder / "styles.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "year", "articleType", "productDisplayName"])
        for number in range(1, 3 * len(names) + 1):
            name = names[number % len(names)]
            table.writerow([number, 2010 + (number > 2 * len(names)), name, name])
            (folder / "images" / f"{number}.jpg").write_bytes(jpeg(pattern(number)))
    return str(folder)


def trained(names: list[str], folder):
    data = catalogue_of(names, folder / "data")
    tiny = {"image_size": (32, 32), "precision": "fp32", "backbone": "tiny"}
    return data, run_approach("fc_only", data, "none", folder / "run", epochs=1, lr=1e-4, **tiny)[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data with all these names, and a finished run on it."""
    return trained(NAMES, tmp_path_factory.mktemp("names"))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """The same of classes that are called like numbers, all of them: here pandas would see a column
    of numbers.
    """
    return trained(NUMBERS, tmp_path_factory.mktemp("numbers"))


@pytest.fixture(params=["made", "numbers"])
def named(request):
    return NAMES if request.param == "made" else NUMBERS, *request.getfixturevalue(request.param)


def test_names_are_the_same_text_in_the_network_and_in_every_table_of_the_run(named):
    names, data, run = named
    assert set(read_catalogue(open_root(data)).classes) == set(names)
    assert set(load_model(run.model_path).classes) == set(names)
    assert set(run.per_class["label"]) == set(run.predictions["label"]) == set(names)
    for k in range(1, 6):
        assert set(run.predictions[f"top{k}"]) <= {*names, ""}
    assert all(
        type(value) is str
        for column in ("id", "label", "top5")
        for value in run.predictions[column]
    )


def test_what_is_read_back_says_what_was_measured(named):
    _, data, run = named
    counts = read_catalogue(open_root(data)).counts
    again = metrics(run.predictions, counts)
    assert {name: run.metrics[name] for name in again} == pytest.approx(again, rel=1e-5)
    assert run.metrics["ceiling"] == 1
    assert per_class_table(run.predictions, counts).equals(run.per_class)


def test_every_figure_is_drawn(named):
    _, data, run = named
    assert main(["figures", str(run.folder), "--data", data]) == 0
    assert len(list((run.folder / "figures").iterdir())) == len(gallery.OF_DATA) + len(
        gallery.OF_RUN
    )


def test_the_report_has_every_name_whole_and_as_text(named):
    names, data, run = named
    assert main(["report", str(run.folder), "--data", data]) == 0
    page = Page((run.folder / "report.html").read_text(encoding="utf-8"))
    assert [text for tag, _, text in page.elements if tag == "bdi"][-len(names) :] == list(
        run.per_class["label"]
    )
    assert len(page.attributes("script")) == 1


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_answers_are_the_same_names(named, ending, tmp_path):
    names, data, run = named
    file = tmp_path / f"answers.{ending}"
    assert main(["predict", str(run.folder), f"{data}/images", "--to", str(file)]) == 0
    rows = (
        read_table(file).to_dict("records")
        if ending == "csv"
        else json.loads(file.read_text(encoding="utf-8"))
    )
    assert len(rows) == 3 * len(names) and {row["top1"] for row in rows} <= set(names)
    own = {f"{data}/images/{row.id}.jpg": row.top1 for row in run.predictions.itertuples()}
    assert {row["photo"]: row["top1"] for row in rows if row["photo"] in own} == own


def test_answers_are_printed_whole(made, capsys):
    data, run = made
    assert main(["predict", str(run.folder), f"{data}/images/1.jpg"]) == 0
    best = [line.split("%  ", 1)[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(best) == 5 and set(best) <= set(NAMES)


def test_the_results_of_the_run_can_be_recorded_checked_and_compared(named, tmp_path):
    names, data, run = named
    for name in ("fc_only", "again"):
        record(run.folder, tmp_path, name)
    records = read_records(tmp_path)
    assert [*check(records, data)] == ["again", "fc_only"]
    results = [*records.values()]
    assert set(results[0].per_class["label"]) == set(names)
    assert set(compare.gained_and_lost(*results)["label"]) == set(names)


def test_a_figure_that_fails_loses_nothing_and_can_be_drawn_later(
    tmp_path, one_figure, monkeypatch, capsys
):
    data = catalogue_of(["1", "2"], tmp_path / "data")

    def fail(*_):
        raise WriteError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(figures, "save", fail)
        words = [
            "run",
            "fc_only",
            "--weights",
            "none",
            "--data",
            data,
            "--out",
            str(tmp_path / "run"),
            "--epochs",
            "1",
        ]
        assert main([*words, "--set", "image_size=32x32"]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert open_run(tmp_path / "run").is_finished
    assert main(["figures", str(tmp_path / "run"), "--data", data]) == 0


def test_a_table_comes_back_as_it_was_written(tmp_path):
    values = ["001", "1e5", "NA", "", " ", "True", "inf", "0x1F", "1_000", "nan"]
    names = [name for name in TEXT if name != "articleType"]
    table = pd.DataFrame(dict.fromkeys(names, values)).assign(
        loss=[np.nan, *range(9)], best=[True, False] * 5, n=7
    )
    for name in ("table.csv", "table.csv.gz"):
        write_table(tmp_path / name, table)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), table, check_dtype=False)


def test_tables_of_older_versions_are_read_whose_labels_had_another_name(tmp_path):
    write_table(tmp_path / "per_class.csv", pd.DataFrame({"articleType": ["001"], "train": [3]}))
    assert read_table(tmp_path / "per_class.csv").to_dict("records") == [
        {"label": "001", "train": 3}
    ]


def test_every_column_of_words_in_our_tables_is_known_as_text(made):
    _, run = made
    files = [*run.folder.glob("*.csv*"), *RESULTS.rglob("*.csv*")]
    assert len(files) > 20
    for file in files:
        table = pd.read_csv(file)
        words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
        assert set(words) <= set(TEXT), file


def test_confusions_of_names_that_look_like_numbers_are_counted():
    true, guess = ["1", "001", "1", "1.0"], ["001", "1", "001", "1.0"]
    pairs = confused_pairs(pd.DataFrame({"label": true, "top1": guess}))
    assert pairs.to_dict("records") == [
        {"true": "1", "predicted": "001", "count": 2, "share": 1.0},
        {"true": "001", "predicted": "1", "count": 1, "share": 1.0},
    ]
