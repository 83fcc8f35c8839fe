"""Measured results: files and README say the same, and nothing else gets among them."""

import errno
import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from fashion_tl.approaches import run_approach
from fashion_tl.config import Config
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import RunError, WeightsError
from fashion_tl.recipes import make_config
from fashion_tl.reporting.evaluation import TOP_K
from fashion_tl.runfiles import read_table
from fashion_tl.runs import open_run
from study import charts, compare, records, train, tune
from study.__main__ import main
from study.blocks import BLOCKS, approaches, others, runs
from study.check import check, paired
from study.places import REPOSITORY, RESULTS
from study.published import read_published
from study.record import look, record
from study.records import (
    groups,
    one_at_a_time,
    pairs,
    read_benches,
    read_columns,
    read_looks,
    read_measured,
    read_record,
    read_records,
    recorded,
)
from study.render import MarkerError, documents, render, render_all
from study.train import Entry, Plan
from tests.conftest import TINY

SETTINGS = Config("direct").to_dict()
KEYS = set(
    "base group approach recipe data weights image_size epochs seed n_test correct "
    "top1 top5 macro few_shot ceiling top1_learnable top5_learnable minutes machine commit "
    "precision interval95 config versions".split()
)
VALUES = {"ours", "peer", "limit", "ratio_peer", "ratio_limit"}
RECORDS = read_records(RESULTS)


def test_what_is_written_about_results_is_what_their_files_say():
    for file, text in render_all(documents(REPOSITORY), BLOCKS, RESULTS).items():
        assert text == file.read_text(encoding="utf-8"), f"{file}: run `make results`"


@pytest.fixture
def document(tmp_path):
    """``document(text)``: the one document of a folder; its block ``mine`` is made of the line
    ``made``.
    """

    def make(text):
        file = tmp_path / "page.md"
        file.write_text(text, encoding="utf-8")
        return render_all([file], {"mine": lambda results: "made"}, tmp_path)[file]

    return make


def test_a_marked_block_is_made_and_all_else_stays(document):
    text = (
        "# Title\n<!-- results: mine -->\nold\nlines\n<!-- end -->\n\n"
        "<!-- reliability: x -->\n1\n<!-- end -->\n"
    )
    assert document(text) == text.replace("old\nlines", "made")


@pytest.mark.parametrize("name", ["yours", "Mine", "mine2"])
def test_a_marker_that_no_function_makes_is_an_error_that_names_it_and_its_document(document, name):
    with pytest.raises(
        MarkerError,
        match=rf"page.md, line 2: <!-- results: {name} -->: no function .* there are: mine",
    ):
        document(f"# Title\n<!-- results: {name} -->\n<!-- end -->\n")


@pytest.mark.parametrize(
    "line",
    [
        "<!-- results:mine -->",
        "  <!-- results: mine -->",
        "<!--results: mine-->",
        "<!-- results mine -->",
        "<!-- results: my-own -->",
        "<!-- results: mine --> x",
    ],
)
def test_a_line_that_is_almost_a_marker_is_not_passed_over(document, line):
    with pytest.raises(
        MarkerError, match=r"page.md, line 1: .* is no marker; write <!-- results: NAME -->"
    ):
        document(f"{line}\n<!-- end -->\n")


@pytest.mark.parametrize("rest", ["more\n", "more\n<!-- results: mine -->\n<!-- end -->\n"])
def test_a_block_without_an_end_is_an_error_and_swallows_nothing(document, rest):
    with pytest.raises(
        MarkerError, match=r"page.md, line 1: <!-- results: mine --> has no <!-- end -->"
    ):
        document(f"<!-- results: mine -->\n{rest}")


def test_a_function_whose_marker_stands_in_no_document_is_an_error_that_names_it(document):
    with pytest.raises(MarkerError, match=r"no document has the marker <!-- results: mine -->"):
        document("# Title\n")


def test_a_marker_in_the_text_of_a_line_is_only_mentioned():
    text = "write `<!-- results: NAME -->` and `<!-- end -->`\n"
    assert render(text, BLOCKS, RESULTS, "page.md") == text


