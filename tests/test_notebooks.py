"""The committed notebooks: as a reader finds them, and executed from their sources on a tiny
sample.
"""

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from matplotlib import pyplot as plt
from torchvision.models import ResNet50_Weights

from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import FashionTLError, WeightsError
from fashion_tl.machine import processors
from fashion_tl.network import weights
from fashion_tl.network.model import available_weights
from fashion_tl.recipes import APPROACHES, TRAININGS
from fashion_tl.reporting import gallery
from fashion_tl.runs import open_run
from notebooks import execute

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [
    ROOT / "notebooks" / f"{APPROACHES[name].notebook}.ipynb" for name in execute.WITH_NOTEBOOKS
]
FIRST = NOTEBOOKS[0]
COMPARE = ROOT / "notebooks" / "04_compare.ipynb"
NEW_CLASSES = ROOT / "notebooks" / "05_new_classes.ipynb"
TAUGHT = [*NOTEBOOKS, NEW_CLASSES]  # with prose, exercises and figures
MARGIN = (
    0.1  # top-1 above that of always guessing the largest class; from random weights, in a minute
)


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def run_cells(path, names, **given):
    """Run a notebook's cells of these names in one namespace, after its imports, parameters (as
    ``given``) and data.
    """
    sources = {cell.id.split("-", 1)[1]: cell.source for cell in code_cells(path)}
    namespace = {}
    for name in ("imports", "parameters", "load", "start", *names):
        exec(sources[name], namespace)
        if name == "parameters":
            namespace.update(given)
    plt.close("all")
    return namespace


def run_first(names, data_root, folder, settings, **given):
    """:func:`run_cells` of the first notebook, from random weights."""
    given |= {"data_root": str(data_root), "weights": "none", "out": folder / "run"}
    return run_cells(FIRST, names, settings=settings, **given)


def test_each_approach_with_a_notebook_has_it_and_each_other_notebook_is_known():
    others = [COMPARE, NEW_CLASSES]
    assert sorted((ROOT / "notebooks").glob("*.ipynb")) == sorted([*NOTEBOOKS, *others])


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_it_is_committed_executed_from_top_to_bottom_without_an_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        output for cell in cells for output in cell.outputs if output.output_type == "error"
    ]
    images = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    assert images >= (5 if path == NEW_CLASSES else 9)


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_it_has_one_cell_of_parameters_short_cells_and_names_its_weights(path):
    cells = code_cells(path)
    assert [cell.metadata.get("tags", []).count("parameters") for cell in cells].count(1) == 1
    assert all(len(cell.source.splitlines()) <= 15 for cell in cells)
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert re.search(r"Data: .*photos · ResNet-50 from \S+", printed)


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_it_says_something_before_each_cell_and_ends_with_three_exercises_and_their_solutions(path):
    cells = nbformat.read(path, 4).cells
    assert len(cells) < (40 if path == NEW_CLASSES else 60)
    for before, cell in pairwise(cells):
        if cell.cell_type == before.cell_type == "code":  # but for a row of figures
            figure = re.fullmatch(r"gallery\.\w+\(\w+, \w+\)", cell.source)
            assert (
                figure
                or cell.source.startswith("# ")
                or cell.metadata.get("tags") == ["parameters"]
            ), cell.source
    told = next(cell.source for cell in cells if "## Exercises" in cell.source)
    assert re.findall(r"^\d\.", told.partition("## Exercises")[2], flags=re.MULTILINE) == [
        "1.",
        "2.",
        "3.",
    ]
    assert [cell.source[:4] for cell in cells[-3:]] == ["# 1.", "# 2.", "# 3."]


