"""What can go wrong for a user. Each message names the file, the row or the setting, and says what
to do.
"""


def how_to_install(extra: str) -> str:
    """What to do where a package of an extra (see ``pyproject.toml``) is missing, in words."""
    return f'pip install "fashion_tl[{extra}]", or in a clone pip install ".[{extra}]"'


class FashionTLError(Exception):
    """Base of all of them; the command line prints the message and exits with 2."""


class DataError(FashionTLError):
    """The data root, ``styles.csv`` or the photos can't be used."""


class WeightsError(FashionTLError):
    """The weights can't be downloaded or read, or don't fit the network."""


class ConfigError(FashionTLError):
    """A setting is unknown or impossible."""


class RunError(FashionTLError):
    """A run folder is incomplete, or holds another run."""


class WriteError(FashionTLError):
    """A file can't be written: the disk is full, the folder read-only, or something is in the
    way."""


class ExportError(FashionTLError):
    """A model can't be written in another format."""


class DownloadError(FashionTLError):
    """Kaggle's data can't be fetched."""


def in_a_line(value: object) -> str:
    """A value as an error shows it: in one line, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
