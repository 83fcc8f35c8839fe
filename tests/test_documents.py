"""The documents are true: their commands run, their links lead somewhere, and the first page stays
short.

A command is a line of a ``bash`` block, a whole ``python`` block, or one of other programs between
backticks. Each is run here, or covered by a named test, or listed with the reason why it can't be
run here.
"""

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

import fashion_tl
from fashion_tl.__main__ import main
from fashion_tl.approaches import run_approach
from fashion_tl.config import SETTINGS
from fashion_tl.data.sample import draw_sample
from fashion_tl.recipes import make_config
from study.__main__ import main as study_main
from study.commands import parser as study_parser
from tests import REPOSITORY as ROOT
from tests.conftest import jpeg, pattern

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "data/README.md",
    "docs/*.md",
    "results/*.md",
)
DOCUMENTS = sorted(path for page in PAGES for path in ROOT.glob(page))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Each key of these three is how a command begins, or names a Python block.
RUN_HERE = (
    *(
        f"python -m fashion_tl {name} "
        for name in (
            "summary",
            "audit",
            "sample",
            "run",
            "figures",
            "report",
            "predict",
            "similar",
            "remember",
            "extend",
        )
    ),
    "python -m study compare",
    "docs/your-data.md, Python block 1",
    "docs/usage.md, Python block 1",
)
COVERED = {
    "python -m fashion_tl download": "test_download.py::test_good_download_is_a_data_root_as_it_is",
    "python -m fashion_tl export": "test_export.py::test_it_goes_where_it_is_told_to_go",
    "python -m pip wheel": (
        "test_package.py::test_the_wheel_holds_every_file_of_the_package_and_nothing_else"
    ),
    "docs/onnx.md, Python block 1": (
        "test_export.py::"
        "test_the_lines_of_the_document_give_the_answers_of_predict_for_photos_as_people_have_them"
    ),
    "docs/onnx.md, Python block 2": (
        "test_export.py::test_the_document_and_the_file_hold_the_same_lines"
    ),
    "docs/kaggle-and-colab.md, Python block 1": "test_package.py::on_kaggle",
    "docs/kaggle-and-colab.md, Python block 2": "test_package.py::on_kaggle",
    "docs/kaggle-and-colab.md, Python block 3": (
        "test_package.py::test_the_guides_cell_for_the_report_finds_the_installed_templates"
    ),
    "docs/kaggle-and-colab.md, Python block 4": (
        "test_package.py::test_the_guides_parameters_for_kaggle_are_those_of_the_notebooks"
    ),
    "docs/kaggle-and-colab.md, Python block 5": (
        "test_package.py::test_the_guides_cells_for_colab_take_the_zip_and_write_to_drive"
    ),
    "docs/kaggle-and-colab.md, Python block 6": (
        "test_package.py::test_the_guides_cells_for_colab_take_the_zip_and_write_to_drive"
    ),
    "python -m study record": (
        "test_results.py::test_every_record_is_one_of_the_looks_and_the_same_look_is_counted_once"
    ),
    "python -m study check": (
        "test_results.py::test_the_commands_check_pair_and_compare_what_is_on_record"
    ),
    "python -m study tune": (
        "test_tuning.py::test_a_trial_trains_and_validates_but_tests_nothing_and_is_not_made_twice"
    ),
}
MINUTES = "takes minutes"
INSTALLS = "needs the network: it installs packages"
HOURS = "needs the real data, and hours"
NOT_HERE = {
    "python -m fashion_tl serve": "runs until Ctrl-C; test_serve.py asks for its page",
    ". .venv/bin/activate": "changes the shell in which it is typed",
    "git restore": "changes the clone",
    "git diff": "only shows what changed in the clone",
    "make demo": (
        "takes minutes and changes the clone; "
        "test_notebooks.py executes the notebooks by the same script"
    ),
    "make notebooks": "takes minutes; test_notebooks.py executes the notebooks by the same script",
    "PIP_EXTRA_INDEX_URL=": INSTALLS,
    "make install": INSTALLS,
    "pip install": INSTALLS,
    "pre-commit install": "changes the clone",
    "make lab": "opens a browser",
    "make help": "only prints the Makefile's own lines",
    "make test": "is what runs this test",
    "make faults": MINUTES,
    "make fuzz": MINUTES,
    "make scale": MINUTES,
    "make browser": "needs Chromium",
    "make package": INSTALLS,
    "make results": "changes the clone; test_results.py checks that it would change nothing",
    "make bench": "needs the real data, and minutes",
    "torchrun": (
        "needs several GPUs or machines; test_distributed.py starts two processes on the CPU"
    ),
    "python -m study bench gpu": "needs a GPU",
    "python -m study bench profile": "needs the real data",
    "python -m study bench precision": "needs trained networks",
    "python -m study train": HOURS,
    "python -m study heads": "needs the real data",
    "python -m study minutes": "needs the real data",
    "python -m study audit": "needs the real data",
    "python -m study calibration": "needs the real data",
    "python -m study fewer": "needs the real data",
    "python -m study trials": "needs the real data",
    "python -m study unknown": "needs the real data",
    "python -m study few-shot": "needs the real data",
    "python -m study detail": "needs the real data, also larger",
    "python -m study episodes": HOURS,
    "python -m study flips": "needs the real data, and trained networks",
    "python -m study data-check": "needs the real data",
}


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def lines_of(block: str) -> list[str]:
    """The commands of a block, without comments and breaks after a backslash."""
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def typed(document: Path) -> list[str]:
    """The commands that a reader would copy from a document's blocks."""
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    return [line for language, block in blocks if language == "bash" for line in lines_of(block)]


