"""The kinds of input: how many cases of each, and their bounds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.checks.fuzz.bombs import try_bomb
from tests.checks.fuzz.entries import try_entries
from tests.checks.fuzz.photos import try_damaged_photo, try_strange_photo
from tests.checks.fuzz.tables import try_damaged_table, try_table
from tests.checks.fuzz.weights import try_weights
from tests.checks.fuzz.zips import try_damaged_zip, try_zip


@dataclass(frozen=True)
class Kind:
    """One kind of input. ``attempt(rng, folder)`` makes a case in an empty folder and says what
    came of it, ``"whole"``, ``"part"`` or ``"refused"``; whatever it raises is a failure.
    """

    words: str
    attempt: Callable[[Random, Path], str]
    count: int
    megabytes: int  # of memory beyond what the worker has when it starts
    space: int = 1  # times as much address space: what isn't touched costs nothing
    seconds: int = 20  # for one case, on a busy machine


KINDS = {
    "tables": Kind("styles.csv with faults, the right answer known", try_table, 7000, 300),
    "damaged-tables": Kind(
        "styles.csv, bits flipped, cut, spliced, UTF-16", try_damaged_table, 3000, 300
    ),
    "photos": Kind("strange photos, their colour known", try_strange_photo, 2400, 200),
    "damaged-photos": Kind("photos, bits flipped, cut, spliced", try_damaged_photo, 7400, 1200),
    "bombs": Kind("photos of too many pixels or too much work", try_bomb, 200, 1200),
    "entries": Kind("links, pipes, folders, giants among the photos", try_entries, 500, 800),
    "zips": Kind("zips that climb, link, lie, unpack to gigabytes", try_zip, 2000, 800),
    "damaged-zips": Kind("zips, bits flipped, cut, spliced", try_damaged_zip, 2000, 800),
    "weights": Kind(
        "weights that run code, lie, don't fit, aren't numbers, are damaged",
        try_weights,
        1000,
        1000,
        6,
    ),
}
