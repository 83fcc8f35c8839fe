"""``serve`` shows a page on this machine that names photos and learns classes from a few."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from socketserver import BaseServer
from threading import Lock, Timer
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from fashion_tl import predict
from fashion_tl.__main__ import main
from fashion_tl.errors import DataError, RunError
from fashion_tl.extend import extended_by
from fashion_tl.extension import read_shots
from fashion_tl.naming import learn_class, name_photos, open_served
from fashion_tl.network import layers, model
from fashion_tl.network.memory import read_memory, save_memory
from fashion_tl.network.model import load_model, save_model
from fashion_tl.predict import answers
from fashion_tl.runfiles import read_table
from fashion_tl.runs import open_run, write_table
from tests.test_extend import striped

STRIPES = [(f"{seed}.jpg", striped(seed)) for seed in range(5)]
TOKEN = "secret"


@pytest.fixture(scope="module")
def served(tiny_run):
    """The run as the page uses it, without its data."""
    return open_served(tiny_run.folder)


@pytest.fixture
def own_run(tiny_run, tmp_path):
    """A copy of the run's folder, beside which the page may write."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    return tmp_path / "run"


def a_training_photo(sample_root, run):
    name = f"{read_memory(run.memory_path).ids[0]}.jpg"
    return name, (sample_root / "images" / name).read_bytes()


def refuse_all(folder):
    """Let a run take every photo for unknown."""
    file = folder / "memory.safetensors"
    save_memory(file, replace(read_memory(file), threshold=-1.0))


def rename_a_class(folder, old, new):
    """Let a run know a class under another name."""
    saved = load_model(folder / "model.safetensors")
    classes = tuple(new if name == old else name for name in saved.classes)
    settings = (saved.config, saved.temperature)
    save_model(saved.path, saved.model, classes, list(saved.fit_counts), *settings)
    file = folder / "memory.safetensors"
    save_memory(file, replace(read_memory(file), classes=classes))
    table = read_table(folder / "per_class.csv")
    write_table(folder / "per_class.csv", table.replace({"label": {old: new}}))


def name_a_training_photo(folder, name):
    """Let a run remember its first training photo under this id."""
    memory = read_memory(folder / "memory.safetensors")
    memory.ids[0] = name
    save_memory(folder / "memory.safetensors", memory)


# What a photo is


def test_a_photo_gets_the_answers_and_probabilities_of_predict(served, tiny_run, sample_root):
    upload = a_training_photo(sample_root, tiny_run)
    (row,) = name_photos(served, [upload])
    (same,) = answers(served.saved, [sample_root / "images" / upload[0]])
    assert row["name"] == upload[0] and row["error"] is None and not row["is_unknown"]
    assert row["answers"] == [(same[f"top{k}"], same[f"p{k}"]) for k in range(1, 6)]
    assert row["photo"].startswith("data:image/jpeg;base64,")


def test_it_gets_the_nearest_training_photos_with_pictures_where_the_data_are(
    tiny_run, sample_root
):
    upload = a_training_photo(sample_root, tiny_run)
    for data, has_pictures in ((None, False), (sample_root, True)):
        (row,) = name_photos(open_served(tiny_run.folder, data), [upload])
        assert len(row["nearest"]) == 6 and row["nearest"][0]["distance"] < 0.01
        assert {each["photo"] is not None for each in row["nearest"]} == {has_pictures}


def test_a_photo_like_none_that_it_learned_from_is_unknown(own_run):
    refuse_all(own_run)
    (row,) = name_photos(open_served(own_run), STRIPES[:1])
    assert row["is_unknown"] is True and row["answers"]


def test_a_photo_that_can_not_be_read_says_why_and_the_others_are_named(served):
    bad, good = name_photos(served, [("bad.jpg", b"no photo"), ("good.jpg", STRIPES[0][1])])
    assert bad["name"] == "bad.jpg" and bad["error"] and "answers" not in bad
    assert "/" not in bad["error"] and good["answers"]


