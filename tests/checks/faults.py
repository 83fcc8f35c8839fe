"""What runs go through in the end without harm: kills, signals, full disks, two at once, too many
photos to hold.

For ``make faults``:

    python -m tests.checks.faults [20]

kills each approach so often, and does the rest; ``quick`` in place of the number prints a few rows
as JSON. Whatever happened to a run, the same command must then end with the same files as a run
that nothing happened to. Exits with 1 where anything was lost.
"""

import csv
import functools
import hashlib
import json
import multiprocessing
import os
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Torch forks safely only while it has no threads; and two runs share two cores.
os.environ["OMP_NUM_THREADS"] = "1"

import pandas as pd
import torch

from fashion_tl import __main__ as program
from fashion_tl import commands, running
from fashion_tl.data import photos
from fashion_tl.data.sample import draw_sample
from fashion_tl.network import features, training
from fashion_tl.reporting import gallery
from notebooks.execute import WITH_NOTEBOOKS
from tests import REPOSITORY
from tests.checks.many_photos import many_photos
from tests.checks.reliability import write_table
from tests.tiny import TINY_BACKBONE

HEAD = ("what was done", "how often", "what was lost")
SEED = 2010
EPOCHS = 2
SETTINGS = {"image_size": [32, 32], "batch_size": 16, "precision": "fp32", "flip_test": False}
# Where a run is: what it is in the middle of while one of these functions runs.
STAGES = [
    (photos, "_decode_all", "decoding"),
    (features, "frozen_features", "caching features"),
    (training, "train_epoch", "training"),
    (training, "validate", "evaluating"),
    (features, "forward", "evaluating"),
    (running, "prediction_table", "evaluating"),
    (training, "save_checkpoint", "saving"),
    (running, "save_model", "saving"),
    (running, "save_memory", "saving"),
    (running, "write_table", "saving"),
    (running, "write_json", "saving"),
    (gallery, "draw", "drawing"),
    (commands, "run", "in between"),
]
ORDER = (
    "training",
    "saving",
    "decoding",
    "caching features",
    "evaluating",
    "in between",
    "drawing",
)
SIGNALS = {
    signal.SIGKILL: ("SIGKILL", -9),
    signal.SIGTERM: ("SIGTERM", 143),
    signal.SIGINT: ("Ctrl-C", 130),
}
NOTHING, LATE = "nothing", "after the end"


@dataclass(frozen=True)
class Place:
    """One attempt's folders. The data root is shared, since its place is part of the cache's
    key."""

    root: Path
    home: Path

    @property
    def out(self) -> Path:
        return self.home / "out"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def words(self, approach: str, epochs: int = EPOCHS) -> list[str]:
        """The command line of a run there."""
        settings = [f"{name}={json.dumps(value)}" for name, value in SETTINGS.items()]
        words = [
            "run",
            approach,
            "--data",
            self.root,
            "--weights",
            "none",
            "--out",
            self.out,
            "--cache",
            self.cache,
        ]
        return [
            str(w)
            for w in [*words, "--epochs", epochs, *(x for s in settings for x in ("--set", s))]
        ]


class Child:
    """A command in a forked process, which needn't import torch again; tells which stage it is
    in."""

    def __init__(
        self, words: list[str], log: Path, prepare: Callable[[], object] = lambda: None
    ) -> None:
        self.log, (self.pipe, writer) = log, os.pipe()
        self.marks: list[tuple[float, str]] = []
        self.unread = b""
        log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            os.close(writer)
            return
        code = 70
        try:
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for number in (1, 2):
                os.dup2(handle, number)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
            # What starts in the background ignores Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _mark_stages(writer)
            prepare()
            code = program.main(words)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def wait_for(self, mark: int) -> bool:
        """Until so many marks have come; False when it has ended before."""
        while len(self.marks) < mark:
            select.select([self.pipe], [], [])
            if not (more := os.read(self.pipe, 65536)):
                return False
            *lines, self.unread = (self.unread + more).split(b"\n")
            for line in lines:
                moment, stage = line.decode().split(" ", 1)
                self.marks.append((float(moment), stage))
        return True

    def end(self) -> int:
        """Wait; the exit code, negative for a signal."""
        self.wait_for(sys.maxsize)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _mark_stages(pipe: int) -> None:
    """Have a line with time and stage written wherever one begins or ends."""
    now = ["in between"]

    def mark(stage: str) -> str:
        os.write(pipe, f"{time.monotonic()} {stage}\n".encode())
        before, now[0] = now[0], stage
        return before

    def marked(function: Callable, stage: str) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, **options):
            before = mark(stage)
            try:
                return function(*args, **options)
            finally:
                mark(before)

        return wrapper

    for module, name, stage in STAGES:
        setattr(module, name, marked(getattr(module, name), stage))


