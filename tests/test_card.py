"""The model card in a run's folder."""

from dataclasses import replace

import numpy as np
import pytest

from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.task import Task
from fashion_tl.network.model import load_model
from fashion_tl.reporting.card import model_card


def test_it_says_what_the_network_is_how_good_it_is_and_what_it_cannot_do(tiny_run):
    card = (tiny_run.folder / "model_card.md").read_text(encoding="utf-8")
    titles = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        "What it is",
        "What it learned from",
        "How good it is",
        "What it can't do",
        "Licence",
    ]
    metrics = tiny_run.metrics
    assert f"all test photos: {metrics['top1']:.2%}" in card
    assert f"can pass: {metrics['ceiling']:.2%}" in card
    assert "Tiny ResNet for articleType" in card and "even years train, odd years test" in card
    assert "It learned from drawings" in card and "started from random weights" in card
    assert f"(temperature {metrics['temperature']:.3f}, calibration error" in card
    assert f"could learn, the error is {metrics['ece']:.3f}" in card
    assert "`label` and `split` were not used" not in card and "Kaggle" not in card
    photos, tested = tiny_run.about["data"]["photos"], metrics["n_test"]
    trained = sum(load_model(tiny_run.model_path).fit_counts)
    validated = photos - trained - tested
    parts = f"{trained} trained, {validated} validated, and {tested} tested"
    assert f"Of {photos} photos, {parts}." in card
    unseen = tiny_run.per_class.query("train == 0 and test > 0")
    assert f"It never names {len(unseen)} of the classes" in card
    assert f"{unseen['test'].sum()} photos of odd years" in card


def task_with(validated: int, of_no_trained_class: int = 0) -> Task:
    """One photo trains, and so many validate."""
    labels = np.repeat([0, 1], [1 + validated, of_no_trained_class])
    val = np.arange(1, len(labels))
    return Task(("Shirts", "Hats"), labels, np.arange(1), val, np.arange(0))


@pytest.mark.parametrize("of_no_trained_class", [0, 30])
@pytest.mark.parametrize(
    ("validated", "words"),
    [
        (0, "no photo validates, so no photo is ever called unknown."),
        (4, "only 4 photos validated, so far more than 1 in 20 good photos may be called unknown."),
        (20, "but misses some of them.\n"),
    ],
)
def test_it_says_when_too_few_photos_validated_to_know_unknown_ones(
    tiny_run, sample_root, validated, words, of_no_trained_class
):
    catalogue = read_catalogue(open_root(sample_root))
    task = task_with(validated, of_no_trained_class)
    card = model_card(tiny_run, tiny_run.metrics, tiny_run.per_class, catalogue, task)
    assert words in card and f" {len(task.val)} validated, and" in card


def test_the_licence_at_kaggle_is_named_for_its_photos_alone(tiny_run, sample_root):
    catalogue = read_catalogue(open_root(sample_root))
    name = {"name": "fashion-product-images-small.zip"}
    run = replace(tiny_run, about=tiny_run.about | {"data": tiny_run.about["data"] | name})
    card = model_card(run, run.metrics, run.per_class, catalogue, task_with(4))
    assert "That of *Fashion Product Images* is on its page at Kaggle." in card


def test_if_folders_name_the_classes_it_names_no_column(tiny_run, tmp_path):
    for file in ("train/Shirts/1.jpg", "train/Heels/2.jpg", "test/Heels/3.jpg"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    catalogue = read_catalogue(open_root(tmp_path))
    card = model_card(tiny_run, tiny_run.metrics, tiny_run.per_class, catalogue, task_with(4))
    assert card.startswith("# Tiny ResNet for photos in class folders\n")
    assert "names the folder that a photo belongs to" in card and "articleType" not in card
    assert "Its `label` and `split` were not used, because folders decided." in card
    assert "The split: the training folders train, the test folders test." in card