@pytest.mark.parametrize("ours", RECORDS.values(), ids=RECORDS)
def test_a_record_is_complete_and_agrees_with_its_counts_per_class(ours):
    about, per_class = ours.about, ours.per_class
    assert set(about) >= KEYS
    files = {"run.json", "history.csv", "per_class.csv", "confusions.csv", "predictions.csv.gz"}
    assert {file.name for file in ours.folder.iterdir()} == files
    assert list(per_class.columns) == ["label", "train", "test", "correct", "accuracy"]
    seen = per_class[(per_class["train"] > 0) & (per_class["test"] > 0)]
    few = seen[seen["train"] <= 50]
    assert (
        per_class["test"].sum() == about["n_test"]
        and per_class["correct"].sum() == about["correct"]
    )
    assert about["top1"] == pytest.approx(about["correct"] / about["n_test"])
    assert about["ceiling"] == pytest.approx(seen["test"].sum() / about["n_test"])
    assert about["macro"] == pytest.approx((seen["correct"] / seen["test"]).mean())
    if len(few):
        assert about["few_shot"] == pytest.approx((few["correct"] / few["test"]).mean())
    assert about["top1"] <= about["top5"] <= about["ceiling"]
    for figure, (low, high) in about["interval95"].items():
        assert low < about[figure] < high


@pytest.mark.parametrize("ours", RECORDS.values(), ids=RECORDS)
def test_its_predictions_history_and_confusions_agree_with_it(ours):
    about, predictions, history = ours.about, ours.predictions, ours.history
    assert list(predictions.columns) == ["id", *(f"top{k}" for k in range(1, TOP_K + 1)), "p1"]
    assert len(predictions) == predictions["id"].nunique() == about["n_test"]
    assert ours.confusions["count"].sum() == about["n_test"] - about["correct"]
    assert len(history) == about["epochs"] and history["best"].sum() == 1
    assert history.loc[history["best"], "epoch"].item() == about["best_epoch"]


def test_every_run_is_compared_with_the_runs_that_it_names_on_their_photos():
    compared = json.loads((RESULTS / "paired.json").read_text())
    assert {("fc_only", "direct"), ("direct", "two_step"), ("top20", "two_step")} <= set(
        pairs(RECORDS)
    )
    assert [(each["first"], each["second"]) for each in compared] == pairs(RECORDS)
    for each in compared:
        one, other = RECORDS[each["first"]].about, RECORDS[each["second"]].about
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
        assert each["top1_change"] == pytest.approx(
            (each["correct_bf16"] - each["correct_fp32"]) / each["n_test"]
        )
        assert abs(each["top1_change"]) <= 0.002


def test_all_trainings_are_on_record():
    assert set(RECORDS) >= {"fc_only", "direct", "top20", "two_step"}


def test_a_run_on_the_sample_is_not_taken_for_a_result(tmp_path):
    data = {"name": "the built-in sample", "photos": 9, "fingerprint": "f"}
    about = {"config": make_config("fc_only").to_dict(), "data": data}
    (tmp_path / "run.json").write_text(json.dumps(about | {"weights": {"name": "w"}}))
    with pytest.raises(RunError, match="measurements on real data alone"):
        record(tmp_path, tmp_path)


@pytest.fixture(scope="module")
def recorded_runs(tmp_path_factory):
    """A short run on a drawn catalogue that is not known as the sample, taken into a folder of
    results.
    """
    folder = tmp_path_factory.mktemp("recorded")
    data = draw_sample(folder / "catalogue", photos=240, types=22)
    settings = TINY | {"epochs": 2, "cache": folder / "cache"}
    run = run_approach("fc_only", data, "none", folder / "run", **settings)[0]
    about = json.loads((run.folder / "run.json").read_text())
    about["data"] |= {"name": "a catalogue", "is_sample": False}
    (run.folder / "run.json").write_text(json.dumps(about))
    results = folder / "results"
    assert record(run.folder, results) == results / "runs" / "fc_only"
    assert record(run.folder, results, "again", base=["fc_only"]) == results / "runs" / "again"
    return data, results


def test_every_metric_is_recomputed_from_predictions_and_styles_csv_alone(recorded_runs):
    data, results = recorded_runs
    records = read_records(results)
    tables = check(records, data)
    assert list(tables) == ["again", "fc_only"]
    (compared,) = paired(records, tables)
    assert (compared["first"], compared["second"], compared["top1"]["difference"]) == (
        "fc_only",
        "again",
        0,
    )


