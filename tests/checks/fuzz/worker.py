"""A worker process: it tries cases one by one, with a time limit for each and a bound on memory.

python -m tests.checks.fuzz.worker KIND SEED FIRST LAST
"""

import io
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from random import Random

from fashion_tl.errors import FashionTLError
from tests.checks.fuzz.bombs import bombs
from tests.checks.fuzz.kinds import KINDS
from tests.checks.fuzz.photos import strange_photos
from tests.checks.fuzz.zips import packed_bombs


def work(kind: str, seed: int, first: int, last: int) -> None:
    """Try the cases from ``first`` to before ``last`` in this process, and print a line of JSON
    about each.
    """
    answers, sys.stdout = sys.stdout, io.StringIO()
    warnings.simplefilter("ignore")
    if kind == "weights":
        import torch

        import fashion_tl.network.model  # noqa: F401  (before memory is bounded)

        torch.set_num_threads(1)
    about = KINDS[kind]
    size = memory("VmSize") + about.space * about.megabytes * 2**20
    strange_photos()  # making them may take more memory than trying them
    if kind == "bombs":
        bombs()
    if "zips" in kind:
        packed_bombs()
    baseline = memory("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        for number in range(first, last):
            folder = Path(home, str(number))
            folder.mkdir()
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
            signal.alarm(about.seconds)  # nobody catches it: it ends the process
            start, failure = time.perf_counter(), None
            try:
                outcome = about.attempt(Random(f"{seed} {kind} {number}"), folder)
            except Exception as error:
                word = "is not documented here" if isinstance(error, FashionTLError) else "failed"
                outcome, failure = "failure", f"{type(error).__name__} {word}: {error}"[:2000]
            seconds, peak = time.perf_counter() - start, memory("VmHWM") - baseline
            signal.alarm(0)
            if peak > about.megabytes * 2**20:
                outcome, failure = "failure", f"it took {peak / 1e6:.0f} MB of memory"
            answer = {"number": number, "outcome": outcome, "seconds": seconds, "failure": failure}
            print(json.dumps(answer | {"peak": peak}), file=answers, flush=True)
            shutil.rmtree(folder)


def memory(name: str) -> int:
    """Bytes, of a line in /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main(kind: str, seed: str, first: str, last: str) -> None:
    work(kind, int(seed), int(first), int(last))


if __name__ == "__main__":
    main(*sys.argv[1:])
