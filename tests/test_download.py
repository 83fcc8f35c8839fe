"""Kaggle's own client against a server on loopback; nothing here can reach another address.

With ``KAGGLE_API_ENVIRONMENT=LOCALHOST`` the client talks plain HTTP to port 80 of localhost, which
an ordinary user can't open. So ``http_proxy`` names the test's server, on a free port, and gets
those requests.
"""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fashion_tl.__main__ import main
from fashion_tl.data import download as module
from fashion_tl.data.download import download
from fashion_tl.errors import DownloadError
from tests import REPOSITORY

SMALL = "fashion-product-images-small"


def make_zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, os.urandom(3000))
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Kaggle as the client sees it: a POST that leads to the file's address elsewhere, and that
    file.
    """

    timeout = 5

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path.rsplit("/", 1)[1], body))
        if self.server.mute:
            self.server.over.wait(5)
        if self.server.status == 302:
            self.send_response(302)
            self.send_header("Location", "http://localhost/storage/archive.zip")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer = json.dumps({"code": self.server.status, "message": "no"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        if self.server.storage != 200:
            self.send_error(self.server.storage)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(start)
        body = self.server.file[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) + self.server.lie))
        self.end_headers()
        if self.server.cuts > 0:
            self.server.cuts -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)
        if self.server.stalls > 0 and len(body) < len(self.server.file[start:]):
            self.server.stalls -= 1
            self.server.over.wait(5)

    def log_message(self, *args) -> None:
        pass


def forget_kaggle() -> None:
    """The client reads its settings when it's imported, once."""
    for name in [n for n in sys.modules if n.split(".")[0] == "kaggle"]:
        del sys.modules[name]


def use_proxy(monkeypatch, port: int) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """No token, no settings and no proxy of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE_", "VERBOSE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "KAGGLE_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    use_proxy(monkeypatch, 9)  # nobody listens there
    # The client's pauses before it tries again.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    forget_kaggle()
    yield monkeypatch
    forget_kaggle()


@pytest.fixture
def kaggle(settings):
    """A server in Kaggle's place, and a key for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.cuts, server.file = 302, 0, make_zip("styles.csv", "images/1.jpg")
    server.asked, server.starts, server.over = [], [], threading.Event()
    server.storage, server.lie, server.stalls, server.mute = 200, 0, 0, False
    use_proxy(settings, server.server_port)
    settings.setenv("KAGGLE_USERNAME", "somebody")
    settings.setenv("KAGGLE_KEY", "0" * 32)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def to(tmp_path):
    """A folder for the zip, two below one that exists."""
    return tmp_path / "work" / "data"


@pytest.mark.parametrize(
    ("small", "name"), [(True, SMALL), (False, "fashion-product-images-dataset")]
)
def test_good_download_ends_as_the_zip(kaggle, to, capsys, small, name):
    path = download(to, small=small)
    assert path == to / f"{name}.zip"
    assert path.read_bytes() == kaggle.file
    assert list(to.iterdir()) == [path]
    assert kaggle.asked == [
        ("DownloadDataset", {"ownerSlug": "paramaggarwal", "datasetSlug": name})
    ]
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err  # the progress bar


def test_whole_zip_is_kept_without_network_or_client(kaggle, to, settings):
    first = download(to, small=True)
    settings.setitem(sys.modules, "kaggle", None)
    assert download(str(to), small=True) == first
    assert len(kaggle.asked) == 1


def test_broken_zip_is_replaced_once_there_is_a_whole_one(kaggle, to):
    to.mkdir(parents=True)
    old = to / f"{SMALL}.zip"
    old.write_bytes(kaggle.file[:-30])
    kaggle.status = 503
    with pytest.raises(DownloadError):
        download(to, small=True)
    assert old.read_bytes() == kaggle.file[:-30]
    kaggle.status = 302
    assert download(to, small=True).read_bytes() == kaggle.file