@pytest.mark.parametrize("name", ["../../a.jpg", "C:\\Photos\\a.jpg", "a\n.jpg", "x" * 300, ".jpg"])
def test_photos_are_kept_under_safe_names(served, name):
    (row,) = name_photos(served, [(name, STRIPES[0][1])])
    assert row["error"] is None and row["answers"]


def test_each_photo_is_decoded_once_and_goes_through_the_network_once(served, monkeypatch):
    done = []

    def counted(name):
        work = getattr(predict, name)
        monkeypatch.setattr(predict, name, lambda *given: done.append(name) or work(*given))

    for name in ("decode", "photo_logits"):
        counted(name)
    assert len(name_photos(served, STRIPES[:3])) == 3
    assert sorted(done) == ["decode"] * 3 + ["photo_logits"]


def test_the_network_is_folded_once_for_all_photos_that_the_page_names(own_run, monkeypatch):
    folds = []
    monkeypatch.setattr(model, "folded", lambda own: folds.append(1) or layers.folded(own))
    served = open_served(own_run)
    first, again = (name_photos(served, STRIPES[:1]) for _ in range(2))
    assert first == again and len(folds) == 1


def test_a_run_without_a_memory_names_photos_all_the_same(own_run):
    (own_run / "memory.safetensors").unlink()
    (row,) = name_photos(open_served(own_run), STRIPES[:1])
    assert row["answers"] and row["nearest"] == [] and not row["is_unknown"]


def test_data_of_another_run_are_refused(tiny_run, make_root):
    rows = [(1, 2010, "Shirts"), (2, 2010, "Belts"), (3, 2011, "Shirts")]
    with pytest.raises(RunError, match="made on other data"):
        open_served(tiny_run.folder, make_root(rows))


# A class that it learns


def test_it_learns_a_class_in_a_new_folder_and_names_it_from_then_on(
    own_run, files_under, monkeypatch
):
    monkeypatch.chdir(own_run)
    before = files_under(own_run)
    served = open_served(".")
    (first,) = name_photos(served, [("new.jpg", striped(100))])
    assert first["answers"][0][0] != "Stripes"
    now, words = learn_class(served, " Stripes ", STRIPES)
    assert words[0].startswith("Stripes: new, from 5 photos.")
    assert now.run.folder == own_run.with_name("run-extended-1")
    (row,) = name_photos(now, [("new.jpg", striped(100))])
    assert row["answers"][0][0] == "Stripes" and not row["is_unknown"]
    assert row["nearest"][0]["id"].startswith("Stripes/")
    assert row["nearest"][0]["photo"]  # the new photos are kept in the run, with or without data
    assert files_under(own_run) == before


def test_learning_reads_the_photos_of_earlier_extensions_from_their_run_once(own_run, monkeypatch):
    served, _ = learn_class(open_served(own_run), "Stripes", STRIPES[:2])
    read = []

    def counted(run):
        read.append(run.folder.name)
        return read_shots(run)

    for module in ("naming", "extend"):
        monkeypatch.setattr(f"fashion_tl.{module}.read_shots", counted)
    learn_class(served, "Stripes", STRIPES[2:], known=True)
    assert read == ["run-extended-1", "run-extended-2"]


def test_photos_of_one_name_all_count_and_those_left_out_are_named(own_run):
    photos = [("1.jpg", striped(1)), ("1.jpg", striped(2)), ("2 1.jpg", striped(3))]
    _, words = learn_class(open_served(own_run), "Stripes", [*photos, ("notes.jpg", b"text")])
    assert "from 3 photos" in words[0]
    assert any(line.startswith("left out: Stripes/notes.jpg: ") for line in words)