def finish(
    words: list[str], log: Path, prepare: Callable[[], object] = lambda: None
) -> tuple[int, str]:
    """Run a command to its end; its exit code, and what it printed."""
    code = Child(words, log, prepare).end()
    return code, log.read_text()


def content(folder: Path) -> dict[str, str]:
    """Every file and folder below, with a digest; of what differs from run to run (seconds,
    minutes) the rest.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            found[f"{path.relative_to(folder)}/"] = ""
            continue
        if path.name == "history.csv":
            data = pd.read_csv(path).drop(columns="seconds").to_csv().encode()
        elif path.name == "metrics.json":
            data = repr(json.loads(path.read_text()) | {"minutes": 0}).encode()
        else:
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
            continue
        found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return found


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return sorted(
        name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
    )


def half_written(place: Place, wanted: dict[str, str]) -> list[str]:
    """Files under their final names that are not what they will be in the end; checkpoints must be
    readable.

    A history beside a checkpoint is that of the training so far.
    """
    faults = []
    for name, digest in content(place.home).items():
        if "/." in f"/{name}" or name.endswith("/"):
            continue
        if name.endswith("checkpoint.pt"):
            try:
                torch.load(place.home / name, weights_only=True)
            except Exception as error:
                faults.append(f"{name} can't be read ({type(error).__name__})")
        elif (
            name.endswith("history.csv")
            and (checkpoint := (place.home / name).with_name("checkpoint.pt")).exists()
        ):
            learned = [
                row["train_loss"] for row in torch.load(checkpoint, weights_only=True)["history"]
            ]
            rows = csv.DictReader((place.home / name).read_text().splitlines())
            # Pandas before 3 may round the last digit.
            losses = [float(row["train_loss"]) for row in rows]
            if not losses or losses != learned[: len(losses)]:
                faults.append(f"{name} is not the training's")
        elif wanted.get(name) != digest:
            faults.append(f"{name} is half-written")
    return faults


def hidden(folder: Path) -> list[str]:
    return [f"{path.name} is left" for path in folder.rglob(".*")]


@dataclass(frozen=True)
class Reference:
    """A run that nothing happened to: its files, and when it was in which stage, (start, end,
    stage, mark).
    """

    files: dict[str, str]
    spans: list[tuple[float, float, str, int]]


def reference(root: Path, home: Path, approach: str) -> Reference:
    """Run it whole."""
    place = Place(root, home / approach)
    child = Child(place.words(approach), home / f"{approach}.log")
    code = child.end()
    if code:
        raise SystemExit(f"{approach} failed: {child.log.read_text()}")
    ends = [moment for moment, _ in child.marks[1:]]
    spans = [
        (a, b, stage, i) for i, ((a, stage), b) in enumerate(zip(child.marks, ends, strict=False))
    ]
    return Reference(content(place.home), spans)


def moments(approach: str, ref: Reference, times: int, by: int) -> list[tuple[int, float]]:
    """Random moments, dealt evenly to the stages: after which mark, and how many seconds after it.

    The first is in the last epoch, so that there is one to go on from.
    """
    rng = random.Random(f"{SEED} {approach} {by}")
    stages = [stage for stage in ORDER if any(span[2] == stage for span in ref.spans)]
    chosen = []
    for i in range(times):
        spans = [span for span in ref.spans if span[2] == stages[i % len(stages)]]
        start, end, _, mark = (
            spans[-1] if i == 0 else rng.choices(spans, [b - a for a, b, _, _ in spans])[0]
        )
        chosen.append((mark, rng.uniform(0, end - start)))
    return chosen


def stopped(
    place: Place, approach: str, ref: Reference, moment: tuple[int, float], by: int
) -> tuple[str, list[str]]:
    """Stop a run at a moment, do the same again to the end: the stage it was in, and what was
    lost."""
    expected = SIGNALS[by][1]
    child = Child(place.words(approach), place.home.with_suffix(".log"))
    if in_time := child.wait_for(moment[0] + 1):
        time.sleep(max(0, child.marks[moment[0]][0] + moment[1] - time.monotonic()))
        sent = time.monotonic()
        os.kill(child.pid, by)
    code = child.end()
    stage = child.marks[-1][1] if code < 0 else _stage_at(child, moment)
    log, lost = child.log.read_text(), half_written(place, ref.files)
    if code == 0 and in_time and child.marks[-1][0] > sent:
        lost.append("it went on in spite of it")
    elif code == 0:
        stage = LATE
    elif code != expected:
        lost.append(f"exit code {code}, not {expected}")
    elif by != signal.SIGKILL:
        lost += hidden(place.home)
        if "the same command goes on" not in log:
            lost.append("no word on how to go on")
    code, log = finish(place.words(approach), place.home.with_suffix(".log"))
    lost += [f"afterwards exit code {code}: {log[-300:]}"] if code else []
    lost += [f"{name} differs" for name in differences(content(place.home), ref.files)]
    shutil.rmtree(place.home, ignore_errors=True)
    return stage, lost


def _stage_at(child: Child, moment: tuple[int, float]) -> str:
    """The stage at which a signal came that the process could answer: it left the stages one by one
    after it.
    """
    at = child.marks[min(moment[0], len(child.marks) - 1)][0] + moment[1]
    return [stage for time_, stage in child.marks if time_ <= at][-1]


def _job(arguments: tuple) -> tuple[str, list[str]]:
    return stopped(*arguments)


def stops(
    root: Path, home: Path, refs: dict[str, Reference], times: int, by: int, lanes: int = 2
) -> list[tuple]:
    """A row per approach: stopped so often, each time in another folder with a cold cache."""
    rows, jobs = [], []
    for approach, ref in refs.items():
        for i, moment in enumerate(moments(approach, ref, times, by)):
            jobs.append((Place(root, home / f"{approach}-{by}-{i}"), approach, ref, moment, by))
    with ProcessPoolExecutor(lanes, multiprocessing.get_context("fork")) as pool:
        results = list(pool.map(_job, jobs))
    for approach in refs:
        own = [result for job, result in zip(jobs, results, strict=True) if job[1] == approach]
        count = Counter(stage for stage, _ in own)
        if count[LATE] > times / 4:  # it proves nothing
            own.append((LATE, [f"{count[LATE]} of {times} were not stopped"]))
        stages = ", ".join(f"{n} {stage}" for stage, n in count.most_common())
        rows.append(
            row(f"{approach}: {SIGNALS[by][0]}, then the same command", f"{times}: {stages}", own)
        )
    return rows


def row(what: str, how_often: object, results: list[tuple[str, list[str]]]) -> tuple[str, str, str]:
    lost = [f"{stage}: {fault}" for stage, faults in results for fault in faults]
    return what, str(how_often), "; ".join(lost) or NOTHING


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[bool]:
    """A file system at ``folder``, where one may mount; False where not."""
    folder.mkdir(parents=True, exist_ok=True)
    done = (
        sys.platform == "linux"
        and not subprocess.run(["mount", *words, folder], capture_output=True).returncode
    )
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", folder], check=True)


def refused(
    place: Place, approach: str, names: str, prepare: Callable[[], object] = lambda: None, **more
) -> list[str]:
    """A command must say no: exit code 2, an error that names the file, everything as it was
    before.
    """
    before = content(place.home)
    code, log = finish(place.words(approach, **more), place.home.with_suffix(".log"), prepare)
    faults = [] if code == 2 else [f"exit code {code}, not 2: {log[-300:]}"]
    errors = [line for line in log.replace("\r", "\n").splitlines() if line.startswith("error: ")]
    if len(errors) != 1 or not re.search(names, errors[0]) or "Traceback" in log:
        faults.append(f"it says {errors or log[-300:]}, which doesn't name {names}")
    changed = [
        n
        for n in differences(content(place.home), before)
        if n in before and not n.endswith("checkpoint.pt")
    ]
    return faults + [f"{name} has changed" for name in changed] + hidden(place.home)


# What fills up: approach, which folder, bytes of the disk, most bytes of a file where no disk can
# be mounted, the name.
FULL = {
    "decoding": (
        "fc_only",
        "cache",
        1_000_000,
        500_000,
        r"/cache: the decoded photos can't be written",
    ),
    "caching features": (
        "fc_only",
        "cache",
        3_300_000,
        2_700_000,
        r"/cache: the features can't be written",
    ),
    "saving the weights": (
        "fc_only",
        "out",
        40_000_000,
        40_000_000,
        r"/out/model\.safetensors can't be written",
    ),
    "saving a checkpoint": (
        "direct",
        "out",
        200_000_000,
        200_000_000,
        r"/out/checkpoint\.pt can't be written",
    ),
    "saving the second checkpoint": (
        "direct",
        "out",
        500_000_000,
        None,
        r"/out/checkpoint\.pt can't be written",
    ),
}


def full_disk(
    root: Path, home: Path, refs: dict[str, Reference], mount: bool = True, only: str = ""
) -> list[tuple]:
    """The disk is full in each of these stages; then there is room, and the same command goes
    on."""
    rows = []
    for stage, (approach, where, size, limit, names) in FULL.items():
        if approach not in refs or (only and stage != only):
            continue
        place = Place(root, home / f"full {stage}")
        what = f"{approach}: the disk is full while {stage}; then there is room"
        folder = place.home / where
        words = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"] if mount else ["--none"]
        with mounted(folder, *words) as done:
            if not done and not limit:
                rows.append((what, "skipped: nothing can be mounted here", NOTHING))
                continue
            files = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
            lost = refused(place, approach, names, (lambda: None) if done else files)
            if done:
                subprocess.run(["mount", "-o", "remount,size=4g", folder], check=True)
            code, log = finish(place.words(approach), place.home.with_suffix(".log"))
            lost += [f"afterwards exit code {code}: {log[-300:]}"] if code else []
            if "second" in stage and "going on after epoch 1" not in log:
                lost.append("the first checkpoint")
            lost += [
                f"{name} differs" for name in differences(content(place.home), refs[approach].files)
            ]
        shutil.rmtree(place.home, ignore_errors=True)
        rows.append(row(what, f"1, {'tmpfs' if done else 'RLIMIT_FSIZE'}", [(stage, lost)]))
    return rows


def in_the_way(root: Path, home: Path, refs: dict[str, Reference]) -> list[tuple]:
    """Places that can't be written, or that hold something else."""
    rows, approach = [], "fc_only"
    wanted = {
        name: digest for name, digest in refs[approach].files.items() if name.startswith("out/")
    }

    def add(what: str, lost: list[str], possible: bool = True) -> None:
        rows.append(
            row(what, 1 if possible else "skipped: nothing can be mounted here", [("", lost)])
        )

    place = Place(home / "read-only data", home / "from read-only data")
    with mounted(place.root, "--bind", str(root)) as done:
        if done:
            subprocess.run(["mount", "-o", "remount,ro,bind", place.root], check=True)
            code, log = finish(place.words(approach), place.home.with_suffix(".log"))
            found = {
                name: digest
                for name, digest in content(place.home).items()
                if name.startswith("out/")
            }
            lost = (
                [log[-300:]] if code else [f"{name} differs" for name in differences(found, wanted)]
            )
        add("the data root is read-only: it runs", lost if done else [], done)

    for where, names in (
        ("cache", r"/cache: the decoded photos can't be written"),
        ("out", r"/out/run\.json can't be written"),
    ):
        place = Place(root, home / f"read-only {where}")
        with mounted(place.home / where, "-t", "tmpfs", "-o", "ro", "tmpfs") as done:
            add(
                f"the {where} folder is read-only: refused",
                refused(place, approach, names) if done else [],
                done,
            )
        place = Place(root, home / f"file for {where}")
        place.home.mkdir()
        (place.home / where).write_text("mine")
        add(
            f"a file is where the {where} folder should be: refused",
            refused(place, approach, names),
        )

    place = Place(root, home / "other settings")
    finish(place.words(approach), place.home.with_suffix(".log"))
    names = r"/out holds a run with other settings: epochs \(2, now 3\)"
    add(
        "the run folder holds a run with other settings: refused",
        refused(place, approach, names, epochs=3),
    )
    return rows


