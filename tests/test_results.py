"""Measured results: files and README say the same, and nothing else gets among them."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

from fashion_tl.errors import RunError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
KEYS = set(
    "approach recipe data weights image_size epochs seed n_test correct top1 top5 macro few_shot ceiling "
    "top1_learnable minutes machine commit".split()
)
VALUES = {"ours", "peer", "limit", "ratio_peer", "ratio_limit"}
RECORDS = [path for path in sorted(RESULTS.glob("*.json")) if path.stem not in ("published", "precision")]

spec = importlib.util.spec_from_file_location("results_make", RESULTS / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def test_the_readme_says_what_the_result_files_say():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "<!-- results: table -->" in readme
    assert make.render(readme) == readme, "run `make results`"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_complete_and_agrees_with_its_counts_per_class(path):
    record = json.loads(path.read_text())
    assert set(record) >= KEYS
    per_class = pd.read_csv(path.with_name(f"{path.stem}_per_class.csv"))
    assert list(per_class.columns) == ["articleType", "train", "test", "correct"]
    seen = per_class[(per_class["train"] > 0) & (per_class["test"] > 0)]
    few = seen[seen["train"] <= 50]
    assert per_class["test"].sum() == record["n_test"] and per_class["correct"].sum() == record["correct"]
    assert record["top1"] == pytest.approx(record["correct"] / record["n_test"])
    assert record["ceiling"] == pytest.approx(seen["test"].sum() / record["n_test"])
    assert record["macro"] == pytest.approx((seen["correct"] / seen["test"]).mean())
    if len(few):
        assert record["few_shot"] == pytest.approx((few["correct"] / few["test"]).mean())
    assert record["top1"] <= record["top5"] <= record["ceiling"]


def test_each_measurement_of_speed_has_its_ratios_and_their_spread():
    files = sorted((RESULTS / "bench").glob("*.json"))
    assert files
    for file in files:
        about = json.loads(file.read_text())
        assert {"machine", "versions", "data", "photos", "commit", "rows"} <= set(about)
        for row in about["rows"]:
            assert {"name", "unit", *VALUES} <= set(row)
            for key, (least, most) in row["spread"].items():
                assert least <= row[f"ratio_{key}"] * 1.001 and row[f"ratio_{key}"] <= most * 1.001


def test_bf16_changes_top1_on_the_real_test_photos_by_no_more_than_a_fifth_of_a_point():
    measured = json.loads((RESULTS / "precision.json").read_text())
    assert {each["approach"] for each in measured} >= {"fc_only", "direct"}
    for each in measured:
        assert each["n_test"] == 20634
        assert each["top1_change"] == pytest.approx((each["correct_bf16"] - each["correct_fp32"]) / each["n_test"])
        assert abs(each["top1_change"]) <= 0.002


def test_all_trainings_are_on_record():
    assert {path.stem for path in RECORDS} >= {"fc_only", "direct", "top20", "two_step"}


def test_a_run_on_the_sample_is_not_taken_for_a_result(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"data": {"name": "the built-in sample"}}))
    with pytest.raises(RunError, match="measurements on real data alone"):
        make.record(tmp_path, tmp_path)