def test_what_is_said_of_photos_has_no_folder_that_nobody_knows(own_run, capsys):
    photos = [("a.jpg", striped(1)), ("b.jpg", striped(1)), ("c.txt", b"text")]
    _, words = learn_class(open_served(own_run), "Stripes", photos)
    assert "left out, the same photo again: Stripes/b.jpg" in words
    assert "Stripes: skipped, not photos: c.txt" in words
    assert tempfile.gettempdir() not in "".join(words).replace(str(own_run.parent), "")
    assert capsys.readouterr().err == ""


def test_no_photo_is_lost_by_its_name(own_run):
    names = ["y" * 300 + "." + "x" * 55 + ".jpg", "__MACOSX", "...jpg", "", " .a.jpg"]
    photos = [(name, striped(seed)) for seed, name in enumerate(names)]
    _, words = learn_class(open_served(own_run), "Stripes", photos)
    assert words[0].startswith("Stripes: new, from 5 photos.")
    assert len(words) == 2 and "remembers fewer than 1,000 photos" in words[1]  # the run is small


def test_a_camera_that_gives_all_photos_one_name_can_add_photos_later(own_run):
    photos = [("image.jpg", striped(seed)) for seed in range(3)]
    now, _ = learn_class(open_served(own_run), "Stripes", photos[:2])
    now, words = learn_class(now, "Stripes", photos[2:], known=True)
    assert len(words) == 1 and words[0].startswith("Stripes: known, from 1 photo.")
    assert sorted(read_shots(now.run).ids) == [f"Stripes/{n}image.jpg" for n in ("2 ", "3 ", "")]
    with pytest.raises(DataError, match="has learned all of its photos already"):
        learn_class(now, "Stripes", photos[:1], known=True)


def test_a_photo_with_the_name_of_a_training_photo_is_learned_and_named(own_run):
    name_a_training_photo(own_run, "Stripes/image")  # as in a run on class folders
    now, words = learn_class(open_served(own_run), "Stripes", [("image.jpg", striped(1))])
    assert read_shots(now.run).ids == ["Stripes/2 image.jpg"]
    assert words[1:-1] == [
        "image.jpg: training photo Stripes/image has this name. If it is the same photo, it now "
        "counts twice."
    ]


def test_a_folder_that_another_process_took_meanwhile_is_left_alone(own_run, monkeypatch):
    taken = own_run.with_name("run-extended-1")

    def meanwhile(*given):
        taken.mkdir(exist_ok=True)
        return extended_by(*given)

    monkeypatch.setattr("fashion_tl.extend.extended_by", meanwhile)
    now, _ = learn_class(open_served(own_run), "Stripes", STRIPES)
    assert now.run.folder.name == "run-extended-2" and not list(taken.iterdir())


def test_classes_that_differ_only_in_capitals_are_told_apart(own_run):
    one, other = load_model(own_run / "model.safetensors").classes[:2]
    rename_a_class(own_run, other, one.upper())
    served = open_served(own_run)
    with pytest.raises(DataError, match=f"has the classes {one} and {one.upper()}; write one"):
        learn_class(served, one.lower(), STRIPES, known=True)
    for name in (one, one.upper()):
        _, words = learn_class(served, name, STRIPES, known=True)
        assert words[0].startswith(f"{name}: known, from 5 photos")


def test_a_known_class_takes_more_photos_only_when_that_is_ticked(own_run):
    served = open_served(own_run)
    name = served.saved.classes[0]
    with pytest.raises(DataError, match=f"the run knows {name} from .*tick “more photos"):
        learn_class(served, name.upper(), STRIPES)
    now, words = learn_class(served, name.upper(), STRIPES, known=True)
    assert words[0].startswith(f"{name}: known, from 5 photos")
    assert now.saved.classes == served.saved.classes