def test_the_calibration_error_on_record_is_that_of_the_probabilities_on_record(recorded_runs):
    data, results = recorded_runs
    run = open_run(results.parent / "run")
    kept = read_record(results, "again")
    assert kept.about["ece"] == pytest.approx(run.metrics["ece"], abs=0.02)
    assert kept.about["nll"] == run.metrics["nll"]
    file = kept.folder / "run.json"
    whole = file.read_text()
    file.write_text(json.dumps(kept.about | {"ece": kept.about["ece"] + 0.001}))
    with pytest.raises(RunError, match=r"again/run.json: ece is"):
        check(read_records(results), data)
    # Records made before have none of these figures.
    later = ("ece", "nll", "temperature", "val_ece", "threshold95", "threshold98")
    older = {name: value for name, value in kept.about.items() if name not in later}
    file.write_text(json.dumps(older))
    assert len(older) == len(kept.about) - len(later)
    records = read_records(results)
    assert list(check(records, data)) == ["again", "fc_only"]
    assert "ceiling" in compare.side_by_side([*records.values()])
    assert "`again`" in runs.runs(results)
    file.write_text(whole)


def test_the_commands_check_pair_and_compare_what_is_on_record(recorded_runs, capsys):
    data, results = recorded_runs
    place = ["--results", str(results)]
    assert main(["check", "--data", str(data), *place]) == 2
    assert "paired.json is not what the predictions say" in capsys.readouterr().err
    for more in (["--pair"], []):
        assert main(["check", "--data", str(data), *place, *more]) == 0
    out = capsys.readouterr().out
    assert "fc_only: every metric is what its predictions say" in out
    assert out.endswith("\n2 runs checked; none differs\n")
    assert main(["compare", *place]) == 0
    out = capsys.readouterr().out
    assert "ceiling" in out and "only first right" in out
    assert main(["compare", "nothing", *place]) == 2
    assert "no run of this name is on record; there are: again, fc_only" in capsys.readouterr().err
    (results / "paired.json").unlink()


def test_a_record_that_is_made_again_stays_compared_with_the_same_runs(recorded_runs):
    _, results = recorded_runs
    run = results.parent / "run"
    record(run, results, "again")
    assert (
        read_record(results, "again").base == ["fc_only"]
        and read_record(results, "again").group == "again"
    )
    record(run, results, "again", base=[], group="some")
    assert (
        read_record(results, "again").base == [] and read_record(results, "again").group == "some"
    )
    record(run, results, "again", base=["fc_only"], group="again")


def test_a_planned_training_goes_on_record_as_its_entries_say(recorded_runs, tmp_path, monkeypatch):
    _, results = recorded_runs
    entry = Entry("mine_seed1", ("fc_only",), "mine")
    plan = Plan(
        lambda *words, **settings: [open_run(results.parent / "run")], {}, "because", (entry,)
    )
    monkeypatch.setattr(train, "PLANS", (plan,))
    train.main("data", ["weights"], tmp_path / "out", tmp_path)
    kept = read_record(tmp_path, "mine_seed1")
    assert (kept.base, kept.group, kept.about["seed"]) == (["fc_only"], "mine", 0)
    assert read_table(tmp_path / "looks.csv")["why"].tolist() == ["because"]


def test_runs_with_other_weights_have_records_of_their_own(recorded_runs, tmp_path, monkeypatch):
    _, results = recorded_runs
    (tmp_path / "runs").mkdir()
    shutil.copytree(results / "runs" / "fc_only", tmp_path / "runs" / "mine")
    before = (tmp_path / "runs" / "mine" / "run.json").read_text()
    trained = []

    def training(data, weights, folder, cache):
        trained.append((weights, folder.name))
        return [open_run(results.parent / "run")]

    plan = Plan(training, {}, "because", (Entry("mine", ("other",), "both"),))
    monkeypatch.setattr(train, "PLANS", (plan,))
    monkeypatch.setattr(train, "available_weights", lambda name, is_sample: None)
    words = f"train --data d --weights IMAGENET1K_V1 IMAGENET1K_V2 --out {tmp_path / 'out'}"
    assert main([*words.split(), "--results", str(tmp_path)]) == 0
    endings = {"IMAGENET1K_V1": "_imagenet1k_v1", "IMAGENET1K_V2": "_imagenet1k_v2"}
    assert trained == [(weights, f"mine{ending}") for weights, ending in endings.items()]
    for ending in endings.values():
        kept = read_record(tmp_path, f"mine{ending}")
        assert (kept.base, kept.group) == ([f"other{ending}", "mine"], f"both{ending}")
    assert (tmp_path / "runs" / "mine" / "run.json").read_text() == before