def test_the_figures_of_data_and_run_are_all_shown_in_some_notebook():
    shown = "".join(cell.source for path in NOTEBOOKS for cell in code_cells(path))
    assert not [
        name for name in (*gallery.OF_DATA, *gallery.OF_RUN) if f"gallery.{name}(" not in shown
    ]


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_its_text_states_no_setting_as_a_fact(path):
    """Label, split and class balance are settings: what they are in this run, cells print."""
    for cell in nbformat.read(path, 4).cells:
        assert not re.search(r"(even|odd)[ -]years?", cell.source) or "default" in cell.source, (
            cell.source
        )
        assert "square root" not in cell.source, cell.source


def test_the_first_notebook_states_the_ceiling_on_record():
    facts = json.loads((ROOT / "results" / "data_check.json").read_text())["facts"]
    text = "".join(cell.source for cell in nbformat.read(FIRST, 4).cells)
    assert f"{facts['unseen_classes']} of the {facts['classes']} classes" in text
    assert f"the ceiling is {100 * facts['ceiling_top1']:.1f} %" in text


@pytest.mark.parametrize(
    "settings", [{}, {"label": "masterCategory", "split": "random:0.2", "balance_power": 1}]
)
def test_the_loss_by_hand_is_the_packages(settings, sample_root, tmp_path):
    cells = ["weights", "by-hand-cell", "by-package-cell"]
    found = run_first(cells, sample_root, tmp_path, settings)
    assert [*found["by_hand"]] == ["none", "loss", "weighted mean", "logits"]
    assert found["by_package"] == pytest.approx(found["by_hand"], rel=1e-6)
    assert len({round(value, 4) for value in found["by_hand"].values()}) > 1


def test_the_plain_loop_and_fit_give_the_same_losses(sample_root, tmp_path):
    settings = {"backbone": "tiny", "image_size": (32, 32), "bad_rows": "recover"}
    cells = [
        "row",
        "prepare",
        "build",
        "lesson",
        "accuracy",
        "plain-loop",
        "fit-cell",
        "solution-3",
    ]
    found = run_first(cells, sample_root, tmp_path, settings)
    losses, accuracies = found["fitted"].history[["train_loss", "val_accuracy"]].to_numpy().T
    np.testing.assert_allclose(losses, found["losses"], rtol=1e-4)
    np.testing.assert_allclose(accuracies, found["accuracies"], atol=0.07)  # one of 16 photos
    np.testing.assert_allclose(losses, found["losses_3"], rtol=1e-4)
    assert len(losses) == 3 and (np.diff(losses) < 0).all()


@pytest.fixture
def sorted_folders(sample_root, tmp_path):
    """The sample as a folder for each class: its photos come class by class, without years."""
    home = tmp_path / "photos"
    table = read_catalogue(open_root(sample_root)).table
    for photo, kind in zip(table["id"], table["label"], strict=True):
        (home / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample_root / "images" / f"{photo}.jpg", home / kind)
    return home


def test_of_photos_in_class_folders_it_shows_only_what_they_have(sorted_folders, tmp_path):
    settings = {"backbone": "tiny", "image_size": (32, 32)}
    cells = ["years-table", "row", "prepare", "build", "lesson"]
    found = run_first(cells, sorted_folders, tmp_path, settings)
    assert found["dated"].empty
    row, classes = found["row"], found["data"].task.labels[found["few"].task.train]
    assert list(row[row.astype(bool)].index) == ["id", "label", "part"]
    assert len(np.unique(classes)) == found["data"].task.num_classes


def test_the_trained_network_says_of_one_photo_what_the_runs_table_says(sample_root, tmp_path):
    settings = {"backbone": "tiny", "image_size": (32, 32), "lr": 0.01, "precision": "fp32"}
    cells = ["row", "prepare", "build", "train", "headline", "trained", "solution-1", "solution-2"]
    found = run_first(cells, sample_root, tmp_path, settings, epochs=2)
    np.testing.assert_allclose(found["now"][["p1", "p2"]], found["saved"][["p1", "p2"]], rtol=1e-3)
    assert found["now"]["top1"].item() == found["saved"]["top1"].item()
    accuracy, learnable = found["accuracy"], found["learnable"]
    assert accuracy[accuracy.index.isin(learnable)].mean() == pytest.approx(
        found["run"].metrics["macro"]
    )


