"""The study's command line: it starts at once, and says in one line what is wrong."""

import importlib
import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from fashion_tl.data.dataset import load_data
from fashion_tl.errors import DataError
from fashion_tl.recipes import make_config
from fashion_tl.runs import create_run, write_json
from study import calibration, commands, places, render
from study.__main__ import main
from study.blocks import sureness
from study.calibration import Answers, answers, compared
from study.records import read_looks
from tests.conftest import TINY, jpeg, pattern
from tests.made_runs import METRICS
from tests.test_shape import STUDY_ORDER

HELP = """
import sys
from study.commands import parser
parser().format_help()
print('torch' in sys.modules)
"""


def test_its_help_waits_for_no_torch():
    assert (
        subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True).stdout
        == "False\n"
    )


@pytest.mark.parametrize("name", [name for name in STUDY_ORDER if name != "bench/fastai_peer"])
def test_each_of_its_modules_can_be_loaded_and_says_what_it_is_for(name):
    module = importlib.import_module(f"study.{name.replace('/', '.').removesuffix('.__init__')}")
    assert module.__doc__


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("record ~nobody-of-this-name/run", "the ~ stands for no home folder here"),
        ("compare --results ~nobody-of-this-name/x", "the ~ stands for no home folder here"),
        ("record nothing", "no such run folder: nothing"),
        ("check --data nothing", "nothing"),
        ("compare nothing", "no run of this name is on record; there are: direct, "),
        ("train --data d --weights w --out o --only dirct", "no training has the name 'dirct'"),
        ("tune --data d --weights w --out o --trial mixdown", "there is no trial 'mixdown'"),
        ("heads --data d --weights nothing.pth", "nothing.pth"),
        ("calibration --data d --weights nothing.pth", "nothing.pth"),
        ("unknown --data d --weights nothing.pth", "nothing.pth"),
        ("unknown --data d --weights w --run r", "no such run folder: r"),
        ("unknown --data d", "give either --weights, for FC only's network, or --run"),
        ("few-shot --data d --weights nothing.pth", "nothing.pth"),
        ("few-shot --data d --weights w --run nothing", "no such run folder: nothing"),
        ("episodes --data d --weights nothing.pth --out o", "nothing.pth"),
        ("few-shot --data d --run nothing", "no such run folder: nothing"),
        ("few-shot --data d", "give either --weights, for FC only's network, or --run"),
        ("data-check --data nothing", "nothing"),
        ("audit --data d --weights nothing.pth", "nothing.pth"),
        ("bench precision nothing --data d", "no such run folder: nothing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, error, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and error in line
    assert not list(tmp_path.iterdir())


# The commands that measure the network of a finished run.
MEASURE = (
    "record {run}",
    "unknown --data d --run {run}",
    "few-shot --data d --run {run}",
    "calibration --data d --run {run}",
    "flips {run} --data d",
    "bench precision {run} --data d",
)


LEARNED = {"label": "Hats", "photos": 1, "is_new": True, "before": {}, "left_out": None, "taken": 0}


@pytest.fixture
def folder(tmp_path):
    """The folder of a run on data that nobody has, which isn't finished."""
    (tmp_path / "results").mkdir()
    data = {"name": "d", "photos": 9, "fingerprint": "f"}
    weights = {"name": "w", "fingerprint": None}
    return create_run(tmp_path / "run", make_config("fc_only"), data, weights).folder


@pytest.mark.parametrize("words", MEASURE)
def test_an_extended_run_is_measured_by_no_command(words, folder, tmp_path, capsys):
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(about | {"extended": [LEARNED]}))
    results = ["--results", str(tmp_path / "results")]
    assert main([*words.format(run=folder).split(), *results]) == 2
    error = capsys.readouterr().err
    assert (
        f"{folder} holds a run that was extended; its figures are those of the run before" in error
    )


@pytest.mark.parametrize("words", MEASURE)
def test_an_unfinished_run_is_measured_by_no_command(words, folder, tmp_path, capsys):
    results = ["--results", str(tmp_path / "results")]
    assert main([*words.format(run=folder).split(), *results]) == 2
    assert f"{folder} isn't finished; repeat the command that began it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["unknown", "few-shot", "calibration"])