def test_nothing_is_trained_if_some_of_the_weights_cant_be_downloaded(
    tmp_path, monkeypatch, capsys
):
    def none_of_v2(name, is_sample):
        if name == "IMAGENET1K_V2":
            raise WeightsError(f"the weights {name} could not be downloaded")

    plan = Plan(lambda *words, **settings: pytest.fail("it trained"), {}, "", (Entry("mine"),))
    monkeypatch.setattr(train, "PLANS", (plan,))
    monkeypatch.setattr(train, "available_weights", none_of_v2)
    words = f"train --data d --weights IMAGENET1K_V1 IMAGENET1K_V2 --out {tmp_path / 'out'}"
    assert main([*words.split(), "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: the weights IMAGENET1K_V2 could not be downloaded"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../direct", "a/b", ".hidden", ".", "", " ", "x" * 300])
def test_a_record_is_never_put_into_another_folder(recorded_runs, name):
    _, results = recorded_runs
    with pytest.raises(RunError, match="can't be the name of a record") as error:
        record(results.parent / "run", results, name)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--base nope", "--base 'nope': no such run is on record; there are: again, fc_only"),
        ("--base=", "--base '': no such run is on record"),
        ("--base fc_only", "fc_only can't be compared with itself"),
        ("--name=", "'' can't be the name of a record"),
        ("--group=", "the group's name is empty"),
        ("{run}", "several of these runs would have the name 'fc_only'"),
        ("nothing", "no such run folder: nothing"),
    ],
)
def test_nothing_goes_on_record_under_an_impossible_name(
    recorded_runs, files_under, words, error, capsys
):
    _, results = recorded_runs
    run, before = results.parent / "run", files_under(results)
    assert main(["record", str(run), *words.format(run=run).split(), f"--results={results}"]) == 2
    assert error in capsys.readouterr().err
    assert files_under(results) == before


def test_one_name_for_several_runs_is_an_error_in_one_line(recorded_runs, capsys):
    _, results = recorded_runs
    run = str(results.parent / "run")
    for option in ("--name", "--base", "--group"):
        assert main(["record", run, run, option, "x", "--results", str(results)]) == 2
        assert capsys.readouterr().err == "error: --name, --base and --group are for a single run\n"


def test_every_record_is_one_of_the_looks_and_the_same_look_is_counted_once(recorded_runs):
    _, results = recorded_runs
    looks = read_table(results / "looks.csv")
    assert looks["run"].tolist() == ["fc_only", "again"]
    record(results.parent / "run", results, "again")
    assert len(read_table(results / "looks.csv")) == 2


def test_a_look_says_its_label_and_one_of_before_was_at_article_types(recorded_runs, tmp_path):
    _, results = recorded_runs
    run = open_run(results.parent / "run")
    old = "run,commit,seed,epochs,correct,input,why\ndirect,0092ca4234,0,3,13615,80x60,the first\n"
    (tmp_path / "looks.csv").write_text(old)
    assert read_looks(tmp_path)["label"].tolist() == ["articleType"]
    colours = run.config.change(label="baseColour")
    for config in (run.config, colours, colours):
        look("mine", run.metrics, config, "because", tmp_path)
    looks = read_looks(tmp_path)
    assert looks["label"].tolist() == ["articleType", "articleType", "baseColour"]
    assert looks["why"].tolist() == ["the first", "because", "because"]


def test_a_look_that_differs_in_anything_is_a_look_of_its_own(recorded_runs, tmp_path):
    _, results = recorded_runs
    run = open_run(results.parent / "run")
    larger = run.config.change(image_size=(40, 40))
    for metrics, config, why in (
        (run.metrics, run.config, "because"),
        (run.metrics, run.config, "because"),
        (run.metrics, run.config, "for another reason"),
        (run.metrics, larger, "because"),
        (run.metrics | {"epochs": 99}, run.config, "because"),
    ):
        look("mine", metrics, config, why, tmp_path)
    assert len(read_looks(tmp_path)) == 4


