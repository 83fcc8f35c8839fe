"""Labels to check, what somebody saw who looked at them, and what follows from it."""

from math import sqrt
from pathlib import Path

import pandas as pd

from study.blocks.markdown import markdown, percent
from study.records import read_columns, read_measured

# Where photos to look at are drawn from.
LIST, LISTED_MISTAKES, OTHERS = "the list", "more mistakes in the list", "other mistakes"
PAIRS = 15  # of classes in the table
UNKNOWN = "Not measured yet; `python -m study audit --data … --weights …` does."
# What somebody says who looks at a photo beside its label and another class.
VERDICTS = {
    "given": "the label is right",
    "other": "the other class is right",
    "neither": "neither is right",
    "both": "either may be right",
}
LABEL_IS_WRONG = ("other", "neither")


def labels(results: Path) -> str:
    """Labels to check, by year and by pair of classes."""
    if (measured := read_measured(results, "audit")) is None:
        return UNKNOWN
    found = read_columns(results / "labels.csv", ("year", "given", "suggested"))
    small = measured["unjudged"]
    said = (
        f"{len(found):,} of {measured['judged']:,} labels should be checked "
        f"({percent(len(found) / measured['judged'])}). For {measured['right']:,} photos "
        f"({percent(measured['right'] / measured['judged'])}), the answer is the label. "
        f"Not judged: {small['photos']} photos of {small['classes']} classes that are too small."
    )
    counts = found["year"].value_counts()
    years = []
    for year, photos in measured["years"].items():
        wrong = counts.get(int(year), 0)
        years.append([year, f"{photos:,}", f"{wrong:,}", percent(wrong / photos)])
    by_year = markdown(["year", "photos", "to check", "share"], years)
    return f"{said}\n\n{by_year}\n\n{_by_pair(found)}"


def _by_pair(found: pd.DataFrame) -> str:
    side = found["year"].mod(2).map({0: "even", 1: "odd"})
    pairs = found.groupby(["given", "suggested", side]).size().unstack(fill_value=0)
    pairs = pairs.reindex(columns=["even", "odd"], fill_value=0)
    most = pairs.sum(axis=1).sort_values(ascending=False, kind="stable").index[:PAIRS]
    rows = [[*pair, *pairs.loc[pair]] for pair in most]
    return markdown(["label", "suggested", "photos of even years", "of odd years"], rows)


def verdicts(results: Path) -> str:
    """What somebody saw who looked at photos, and how many mistakes can't be repaired."""
    measured = read_measured(results, "audit")
    if measured is None or not (results / "verdicts.csv").exists():
        return UNKNOWN
    table = read_columns(results / "verdicts.csv", ("drawn_from", "verdict", "is_mistake"))
    rows = []
    for name, drawn in table.groupby("drawn_from", sort=False):
        counts = drawn["verdict"].value_counts()
        rows.append([name, len(drawn), *(counts.get(verdict, 0) for verdict in VERDICTS)])
    head = ["drawn from", "photos", *VERDICTS.values()]
    return f"{markdown(head, rows)}\n\n{_beyond_repair(table, measured['mistakes'])}"


def _beyond_repair(table: pd.DataFrame, mistakes: dict) -> str:
    """How many mistakes are on wrong labels: those in the list and the others have own shares."""
    listed = mistakes["in_the_list"]
    sizes = {True: listed, False: mistakes["photos"] - listed}
    looked = table[table["is_mistake"]]
    parts = {size: looked[(looked["drawn_from"] != OTHERS) == part] for part, size in sizes.items()}
    said = []
    for kinds in (LABEL_IS_WRONG, (*LABEL_IS_WRONG, "both")):
        shares = {size: part["verdict"].isin(kinds).mean() for size, part in parts.items()}
        number = sum(size * share for size, share in shares.items())
        variance = sum(
            size**2 * share * (1 - share) / len(parts[size]) for size, share in shares.items()
        )
        said.append(f"{number:,.0f} ± {1.96 * sqrt(variance):,.0f}")
    counted = " and ".join(f"{len(part)} of {size:,}" for size, part in parts.items())
    return (
        f"Of the {mistakes['photos']:,} mistakes of `{mistakes['run']}` on learnable photos, "
        f"{listed:,} are in the list; for {mistakes['answer_is_suggested']:,} of these the "
        f"network's answer is the suggested class. Judged by the mistakes that were looked at "
        f"({counted}, in the list and outside it), {said[0]} are on photos whose label is wrong. "
        f"With the photos for which either class may be right, it is {said[1]} (95 % intervals)."
    )