def test_weights_beside_a_run_are_refused(command, folder, capsys):
    write_json(folder / "metrics.json", METRICS)
    words = [command, "--data", "d", "--run", str(folder)]
    assert main([*words, "--weights", "w"]) == 2
    assert "give either --weights, for FC only's network, or --run" in capsys.readouterr().err
    if command != "calibration":  # it has no --set
        assert main([*words, "--set", "seed=1"]) == 2
        assert "has its own settings; leave out --set seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "data-check --data",
        "heads --weights none --data",
        "minutes --weights none --data",
        "bench precision run --data",
        "bench speed --data",
        "bench profile --data",
        "bench gpu --data",
        "detail --data d --weights none --out o --large",
    ],
)
def test_the_samples_figures_never_stand_in_results(
    words, sample_root, zip_root, tmp_path, capsys, monkeypatch
):
    (tmp_path / "results").mkdir()
    for module in (commands, places):  # so that nothing on record is lost if it fails
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    for data in ("sample", sample_root, zip_root(sample_root)):
        assert main([*words.split(), str(data)]) == 2
        said = capsys.readouterr().err
        assert "/ holds measurements on real data alone" in said
        assert "name another folder with --results" in said
        assert not list((tmp_path / "results").iterdir())


def test_a_gpu_is_measured_on_data_that_are_named(tmp_path, capsys):
    assert main(["bench", "gpu", "--results", str(tmp_path)]) == 2
    assert "name the data with --data" in capsys.readouterr().err


# Each command that measures on a split, as far as its data.
BY_YEAR = (
    "heads --weights none",
    "calibration --weights none",
    "trials --weights none --out o",
    "fewer --weights none --out o",
    "data-check",
)
BY_SPLIT = (
    *BY_YEAR,
    "few-shot --weights none",
    "unknown --weights none",
    "minutes --weights none",
    "audit --weights none",
    "tune --weights none --out o",
    "train --weights none --out o",
    "detail --large d --weights none --out o",
    "flips run",
    "bench precision run",
)


@pytest.fixture
def class_folders(tmp_path):
    """``class_folders(*parts)``: data of two classes, with a folder for each part, and the words
    of a command that name them.
    """

    def make(*parts):
        for part in parts:
            for kind in ("Shirts", "Shoes"):
                (tmp_path / "data" / part / kind).mkdir(parents=True)
                (tmp_path / "data" / part / kind / "1.jpg").write_bytes(jpeg(pattern(1)))
        (tmp_path / "results").mkdir()
        return ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results")]

    return make


@pytest.mark.parametrize("words", BY_SPLIT)
def test_figures_are_of_a_split_that_the_data_state(words, class_folders, tmp_path, capsys):
    assert main([*words.split(), *class_folders("")]) == 2
    said = capsys.readouterr().err
    assert "chance would decide which photos test" in said and "with a styles.csv" in said
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("words", ["few-shot --weights none", "unknown --weights none"])
def test_no_setting_lets_chance_decide_the_split(words, tmp_path, capsys):
    more = ["--data", "sample", "--results", str(tmp_path), "--set", "split=random:0.2"]
    assert main([*words.split(), *more]) == 2
    assert "split=random:0.2: chance would decide which photos test" in capsys.readouterr().err


@pytest.mark.parametrize("words", BY_YEAR)
def test_what_compares_years_needs_them(words, class_folders, tmp_path, capsys):
    assert main([*words.split(), *class_folders("train", "test")]) == 2
    said = capsys.readouterr().err
    assert "has no styles.csv, so no photo has a year" in said
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("words", MEASURE)
def test_a_run_on_a_drawn_split_is_measured_by_no_command(words, folder, tmp_path, capsys):
    write_json(folder / "metrics.json", METRICS | {"split_is_drawn": True})
    results = ["--results", str(tmp_path / "results")]
    assert main([*words.format(run=folder).split(), *results]) == 2
    assert f"{folder} has a split that was drawn" in capsys.readouterr().err


