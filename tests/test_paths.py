"""Paths as people write them: ``~`` is the home folder, whoever passes it on, and no folder of that
name appears.
"""

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from fashion_tl.__main__ import main
from fashion_tl.config import Config
from fashion_tl.data import download
from fashion_tl.data.dataroot import cache_folder, open_root
from fashion_tl.data.dataset import load_data
from fashion_tl.data.photos import decode_photos
from fashion_tl.data.sample import draw_sample
from fashion_tl.files import as_path
from fashion_tl.naming import open_served
from fashion_tl.network import trained
from fashion_tl.network.model import load_model, read_weights
from fashion_tl.network.trained import load_network
from fashion_tl.predict import answers, find_photos, predict
from fashion_tl.provenance import file_fingerprint
from fashion_tl.reporting import figures
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.reporting.layout import new_figure
from fashion_tl.running import start_run
from fashion_tl.runs import create_run, open_run
from notebooks import execute
from study.__main__ import main as study
from study.compare import on_the_same_photos
from study.records import recorded
from study.train import Plan
from tests.made_runs import small_model

NOBODY = "~nobody-of-this-name/x"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working folder, and a home folder of one's own beside it."""
    for name in ("here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    yield tmp_path / "here"
    assert list((tmp_path / "here").iterdir()) == []


@pytest.fixture
def home(here, sample_root, tiny_run):
    """The home folder with links to a data root and a photo, and a copy of a finished run, whose
    weights are links.
    """
    home = here.parent / "home"
    (home / "data").symlink_to(sample_root, target_is_directory=True)
    (home / "photo.jpg").symlink_to(sorted((sample_root / "images").iterdir())[0])
    (home / "classes" / "Stripes").mkdir(parents=True)
    (home / "classes" / "Stripes" / "1.jpg").symlink_to(home / "photo.jpg")
    shutil.copytree(tiny_run.folder, home / "run", copy_function=os.symlink)
    return home


def fetch(name, folder):
    with zipfile.ZipFile(folder / f"{name.split('/')[1]}.zip", "w") as archive:
        archive.writestr("styles.csv", "")


RUN = (
    "run fc_only --data=~/data --weights=~/run/model.safetensors --cache=~/cache --out=~/runs/new "
    "--backbone=tiny "
    "--epochs 1 --set image_size=32x32 --set precision=fp32 --set lr=0.001"
)
AUDIT = (
    "audit --data=~/data --weights=~/run/model.safetensors --cache=~/cache --to=~/audit "
    "--set backbone=tiny "
    "--set epochs=1 --set image_size=32x32 --set precision=fp32 --set lr=0.001"
)
COMMANDS = {
    "sample --to=~/drawn --photos 48 --types 6": "drawn/styles.csv",
    "download --small --to=~/down": "down/fashion-product-images-small.zip",
    "summary --data=~/data --cache=~/cache": "data",
    AUDIT: "audit/labels.html",
    "summary --data=sample --cache=~/cache": "cache/sample/styles.csv",
    RUN: "runs/new/figures/loss_fconly.png",
    "figures ~/run --data=~/data --cache=~/cache": "run/figures/loss_fconly.png",
    "report ~/run --data=~/data --cache=~/cache": "run/report.html",
    "report ~/run --data=~/data --to=~/pages/page.html": "pages/page.html",
    "predict ~/run ~/photo.jpg --to=~/answers.csv": "answers.csv",
    "extend ~/run --photos=~/classes --out=~/runs/extended": "runs/extended/model.safetensors",
    "export ~/run --onnx --to=~/mine.onnx": "mine.onnx",
}


@pytest.mark.parametrize(
    ("words", "file"), COMMANDS.items(), ids=[" ".join(words.split()[:1]) for words in COMMANDS]
)
def test_every_command_takes_it_for_the_home_folder(
    home, one_figure, monkeypatch, capsys, words, file
):
    monkeypatch.setattr(download, "_fetch", fetch)
    if "sample" in words:
        monkeypatch.setattr(
            "fashion_tl.data.sample.draw_sample.__kwdefaults__",
            {"photos": 48, "types": 6, "seed": 2010},
        )
    if words.startswith("audit"):
        pytest.importorskip("cleanlab")
    if words.startswith("export"):
        pytest.importorskip("onnxscript")
        small = small_model(stored_size=(40, 32), image_size=(40, 32))  # 20 s quicker
        monkeypatch.setattr(trained, "load_network", lambda run: load_network(run) and small)
    assert main(words.split()) == 0, capsys.readouterr().err
    assert (home / file).exists()
    assert "~" not in capsys.readouterr().out


CONFIG = Config("fc_only", image_size=(32, 32))


WEIGHTS = "~/run/model.safetensors"


def make_run(folder):
    data = {"name": "d", "photos": 1, "fingerprint": "f"}
    weights = {"name": "w", "fingerprint": None}
    return create_run(folder, CONFIG, data, weights).folder


def start(folder):
    run = start_run(folder, CONFIG, load_data("~/data", CONFIG), WEIGHTS)
    return run.folder if run.about["weights"]["fingerprint"] else None


def decode_into(cache):
    root = open_root("~/data")
    decode_photos(root, list(root.photos)[:1], cache=cache)
    return as_path(cache)


def predict_into(file):
    predict(load_model(WEIGHTS), ["~/photo.jpg"], file)
    return as_path(file)


# Function: a path for it, and what it makes there or says of it.
FUNCTIONS = {
    "open_root": ("~/data", lambda path: open_root(path).path),
    "decode_photos": ("~/cache", decode_into),
    "draw_sample": ("~/drawn", lambda path: draw_sample(path, photos=48, types=6)),
    "download": ("~/down", lambda path: download.download(path).parent),
    "open_run": ("~/run", lambda path: open_run(path).folder),
    "create_run": ("~/new", make_run),
    "start_run": ("~/new", start),
    "open_served": ("~/run", lambda path: open_served(path, "~/data").run.folder),
    "open_steps": ("~/run", lambda path: open_steps(path, "~/data")[0][0].folder),
    "load_model": (WEIGHTS, lambda path: load_model(path) and as_path(path)),
    "read_weights": (WEIGHTS, lambda path: read_weights(path, "tiny") and as_path(path)),
    "file_fingerprint": ("~/photo.jpg", lambda path: file_fingerprint(path) and as_path(path)),
    "find_photos": ("~/photo.jpg", lambda path: find_photos([path])[0]),
    "answers": (
        "~/photo.jpg",
        lambda path: Path(next(answers(load_model(WEIGHTS), [path]))["photo"]),
    ),
    "predict": ("~/answers.json", predict_into),
    "figures.save": (
        "~/figures/new.png",
        lambda path: figures.save(new_figure(5, 2, "title", "source")[0], path),
    ),
}


@pytest.mark.parametrize(("path", "function"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_takes_it_for_the_home_folder(home, monkeypatch, path, function):
    monkeypatch.setattr(download, "_fetch", fetch)
    place = home / path.removeprefix("~/")
    assert function(path) == place and place.exists()


@pytest.mark.parametrize("name", ["FASHION_TL_CACHE", "XDG_CACHE_HOME"])
def test_the_variables_of_the_cache_take_it_for_the_home_folder(here, monkeypatch, name):
    monkeypatch.delenv("FASHION_TL_CACHE")
    monkeypatch.setenv(name, "~/kept")
    assert cache_folder().is_relative_to(here.parent / "home" / "kept")


def test_the_notebooks_script_takes_it_for_the_home_folder(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["execute.py", "--out=~/executed"])
    assert execute.arguments().out == here.parent / "home" / "executed"


def test_the_study_takes_it_for_the_home_folder(home, monkeypatch):
    (home / "runs" / "direct").mkdir(parents=True)
    (home / "paired.json").write_text("[]")
    assert recorded("~") == ["direct"] and on_the_same_photos("~").empty
    folders = []
    plan = Plan(lambda data, weights, folder, **rest: folders.append(folder) or [], {}, "why", ())
    monkeypatch.setattr(Plan, "name", "direct")
    monkeypatch.setattr("study.train.PLANS", (plan,))
    assert study("train --data=~/data --weights=~/w --out=~/r --results=~".split()) == 0
    assert folders == [home / "r" / "direct"]


@pytest.mark.parametrize(
    "words", ["run fc_only --data sample --weights none --out", "sample --to", "summary --data"]
)
def test_a_home_folder_that_nobody_has_is_an_error_in_one_line(here, capsys, words):
    assert main([*words.split(), NOBODY]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    why = "the ~ stands for no home folder here; write the whole path"
    assert error == f"error: {NOBODY}: {why}, or ./{NOBODY}"


def test_a_file_of_such_a_name_is_meant_where_it_is_there_and_a_dot_before_it_always_means_one(
    here,
):
    (here / "~$photo.jpg").touch()
    assert as_path("~$photo.jpg") == Path("~$photo.jpg")  # as a shell names it for `*`
    assert as_path(as_path("./~/x")) == as_path("./~/x") == here / "~" / "x"
    (here / "~$photo.jpg").unlink()


@pytest.mark.parametrize("path", ["a/~/b", "a~", "$HOME/x", " ~/x"])
def test_elsewhere_in_a_path_it_is_a_letter_as_any(path):
    assert as_path(path) == Path(path)


EMPTY = [
    "run fc_only --data DATA --out new --weights",
    "run fc_only --data DATA --out",
    "audit --data DATA --to new --weights",
    "audit --data DATA --to",
    "summary --data",
    "summary --data DATA --cache",
    "predict RUN PHOTO --to",
    "report RUN --data DATA --to",
    "export RUN --onnx --to",
    "similar RUN PHOTO --out",
    "similar RUN PHOTO --out near.png --data",
    "similar RUN PHOTO --data",
    "similar RUN PHOTO --cache",
    "serve RUN --data",
    "serve RUN --cache",
    "extend RUN --photos",
    "sample --to",
]


@pytest.mark.parametrize("words", EMPTY)
def test_an_empty_path_never_stands_for_the_default(here, sample_root, tiny_run, capsys, words):
    if words.startswith("audit"):
        pytest.importorskip("cleanlab")
    if words.startswith("export"):
        pytest.importorskip("onnxscript")
    more = ["--out", "new"] if words.startswith("extend") else []
    photo = next((sample_root / "images").iterdir())
    places = {"DATA": sample_root, "RUN": tiny_run.folder, "PHOTO": photo}
    given = [str(places.get(word, word)) for word in words.split()]
    assert main([*given, "", *more]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: a path is empty")
    assert list(here.iterdir()) == []
