"""In a real browser: the report, used by mouse and by keyboard, the page of ``serve``, and a
notebook run cell by cell in JupyterLab.

`make browser` runs these and leaves screenshots in runs/browser/. They need Debian's Chromium, and
Playwright for Python (tests/checks/requirements.txt); they are skipped where either is missing.
"""

import base64
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import nbformat
import numpy as np
import pytest

from fashion_tl.network.features import features_of
from fashion_tl.network.memory import read_memory, save_memory
from fashion_tl.network.model import load_model
from fashion_tl.network.unknown import unknown_scores
from fashion_tl.predict import read_photo
from fashion_tl.reporting.report import write_report
from tests import REPOSITORY
from tests.checks.reliability import write_table
from tests.made_runs import make_run, predictions_on_record, repeating_photos
from tests.test_extend import striped

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync"
)
SHOTS = REPOSITORY / "runs" / "browser"
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
HALF_A_SCREEN = {"width": 600, "height": 900}
TINY = """data_root = {root!r}
weights = "none"
recipe = "tuned"
epochs = 2
settings = {{"image_size": [32, 32], "batch_size": 32}}
out = "../runs/fc_only"
cache = None
"""
OVERRIDES = {  # every cell stays in the page, and nobody asks about news
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pip install -r tests/checks/requirements.txt"
    )
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def done(request):
    """Rows for the table: what was done, how often, how many errors; written when every test of
    this file passed.
    """
    rows = []
    yield rows
    if not request.session.testsfailed and len(rows) == 8:
        write_table("browser", ["what was done", "how many", "errors"], rows)


@pytest.fixture(scope="module")
def report(sample_root, tmp_path_factory):
    """The page of two steps with 142 classes and 20,634 predictions, its photos those of the
    sample.
    """
    folder = tmp_path_factory.mktemp("report") / "run"
    make_run(folder, sample_root, *predictions_on_record("two_step"), training="two_step", epochs=8)
    make_run(
        folder / "top20", sample_root, *predictions_on_record("top20"), training="top20", epochs=8
    )
    with repeating_photos():
        return write_report(folder, str(sample_root))


class Heard:
    """What a page complained of, and what it asked for elsewhere."""

    def __init__(self, page, own: str) -> None:
        self.errors, self.requests = [], []
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(own) else self.requests.append(request.url)
            ),
        )