def python_blocks(document: Path) -> dict[str, str]:
    blocks = [
        block
        for language, block in BLOCK.findall(document.read_text(encoding="utf-8"))
        if language == "python"
    ]
    return {
        f"{name(document)}, Python block {number}": block
        for number, block in enumerate(blocks, start=1)
    }


def mentioned(document: Path) -> list[str]:
    """The commands among its words. ``python -m fashion_tl predict`` there is only a name."""
    words = re.findall(
        r"`([^`]+)`", BLOCK.sub("", document.read_text(encoding="utf-8")).replace("\n", " ")
    )
    starts = ("make ", "pip install ", "git ", "torchrun ", "python ")
    found = [
        each
        for each in words
        if each.startswith(starts) and not re.match(r"python -m (fashion_tl|study$)", each)
    ]
    return [line for each in found for line in lines_of(each)]


def all_commands() -> set[str]:
    return {
        command
        for document in DOCUMENTS
        for command in (*typed(document), *python_blocks(document), *mentioned(document))
    }


def keys_of(command: str) -> list[str]:
    return [
        key for group in (RUN_HERE, COVERED, NOT_HERE) for key in group if command.startswith(key)
    ]


def test_every_command_is_run_here_or_covered_by_a_test_or_listed_with_its_reason():
    assert {
        command: keys_of(command) for command in all_commands() if len(keys_of(command)) != 1
    } == {}


def test_the_lists_name_only_commands_that_the_documents_have():
    used = {key for command in all_commands() for key in keys_of(command)}
    assert used == {*RUN_HERE, *COVERED, *NOT_HERE}


def test_the_tests_that_cover_commands_exist():
    for file, function in (test.split("::") for test in COVERED.values()):
        assert f"\ndef {function}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


TINY = {
    "epochs": 1,
    "image_size": (32, 32),
    "precision": "fp32",
    "lr": 1e-4,
    "backbone": "tiny",
}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """What the documents take for granted: a zip of photos under the names it has there, a run,
    photos to name.
    """
    home = tmp_path_factory.mktemp("example")
    drawn = draw_sample(home / "drawn", photos=60, types=6)
    (drawn / "sample.json").unlink()
    (home / "data").mkdir()
    small = Path(
        shutil.make_archive(str(home / "data" / "fashion-product-images-small"), "zip", drawn)
    )
    shutil.copy(small, small.with_name("fashion-product-images-dataset.zip"))
    (home / "folder").mkdir()
    (home / "new-classes" / "Hats").mkdir(parents=True)
    for place in ("photo.jpg", "folder/a.jpg", "folder/b.png", "new-classes/Hats/a.png"):
        (home / place).write_bytes(jpeg(pattern(7)))
    run_approach("fc_only", small, "none", home / "runs" / "mine", cache=home / "cache", **TINY)
    return home


