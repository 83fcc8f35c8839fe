"""Measured results: files and README say the same, and nothing else gets among them."""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fashion_tl.approaches import run_approach
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import RunError
from fashion_tl.reporting.evaluation import TOP_K
from fashion_tl.runs import read_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
KEYS = set(
    "approach recipe data weights image_size epochs seed n_test correct top1 top5 macro few_shot ceiling "
    "top1_learnable top5_learnable minutes machine commit precision interval95 config versions".split()
)
VALUES = {"ours", "peer", "limit", "ratio_peer", "ratio_limit"}
sys.path.insert(0, str(RESULTS))


def load(name):
    spec = importlib.util.spec_from_file_location(f"results_{name}", RESULTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make, compare, words = load("make"), load("compare"), load("words")
RECORDS = compare.recorded(RESULTS)


def record(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


@pytest.mark.parametrize("file", make.WRITTEN, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_what_is_written_about_results_is_what_their_files_say(file):
    text = file.read_text(encoding="utf-8")
    assert "<!-- results: " in text
    assert make.render(text) == text, "run `make results`"


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_complete_and_agrees_with_its_counts_per_class(name):
    ours = record(name)
    assert set(ours) >= KEYS
    per_class = read_table(RESULTS / f"{name}_per_class.csv")
    assert list(per_class.columns) == ["articleType", "train", "test", "correct"]
    seen = per_class[(per_class["train"] > 0) & (per_class["test"] > 0)]
    few = seen[seen["train"] <= 50]
    assert per_class["test"].sum() == ours["n_test"] and per_class["correct"].sum() == ours["correct"]
    assert ours["top1"] == pytest.approx(ours["correct"] / ours["n_test"])
    assert ours["ceiling"] == pytest.approx(seen["test"].sum() / ours["n_test"])
    assert ours["macro"] == pytest.approx((seen["correct"] / seen["test"]).mean())
    if len(few):
        assert ours["few_shot"] == pytest.approx((few["correct"] / few["test"]).mean())
    assert ours["top1"] <= ours["top5"] <= ours["ceiling"]
    for figure, (low, high) in ours["interval95"].items():
        assert low < ours[figure] < high


@pytest.mark.parametrize("name", RECORDS)
def test_its_predictions_history_and_confusions_agree_with_it(name):
    ours = record(name)
    predictions = read_table(RESULTS / f"{name}_predictions.csv.gz")
    assert list(predictions.columns) == ["id", *(f"top{k}" for k in range(1, TOP_K + 1)), "p1"]
    assert len(predictions) == predictions["id"].nunique() == ours["n_test"]
    result = compare.read_result(RESULTS, name)
    assert result.confusions["count"].sum() == ours["n_test"] - ours["correct"]
    assert len(result.history) == ours["epochs"] and result.history["best"].sum() == 1
    assert result.history.loc[result.history["best"], "epoch"].item() == ours["best_epoch"]


def test_every_two_runs_are_compared_on_their_photos():
    paired = json.loads((RESULTS / "paired.json").read_text())
    assert {("fc_only", "direct"), ("direct", "two_step"), ("top20", "two_step")} <= set(make.runs_to_compare(RECORDS))
    assert [(each["first"], each["second"]) for each in paired] == make.runs_to_compare(RECORDS)
    for each in paired:
        one, other = record(each["first"]), record(each["second"])
        if one["n_test"] == other["n_test"]:
            assert each["only_second"] - each["only_first"] == other["correct"] - one["correct"]
            for figure in {"top1", "macro", "few_shot"} & set(each):
                assert each[figure]["difference"] == pytest.approx(other[figure] - one[figure])


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
    assert set(RECORDS) >= {"fc_only", "direct", "top20", "two_step"}


def test_a_run_on_the_sample_is_not_taken_for_a_result(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"data": {"name": "the built-in sample"}}))
    with pytest.raises(RunError, match="measurements on real data alone"):
        make.record(tmp_path, tmp_path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A short run on a drawn catalogue that is not known as the sample, taken into a folder of results."""
    folder = tmp_path_factory.mktemp("recorded")
    data = draw_sample(folder / "catalogue", photos=240, types=22)
    settings = {"image_size": (32, 32), "epochs": 2, "cache": folder / "cache"}
    run = run_approach("fc_only", data, "none", folder / "run", **settings)[0]
    about = json.loads((run.folder / "run.json").read_text())
    about["data"]["name"] = "a catalogue"
    (run.folder / "run.json").write_text(json.dumps(about))
    results = folder / "results"
    results.mkdir()
    assert make.record(run.folder, results) == "fc_only"
    assert make.record(run.folder, results, "again") == "again"
    return data, results


def test_every_metric_is_recomputed_from_predictions_and_styles_csv_alone(recorded):
    data, results = recorded
    tables = make.check(data, results)
    assert list(tables) == ["again", "fc_only"]
    renamed = {"fc_only": tables["fc_only"], "fc_only_again": tables["again"]}
    assert [(each["first"], each["top1"]["difference"]) for each in make.paired(renamed)] == [("fc_only", 0)]


def test_every_record_is_one_of_the_looks_and_the_same_look_is_counted_once(recorded):
    _, results = recorded
    looks = read_table(results / "looks.csv")
    assert looks["run"].tolist() == ["fc_only", "again"]
    make.record(results.parent / "run", results, "again")
    assert len(read_table(results / "looks.csv")) == 2


def test_every_run_on_record_is_among_the_looks_at_the_odd_years():
    looks = read_table(RESULTS / "looks.csv")
    for name in RECORDS:
        assert ((looks["run"] == name) & (looks["correct"] == record(name)["correct"])).any(), name


@pytest.mark.parametrize("metric", ["correct", "top5", "macro"])
def test_a_metric_that_its_predictions_do_not_say_is_found(recorded, metric):
    data, results = recorded
    file = results / "again.json"
    whole = file.read_text()
    changed = json.loads(whole)
    changed[metric] += 1 if metric == "correct" else 0.001
    file.write_text(json.dumps(changed))
    with pytest.raises(RunError, match=rf"again.json says {metric}"):
        make.check(data, results)
    file.write_text(whole)


@pytest.mark.parametrize("table", ["per_class", "confusions"])
def test_counts_that_its_predictions_do_not_say_are_found(recorded, table):
    data, results = recorded
    file = results / f"again_{table}.csv"
    whole = file.read_text()
    changed = read_table(file)
    changed.loc[0, "correct" if table == "per_class" else "count"] += 1
    changed.to_csv(file, index=False)
    with pytest.raises(RunError, match=f"again_{table}.csv is not what its predictions say"):
        make.check(data, results)
    file.unlink()
    with pytest.raises(RunError, match="can't be read"):
        make.check(data, results)
    file.write_text(whole)


def test_predictions_of_other_photos_are_refused(recorded):
    data, results = recorded
    file = results / "again_predictions.csv.gz"
    table = read_table(file)
    whole = file.read_bytes()
    table.iloc[1:].to_csv(file, index=False)
    with pytest.raises(RunError, match="does not hold each test photo"):
        make.check(data, results)
    file.write_bytes(whole)


def test_results_are_compared_in_tables_and_drawn(recorded):
    _, results = recorded
    both = [compare.read_result(results, name) for name in ("fc_only", "again")]
    merits = compare.side_by_side(both)
    assert list(merits.index) == ["fc_only", "again"] and "ceiling" in merits
    shares = compare.to_the_ceiling(both)
    assert np.allclose(shares.sum(axis=1), 1)
    bins = compare.by_training_photos(both)
    tested = both[0].per_class[(both[0].per_class["train"] > 0) & (both[0].per_class["test"] > 0)]
    assert bins["classes"].sum() == len(tested) and bins["test photos"].sum() == tested["test"].sum()
    assert (compare.gained_and_lost(*both)["difference"] == 0).all()
    for figure in (compare.merit_chart(both, {"fc_only": [{"top1": 0.5}]}, "source"), compare.photos_chart(both, "s")):
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_runs_that_differ_in_the_seed_alone_are_given_by_mean_and_spread(tmp_path):
    assert "Not measured yet" in words.seeds(tmp_path)
    for seed, top1 in enumerate((0.5, 0.6, 0.7)):
        for name in (f"gpu_direct_seed{seed}", f"gpu_direct_seed{seed}_published"):
            (tmp_path / f"{name}_predictions.csv.gz").touch()
            figures = {"top1": top1, "top5": 0.9, "macro": 0.4, "few_shot": None}
            (tmp_path / f"{name}.json").write_text(json.dumps(figures))
    lines = words.seeds(tmp_path).splitlines()[2:]
    same = "| 3 | 60.0 % ± 10.0 | 90.0 % ± 0.0 | 40.0 % ± 0.0 | – |"
    assert lines == [f"| `gpu_direct` {same}", f"| `gpu_direct_published` {same}"]


def test_a_result_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match="no whole result 'direct'"):
        compare.read_result(tmp_path, "direct")


def test_published_figures_are_fractions_under_our_names():
    published = compare.read_published(RESULTS)
    assert published["fc_only"][0]["top1"] == pytest.approx(0.4964, abs=1e-4)
    assert [each["top1"] for each in published["two_step"]] == pytest.approx([0.7095, 0.7280], abs=1e-4)  # with flips
    assert [each["macro"] for each in published["two_step"]] == pytest.approx([0.5658, 0.6067], abs=1e-4)
    for figures in (figures for runs in published.values() for figures in runs):
        margins = figures.pop("margin95")
        assert set(margins) <= set(figures) and all(0 < value < 1 for value in figures.values())
        assert 0 < margins["top1"] < 0.01 and margins.get("few_shot", 0.03) > margins.get("macro", 0.02)


def test_an_approach_that_the_study_lacks_has_its_rows(tmp_path, monkeypatch):
    for file in ("published.json", "published_per_class.csv", "goals.json", "direct.json"):
        shutil.copy(RESULTS / file, tmp_path / file.replace("direct", "mine"))
    monkeypatch.setitem(words.TITLES, "mine", "Mine")
    assert "| Mine | top-1 | – | " in words.merits(tmp_path) and "| Mine | – | " in words.table(tmp_path)
    assert "Nothing is compared yet" in words.pairs(tmp_path)


def test_published_counts_per_class_add_up_to_what_the_study_prints():
    study = json.loads((RESULTS / "published.json").read_text())
    counts = read_table(RESULTS / "published_per_class.csv")
    ours = read_table(RESULTS / "direct_per_class.csv").query("train > 0 and test > 0").reset_index(drop=True)
    assert counts[["articleType", "train", "test"]].equals(ours[["articleType", "train", "test"]])
    for name in ("fc_only", "direct", "two_step", "two_step_flips"):
        assert counts[name].sum() == study[name]["notebook"]["correct"] and (counts[name] <= counts["test"]).all()


def test_every_long_check_has_left_its_table_and_met_its_bounds():
    text = (RESULTS / "reliability.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- reliability: (\w+) -->\n(.*?)<!-- end -->", text, re.DOTALL))
    assert set(blocks) == {"faults", "fuzz", "scale", "browser"}
    for name, table in blocks.items():
        assert len(table.splitlines()) > 5 and "; commit " in table, f"run `make {name}`"
        assert "NOT MET" not in table
    good = {"faults": ("what was lost", "nothing"), "fuzz": ("failures", "0"), "browser": ("errors", "0")}
    for name, (column, cell) in good.items():
        head, _, *rows = [line.strip("| ").split(" | ") for line in blocks[name].splitlines() if line.startswith("|")]
        assert {row[head.index(column)] for row in rows} == {cell}, f"make {name}"
