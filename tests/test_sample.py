"""The built-in sample: a small catalogue in Kaggle's layout, with each of its faults exactly
once."""

import json
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_tl.data import sample
from fashion_tl.data.sample import COLUMNS, draw_sample
from fashion_tl.data.sample.colours import PALETTE
from fashion_tl.data.sample.kinds import KINDS
from fashion_tl.errors import DataError

SMALL = {"photos": 160, "types": 6}


class Sample:
    """What a test wants to know of a drawn sample."""

    def __init__(self, folder: Path):
        header, *lines = (folder / "styles.csv").read_text().splitlines()
        self.folder, self.header = folder, header
        self.rows = [line.split(",") for line in lines]
        self.photos = {path.stem: path.read_bytes() for path in (folder / "images").iterdir()}
        self.usable = [r for r in self.rows if len(r) == 10 and r[7] and r[0] in self.photos]
        self.by_type = Counter(r[4] for r in self.usable)

    def image(self, number: str) -> Image.Image:
        return Image.open(BytesIO(self.photos[number]))

    def parities(self) -> dict[str, set[int]]:
        seen = defaultdict(set)
        for row in self.rows:
            if row[7]:
                seen[row[4]].add(int(row[7]) % 2)
        return seen


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Sample(draw_sample(tmp_path_factory.mktemp("small") / "sample", **SMALL))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return Sample(draw_sample(tmp_path_factory.mktemp("full") / "sample"))


@pytest.fixture(scope="module", params=["small", "full"])
def drawn(request):
    return request.getfixturevalue(request.param)


def test_layout_is_kaggles(drawn):
    assert {path.name for path in drawn.folder.iterdir()} == {"styles.csv", "images", "sample.json"}
    assert drawn.header == COLUMNS
    ids = [int(row[0]) for row in drawn.rows]
    assert len(set(ids)) == len(ids) and ids != sorted(ids)
    assert set(drawn.photos) < set(map(str, ids))


def test_asks_are_met(small, full):
    assert len(small.usable) == 160 and len(small.by_type) == 6
    assert len(full.usable) == 1200 and len(full.by_type) == 30
    assert json.loads((full.folder / "sample.json").read_text()) == {
        "sample": True,
        "photos": 1200,
        "types": 30,
        "seed": 2010,
        "version": 1,
    }


def test_small_sample_takes_the_largest_types(small, full):
    assert {name for name, _ in full.by_type.most_common(6)} == set(small.by_type)


def test_full_sample_is_long_tailed(full):
    counts = [n for _, n in full.by_type.most_common()]
    assert 0.10 <= counts[0] / 1200 <= 0.12
    assert 6 <= counts[-1] <= 8
    assert sum(counts[:10]) > 2 * sum(counts[10:]) * 0.9
    assert {row[2] for row in full.rows} == {"Apparel", "Footwear", "Accessories", "Personal Care"}


def test_every_photo_decodes_and_shows_something(drawn):
    for number in drawn.photos:
        image = drawn.image(number)
        image.load()
        assert image.format == "JPEG"
        covered = (np.asarray(image.convert("L")) < 235).mean()
        assert 0.04 < covered < 0.8, f"{number}: {covered:.0%} of it is covered"


def test_years_run_from_2010_to_2017_evenly(full):
    years = Counter(int(row[7]) for row in full.usable)
    assert set(years) == set(range(2010, 2018))
    assert 0.45 < sum(n for year, n in years.items() if year % 2 == 0) / 1200 < 0.55


def test_two_types_only_in_odd_years_and_one_only_in_even_years(drawn):
    parities = drawn.parities()
    rarest = [kind.name for kind in KINDS[: len(parities)]][-3:]
    assert [parities.pop(name) for name in rarest] == [{0}, {1}, {1}]
    assert all(both == {0, 1} for both in parities.values())


def test_one_row_has_an_unquoted_comma_and_a_photo(drawn):
    (row,) = [row for row in drawn.rows if len(row) != 10]
    assert len(row) == 11 and row[0] in drawn.photos


def test_one_row_has_no_photo(drawn):
    (row,) = [row for row in drawn.rows if row[0] not in drawn.photos]
    assert len(row) == 10 and row[7]


def test_one_row_has_no_year(drawn):
    (row,) = [row for row in drawn.rows if not row[7]]
    assert len(row) == 10 and row[0] in drawn.photos


