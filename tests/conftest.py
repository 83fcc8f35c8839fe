"""What the tests share: a cache of their own, the drawn sample, the real data where it is, and tiny
data roots.
"""

import gc
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_tl.config import Config
from fashion_tl.data.sample import draw_sample
from fashion_tl.files import as_path
from fashion_tl.machine import processors
from tests import HEADER, REPOSITORY
from tests.tiny import TINY_BACKBONE

# Else trainings would take fewer threads while another program is busy, and some tests compare them
# bit for bit. The processes that share the tests (`pytest -n`) share the processors, too.
SHARING = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // SHARING)))
REAL_ZIPS = [
    REPOSITORY / "data" / "fashion-product-images-small.zip",
    REPOSITORY.parent / "shared" / "data" / "fashion-product-images-small.zip",
]

# The settings of trainings that are only tried.
TINY = {
    "image_size": (32, 32),
    "epochs": 1,
    "batch_size": 32,
    "precision": "fp32",
    "backbone": TINY_BACKBONE.name,
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many processes for ``-n auto`` as there are processors for us; a quota counts."""
    return processors()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it would look through it again and again."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Path:
    """``FASHION_TL_CACHE`` for the whole session, deleted afterwards: the user's own caches are
    never touched.
    """
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_TL_CACHE", str(folder))
        patch.setenv("TORCH_HOME", str(folder / "torch"))  # torchvision's downloads
        yield folder
    shutil.rmtree(folder, ignore_errors=True)  # the real photos take 640 MB


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory) -> Path:
    """The built-in sample, small: 240 photos of 8 types."""
    return draw_sample(tmp_path_factory.mktemp("drawn") / "sample", photos=240, types=8)


@pytest.fixture(scope="session")
def wide_root(tmp_path_factory) -> Path:
    """The same with 24 types, so that the 20 largest are not all: 240 photos."""
    return draw_sample(tmp_path_factory.mktemp("drawn") / "wide", photos=240, types=24)


@pytest.fixture(scope="session")
def tiny_run(sample_root, tmp_path_factory):
    """A finished run of FC only on the sample, at 32x32 in float32, averaged over mirror images;
    not to be changed.
    """
    from fashion_tl.approaches import run_approach  # not before: most tests need no torch

    settings = {
        "epochs": 2,
        "image_size": (32, 32),
        "batch_size": 32,
        "precision": "fp32",
        "backbone": TINY_BACKBONE.name,
        "flip_test": True,
    }
    # A small learning rate, since a random network's features are large: with sure answers all
    # would be alike.
    return run_approach(
        "fc_only",
        sample_root,
        "none",
        tmp_path_factory.mktemp("runs") / "tiny",
        lr=1e-4,
        **settings,
    )[0]


@pytest.fixture(scope="session")
def real_zip() -> Path:
    """Kaggle's small data set; the test is skipped where there is none."""
    named = os.environ.get("FASHION_TL_DATA")
    for path in [as_path(named)] if named else REAL_ZIPS:
        if path.exists():
            return path
    pytest.skip(
        f"no real data: {named or REAL_ZIPS[0]} doesn't exist (FASHION_TL_DATA names another place)"
    )


@contextmanager
def figures_alone(*names: str) -> Iterator[None]:
    """Runs in this block draw only these of their figures: all of them take seconds."""
    from fashion_tl.reporting import gallery  # not before: most tests need no torch

    with pytest.MonkeyPatch.context() as patch:
        for table in (gallery.OF_DATA, gallery.OF_RUN):
            for name in set(table) - set(names):
                patch.delitem(table, name)
        yield


@pytest.fixture
def one_figure() -> Iterator[None]:
    """Runs draw their loss alone, in tests that are not about figures."""
    with figures_alone("loss"):
        yield


@pytest.fixture
def interrupt(monkeypatch) -> Callable[[int], None]:
    """``interrupt(epoch)``: Ctrl-C when a training comes to this epoch, counted from 0."""
    from fashion_tl.network import training

    def at(which: int) -> None:
        train_epoch = training.train_epoch

        def interrupted(model, train, optimizer, config, weights, epoch, *more):
            if epoch == which:
                raise KeyboardInterrupt
            return train_epoch(model, train, optimizer, config, weights, epoch, *more)

        monkeypatch.setattr(training, "train_epoch", interrupted)

    return at


@pytest.fixture
def make_root(tmp_path) -> Callable[..., Path]:
    """``make_root(rows, photos=None, header=HEADER, at="root") -> Path``: a tiny data root, as a
    folder.

    Args:
        rows: ``(id, year, articleType)`` each, or a whole line as text; or all of styles.csv as one
        text or
            bytes, header included, written exactly as given.
        photos: id → what to put there: bytes (as they are), a Pillow image, or a colour (r, g, b).
        By default
            each row has a photo of its own, 80x60 pixels of a random pattern.
        header: the first line.
        at: the folder's name under ``tmp_path``; ``"root/fashion"`` puts the data one folder down.
    """

    def make(
        rows: str | bytes | Sequence,
        photos: Mapping[int, object] | None = None,
        header: str = HEADER,
        at: str = "root",
    ) -> Path:
        home = tmp_path / at
        (home / "images").mkdir(parents=True)
        if not isinstance(rows, (str, bytes)):
            rows = [row if isinstance(row, str) else row_line(*row) for row in rows]
            rows = "\n".join([header, *rows, ""])
        content = rows if isinstance(rows, bytes) else rows.encode()
        (home / "styles.csv").write_bytes(content)
        if photos is None:
            ids = (line.split(b",")[0].strip() for line in content.splitlines()[1:])
            photos = {int(i): pattern(int(i)) for i in ids if i.isdigit()}
        for number, photo in photos.items():
            (home / "images" / f"{number}.jpg").write_bytes(
                photo if isinstance(photo, bytes) else jpeg(photo)
            )
        return home

    return make


@pytest.fixture
def zip_root(tmp_path) -> Callable[..., Path]:
    """``zip_root(folder, prefix="", name="root.zip") -> Path``: the folder's files as a zip, under
    a prefix.
    """

    def pack(folder: Path, prefix: str = "", name: str = "root.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, prefix + file.relative_to(folder).as_posix())
        return tmp_path / name

    return pack


def tiny_config(training: str, **settings: object) -> Config:
    """For photos of 32x32 in float32, never flipped."""
    tiny = {"image_size": (32, 32), "precision": "fp32", "flip": False}
    return Config(training, **tiny | settings)


def row_line(number: int, year: object, kind: str, name: str = "Name") -> str:
    """A line of styles.csv with plain values in the other fields."""
    return f"{number},Men,Apparel,Topwear,{kind},Navy,Fall,{year},Casual,{name} {number}"


def pattern(number: int) -> Image.Image:
    """80x60 pixels (height x width), different for each number."""
    blocks = np.random.default_rng(number).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((60, 80), Image.Resampling.NEAREST)


def jpeg(photo: Image.Image | tuple[int, int, int]) -> bytes:
    """An encoded photo, of a picture or of one colour."""
    picture = photo if isinstance(photo, Image.Image) else Image.new("RGB", (60, 80), photo)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture
def files_under() -> Callable[[Path], dict[str, tuple]]:
    """``files_under(folder)``: everything in it, with time and content, to compare before and
    after.
    """

    def snapshot(folder: Path) -> dict[str, tuple]:
        paths = sorted(folder.rglob("*"))
        return {
            str(path.relative_to(folder)): (
                path.stat().st_mtime_ns,
                path.read_bytes() if path.is_file() else None,
            )
            for path in paths
        }

    return snapshot