def test_every_run_on_record_is_among_the_looks_at_the_odd_years():
    looks = read_looks(RESULTS)
    for name, ours in RECORDS.items():
        correct = str(ours.about["correct"])
        assert ((looks["run"] == name) & (looks["correct"] == correct)).any(), name


@pytest.mark.parametrize("metric", ["correct", "top5", "macro"])
def test_a_metric_that_its_predictions_do_not_say_is_found(recorded_runs, metric):
    data, results = recorded_runs
    file = results / "runs" / "again" / "run.json"
    whole = file.read_text()
    changed = json.loads(whole)
    changed[metric] += 1 if metric == "correct" else 0.001
    file.write_text(json.dumps(changed))
    with pytest.raises(RunError, match=rf"again/run.json: {metric} is"):
        check(read_records(results), data)
    file.write_text(whole)


@pytest.mark.parametrize("table", ["per_class", "confusions"])
def test_counts_that_its_predictions_do_not_say_are_found(recorded_runs, table):
    data, results = recorded_runs
    file = results / "runs" / "again" / f"{table}.csv"
    whole = file.read_text()
    changed = read_table(file)
    changed.loc[0, "correct" if table == "per_class" else "count"] += 1
    changed.to_csv(file, index=False)
    with pytest.raises(RunError, match=f"again/{table}.csv is not what its predictions say"):
        check(read_records(results), data)
    file.unlink()
    with pytest.raises(RunError, match=rf"again/{table}.csv is missing .*; record the run again"):
        check(read_records(results), data)
    file.write_text(whole)


def test_every_wrong_record_is_reported_and_the_check_fails(recorded_runs, capsys):
    data, results = recorded_runs
    files = {name: results / "runs" / name / "run.json" for name in ("again", "fc_only")}
    whole = {name: file.read_text() for name, file in files.items()}
    for name, metric in (("again", "top1"), ("fc_only", "ece")):
        changed = json.loads(whole[name]) | {metric: 0.5}
        files[name].write_text(json.dumps(changed))
    assert main(["check", "--data", str(data), "--results", str(results)]) == 2
    first, *wrong = capsys.readouterr().err.splitlines()
    assert first == "error: wrong on record, 2 of 2 runs:"
    assert [line.split(", but its predictions give ")[0] for line in wrong] == [
        f"{files['again']}: top1 is 0.5",
        f"{files['fc_only']}: ece is 0.5",
    ]
    for name, file in files.items():
        file.write_text(whole[name])


def test_predictions_of_other_photos_are_refused(recorded_runs):
    data, results = recorded_runs
    file = results / "runs" / "again" / "predictions.csv.gz"
    table = read_table(file)
    whole = file.read_bytes()
    table.iloc[1:].to_csv(file, index=False)
    with pytest.raises(RunError, match="does not hold each test photo"):
        check(read_records(results), data)
    file.write_bytes(whole)


def test_results_are_compared_in_tables_and_drawn(recorded_runs):
    _, results = recorded_runs
    both = [read_record(results, name) for name in ("fc_only", "again")]
    merits = compare.side_by_side(both)
    assert list(merits.index) == ["fc_only", "again"] and "ceiling" in merits
    shares = compare.to_the_ceiling(both)
    assert np.allclose(shares.sum(axis=1), 1)
    bins = compare.by_training_photos(both)
    tested = both[0].per_class[(both[0].per_class["train"] > 0) & (both[0].per_class["test"] > 0)]
    assert (
        bins["classes"].sum() == len(tested) and bins["test photos"].sum() == tested["test"].sum()
    )
    assert (compare.gained_and_lost(*both)["difference"] == 0).all()
    for figure in (
        charts.merit_chart(both, {"fc_only": [{"top1": 0.5}]}, "source"),
        charts.photos_chart(both, "s"),
    ):
        assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.fixture
def put(tmp_path):
    """``put(name, **about)``: a record of this name, without tables, in the folder ``tmp_path``."""

    def make(name, **about):
        (tmp_path / "runs" / name).mkdir(parents=True)
        about = {"base": [], "group": name, "config": {}} | about
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(about))

    return make


