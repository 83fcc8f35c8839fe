"""Cases of styles.csv: with faults whose right answer is known, and damaged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fashion_tl.data.catalogue import facts, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.errors import DataError
from tests import HEADER
from tests.checks.fuzz.damage import damage, naming

COLUMNS = tuple(HEADER.split(","))
PHOTOS = range(1, 31)  # the ids that have one
WRONG = {  # a fault in one field: the reason it must be left out for, and ways to have it
    ("id", "missing id"): ("", "  "),
    ("id", "missing image"): (
        "../7", "/etc/passwd", "-7", "7.5", "1e1", "x", "７", "9" * 19,
        "0x7", "7\0", "7 8", "\\7", ".jpg", "0" * 100_000 + "x",
    ),
    ("year", "missing year"): ("", "  "),
    ("year", "bad year"): (
        "soon", "16", "FY16", "2016-13-13", "01/05/16", "2015-2016", "-2012", "2012.5", "nan",
        "inf", "2_012", "99999", "0", "２０１２", "2012\0", "20 12", "1e3",
    ),
    ("articleType", "missing articleType"): ("", "  "),
    ("articleType", "bad articleType"): ("Shi\0rts", "\x1b[31mShirts"),
}  # fmt: skip
LABELS = {  # as written, and as it must be read
    "Shirts": "Shirts",
    "Café Tops": "Café Tops",
    '"Bath, Robe"': "Bath, Robe",
    '"Say ""hi"""': 'Say "hi"',
    " Heels ": "Heels",
    "x" * 100_000: "x" * 100_000,
    "NA": "NA",
    "../Socks": "../Socks",
    "Women’s Tops": "Women’s Tops",
}
YEARS = {
    "2012": 2012,
    "2013.0": 2013,
    " 2014 ": 2014,
    '"2015"': 2015,
    "2016-05-01": 2016,
    "31/12/2013 0:00": 2013,
    "9999": 9999,
    "02016.": None,
}
MORE = ",Slim, Fit"  # with the table's own separator
NAMES = {  # other ways to write the header
    "id": ("ID", '"id"'),
    "year": ("Year", " year "),
    "articleType": ("ArticleType", "article_type", "Article Type"),
}
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")  # two without a byte order mark


@dataclass
class Table:
    """A styles.csv and what must be read from it: ``good`` has (line, id, year, label), ``refused``
    the words of the error, if there must be one.
    """

    content: bytes = b""
    rows: int = 0
    good: list[tuple[int, str, int, str]] = field(default_factory=list)
    reasons: Counter = field(default_factory=Counter)
    refused: str = ""


def make_table(rng: Random, bad_rows: str) -> Table:
    """A table with faults of every kind, and the right answer."""
    table, columns, separator = Table(), list(COLUMNS), rng.choice(",,;\t|")
    change = rng.random()
    if change < 0.3:
        rng.shuffle(columns)
    elif change < 0.5:
        name = rng.choice(columns)
        columns.remove(name) if change < 0.4 else columns.insert(
            rng.randrange(len(columns) + 1), name
        )
        if name in ("id", "year", "articleType"):
            table.refused = f"{'no' if change < 0.4 else 'more than one'} column '{name}'"
    written = [rng.choice((name, *NAMES.get(name, ()))) for name in columns]
    twice = next((name for name in columns if columns.count(name) == 2), "")
    if [own.strip(' "') for own in written].count(twice) == 1:
        table.refused = ""  # one of them has the very name
    lines, seen = [separator.join(written)], set()
    lines[:0] = [f"sep={separator}"] * (rng.random() < 0.1)
    lines[:0] = [""] * (rng.random() < 0.1)
    place = len(lines) - 1  # the header's
    for _ in range(rng.choice((0, 1, 5, 20, 40))):
        if rng.random() < 0.05:
            lines.append("")
        line, reason, row = _make_row(rng, columns, bad_rows, separator)
        if rng.random() < 0.003 and "\n" not in line:
            line, reason = line + "y" * 1_000_000, "malformed"
        start = len(lines) + 1
        lines += line.split("\n")
        table.rows += 1
        if reason is None:
            number, year, label = row
            if number in seen:
                reason = "duplicate id"
            elif number not in PHOTOS:
                reason = "missing image"
            else:
                seen.add(number)
                table.good.append((start, str(number), year, label))
                continue
        elif reason not in ("malformed", "missing id", "missing image"):
            # What is wrong with an id counts before what is wrong with its row.
            if row[0] in seen:
                reason = "duplicate id"
            elif row[0] not in PHOTOS:
                reason = "missing image"
        table.reasons[reason] += 1
    missing = table.reasons["missing image"]
    found = table.rows - missing - table.reasons["missing id"] - table.reasons["malformed"]
    if not table.rows and not table.refused:
        table.refused = "no rows"
    if missing and found < min(10, missing / 20) and not table.refused:
        table.refused = f"only {found} of {found + missing} ids name a photo"
    if rng.random() < 0.01:
        lines[place] += "y" * 1_000_000
        table.refused = f"line {place + 1}:"
    table.content = _encode(rng, lines)
    return table