def two_at_once(root: Path, home: Path, refs: dict[str, Reference], times: int = 5) -> list[tuple]:
    """Two processes start the same at the same moment: photos and features of two runs, or one and
    the same run.
    """
    rows, files = [], refs["fc_only"].files
    for what, word in (
        ("two processes make the same photos and features at once", "waiting for another process"),
        ("two processes start the same run at once", "another process is working on this run"),
    ):
        results, said = [], 0
        for i in range(times):
            places = [Place(root, home / f"two {i}"), Place(root, home / f"two {i} b")]
            words = [place.words("fc_only") for place in places]
            if "run" in what:
                words[1] = words[0]
            else:
                words[1][words[1].index("--cache") + 1] = str(places[0].cache)
            children = [Child(own, home / f"two {i} {k}.log") for k, own in enumerate(words)]
            codes = sorted(child.end() for child in children)
            logs = [child.log.read_text() for child in children]
            told = any(word in log for log in logs)
            said += told
            fine = codes == [0, 0] or (codes == [0, 2] and told and "run" in what)
            lost = [] if fine else [f"exit codes {codes}: {logs[0][-200:]} {logs[1][-200:]}"]
            lost += differences(content(places[0].home), files)
            if "run" not in what:
                own = {name: digest for name, digest in files.items() if name.startswith("out")}
                lost += differences(content(places[1].home), own)
            results.append(("", lost))
            for place in places:
                shutil.rmtree(place.home, ignore_errors=True)
        rows.append(row(what, f"{times}; {said} times one said: {word}", results))
    return rows


