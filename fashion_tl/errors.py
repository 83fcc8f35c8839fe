"""The errors that users see. Each message names the file, row or setting, and says what to do."""

import os
from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path


def how_to_install(extra: str) -> str:
    """The command that installs the packages of an extra (see ``pyproject.toml``)."""
    return f'pip install "fashion_tl[{extra}]", or in a clone pip install ".[{extra}]"'


class FashionTLError(Exception):
    """The base of all our errors. The command line prints the message and exits with 2."""


class DataError(FashionTLError):
    """The data root, ``styles.csv`` or the photos can't be used.

    ``fault``, if it is given, is what is wrong with the photos, without advice. The page shows it,
    because who drops photos there knows nothing of their folders.
    """

    def __init__(self, message: str, fault: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault


class ContentError(ValueError):
    """What a file of ours holds can't be used; the text says why, in our own words."""


class WeightsError(FashionTLError):
    """The weights can't be downloaded or read, or don't fit the network."""


class ConfigError(FashionTLError):
    """A setting is unknown or impossible."""


class RunError(FashionTLError):
    """A run folder is incomplete, or holds another run."""


class WriteError(FashionTLError):
    """A file can't be written: the disk is full, the folder is read-only, or the like."""


class ExportError(FashionTLError):
    """A model can't be written in another format."""


class AuditError(FashionTLError):
    """Labels can't be judged."""


class ServeError(FashionTLError):
    """The page that names photos can't be served."""


class DownloadError(FashionTLError):
    """Kaggle's data can't be downloaded."""


def photos_in_words(number: int) -> str:
    """``1 photo``, ``2 photos``, ``1,000 photos``."""
    return f"{number:,} photo{'' if number == 1 else 's'}"


def some_of(names: Sequence[object], most: int = 3, between: str = ", ") -> str:
    """The first of several names, such as ``a, b, c and 2 more``."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return between.join(map(str, names[:most])) + more


def fault_of_file(
    path: Path, error: Exception, way: str, readable: str = "make it readable"
) -> str:
    """Why a file can't be read, in a line, with the way out.

    The ``way`` is for a file that is damaged or missing. A file that the system doesn't let us read
    may be whole, so nobody is told to delete it: it must be made ``readable``.
    """
    reason = _reason(error)
    if may_be_whole(error):
        closed = (each for each in reversed(path.parents) if not os.access(each, os.X_OK))
        if first := next(closed, None):
            return f"{first} can't be entered ({reason}); change its permissions"
        return f"{path} can't be read ({reason}); {readable}"
    if os.path.exists(path):
        return f"{path} is damaged ({reason}); {way}"
    fault = "is a link that leads nowhere" if os.path.islink(path) else "is missing"
    return f"{path} {fault} ({reason}); {way}"


def _reason(error: Exception) -> str:
    """What is wrong, in a line: the system's words or ours.

    Of a library's error it is the kind alone. Its text may tell people to run the file's code.
    """
    is_ours = isinstance(error, ContentError | FashionTLError | JSONDecodeError)
    text = str(error) if is_ours else getattr(error, "strerror", None)
    return " ".join((text or type(error).__name__).split())


def may_be_whole(error: Exception) -> bool:
    """Whether an error comes from the system's refusal to read a file, whatever is in it."""
    is_other = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
    refused = isinstance(error, OSError) and bool(error.strerror) and not is_other
    return refused or isinstance(error, PermissionError)


def in_a_line(value: object) -> str:
    """A value as an error shows it: in one line, cut if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
