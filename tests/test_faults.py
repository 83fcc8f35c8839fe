"""What is made is whole or not there, by one process at a time; the quickest of ``make faults``."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread, Timer

import pytest
import torch

from fashion_tl import locks
from fashion_tl.errors import RunError, WriteError
from fashion_tl.files import draft, make_once, replacing, write_whole
from fashion_tl.locks import lock
from fashion_tl.network import training
from fashion_tl.recipes import make_config
from fashion_tl.runs import create_run
from tests import REPOSITORY
from tests.test_training import EVEN, batches, run, same, settings, small_network

DATA = {"name": "some", "photos": 6, "fingerprint": "1"}
WEIGHTS = {"name": "random weights", "fingerprint": None}
needs_locks = pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")


@pytest.fixture(scope="module")
def rows():
    """The rows of the quick faults by their first column, in a process of their own: they fork."""
    words = [sys.executable, "-m", "tests.checks.faults", "quick"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        what: (how_often, lost)
        for what, how_often, lost in json.loads(done.stdout.splitlines()[-1])
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
@pytest.mark.parametrize(
    "what",
    [
        "fc_only: SIGKILL, then the same command",
        "fc_only: SIGTERM, then the same command",
        "fc_only: the disk is full while saving the weights; then there is room",
        "two processes start the same run at once",
    ],
)
def test_nothing_is_lost(rows, what):
    how_often, lost = rows[what]
    assert lost == "nothing", how_often


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def left_by_a_killed_process(path):
    """As :func:`draft` would leave it."""
    with draft(path) as temporary:
        folder = temporary.parent
    (folder / path.name).mkdir(parents=True)
    (folder / path.name / "half").write_text("half")
    (folder / "stray").write_text("half")


def test_what_a_killed_process_left_is_removed_by_the_next_that_wants_the_same(tmp_path):
    left_by_a_killed_process(tmp_path / "one")
    left_by_a_killed_process(tmp_path / "two")
    make_once(tmp_path / "one", lambda new: new.mkdir())
    with replacing(tmp_path / "two") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == ["one", "two"]
    assert names(tmp_path / "one") == [] and (tmp_path / "two").read_text() == "whole"


@needs_locks
def test_a_draft_is_locked_while_it_is_written_and_its_lock_goes_with_it(tmp_path):
    with draft(tmp_path / "file") as temporary, pytest.raises(BlockingIOError):
        lock(temporary.parent)
    assert names(tmp_path) == []


def test_what_another_process_has_made_meanwhile_is_not_made_again(tmp_path, monkeypatch):
    """It is there once the lock is ours, which is when the other has let go of it."""

    def waiting(folder):
        (tmp_path / "file").write_text("the other's")
        return take(folder)

    take = locks._take
    monkeypatch.setattr(locks, "_take", waiting)
    make_once(tmp_path / "file", lambda new: new.write_text("ours"))
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "the other's"


@pytest.mark.parametrize("step", ["lock", "_take", "_is_there_still"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_a_draft_begins_leaves_nothing_behind(tmp_path, monkeypatch, step, number):
    """A notebook's process lives on, and its next try must not wait for a lock of its own."""
    function = getattr(locks, step)

    def interrupted(*given):
        done = function(*given)
        signal.raise_signal(number)
        return done

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    monkeypatch.setattr(locks, step, interrupted)
    with pytest.raises(KeyboardInterrupt), draft(tmp_path / "file"):
        pytest.fail("it went on")
    monkeypatch.undo()
    signal.signal(signal.SIGTERM, before)
    assert names(tmp_path) == []
    with draft(tmp_path / "file") as temporary:
        assert temporary.parent.is_dir()


def test_ctrl_c_while_a_draft_ends_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(folder, ignore_errors=False):
        signal.raise_signal(signal.SIGINT)
        remove(folder, ignore_errors)

    remove = locks.shutil.rmtree
    with pytest.raises(KeyboardInterrupt), draft(tmp_path / "file") as temporary:
        temporary.write_text("whole")
        monkeypatch.setattr(locks.shutil, "rmtree", interrupted)
    assert names(tmp_path) == []


def test_ctrl_c_at_any_moment_leaves_neither_a_draft_nor_a_lock(tmp_path):
    """Each time that a function begins, or that one of C ends: there Python handles signals."""
    ours = {"files.py", "locks.py", "machine.py"}
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    errors = []  # kept alive, as a notebook keeps its last error
    for moment in itertools.count():
        steps = itertools.count()

        def interrupt(frame, event, given, moment=moment, steps=steps):
            is_ours = Path(frame.f_code.co_filename).name in ours and event in ("call", "c_return")
            if is_ours and next(steps) == moment:
                signal.raise_signal(signal.SIGINT)

        sys.setprofile(interrupt)
        try:
            write_whole(tmp_path / "file", b"new")
        except KeyboardInterrupt as error:
            errors.append(error)
        finally:
            sys.setprofile(None)
        assert set(names(tmp_path)) <= {"file"}, moment
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers, moment
        if len(errors) <= moment:  # the work was done before
            break
    assert moment > 20
    write_whole(tmp_path / "file", b"newer")  # nothing waits for a lock of its own
    assert (tmp_path / "file").read_bytes() == b"newer"