def test_runs_that_differ_in_the_seed_alone_are_given_by_mean_and_spread(tmp_path, put):
    assert "Not measured yet" in runs.seeds(tmp_path)
    for seed, top1 in enumerate((0.5, 0.6, 0.7)):
        for group in ("direct", "other"):
            figures = {"top1": top1, "top5": 0.9, "macro": 0.4, "few_shot": None}
            put(f"{seed}th of {group}", group=group, config=SETTINGS | {"seed": seed}, **figures)
    lines = runs.seeds(tmp_path).splitlines()[2:]
    same = "| 3 | 60.0 % ± 10.0 | 90.0 % ± 0.0 | 40.0 % ± 0.0 | – |"
    assert lines == [f"| `direct` {same}", f"| `other` {same}"]


def put_others(folder, *figures):
    """The published study, and other solutions with these figures: 20 largest, 122 others, all."""
    stated = [{"who": others.PUBLISHED, "photos": "full size", "top20": 99, "rare": 99, "all": 99}]
    for place, each in enumerate(figures):
        photos = "small" if place == 2 else "full size at 224x224"
        stated.append({"who": "a", "photos": photos} | dict(zip(others.OURS, each, strict=True)))
    (folder / "others.json").write_text(json.dumps({"reported": stated}))


def test_other_solutions_are_counted_where_they_state_more_than_our_run_or_our_seeds(tmp_path, put):
    put("top20", top1=0.88298)
    put("two_step", top1=0.736)
    put("gpu_two_step_trimmed_seed0", group="gpu_two_step_trimmed", top1=0.9)
    for seed, top1 in enumerate((0.47, 0.48, 0.49)):
        put(f"seed{seed}", group="gpu_rare_trimmed", top1=top1)
    put_others(tmp_path, (88.3, 48.1, 74.66), (88.31, 47.9, None))
    assert others.ahead(tmp_path).endswith(
        "of [2 solutions](results/README.md#beside-all-other-solutions), these pass our "
        "top-1: 1 of 1 on all classes, 1 of 2 on the 122 smallest, 1 of 2 on the 20 largest; "
        "all from full-size photos."
    )
    put_others(tmp_path, (80, 40, 70), (80, 40, None), (89, None, None))
    assert "0 of 1 on all classes, 0 of 2 on the 122 smallest, 1 of 3" in others.ahead(tmp_path)
    assert others.ahead(tmp_path).endswith("not all from full-size photos.")
    put_others(tmp_path, (80, 40, 70))
    assert others.ahead(tmp_path).endswith("0 of 1 on the 122 smallest, 0 of 1 on the 20 largest.")


def test_the_published_study_is_told_from_the_other_solutions():
    reported = read_measured(RESULTS, "others")["reported"]
    assert [each["who"] for each in reported].count(others.PUBLISHED) == 1


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"seed": 0, "lr": 1}, "in nothing, not even the seed"),
        ({"seed": 1, "lr": 2}, "in seed, lr"),
    ],
)
def test_runs_of_one_group_that_differ_in_more_than_the_seed_are_refused(
    tmp_path, put, second, words
):
    put("one", group="same", config=SETTINGS | {"seed": 0, "lr": 1})
    put("two", group="same", config=SETTINGS | second)
    with pytest.raises(RunError, match=rf"runs/one and .*runs/two .* differ {words}"):
        groups(read_records(tmp_path))


def test_no_name_says_what_a_run_is_compared_with(tmp_path, put):
    for name, base in (
        ("direct", []),
        ("direct_80x60", []),
        ("b", ["direct"]),
        ("a", ["direct_80x60", "b"]),
    ):
        put(name, base=base)
    assert pairs(read_records(tmp_path)) == [("direct_80x60", "a"), ("b", "a"), ("direct", "b")]


def test_a_base_that_is_not_on_record_is_named(tmp_path, put):
    put("mine", base=["direkt"])
    with pytest.raises(RunError, match=r"mine/run.json compares it with 'direkt' .* not on record"):
        pairs(read_records(tmp_path))


@pytest.mark.parametrize("about", [{"base": "direct"}, {"base": None}, {"group": 3}])
def test_a_record_without_its_base_or_group_is_named(tmp_path, put, about):
    put("mine", **about)
    with pytest.raises(RunError, match=rf'mine/run.json must have "{next(iter(about))}"'):
        read_records(tmp_path)


def test_a_record_that_cannot_be_read_is_named(tmp_path, put):
    put("mine")
    (tmp_path / "runs" / ".ipynb_checkpoints").mkdir()  # as an editor leaves it
    (tmp_path / "runs" / ".DS_Store").touch()
    assert recorded(tmp_path) == ["mine"]
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(RunError, match=r"empty/run.json is missing .*; record the run again"):
        read_records(tmp_path)


