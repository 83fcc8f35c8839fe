"""A few hundred of `make fuzz`'s cases of each kind: none may crash, hang, blow up or be read
wrong.
"""

from random import Random

import pytest

from fashion_tl.machine import processors
from tests.checks.fuzz.kinds import KINDS
from tests.checks.fuzz.running import run, run_all
from tests.checks.fuzz.tables import make_table

COUNTS = {  # those that take longest first
    "weights": 20,
    "tables": 200,
    "damaged-tables": 200,
    "zips": 150,
    "bombs": 6,
    "damaged-zips": 200,
    "entries": 200,
    "damaged-photos": 300,
    "photos": 200,
}


@pytest.fixture(scope="module")
def reports():
    return run_all(COUNTS, COUNTS.get, seed=1, first=0, jobs=processors())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_good_is_read_and_the_rest_is_refused_in_words(reports, kind):
    assert reports[kind].failures == []
    assert reports[kind].outcomes.total() == COUNTS[kind]
    assert reports[kind].longest < KINDS[kind].seconds
    assert reports[kind].peak < KINDS[kind].megabytes * 2**20


def test_cases_of_every_kind_end_in_more_than_one_way(reports):
    for kind, report in reports.items():
        assert len(+report.outcomes) >= (1 if kind == "photos" else 2), kind


def test_the_same_seed_and_number_make_the_same_table():
    one, again, other = (make_table(Random(seed), "skip") for seed in (5, 5, 6))
    assert one == again and one.content != other.content


def test_a_crash_a_hang_a_blow_up_and_a_wrong_answer_are_failures_and_the_next_case_goes_on(
    tmp_path,
):
    ways = ("os.abort()", "time.sleep(60)", "bytearray(400 << 20)", "1 / 0", "None")
    script = tmp_path / "bad.py"
    script.write_text(
        f"""
import os, sys, time
from tests.checks.fuzz.kinds import KINDS, Kind
from tests.checks.fuzz.worker import main

def attempt(_, folder):
    return eval({ways!r}[int(folder.name)]) or "whole"

KINDS["bad"] = Kind("", attempt, count=5, megabytes=100, seconds=1)
main(*sys.argv[1:])
"""
    )
    report = run("bad", 0, 0, 5, [str(script)])
    assert report.outcomes == {"failure": 4, "whole": 1}
    for failure, words in zip(
        report.failures, ("died", "took too long", "MemoryError", "ZeroDivision"), strict=True
    ):
        assert words in failure