DECODE = """
import sys
from fashion_tl.data import photos
from fashion_tl.data.dataroot import open_root
if __name__ == "__main__":
    photos.PARALLEL_FROM, photos.CHUNK = 16, 8
    root = open_root(sys.argv[1])
    for part in range(5):  # so long that the signal comes in time
        photos.decode_photos(root, sorted(root.photos), cache=f"{sys.argv[2]}/{part}", workers=2)
"""


def workers_killed(root: Path, home: Path, times: int = 3) -> list[tuple]:
    """SIGKILL while worker processes decode: none of them lives on."""
    results, rng = [], random.Random(SEED)
    (home / "decode.py").write_text(DECODE)
    for i in range(times):
        words = [sys.executable, home / "decode.py", root, home / f"workers {i}"]
        process, lost, children = subprocess.Popen(words, stdout=-3, stderr=-3), [], []
        moment = time.monotonic() + rng.uniform(0, 1.5)
        while process.poll() is None and (len(children) < 3 or time.monotonic() < moment):
            time.sleep(0.01)
            children = _children(process.pid)  # two workers, and what tracks their resources
        process.kill()
        if process.wait() != -signal.SIGKILL:
            lost.append("it ended before it could be killed")
        until = time.monotonic() + 20
        while (
            alive := [pid for pid in children if Path(f"/proc/{pid}").exists()]
        ) and time.monotonic() < until:
            time.sleep(0.05)
        lost += [f"process {pid} lives on" for pid in alive]
        again = subprocess.run(words, capture_output=True, text=True)
        lost += hidden(home / f"workers {i}") + ([again.stderr[-300:]] if again.returncode else [])
        results.append(("", lost))
    return [row("SIGKILL while worker processes decode: they end too", times, results)]


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def interrupted_notebook(root: Path, home: Path, ref: Reference, name: str) -> list[tuple]:
    """A notebook's training cell is interrupted in its first epoch and run again, interrupted in
    its second; the cells after it go on with what there is, up to a second training, which wants a
    whole first one; then all cells are run again from the top, in the same kernel.
    """
    import nbformat
    from jupyter_client.manager import start_new_kernel

    place = Place(root, home / name)
    file = REPOSITORY / "notebooks" / name
    cells = [cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code"]
    given = {"data_root": str(root), "weights": "none", "epochs": EPOCHS, "settings": SETTINGS}
    given |= {"out": str(place.out), "cache": str(place.cache)}
    sources = []
    for cell in cells:
        more = (
            [f"{k} = {v!r}" for k, v in given.items()]
            if "parameters" in cell.metadata.get("tags", [])
            else []
        )
        sources.append("\n".join([cell.source, *more]))
    manager, client = start_new_kernel(kernel_name="python3")
    lost = []

    def execute(source: str, interrupt_at: str = "") -> str:
        """Run a cell, and interrupt it once it has printed this; the error it ended with, or
        nothing.
        """
        number, text, error = client.execute(source), "", ""
        while True:
            message = client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, body = message["msg_type"], message["content"]
            text += body.get("text", "") if kind == "stream" else ""
            if interrupt_at and re.search(interrupt_at, text):
                manager.interrupt_kernel()
                interrupt_at = ""
            if kind == "error":
                error = body["ename"]
            if kind == "status" and body["execution_state"] == "idle":
                return error

    try:
        for source in sources:
            if re.search(r"^unless_interrupted\(", source, re.MULTILINE):
                if (ended := execute(source)) != "KeyboardInterrupt":
                    lost.append(f"the second training ended with {ended!r}")
                break
            if "train(model" not in source:
                ended = execute(source)
            elif (ended := execute(source, r"epoch 1/2: +[1-9]")) != "KeyboardInterrupt":
                lost.append(f"interrupted in its first epoch, the cell ended with {ended!r}")
            else:
                ended = execute(source, r"epoch +1/2 +loss")
            lost += [f"{source[:40]!r} ended with {ended}"] if ended else []
        if not list(place.out.rglob("checkpoint.pt")):
            lost.append("the interrupted training does not count as unfinished")
        lost += [
            f"again, {s[:40]!r} ended with {e}" for s, e in ((s, execute(s)) for s in sources) if e
        ]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    wanted = {name: digest for name, digest in ref.files.items() if "figures" not in name}
    found = {name: digest for name, digest in content(place.home).items() if "figures" not in name}
    lost += [f"{name} differs" for name in differences(found, wanted)]
    what = (
        f"{name}: its kernel interrupted in the first and in the second epoch, then all cells again"
    )
    return [row(what, "2", [("", lost)])]


def prepare(home: Path, photos: int = 176, types: int = 22) -> Path:
    """The sample, and fewer figures than a run has."""
    for table in (gallery.OF_DATA, gallery.OF_RUN):
        for name in set(table) - {"weight", "loss"}:
            del table[name]
    torch.set_num_threads(1)
    return draw_sample(home / "sample", photos=photos, types=types)


def quick(home: Path) -> list[tuple]:
    """The rows of ``make test``, on a smaller sample: some seconds each."""
    SETTINGS["backbone"] = TINY_BACKBONE.name
    approach, where, *_, names = FULL["saving the weights"]
    FULL["saving the weights"] = (approach, where, 1_000_000, 1_000_000, names)
    root = prepare(home, photos=64, types=8)
    refs = {"fc_only": reference(root, home / "whole", "fc_only")}
    rows = stops(root, home, refs, 2, signal.SIGKILL) + stops(root, home, refs, 1, signal.SIGTERM)
    rows += full_disk(root, home, refs, mount=False, only="saving the weights")
    return rows + two_at_once(root, home, refs, times=1)[1:]


def main() -> int:
    if sys.argv[1:] == ["quick"]:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            print(json.dumps(quick(Path(folder))))
        return 0
    kills, start = int(sys.argv[1]) if len(sys.argv) > 1 else 20, time.monotonic()
    rows: list[tuple] = []

    def add(more: list[tuple]) -> None:
        rows.extend(more)
        for one in more:
            print(f"{time.monotonic() - start:5.0f} s  {' | '.join(one)}", flush=True)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        home = Path(folder)
        root = prepare(home)
        refs = {approach: reference(root, home / "whole", approach) for approach in WITH_NOTEBOOKS}
        add(stops(root, home, refs, kills, signal.SIGKILL))
        add(stops(root, home, refs, -(-kills // 5), signal.SIGTERM))
        add(stops(root, home, refs, -(-kills // 5), signal.SIGINT))
        add(full_disk(root, home, refs))
        add(in_the_way(root, home, refs))
        add(two_at_once(root, home, refs))
        add(workers_killed(root, home))
        if Path("/proc/self/status").exists():  # Linux says how much memory is a process's own
            add([many_photos(home / "many")])
        add(interrupted_notebook(root, home, refs["direct"], "02_direct.ipynb"))
        add(interrupted_notebook(root, home, refs["two_step"], "03_two_step.ipynb"))
    write_table("faults", HEAD, rows)
    return int(any(lost != NOTHING for _, _, lost in rows))


if __name__ == "__main__":
    sys.exit(main())
