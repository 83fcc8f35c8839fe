"""Kaggle's zip of the photos, fetched with Kaggle's own client and never unpacked."""

import contextlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fashion_tl.errors import DownloadError, how_to_install
from fashion_tl.files import as_path, draft, is_made

FULL = "paramaggarwal/fashion-product-images-dataset"
SMALL = "paramaggarwal/fashion-product-images-small"
SILENCE = 60  # seconds without a byte, after which a connection counts as broken
HOW_TO_SIGN_IN = (
    "Get one at https://www.kaggle.com/settings -> API -> Generate New Token, then save it as "
    "~/.kaggle/access_token or set KAGGLE_API_TOKEN to it. A legacy key works too: kaggle.json in ~/.kaggle "
    "(or in KAGGLE_CONFIG_DIR), or KAGGLE_USERNAME and KAGGLE_KEY."
)


def download(to: str | os.PathLike, small: bool = False) -> Path:
    """Fetch Kaggle's data set as ``to/<name>.zip``, or keep the whole one that is there already.

    Args:
        to: the folder for the zip; made when missing.
        small: the set with the small photos (60 x 80) in place of the full one.

    Returns:
        The zip, which serves as a data root as it is.

    Raises:
        DownloadError: saying what to do; nothing is left behind then, nor after Ctrl-C.
    """
    name = SMALL if small else FULL
    to = as_path(to)
    target = to / f"{name.split('/')[1]}.zip"
    missing: list[Path] = []
    try:
        if is_made(target) and _flaw(target) is None:
            return target
        if target.is_dir():  # os.replace would say so only after the whole download
            raise DownloadError(f"{target} is a folder: move it away, the zip goes there")
        missing = [folder for folder in (to, *to.parents) if not folder.exists()]
        to.mkdir(parents=True, exist_ok=True)
        with draft(target) as fetched:
            if (
                target.exists() and _flaw(target) is None
            ):  # another process has fetched it meanwhile
                return target
            _fetch(name, fetched.parent)
            if flaw := _flaw(fetched):
                raise DownloadError(f"what Kaggle sent for {name} is {flaw}: try again later")
            os.replace(fetched, target)
    except BaseException as error:
        for made in missing:
            with contextlib.suppress(OSError):  # somebody else's by now when it isn't empty
                made.rmdir()
        if isinstance(error, OSError):
            raise DownloadError(f"{target} can't be written: {error}") from error
        raise
    return target


def _flaw(path: Path) -> str | None:
    """What keeps a file from being the data, or None. A zip that was cut lacks the directory at its
    end.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "not a whole zip"
    return (
        None
        if any(PurePosixPath(n).name == "styles.csv" for n in names)
        else "a zip without styles.csv"
    )


def _fetch(name: str, folder: Path) -> None:
    """Let Kaggle's client put ``<name>.zip`` into the folder; it compares the size with
    Content-Length.
    """
    with _hushed():
        try:
            with _impatient():
                # Not at the top: importing it takes a while, signs in, and ends the interpreter in
                # old versions.
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
            if getattr(error, "errno", None):  # its settings folder, which it makes when imported
                raise DownloadError(
                    f"Kaggle's client can't use its settings folder: {error}"
                ) from error
            # SystemExit as a rule; NameError in a notebook, where IPython hides the exit() it
            # calls.
            raise DownloadError(f"no Kaggle token, or an expired one. {HOW_TO_SIGN_IN}") from error
        try:
            with _impatient():
                api.dataset_download_files(
                    name, path=str(folder), force=True, quiet=False, unzip=False
                )
        except (Exception, SystemExit) as error:
            if getattr(error, "strerror", None):  # the operating system's, of the file
                raise
            raise DownloadError(_sentence(error, name)) from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Drop what the client prints; its progress bar goes to stderr and stays.

    Without a token it calls ``exit()``, which closes ``sys.stdin``: it gets one of its own to
    close.
    """
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Let no request wait longer than ``SILENCE``: the client's first one would do so for ever."""
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send
    HTTPAdapter.send = lambda *args, **options: send(*args, **options | {"timeout": SILENCE})
    try:
        yield
    finally:
        HTTPAdapter.send = send


def _is_from_the_network(error: BaseException) -> bool:
    from requests import RequestException  # the client needs it too, so it's there

    return isinstance(error, RequestException)


def _sentence(error: BaseException, name: str) -> str:
    """What went wrong between us and Kaggle, and what to do about it."""
    page = f"https://www.kaggle.com/datasets/{name}"
    status = getattr(getattr(error, "response", None), "status_code", 0)
    known = {
        401: f"Kaggle refused the token (401): it may be expired or mistyped. {HOW_TO_SIGN_IN}",
        403: f"Kaggle refused access (403): open {page} signed in, accept its terms if asked, and try again",
        404: f"Kaggle has no such data set (404): see whether {page} opens in a browser",
        429: "Kaggle got too many requests from you (429): wait a few minutes and try again",
    }
    if status >= 400:
        return known.get(
            status, f"Kaggle's server answered with an error ({status}, {error}): try again later"
        )
    if _is_from_the_network(error):
        return f"Kaggle can't be reached, or the connection broke ({type(error).__name__}): check the network"
    return f"the download of {name} failed: {error}"
