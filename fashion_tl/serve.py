"""`serve`: a page on this machine that names dropped photos and learns classes from a few."""

import secrets
import socket
import sys
import time
from collections.abc import Mapping
from socketserver import BaseServer
from threading import Lock, Thread, current_thread
from typing import Any

from fashion_tl.errors import ConfigError, FashionTLError, ServeError, how_to_install
from fashion_tl.extension import extension_of, new_classes
from fashion_tl.files import StrPath, as_path
from fashion_tl.machine import say, warn
from fashion_tl.naming import Served, Upload, learn_class, name_photos, open_served
from fashion_tl.reporting.pages import filled_in
from fashion_tl.runfiles import way_out

HOST = "127.0.0.1"  # only this machine reaches it
PORT = 8765
MOST = 256 << 20  # bytes that are sent at a time
MOMENT = 2.0  # seconds in which an answer reaches the browser before the process ends
POLICY = (  # a browser then asks no other host for anything, and runs the page's own script alone
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def make_app(
    folder: StrPath,
    token: str,
    busy: Lock,
    data_path: StrPath | None = None,
    cache: StrPath | None = None,
) -> Any:
    """The page about a run as a Flask application, which keeps the run that it uses.

    Only a browser that opened the address with the ``token`` sees the page. While the application
    does what a form asks for, it holds the lock ``busy``. ServeError if Flask is missing, and
    errors as from :func:`fashion_tl.naming.open_served`.
    """
    try:
        from flask import Flask, abort, g, request
    except ImportError as error:
        raise ServeError(f"the page needs Flask: {how_to_install('demo')}") from error
    served = open_served(folder, data_path, cache)
    app = Flask(__name__, static_folder=None)
    # Other web sites may neither read the page under a name of their own nor send forms to it.
    app.config.update(MAX_CONTENT_LENGTH=MOST, TRUSTED_HOSTS=[HOST, "localhost"])
    _guard(app, token)

    @app.route("/", methods=["GET", "POST"])
    def page() -> tuple[str, int]:
        nonlocal served
        if request.method != "POST":
            return _page(served, g.nonce), 200
        if request.origin not in (None, request.host_url.rstrip("/")):
            abort(403)
        photos = [(file.filename or "", file.read()) for file in request.files.getlist("photos")]
        photos = [(name, content) for name, content in photos if name]  # a form may have none
        with busy:  # one class after the other
            try:
                served, shown = _done(served, request.form, photos)
            except (FashionTLError, OSError) as error:
                return _page(served, g.nonce, error=error), 400
            return _page(served, g.nonce, **shown), 200

    @app.errorhandler(413)
    def too_large(error: Exception) -> tuple[str, int]:
        why = "these are too many photos or fields for one form, or too long a text"
        if (request.content_length or 0) > app.config["MAX_CONTENT_LENGTH"]:
            why = f"these photos take more than {MOST >> 20} MB"
        why = f"{why}; send fewer at a time"
        return _page(served, g.nonce, error=why), 413

    return app


def _guard(app: Any, token: str) -> None:
    """Other users of the machine don't get in, and only the page's own script runs in it."""
    from flask import Response, g, redirect, request

    def is_token(given: str) -> bool:
        return secrets.compare_digest(given.encode(), token.encode())

    @app.before_request
    def let_in() -> Any:
        g.nonce = secrets.token_urlsafe()
        cookie = f"fashion_tl_{request.environ['SERVER_PORT']}"  # pages of other ports have theirs
        if is_token(request.cookies.get(cookie, "")):
            return None
        if is_token(request.args.get("token", "")):
            answer = redirect("/")
            # With "Strict", a click on the address in another page, such as JupyterLab's, would end
            # here: the browser wouldn't send the cookie on. `page` refuses forms of other pages.
            answer.set_cookie(cookie, token, httponly=True, samesite="Lax")
            return answer
        why = (
            "Open the whole address that the command printed: it ends in ?token= and a key. "
            "The browser must accept the page's cookie, which keeps the key.\n"
        )
        return Response(why, 403, content_type="text/plain; charset=utf-8")

    @app.after_request
    def alone(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY.format(g.nonce)
        response.headers["Cache-Control"] = "no-store"
        return response


def _done(
    served: Served, form: Mapping[str, str], photos: list[Upload]
) -> tuple[Served, dict[str, Any]]:
    """Do what a form asks for: the run that the page uses from now on, and what it shows."""
    if form.get("do") == "learn":
        served, learned = learn_class(served, form.get("name", ""), photos, "known" in form)
        return served, {"learned": learned}
    return served, {"photos": name_photos(served, photos)}


def _page(served: Served, nonce: str, **shown: Any) -> str:
    pairs = zip(served.saved.classes, served.saved.fit_counts, strict=True)
    values = {
        "run": served.run,
        "nonce": nonce,
        "classes": [label for label, photos in pairs if photos],
        "added": new_classes(extension_of(served.run)),
        "has_memory": served.memory is not None,
        "way_to_memory": way_out(served.run.folder, otherwise=""),
        "photos": [],
        "learned": [],
        "error": None,
    }
    return filled_in("serve.html.j2", **values | shown)


def serve(
    folder: StrPath,
    data_path: StrPath | None = None,
    cache: StrPath | None = None,
    port: int = PORT,
) -> None:
    """Serve the page about a run until Ctrl-C, on this machine alone; then KeyboardInterrupt.

    The page finishes its current task first, unless Ctrl-C comes again.
    ServeError if the port is taken, ConfigError if there is no such port, and errors as from
    :func:`make_app`.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port must be from 0 to 65535, not {port}; 0 takes any free one")
    try:
        taken = socket.create_server((HOST, port))
    except OSError as error:
        raise ServeError(
            f"port {port} can't be used ({error.strerror}); name another one with --port"
        ) from error
    with taken:
        token, busy = secrets.token_urlsafe(), Lock()
        app = make_app(folder, token, busy, data_path, cache)
        from werkzeug.serving import WSGIRequestHandler, make_server

        answering: set[Thread] = set()

        class Quiet(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None:
                """No line for each request."""

            def run_wsgi(self) -> None:
                answering.add(current_thread())
                try:
                    super().run_wsgi()
                finally:
                    answering.discard(current_thread())

        server = make_server(
            HOST, port, app, threaded=True, request_handler=Quiet, fd=taken.fileno()
        )
        say(
            f"http://{HOST}:{server.port}/?token={token} shows {as_path(folder)}, on this machine "
            "alone. Ctrl-C ends it."
        )
        if sys.stdout:
            sys.stdout.flush()  # a pipe or a log would get the address at the end
        with server:
            _serve_until_ctrl_c(server, busy, answering)


def _serve_until_ctrl_c(server: BaseServer, busy: Lock, answering: set[Thread]) -> None:
    """Serve, and finish the last task before the end; ``answering`` are the open requests."""
    try:
        BaseServer.serve_forever(server)  # werkzeug's own one hides Ctrl-C
    finally:
        if busy.locked():
            warn("the page is finishing its last task; press Ctrl-C again to stop it at once")
        busy.acquire()  # threads die with the process, and would leave half a run and its photos
        end = time.monotonic() + MOMENT
        for thread in [*answering]:  # its answer may be on its way to the browser
            thread.join(max(0.0, end - time.monotonic()))
