"""The rows of a data root: which ones can be used, and why the others can't."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fashion_tl.data.contents import OUTSIDE, DataRoot
from fashion_tl.data.labels import fault_of_label, label_of
from fashion_tl.data.listing import ENDINGS
from fashion_tl.data.table import Table, parse_table, unprotected
from fashion_tl.errors import DataError, some_of
from fashion_tl.split import Split, part_of_value

KEPT = ("id", "year", "label", "split_value", "masterCategory", "subCategory", "productDisplayName")
MISSING, MALFORMED = "missing image", "malformed"

# A year alone, or a date, with or without a time. The order of day and month doesn't matter.
TIME = r"(?:[T ]\d{1,2}:\d\d[\d:.]*(?: ?[AP]M|Z|[+-]\d\d:?\d\d)?)?"
FLAGS = re.ASCII | re.IGNORECASE
YEAR = re.compile(r"(\d{4})(?:\.0*|,0)?", re.ASCII)
YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})([-/.])(?P<a>\d\d?)\2(?P<b>\d\d?){TIME}", FLAGS)
YEAR_LAST = re.compile(rf"(?P<a>\d\d?)([-/.])(?P<b>\d\d?)\2(?P<year>\d{{4}}){TIME}", FLAGS)
MONTH_AND_YEAR = re.compile(
    r"(?P<year>\d{4})[-/](?P<a>\d\d?)|(?P<b>\d\d?)[-/](?P<last>\d{4})", re.ASCII
)

# In English and German.
MONTHS = (
    *"january february march april may june july august september october november".split(),
    *"december jänner januar februar märz mrz mai juni juli oktober dezember".split(),
)
SEASON = re.compile(r"(\d{4})[-/](?:\d\d)?(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Rows:
    """The usable rows, and the rows left out.

    ``kept`` has a dict of the columns ``KEPT`` and ``line`` for each usable row. Its year is None
    if it isn't known and the split doesn't need it; ``split_value`` is the value of the split's
    column. ``left_out`` has (line, id, reason). ``malformed`` counts rows with another number of
    fields than the header, recovered or not, or with a field that is far too long. ``examples``
    describe the first row left out for some reasons.
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
    """The rows of ``styles.csv``, each kept one with the id of its photo.

    With ``recover``, surplus fields are joined to the last one. ``label`` is the column that names
    the classes. DataError names the file, and the line or the column, if the file is empty or no
    table, if it has no such column, or if almost no id names a photo.
    """
    where = f"{root.path}: {root.inner}{root.table}"
    with root.open_files() as read:
        content = read(root.table or "")
    needed = ["id", label]
    if split.needs_year:
        needed.insert(1, "year")
    if split.column:
        needed.append(split.column)
    needed = list(dict.fromkeys(needed))
    known = list(dict.fromkeys((*needed, *KEPT)))
    hints = {
        "id": "Rename the column that names the photos' files to 'id'.",
        "year": "--split random:0.2 or --split column:NAME needs no years.",
        label: "--label NAME takes the classes from another column.",
    }
    table = parse_table(content, where, needed, known, root.id_of, hints)
    reading = _Reading(root, table, label, split, recover)
    for line, fields in table.records:
        reading.add(line, fields)
    notes = [*table.notes]
    if dates := reading.dates:
        notes.append(f"Rows whose year was taken from a date: {len(dates):,}, such as {dates[0]}.")
    there = {row["label"] for row in reading.kept}
    if lost := [f"{name} ({n:,})" for name, n in reading.lost.most_common() if name not in there]:
        notes.append(f"Classes whose rows are all left out, with their rows: {some_of(lost, 5)}.")
    rows = Rows(reading.kept, reading.left_out, reading.malformed, tuple(notes), reading.examples)
    _refuse_unrelated_ids(rows, root, where)
    return rows