def test_one_photo_is_grey(drawn):
    (number,) = [number for number in drawn.photos if drawn.image(number).mode != "RGB"]
    assert drawn.image(number).mode == "L" and number in {row[0] for row in drawn.usable}


def test_one_photo_has_another_size(drawn):
    sizes = Counter(drawn.image(number).size for number in drawn.photos)
    assert sizes == {(60, 80): len(drawn.photos) - 1, (75, 100): 1}


def test_two_pairs_of_twins_in_even_years(drawn):
    rows = {row[0]: row for row in drawn.usable}
    groups = defaultdict(list)
    for number, data in drawn.photos.items():
        groups[data].append(number)
    twins = [numbers for numbers in groups.values() if len(numbers) > 1]
    assert [len(numbers) for numbers in twins] == [2, 2]
    for pair in twins:
        one, other = (rows[number] for number in pair)
        assert one[1:7] == other[1:7]
        assert int(one[7]) % 2 == int(other[7]) % 2 == 0


@pytest.mark.parametrize("colour", ["Red", "Navy Blue", "Yellow"])
def test_base_colour_is_the_colour_drawn(full, colour):
    rows = [
        row
        for row in full.usable
        if row[5] == colour and row[4] in ("Tshirts", "Tops", "Dresses", "Shirts")
    ]
    assert rows
    for row in rows:
        pixels = np.asarray(full.image(row[0]).convert("RGB"), float).reshape(-1, 3)
        assert (np.abs(pixels - PALETTE[colour]).max(1) < 45).mean() > 0.08


def test_names_tell_gender_colour_and_thing(drawn):
    for row in drawn.usable:
        assert row[1] in row[9] and row[5] in row[9], row


def test_same_seed_same_bytes_and_another_seed_others(small, tmp_path):
    again = Sample(draw_sample(tmp_path / "again", **SMALL))
    assert again.photos == small.photos
    assert again.rows == small.rows
    assert Sample(draw_sample(tmp_path / "other", **SMALL, seed=7)).photos != small.photos


def test_second_call_draws_nothing(small, monkeypatch):
    monkeypatch.setattr(sample, "_rows", lambda *_: pytest.fail("drawn again"))
    before = small.folder.stat().st_mtime_ns
    assert draw_sample(small.folder, **SMALL) == small.folder
    assert small.folder.stat().st_mtime_ns == before


def test_other_settings_replace_the_sample(tmp_path):
    folder = draw_sample(tmp_path / "sample", photos=60, types=6)
    assert len(Sample(draw_sample(folder, photos=70, types=6)).usable) == 70
    assert list(tmp_path.iterdir()) == [folder]


def test_empty_folder_may_be_used(tmp_path):
    (tmp_path / "sample").mkdir()
    assert len(Sample(draw_sample(tmp_path / "sample", photos=60, types=6)).usable) == 60


@pytest.mark.parametrize(
    "content", [{"mine.txt": "x"}, {"sample.json": "{"}, {"sample.json": '{"sample": false}'}]
)
def test_foreign_folder_is_refused_untouched(tmp_path, content):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=str(folder)):
        draw_sample(folder, **SMALL)
    assert {path.name: path.read_text() for path in folder.iterdir()} == content
    assert list(tmp_path.iterdir()) == [folder]


def test_sample_with_someones_files_in_it_is_not_replaced(tmp_path):
    folder = draw_sample(tmp_path / "sample", photos=60, types=6)
    (folder / "notes.txt").write_text("mine")
    assert draw_sample(folder, photos=60, types=6) == folder
    with pytest.raises(DataError, match=r"notes\.txt"):
        draw_sample(folder, photos=70, types=6)
    assert (folder / "notes.txt").read_text() == "mine"


def test_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "sample").write_text("x")
    with pytest.raises(DataError, match="sample"):
        draw_sample(tmp_path / "sample", **SMALL)


@pytest.mark.parametrize("replacing", [False, True])
def test_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch, replacing):
    if replacing:
        draw_sample(tmp_path / "sample", photos=60, types=6)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    left = iter(range(20))

    def interrupt(self):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return Image.new("RGB", (60, 80))

    monkeypatch.setattr(sample.Row, "photo", interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw_sample(tmp_path / "sample", **SMALL)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"] * replacing


@pytest.mark.parametrize("wrong", [{"types": 5}, {"types": 31}, {"photos": 30, "types": 6}])
def test_impossible_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(DataError, match="types"):
        draw_sample(tmp_path / "sample", **wrong)
    assert not list(tmp_path.iterdir())
