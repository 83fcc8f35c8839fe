"""Cases of what lies in images/: links, pipes, folders and other things in the photos' places."""

import contextlib
import os
import socket
from pathlib import Path
from random import Random

from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.photos import decode_photos
from fashion_tl.errors import DataError
from tests.checks.fuzz.damage import naming
from tests.checks.fuzz.photos import SIZE, strange_photos


def try_entries(rng: Random, folder: Path) -> str:
    """Links, pipes, folders and other things in the photos' places; good ones must be found,
    whatever lies beside.
    """
    root, outside, photo = folder / "root", folder / "outside", strange_photos()["JPEG"][0]
    outside.mkdir()
    images = root / "images"
    if rng.random() < 0.2:  # a folder may be a link
        root.mkdir()
        images.symlink_to(outside / "images")
        (outside / "images").mkdir()
    else:
        images.mkdir(parents=True)
    (outside / "1.jpg").write_bytes(photo)
    (images / "100.jpg").write_bytes(photo)
    ways = {
        "file": lambda path: path.write_bytes(photo),
        "hard link": lambda path: os.link(outside / "1.jpg", path),
        "link within": lambda path: path.symlink_to("100.jpg"),
        "long way within": lambda path: path.symlink_to(
            Path("..") / images.resolve().name / "100.jpg"
        ),
        "link out of the root": lambda path: path.symlink_to(outside / "1.jpg"),
        "relative link out of the root": lambda path: path.symlink_to(
            os.path.relpath(outside / "1.jpg", images)
        ),
        "link to nowhere": lambda path: path.symlink_to(outside / "2.jpg"),
        "link to itself": lambda path: path.symlink_to(path.name),
        "link to zeros without end": lambda path: path.symlink_to("/dev/zero"),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "link to a folder": lambda path: path.symlink_to(outside),
        "socket": _socket,
        "empty file": Path.touch,
        "file of a terabyte": _sparse,
        "text": lambda path: path.write_text("not a photo"),
    }
    good, rows = {100}, {100: ("file", "")}
    for number in range(1, rng.randrange(2, 12)):
        way = rng.choice(list(ways))
        ways[way](images / f"{number}{rng.choice(('.jpg', '.JPG', '.jpeg', '.png'))}")
        rows[number] = way
        if way in ("file", "hard link", "link within", "long way within"):
            good.add(number)
    lines = [f"{number},{2012 + number % 2},Shirts" for number in rows]
    (root / "styles.csv").write_text("\n".join(["id,year,articleType", *lines]))
    catalogue, photos = read_root(root, folder)
    assert set(map(int, photos.ids)) == good, (rows, photos.ids)
    left_out = dict(
        zip(catalogue.left_out["id"].astype(int), catalogue.left_out["reason"], strict=True)
    )
    for number, reason in left_out.items():
        assert (reason == "link out of the root") == rows[number].endswith(
            "link out of the root"
        ), (rows, left_out)
    assert len(rows) == len(good) + len(left_out)
    return "part" if left_out else "whole"


def _socket(path: Path) -> None:
    # A socket's name must be short, so it is bound from within its folder.
    with (
        contextlib.chdir(path.parent),
        socket.socket(socket.AF_UNIX) as server,
    ):
        server.bind(path.name)


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def read_root(root: Path, folder: Path):
    """Catalogue without the photos that failed, and photos, as a training reads them."""
    opened = open_root(root)
    catalogue = read_catalogue(opened)
    if catalogue.table.empty:
        raise DataError(f"{root}: no row can be used")
    photos = decode_photos(
        opened, catalogue.table["id"].to_numpy(), SIZE, folder / "cache", workers=1
    )
    for number, reason in photos.failed.items():
        assert f"{number}." in reason or "not a photo" in reason, reason
        naming(DataError(reason))
    catalogue = catalogue.without(photos.left_out)
    assert catalogue.rows == len(catalogue.table) + len(catalogue.left_out)
    assert catalogue.table["id"].tolist() == photos.ids.tolist()
    return catalogue, photos