class _Reading:
    """The rows of one table as far as they are read."""

    def __init__(
        self, root: DataRoot, table: Table, label: str, split: Split, recover: bool
    ) -> None:
        self.root = root
        self.table = table
        self.label = label
        self.split = split
        self.recover = recover
        self.kept: list[dict[str, Any]] = []
        self.left_out: list[tuple[int, str, str]] = []
        self.malformed = 0
        self.examples: dict[str, str] = {}
        self.lost: Counter[str] = Counter()  # rows left out though they name a class, by class
        self.dates: list[str] = []  # the values that are dates, not years
        self.seen: set[str] = set()  # the ids of the rows kept so far
        id_at = table.column["id"]
        written = (fields[id_at].strip() for _, fields in table.records if len(fields) > id_at)
        at = table.column.get("year", table.width)
        years = {fields[at].strip() for _, fields in table.records if len(fields) > at}
        # One of them that is no month says that the others are none.
        self.in_seasons = any(is_season(year) and year_of(year) is None for year in years)
        self.exact = {root.id_of(text) for text in written}  # ids that need no other capitals

    def add(self, line: int, fields: list[str]) -> None:
        """Keep a record, or leave it out and remember why."""
        width = self.table.width
        if len(fields) != width:
            self.malformed += 1
            if not self.recover or len(fields) < width:
                own = dict(enumerate(fields)).get(self.table.column["id"], "")
                self.left_out.append((line, own, MALFORMED))
                self.examples.setdefault(MALFORMED, _wrong_width(line, len(fields), width))
                return
            fields = [*fields[: width - 1], self.table.separator.join(fields[width - 1 :])]
        row = {name: unprotected(fields[at].strip()) for name, at in self.table.column.items()}
        row["year"] = row.get("year", "").removeprefix("'")
        row["id"] = written = fields[self.table.column["id"]].strip()  # a file may be named so
        photo = self.root.id_of(written) or self.root.id_in_capitals(written, self.exact)
        is_no_year = self.in_seasons and is_season(row["year"])
        year = None if is_no_year else year_of(row["year"])
        label = label_of(row[self.label])
        reason = (
            _fault_of_photo(written, photo, self.root, self.seen)
            or _fault_of_split(row, year, self.split)
            or fault_of_label(label, self.label)
        )
        if reason or photo is None:
            if not fault_of_label(label, self.label):
                self.lost[label] += 1
            self._leave_out(line, row, reason or MISSING)
            return
        self.seen.add(photo)
        if self.split.needs_year and not YEAR.fullmatch(row["year"]):
            self.dates.append(f"{row['year']!r} in line {line}")
        self.kept.append(
            {
                "id": photo,
                "year": year,
                "label": label,
                "split_value": row.get(self.split.column or "", ""),
                "masterCategory": label_of(row.get("masterCategory", "")),
                "subCategory": label_of(row.get("subCategory", "")),
                "productDisplayName": row.get("productDisplayName", ""),
                "line": line,
            }
        )

    def _leave_out(self, line: int, row: dict[str, str], reason: str) -> None:
        self.left_out.append((line, row["id"], reason))
        if reason.startswith("bad "):
            column = reason.removeprefix("bad ")
            self.examples.setdefault(reason, _bad_value(line, column, row[column], self.split))


def _bad_value(line: int, column: str, value: str, split: Split) -> str:
    wanted = ""
    if column == split.column:
        wanted = ", which is neither train, val nor test"
    elif column == "year" and split.needs_year:
        wanted = ", not a year such as 2016"
    return f"line {line} has {value[:100]!r}{wanted}"


def _wrong_width(line: int, found: int, expected: int) -> str:
    if not found:
        fields = "a field longer than 131,072 letters"
    else:
        fields = "1 field" if found == 1 else f"{found} fields"
    return f"line {line} has {fields}, the header {expected}"


def rows_of_folders(root: DataRoot) -> Rows:
    """A row for each photo in a folder per class. There are no lines, so each ``line`` is 0."""
    kept: list[dict[str, Any]] = []
    left_out = [(0, name, reason) for name, reason in root.left_out]
    for photo, part, kind in root.labelled:
        own = {"id": photo, "year": None, "label": kind, "split_value": part, "line": 0}
        kept.append(dict.fromkeys(KEPT, "") | own)
    return Rows(kept, left_out)


