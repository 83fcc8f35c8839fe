"""The committed notebooks: as a reader finds them, and executed from their sources on a tiny sample."""

import io
import json
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from urllib.error import URLError

import nbformat
import papermill
import pytest
from torchvision.models import ResNet50_Weights

from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.sample import draw_sample
from fashion_tl.errors import FashionTLError, WeightsError
from fashion_tl.network import weights
from fashion_tl.network.model import available_weights
from fashion_tl.runs import open_run
from notebooks import execute

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0[123]_*.ipynb"))
STEPS = {"fc_only": ["."], "direct": ["."], "two_step": ["top20", "."]}
MARGIN = 0.1  # top-1 above that of always guessing the largest class; from random weights, in a minute


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["01_fc_only", "02_direct", "03_two_step"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_executed_from_top_to_bottom_without_an_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) >= 10


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_has_one_cell_of_parameters_short_cells_and_names_its_weights(path):
    cells = code_cells(path)
    assert [cell.metadata.get("tags", []).count("parameters") for cell in cells].count(1) == 1
    assert all(len(cell.source.splitlines()) <= 15 for cell in cells)
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert re.search(r"Data: .*photos · ResNet-50 from \S+", printed)


@pytest.mark.parametrize("path", [*NOTEBOOKS, ROOT / "notebooks" / "04_compare.ipynb"], ids=lambda path: path.stem)
def test_it_holds_no_path_of_a_machine(path):
    text = path.read_text()
    for private in (str(ROOT), str(Path.home()) + "/"):
        assert private not in text
    for cell in nbformat.read(path, 4).cells:
        shown = [output.get("text", "") for output in cell.get("outputs", [])]
        shown += [output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])]
        for words in (cell.source, *shown):
            assert not re.search(r"(?<![\w.<:/…])/\w+/", words), words  # an absolute path, of whatever machine


COMPARE = ROOT / "notebooks" / "04_compare.ipynb"


def test_the_comparison_is_committed_executed_as_the_result_files_have_it(tmp_path):
    """Executed again in a fresh kernel, in seconds, it says the same."""
    committed, copy = nbformat.read(COMPARE, 4), tmp_path / COMPARE.name
    papermill.execute_notebook(COMPARE, copy, cwd=str(COMPARE.parent), progress_bar=False)
    for old, new in zip(code_cells(COMPARE), code_cells(copy), strict=True):
        assert len(old.source.splitlines()) <= 15
        assert texts(old) == texts(new), "run `make results`"
    assert [cell.execution_count for cell in code_cells(COMPARE)] == list(range(1, len(code_cells(COMPARE)) + 1))
    assert "88.17" in json.dumps(committed)


def test_the_comparison_takes_every_figure_from_its_folder():
    """Its text states none, so that another folder of results is described as rightly."""
    for cell in nbformat.read(COMPARE, 4).cells:
        figures = re.findall(r"(?<![.\d])\d[\d,.]* ?%", cell.source)
        assert set(figures) <= {"95 %"}, cell.source  # the level of the intervals


