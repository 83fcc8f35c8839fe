"""The rows of a data root: which can be used, and why the others can't."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fashion_tl.data.dataroot import OUTSIDE, DataRoot
from fashion_tl.data.listing import ENDINGS
from fashion_tl.data.table import read_table
from fashion_tl.errors import DataError

NEEDED = ("id", "year", "articleType")
KEPT = ("id", "year", "articleType", "masterCategory", "subCategory", "productDisplayName")
MISSING = "missing image"


@dataclass(frozen=True)
class Rows:
    """``kept`` has a dict of the columns ``KEPT`` and ``line`` for each usable row, ``left_out`` (line, id, reason).

    ``malformed`` counts rows with another number of fields than the header, recovered or not, or with a field beyond
    all bounds.
    """

    kept: list[dict[str, Any]]
    left_out: list[tuple[int, str, str]]
    malformed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.kept) + len(self.left_out)


def read_rows(root: DataRoot, recover: bool) -> Rows:
    """The rows of ``styles.csv``; a kept one's ``id`` is that of its photo. With ``recover``, fields that are too many
    are joined to the last one.

    DataError names the file, and the line or the column, when the file is empty or no table, lacks a column, or when
    next to no id names a photo.
    """
    where = f"{root.path}: {root.inner}{root.table}"
    with root.open_files() as read:
        content = read(root.table)
    table = read_table(content, where, NEEDED, KEPT, root.id_of)
    kept, left_out, seen, malformed = [], [], set(), 0
    for line, fields in table.records:
        if len(fields) != table.width:
            malformed += 1
            if not recover or len(fields) < table.width:
                left_out.append((line, dict(enumerate(fields)).get(table.column["id"], ""), "malformed"))
                continue
            fields = [*fields[: table.width - 1], table.separator.join(fields[table.width - 1 :])]
        row = {name: fields[i].strip() for name, i in table.column.items()}
        photo = root.id_of(row["id"])
        if reason := _fault(row, photo, root, seen):
            left_out.append((line, row["id"], reason))
            continue
        seen.add(photo)
        kept.append(row | {"id": photo, "year": _year(row["year"]), "line": line})
    rows = Rows(kept, left_out, malformed, table.notes)
    _refuse_strangers(rows, root, where)
    return rows


def rows_of_folders(root: DataRoot) -> Rows:
    """A row for each photo in a folder per class; there are no lines, so each ``line`` is 0."""
    kept, left_out = [], [(0, name, reason) for name, reason in root.left_out]
    for photo, year, kind in root.labelled:
        row = dict.fromkeys(KEPT, "") | {"id": photo, "year": year, "articleType": kind.strip(), "line": 0}
        if reason := _fault_of_label(row["articleType"]):
            left_out.append((0, photo, reason))
        else:
            kept.append(row)
    return Rows(kept, left_out)


def _refuse_strangers(rows: Rows, root: DataRoot, where: str) -> None:
    """DataError where next to no id names a photo: they are named in different ways then."""
    missing = [row for _, row, reason in rows.left_out if reason == MISSING]
    found = rows.count - sum(reason in (MISSING, "missing id", "malformed") for _, _, reason in rows.left_out)
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


def _fault(row: dict[str, str], photo: str | None, root: DataRoot, seen: set[str]) -> str | None:
    """Why a row can't be used, or None; ``photo`` is the id of the photo that it names."""
    if not row["id"]:
        return "missing id"
    if photo in seen:
        return "duplicate id"
    if photo not in root.photos:
        return OUTSIDE if photo in root.outside else MISSING
    return "missing year" if _year(row["year"]) is None else _fault_of_label(row["articleType"])


def _fault_of_label(label: str) -> str | None:
    if min(label, default=" ") < " ":  # NUL and the like: no table or chart could hold it
        return "bad articleType"
    return None if label else "missing articleType"


def _year(text: str) -> int | None:
    """``"2012"``, ``"2012.0"`` and ``"2012,0"`` are years; words, nothing, fractions and years before 1 are not."""
    year = re.fullmatch(r"(\d{1,4})(\.0*|,0)?", text, re.ASCII)  # float() would take "2_012" and other digits, too
    return int(year[1]) or None if year else None
