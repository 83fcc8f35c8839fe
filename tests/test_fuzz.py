"""A few hundred of `make fuzz`'s cases of each kind: none may crash, hang, blow up or be read
wrong.
"""

import pytest

from tests.checks import fuzz

COUNTS = {  # those that take longest first
    "weights": 20, "tables": 200, "damaged-tables": 200, "zips": 150, "bombs": 6, "damaged-zips": 200, "entries": 200,
    "damaged-photos": 300, "photos": 200,
}  # fmt: skip


@pytest.fixture(scope="module")
def reports():
    return fuzz.run_all(COUNTS, COUNTS.get, seed=1, first=0, jobs=fuzz.processors())


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_what_is_good_is_read_and_the_rest_is_refused_in_words(reports, kind):
    assert reports[kind].failures == []
    assert reports[kind].outcomes.total() == COUNTS[kind]
    assert (
        reports[kind].longest < fuzz.KINDS[kind].seconds
        and reports[kind].peak < fuzz.KINDS[kind].megabytes * 2**20
    )


def test_cases_of_every_kind_end_in_more_than_one_way(reports):
    for kind, report in reports.items():
        assert len(+report.outcomes) >= (1 if kind == "photos" else 2), kind


def test_the_same_seed_and_number_make_the_same_table():
    one, again, other = (fuzz.make_table(fuzz.Random(seed), "skip") for seed in (5, 5, 6))
    assert one == again and one.content != other.content


def test_a_crash_a_hang_a_blow_up_and_a_wrong_answer_are_failures_and_the_next_case_goes_on(
    tmp_path,
):
    ways = ("os.abort()", "time.sleep(60)", "bytearray(400 << 20)", "1 / 0", "None")
    script = tmp_path / "bad.py"
    script.write_text(
        f"import os, sys, time\nfrom tests.checks import fuzz\nWAYS = {ways!r}\n"
        "fuzz.KINDS['bad'] = fuzz.Kind('', lambda _, folder: eval(WAYS[int(folder.name)]) or 'whole', 5, 100, 1, 1)\n"
        "sys.exit(fuzz.main())\n"
    )
    report = fuzz.run("bad", 0, 0, 5, [str(script)])
    assert report.outcomes == {"failure": 4, "whole": 1}
    for failure, words in zip(
        report.failures, ("died", "took too long", "MemoryError", "ZeroDivision"), strict=True
    ):
        assert words in failure
