"""The command line of ``make fuzz``."""

import argparse
import sys
import time

from fashion_tl.machine import processors
from tests.checks import fuzz
from tests.checks.fuzz.kinds import KINDS
from tests.checks.fuzz.running import Report, run_all
from tests.checks.reliability import write_table

SEED = 2010
HEAD = (
    "input",
    "how many",
    "read whole",
    "read in part",
    "refused",
    "failures",
    "longest",
    "peak memory",
)


def rows(reports: dict[str, Report]) -> list[tuple]:
    return [
        (
            KINDS[kind].words,
            f"{report.outcomes.total():,}",
            *(f"{report.outcomes[name]:,}" for name in ("whole", "part", "refused", "failure")),
            f"{report.longest:.2f} s",
            f"{max(0, report.peak) / 1e6:.0f} MB",
        )
        for kind, report in reports.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=fuzz.__doc__)
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="these alone; the table is printed, not kept"
    )
    parser.add_argument("--count", type=int, help="cases of each kind (default: 25,500 in all)")
    parser.add_argument(
        "--from", type=int, default=0, dest="first", help="number of the first case"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=processors())
    args = parser.parse_args()
    start = time.perf_counter()
    kinds = args.kind or list(KINDS)
    reports = run_all(
        kinds, lambda kind: args.count or KINDS[kind].count, args.seed, args.first, args.jobs
    )
    for line in (HEAD, *rows(reports)):
        print(" | ".join(map(str, line)))
    failures = [failure for report in reports.values() for failure in report.failures]
    print(*failures, sep="\n")
    print(f"{len(failures)} failures; seed {args.seed}; {time.perf_counter() - start:.0f} s")
    if not (args.kind or args.count or args.first):
        write_table("fuzz", HEAD, rows(reports))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
