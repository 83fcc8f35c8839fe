"""Download Kaggle's zip of the photos with Kaggle's own client. The zip is never unpacked."""

import contextlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from fashion_tl.errors import DownloadError, how_to_install
from fashion_tl.files import as_path, draft, is_made

FULL = "paramaggarwal/fashion-product-images-dataset"
SMALL = "paramaggarwal/fashion-product-images-small"
SILENCE = 60  # seconds without a byte after which a connection counts as broken
HOW_TO_SIGN_IN = (
    "Get one at https://www.kaggle.com/settings -> API -> Generate New Token, then save it as "
    "~/.kaggle/access_token or set KAGGLE_API_TOKEN to it. A legacy key works too: kaggle.json in "
    "~/.kaggle (or in KAGGLE_CONFIG_DIR), or KAGGLE_USERNAME and KAGGLE_KEY."
)


def download(to: str | os.PathLike, small: bool = False) -> Path:
    """Download Kaggle's data set as ``to/<name>.zip``. A complete zip already there is kept.

    Args:
        to: the folder for the zip; it is made if it is missing.
        small: take the data set with the small photos (60 x 80) instead of the full one.

    Returns:
        The zip, which is a data root as it is.

    Raises:
        DownloadError: says what to do. Neither an error nor Ctrl-C leaves anything behind.
    """
    name = SMALL if small else FULL
    to = as_path(to)
    target = to / f"{name.split('/')[1]}.zip"
    missing: list[Path] = []
    try:
        if is_made(target) and _flaw(target) is None:
            return target
        if target.is_dir():  # os.replace would fail only after the whole download
            raise DownloadError(f"{target} is a folder: move it away, the zip goes there")
        missing = [folder for folder in (to, *to.parents) if not folder.exists()]
        to.mkdir(parents=True, exist_ok=True)
        with draft(target) as fetched:
            # Another process may have downloaded it by now.
            if target.exists() and _flaw(target) is None:
                return target
            _fetch(name, fetched.parent)
            if flaw := _flaw(fetched):
                raise DownloadError(f"what Kaggle sent for {name} is {flaw}: try again later")
            os.replace(fetched, target)
    except BaseException as error:
        for made in missing:
            with contextlib.suppress(OSError):  # not empty: somebody else uses it by now
                made.rmdir()
        if isinstance(error, OSError):
            raise DownloadError(f"{target} can't be written: {error}") from error
        raise
    return target


def _flaw(path: Path) -> str | None:
    """Why a file is not the data, or None. A zip that was cut off has no directory at its end."""
    try:
        if not path.is_file():  # reading a pipe would never end
            return "not a file"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "not a whole zip"
    if any(PurePosixPath(name).name == "styles.csv" for name in names):
        return None
    return "a zip without styles.csv"


def _fetch(name: str, folder: Path) -> None:
    """Let Kaggle's client put ``<name>.zip`` into the folder.

    The client itself compares the file's size with Content-Length.
    """
    with _hushed():
        try:
            with _impatient():
                # Not at the top: the import takes a while, signs in, and in old versions ends the
                # interpreter.
                from kaggle.api.kaggle_api_extended import KaggleApi

                api = KaggleApi()
                api.authenticate()
        except ImportError as error:
            raise DownloadError(
                f"the download needs another package ({error}): {how_to_install('kaggle')}"
            ) from error
        except (Exception, SystemExit) as error:
            if _is_from_the_network(error):
                raise DownloadError(_sentence(error, name)) from error
            if getattr(error, "errno", None):  # from its settings folder, made on import
                raise DownloadError(
                    f"Kaggle's client can't use its settings folder: {error}"
                ) from error
            # Usually SystemExit. In a notebook NameError, because IPython hides exit().
            raise DownloadError(f"no Kaggle token, or an expired one. {HOW_TO_SIGN_IN}") from error
        try:
            with _impatient():
                api.dataset_download_files(
                    name, path=str(folder), force=True, quiet=False, unzip=False
                )
        except (Exception, SystemExit) as error:
            if getattr(error, "strerror", None):  # the operating system's own, about the file
                raise
            raise DownloadError(_sentence(error, name)) from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Hide what the client prints. Its progress bar goes to stderr, and is shown.

    Without a token the client calls ``exit()``, which closes ``sys.stdin``. So it gets its own.
    """
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Let no request wait longer than ``SILENCE``. The client's first one would wait for ever."""
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send

    def impatient_send(*args: Any, **options: Any) -> Any:
        return send(*args, **options | {"timeout": SILENCE})

    # mypy: methods aren't meant to be replaced, but Kaggle's client has no setting for this.
    HTTPAdapter.send = impatient_send  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _is_from_the_network(error: BaseException) -> bool:
    from requests import RequestException  # Kaggle's client needs requests, so it is installed

    return isinstance(error, RequestException)


def _sentence(error: BaseException, name: str) -> str:
    """What went wrong with Kaggle, and what to do about it."""
    page = f"https://www.kaggle.com/datasets/{name}"
    status = getattr(getattr(error, "response", None), "status_code", 0)
    known = {
        401: f"Kaggle refused the token (401): it may be expired or mistyped. {HOW_TO_SIGN_IN}",
        403: (
            f"Kaggle refused access (403): open {page} signed in, accept its terms if asked, "
            "and try again"
        ),
        404: f"Kaggle has no such data set (404): see whether {page} opens in a browser",
        429: "Kaggle got too many requests from you (429): wait a few minutes and try again",
    }
    if status >= 400:
        return known.get(
            status, f"Kaggle's server answered with an error ({status}, {error}): try again later"
        )
    if _is_from_the_network(error):
        kind = type(error).__name__
        return f"Kaggle can't be reached, or the connection broke ({kind}): check the network"
    return f"the download of {name} failed: {error}"