@pytest.fixture
def here(example, tmp_path, one_figure, monkeypatch):
    """A copy of the example as the working folder, with a small built-in sample."""
    but_caches = shutil.ignore_patterns("cache")
    # Links are enough: a file is replaced as a whole, never changed.
    shutil.copytree(example, tmp_path, dirs_exist_ok=True, ignore=but_caches, copy_function=os.link)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASHION_TL_CACHE", str(example / "cache"))
    monkeypatch.setattr(draw_sample, "__kwdefaults__", {"photos": 60, "types": 6, "seed": 2010})
    return tmp_path


QUICK = (
    "--weights none --epochs 1 --set image_size=32x32 --set stored_size=40x30 "
    "--set precision=fp32 --set lr=0.0001 --set backbone=tiny"
)
RUN_LINES = sorted(
    {line for page in DOCUMENTS for line in typed(page) if line.startswith(RUN_HERE)}
)
RUN_BLOCKS = {
    key: block
    for page in DOCUMENTS
    for key, block in python_blocks(page).items()
    if key in RUN_HERE
}


@pytest.mark.parametrize("line", RUN_LINES, ids=str)
def test_a_command_of_the_documents_runs_as_it_is_written(here, capsys, line):
    _, _, program, *words = line.replace("PATH", "data/fashion-product-images-small.zip").split()
    if words[0] == "run":
        shutil.rmtree(here / "runs")
        words += QUICK.split()
    elif "runs/try" in words:  # the run of the line before it
        run_approach("fc_only", "sample", "none", here / "runs" / "try", **TINY)
    if words[0] == "audit":
        pytest.importorskip("cleanlab")
        words += QUICK.replace("--epochs 1", "--set epochs=1").split()
    if words[0] == "sample":
        words += "--photos 60 --types 6".split()
    started = {"fashion_tl": main, "study": study_main}[program](words)
    assert started == 0, capsys.readouterr().err


@pytest.mark.parametrize("block", RUN_BLOCKS.values(), ids=RUN_BLOCKS)
def test_a_python_block_of_the_documents_runs_and_prints_what_a_run_reached(here, capsys, block):
    if "run_approach" in block:
        shutil.rmtree(here / "runs")
    block = block.replace("PATH", "data/fashion-product-images-small.zip").replace(
        "IMAGENET1K_V1", "none"
    )
    names = {}
    exec(
        block.replace("epochs=5", "epochs=1, image_size=(32, 32), lr=1e-4, backbone='tiny'"),
        names,
    )
    assert str(names["run"].metrics["top1"]) in capsys.readouterr().out


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_line_but_those_of_tables_has_more_than_120_letters(document):
    lines = document.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_every_make_command_names_a_target_and_variables_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in all_commands():
        program, target, *settings = [*shlex.split(line), ""]
        if program == "make":
            assert f"\n{target}:" in makefile, line
            assert all(
                f"$({setting.split('=')[0]})" in makefile or not setting for setting in settings
            ), line


def test_every_command_of_the_study_is_one_that_it_has():
    lines = {
        line for page in DOCUMENTS for line in typed(page) if line.startswith("python -m study ")
    }
    assert lines and all(study_parser().parse_args(shlex.split(line)[3:]) for line in lines)


def test_the_map_of_contributing_names_functions_where_they_are():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = text.partition("## Where do I find")[2].partition("\n## ")[0].splitlines()[4:]
    for row in filter(None, rows):
        places = re.findall(r"((?:`\w+`(?: and )?)+) in `([\w/]+\.py)`", row)
        assert places, row
        for named, file in places:
            for own in re.findall(r"\w+", named.replace(" and ", " ")):
                source = (ROOT / file).read_text(encoding="utf-8")
                assert re.search(rf"^(def|class) {own}\b", source, re.MULTILINE), (own, file)
    assert len(rows) >= 15


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_code_stands_in_blocks_that_name_their_language(document):
    text = document.read_text(encoding="utf-8")
    assert {language for language, _ in BLOCK.findall(text)} <= {"bash", "python", "text"}
    assert text.count("\n```") == 2 * len(BLOCK.findall(text))
    assert re.findall(r"\n\n    \S.*", BLOCK.sub("", text)) == []