@pytest.mark.parametrize(
    ("name", "photos", "why"),
    [
        ("", STRIPES, "the class has no name"),
        (" \u200b", STRIPES, "the class has no name"),
        ("Tops / Tees", STRIPES, "has a slash in it"),
        ("..", STRIPES, "begins with a dot"),
        ("a\x00b", STRIPES, "can't be the name of a class"),
        ("Train", STRIPES, "is a word such as train"),
        ("x" * 300, STRIPES, "write a shorter one"),
        ("Hats", [], "no photos were chosen"),
        ("Hats", [("a.jpg", b"text")], r"^Hats: none of its photos can be read \(Hats/a.jpg: "),
    ],
)
def test_what_can_not_be_learned_is_said_and_nothing_is_written(own_run, name, photos, why):
    with pytest.raises(DataError, match=why):
        learn_class(open_served(own_run), name, photos)
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


# The page


def make_client(folder):
    """Something that asks for the page as a browser does."""
    pytest.importorskip("flask", reason='pip install "fashion_tl[demo]"')
    from fashion_tl.serve import make_app

    client = make_app(folder, TOKEN, Lock()).test_client()
    assert client.get(f"/?token={TOKEN}").status_code == 302  # a cookie from then on
    return client


@pytest.fixture
def client(own_run):
    return make_client(own_run)


def sent(*photos, **fields):
    files = [(io.BytesIO(content), name) for name, content in photos]
    return {"data": {"photos": files, **fields}, "content_type": "multipart/form-data"}


def test_the_page_names_a_photo_and_says_when_it_is_unknown(client, own_run, sample_root, tiny_run):
    upload = a_training_photo(sample_root, tiny_run)
    known = client.post("/", **sent(upload)).text
    assert upload[0] in known and "Unknown:" not in known and known.count('class="bar"') == 5
    refuse_all(own_run)
    unknown = make_client(own_run).post("/", **sent(upload)).text
    assert "Unknown:" in unknown and unknown.count('class="bar"') == 5


def test_the_page_learns_a_class_and_uses_the_new_run(client, own_run):
    own_run.with_name("run-extended-1").mkdir()
    page = client.post("/", **sent(*STRIPES, do="learn", name="Stripes"))
    assert page.status_code == 200 and "Stripes: new, from 5 photos." in page.text
    assert str(own_run.with_name("run-extended-2")) in page.text
    assert not list(own_run.with_name("run-extended-1").iterdir())
    assert "<bdi>Stripes</bdi>" in client.post("/", **sent(("new.jpg", striped(100)))).text


def test_the_page_names_the_new_run_as_the_first_one_was_named(own_run, monkeypatch):
    monkeypatch.chdir(own_run.parent)
    client = make_client("run")
    client.post("/", **sent(*STRIPES, do="learn", name="Stripes"))
    for page in (make_client("run").get("/").text, client.get("/").text):
        assert str(own_run.parent) not in page
    assert "run-extended-1 ·" in page


def test_errors_stand_in_the_page_and_the_run_stays(client, own_run):
    page = client.post("/", **sent(*STRIPES, do="learn", name="<b>a/b</b>"))
    assert page.status_code == 400 and "a slash in it" in page.text and "<b>a/b" not in page.text
    page = client.post("/", **sent())
    assert page.status_code == 400 and "no photo was chosen" in page.text
    page = client.post("/", **sent(*STRIPES, do="learn", name="ü" * 128))
    assert page.status_code == 400 and "write a shorter one" in page.text
    page = client.post("/", **sent(**{f"field {n}": "x" for n in range(2000)}))
    assert page.status_code == 413 and "photos or fields" in page.text
    client.application.config["MAX_CONTENT_LENGTH"] = 100
    page = client.post("/", **sent(*STRIPES))
    assert page.status_code == 413 and "MB; send fewer at a time" in page.text
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