@pytest.fixture
def opened(chromium, report):
    """``opened(viewport, scheme)``: the report in a page of its own, and what is heard of it."""
    contexts = []

    def open_page(viewport=DESKTOP, scheme="light"):
        contexts.append(chromium.new_context(viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        heard = Heard(page, own=report.as_uri())
        page.goto(report.as_uri())
        return page, heard

    yield open_page
    for context in contexts:
        context.close()


def names(page) -> list[str]:
    """The classes shown in the second step's table, from top to bottom."""
    script = "rows => rows.map(row => row.cells[0].firstChild.textContent.trim())"
    return page.locator("#step2 .classes tbody tr:not([hidden])").evaluate_all(script)


def column(page, number: int) -> list[float | None]:
    cells = page.locator(
        f"#step2 .classes tbody tr:not([hidden]) td:nth-of-type({number})"
    ).all_inner_texts()
    return [
        None if cell == "–" else float(cell.rstrip("\N{NO-BREAK SPACE}%").replace(",", ""))
        for cell in cells
    ]


def test_the_report_sorts_and_filters_by_mouse(opened, done):
    page, heard = opened()
    part = page.locator("#step2 .classes")
    assert len(before := names(page)) == 142
    sorted_ways = 0
    for title, number in (("Training", 1), ("Test", 2), ("Right", 3), ("Accuracy", 4)):
        for order, down in (("descending", True), ("ascending", False)):
            part.get_by_role("button", name=title).click()
            assert part.locator(f"th[aria-sort={order}]").inner_text().startswith(title)
            measured = [value for value in column(page, number) if value is not None]
            assert measured == sorted(measured, reverse=down)
            # What can't be measured comes last.
            assert None not in column(page, number)[: len(measured)]
            sorted_ways += 1
    part.get_by_role("button", name="Class").click()
    assert (
        names(page) == sorted(before, key=str.lower)
        and part.locator("th[aria-sort=ascending]").count() == 1
    )
    sorted_ways += 1
    part.get_by_label("Filter by class or note").click()
    page.keyboard.insert_text("SHOES")
    assert (
        names(page) == sorted(name for name in before if "shoes" in name.lower())
        and len(names(page)) >= 3
    )
    done.append(
        [
            "a report's table of 142 classes sorted by mouse, and filtered: orders",
            sorted_ways,
            len(heard.errors),
        ]
    )
    assert not heard.errors and not heard.requests


def test_the_report_sorts_and_filters_by_keyboard(opened, done):
    page, heard = opened()
    part = page.locator("#step2 .classes")
    keys = ["Tab"] * 40
    while page.evaluate("document.activeElement.id") != "filter2":  # from the top of the page
        page.keyboard.press(keys.pop())
    page.keyboard.type("cannot be learned")
    assert part.locator("output").inner_text() == "35 of 142 classes" and len(names(page)) == 35
    assert set(column(page, 1)) == {0}
    for _ in range(3):  # Class, Training, Test
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText").startswith("Test")
    # The focus can be seen.
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    orders = []
    for key, down in (("Enter", True), ("Space", False)):
        page.keyboard.press(key)
        orders.append(column(page, 2))
        assert orders[-1] == sorted(orders[-1], reverse=down) and len(names(page)) == 35
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    assert part.locator("output").inner_text() == "142 of 142 classes"
    page.keyboard.type("no such class")
    assert names(page) == [] and part.locator("output").inner_text() == "0 of 142 classes"
    # The other table is left alone.
    assert page.locator("#step1 .classes output").inner_text() == "20 of 20 classes"
    done.append(
        [
            "the same by keyboard alone, from the top of the page: orders",
            len(orders),
            len(heard.errors),
        ]
    )
    assert not heard.errors and not heard.requests


def test_the_report_is_readable_on_a_phone_and_in_the_dark(opened, done):
    opens, errors, requests = 0, [], []
    for name, viewport in (("desktop", DESKTOP), ("half", HALF_A_SCREEN), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            page, heard = opened(viewport, scheme)
            # No sideways scrolling.
            assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
            page.locator("details").first.evaluate("element => element.open = true")
            assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
            assert page.locator("img").evaluate_all(
                "all => all.every(one => one.complete && one.naturalWidth > 0)"
            )
            assert min(page.evaluate(DRAWN_TEXT)) >= 11  # pixels
            assert min(page.evaluate(CONTRASTS)) >= 4.5  # WCAG's AA
            page.screenshot(path=SHOTS / f"report-{name}-{scheme}.png")
            page.locator("#step2 .classes h3").evaluate("element => element.scrollIntoView()")
            page.screenshot(path=SHOTS / f"report-{name}-{scheme}-classes.png")
            page.screenshot(path=SHOTS / f"report-{name}-{scheme}-whole.png", full_page=True)
            opens, errors, requests = opens + 1, errors + heard.errors, requests + heard.requests
    done.append(
        ["the report read at 1200, 600 and 360 px, light and dark: times", opens, len(errors)]
    )
    done.append(["requests that it made of the network", len(requests), len(requests)])
    assert not errors and not requests


# Letters as large as they appear, with what the charts are shrunk by; and of each text's colour and
# what is behind it.
DRAWN_TEXT = """[...document.querySelectorAll("body *")]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .filter(e => e.getClientRects().length)
  .map(e => {
    const svg = e.closest("svg"), size = parseFloat(getComputedStyle(e).fontSize);
    return svg ? size * svg.getScreenCTM().a : size;
  })"""
CONTRASTS = """(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { while (e) { const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; e = e.parentElement; } return [255, 255, 255]; };
  return [...document.querySelectorAll("body *")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && /\\w/.test(n.data)))
    .filter(e => e.getClientRects().length)
    .map(e => {
      const style = getComputedStyle(e), colour = e.closest("svg") ? style.fill : style.color;
      const [a, b] = [light(parts(colour)), light(behind(e))];
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    });
})()"""


@pytest.fixture
def striking(tiny_run, sample_root, tmp_path):
    """A run that takes striped photos for unknown, and a photo of its own: a folder, a file."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    saved, memory = load_model(tiny_run.model_path), read_memory(tiny_run.memory_path)
    photo = sample_root / "images" / f"{memory.ids[0]}.jpg"
    (tmp_path / "striped.jpg").write_bytes(striped(100))
    pixels = [
        read_photo(file, saved.config.stored_size) for file in (photo, tmp_path / "striped.jpg")
    ]
    own, other = unknown_scores(memory, features_of(saved, np.stack(pixels))[0])
    assert own < other
    save_memory(
        tmp_path / "run" / "memory.safetensors", replace(memory, threshold=(own + other) / 2)
    )
    return tmp_path / "run", photo


@pytest.fixture
def served(striking, sample_root, tmp_path):
    """The address of the page about that run, as the command prints it."""
    pytest.importorskip("flask", reason='pip install "fashion_tl[demo]"')
    knows_tiny = "import runpy, tests.tiny; runpy.run_module('fashion_tl', run_name='__main__')"
    words = [sys.executable, "-c", knows_tiny, "serve", str(striking[0])]
    words += ["--data", str(sample_root), "--port", "0"]
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "serve.log"
    with open(log, "w") as said:
        server = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
        try:
            for _ in range(120):
                if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", log.read_text()):
                    break
                assert server.poll() is None, log.read_text()
                time.sleep(1)
            yield found[0]
        finally:
            server.terminate()
            assert server.wait(30) == 143, log.read_text()


DROPPED = """([name, content]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name, {type: "image/jpeg"}));
  return transfer;
}"""


def drop(page, name: str, content: bytes) -> None:
    """Drop a photo on the page, and wait for its answer."""
    transfer = page.evaluate_handle(DROPPED, [name, base64.b64encode(content).decode()])
    with page.expect_navigation():
        page.dispatch_event("header", "drop", {"dataTransfer": transfer})


def upload(name: str, content: bytes) -> dict:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def test_the_page_of_serve_names_photos_and_learns_a_class(chromium, served, striking, done):
    folder, photo = striking
    context = chromium.new_context(viewport=DESKTOP)
    page = context.new_page()
    own = served.partition("?")[0]
    heard = Heard(page, own=(own, "data:"))
    page.goto(served)
    assert page.url == own  # the token doesn't stay in the address
    answer, first = page.locator(".answer"), page.locator(".answer tbody th").first
    # A known photo is named as soon as it is chosen, with what is nearest to it.
    with page.expect_navigation():
        page.set_input_files("#photos", photo)
    assert answer.locator("h2").inner_text() == photo.name
    assert "Unknown" not in answer.inner_text() and answer.locator("tbody tr").count() == 5
    assert answer.locator(".photos img").count() == 6
    # Another one is dropped: the word, and a wrong name.
    drop(page, "new.jpg", striped(101))
    assert answer.locator("h2").inner_text() == "new.jpg"
    assert "Unknown" in answer.inner_text() and first.inner_text() != "Stripes"
    page.screenshot(path=SHOTS / "serve-unknown.png", full_page=True)
    # After five photos of its class, it has its name.
    page.fill("#name", "Stripes")
    page.set_input_files("#shots", [upload(f"{seed}.jpg", striped(seed)) for seed in range(5)])
    with page.expect_navigation():
        page.click("#learn button")
    assert "Stripes: new, from 5 photos." in page.get_by_role("status").inner_text()
    drop(page, "new.jpg", striped(101))
    assert "Unknown" not in answer.inner_text() and first.inner_text() == "Stripes"
    page.screenshot(path=SHOTS / "serve-learned.png", full_page=True)
    assert (folder.parent / "run-extended-1" / "model.safetensors").exists()
    done.append(["photos dropped on the page of `serve`, and a class added: answers", 3, 0])
    assert not heard.errors and not heard.requests  # beyond loopback
    # What can't be learned is said in the page.
    page.fill("#name", "Stripes")
    page.set_input_files("#shots", upload("1.jpg", striped(1)))
    with page.expect_navigation():
        page.click("#learn button")
    assert "the run knows Stripes from 5 photos" in page.get_by_role("alert").inner_text()
    context.close()


def test_the_page_of_serve_is_readable_on_a_phone_and_in_the_dark(chromium, served, done):
    looks = [(viewport, scheme) for viewport in (DESKTOP, PHONE) for scheme in ("light", "dark")]
    for viewport, scheme in looks:
        context = chromium.new_context(viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        page.goto(served)
        drop(page, "new.jpg", striped(101))
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        assert min(page.evaluate(DRAWN_TEXT)) >= 11
        assert min(page.evaluate(CONTRASTS)) >= 4.5
        page.screenshot(path=SHOTS / f"serve-{viewport['width']}-{scheme}.png", full_page=True)
        context.close()
    done.append(["the page read at 1200 and 360 px, light and dark: times", len(looks), 0])


@pytest.fixture
def lab(sample_root, tmp_path):
    """JupyterLab on loopback with a copy of the notebooks, the first one set to a tiny run; its
    folder, its URL.
    """
    shutil.copytree(
        REPOSITORY / "notebooks",
        tmp_path / "notebooks",
        ignore=shutil.ignore_patterns(".*", "__pycache__"),
    )
    file = tmp_path / "notebooks" / "01_fc_only.ipynb"
    notebook = nbformat.read(file, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if cell.metadata.get("tags") == ["parameters"]:
            cell.source = TINY.format(root=str(sample_root)).strip()
    nbformat.write(notebook, file)
    for name, settings in OVERRIDES.items():
        place = (
            tmp_path
            / "config"
            / "lab"
            / "user-settings"
            / "@jupyterlab"
            / f"{name}.jupyterlab-settings"
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    folders = {
        f"JUPYTER_{name}_DIR": str(tmp_path / name.lower())
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = (
        os.environ | folders | {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": paths}
    )
    words = f"--allow-root --no-browser --ip=127.0.0.1 --port={port} --ServerApp.port_retries=0"
    words = [*words.split(), f"--IdentityProvider.token={token}", f"--notebook-dir={file.parent}"]
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words], env=environment, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api?token={token}", server, tmp_path / "lab.log")
            yield file, address, token
        finally:
            server.terminate()
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen, log: Path, seconds: int = 120) -> None:
    for _ in range(seconds):
        assert server.poll() is None, log.read_text()
        try:
            urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"JupyterLab didn't start within {seconds} s:\n{log.read_text()}")


def test_jupyterlab_runs_the_first_notebook_cell_by_cell_and_shows_its_figures(
    chromium, lab, sample_root, done
):
    file, address, token = lab
    cells = nbformat.read(file, 4).cells
    shows = re.compile(r"^(gallery\.\w+|plt\.figure)\(", re.MULTILINE)
    figures = sum(len(shows.findall(cell.source)) for cell in cells if cell.cell_type == "code")
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    heard = Heard(page, own=(address, address.replace("http", "ws"), "data:", "blob:"))
    page.goto(f"{address}/lab/tree/{file.name}?token={token}")
    notebook = page.locator(".jp-Notebook")
    shown = notebook.locator(".jp-Cell")
    shown.nth(len(cells) - 1).wait_for(state="attached", timeout=120_000)
    # What is run before the kernel is idle would be lost.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
    shown.first.click()
    page.keyboard.press("Escape")  # command mode, on the first cell
    count, failed = 0, 0
    for number, cell in enumerate(cells):
        page.keyboard.press("Shift+Enter")
        if cell.cell_type == "code":
            count += 1
            prompt = shown.nth(number).locator(".jp-InputArea-prompt", has_text=f"[{count}]:")
            prompt.wait_for(state="attached", timeout=180_000)
            failed += (
                shown.nth(number)
                .locator("[data-mime-type='application/vnd.jupyter.error']")
                .count()
            )
            assert not failed, shown.nth(number).inner_text()
    images = notebook.locator(".jp-OutputArea-output img")
    sizes = images.evaluate_all("all => all.map(one => one.complete && one.naturalWidth)")
    assert len(sizes) == figures >= 9 and min(sizes) > 100
    for name, place in (("top", 0), ("end", figures - 2)):
        (shown.first if place == 0 else images.nth(place)).scroll_into_view_if_needed()
        page.screenshot(path=SHOTS / f"notebook-{name}.png")
    context.close()
    done.append(
        [f"{file.name} in JupyterLab, run with Shift+Enter to the end: code cells", count, failed]
    )
    done.append(["figures that it shows there", len(sizes), figures - len(sizes)])
    assert not heard.requests  # beyond loopback
    # The notebook's run has a report.
    written = write_report(file.parent.parent / "runs" / "fc_only", str(sample_root))
    assert "Random weights" in written.read_text()
