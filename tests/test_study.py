"""The study's command line: it starts at once, and says in one line what is wrong."""

import importlib
import subprocess
import sys

import pytest

from study import render
from study.__main__ import main
from tests.test_shape import STUDY_ORDER

HELP = """
import sys
from study.__main__ import parser
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
        ("data-check --data nothing", "nothing"),
        ("bench precision nothing --data d", "no such run folder: nothing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, error, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and error in line
    assert not list(tmp_path.iterdir())


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
