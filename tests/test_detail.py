"""Small and large photos are compared on the same photos, in the same parts."""

import json
import zipfile

import numpy as np
import pytest

from fashion_tl.errors import ConfigError, DataError, RunError
from fashion_tl.runs import open_run
from study import charts, detail
from study.blocks.detail import detail as block
from study.records import read_looks
from tests.conftest import pattern, row_line


@pytest.fixture
def both_roots(make_root):
    """60 rows, of which the first root has the photos 1 to 50, and the second larger ones of 11 to
    60.
    """
    rows = [
        row_line(number, 2012 + number // 10 % 2, "Shirts" if number % 2 else "Watches")
        for number in range(1, 61)
    ]
    photos = {number: pattern(number) for number in range(1, 61)}
    large = {number: photo.resize((168, 224)) for number, photo in photos.items()}
    return [
        make_root(rows, {number: photos[number] for number in range(1, 51)}, at="small"),
        make_root(rows, {number: large[number] for number in range(11, 61)}, at="large"),
    ]


def test_only_photos_that_both_have_are_taken_over(both_roots, tmp_path):
    small, large = both_roots
    for source, other in ((small, large), (large, small)):
        target = tmp_path / "runs" / f"{source.name}.zip"
        detail.copy_shared(source, other, target)
        with zipfile.ZipFile(target) as archive:
            names = sorted(archive.namelist())
            assert names == sorted(["styles.csv", *(f"images/{n}.jpg" for n in range(11, 51))])
            assert archive.read("images/11.jpg") == (source / "images" / "11.jpg").read_bytes()


def test_roots_without_a_photo_in_common_are_refused(make_root, tmp_path):
    roots = [make_root([row_line(number, 2012, "Shirts")], at=str(number)) for number in (1, 2)]
    with pytest.raises(DataError, match="no photo in common"):
        detail.copy_shared(*roots, tmp_path / "new.zip")
    assert not (tmp_path / "new.zip").exists()


def test_both_sizes_have_the_same_photos_in_each_part(both_roots, tmp_path):
    paths = [tmp_path / "small.zip", tmp_path / "large.zip"]
    for path, (own, other) in zip(paths, (both_roots, both_roots[::-1]), strict=True):
        detail.copy_shared(own, other, path)
    small, large = detail.load_both(paths, cache=None)
    assert small.photos.array.shape[1:] == (80, 60, 3)
    assert large.photos.array.shape[1:] == (224, 168, 3)
    for part in ("train", "val", "test"):
        rows = getattr(small.task, part)
        np.testing.assert_array_equal(rows, getattr(large.task, part))
        assert small.table(part)["id"].tolist() == large.table(part)["id"].tolist()


def test_a_photo_that_only_one_size_can_show_is_named(both_roots, tmp_path):
    small, large = both_roots
    (large / "images" / "20.jpg").write_bytes(b"no photo")
    paths = [tmp_path / "small.zip", tmp_path / "large.zip"]
    detail.copy_shared(small, large, paths[0])
    detail.copy_shared(large, small, paths[1])
    with pytest.raises(DataError, match="same usable photos"):
        detail.load_both(paths, cache=None)


def test_a_label_that_only_one_table_gives_is_named(both_roots, tmp_path):
    small, large = both_roots
    table = (large / "styles.csv").read_text()
    (large / "styles.csv").write_text(
        table.replace(row_line(20, 2012, "Watches"), row_line(20, 2012, "Shirts"))
    )
    paths = [tmp_path / "small.zip", tmp_path / "large.zip"]
    detail.copy_shared(small, large, paths[0])
    detail.copy_shared(large, small, paths[1])
    with pytest.raises(DataError, match=r"photo 20 has another label in .*Watches.*Shirts"):
        detail.load_both(paths, cache=None)


@pytest.mark.parametrize("change", ["a photo", "a row", "one photo less", "no zip"])
def test_zips_that_an_earlier_call_made_of_other_data_are_refused(both_roots, tmp_path, change):
    small, large = both_roots
    target = tmp_path / "runs" / "small.zip"
    detail.copy_shared(small, large, target)
    before = target.read_bytes()
    detail.copy_shared(small, large, target)  # the same data again
    assert target.read_bytes() == before
    if change == "a photo":
        (small / "images" / "20.jpg").write_bytes((small / "images" / "21.jpg").read_bytes())
    elif change == "a row":
        with open(small / "styles.csv", "a") as table:
            table.write(row_line(99, 2012, "Ties"))
    elif change == "one photo less":
        (large / "images" / "20.jpg").unlink()
    else:
        target.write_bytes(b"no zip")
    before = target.read_bytes()
    with pytest.raises(DataError, match=r"small\.zip .*delete .*runs, or name another folder"):
        detail.copy_shared(small, large, target)
    assert target.read_bytes() == before


def test_one_file_never_mixes_two_sets_of_photos():
    ours, others = ({"small": {"data": "a.zip", "fingerprint": each}} for each in "12")
    found = {"fc_only": {"sources": ours}, "direct": {"sources": others}}
    assert detail.kept(found, ["direct"], ours) == {"fc_only": {"sources": ours}}
    assert detail.kept(found, ["fc_only", "direct"], others) == {"direct": {"sources": others}}
    for old in (found, {"direct": {}}):
        with pytest.raises(RunError, match=r"direct of other photos.*--only direct --only fc_only"):
            detail.kept(old, ["fc_only"], ours)


def test_a_training_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="--only fc: no such training; take fc_only or direct"):
        detail.main("a", "b", "none", str(tmp_path / "runs"), None, tmp_path, ["fc"])
    assert not (tmp_path / "runs").exists()


def test_the_study_compares_them_photo_by_photo(both_roots, tmp_path, monkeypatch):
    make = detail.make_config
    tiny = {"image_size": (32, 32), "epochs": 1, "batch_size": 8, "backbone": "tiny"}
    monkeypatch.setattr(detail, "make_config", lambda name, **more: make(name, **more, **tiny))
    monkeypatch.setattr(detail, "available_weights", lambda weights, is_sample: None)
    (tmp_path / "results").mkdir()
    small, large = map(str, both_roots)
    detail.main(small, large, "none", tmp_path / "runs", None, tmp_path / "results", ["fc_only"])
    own = json.loads((tmp_path / "results" / "detail.json").read_text())["fc_only"]
    assert own["paired"]["photos"] == own["small"]["n_test"] == 20
    gain = own["large"]["correct"] - own["small"]["correct"]
    assert gain == own["paired"]["only_second"] - own["paired"]["only_first"]
    assert [own["sources"][size]["data"] for size in ("small", "large")] == ["small", "large"]
    assert own["sources"]["small"]["fingerprint"] != own["sources"]["large"]["fingerprint"]
    looks = read_looks(tmp_path / "results")
    assert looks["why"].str.contains("larger photos").tolist() == [True, True]
    runs = [open_run(tmp_path / "runs" / name) for name in looks["run"]]
    assert looks["commit"].tolist() == [str(run.metrics["commit"]) for run in runs]
    chart = charts.detail_chart({"fc_only": own})
    change, ends = 100 * own["paired"]["top1"]["difference"], own["paired"]["top1"]["interval"]
    line, dot = chart.axes[0].lines[1:]  # the first one stands at zero
    assert [*line.get_xdata()] == [100 * end for end in ends] and [*dot.get_xdata()] == [change]
    assert [label.get_text() for label in chart.axes[0].get_yticklabels()] == ["FC only"]
    text = block(tmp_path / "results")
    assert "20 test" in text and "| FC only | large minus small |" in text
