"""Labels to check: they are found in any data, and each photo is judged by others."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_tl import audit
from fashion_tl.__main__ import main
from fashion_tl.audit import Audit, audit_config, find_contradicted, judge_labels
from fashion_tl.data.dataset import load_unsplit
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.network import folds
from fashion_tl.runfiles import read_table
from study.audit import DRAWN, to_look_at
from study.blocks import labels as blocks
from study.blocks.labels import LIST, LISTED_MISTAKES, OTHERS
from study.places import RESULTS
from tests.conftest import jpeg
from tests.quick import QUICKEST
from tests.test_report import Page

pytest.importorskip("cleanlab", reason="cleanlab, of the extra audit, is not installed")

QUICK = QUICKEST | {"epochs": 3, "lr": 0.01, "batch_size": 8}
WORDS = [f"--set={name}={value}" for name, value in QUICK.items() if name != "image_size"]
WORDS += ["--weights=none", "--set=image_size=32x32"]
LONG = {"epochs": 20, "batch_size": 20}  # enough to tell the colours
COLOURS = {"Red": (200, 30, 30), "Blue": (30, 30, 200)}


def photo(kind: str, number: int):
    """A colour with a little noise, different for each number."""
    noise = np.random.default_rng(number).integers(-20, 21, (80, 60, 3))
    return jpeg(Image.fromarray((np.array(COLOURS[kind]) + noise).astype(np.uint8)))


@pytest.fixture
def swapped(make_root):
    """40 photos of two colours without years, where 3 and 24 have the other's label."""
    rows, photos = [], {}
    for number in range(40):
        kind, other = ("Red", "Blue") if number < 20 else ("Blue", "Red")
        rows.append((number, "", other if number in (3, 24) else kind))
        photos[number] = photo(kind, number)
    return make_root(rows, photos)


def judged_by(monkeypatch, root, cache, **settings) -> tuple[Audit, list]:
    """An audit, and what each last layer learned from and answered for: rows of the catalogue."""
    seen = []
    fit, forward = folds.fit, folds.forward

    def fitting(head, train, val, *more, **rest):
        seen.append([set(train.rows.tolist()), len(val.rows)])
        return fit(head, train, val, *more, **rest)

    def answering(head, samples, *more, **rest):
        seen[-1].append(set(samples.rows.tolist()))
        return forward(head, samples, *more, **rest)

    monkeypatch.setattr(folds, "fit", fitting)
    monkeypatch.setattr(folds, "forward", answering)
    config = audit_config(**QUICK | settings)
    return judge_labels(load_unsplit(root, config, cache), None, config), seen


def test_labels_that_contradict_their_photos_are_found_and_no_others(
    swapped, tmp_path, monkeypatch
):
    result, _ = judged_by(monkeypatch, swapped, tmp_path / "cache", **LONG)
    # The surest two; what the network of this machine thinks of a third is chance.
    assert set(result.found["id"][:2]) == {"3", "24"} and len(result.found) <= 4
    assert result.found.set_index("id").loc["3", ["given", "suggested"]].tolist() == ["Blue", "Red"]
    assert result.judged == 40 and 30 <= result.right <= 38
    surer = result.found["confidence"] - result.found["given_confidence"]
    assert (surer > 0).all() and surer.is_monotonic_decreasing


def test_each_photo_is_judged_once_by_a_layer_that_learned_from_neither_it_nor_its_twins(
    make_root, tmp_path, monkeypatch
):
    kinds = ["Red", "Blue"] * 15
    photos = {number: photo(kinds[number % 14], number % 14) for number in range(30)}
    root = make_root([(number, 2010, kinds[number]) for number in range(30)], photos)
    _, seen = judged_by(monkeypatch, root, tmp_path / "cache")
    assert len(seen) == folds.FOLDS
    for learned, validating, own in seen:
        assert not validating
        assert not {row % 14 for row in learned} & {row % 14 for row in own}
    assert sorted(row for _, _, own in seen for row in own) == list(range(30))


def test_photos_of_classes_that_are_too_small_are_not_judged_and_counted(
    make_root, tmp_path, monkeypatch
):
    rows = [(number, 2010, ["Red", "Blue"][number % 2]) for number in range(20)]
    rows += [(20, 2010, "Single"), *((number, 2010, "Twins") for number in range(21, 30))]
    photos = {n: photo(["Red", "Blue"][n % 2], n) for n in range(21)}
    photos |= {number: photo("Red", 39) for number in range(21, 30)}  # one picture, nine times
    root = make_root(rows, photos)
    result, seen = judged_by(monkeypatch, root, tmp_path / "cache")
    assert result.unjudged.to_dict() == {"Single": 1, "Twins": 9}
    assert result.judged == sum(len(own) for _, _, own in seen) == 20