def _make_row(
    rng: Random, columns: Sequence[str], bad_rows: str, separator: str
) -> tuple[str, str | None, tuple]:
    """A row, which may go on in a second line, why it can't be used (or None), and its id, year and
    label.
    """
    more = MORE.replace(",", separator)
    number, year, label = rng.randint(1, 40), rng.choice(list(YEARS)), rng.choice(list(LABELS))
    text = dict.fromkeys(COLUMNS, "Café") | {"year": year, "articleType": label}
    text["id"] = rng.choice(
        (
            str(number),
            f" {number} ",
            f'"{number}"',
            f"00{number}",
            f"{number}.0",
            f"{number}.jpg",
            f"0{number}.JPEG",
            f"images/{number}.jpg",
        )
    )
    value = (number, YEARS[year], LABELS[label])
    reason = None if YEARS[year] else "bad year"
    fault = rng.random()
    if fault < 0.3:
        (name, why), ways = rng.choice(list(WRONG.items()))
        text[name] = rng.choice(ways)
        if reason is None or name != "articleType":
            reason = why if name in ("id", "year") else reason or why
    elif fault < 0.35:
        text["season"] = "Fa\0ll"
    fields = [text[name] for name in columns]
    if 0.35 <= fault < 0.4:
        fields[-1] = fields[-1].strip() + more
        name = columns[-1]
        if bad_rows == "skip":
            return separator.join(fields), "malformed", value
        if columns.index(name) == len(columns) - 1:
            if name == "id":
                return separator.join(fields), "missing image", value
            if name == "year":
                reason = "bad year"
            elif name == "articleType":
                # In a joined field, tabs separate nothing.
                value = (
                    *value[:2],
                    " ".join((LABELS[label] + more).split()),
                )
    elif 0.4 <= fault < 0.45:
        fields = fields[: rng.randrange(1, len(fields))]
        fields[0] = fields[0] or "x"
        return separator.join(fields), "malformed", value
    elif 0.45 <= fault < 0.5 and '"' not in "".join(fields):
        place = rng.randrange(len(fields))
        fields[place] = '"' + fields[place]
        if place < len(fields) - 1:
            return separator.join(fields), "malformed", value
    # Two lines in quotes, the second of which is no row.
    elif 0.5 <= fault < 0.6 and "season" in columns:
        fields[columns.index("season")] = (
            f'"Fall{separator}{separator} and\n{rng.choice(("", "7", separator))}""winter"""'
        )
    return separator.join(fields), reason, value


def _encode(rng: Random, lines: list[str]) -> bytes:
    """In UTF-8, in Windows-1252 or in each line's own, or in UTF-16 or 32; with any line ends, and
    marked or not.
    """
    codec = rng.choice(("utf-8", "cp1252", None))
    ends = rng.choice((["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]))
    if rng.random() < 0.2:
        return rng.choice(ends).join(lines).encode(rng.choice(WIDE))
    content = b"\xef\xbb\xbf" * (rng.random() < 0.3)
    for number, line in enumerate(lines, 1):
        try:
            content += line.encode(codec or rng.choice(("utf-8", "cp1252")))
        except UnicodeEncodeError:
            content += line.encode()
        if number < len(lines) or rng.random() < 0.5:
            content += rng.choice(ends).encode()
    return content


def try_table(rng: Random, folder: Path) -> str:
    bad_rows = rng.choice(("skip", "recover"))
    table = make_table(rng, bad_rows)
    root = _table_root(folder, table.content)
    try:
        catalogue = read_catalogue(root, bad_rows)
    except DataError as error:
        assert table.refused and table.refused in naming(error, folder, "styles.csv"), (
            table.refused,
            str(error),
        )
        return "refused"
    assert not table.refused, f"it was read, though {table.refused}"
    columns = (catalogue.table[name] for name in ("line", "id", "year", "label"))
    assert list(zip(*columns, strict=True)) == table.good
    assert Counter(catalogue.left_out["reason"]) == table.reasons
    return _accounted(catalogue, table.rows)


def try_damaged_table(rng: Random, folder: Path) -> str:
    content = damage(rng, make_table(rng, "skip").content)
    if rng.random() < 0.05:
        content = content.decode("latin-1").encode("utf-16")
    try:
        return _accounted(
            read_catalogue(_table_root(folder, content), rng.choice(("skip", "recover")))
        )
    except DataError as error:
        naming(error, folder, "styles.csv")
        return "refused"


def _table_root(folder: Path, content: bytes):
    images = folder.parent / "images"  # the same for all
    if not images.exists():
        images.mkdir()
        for number in PHOTOS:
            (images / f"{number}.jpg").touch()
    (folder / "images").symlink_to(images)
    (folder / "styles.csv").write_bytes(content)
    return open_root(folder)


def _accounted(catalogue, rows: int | None = None) -> str:
    """Every row is used or left out, each with its reason; the facts can be told."""
    assert catalogue.rows == len(catalogue.table) + len(catalogue.left_out)
    assert rows is None or catalogue.rows == rows
    assert catalogue.left_out["reason"].str.len().min() > 0 or catalogue.left_out.empty
    assert catalogue.table["id"].is_unique and catalogue.table["id"].isin(map(str, PHOTOS)).all()
    assert (
        catalogue.table["year"].between(1, 9999).all()
        and (catalogue.table["label"].str.len() > 0).all()
    )
    assert facts(catalogue)["usable"] == len(catalogue.table)
    return "part" if len(catalogue.left_out) else "whole"
