"""The built-in sample: a small drawn product catalogue in Kaggle's layout, with Kaggle's faults."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from PIL import Image

from fashion_tl.data.sample.canvas import HEIGHT, WIDTH, Style, render
from fashion_tl.data.sample.colours import PALETTE, light
from fashion_tl.data.sample.kinds import KINDS, Kind
from fashion_tl.errors import DataError
from fashion_tl.files import as_path, draft, is_made

COLUMNS = (
    "id,gender,masterCategory,subCategory,articleType,"
    "baseColour,season,year,usage,productDisplayName"
)
VERSION = 1
LEAST = 4  # photos of the rarest type
DECAY = 0.88  # of the remaining photos, each type gets this share of what the type before it gets
BRANDS = (
    "Aster",
    "Borough",
    "Calyx",
    "Driftwood",
    "Ember Lane",
    "Fennel",
    "Harrow",
    "Juniper",
    "Linden",
    "Oriel",
)
EVEN = (2010, 2012, 2012, 2012, 2014, 2016, 2016)
ODD = (2011, 2011, 2011, 2013, 2015, 2017)


@dataclass(frozen=True)
class Row:
    """A line of styles.csv and what its photo needs. The faulty rows are changed copies."""

    id: int
    kind: Kind
    gender: str
    colour: str
    season: str
    year: str
    usage: str
    name: str
    pattern: str
    chance: str  # seed of everything else in the drawing: two rows with the same one are twins
    size: tuple[int, int] = (WIDTH, HEIGHT)
    mode: str = "RGB"
    has_photo: bool = True

    def line(self) -> str:
        """The row as it stands in styles.csv. Nothing is quoted, as in Kaggle's file."""
        kind = self.kind
        fields = (
            str(self.id),
            self.gender,
            kind.master,
            kind.sub,
            kind.name,
            self.colour,
            self.season,
            self.year,
            self.usage,
            self.name,
        )
        return ",".join(fields)

    def photo(self) -> Image.Image:
        """The drawn photo: ``size`` (width, height) pixels, RGB or L."""
        rng = Random(self.chance)
        pale = [name for name, colour in PALETTE.items() if light(colour) > 150]
        deep = [name for name, colour in PALETTE.items() if light(colour) < 120]
        accent = rng.choice(deep if light(PALETTE[self.colour]) > 125 else pale)
        style = Style(PALETTE[self.colour], PALETTE[accent], self.pattern, rng)
        drawn = render(self.kind.draw, style, mirror=self.kind.mirror, size=self.size)
        return drawn.convert(self.mode)


