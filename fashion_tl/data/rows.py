"""The rows of a data root: which can be used, and why the others can't."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fashion_tl.data.dataroot import OUTSIDE, DataRoot
from fashion_tl.data.labels import fault_of_label, label_of
from fashion_tl.data.listing import ENDINGS
from fashion_tl.data.table import read_table
from fashion_tl.errors import DataError
from fashion_tl.split import PARTS, Split

KEPT = ("id", "year", "label", "split_value", "masterCategory", "subCategory", "productDisplayName")
MISSING, MALFORMED = "missing image", "malformed"

# A year by itself, or in a date whose year is plain whatever the order of day and month, with or
# without a time.
TIME = r"(?:[T ]\d{1,2}:\d\d[\d:.]*(?: ?[AP]M|Z|[+-]\d\d:?\d\d)?)?"
YEAR = re.compile(r"(\d{4})(?:\.0*|,0)?", re.ASCII)
YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<a>\d\d?)\2(?P<b>\d\d?){TIME}", re.ASCII | re.IGNORECASE
)
YEAR_LAST = re.compile(
    rf"(?P<a>\d\d?)([-/.])(?P<b>\d\d?)\2(?P<year>\d{{4}}){TIME}", re.ASCII | re.IGNORECASE
)
MONTH_AND_YEAR = re.compile(
    r"(?P<year>\d{4})[-/](?P<a>\d\d?)|(?P<b>\d\d?)[-/](?P<last>\d{4})", re.ASCII
)


@dataclass(frozen=True)
class Rows:
    """``kept`` has a dict of the columns ``KEPT`` and ``line`` for each usable row, ``left_out``
    (line, id, reason).

    The year is None where it isn't known and nobody needs it; ``split_value`` is what the split's
    column holds. ``malformed`` counts rows with another number of fields than the header, recovered
    or not, or with a field beyond all bounds. ``examples`` show the first row of some reasons in
    words.
    """

    kept: list[dict[str, Any]]
    left_out: list[tuple[int, str, str]]
    malformed: int = 0
    notes: tuple[str, ...] = ()
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.kept) + len(self.left_out)


def read_rows(root: DataRoot, recover: bool, label: str, split: Split) -> Rows:
    """The rows of ``styles.csv``; a kept one's ``id`` is that of its photo. With ``recover``,
    fields that are too many are joined to the last one. ``label`` is the column that names the
    classes.

    DataError names the file, and the line or the column, when the file is empty or no table, lacks
    a column, or when next to no id names a photo.
    """
    where = f"{root.path}: {root.inner}{root.table}"
    with root.open_files() as read:
        content = read(root.table)
    needed = dict.fromkeys(
        ("id", *(("year",) if split.needs_year else ()), label, *filter(None, [split.column]))
    )
    table = read_table(
        content, where, tuple(needed), tuple(dict.fromkeys((*needed, *KEPT))), root.id_of
    )
    own = table.column["id"]
    exact = {root.id_of(fields[own].strip()) for _, fields in table.records if len(fields) > own}
    kept, left_out, seen, malformed, examples, dates = [], [], set(), 0, {}, []
    for line, fields in table.records:
        if len(fields) != table.width:
            malformed += 1
            if not recover or len(fields) < table.width:
                examples.setdefault(MALFORMED, _width(line, len(fields), table.width))
                left_out.append((line, dict(enumerate(fields)).get(own, ""), MALFORMED))
                continue
            fields = [*fields[: table.width - 1], table.separator.join(fields[table.width - 1 :])]
        row = {name: fields[i].strip() for name, i in table.column.items()}
        photo, year = (
            root.id_of(row["id"]) or root.id_in_capitals(row["id"], exact),
            year_of(row.get("year", "")),
        )
        own_label = label_of(row[label])
        reason = _fault_of_photo(row["id"], photo, root, seen) or _fault_of_split(row, year, split)
        if reason := reason or fault_of_label(own_label, label):
            left_out.append((line, row["id"], reason))
            if reason.startswith("bad "):
                examples.setdefault(reason, _example(line, reason.removeprefix("bad "), row, split))
            continue
        seen.add(photo)
        if split.needs_year and not YEAR.fullmatch(row["year"]):
            dates.append(f"{row['year']!r} in line {line}")
        names = {name: label_of(row.get(name, "")) for name in ("masterCategory", "subCategory")}
        known = {
            "id": photo,
            "year": year,
            "label": own_label,
            "split_value": row.get(split.column or "", ""),
        }
        kept.append(
            known | names | {"productDisplayName": row.get("productDisplayName", ""), "line": line}
        )
    notes = (
        (f"Rows whose year was taken from a date: {len(dates):,}, such as {dates[0]}.",)
        if dates
        else ()
    )
    rows = Rows(kept, left_out, malformed, (*table.notes, *notes), examples)
    _refuse_strangers(rows, root, where)
    return rows


def _example(line: int, column: str, row: dict[str, str], split: Split) -> str:
    """A row with a bad value in a column, in words."""
    wanted = ", not a year such as 2016" if column == "year" and split.needs_year else ""
    wanted = ", which is neither train, val nor test" if column == split.column else wanted
    return f"line {line} has {row[column][:100]!r}{wanted}"


def _width(line: int, found: int, expected: int) -> str:
    fields = (
        "1 field"
        if found == 1
        else f"{found} fields"
        if found
        else "a field longer than 131,072 letters"
    )
    return f"line {line} has {fields}, the header {expected}"


def rows_of_folders(root: DataRoot) -> Rows:
    """A row for each photo in a folder per class; there are no lines, so each ``line`` is 0."""
    kept, left_out = [], [(0, name, reason) for name, reason in root.left_out]
    for photo, part, kind in root.labelled:
        row = dict.fromkeys(KEPT, "") | {
            "id": photo,
            "year": None,
            "label": kind,
            "split_value": part,
            "line": 0,
        }
        if reason := fault_of_label(kind, "class"):
            left_out.append((0, photo, reason))
        else:
            kept.append(row)
    return Rows(kept, left_out)


def _refuse_strangers(rows: Rows, root: DataRoot, where: str) -> None:
    """DataError where next to no id names a photo: they are named in different ways then."""
    missing = [row for _, row, reason in rows.left_out if reason == MISSING]
    found = rows.count - sum(
        reason in (MISSING, "missing id", MALFORMED) for _, _, reason in rows.left_out
    )
    if not missing or found >= min(2, len(missing) / 20):  # one may be found by chance
        return
    if not root.photos:
        endings = " ".join(ENDINGS)
        raise DataError(
            f"{where}: there is no photo in images/ beside it, no file whose name ends in one of {endings}."
        )
    photo = PurePosixPath(next(iter(root.photos.values())).name).name
    raise DataError(
        f"{where}: only {found} of {found + len(missing)} ids name a photo. An id is, for example, "
        f"{missing[0][:100]!r}, a photo's file {photo!r}. An id must be the name of a photo's file, with or without "
        "its ending."
    )


def _fault_of_photo(written: str, photo: str | None, root: DataRoot, seen: set[str]) -> str | None:
    """Why a row's photo can't be used, or None; ``photo`` is the id of the one that it names as
    ``written``.
    """
    if not written:
        return "missing id"
    if photo in seen:
        return "duplicate id"
    if photo not in root.photos:
        return OUTSIDE if photo in root.outside else MISSING
    return None


def _fault_of_split(row: dict[str, str], year: int | None, split: Split) -> str | None:
    """Why it can't be told whether a row trains or tests, or None."""
    if split.needs_year and year is None:
        return "bad year" if row["year"] else "missing year"
    if split.column and row[split.column].lower() not in PARTS:
        return f"bad {split.column}" if row[split.column] else f"missing {split.column}"
    return None


def year_of(text: str) -> int | None:
    """The year that a table's ``text`` states in four digits, or None.

    ``"2012"``, ``"2012.0"``, ``"2012,0"`` and dates such as ``"2012-05-01"`` and ``"01/05/2012
    00:00"`` state one. Words, fractions, ``"12"`` and ``"2011-2012"`` don't.
    """
    if plain := YEAR.fullmatch(text):  # float() would take "2_012" and other digits, too
        year = int(plain[1])
    elif date := YEAR_FIRST.fullmatch(text) or YEAR_LAST.fullmatch(text):
        low, high = sorted((int(date["a"]), int(date["b"])))
        year = int(date["year"]) if 1 <= low <= 12 and high <= 31 else 0
    elif date := MONTH_AND_YEAR.fullmatch(text):
        year = int(date["year"] or date["last"]) if 1 <= int(date["a"] or date["b"]) <= 12 else 0
    else:
        year = 0
    return year if year >= 1000 else None