def test_confident_learning_asks_more_of_a_class_that_is_often_sure():
    # Each photo is compared with how sure the networks are of a class where it is right.
    labels = np.repeat([0, 1], 50)
    sure, unsure = [0.95, 0.05], [0.35, 0.65]
    probabilities = np.array([sure] * 50 + [unsure] * 50)
    probabilities[0] = [0.1, 0.9]
    probabilities[50] = [0.98, 0.02]
    probabilities[51] = [0.55, 0.45]  # the answer is another class, but not a sure one
    assert np.flatnonzero(find_contradicted(labels, probabilities)).tolist() == [0, 50]


def test_the_command_writes_a_table_and_a_page_and_prints_pairs(swapped, tmp_path, capsys):
    before = sorted(swapped.rglob("*"))
    words = ["audit", "--data", str(swapped), "--to", str(tmp_path / "new" / "audit"), *WORDS]
    words += [f"--set={name}={value}" for name, value in LONG.items()]
    assert main(words) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert re.search(r"[2-4] of 40 labels should be checked", out) and "1  Blue → Red" in out
    assert len(re.findall(r"^part \d of 5: ", out, re.M)) == 5 and "epoch" not in out
    table = read_table(tmp_path / "new" / "audit" / "labels.csv")
    assert list(table) == ["id", "given", "suggested", "confidence", "given_confidence"]
    assert set(table["id"][:2]) == {"24", "3"} and len(table) <= 4
    page = Page((tmp_path / "new" / "audit" / "labels.html").read_text())
    assert all(each["src"].startswith("data:image/jpeg") for each in page.attributes("img"))
    assert len(page.attributes("img")) == len(table) and page.texts("h2") == [
        "Pairs of classes",
        "Photos",
    ]
    policy = [each.get("content", "") for each in page.attributes("meta")]
    assert any(each.startswith("default-src 'none'") for each in policy)
    assert sorted(swapped.rglob("*")) == before  # nothing is ever written into the data


def test_folders_without_a_table_are_judged_too(tmp_path, capsys):
    for number in range(24):
        kind = ["Red", "Blue"][number % 2]
        file = tmp_path / "photos" / kind / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo(kind, number))
    words = ["audit", "--data", str(tmp_path / "photos"), "--to", str(tmp_path / "to"), *WORDS]
    assert main(words) == 0, capsys.readouterr().err
    assert "of 24 labels should be checked" in capsys.readouterr().out
    assert main([*words, "--label", "colour"]) == 2
    assert "Leave label and split out" in capsys.readouterr().err


def test_another_label_uses_the_same_features_again(make_root, tmp_path, monkeypatch):
    header = "id,articleType,colour"
    kinds = ["Red", "Blue"]
    rows = [f"{n},{kinds[n % 2]},{'Dark' if n < 12 else 'Light'}" for n in range(24)]
    root = make_root(rows, {n: photo(kinds[n % 2], n) for n in range(24)}, header=header)
    cache = tmp_path / "cache"
    judged_by(monkeypatch, root, cache)
    kept = set(cache.glob("features-*"))
    result, _ = judged_by(monkeypatch, root, cache, label="colour")
    assert result.judged == 24 and set(cache.glob("features-*")) == kept and len(kept) == 1


def test_class_names_are_shown_as_they_are(make_root, tmp_path, monkeypatch, capsys):
    names = {"Red": "<script>alert(1)</script>", "Blue": "001"}
    rows = [f'{n},"{names["Blue" if n in (3, 4) or n >= 20 else "Red"]}"' for n in range(40)]
    photos = {n: photo("Red" if n < 20 else "Blue", n) for n in range(40)}
    root = make_root(rows, photos, header="id,articleType")
    words = ["audit", "--data", str(root), "--to", str(tmp_path / "to"), *WORDS]
    assert main([*words, "--set=epochs=20", "--set=lr=0.05", "--set=backbone=resnet50"]) == 0, (
        capsys.readouterr().err
    )
    table = read_table(tmp_path / "to" / "labels.csv")
    assert set(table["given"]) == {"001"} and set(table["suggested"]) == {names["Red"]}
    page = Page((tmp_path / "to" / "labels.html").read_text())
    assert not page.attributes("script") and names["Red"] in page.texts("bdi")


@pytest.mark.parametrize(
    "setting",
    ["split=random:0.5", "largest=2", "train_fraction=0.5", "val_fraction=0.2", "flip_test=true"],
)
def test_a_setting_that_would_leave_photos_out_is_an_error_that_names_it(setting, tmp_path, capsys):
    words = ["audit", "--data", "nothing", "--to", str(tmp_path / "to"), "--set", setting]
    assert main(words) == 2
    assert f"error: {setting.split('=')[0]}: every photo is judged" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        audit_config(without_largest=3)