def test_other_sites_can_neither_read_the_page_nor_send_forms_to_it(client, own_run):
    foreign = {"Origin": "https://example.com"}
    form = sent(*STRIPES, do="learn", name="Stripes")
    assert client.post("/", headers=foreign, **form).status_code == 403
    rebound = {"Host": "example.com", "Cookie": f"fashion_tl_80={TOKEN}"}
    plain = client.application.test_client(use_cookies=False)  # sends the header as it is
    assert plain.get("/", headers=rebound).status_code == 400
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "http://" not in page.text and "https://" not in page.text
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


def test_only_who_has_the_whole_address_sees_the_page_or_sends_forms_to_it(client, own_run):
    stranger = client.application.test_client()
    form = {"do": "learn", "name": "Stripes"}
    for answer in (
        stranger.get("/"),
        stranger.get("/?token="),
        stranger.get("/?token=sécret"),
        stranger.post("/", **sent(*STRIPES, **form)),
        stranger.post("/?token=other", **sent(*STRIPES, **form)),
    ):
        assert answer.status_code == 403 and "the whole address" in answer.text
        assert "must accept the page's cookie" in answer.text
        assert "Set-Cookie" not in answer.headers and "<form" not in answer.text
    cookie = stranger.get(f"/?token={TOKEN}").headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "<form" in stranger.get("/").text
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


def test_only_the_script_of_the_page_runs_in_it(client):
    seen = set()
    for _ in range(2):
        page = client.get("/")
        (nonce,) = re.findall('<script nonce="([^"]+)">', page.text)
        (scripts,) = re.findall("script-src ([^;]+);", page.headers["Content-Security-Policy"])
        assert page.text.count("<script") == 1 and scripts == f"'nonce-{nonce}'"
        seen.add(nonce)
    assert len(seen) == 2


def test_the_page_names_each_new_class_once_and_no_trained_class_as_untested(client, own_run):
    trained = load_model(own_run / "model.safetensors").classes[0]
    added = sent(STRIPES[0], do="learn", name=trained, known="on")
    assert "These classes were not tested" not in client.post("/", **added).text
    client.post("/", **sent(STRIPES[1], do="learn", name="Stripes"))
    more = sent(*STRIPES[2:], do="learn", name="Stripes", known="on")
    said = "Learned from a few photos: <bdi>Stripes</bdi> (4). These classes were not tested."
    assert said in client.post("/", **more).text


def test_errors_on_photos_speak_of_photos_not_of_folders(client, own_run):
    client.post("/", **sent(*STRIPES[:2], do="learn", name="Stripes"))
    known = {"do": "learn", "known": "on"}
    for form, why in (
        (sent(("a.txt", b"text"), do="learn", name="Hats"), "Hats: none of the files is a photo"),
        (sent(("a.jpg", b"text"), do="learn", name="Hats"), "Hats: none of its photos can be read"),
        (sent(STRIPES[0], name="Stripes", **known), "Stripes: the run has learned all of its"),
        (
            sent(STRIPES[0], do="learn", name="Hats"),
            "Hats/0.jpg: the run learned this same photo as Stripes",
        ),
    ):
        page = client.post("/", **form)
        (said,) = re.findall('<p class="notice" role="alert">(.*?)</p>', page.text)
        assert page.status_code == 400 and why in said
        assert said.endswith("; choose other photos")
        assert "folder" not in said and "delete" not in said and tempfile.gettempdir() not in said


def test_a_run_without_a_memory_says_how_to_make_one(own_run):
    (own_run / "memory.safetensors").unlink()
    (own_run / "before").mkdir()  # as an extended run has it
    text = make_client(own_run).get("/").text
    assert "Copy it again, or extend the first run again." in text and "remember" not in text
    (own_run / "before").rmdir()
    client = make_client(own_run)
    assert f"fashion-tl remember {own_run} --data DATA" in client.get("/").text
    page = client.post("/", **sent(*STRIPES, do="learn", name="Stripes"))
    assert page.status_code == 400 and "has no memory" in page.text


# The command


