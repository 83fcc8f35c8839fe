"""Minutes until a published accuracy is passed: which runs count, and what is met, by hand."""

import json
import shutil
from functools import partial

import pytest

from fashion_tl.config import Config
from fashion_tl.data.sample import draw_sample
from study import charts, fresh
from study.blocks.approaches import table, weights
from study.blocks.minutes import minutes
from study.minutes import FC_ONLY, SHARED, published_minutes, timed
from study.places import RESULTS
from study.records import read_looks, read_measured
from tests.conftest import TINY

OURS, OTHERS = "our machine, 2 cores", "another machine, 2 cores"
# Minutes of the published loop, by hand: 600 photos of all classes, 300 of the largest. Forward, a
# photo takes 20 s; forward and back, 100 s at 224×224. A fifth only runs forward.
LOOP = {
    "fc_only": 20 * 600 * 20 / 60,
    "direct": 20 * 600 * (0.8 * 100 + 0.2 * 20) / 60,
    # The frozen children make the step back twice as fast.
    "two_step": 20 * (300 * (0.8 * 100 + 0.2 * 20) + 600 * (0.8 * 100 / 2 + 0.2 * 20)) / 60,
}


@pytest.fixture
def results(tmp_path):
    """A folder with the published figures alone."""
    for file in ("published.json", "published_per_class.csv"):
        shutil.copy(RESULTS / file, tmp_path / file)
    (tmp_path / "bench").mkdir()
    return tmp_path


def put_run(results, name, top1, minutes, machine=OURS, commit="new", **settings):
    """A run on record with what the table of minutes reads of it."""
    training = name.split("_80x60")[0]
    folder = results / "runs" / name
    folder.mkdir(parents=True)
    settings = {"largest": 20} | settings if training == "top20" else settings
    about = {"base": [], "group": name, "config": Config(training, **settings).to_dict()}
    about |= {"top1": top1, "minutes": minutes, "machine": machine, "commit": commit}
    (folder / "run.json").write_text(json.dumps(about | {"ceiling": 0.88}))
    photos = 300 if training == "top20" else 600
    (folder / "per_class.csv").write_text(f"label,train,test,correct\nShirts,{photos},9,5\n")


def put_bench(results, file, machine):
    rows = [
        {"name": FC_ONLY, "peer": 20 * 600 * 20},
        {"name": "full fine-tune, 80×60", "peer": 224 * 224 / (80 * 60) / 100},
        {"name": "step 2 (5 children frozen), 80×60", "ratio_peer": 2.0},
    ]
    (results / "bench" / file).write_text(json.dumps({"machine": machine, "rows": rows}))


def put_fc_only(results, minutes, top1=0.7, machine=OURS):
    about = {"machine": machine, "commit": "c0ffee", "minutes": minutes, "loading": 0.1}
    (results / "minutes.json").write_text(json.dumps(about | {"top1": top1}))


@pytest.fixture
def whole(results):
    """All approaches on one machine, and its bench."""
    put_run(results, "fc_only", 0.7, 4.0)
    put_run(results, "direct", 0.73, 55.0)
    put_run(results, "top20", 0.88, 300.0)
    put_run(results, "two_step", 0.75, 130.0)
    put_bench(results, "ours.json", OURS)
    return results


def rows(results):
    return [line for line in minutes(results).splitlines() if line.startswith("| ")][2:]


def test_the_published_loop_is_scaled_by_pixels_photos_epochs_and_frozen_children(whole):
    assert pytest.approx({"fc_only": 4000, "direct": 16800, "two_step": 17200}) == LOOP
    assert published_minutes(whole, timed(whole)[1]) == pytest.approx(LOOP)


def test_a_goal_is_met_if_the_quickest_run_is_as_many_times_faster(whole):
    put_fc_only(whole, 10)
    assert rows(whole) == [
        "| 49.6 % | FC only | `fc_only`, 70.0 % | 10 | 4,000 | 400× | 300×: met |",
        "| 68.5 % | any approach | `fc_only`, 70.0 % | 10 | 16,800 | 1,680× | 300×: met |",
        "| 72.8 % | two steps | `two_step`, 75.0 % | 430 | 17,200 | 40× | 40×: met |",
    ]
    assert "It took 10.0 minutes, 6 seconds of them to load and decode" in minutes(whole)


def test_a_goal_is_missed_by_numbers_alone(whole):
    put_fc_only(whole, 14, top1=0.6)
    assert rows(whole) == [
        "| 49.6 % | FC only | `fc_only`, 60.0 % | 14 | 4,000 | 286× | 300×: missed |",
        "| 68.5 % | any approach | `direct`, 73.0 % | 55 | 16,800 | 305× | 300×: met |",
        "| 72.8 % | two steps | `two_step`, 75.0 % | 430 | 17,200 | 40× | 40×: met |",
    ]
    put_fc_only(whole, 14, top1=0.4)
    assert rows(whole)[0] == "| 49.6 % | FC only | – | – | 4,000 | – | 300×: missed |"