@pytest.mark.parametrize("path", [*TAUGHT, COMPARE], ids=lambda path: path.stem)
def test_it_holds_no_path_of_a_machine(path):
    text = path.read_text()
    for private in (str(ROOT), str(Path.home()) + "/"):
        assert private not in text
    for cell in nbformat.read(path, 4).cells:
        shown = [output.get("text", "") for output in cell.get("outputs", [])]
        shown += [output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])]
        for words in (cell.source, *shown):
            assert not re.search(r"(?<![\w.<:/…])/\w+/", words), (
                words
            )  # an absolute path, of whatever machine


COMPARE = ROOT / "notebooks" / "04_compare.ipynb"


def test_the_comparison_is_committed_executed_as_the_result_files_have_it(tmp_path):
    """Executed again in a fresh kernel, in seconds, it says the same."""
    committed, copy = nbformat.read(COMPARE, 4), tmp_path / COMPARE.name
    papermill.execute_notebook(COMPARE, copy, cwd=str(COMPARE.parent), progress_bar=False)
    for old, new in zip(code_cells(COMPARE), code_cells(copy), strict=True):
        assert len(old.source.splitlines()) <= 15
        assert texts(old) == texts(new), "run `make results`"
    assert [cell.execution_count for cell in code_cells(COMPARE)] == list(
        range(1, len(code_cells(COMPARE)) + 1)
    )
    assert "88.17" in json.dumps(committed)


def test_the_comparison_takes_every_figure_from_its_folder():
    """Its text states none, so that another folder of results is described as rightly."""
    for cell in nbformat.read(COMPARE, 4).cells:
        figures = re.findall(r"(?<![.\d])\d[\d,.]* ?%", cell.source)
        assert set(figures) <= {"95 %"}, cell.source  # the level of the intervals


def texts(cell):
    """What a cell says; without the sizes of charts, which depend on how large matplotlib's version
    finds a text.
    """
    said = [output.get("text") or output["data"].get("text/plain") for output in cell.outputs]
    return [text and re.sub(r"<Chart size \S+", "<Chart size", text) for text in said]


@pytest.fixture(scope="module")
def learned(sample_root, tmp_path_factory):
    """All cells of the fifth notebook, in one namespace: a small network from random weights."""
    given = {
        "data_root": str(sample_root),
        "weights": "none",
        "epochs": 4,
        "settings": {"backbone": "tiny", "image_size": (48, 36), "lr": 0.01},
        "out": tmp_path_factory.mktemp("fifth") / "run",
    }
    said = io.StringIO()
    with redirect_stdout(said):
        found = {}
        for cell in code_cells(NEW_CLASSES):
            exec(cell.source, found)
            if cell.metadata.get("tags") == ["parameters"]:
                found.update(given)
    plt.close("all")
    return found | {"said": said.getvalue()}


def test_the_score_by_hand_is_the_packages(learned):
    by_hand, by_package = re.findall(r"by (?:hand|the package): +(\S+)", learned["said"])
    assert by_hand == by_package and float(by_hand) > 0


def test_new_classes_are_never_right_before_and_often_after(learned, sample_root):
    rows = learned["rest"], learned["is_new"], learned["predictions"], learned["after"]
    rest, is_new, before, after = rows
    new = is_new & rest
    assert learned["new"] == ["Sports Shoes", "Sunglasses"] and (~rest).sum() == 10
    assert not (before["top1"] == before["label"])[new].any()
    assert (after["top1"] == after["label"])[new].mean() > 0.4
    assert (learned["run"].folder / "figures" / "new_classes.png").exists()
    assert "largest difference of a logit: 0.0" in learned["said"]