@needs_locks
def test_ctrl_c_while_a_draft_ends_leaves_the_folder_to_whoever_took_it_since(
    tmp_path, monkeypatch
):
    """The folder has the same name for all, so it must be removed once only."""
    remove, removed = locks.shutil.rmtree, []

    def interrupted(folder, ignore_errors=False):
        removed.append(folder)
        remove(folder, ignore_errors)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), draft(tmp_path / "file") as temporary:
        monkeypatch.setattr(locks.shutil, "rmtree", interrupted)
    assert removed == [temporary.parent]


@needs_locks
def test_ctrl_c_ends_the_waiting_for_another_process(tmp_path):
    with draft(tmp_path / "file") as temporary:
        alarm = Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
        alarm.start()
        with pytest.raises(KeyboardInterrupt), draft(tmp_path / "file"):
            pytest.fail("it went on")
        assert temporary.parent.is_dir()  # it is the other's


@needs_locks
def test_all_that_wait_for_the_same_file_go_on_when_it_is_there(tmp_path):
    """The first that waited must not keep the others waiting for as long as it lives."""
    made = []

    def make(new):
        made.append(new)
        time.sleep(0.5)  # so that the others wait
        new.write_text("whole")

    others = [Thread(target=make_once, args=(tmp_path / "file", make), daemon=True) for _ in "1234"]
    for other in others:
        other.start()
    for other in others:
        other.join(timeout=10)
    assert not any(other.is_alive() for other in others)
    assert len(made) == 1 and names(tmp_path) == ["file"]


def test_where_there_are_no_locks_each_process_writes_in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "lock", lambda *_: None)
    with draft(tmp_path / "file") as one, draft(tmp_path / "file") as other:
        assert one.parent != other.parent
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == ["file"]


def test_a_file_that_cannot_be_written_is_named_and_what_was_there_is_kept(tmp_path):
    file = tmp_path / "file"
    file.write_text("before")
    with (
        pytest.raises(WriteError, match=r"file can't be written \(no room\)"),
        replacing(file) as temporary,
    ):
        temporary.write_text("half")
        raise OSError("no room")
    assert names(tmp_path) == ["file"] and file.read_text() == "before"


def test_the_same_process_may_start_its_run_again_as_a_notebook_does(tmp_path):
    first = create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    again = create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    assert first.about == again.about and names(tmp_path / "run") == ["run.json"]


@needs_locks
def test_a_run_that_another_process_is_at_is_refused_and_free_when_that_has_ended(
    tmp_path, monkeypatch
):
    create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    monkeypatch.setattr(locks, "_held", {})  # as another process sees it
    with pytest.raises(RunError, match="run: another process is working on this run"):
        create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    monkeypatch.undo()
    for handle in locks._held.values():  # as the kernel does when that process ends
        os.close(handle)
    locks._held.clear()
    assert create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS).config == make_config(
        "direct"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, WriteError])
@pytest.mark.parametrize("where", ["train_epoch", "save_checkpoint"])
def test_stopped_before_its_first_checkpoint_the_same_call_starts_from_where_it_did(
    where, error, monkeypatch
):
    """A notebook's cell that is run again must not go on from a network that has learned an epoch,
    or half of one.
    """
    config, model = settings(epochs=2), small_network()
    history, trained = run(config)
    function = getattr(training, where)

    def stopped(*args, **options):
        function(*args, **options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(training, where, stopped)
        with pytest.raises(error):
            training.fit(model, batches(config), batches(config, 20, 1), config, EVEN)
    assert same(model.state_dict(), small_network().state_dict())
    again, weights = run(config, model=model)
    assert same(weights, trained) and torch.equal(
        *(torch.tensor(h["train_loss"]) for h in (history, again))
    )


def test_ctrl_c_amid_a_librarys_writing_stays_ctrl_c_and_leaves_what_was_there(tmp_path):
    class Library:  # as torch's, whose end of an archive fails when its middle was not reached
        def __enter__(self):
            return self

        def __exit__(self, *_):
            raise RuntimeError("unexpected pos 64 vs 0")

    (tmp_path / "checkpoint.pt").write_text("earlier")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "checkpoint.pt") as temporary:
        temporary.write_text("half")
        with Library():
            raise KeyboardInterrupt
    assert (
        names(tmp_path) == ["checkpoint.pt"]
        and (tmp_path / "checkpoint.pt").read_text() == "earlier"
    )


def test_what_a_process_left_that_was_killed_when_all_was_made_is_cleaned_up(tmp_path):
    make_once(tmp_path / "photos", lambda new: new.mkdir())
    left_by_a_killed_process(tmp_path / "photos")
    make_once(tmp_path / "photos", lambda new: pytest.fail("it is there already"))
    assert names(tmp_path) == ["photos"]
    create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    left_by_a_killed_process(tmp_path / "run" / "run.json")
    create_run(tmp_path / "run", make_config("direct"), DATA, WEIGHTS)
    assert names(tmp_path / "run") == ["run.json"]