def test_a_document_with_a_wrong_marker_leaves_all_others_as_they_are(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "README.md").write_text("<!-- results: runs -->\nold\n<!-- end -->\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "speed.md").write_text("<!-- results: sped -->\n<!-- end -->\n")
    monkeypatch.setattr(render, "REPOSITORY", tmp_path)
    assert main(["render"]) == 2
    assert (
        "docs/speed.md, line 1: <!-- results: sped -->: no function makes this block"
        in capsys.readouterr().err
    )
    assert "old" in (tmp_path / "README.md").read_text() and not (tmp_path / "images").exists()


def too_timid(n: int, seed: int) -> Answers:
    """Logits at 0.4 of what they should be; the last class had no training photo."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 6))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return answers(0.4 * logits, labels, np.array([5, 5, 5, 5, 5, 0]))


def test_both_ways_to_fit_a_temperature_are_tried_on_years_that_they_do_not_know(monkeypatch):
    fitted = []
    temperature = Answers.temperature
    monkeypatch.setattr(Answers, "temperature", lambda own: fitted.append(own) or temperature(own))
    years = {year: (too_timid(400, year), too_timid(500, year + 1)) for year in (2010, 2014, 2018)}
    rows = compared(years)
    assert [row["year"] for row in rows] == [2010, 2014, 2018]
    for row, own in zip(rows, fitted[1::2], strict=True):
        assert len(own.labels) == 1000  # those of the two other years
        assert row["photos"] == years[row["year"]][1].learnable.sum() < 500
        assert max(row["validation"], row["years"]) < 0.09 < 0.2 < row["before"]
        assert list(row["temperatures"].values()) == pytest.approx([0.4, 0.4], abs=0.1)


def test_a_run_is_measured_as_it_measured_itself(tiny_run, sample_root, tmp_path):
    calibration.main(str(sample_root), None, None, tmp_path, run=str(tiny_run.folder))
    own = json.loads((tmp_path / "calibration.json").read_text())["runs"]["tiny"]
    assert own["odd_years"]["right"] == tiny_run.metrics["correct"]
    assert own["temperature"] == pytest.approx(tiny_run.metrics["temperature"], rel=1e-3)
    assert own["odd_years"]["validation"] == pytest.approx(tiny_run.metrics["ece"], abs=1e-3)
    assert "calibration" in (tmp_path / "looks.csv").read_text()


def test_fc_only_is_measured_both_ways_and_labels_by_the_temperature_that_runs_keep(
    sample_root, tmp_path, monkeypatch
):
    monkeypatch.setattr(calibration, "YEARS", (2012, 2014, 1999))  # the data have none of 1999
    monkeypatch.setattr(calibration, "make_config", partial(make_config, lr=1e-4, **TINY))
    labelled, kept = calibration.labelled, []
    monkeypatch.setattr(
        calibration,
        "labelled",
        lambda val, test, temperature: kept.append(temperature) or labelled(val, test, temperature),
    )
    calibration.main(str(sample_root), "none", None, tmp_path)
    own = json.loads((tmp_path / "calibration.json").read_text())["fc_only"]
    assert [row["year"] for row in own["left_out"]] == [2012, 2014]
    means = {way: np.mean([row[way] for row in own["left_out"]]) for way in calibration.WAYS}
    assert own["chosen"] == min(means, key=means.get)
    assert kept == [1, own["temperatures"]["validation"]]
    assert {"before", *calibration.WAYS} <= set(own["odd_years"])
    (look,) = read_looks(tmp_path).to_dict("records")
    assert (look["run"], look["why"]) == ("fc_only_head", "calibration")
    assert look["correct"] == str(own["odd_years"]["right"])
    assert "| 2012, left out |" in sureness.calibration(tmp_path)


def test_a_single_year_to_leave_out_is_too_few(sample_root, monkeypatch):
    data = load_data(sample_root, make_config("fc_only"), quiet=True)
    monkeypatch.setattr(calibration, "YEARS", (2012, 1999))
    with pytest.raises(DataError, match="at least two of the years 2012, 1999 must have photos"):
        calibration.years_to_leave_out(data)


def test_what_probabilities_are_worth_is_said_once_it_is_measured(tmp_path):
    assert "Not measured yet" in sureness.calibration(tmp_path)
    errors = {"photos": 1234, "before": 0.33, "validation": 0.05, "years": 0.07}
    alone = {"coverage": 0.5, "accuracy": 0.93}
    row = {"accuracy": 0.95, "threshold": 0.8, "best": {"all": alone}, "given": {"all": alone}}
    found = {"temperature": 0.7, "after": [row]}
    common = {"validation": errors, "odd_years": errors, "unattended": found}
    head = {
        "left_out": [{"year": 2010, **errors}],
        "temperatures": {"validation": 0.5, "years": 0.6},
        "chosen": "years",
    }
    measured = {"fc_only": common | head, "runs": {"mine": common | {"temperature": 0.7}}}
    (tmp_path / "calibration.json").write_text(json.dumps(measured))
    said = sureness.calibration(tmp_path)
    assert "| 2010, left out | 1,234 | 0.330 | 0.050 | 0.070 |" in said
    assert (
        "Chosen on even years: the one fitted to years that were left out. "
        "Goal, at most 0.06 on the odd years: missed."
    ) in said
    assert "Temperature: 0.700. Goal, at most 0.06 on the odd years: met." in said
    assert "| `mine` | 0.700 | 95 % | 0.80 | 50.0 % | 93.0 % | 50.0 % |" in said