def anchors(text: str) -> set[str]:
    """What a page's headings are called in a link, as GitHub does it."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^()\s]+)\)", BLOCK.sub("", text))


def broken(text: str, file: Path) -> list[str]:
    """The links in a file's text that lead nowhere; those to other sites are not tried."""
    bad = []
    for link in links(text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            bad.append(link)
    return bad


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document):
    assert broken(document.read_text(encoding="utf-8"), document) == []


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=name)
def test_every_link_in_a_notebook_leads_somewhere(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert broken(text, notebook) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A title: one\n\n[a](#a-title-one) [b](#no-title) [c](none.md) [d](page.md#a-title-one)\n"
    )
    assert broken(page.read_text(), page) == ["#no-title", "none.md"]


def test_the_first_page_has_at_most_900_words():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_the_tuned_recipe_is_told_as_it_is():
    """The table in docs/method.md, and the line below it."""
    text = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    titles = {"fc_only": "FC only", "direct": "direct", "two_step": "both of two steps"}
    for training, title in titles.items():
        own = make_config(training)
        body = own.backbone_lr_ratio
        lr = f"{own.lr}" if training == "fc_only" else f"{own.lr}, the body {body} of it"
        size = "×".join(map(str, own.image_size))
        cells = [title, own.optimizer, lr, own.batch_size, own.epochs, size]
        row = "| " + " | ".join(map(str, cells)) + " | "
        assert row.casefold() in text.casefold(), row
        decay = re.search(re.escape(row) + r"(\S+) \|", text, re.IGNORECASE)[1]
        assert float(decay) == own.weight_decay
        assert (own.balance, own.balance_power, own.label_smoothing) == ("logits", 0.5, 0.1)
        assert own.flip and own.flip_test
        if training != "fc_only":
            assert (own.mixup, own.warmup_epochs) == (0.2, 0.5)
    first, second = (make_config(step).to_dict() for step in ("top20", "two_step"))
    assert {name for name in first if first[name] != second[name]} == {"training", "largest"}


def test_every_document_can_be_reached_from_the_first_page():
    seen, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        seen.add(page)
        targets = {
            (page.parent / link.split("#")[0]).resolve()
            for link in links(page.read_text(encoding="utf-8"))
        }
        new |= {target for target in targets if target in DOCUMENTS} - seen
    assert set(DOCUMENTS) - seen <= {ROOT / "data" / "README.md"}


def test_the_sentences_on_the_first_page_have_the_numbers_of_its_table():
    _, table, after = re.split(
        r"<!-- results: table -->|<!-- end -->", (ROOT / "README.md").read_text("utf-8"), maxsplit=2
    )
    shown = {float(number) for number in re.findall(r"([\d.]+) %", table)}
    rounded = {round(number, 1) for number in shown}
    without_training_photos = {round(100 - number, 1) for number in shown}  # of a ceiling
    said = {float(number) for number in re.findall(r"([\d.]+) %", after.split("## ")[0])}
    full = (ROOT / "results" / "README.md").read_text("utf-8")
    weights = re.search(r"^\*\*The weights\*\*.*?\n\n", full, re.DOTALL | re.MULTILINE)[0]
    of_weights = {float(number) for number in re.findall(r"([\d.]+) %", weights)}
    assert len(said) > 3 and said <= shown | rounded | without_training_photos | of_weights


def test_every_setting_is_explained():
    rows = re.findall(
        r"^\| (`.*?) \|",
        (ROOT / "docs" / "usage.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert set(SETTINGS) <= {setting for row in rows for setting in re.findall(r"`(\w+)`", row)}


def test_every_module_has_its_row_in_the_table_for_contributors():
    table = (
        (ROOT / "CONTRIBUTING.md")
        .read_text(encoding="utf-8")
        .split("| folder | module |")[1]
        .split("\n\n")[0]
    )
    named = {
        word
        for line in table.splitlines()[2:]
        for word in re.findall(r"`(\w+)/?`", line.split("|")[2])
    }
    files = [
        path
        for path in (ROOT / "fashion_tl").rglob("*.py")
        if path.parent.name not in ("sample", "examples")
    ]
    assert named == {path.stem for path in files} - {"__init__"} | {"sample"}


def test_the_changes_and_the_citation_know_the_version():
    version = fashion_tl.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pre_commit_and_make_test_check_the_same():
    hooks = re.findall(
        r"entry: \.venv/bin/(\w+(?: \w+)?)", (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ntest: ")[1].split("\n\n")[0]
    assert hooks and all(f"$(BIN)/{hook}" in makefile for hook in hooks)