def test_minutes_of_fc_only_that_may_come_from_kept_features_count_for_nothing(whole):
    for other_machine in (False, True):
        if other_machine:
            put_fc_only(whole, 1, machine=OTHERS)
        first, second, _ = rows(whole)
        assert first == "| 49.6 % | FC only | – | – | 4,000 | – | 300×: open |"
        assert "`direct`, 73.0 % | 55 |" in second
        assert "FC only is not measured from an empty cache yet" in minutes(whole)


def test_a_run_that_shared_the_machine_is_left_out_until_it_is_made_again(whole):
    put_run(whole, "direct_80x60", 0.9, 1.0, commit=SHARED["direct_80x60"])
    assert "direct_80x60" not in {run.name for run in timed(whole)[0]}
    shutil.rmtree(whole / "runs" / "direct_80x60")
    put_run(whole, "direct_80x60", 0.9, 1.0)
    assert timed(whole)[0][0].name == "direct_80x60"


def test_a_bench_of_a_machine_without_runs_is_passed_over(whole):
    put_bench(whole, "before-ours.json", OTHERS)
    put_fc_only(whole, 10)
    runs, bench = timed(whole)
    assert bench["machine"] == OURS
    assert [run.name for run in runs] == ["fc_only", "direct", "two_step"]
    ceiling, published = 0.88, {name: [{"top1": 0.5}] for name in LOOP}
    assert charts.minutes_chart(runs, ceiling, published, OURS)._repr_png_()


@pytest.mark.parametrize("lacking", ["bench", "runs", "a whole bench", "runs of its machine"])
def test_without_a_bench_of_the_machine_of_the_runs_the_document_says_how(whole, lacking):
    if lacking in ("bench", "runs"):
        shutil.rmtree(whole / lacking)
    elif lacking == "a whole bench":
        (whole / "bench" / "ours.json").write_text(json.dumps({"machine": OURS, "rows": []}))
    else:
        put_bench(whole, "ours.json", OTHERS)
    assert minutes(whole).startswith("Not measured yet; `make bench DATA=…` does")


def test_the_tables_give_fc_only_the_minutes_that_it_takes_from_nothing(tmp_path):
    for file in ("published.json", "published_per_class.csv"):
        shutil.copy(RESULTS / file, tmp_path / file)
    for name in ("fc_only", "direct"):
        shutil.copytree(RESULTS / "runs" / name, tmp_path / "runs" / name)
    assert "| 224×168, 20 | – |" in table(tmp_path)
    left_out = "FC only is left out: not measured yet."
    assert f"that is 55 = 55 minutes. {left_out}" in weights(tmp_path)
    machine = json.loads((tmp_path / "runs" / "fc_only" / "run.json").read_text())["machine"]
    put_fc_only(tmp_path, 9.6, machine=machine)
    assert "| 224×168, 20 | 10 |" in table(tmp_path)
    assert weights(tmp_path).endswith("that is 10 + 55 = 65 minutes.")


def test_no_run_of_fc_only_has_the_minutes_of_kept_features_with_whatever_weights(tmp_path):
    for file in ("published.json", "published_per_class.csv"):
        shutil.copy(RESULTS / file, tmp_path / file)
    for name in ("fc_only", "fc_only_imagenet1k_v1"):
        folder = shutil.copytree(RESULTS / "runs" / "fc_only", tmp_path / "runs" / name)
        about = json.loads((folder / "run.json").read_text()) | {"machine": OURS, "minutes": 4}
        (folder / "run.json").write_text(json.dumps(about))

    def cells():
        return [line.split("|")[-2].strip() for line in weights(tmp_path).splitlines()[2:4]]

    assert cells() == ["–", "–"]
    put_fc_only(tmp_path, 9.6)
    assert cells() == ["10", "10"]


def test_the_measurement_starts_from_nothing_and_is_a_look(tmp_path, monkeypatch):
    drawn = draw_sample(tmp_path / "drawn", photos=60, types=6)
    (drawn / "sample.json").unlink()
    make = fresh.make_config
    monkeypatch.setattr(fresh, "make_config", partial(make, lr=1e-4, **TINY))
    caches, load = [], fresh.load_data

    def watched(path, config, cache):
        caches.append(cache)
        assert not cache.exists()
        return load(path, config, cache)

    monkeypatch.setattr(fresh, "load_data", watched)
    fresh.main(str(drawn), "none", tmp_path)
    found = read_measured(tmp_path, "minutes")
    assert 0 <= found["loading"] <= found["minutes"] + 0.005 < 1  # it is rounded
    assert found["machine"] and found["weights"] and found["config"]["image_size"] == [32, 32]
    (look,) = read_looks(tmp_path).to_dict("records")
    assert look["why"] == "its minutes from an empty cache"
    assert look["correct"] == str(found["correct"])
    assert not caches[0].parent.exists()  # neither photos nor features are left
