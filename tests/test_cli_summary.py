"""``python -m fashion_tl summary``: the numbers, the account of what was left out, and errors in
one line.
"""

import json
import re
import subprocess
import sys

import pytest

from fashion_tl.__main__ import main
from tests.conftest import row_line

KEYS = [
    "rows",
    "malformed",
    "missing_image",
    "missing_year",
    "usable",
    "classes",
    "train",
    "train_classes",
    "test",
    "test_classes",
    "top20_train",
    "top20_test",
    "unseen_classes",
    "unseen_test_rows",
    "ceiling_top1",
    "ceiling_top1_top20",
]
ROWS = [
    (1, 2012, "Shirts"),
    (2, 2013, "Heels"),
    (3, 2014, "Shirts"),
    (4, "", "Heels"),
    (5, 2014, "Heels"),
]
COMMAS = row_line(6, 2012, "Heels", name="Red, Round Neck")


def summary(capsys, *arguments) -> tuple[int, str, str]:
    code = main(["summary", "--data", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_has_exactly_the_keys_in_their_order(make_root, capsys):
    code, out, err = summary(capsys, make_root([*ROWS, COMMAS]), "--json")
    assert (code, err) == (0, "")
    numbers = json.loads(out)
    assert list(numbers) == KEYS
    assert numbers == {
        "rows": 6,
        "malformed": 1,
        "missing_image": 0,
        "missing_year": 1,
        "usable": 4,
        "classes": 2,
        "train": 3,
        "train_classes": 2,
        "test": 1,
        "test_classes": 1,
        "top20_train": 3,
        "top20_test": 1,
        "unseen_classes": 0,
        "unseen_test_rows": 0,
        "ceiling_top1": 1.0,
        "ceiling_top1_top20": 1.0,
    }


def test_bad_rows_can_be_recovered(make_root, capsys):
    folder = make_root([*ROWS, COMMAS])
    _, out, _ = summary(capsys, folder, "--json", "--bad-rows", "recover")
    assert json.loads(out)["usable"] == 5 and json.loads(out)["malformed"] == 1


def test_the_text_names_each_row_left_out(make_root, capsys):
    code, out, _ = summary(capsys, make_root([*ROWS, COMMAS]))
    assert code == 0
    assert re.search(r"^  malformed +1$", out, re.MULTILINE)
    assert re.search(r"^  missing_year +1$", out, re.MULTILINE) and "missing_image" not in out
    assert "malformed (1): 7 (id 6)" in out and "missing year (1): 5 (id 4)" in out
    assert "100.00%" in out
    assert "largest classes (train + test): Heels 1 + 1, Shirts 2 + 0\n" in out


def test_of_a_drawn_split_it_says_that_a_run_may_test_fewer_photos(make_root, capsys):
    folder = make_root(ROWS)
    said = "`run` may test fewer photos than are counted here."
    assert said in summary(capsys, folder, "--split", "random:0.4")[1]
    assert said not in summary(capsys, folder)[1]


def test_of_class_folders_it_says_that_folders_name_the_classes(tmp_path, capsys):
    for file in ("train/Shirts/1.jpg", "train/Heels/2.jpg", "test/Heels/3.jpg"):
        (tmp_path / "root" / file).parent.mkdir(parents=True)
        (tmp_path / "root" / file).touch()
    _, out, _ = summary(capsys, tmp_path / "root")
    rule = "the training folders train, the test folders test"
    assert out.startswith(f"root: folders name the classes; {rule}\n")
    assert "usable" in out
    assert not re.search("malformed|missing|top20", out)  # no table, and 2 classes


def test_data_that_no_run_can_use_end_in_an_error_behind_the_account(make_root, capsys):
    folder = make_root([(1, 2012, "Shirts"), (2, 2014, "Heels")])
    for arguments in ([folder], [folder, "--json"]):
        code, out, err = summary(capsys, *arguments)
        assert code == 2 and "usable" in out
        assert err.startswith(
            "error: root: there is nothing to test on, no photo of odd years. The split: even years"
        )


def test_a_folder_and_its_zip_have_one_summary(sample_root, zip_root, capsys):
    _, folder, _ = summary(capsys, sample_root, "--json")
    _, packed, _ = summary(capsys, zip_root(sample_root, "fashion/"), "--json")
    assert folder == packed
    assert json.loads(folder)["usable"] == 240


def test_a_root_that_cannot_be_used_ends_in_one_line_and_exit_code_2(make_root, tmp_path, capsys):
    text = tmp_path / "text.zip"
    text.write_text("not a zip")
    for path in (
        tmp_path / "nowhere",
        text,
        make_root("", photos={}, at="empty"),
        make_root("id,year\n1,2012\n", at="lacking"),
        make_root(
            "id,year,articleType" + "x" * 200_000 + "\n1,2012,Shirts\n", photos={}, at="huge"
        ),
    ):
        code, out, err = summary(capsys, path, "--json")
        assert (code, out) == (2, "")
        assert err.startswith("error: ") and err.count("\n") == 1 and str(path) in err


def python(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_the_command_itself_ends_without_a_traceback(tmp_path):
    done = python("-m", "fashion_tl", "summary", "--data", tmp_path / "nowhere")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: no such data root") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["fashion_tl", "study"])
def test_ctrl_c_while_the_program_is_loaded_ends_it_in_one_line(name):
    program = (
        "import os, runpy, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'fashion_tl.config': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv[1:] = ['--help']\n"
        f"runpy.run_module({name!r}, run_name='__main__')\n"
    )
    done = python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_a_run_that_is_not_there_is_named_before_torch_is_imported(tmp_path):
    program = (
        "import sys; from fashion_tl.__main__ import main\n"
        "for words in ('predict R x.jpg', 'similar R x.jpg', 'extend R --photos x --out y',\n"
        "              'export R --onnx', 'report R', 'figures R', 'remember R', 'serve R'):\n"
        "    assert main(words.replace('R', sys.argv[1]).split()) == 2, words\n"
        "    assert not {'torch', 'matplotlib'} & set(sys.modules), words\n"
    )
    for folder, why in (
        (tmp_path / "nothing", "no such run folder: "),
        (tmp_path, " is not a run folder: "),
    ):
        done = python("-c", program, folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(why) == done.stderr.count("error: ") == 8


def test_summary_and_help_never_wait_for_torch(sample_root):
    program = (
        "import sys; from fashion_tl.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules), 'torch was imported'"
    )
    for arguments in (["summary", "--data", sample_root, "--json"], ["--help"], ["run", "--help"]):
        done = python("-c", program, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout
