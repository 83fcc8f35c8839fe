"""The program fits the machine it is on: its processors, its other programs, its devices, its
consoles.
"""

import io
import os
import subprocess
import sys
import time

import nbformat
import pytest
import torch

from fashion_tl import machine, threads
from fashion_tl.actions import RANDOM
from fashion_tl.approaches import run_approach
from fashion_tl.config import parse_setting
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode_photos
from fashion_tl.errors import ConfigError
from fashion_tl.files import as_path
from fashion_tl.network.inference import pick_device
from fashion_tl.recipes import APPROACHES
from fashion_tl.threads import threads_by_load
from tests import REPOSITORY

# Of each approach that has one.
NOTEBOOKS = [row.notebook for row in APPROACHES.values() if row.notebook]


def python(code: str, *words: object, **environment: str | None) -> subprocess.CompletedProcess:
    """Run ``code`` in a fresh interpreter; None removes a variable."""
    changed = {name: os.environ.get(name) for name in os.environ} | environment
    env = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


SHOW = "import fashion_tl, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"


def test_the_package_tells_torchs_threads_to_wait_politely_before_torch_is_loaded():
    assert python(SHOW, GOMP_SPINCOUNT=None, OMP_WAIT_POLICY=None).stdout.split() == [
        "10000",
        "False",
    ]


@pytest.mark.parametrize("own", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_a_users_own_setting_of_how_threads_wait_stays(own):
    shown = python(SHOW, **{"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None} | own).stdout.split()
    assert shown[0] == own.get("GOMP_SPINCOUNT", "None")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_imports_the_package_before_torch(name):
    path = REPOSITORY / "notebooks" / f"{name}.ipynb"
    first = next(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")
    assert first.index("import fashion_tl") < first.index("import torch")


@pytest.fixture
def quota(monkeypatch, tmp_path):
    """``quota(text)``: from now on this process is in a container whose ``cpu.max`` says so, on 64
    processors.
    """

    def set_quota(text: str) -> None:
        file = tmp_path / "cpu.max"
        file.write_text(text)
        own = open
        monkeypatch.setattr(
            "builtins.open",
            lambda name, *rest, **more: own(
                file if str(name) == "/sys/fs/cgroup/cpu.max" else name, *rest, **more
            ),
        )
        exists = os.path.exists
        monkeypatch.setattr(
            os.path,
            "exists",
            lambda name: (
                ("cgroup" not in str(name) and exists(name))
                or str(name) == "/sys/fs/cgroup/cpu.max"
            ),
        )
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
        monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)

    return set_quota


@pytest.mark.parametrize(
    ("cpu_max", "processors"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("max 100000\n", 64)],
)
def test_a_containers_quota_decides_how_many_processes_decode(quota, cpu_max, processors):
    quota(cpu_max)
    assert machine.processors() == processors


def test_torch_uses_no_more_threads_than_the_quota_allows(quota, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        torch.set_num_threads(5)
        quota("100000 100000\n")
        pick_device()
        assert torch.get_num_threads() == 1
        torch.set_num_threads(5)
        monkeypatch.setenv("OMP_NUM_THREADS", "5")  # the user's own wish
        pick_device()
        assert torch.get_num_threads() == 5
    finally:
        torch.set_num_threads(before)


class Clock:
    """Time, and the seconds of processors that were this process's or nobody's in it."""

    def __init__(self) -> None:
        self.seconds, self.counted = 0.0, 1.0

    def wait(self, free: float) -> None:
        """Ten seconds, with so many processors free."""
        self.seconds += 10
        self.counted += 10 * free


@pytest.fixture
def clock(monkeypatch):
    """Two threads, and a machine whose load the test decides."""
    clock, before = Clock(), torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock.seconds)
    monkeypatch.setattr(threads, "_own_and_idle", lambda: clock.counted)
    torch.set_num_threads(2)
    yield clock
    torch.set_num_threads(before)


CPU = torch.device("cpu")


def steps(adapt, clock: Clock, free: float) -> int:
    """The number of threads after some steps of a training while so many processors are free."""
    for _ in range(3):
        clock.wait(free)
        adapt()
    return torch.get_num_threads()


def test_a_training_beside_a_busy_program_takes_fewer_threads_and_says_so_once(clock, capsys):
    with threads_by_load(CPU) as adapt:
        assert steps(adapt, clock, free=2.0) == 2
        assert capsys.readouterr().out == ""
        assert steps(adapt, clock, free=1.2) == 1
        assert (
            capsys.readouterr().out
            == "NOTE: other programs are busy; going on with 1 of 2 threads\n"
        )
        assert steps(adapt, clock, free=2.0) == 2
        assert (
            capsys.readouterr().out
            == "NOTE: processors are free again; going on with 2 of 2 threads\n"
        )
        steps(adapt, clock, free=0.1)
    assert torch.get_num_threads() == 2  # what comes after it has all again


def test_a_short_burst_of_another_program_changes_no_number_of_threads(clock):
    with threads_by_load(CPU) as adapt:
        assert steps(adapt, clock, free=1.5) == 2


def test_a_users_own_number_of_threads_never_changes(clock, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with threads_by_load(CPU) as adapt:
        assert steps(adapt, clock, free=0.1) == 2


def test_what_is_counted_are_seconds_of_this_process_and_of_idle_processors():
    before, computed, start = threads._own_and_idle(), time.process_time(), time.monotonic()
    while time.process_time() - computed < 0.2:
        pass
    most = (time.monotonic() - start) * os.cpu_count() + 0.1
    assert 0.19 <= threads._own_and_idle() - before <= most


@pytest.mark.parametrize("workers", [0, -2])
def test_no_workers_at_all_is_an_error_that_names_the_setting(sample_root, tmp_path, workers):
    with pytest.raises(ConfigError, match=f"workers must be 1 or more, not {workers}"):
        decode_photos(open_root(sample_root), [1], cache=tmp_path, workers=workers)


@pytest.mark.parametrize(
    "device", ["tpu", "gpu", "cpu:0:1", "cuda:x", "CPU ", "xla", "cuda:-1", "meta"]
)
def test_a_device_that_does_not_exist_is_named_in_one_line(monkeypatch, device):
    monkeypatch.setenv("FASHION_TL_DEVICE", device)
    with pytest.raises(
        ConfigError, match=f"FASHION_TL_DEVICE={device}: there is no such device. Set it to cpu"
    ) as error:
        pick_device()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("device", ["cuda:" + "9" * 5000, "cuda:1\n2", "x" * 5000, "cuda:²"])
def test_a_device_that_is_no_name_at_all_is_refused_in_a_short_line(monkeypatch, device):
    monkeypatch.setenv("FASHION_TL_DEVICE", device)
    with pytest.raises(ConfigError, match=r"there is no such device\. Set it to cpu") as error:
        pick_device()
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_a_gpu_that_is_not_there_and_one_that_cannot_be_used_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("FASHION_TL_DEVICE", "cuda:1")
    with pytest.raises(ConfigError, match="torch finds 0 CUDA GPUs here"):
        pick_device()
    monkeypatch.setenv("FASHION_TL_DEVICE", "mps")
    with pytest.raises(ConfigError, match=r"Apple's GPU can't be used.*Set it to cpu"):
        pick_device()


def test_looking_for_a_gpu_prints_no_warning():
    code = """
import warnings, torch
torch.cuda.is_available = lambda: warnings.warn("CUDA initialization: no driver") or False
from fashion_tl.network.inference import pick_device
from fashion_tl.data.photos import decode_photos
from fashion_tl.threads import threads_by_load
print(pick_device())
"""
    done = python(code, FASHION_TL_DEVICE=None)
    assert (done.stdout, done.stderr) == ("cpu\n", "")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("lr=.01", ("lr", 0.01)),
        ("lr=2.", ("lr", 2)),
        ("lr=1e-3", ("lr", 0.001)),
        ("lr=+.5", ("lr", 0.5)),
        ("epochs=3.", ("epochs", 3)),
        ("batch_size=1e2", ("batch_size", 100)),
        ("flip=True", ("flip", True)),
        ("flip=false", ("flip", False)),
        ("image_size=160×120", ("image_size", [160, 120])),
        ("image_size=160X120", ("image_size", [160, 120])),
        ("mean=[0.5, 0.5, 0.5]", ("mean", [0.5, 0.5, 0.5])),
        ("balance=none", ("balance", "none")),
    ],
)
def test_settings_are_read_as_people_write_them(text, setting):
    name, value = parse_setting(text)
    assert (name, value) == setting and type(value) is type(setting[1])


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "latin-1", "cp1252", "utf-8"])
def test_a_console_of_any_encoding_gets_every_line(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    machine.say("FC only – 70.4 % · 衬衫 👗", file=stream)
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding).startswith("FC only ")


def test_a_line_said_while_a_bar_is_drawn_stands_on_a_line_of_its_own(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    with machine.progress(total=5, desc="training", mininterval=0) as bar:
        bar.update(2)
        machine.say("NOTE: other programs are busy")
        bar.update(3)
    drawn = [line.rpartition("\r")[2] for line in terminal.getvalue().split("\n")]
    assert "NOTE: other programs are busy" in drawn and "training: 100%" in drawn[-2]


COMMANDS = """
import sys
from fashion_tl.__main__ import main
import tests.tiny
root, out, settings = sys.argv[1], sys.argv[2], sys.argv[3].split()
codes = [
    main(["summary", "--data", root]),
    main(["run", "fc_only", "--data", root, "--weights", "none", "--out", out, *settings]),
    main(["predict", out, root + "/images"]),
]
print("codes:", codes)
"""
SMALL = "--epochs 1 --set lr=.01 --set image_size=32x32 --set backbone=tiny"


def test_commands_end_well_in_a_log_file_that_is_not_utf8(make_root, tmp_path):
    """From the first line to the last figure, with class names and a folder that ASCII lacks, and
    no progress bars.
    """
    kinds = ["Trägerkleid", "衬衫", "Юбка 👗"]
    root = make_root([(n + 1, 2012 + n // 3 % 2, kinds[n % 3]) for n in range(24)])
    out = tmp_path / "Läufe – 衬衫"
    done = python(COMMANDS, root, out, SMALL, PYTHONIOENCODING="ascii")
    assert (done.stderr, done.stdout.splitlines()[-1]) == (f"{RANDOM}\n", "codes: [0, 0, 0]")
    assert len(list((out / "figures").glob("*.png"))) == 11
    assert "Tr\\xe4gerkleid" in done.stdout and "\r" not in done.stdout


def test_a_user_without_a_home_folder_is_told_what_to_write(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"~nobody-here/x: the ~ stands for no home folder here"):
        as_path("~nobody-here/x")
    assert list(tmp_path.iterdir()) == []


def test_one_photo_at_a_time_is_refused_where_batchnorm_could_not_learn(sample_root, tmp_path):
    settings = {"batch_size": 1, "epochs": 1, "image_size": (32, 32)}
    with pytest.raises(
        ConfigError,
        match="batch_size=1 with image_size=32x32: BatchNorm can't learn from one value",
    ):
        run_approach("direct", sample_root, "none", tmp_path / "run", **settings)


def test_no_text_changes_the_console_or_the_direction_of_what_follows(capsys):
    machine.say("a\x1b[31mb\x9b\u202ec\r\n\tCafé 👗")
    assert capsys.readouterr().out == r"a\x1b[31mb\x9b\u202ec\r" + "\n\tCafé 👗\n"