def assert_refused_and_nothing_left(to, words):
    with pytest.raises(DownloadError, match=words):
        download(to, small=True)
    assert not to.parent.exists()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "token"),
        (403, f"https://www.kaggle.com/datasets/paramaggarwal/{SMALL} signed in, accept its terms"),
        (404, "no such data set"),
        (429, "wait a few minutes"),
        (500, r"server .*\(500, .*try again later"),
        (503, r"server .*\(503, .*try again later"),
        (418, r"server .*\(418, "),
    ],
)
def test_refusals_leave_nothing(kaggle, to, status, words):
    kaggle.status = status
    assert_refused_and_nothing_left(to, words)


def test_refused_access_token(kaggle, to, settings):
    settings.setenv("KAGGLE_API_TOKEN", "KGAT_expired")
    kaggle.status = 401
    with pytest.raises(
        DownloadError, match=r"refused the token \(401\).*https://www.kaggle.com/settings"
    ):
        download(to)
    assert {name for name, _ in kaggle.asked} == {"IntrospectToken"}


def assert_goes_on_where_it_stopped(kaggle, to):
    # It writes by the MiB; a zip may have bytes in front.
    kaggle.file = bytes(3 << 20) + kaggle.file
    assert download(to, small=True).read_bytes() == kaggle.file
    assert kaggle.starts == [0, 1 << 20]


def test_cut_download_goes_on_where_it_stopped(kaggle, to):
    kaggle.cuts = 1
    assert_goes_on_where_it_stopped(kaggle, to)


def test_download_that_is_cut_each_time_leaves_nothing(kaggle, to):
    kaggle.cuts = 1000
    assert_refused_and_nothing_left(to, "connection broke")
    assert kaggle.starts[1:]


def test_good_download_is_a_data_root_as_it_is(kaggle, to, sample_root, zip_root, capsys):
    kaggle.file = zip_root(sample_root).read_bytes()
    assert main(["download", "--small", "--to", str(to)]) == 0
    assert capsys.readouterr().out == f"{to / SMALL}.zip\n"
    assert main(["summary", "--data", f"{to / SMALL}.zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["usable"] == 240


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "token"),
        (403, "signed in"),
        (404, "no such data set"),
        (429, "wait a few"),
        (500, "try again later"),
    ],
)
def test_refusals_of_the_file_itself_leave_nothing(kaggle, to, status, words):
    kaggle.storage = status
    assert_refused_and_nothing_left(to, rf"{words}|\({status}.*{words}")


def test_refusal_ends_the_command_in_one_line(kaggle, to, capsys):
    kaggle.status = 404
    assert main(["download", "--to", str(to)]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith("error: Kaggle has no such data set (404)")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("lie", "words"), [(1000, "connection broke"), (-1, "not a whole zip"), (-3000, "not a whole")]
)
def test_a_wrong_content_length_leaves_nothing(kaggle, to, lie, words):
    kaggle.lie = lie
    assert_refused_and_nothing_left(to, words)


def test_a_server_that_falls_silent_is_asked_again(kaggle, to, settings):
    settings.setattr(module, "SILENCE", 0.3)
    kaggle.cuts = kaggle.stalls = 1
    assert_goes_on_where_it_stopped(kaggle, to)


def test_a_server_that_stays_silent_is_given_up_and_leaves_nothing(kaggle, to, settings):
    settings.setattr(module, "SILENCE", 0.1)
    kaggle.cuts = kaggle.stalls = 1000
    assert_refused_and_nothing_left(to, "connection broke")
    assert kaggle.starts[1:]


@pytest.mark.parametrize("token", ["", "KGAT_token"])
def test_a_server_that_never_answers_is_given_up(kaggle, to, settings, token):
    settings.setattr(module, "SILENCE", 0.1)
    if token:
        settings.setenv("KAGGLE_API_TOKEN", token)
    kaggle.mute = True
    assert_refused_and_nothing_left(to, "can't be reached")