def texts(cell):
    """What a cell says; without the sizes of charts, which depend on how large matplotlib's version finds a text."""
    said = [output.get("text") or output["data"].get("text/plain") for output in cell.outputs]
    return [text and re.sub(r"<Chart size \S+", "<Chart size", text) for text in said]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A sample of 360 photos and 22 types: the 20 largest are not all."""
    return draw_sample(tmp_path_factory.mktemp("drawn") / "sample", photos=360, types=22)


@pytest.fixture(scope="module")
def executed(drawn, tmp_path_factory):
    """All three, parameters alone overridden: random weights, small photos, a tiny sample."""
    out = tmp_path_factory.mktemp("executed")
    for approach, epochs, settings in (
        ("fc_only", 20, {"image_size": [80, 60]}),
        ("direct", 6, {"image_size": [48, 36]}),
        ("two_step", 5, {"image_size": [48, 36]}),
    ):
        settings = execute.RANDOM[approach] | settings | {"batch_size": 16}
        given = {"data_root": str(drawn), "weights": "none", "epochs": epochs, "settings": settings}
        execute.execute(approach, out, given)
    return out


@pytest.mark.parametrize("approach", STEPS)
def test_executed_it_beats_guessing_and_the_loss_falls(executed, approach, drawn):
    counts = read_catalogue(open_root(drawn)).counts
    guessing = counts["test"].max() / counts["test"].sum()
    for step in STEPS[approach]:
        run = open_run(executed / approach / step)
        assert run.metrics["top1"] > guessing + MARGIN, (approach, step)
        assert run.history["train_loss"].iloc[-1] < 0.7 * run.history["train_loss"].iloc[0]


@pytest.mark.parametrize("approach", STEPS)
def test_executed_it_leaves_its_figures_and_says_that_the_weights_are_random(executed, approach):
    suffixes = {"fc_only": ["fconly"], "direct": ["direct"], "two_step": ["20", "142"]}[approach]
    names = {path.name for path in (executed / approach).rglob("*.png")}
    for suffix in suffixes:
        assert {f"loss_{suffix}.png", f"sample_results_{suffix}.png", f"per_class_{suffix}.png"} <= names
    assert {"distribution.png", "distribution20.png", "weight.png", "sampledata.png", "sampledata2.png"} <= names
    notebook = (executed / f"{execute.NOTEBOOKS[approach]}.ipynb").read_text()
    assert "RANDOM weights" in notebook and "made from" not in notebook


def test_refreshed_notebooks_have_neither_overridden_parameters_nor_papermills_notes(executed):
    notebook = execute.committed_form(nbformat.read(executed / "01_fc_only.ipynb", 4), "some weights")
    text = json.dumps(notebook)
    assert "injected-parameters" not in text and "papermill" not in text
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "made from `some weights`" in text
    assert "made from" not in json.dumps(execute.committed_form(notebook, "x"))  # it never piles up
    assert [c.source for c in cells] == [c.source for c in code_cells(ROOT / "notebooks" / "01_fc_only.ipynb")]


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
    monkeypatch.setattr(execute, "open_root", lambda *_: open_root(drawn))  # smaller than the one of the cache
    monkeypatch.setattr(sys, "argv", ["execute.py", "--out", str(tmp_path)])
    with redirect_stdout(execute.Terminal(sys.stdout)):
        assert execute.main() == 0
    assert len(tried) == 1 and given == ["none"] * 3
    out = capsys.readouterr().out
    assert out.count("The notebooks run on the built-in sample; DATA=PATH names other data.") == 1
    assert out.count("NOTE") == out.count("RANDOM weights") == 1 and "could not be downloaded (no network)" in out


def test_on_other_data_a_download_that_fails_ends_it_before_a_notebook_starts(tmp_path, monkeypatch, make_root):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", offline)
    monkeypatch.setattr(weights, "_knock", lambda url: None)
    root = make_root([(1, 2010, "Shirts")])
    monkeypatch.setattr(sys, "argv", ["execute.py", "--out", str(tmp_path / "out"), "--data", str(root)])
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
    monkeypatch.setattr(execute, "execute", lambda approach, out, parameters: given.append(parameters))
    monkeypatch.setattr(execute, "summary", lambda runs, args, gentler: None)
    words = f"--only direct --weights none --data {drawn} --set epochs=3 --set lr=0.01 --out {tmp_path}"
    monkeypatch.setattr(sys, "argv", ["execute.py", *words.split()])
    assert execute.main() == 0
    assert given[0]["epochs"] == 3 and given[0]["settings"]["lr"] == 0.01 and "epochs" not in given[0]["settings"]


def test_make_notebooks_passes_settings_on():
    words = ["make", "-n", "-o", ".venv/.installed", "notebooks", "DATA=my photos", "SET=lr=0.01 image_size=64x48"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    given = shlex.split(done.stdout.replace("\\\n", ""))
    assert [given[i + 1] for i, word in enumerate(given) if word == "--set"] == ["lr=0.01", "image_size=64x48"]
    assert given[given.index("--data") + 1] == "my photos"


def test_the_terminal_of_the_demo_shows_any_letter_and_a_note_once_and_leaves_no_blank_line_for_it():
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
    kept = execute.tidy([*outputs, nbformat.v4.new_output("display_data", data={"text/plain": "figure"})])
    assert [output.get("text") for output in kept] == ["a: 100%\n", "one\ntwo\n", None]