def test_nobody_is_told_to_replace_a_measurement_that_only_must_not_be_read(
    tmp_path, put, monkeypatch
):
    def forbidden(file, *given, **more):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    put("mine")
    (tmp_path / "minutes.json").write_text("{}")
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    for work in (lambda: read_records(tmp_path), lambda: read_measured(tmp_path, "minutes")):
        with pytest.raises(
            RunError, match=r"\.json can't be read \(Permission.*; make it readable"
        ):
            work()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
@pytest.mark.parametrize("name", ["runs/mine/run.json", "bench/mine.json", "minutes.json"])
def test_nobody_waits_for_a_pipe_in_the_place_of_a_measurement(tmp_path, put, name):
    put("mine")
    (tmp_path / "bench").mkdir()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match=rf"{name} is damaged \(it is a pipe or a device"):
        read_records(tmp_path)
        read_benches(tmp_path)
        read_measured(tmp_path, "minutes")


@pytest.mark.parametrize("content", [b"", b'"', b"\xff", b"some,other\n1,2\n"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("looks.csv", lambda results: read_looks(results)),
        ("trials.csv", lambda results: runs.left_out(results)),
        ("fewer.csv", lambda results: runs.fewer(results)),
        ("tuning.csv", lambda results: runs.trials(results)),
        ("runs/mine/per_class.csv", lambda results: read_record(results, "mine").per_class),
        ("runs/mine/predictions.csv.gz", lambda results: read_record(results, "mine").predictions),
    ],
)
def test_a_damaged_table_of_the_study_is_named(tmp_path, put, name, read, content):
    put("mine")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=rf"{re.escape(name)} is damaged \(.*(again|restore)"):
        read(tmp_path)


def test_a_file_that_no_command_makes_is_to_be_restored(tmp_path, monkeypatch):
    for read, name in (
        (lambda: read_published(tmp_path), "published.json"),
        (lambda: read_columns(tmp_path / "verdicts.csv"), "verdicts.csv"),
        (lambda: read_columns(tmp_path / "few_shot_classes.csv"), "few_shot_classes.csv"),
    ):
        with pytest.raises(RunError, match=rf"{name} is missing.*; copy it from results/ of the"):
            read()
        with monkeypatch.context() as patch:
            patch.setattr(records, "RESULTS", tmp_path)
            with pytest.raises(RunError, match=rf"; restore it with `git checkout .*{name}`$"):
                read()


@pytest.mark.parametrize("name", ["direct", "", ".", "x" * 300])
def test_a_result_that_is_not_there_is_named(tmp_path, name):
    (tmp_path / "runs").mkdir()
    with pytest.raises(RunError, match=r"runs.*: no run of this name is on record"):
        read_record(tmp_path, name)


def test_two_processes_that_put_something_on_record_lose_nothing(tmp_path):
    """The others wait as long as this one reads a table and writes it anew."""
    rows = [{"approach": "direct", "trial": name, "val_accuracy": 1} for name in "ab"]
    numbers = {"commit": "c", "seed": 0, "epochs": 1, "correct": 1}
    with ThreadPoolExecutor(3) as others:
        with one_at_a_time(tmp_path):
            works = [
                *(others.submit(tune.keep, row, tmp_path) for row in rows),
                others.submit(look, "mine", numbers, Config("direct"), "because", tmp_path),
            ]
            assert not wait(works, timeout=0.2).done and not list(tmp_path.iterdir())
        for work in works:
            work.result()
    assert {file.name for file in tmp_path.iterdir()} == {"tuning.csv", "looks.csv"}
    assert sorted(read_table(tmp_path / "tuning.csv")["trial"]) == ["a", "b"]


def test_published_figures_are_fractions_under_our_names():
    published = read_published(RESULTS)
    assert published["fc_only"][0]["top1"] == pytest.approx(0.4964, abs=1e-4)
    # The published ones with flips.
    assert [each["top1"] for each in published["two_step"]] == pytest.approx(
        [0.7095, 0.7280], abs=1e-4
    )
    assert [each["macro"] for each in published["two_step"]] == pytest.approx(
        [0.5658, 0.6067], abs=1e-4
    )
    for figures in (figures for own in published.values() for figures in own):
        margins = figures.pop("margin95")
        assert set(margins) <= set(figures) and all(0 < value < 1 for value in figures.values())
        assert 0 < margins["top1"] < 0.01 and margins.get("few_shot", 0.03) > margins.get(
            "macro", 0.02
        )