def _refuse_unrelated_ids(rows: Rows, root: DataRoot, where: str) -> None:
    """DataError if almost no id names a photo: ids and files are then named in different ways."""
    missing = [row for _, row, reason in rows.left_out if reason == MISSING]
    unknown = (MISSING, "missing id", MALFORMED)
    found = rows.count - sum(reason in unknown for _, _, reason in rows.left_out)
    if not missing or found >= min(2, len(missing) / 20):  # a single id may match by chance
        return
    if not root.photos:
        endings = " ".join(ENDINGS)
        raise DataError(
            f"{where}: there is no photo in images/ beside it, "
            f"no file whose name ends in one of {endings}."
        )
    photo = PurePosixPath(next(iter(root.photos.values())).name).name
    raise DataError(
        f"{where}: only {found} of {found + len(missing)} ids name a photo. An id is, for example, "
        f"{missing[0][:100]!r}, and a photo's file {photo!r}. An id must be the name of a photo's "
        "file, with or without its ending."
    )


def _fault_of_photo(written: str, photo: str | None, root: DataRoot, seen: set[str]) -> str | None:
    """Why a row's photo can't be used, or None.

    ``photo`` is the id of the photo that the row's id, as ``written``, names.
    """
    if not written:
        return "missing id"
    if photo in seen:
        return "duplicate id"
    if photo not in root.photos:
        return OUTSIDE if photo in root.outside else MISSING
    return None


def _fault_of_split(row: dict[str, str], year: int | None, split: Split) -> str | None:
    """Why the split can't place a row, or None."""
    if split.needs_year and year is None:
        return "bad year" if row["year"] else "missing year"
    if split.column and part_of_value(row[split.column]) is None:
        return f"bad {split.column}" if row[split.column] else f"missing {split.column}"
    return None


def year_of(text: str) -> int | None:
    """The year that a table's ``text`` states in four digits, or None.

    ``"2012"``, ``"2012.0"``, ``"2012,0"`` and dates such as ``"2012-05-01"``,
    ``"01/05/2012 00:00"`` and ``"1-May-2012"`` state one. Other words, fractions, ``"12"`` and
    ``"2011-2012"`` state none.
    """
    if plain := YEAR.fullmatch(text):  # float() would also accept "2_012" and other scripts' digits
        year = int(plain[1])
    elif date := YEAR_FIRST.fullmatch(text) or YEAR_LAST.fullmatch(text):
        low, high = sorted((int(date["a"]), int(date["b"])))
        year = int(date["year"]) if 1 <= low <= 12 and high <= 31 else 0
    elif date := MONTH_AND_YEAR.fullmatch(text):
        year = int(date["year"] or date["last"]) if 1 <= int(date["a"] or date["b"]) <= 12 else 0
    else:
        year = _year_beside_a_month(text)
    return year if year >= 1000 else None


def _year_beside_a_month(text: str) -> int:
    """The year of a date that names its month, such as ``25 November 2018``, or 0."""
    date = re.sub(f"{TIME}$", "", unicodedata.normalize("NFC", text).casefold(), flags=FLAGS)
    date = re.sub(r"(?<=[0-9])(st|nd|rd|th)\b", "", date)
    words, numbers = re.findall(r"[^\W\d_]+", date), re.findall(r"[0-9]+", date)
    years = [int(number) for number in numbers if len(number) == 4]
    days = [int(number) for number in numbers if len(number) != 4]
    is_date = (
        not re.sub(r"[0-9]+|[^\W\d_]+|[ .,/-]", "", date)
        and len(words) == len(years) == 1
        and len(words[0]) >= 3
        and any(month.startswith(words[0]) for month in MONTHS)
        and (not days or (len(days) == 1 and 1 <= days[0] <= 31))
    )
    return years[0] if is_date else 0


def is_season(text: str) -> bool:
    """Whether a value is a year and the next one, as ``2012-13`` is. ``2011-12`` may be a month."""
    found = SEASON.fullmatch(text)
    return found is not None and (int(found[1]) + 1) % 100 == int(found[2])