def run_again(learned, name, **given):
    """One cell of the fifth notebook again, in a copy of its namespace with other values."""
    (cell,) = [cell for cell in code_cells(NEW_CLASSES) if cell.id == f"05-{name}"]
    found = learned | given
    exec(cell.source, found)
    plt.close("all")
    return found


def test_a_copy_of_a_photo_that_it_learned_from_does_not_test(learned):
    twins, five = learned["twins"].copy(), learned["five"]
    copy = int(np.flatnonzero(learned["is_new"] & learned["rest"])[0])
    twins[copy] = twins[five[0]]
    rest = run_again(learned, "after-table", twins=twins)["rest"]
    assert np.flatnonzero(~rest).tolist() == sorted([*five, copy])


def test_a_figure_is_shown_where_the_runs_folder_cannot_be_written(learned, tmp_path, capsys):
    (tmp_path / "figures").write_text("mine")
    found = run_again(learned, "picture-figure", run=replace(learned["run"], folder=tmp_path))
    assert "This figure is only shown: " in capsys.readouterr().out
    assert (tmp_path / "figures").read_text() == "mine" and found["figure"]


def test_data_without_a_class_that_comes_later_are_named_as_such():
    (cell,) = [cell for cell in code_cells(NEW_CLASSES) if cell.id == "05-new-table"]
    counts = pd.DataFrame({"label": ["Shirts", "Hats"], "train": [9, 0], "test": [9, 5]})
    data, run = SimpleNamespace(counts=counts), SimpleNamespace(predictions=None)
    with pytest.raises(FashionTLError, match="this split has no class with more than 5 test"):
        exec(cell.source, {"data": data, "run": run})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A sample of 360 photos and 22 types: the 20 largest are not all."""
    return draw_sample(tmp_path_factory.mktemp("drawn") / "sample", photos=360, types=22)


DRAWN = {"label": "masterCategory", "split": "random:0.2"}
# Of each approach: its epochs and settings. From random weights, a small network on small photos
# learns most in a short time.
TINY = {  # epochs and settings; another approach has 3 epochs, too
    "fc_only": (12, {"image_size": [80, 60]}),
    "direct": (2, {"image_size": [48, 36]} | DRAWN),
}


@pytest.fixture(scope="module")
def executed(drawn, tmp_path_factory):
    """All of them, parameters alone overridden: another backbone, and in one of them another label
    and split.
    """
    out = tmp_path_factory.mktemp("executed")

    def run_notebook(approach):
        epochs, settings = TINY.get(approach, (3, {"image_size": [48, 36]}))
        settings = {
            **APPROACHES[approach].from_random,
            **settings,
            "batch_size": 16,
            "backbone": "resnet18",
        }
        given = {"data_root": str(drawn), "weights": "none", "epochs": epochs, "settings": settings}
        execute.execute(approach, out, given)

    # A kernel with one thread for each processor is done sooner than kernels one after another.
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(processors()) as pool:
        patch.setenv("OMP_NUM_THREADS", "1")
        # Papermill saves a notebook before and after each cell, and in the end.
        patch.setattr("papermill.engines.write_ipynb", lambda *given: None)
        list(pool.map(run_notebook, execute.WITH_NOTEBOOKS))
    return out


@pytest.mark.parametrize("approach", execute.WITH_NOTEBOOKS)
def test_executed_it_beats_guessing_and_the_loss_falls(executed, approach, drawn):
    for folder in execute.run_folders(approach, executed):
        run = open_run(folder)
        counts = read_catalogue(
            open_root(drawn), label=run.config.label, split=run.config.split
        ).counts
        guessing = counts["test"].max() / counts["test"].sum()
        assert run.metrics["top1"] > guessing + MARGIN, folder
        assert run.history["train_loss"].iloc[-1] < 0.7 * run.history["train_loss"].iloc[0]


@pytest.mark.parametrize("approach", execute.WITH_NOTEBOOKS)
def test_executed_it_leaves_its_figures_and_says_that_the_weights_are_random(executed, approach):
    names = {path.name for path in (executed / approach).rglob("*.png")}
    for training in APPROACHES[approach].trainings:
        suffix = TRAININGS[training].suffix
        assert {
            f"loss_{suffix}.png",
            f"sample_results_{suffix}.png",
            f"per_class_{suffix}.png",
        } <= names
    notebook = (executed / f"{APPROACHES[approach].notebook}.ipynb").read_text()
    assert "RANDOM weights" in notebook and "made from" not in notebook


def test_executed_it_says_the_true_words_of_another_label_split_and_backbone(executed):
    cells = code_cells(executed / "02_direct.ipynb")
    said = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert (
        "the label is masterCategory" in said
        and "The split: a drawn 80% train, the other 20% test." in said
    )
    assert "ResNet-18 from random weights" in said and "odd years" not in said


def test_refreshed_notebooks_have_neither_overridden_parameters_nor_papermills_notes(executed):
    notebook = execute.committed_form(nbformat.read(executed / FIRST.name, 4), "some weights")
    text = json.dumps(notebook)
    assert "injected-parameters" not in text and "papermill" not in text
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "made from `some weights`" in text
    assert "made from" not in json.dumps(execute.committed_form(notebook, "x"))  # it never piles up
    assert [c.source for c in cells] == [c.source for c in code_cells(FIRST)]


def test_in_the_demo_a_download_is_tried_once_and_said_once(tmp_path, monkeypatch, capsys, drawn):
    tried, given = [], []

    def offline(*args, **kwargs):
        tried.append(1)
        raise URLError("no network")

    def notebook(approach, out, parameters):
        given.append(parameters["weights"])
        available_weights(parameters["weights"], is_sample=True)
        return out

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", offline)
    monkeypatch.setattr(weights, "_knock", lambda url: None)
    monkeypatch.setattr(execute, "execute", notebook)
    monkeypatch.setattr(execute, "summary", lambda runs, args, gentler: None)
    monkeypatch.setattr(
        execute, "open_root", lambda *_: open_root(drawn)
    )  # smaller than the one of the cache
    monkeypatch.setattr(sys, "argv", ["execute.py", "--out", str(tmp_path)])
    with redirect_stdout(execute.Terminal(sys.stdout)):
        assert execute.main() == 0
    assert len(tried) == 1 and given == ["none"] * len(TAUGHT)
    out = capsys.readouterr().out
    assert out.count("The notebooks run on the built-in sample; DATA=PATH names other data.") == 1
    assert (
        out.count("NOTE") == out.count("RANDOM weights") == 1
        and "could not be downloaded (no network)" in out
    )


@pytest.mark.parametrize(
    ("words", "lr"),
    [
        ("", 0.005),
        ("--weights none", 0.005),
        ("--set lr=0.02", 0.02),
        ("--recipe published", None),
    ],
)
def test_without_weights_the_demo_changes_settings_as_run_does_and_says_which(
    tmp_path, monkeypatch, capsys, drawn, words, lr
):
    given = []
    monkeypatch.setattr(execute, "available_weights", lambda *_: None)
    monkeypatch.setattr(execute, "execute", lambda name, out, all_: given.append(all_["settings"]))
    monkeypatch.setattr(execute, "summary", lambda runs, args, gentler: None)
    place = ["--only", "direct", "--data", str(drawn), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["execute.py", *place, *words.split()])
    assert execute.main() == 0
    assert given[0].get("lr") == lr
    said = [
        each for each in capsys.readouterr().out.splitlines() if "these settings change" in each
    ]
    if lr is None:
        assert given == [{}] and not said
    else:
        (line,) = said
        assert line.startswith("direct starts without its weights")
        assert "optimizer=sgd" in line and ("lr=0.005, " in line) is (lr == 0.005)


def test_on_other_data_a_download_that_fails_ends_it_before_a_notebook_starts(
    tmp_path, monkeypatch, make_root
):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", offline)
    monkeypatch.setattr(weights, "_knock", lambda url: None)
    root = make_root([(1, 2010, "Shirts")])
    monkeypatch.setattr(
        sys, "argv", ["execute.py", "--out", str(tmp_path / "out"), "--data", str(root)]
    )
    with pytest.raises(WeightsError, match="three ways"):
        execute.main()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mistakes", "named"),
    [
        (["--set", "lr=fast", "--data", "nowhere", "--weights", "nowhere.pt"], "lr must be"),
        (["--recipe", "fast", "--data", "nowhere"], "recipe must be"),
        (["--data", "nowhere", "--weights", "nowhere.pt"], "nowhere"),
        (["--weights", "nowhere.pt"], "no such weights"),
    ],
)
def test_of_several_mistakes_the_first_is_named_settings_then_data_then_weights(
    tmp_path, monkeypatch, drawn, mistakes, named
):
    mistakes = mistakes if "--data" in mistakes else [*mistakes, "--data", str(drawn)]
    monkeypatch.setattr(sys, "argv", ["execute.py", "--out", str(tmp_path / "out"), *mistakes])
    with pytest.raises(FashionTLError, match=named) as caught:
        execute.main()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_epochs_may_be_given_as_a_setting(tmp_path, monkeypatch, drawn):
    given = []
    monkeypatch.setattr(
        execute, "execute", lambda approach, out, parameters: given.append(parameters)
    )
    monkeypatch.setattr(execute, "summary", lambda runs, args, gentler: None)
    words = (
        f"--only direct --weights none --data {drawn} --set epochs=3 --set lr=0.01 --out {tmp_path}"
    )
    monkeypatch.setattr(sys, "argv", ["execute.py", *words.split()])
    assert execute.main() == 0
    assert (
        given[0]["epochs"] == 3
        and given[0]["settings"]["lr"] == 0.01
        and "epochs" not in given[0]["settings"]
    )


def test_make_notebooks_passes_settings_on():
    words = [
        "make",
        "-n",
        "-o",
        ".venv/.installed",
        "notebooks",
        "DATA=my photos",
        "SET=lr=0.01 image_size=64x48",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    given = shlex.split(done.stdout.replace("\\\n", ""))
    assert [given[i + 1] for i, word in enumerate(given) if word == "--set"] == [
        "lr=0.01",
        "image_size=64x48",
    ]
    assert given[given.index("--data") + 1] == "my photos"


def test_the_demos_terminal_shows_any_letter_and_a_note_once_and_leaves_no_blank_line_for_it():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", newline="\n")
    terminal = execute.Terminal(stream)
    for words in ("NOTE: a", "Dürer · 2", "", "NOTE: a", "2", "NOTE: b", "2"):
        print(words, file=terminal)
    print("half", end="", file=terminal, flush=True)
    assert stream.buffer.getvalue() == b"NOTE: a\nD\\xfcrer \\xb7 2\n\n2\nNOTE: b\n2\nhalf"


def test_the_terminal_of_the_demo_is_one_where_the_stream_is_one():
    for answer in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda answer=answer: answer
        assert execute.Terminal(stream).isatty() is answer
    assert execute.Terminal(io.TextIOWrapper(io.BytesIO(), "ascii")).encoding == "ascii"


def test_progress_bars_are_kept_as_a_terminal_would_show_them_in_the_end():
    texts = [
        ("stderr", "a:  0%"),
        ("stdout", "one\n"),
        ("stderr", "\ra: 50%\ra: 100%\n"),
        ("stderr", "b: 50%\r      \r"),
        ("stdout", "two\n"),
    ]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in texts]
    kept = execute.tidy(
        [*outputs, nbformat.v4.new_output("display_data", data={"text/plain": "figure"})]
    )
    assert [output.get("text") for output in kept] == ["a: 100%\n", "one\ntwo\n", None]