def test_an_approach_that_the_study_lacks_has_its_rows(tmp_path, monkeypatch):
    for file in ("published.json", "published_per_class.csv", "goals.json"):
        shutil.copy(RESULTS / file, tmp_path / file)
    shutil.copytree(RESULTS / "runs" / "direct", tmp_path / "runs" / "mine")
    monkeypatch.setitem(approaches.TITLES, "mine", "Mine")
    assert "| Mine | top-1 | – | " in approaches.merits(
        tmp_path
    ) and "| Mine | – | " in approaches.table(tmp_path)
    assert "Nothing is compared yet" in runs.pairs(tmp_path)


def test_published_counts_per_class_add_up_to_what_the_study_prints():
    study = json.loads((RESULTS / "published.json").read_text())
    counts = read_table(RESULTS / "published_per_class.csv")
    ours = RECORDS["direct"].per_class.query("train > 0 and test > 0").reset_index(drop=True)
    assert counts[["label", "train", "test"]].equals(ours[["label", "train", "test"]])
    for name in ("fc_only", "direct", "two_step", "two_step_flips"):
        assert (
            counts[name].sum() == study[name]["notebook"]["correct"]
            and (counts[name] <= counts["test"]).all()
        )


def test_every_long_check_has_left_its_table_and_met_its_bounds():
    text = (RESULTS / "reliability.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- reliability: (\w+) -->\n(.*?)<!-- end -->", text, re.DOTALL))
    assert set(blocks) == {"faults", "fuzz", "scale", "browser"}
    for name, table in blocks.items():
        assert len(table.splitlines()) > 5 and "; commit " in table, f"run `make {name}`"
        assert "NOT MET" not in table
    good = {
        "faults": ("what was lost", "nothing"),
        "fuzz": ("failures", "0"),
        "browser": ("errors", "0"),
    }
    for name, (column, cell) in good.items():
        head, _, *rows = [
            line.strip("| ").split(" | ")
            for line in blocks[name].splitlines()
            if line.startswith("|")
        ]
        assert {row[head.index(column)] for row in rows} == {cell}, f"make {name}"


@pytest.mark.parametrize("words", [["check", "--data", "d"], ["compare"]])
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_a_run_on_record_is_an_error_and_stays_as_it_is(
    words, there, tmp_path, capsys
):
    results = tmp_path / "results"
    if there:
        (results / "runs").mkdir(parents=True)
    more = ["--pair"] if words[0] == "check" else []
    assert main([*words, *more, "--results", str(results)]) == 2
    said = f"no runs on record in {results}; name the folder with --results"
    assert said in capsys.readouterr().err and not (results / "paired.json").exists()


@pytest.mark.parametrize(
    ("about", "what"),
    [
        ([], "an object"),
        ({"top1": "x"}, "top1"),
        ({"top1": None}, "top1"),
        ({"correct": 1.5}, "correct"),
        ({"macro": True}, "macro"),
        ({"top1": 0.5, "interval95": 5}, "interval95"),
        ({"top1": 0.5, "interval95": {"top1": [0.4]}}, "interval95"),
        ({"top1": 0.5, "interval95": {"top1": ["x", 1]}}, "interval95"),
    ],
)
def test_a_record_that_holds_other_things_is_named(tmp_path, put, capsys, about, what):
    put("mine")
    file = tmp_path / "runs" / "mine" / "run.json"
    common = {"base": [], "group": "mine", "config": {}}
    file.write_text(json.dumps(about and common | about))
    for words in (["compare"], ["check", "--data", "d"]):
        assert main([*words, "--results", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert str(file) in said and what in said and "record the run again" in said


def test_a_record_without_a_figure_or_with_strange_settings_is_named(tmp_path, put):
    put("mine", config=[])
    with pytest.raises(RunError, match=r"mine/run.json lacks correct, n_test, .*; record the run"):
        compare.main(tmp_path, [])
    with pytest.raises(RunError, match=r"mine/run.json is damaged \(config: .*; record the run"):
        read_record(tmp_path, "mine").config  # noqa: B018
