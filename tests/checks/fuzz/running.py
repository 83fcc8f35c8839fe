"""Cases are tried in worker processes: one that dies has failed, and the next case goes on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

WORKER = ("-m", "tests.checks.fuzz.worker")


@dataclass
class Report:
    """What came of a kind: how many ended how, the failures in words, the longest in seconds and
    the peak in bytes.
    """

    outcomes: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0
    peak: int = 0


def run(kind: str, seed: int, first: int, count: int, program: Sequence[str] = WORKER) -> Report:
    """Have workers try so many cases; one that dies has failed in its case, and the next takes up
    after it.
    """
    report, number, last = Report(), first, first + count
    while number < last and report.outcomes["failure"] < 20:
        command = [sys.executable, *program, kind, *map(str, (seed, number, last))]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        with tempfile.TemporaryFile("w+") as errors:
            worker = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
            for line in worker.stdout:
                case = json.loads(line)
                report.outcomes[case["outcome"]] += 1
                report.longest = max(report.longest, case["seconds"])
                report.peak = max(report.peak, case["peak"])
                number = case["number"] + 1
                if case["failure"]:
                    report.failures.append(f"{kind} {case['number']}: {case['failure']}")
            if worker.wait():  # the case it was at has ended it
                errors.seek(0)
                hung = worker.returncode == -signal.SIGALRM
                how = "took too long" if hung else f"died ({worker.returncode})"
                words = f"{kind} {number}: the process {how}. {errors.read()[-500:]}"
                report.failures.append(words)
                report.outcomes["failure"] += 1
                number += 1
    return report


def run_all(
    kinds: Sequence[str], counts: Callable[[str], int], seed: int, first: int, jobs: int
) -> dict[str, Report]:
    """All kinds side by side, the long ones in as many parts as there are jobs."""
    parts = []
    for kind in kinds:
        step = max(400, -(-counts(kind) // jobs))
        parts += [
            (kind, first + at, min(step, counts(kind) - at)) for at in range(0, counts(kind), step)
        ]
    reports = {kind: Report() for kind in kinds}
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, kind, seed, at, count) for kind, at, count in parts]
        for (kind, _, _), future in zip(parts, futures, strict=True):
            part, whole = future.result(), reports[kind]
            whole.outcomes += part.outcomes
            whole.failures += part.failures
            whole.longest, whole.peak = max(whole.longest, part.longest), max(whole.peak, part.peak)
    return reports