def test_waiting_is_as_it_was_after_a_download(kaggle, to):
    from requests.adapters import HTTPAdapter

    before = HTTPAdapter.send
    download(to, small=True)
    assert HTTPAdapter.send is before


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"<html>Sign in to the network of this hotel</html>", "not a whole zip"),
        (make_zip("styles.csv")[:-30], "not a whole zip"),
        (make_zip("images/1.jpg"), "without styles.csv"),
    ],
    ids=["a page", "half a zip", "no table"],  # processes that share the tests compare their names
)
def test_something_else_than_the_data_leaves_nothing(kaggle, to, file, words):
    kaggle.file = file
    assert_refused_and_nothing_left(to, words)


def test_no_network(kaggle, to, settings):
    kaggle.shutdown()
    kaggle.server_close()
    assert_refused_and_nothing_left(to, "can't be reached")


def test_interrupt_leaves_only_what_was_there(kaggle, to, settings):
    from kaggle.api.kaggle_api_extended import KaggleApi

    def interrupt(self, response, outfile, *rest):
        Path(outfile).write_bytes(b"half")
        raise KeyboardInterrupt

    settings.setattr(KaggleApi, "download_file", interrupt)
    to.mkdir(parents=True)
    (to / "mine.txt").write_text("kept")
    with pytest.raises(KeyboardInterrupt):
        download(to)
    assert [p.name for p in to.iterdir()] == ["mine.txt"]


def test_a_full_disk_is_named_with_the_file_and_leaves_nothing(kaggle, to, settings):
    from kaggle.api.kaggle_api_extended import KaggleApi

    def full(self, response, outfile, *rest):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings.setattr(KaggleApi, "download_file", full)
    assert_refused_and_nothing_left(to, f"{SMALL}.zip can't be written: .*No space left")


@pytest.mark.parametrize("below", ["", "deeper"])
def test_unwritable_folder_is_named(settings, tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="file"):
        download(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == ""


def test_folder_in_the_zips_place_is_named(settings, to):
    (to / f"{SMALL}.zip").mkdir(parents=True)
    with pytest.raises(DownloadError, match="is a folder"):
        download(to, small=True)


@pytest.mark.parametrize("package", ["kaggle", "six", "requests"])
def test_missing_package_says_what_to_install(settings, to, package):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        settings.delitem(sys.modules, name)
    settings.setitem(sys.modules, package, None)
    assert_refused_and_nothing_left(to, rf"{package}.*pip install \"fashion_tl\[kaggle\]\"")


def test_client_that_exits_on_import(settings, to, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kaggle.py").write_text("print('Could not find kaggle.json')\nexit(1)\n")
    settings.syspath_prepend(tmp_path / "old")
    with pytest.raises(DownloadError, match="no Kaggle token"):
        download(to)


def test_notebook_hides_exit(settings, to):
    import builtins

    settings.delattr(builtins, "exit")  # as IPython does while a cell runs
    with pytest.raises(DownloadError, match="no Kaggle token"):
        download(to)


def test_settings_folder_that_cannot_be_made(settings, to, tmp_path):
    (tmp_path / "file").write_text("")
    settings.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "file" / "kaggle"))
    with pytest.raises(DownloadError, match="settings folder"):
        download(to)


def test_no_token_in_a_fresh_interpreter(settings, to):
    """The client prints its help and calls ``exit``: none of it shows, and stdin stays open."""
    code = (
        "import sys, fashion_tl.data.download as d\n"
        "assert not {'kaggle', 'requests', 'tqdm'} & set(sys.modules)\n"
        "try: d.download(sys.argv[1], small=True)\n"
        "except d.DownloadError as error: print(error)\n"
        "print(sys.stdin.closed)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(to)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    message, closed = done.stdout.splitlines()
    for words in (
        "no Kaggle token",
        "Generate New Token",
        "access_token",
        "KAGGLE_API_TOKEN",
        "kaggle.json",
    ):
        assert words in message
    assert (closed, done.stderr) == ("False", "")
    assert not to.parent.exists()