def test_without_a_network_the_sample_is_judged_with_settings_that_suit_random_weights(
    sample_root, tmp_path, monkeypatch, capsys
):
    used = []

    def judge(data, weights, config):
        used.append((weights, config))
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "judge_labels", judge)
    monkeypatch.setattr(audit, "available_weights", lambda *words: None)  # the download failed
    words = ["audit", "--data", str(sample_root), "--to", str(tmp_path / "to")]
    changed = {"image_size": (80, 60), "lr": 0.01}
    for given in ({}, {"lr": 0.005}):
        assert main([*words, *(f"--set={name}={value}" for name, value in given.items())]) == 130
        assert used.pop() == (None, audit_config(**changed | given))
    said = capsys.readouterr().out
    assert "these settings change: image_size=80x60, lr=0.01\n" in said and "NOTE" not in said
    assert main([*words, "--weights=none"]) == 130
    assert used.pop() == (None, audit_config())
    assert "lr=1 is too high for random weights" in capsys.readouterr().out


def test_data_with_fewer_than_two_classes_to_judge_are_refused_before_any_work(
    make_root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(audit, "available_weights", lambda *words: pytest.fail("too late"))
    root = make_root([(n, 2010, "Red" if n < 9 else "Blue") for n in range(10, 20)])
    assert main(["audit", "--data", str(root), "--to", str(tmp_path / "to")]) == 2
    error = capsys.readouterr().err
    assert "two classes with 5 different photos each, and finds 1" in error
    assert not (tmp_path / "to").exists()
    with pytest.raises(DataError):
        audit.of_large_enough_classes(load_unsplit(root, audit_config(), tmp_path / "cache"))


def test_a_missing_package_is_an_error_that_says_how_to_install_it(
    swapped, tmp_path, monkeypatch, capsys
):
    for name in [name for name in sys.modules if name.split(".")[0] == "cleanlab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    assert main(["audit", "--data", str(swapped), "--to", str(tmp_path / "to"), *WORDS]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install "fashion_tl[audit]"' in line and not (tmp_path / "to").exists()


def test_a_file_in_the_place_of_the_folder_is_an_error_that_names_it(swapped, tmp_path, capsys):
    (tmp_path / "to").write_text("mine")
    assert main(["audit", "--data", str(swapped), "--to", str(tmp_path / "to"), *WORDS]) == 2
    assert f"error: {tmp_path / 'to' / 'labels.csv'} can't be written (" in capsys.readouterr().err
    assert (tmp_path / "to").read_text() == "mine"


def test_photos_to_look_at_are_drawn_from_the_list_and_from_the_other_mistakes():
    ids = [str(number) for number in range(1000)]
    found = pd.DataFrame({"id": ids[:300], "given": "a", "suggested": "b"})
    mistakes = pd.DataFrame({"id": ids[200:600], "given": "a", "answer": "c"})
    drawn = to_look_at(found, mistakes)
    assert drawn.equals(to_look_at(found[::-1], mistakes[::-1]))
    assert drawn["drawn_from"].value_counts(sort=False).to_dict() == DRAWN
    assert drawn["id"].is_unique
    listed = drawn[drawn["drawn_from"] == LIST]
    assert set(listed["id"]) <= set(ids[:300]) and set(listed["other"]) == {"b"}
    more = drawn[drawn["drawn_from"] == LISTED_MISTAKES]
    assert set(more["id"]) <= set(ids[200:300]) and set(more["other"]) == {"b"}
    others = drawn[drawn["drawn_from"] == OTHERS]
    assert set(others["id"]) <= set(ids[300:600]) and others["is_mistake"].all()
    assert (listed["is_mistake"] == listed["id"].isin(mistakes["id"])).all()


def test_mistakes_beyond_repair_are_counted_by_the_shares_seen_in_both_draws():
    def seen(drawn_from, *verdicts):
        return [(drawn_from, verdict, True) for verdict in verdicts]

    rows = seen(LIST, "other", "neither", "both", "given") + seen(OTHERS, "other", *["given"] * 9)
    rows += [(LIST, "given", False)] * 5  # not mistakes, so they say nothing
    table = pd.DataFrame(rows, columns=["drawn_from", "verdict", "is_mistake"])
    mistakes = {"run": "x", "photos": 1400, "in_the_list": 400, "answer_is_suggested": 300}
    said = blocks._beyond_repair(table, mistakes)
    assert "(4 of 400 and 10 of 1,000, in the list and outside it), 300 ±" in said  # 200 + 100
    assert "it is 400 ±" in said  # 300 + 100


def test_verdicts_on_record_are_of_photos_that_the_seed_draws_from_the_list():
    if not (RESULTS / "labels.csv").exists():
        pytest.skip("`python -m study audit` has not been measured yet")
    found = read_table(RESULTS / "labels.csv")
    verdicts = read_table(RESULTS / "verdicts.csv")
    none = pd.DataFrame({"id": [], "given": [], "answer": []})
    drawn = to_look_at(found, none)
    listed = verdicts[verdicts["drawn_from"] == LIST]
    assert set(listed["id"]) == set(drawn["id"]) and len(listed) == DRAWN[LIST]
    assert set(verdicts["verdict"]) <= set(blocks.VERDICTS)