def draw_sample(
    folder: str | os.PathLike, *, photos: int = 1200, types: int = 30, seed: int = 2010
) -> Path:
    """Draw the sample: ``styles.csv``, ``images/<id>.jpg`` (60 x 80) and ``sample.json``.

    A folder that already holds this very sample stays as it is. Another sample is replaced.

    Args:
        folder: where to draw it; the folder must be new, empty, or a sample.
        photos: the number of usable rows: 10 fields each, with a year and a photo. Three faulty
            rows are added: one has 11 fields, one has no photo, one has no year.
        types: the number of article types, taken from the start of the ranked list; at least 6,
            because 3 of them exist in one kind of year only.
        seed: decides everything else; the same settings give the same bytes.

    Raises:
        DataError: if the folder holds something else, or the numbers are impossible.
    """
    if not 6 <= types <= len(KINDS):
        raise DataError(f"The sample has 6 to {len(KINDS)} types, not {types}.")
    if photos < 2 * LEAST * types:
        raise DataError(
            f"A sample of {types} types needs at least {2 * LEAST * types} photos, not {photos}."
        )
    folder = as_path(folder)
    settings = {"sample": True, "photos": photos, "types": types, "seed": seed, "version": VERSION}
    try:
        home = folder.resolve()
        if _check(folder, settings) and is_made(home):
            return folder
        home.parent.mkdir(parents=True, exist_ok=True)
        with draft(home) as drawn:
            if not _check(folder, settings):  # another process may have drawn it by now
                _draw_into(drawn, photos, types, seed)
                (drawn / "sample.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
                _swap(drawn, home)
    except OSError as error:
        raise DataError(
            f"{folder}: the sample can't be drawn there ({error}); name another folder with --to "
            "or, for the word `sample`, with --cache or FASHION_TL_CACHE."
        ) from error
    return folder


def _draw_into(folder: Path, photos: int, types: int, seed: int) -> None:
    (folder / "images").mkdir(parents=True)
    rows = _rows(photos, types, seed)
    (folder / "styles.csv").write_bytes(
        "\n".join([COLUMNS, *(row.line() for row in rows), ""]).encode()
    )
    for row in rows:
        if row.has_photo:
            row.photo().save(folder / "images" / f"{row.id}.jpg", quality=90)


def _swap(new: Path, home: Path) -> None:
    """Put ``new`` in the place of the folder ``home``.

    The old folder moves to where ``new`` was made, and is removed with that place.
    """
    old = new.with_name(f"{home.name} before")
    try:
        if home.exists():
            home.rename(old)
        new.rename(home)
    except BaseException:
        if old.exists() and not home.exists():
            old.rename(home)
        raise


def _check(folder: Path, wanted: dict) -> bool:
    """Whether ``folder`` already holds the sample of these settings.

    DataError if it holds something that a sample must not replace.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        settings = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
        is_sample = settings["sample"] is True
    except (OSError, ValueError, TypeError, KeyError):
        is_sample = False
    if not is_sample:
        raise DataError(
            f"{folder} is there already and isn't the built-in sample; "
            "name a new folder, or empty it."
        )
    others = sorted(
        {path.name for path in folder.iterdir()} - {"styles.csv", "images", "sample.json"}
    )
    if settings != wanted and others:
        raise DataError(
            f"{folder} holds another sample, and {others[0]}; move that away, or name a new folder."
        )
    return settings == wanted


def _counts(photos: int, types: int) -> list[int]:
    """How many photos each type gets, largest first: ``LEAST`` for all, the rest falling evenly."""
    shares = [DECAY**rank for rank in range(types)]
    counts = [LEAST + int((photos - LEAST * types) * share / sum(shares)) for share in shares]
    return [n + (rank < photos - sum(counts)) for rank, n in enumerate(counts)]


def _rows(photos: int, types: int, seed: int) -> list[Row]:
    """All rows of the sample, faults included, in the shuffled order of the file."""
    rng = Random(f"sample {seed}")
    counts = _counts(photos, types)
    ids = iter(rng.sample(range(1163, 60001), photos + 3))
    groups = []
    for rank, kind in enumerate(KINDS[:types]):
        # The two rarest types exist in odd years only, the third rarest in even years only.
        parities = {types - 1: (1,), types - 2: (1,), types - 3: (0,)}.get(rank, (0, 1))
        extra = rank < 3  # room for the three faulty rows
        years = [parities[i % len(parities)] for i in range(counts[rank] + extra)]
        groups.append(
            [_row(next(ids), kind, odd, f"{seed} {rank} {i}", rng) for i, odd in enumerate(years)]
        )
    first, second, third = groups[:3]
    first[-1] = replace(first[-1], name=first[-1].name + ", Slim Fit")
    second[-1] = replace(second[-1], has_photo=False)
    third[-1] = replace(third[-1], year="")
    for group in (first, second):
        # Rows 0 and 2 are of even years, so both twins are training photos.
        group[2] = replace(group[0], id=group[2].id)
    grey_name = first[4].name.replace(first[4].colour, "Grey")
    first[4] = replace(first[4], mode="L", colour="Grey", name=grey_name)
    third[0] = replace(third[0], size=(75, 100))
    rows = [row for group in groups for row in group]
    rng.shuffle(rows)
    return rows


def _row(number: int, kind: Kind, odd: int, chance: str, rng: Random) -> Row:
    """One ordinary row of ``kind`` in an odd or an even year."""
    gender, usage, colour, pattern = (
        rng.choice(words.split(","))
        for words in (kind.genders, kind.usages, kind.colours, kind.patterns)
    )
    season = rng.choice(("Summer", "Summer", "Fall", "Winter", "Spring"))
    year = str(rng.choice(ODD if odd else EVEN))
    brand = rng.choice(BRANDS)
    pattern_word = {"Solid": "", "Diagonal": "Striped"}.get(pattern, pattern)
    words = (brand, gender, colour, pattern_word, kind.noun)
    name = " ".join(filter(None, words))
    return Row(number, kind, gender, colour, season, year, usage, name, pattern, chance)
