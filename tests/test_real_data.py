"""The facts of Kaggle's Fashion Product Images (Small), as the README states them. Skipped without
the data.
"""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from fashion_tl.data.catalogue import facts, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode_photos
from fashion_tl.data.task import make_task
from fashion_tl.data.twins import photo_digests, twin_groups
from tests import REPOSITORY

FACTS = {
    "rows": 44446,
    "malformed": 22,
    "missing_image": 5,
    "missing_year": 1,
    "usable": 44418,
    "classes": 142,
    "train": 23784,
    "train_classes": 107,
    "test": 20634,
    "test_classes": 122,
    "top20_train": 17998,
    "top20_test": 15143,
    "unseen_classes": 35,
    "unseen_test_rows": 2442,
}


@pytest.fixture(scope="module")
def root(real_zip):
    return open_root(real_zip)


@pytest.fixture(scope="module")
def catalogue(root):
    return read_catalogue(root)


@pytest.fixture(scope="module")
def photos(root, catalogue):
    return decode_photos(root, catalogue.table["id"])


@pytest.fixture(scope="module")
def twins(photos):
    return twin_groups(photo_digests(photos.array))


def test_its_size_is_the_published_one(catalogue):
    numbers = facts(catalogue)
    assert round(numbers.pop("ceiling_top1"), 4) == 0.8817
    assert round(numbers.pop("ceiling_top1_top20"), 4) == 0.9595
    assert numbers == FACTS


def test_the_rows_left_out_are_named(catalogue):
    assert catalogue.left_out["reason"].value_counts().to_dict() == {
        "malformed": 22,
        "missing image": 5,
        "missing year": 1,
    }
    assert catalogue.left_out["id"].str.isdigit().all() and catalogue.left_out["line"].is_unique


def test_recovery_gives_the_malformed_rows_back(root, catalogue):
    recovered = read_catalogue(root, "recover")
    assert len(recovered.table) == 44440 and recovered.malformed == 22
    back = recovered.table[~recovered.table["id"].isin(catalogue.table["id"])]
    assert len(back) == 22 and back["productDisplayName"].str.contains(",").all()


def test_perfume_is_among_the_20_largest_and_never_trained_on(catalogue):
    row = catalogue.counts.set_index("label").loc["Perfume and Body Mist"]
    assert (row["train"], row["test"]) == (0, 613)
    assert "Perfume and Body Mist" in catalogue.classes[:20]


def test_the_summary_command_prints_these_facts(real_zip):
    command = [sys.executable, "-m", "fashion_tl", "summary", "--data", str(real_zip), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    numbers = json.loads(done.stdout)
    assert list(numbers) == [*FACTS, "ceiling_top1", "ceiling_top1_top20"]
    assert {name: numbers[name] for name in FACTS} == FACTS


def test_every_photo_is_decoded_and_the_gray_ones_are_rgb(root, catalogue, photos):
    assert photos.failed == {} and photos.array.shape == (44418, 80, 60, 3)
    row = {number: i for i, number in enumerate(photos.ids.tolist())}
    gray = []
    with root.open_files() as read:
        for number in sorted(root.photos):
            content = read(f"images/{number}.jpg")
            with Image.open(io.BytesIO(content)) as image:
                if image.mode == "L":
                    gray.append((number, content))
    assert len(gray) == 431
    for number, content in gray[:5]:
        photo = photos.array[row[number]]
        assert (photo == photo[:, :, :1]).all()
        with Image.open(io.BytesIO(content)) as image:
            assert image.size != (60, 80) or (photo[:, :, 0] == np.asarray(image)).all()


def test_842_training_photos_have_a_twin_and_no_twins_are_parted(catalogue, twins):
    task = make_task(catalogue, twins)
    even = np.union1d(task.train, task.val)
    _, group, size = np.unique(twins[even], return_inverse=True, return_counts=True)
    assert (size[group] > 1).sum() == 842
    assert not set(twins[task.train]) & set(twins[task.val])


def test_the_validation_part_is_a_tenth_of_each_class(catalogue, twins):
    task = make_task(catalogue, twins)
    val = np.bincount(task.labels[task.val], minlength=142)
    both = catalogue.counts["train"].to_numpy()
    assert (val[both < 5] == 0).all() and (val[both >= 5] >= 1).all()
    assert (task.fit_counts[both > 0] > 0).all()
    assert 0.098 < len(task.val) / 23784 < 0.104
    assert len(task.train) + len(task.val) == 23784 and len(task.test) == 20634


def test_the_classes_that_macro_and_few_shot_are_taken_over(catalogue):
    counts = catalogue.counts
    tested = counts[(counts["train"] > 0) & (counts["test"] > 0)]
    assert len(tested) == 87 and (tested["train"] <= 50).sum() == 40


def test_every_recorded_metric_is_what_its_predictions_and_styles_csv_say(real_zip, cache):
    command = [
        sys.executable,
        "-m",
        "study",
        "check",
        "--data",
        str(real_zip),
        "--cache",
        str(cache),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "two_step: every metric" in done.stdout


def test_the_archive_is_as_it_was(real_zip, photos, cache):
    """Photos were decoded from it, into the cache; the archive itself was only read."""
    assert str(cache) in str(photos.array.filename)
    with zipfile.ZipFile(real_zip) as archive:
        assert archive.testzip() is None
