"""Label and split are settings: which column names the classes, and what trains and tests."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from fashion_tl import split
from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, DataError, RunError
from fashion_tl.network.model import load_model
from fashion_tl.recipes import APPROACHES, make_config
from fashion_tl.reporting.report import write_report
from fashion_tl.runs import open_run
from fashion_tl.split import RULES, Rule, Split, for_a_shell, parse_split
from study.record import record
from tests import REPOSITORY
from tests.conftest import jpeg
from tests.quick import QUICKEST, SETS

HEADER = "id,year,articleType,baseColour,part"
ROWS = [
    "1,2012,Shirts,Blue,train",
    "2,2012,Heels,Red,Training",
    "3,2013,Shirts,Red,val",
    "4,2014,Heels,Blue,test",
    "5,,Shirts,Blue,TEST",
    "6,2015,Heels,,train",
    "7,2016,Shirts,Red,maybe",
]


def catalogue(make_root, **settings):
    return read_catalogue(open_root(make_root(ROWS, header=HEADER)), **settings)


def parts(catalogue):
    return dict(zip(catalogue.table["id"], catalogue.table["part"], strict=True))


def test_any_column_can_be_the_label(make_root):
    colours = catalogue(make_root, label="baseColour")
    assert set(colours.classes) == {"Blue", "Red"} and colours.label == "baseColour"
    assert {"missing baseColour", "missing year"} == set(colours.left_out["reason"])


def test_a_label_or_a_split_column_that_is_not_there_is_named_with_those_that_are(make_root):
    root = open_root(make_root(ROWS, header=HEADER))
    for settings, wrong in (({"label": "colour"}, "colour"), ({"split": "column:fold"}, "fold")):
        with pytest.raises(
            DataError, match=f"no column '{wrong}'.*id,year,articleType,baseColour,part"
        ):
            read_catalogue(root, **settings)


def test_a_column_says_what_trains_validates_and_tests(make_root):
    split = catalogue(make_root, split="column:part")
    assert parts(split) == {
        **{"1": "train", "2": "train", "6": "train"},
        **{"3": "val", "4": "test", "5": "test"},
    }
    assert split.examples == {
        "bad part": "line 8 has 'maybe', which is neither train, val nor test"
    }
    assert split.table["year"].isna().sum() == 1  # no year is needed


@pytest.mark.parametrize("text", ["Train Set", "train_set", "TRAIN-split", "TrainSet", "training"])
def test_a_column_may_name_its_parts_as_folders_may(make_root, text):
    rows = [f"1,2012,A,Blue,{text}", "2,2012,A,Blue,test_set", "3,2012,B,Blue,training shoes"]
    rows += [f"{n},2012,B,Blue,{word}" for n, word in enumerate(("!train", "train?", "-train"), 4)]
    found = read_catalogue(open_root(make_root(rows, header=HEADER)), split="column:part")
    assert parts(found) == {"1": "train", "2": "test"}


def test_a_split_may_be_written_in_capitals_and_its_share_in_percent():
    for text in ("random:20%", "Random: 20. %", "random:.2", "random:0.20"):
        assert parse_split(text).rule == "a drawn 80% train, the other 20% test"
        assert make_config("direct", split=text).split == "random:0.2"
    assert parse_split("random:0.5%").rule == "a drawn 99.5% train, the other 0.5% test"
    for text in ("random:0.00001", "random:0.0000000000001", "random:99.99999999999%"):
        kept = make_config("direct", split=text).split  # a run on record must open again
        assert make_config("direct", split=kept).split == kept
    assert make_config("direct", split="year <= 2014").split == "year<=2014"
    assert parse_split("Even-Odd").needs_year and parse_split("YEAR <= 2014").needs_year
    assert parse_split("Column:Set").column == "Set"


def test_photos_that_the_data_name_for_validation_validate(make_root):
    rows = [
        f"{n},2012,{('Shirts', 'Heels')[n % 2]},Blue,{('train', 'val', 'test')[n % 3]}"
        for n in range(24)
    ]
    root = make_root(rows, header=HEADER)
    data = load_data(root, make_config("direct", split="column:part"), quiet=True)
    ids = data.catalogue.table["id"].astype(int)
    for number, part in enumerate(("train", "val", "test")):
        assert (ids.iloc[getattr(data.task, part)] % 3 == number).all()


def test_classes_that_only_validate_cannot_be_learned(make_root):
    rows = [
        f"{n},2012,{kind},Blue,{part}"
        for n, (kind, part) in enumerate(
            [("A", "train"), ("B", "train"), ("C", "val"), ("A", "test"), ("C", "test")]
        )
    ]
    known = read_catalogue(open_root(make_root(rows, header=HEADER)), split="column:part")
    counts = known.counts.set_index("label")["train"]
    assert counts.to_dict() == {"A": 1, "B": 1, "C": 0} and known.fault is None
    rows = [row.replace("train", "val") for row in rows]
    none = read_catalogue(open_root(make_root(rows, header=HEADER, at="none")), split="column:part")
    assert "there is nothing to train on" in none.fault


def test_labels_belong_to_the_fingerprint_whatever_their_column_is_called(make_root):
    prints = set()
    for swap in (False, True):
        rows = [f"{n},2012,A,Blue,{('train', 'test')[(n % 2 == 0) != swap]}" for n in range(8)]
        root = make_root(rows, header=HEADER, at=f"root{swap}")
        config = make_config("direct", label="part", split="random:0.5")
        prints.add(load_data(root, config, quiet=True).fingerprint)
    assert len(prints) == 2


def test_years_up_to_one_train(make_root):
    assert parts(catalogue(make_root, split="year<=2013")) == {
        **{"1": "train", "2": "train", "3": "train"},
        **{"4": "test", "6": "test", "7": "test"},
    }


def test_a_share_of_each_class_is_drawn_to_test_the_same_each_time(make_root):
    table = pd.DataFrame({"label": ["a"] * 50 + ["b"] * 10 + ["c"]})
    split = parse_split("random:0.2")
    drawn = split.parts(table, seed=0)
    counts = pd.Series(drawn).groupby(table["label"]).apply(lambda own: (own == "test").sum())
    assert counts.to_dict() == {"a": 10, "b": 2, "c": 0}
    assert (drawn == split.parts(table, seed=0)).all() and (
        drawn != split.parts(table, seed=1)
    ).any()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "odd",
        "year<2014",
        "random:2",
        "random:0",
        "random:0%",
        "random:100%",
        "random:x",
        "column:",
        3,
        None,
    ],
)
def test_a_split_that_cannot_be_read_is_refused_with_the_ways_to_write_one(text):
    with pytest.raises(
        ConfigError, match=r"split must be even-odd, year<=2014, random:0.2 .* column:NAME"
    ):
        parse_split(text)


def test_a_rule_cannot_exist_without_saying_which_photos_train():
    with pytest.raises(TypeError, match="parts"):
        Split("summer", "winter")


def test_a_new_rule_is_one_row_and_is_read_named_and_offered(make_root, monkeypatch):
    def thirds(_):
        return Split(
            "two in three",
            "one in three",
            lambda table, seed: np.where(table["id"].astype(int) % 3 == 0, "test", "train"),
        )

    monkeypatch.setattr(split, "RULES", (*RULES, Rule("thirds", "thirds", thirds)))
    new = catalogue(make_root, split="thirds")
    assert {own for own, part in parts(new).items() if part == "test"} == {"3", "6"}
    assert new.split.rule == "two in three train, one in three test"
    with pytest.raises(ConfigError, match=r"random:0.2 .* or thirds, not 'odd'"):
        parse_split("odd")
    assert for_a_shell().endswith("column:NAME or thirds")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_reads_its_own_example_and_is_explained_in_the_documents(rule):
    assert isinstance(parse_split(rule.example), Split)
    usage = (REPOSITORY / "docs" / "usage.md").read_text(encoding="utf-8")
    setting = re.search(r"^\| `split` \|.*$", usage, re.MULTILINE)[0]
    assert f"`{rule.example}`" in setting
    assert re.search(rf'^\| `"?{re.escape(rule.example)}"?` \|', usage, re.MULTILINE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_gives_photos_to_train_and_photos_to_test(rule, make_root):
    """Also of a table with a row that has no year."""
    found = catalogue(make_root, split=rule.example.replace("NAME", "part"))
    assert {"train", "test"} <= set(parts(found).values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_a_rule_follows_from_its_seed_and_changes_with_it_only_if_it_says_that_it_draws(
    rule, make_root
):
    root = open_root(make_root(ROWS, header=HEADER))
    text = rule.example.replace("NAME", "part")
    seeds = (*range(12), *range(12))
    found = [parts(read_catalogue(root, split=text, seed=seed)) for seed in seeds]
    assert found[:12] == found[12:]
    assert any(each != found[0] for each in found) == parse_split(text).is_drawn


def test_a_rule_that_gives_a_word_that_is_no_part_is_named(make_root, monkeypatch):
    rule = Rule("typo", "typo", lambda _: Split("a", "b", lambda table, seed: ["trian"] * 7))
    monkeypatch.setattr(split, "RULES", (*RULES, rule))
    with pytest.raises(ValueError, match="'trian'; a part is 'train', 'val', 'test', or ''"):
        catalogue(make_root, split="typo")


def test_folders_say_the_label_and_the_split_themselves(tmp_path):
    for part in ("train", "test"):
        for kind in ("A", "B"):
            (tmp_path / part / kind).mkdir(parents=True)
            (tmp_path / part / kind / f"{part}{kind}.jpg").write_bytes(jpeg((9, 9, 9)))
    root = open_root(tmp_path)
    assert read_catalogue(root).split.rule == "the training folders train, the test folders test"
    with pytest.raises(ConfigError, match="Leave label and split out"):
        read_catalogue(root, label="baseColour")


# The drawn data have too few master categories to leave the largest out.
@pytest.mark.parametrize("approach", [name for name in APPROACHES if name != "rare"])
def test_every_approach_runs_by_another_label_and_split_and_says_the_true_words(
    approach, sample_root, one_figure, tmp_path, capsys
):
    out = tmp_path / "run"
    words = [
        "--label",
        "masterCategory",
        "--split",
        "random:0.2",
        "--weights",
        "none",
        "--out",
        out,
    ]
    assert main([*map(str, ["run", approach, "--data", sample_root, *words, *SETS])]) == 0
    run = open_run(out)
    assert "Tiny ResNet from random weights" in run.source
    assert load_model(run.model_path).model.fc.in_features == 512
    assert set(run.per_class["label"]) <= {
        "Apparel",
        "Footwear",
        "Accessories",
        "Personal Care",
        "Free Items",
    }
    page = write_report(out, sample_root).read_text(encoding="utf-8")
    assert "a drawn 80% train, the other 20% test" in page
    assert "odd year" not in page and "even year" not in page
    assert main(["summary", "--data", str(sample_root), *words[:4]]) == 0
    assert "the label is masterCategory; a drawn 80% train" in capsys.readouterr().out


def test_a_split_that_was_drawn_is_not_put_on_record(sample_root, tmp_path):
    (run,) = run_approach(
        "fc_only", sample_root, "none", tmp_path / "run", split="random:0.2", **QUICKEST
    )
    about = json.loads((run.folder / "run.json").read_text())
    about["data"]["is_sample"] = False
    (run.folder / "run.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="a split that was drawn"):
        record(run.folder, tmp_path / "results")