def test_without_flask_the_error_says_how_to_get_it(tiny_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flask", None)
    assert main(["serve", str(tiny_run.folder), "--port", "0"]) == 2
    assert 'pip install "fashion_tl[demo]"' in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_there_is_not_is_refused(tiny_run, port, capsys):
    assert main(["serve", str(tiny_run.folder), f"--port={port}"]) == 2
    assert "--port must be from 0 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(tiny_run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tiny_run.folder), "--port", str(port)]) == 2
    assert f"port {port} can't be used" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    pytest.importorskip("flask", reason='pip install "fashion_tl[demo]"')
    assert main(["serve", str(tmp_path / "nothing"), "--port", "0"]) == 2
    assert "no such run folder" in capsys.readouterr().err


def test_it_listens_to_this_machine_alone_until_it_is_ended(tiny_run, monkeypatch, capsys):
    pytest.importorskip("werkzeug", reason='pip install "fashion_tl[demo]"')
    serve_forever, heard = BaseServer.serve_forever, []

    def until_terminated(own, poll_interval=0.5):
        heard.append(own.socket.getsockname())
        Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        serve_forever(own, poll_interval)

    monkeypatch.setattr(BaseServer, "serve_forever", until_terminated)
    assert main(["serve", str(tiny_run.folder), "--port", "0"]) == 143
    ((host, port),) = heard
    said = capsys.readouterr()
    assert host == "127.0.0.1" and said.out.startswith(f"http://127.0.0.1:{port}/?token=")
    assert said.err == "stopped\n"


SLOWLY = """
import sys, time
from fashion_tl.__main__ import main
from fashion_tl.extend import extended_by
import fashion_tl.extend, fashion_tl.serve, tests.tiny
from werkzeug.serving import WSGIRequestHandler

def slowly(*given):
    print("learning", flush=True)
    time.sleep(1)
    return extended_by(*given)

def late(work):
    def after_a_while(*given, **named):
        time.sleep(0.5)
        return work(*given, **named)
    return after_a_while

fashion_tl.extend.extended_by = slowly
fashion_tl.serve._page = late(fashion_tl.serve._page)
WSGIRequestHandler.send_response = late(WSGIRequestHandler.send_response)
sys.exit(main(["serve", sys.argv[1], "--port", "0"]))
"""


def test_ctrl_c_ends_it_after_the_class_that_it_is_learning_and_the_browser_gets_the_answer(
    own_run, tmp_path
):
    pytest.importorskip("flask", reason='pip install "fashion_tl[demo]"')
    (tmp_path / "temporary").mkdir()
    own = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    words = [sys.executable, "-c", SLOWLY, str(own_run)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=own, **pipes) as process:
        too_long = Timer(60, process.kill)
        too_long.start()
        address = process.stdout.readline().split()[0]  # comes at once, though it is a pipe
        browser = build_opener(HTTPCookieProcessor())
        browser.open(address).close()
        form, kind = a_form(STRIPES, do="learn", name="Stripes")
        asked = Request(address.partition("?")[0], form, {"Content-Type": kind})
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(lambda: browser.open(asked).read().decode())
            assert process.stdout.readline() == "learning\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        too_long.cancel()
    assert process.returncode == 130
    assert "Stripes: new, from 5 photos." in answer.result() and "</html>" in answer.result()
    assert said.splitlines()[-2:] == [
        "the page is finishing its last task; press Ctrl-C again to stop it at once",
        "stopped",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run-extended-1", "temporary"}
    assert read_shots(open_run(tmp_path / "run-extended-1")).classes == ["Stripes"]
    assert not list((tmp_path / "temporary").iterdir())


def a_form(photos, **fields):
    """The bytes of a form with photos, and their content type."""
    from werkzeug.test import EnvironBuilder

    data = {"photos": [(io.BytesIO(content), name) for name, content in photos], **fields}
    environ = EnvironBuilder(method="POST", data=data).get_environ()
    return environ["wsgi.input"].read(), environ["CONTENT_TYPE"]
