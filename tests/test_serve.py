"""``serve`` shows a page on this machine that names photos and learns classes from a few."""

import io
import shutil
import socket
import socketserver
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fashion_tl.__main__ import main
from fashion_tl.errors import DataError, RunError
from fashion_tl.naming import learn_class, name_photos, open_served
from fashion_tl.network.memory import read_memory, save_memory
from fashion_tl.predict import answers
from tests.test_extend import striped

STRIPES = [(f"{seed}.jpg", striped(seed)) for seed in range(5)]


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


def test_photos_of_one_name_all_count_and_those_left_out_are_named(own_run):
    photos = [("1.jpg", striped(1)), ("1.jpg", striped(2)), ("2 1.jpg", striped(3))]
    _, words = learn_class(open_served(own_run), "Stripes", [*photos, ("notes.jpg", b"text")])
    assert "from 3 photos" in words[0]
    assert any(line.startswith("left out: Stripes/notes.jpg: ") for line in words)


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
        ("x" * 300, STRIPES, "can't be kept"),
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

    return make_app(folder).test_client()


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


def test_errors_stand_in_the_page_and_the_run_stays(client, own_run):
    page = client.post("/", **sent(*STRIPES, do="learn", name="<b>a/b</b>"))
    assert page.status_code == 400 and "a slash in it" in page.text and "<b>a/b" not in page.text
    page = client.post("/", **sent())
    assert page.status_code == 400 and "no photo was chosen" in page.text
    client.application.config["MAX_CONTENT_LENGTH"] = 100
    page = client.post("/", **sent(*STRIPES))
    assert page.status_code == 413 and "send fewer at a time" in page.text
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


def test_other_sites_can_neither_read_the_page_nor_send_forms_to_it(client, own_run):
    foreign = {"Origin": "https://example.com"}
    form = sent(*STRIPES, do="learn", name="Stripes")
    assert client.post("/", headers=foreign, **form).status_code == 403
    assert client.get("/", headers={"Host": "example.com"}).status_code == 400
    page = client.get("/", headers={"Host": "127.0.0.1:8765"})
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "http://" not in page.text and "https://" not in page.text
    assert [path.name for path in own_run.parent.iterdir()] == ["run"]


def test_a_run_without_a_memory_says_how_to_make_one(own_run):
    (own_run / "memory.safetensors").unlink()
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


def test_it_listens_to_this_machine_alone_until_ctrl_c(tiny_run, monkeypatch, capsys):
    pytest.importorskip("flask", reason='pip install "fashion_tl[demo]"')
    heard = []

    def until_ctrl_c(server, poll_interval=0.5):
        heard.append(server.socket.getsockname())
        raise KeyboardInterrupt

    monkeypatch.setattr(socketserver.BaseServer, "serve_forever", until_ctrl_c)
    assert main(["serve", str(tiny_run.folder), "--port", "0"]) == 0
    ((host, port),) = heard
    said = capsys.readouterr()
    assert host == "127.0.0.1" and said.out.startswith(f"http://127.0.0.1:{port}/ shows ")
    assert said.err == ""
    assert not Path(f"{tiny_run.folder}-extended-1").exists()
