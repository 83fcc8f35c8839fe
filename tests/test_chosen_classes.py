"""The number of classes is a setting: the largest ones, or all but these."""

import pytest
import torch

from fashion_tl.approaches import run_approach
from fashion_tl.config import Config
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.network.model import load_model
from fashion_tl.recipes import approach_configs
from fashion_tl.reporting.gallery import distribution20, draw_all
from tests.conftest import figures_alone
from tests.quick import QUICKEST
from tests.test_figures import row_names


def test_the_other_classes_alone_are_learned_from_the_network_of_the_largest(
    wide_root, tmp_path, monkeypatch
):
    first, second = run_approach(
        "rare", wide_root, "none", tmp_path / "run", **QUICKEST, largest=10
    )
    largest, others = set(first.per_class["label"]), set(second.per_class["label"])
    assert len(largest) == 10 and len(others) == 14 and not largest & others
    assert first.folder == second.folder / "top20"
    counts = read_catalogue(open_root(wide_root)).counts.set_index("label")
    assert set(second.predictions["label"]) == {c for c in others if counts.loc[c, "test"]}
    assert counts.loc[list(others), "train"].sum() == second.per_class["train"].sum()
    a, b = (load_model(run.model_path).model for run in (first, second))
    assert torch.equal(a.layer1[0].conv1.weight, b.layer1[0].conv1.weight)
    assert not torch.equal(a.layer4[0].conv1.weight, b.layer4[0].conv1.weight)
    assert "without the 10 largest classes" in second.source
    with figures_alone("loss", "per_class", "weight", "calibration"):
        names = {file.name for file in draw_all(second.folder, wide_root)}
    assert {"loss_122.png", "per_class_122.png", "weight.png", "calibration_122.png"} <= names


def test_leaving_all_classes_out_is_an_error_that_says_so(sample_root):
    data = load_data(sample_root, Config("rare"), quiet=True)
    with pytest.raises(
        DataError, match="all but the 20 largest classes have no photo to train on"
    ) as error:
        data.of_classes(Config("rare", without_largest=20))
    way_out = "leave out fewer: set `without_largest` lower or, for `rare`, `largest`"
    assert str(error.value).endswith(way_out)
    one_left = data.task.num_classes - 1
    with pytest.raises(DataError, match=r"(no photo|a single one).*leave out fewer"):
        data.of_classes(Config("rare", without_largest=one_left))


def test_how_many_classes_the_second_step_leaves_out_is_said_once_by_largest():
    first, second = approach_configs("rare", largest=7)
    assert (first.largest, first.without_largest) == (7, 0)
    assert (second.largest, second.without_largest) == (0, 7)
    first, second = approach_configs("two_step", without_largest=5)
    assert (first.without_largest, second.without_largest) == (0, 5)
    with pytest.raises(ConfigError, match=r"instead of `without_largest`, set .* `largest`"):
        approach_configs("rare", without_largest=5)


def test_the_largest_classes_are_a_setting(sample_root, tmp_path):
    first, second = run_approach(
        "two_step", sample_root, "none", tmp_path / "run", largest=3, **QUICKEST
    )
    assert (len(first.per_class), len(second.per_class)) == (3, 8)
    data = load_data(sample_root, second.config)
    assert len(row_names(distribution20(second, data))) == 3
    (run,) = run_approach("direct", sample_root, "none", tmp_path / "direct", largest=2, **QUICKEST)
    assert len(run.per_class) == 2
    with pytest.raises(DataError, match="a single one has photos to train on"):
        run_approach("direct", sample_root, "none", tmp_path / "one", largest=1, **QUICKEST)
