"""The errors that users see. Each message names the file, row or setting, and says what to do."""


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


def in_a_line(value: object) -> str:
    """A value as an error shows it: in one line, cut if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
