"""Where a network's weights come from: torchvision by name, downloaded once, or a file."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import torch
from torchvision.models import WeightsEnum

from fashion_tl.backbones import Backbone
from fashion_tl.errors import WeightsError
from fashion_tl.files import StrPath, as_path
from fashion_tl.machine import say
from fashion_tl.network.checkpoints import find_network, read_checkpoint

WAYS = (
    "Give the weights in one of three ways: a torchvision name (IMAGENET1K_V1, IMAGENET1K_V2: downloaded once), "
    "a file of such a network (.safetensors, .pth, .pt, .ckpt), or `none` to start from random weights."
)
PATIENCE = 10  # seconds without an answer or a byte, after which a download is given up


def is_random(weights: StrPath | None) -> bool:
    """Whether these are no weights at all."""
    return weights is None or str(weights).lower() == "none"


def weights_name(weights: StrPath | None) -> str:
    """How figures and tables call them: no path of any machine."""
    return "random weights" if is_random(weights) else as_path(weights).name


def find_tensors(weights: StrPath, backbone: Backbone) -> dict[str, Any]:
    """The tensors of the one ResNet in these weights, by torchvision's names; whether they fit is
    not known yet.

    What was unwrapped and ignored is printed, once for each file. WeightsError where the file can't
    be read, holds no ResNet or several, or the download fails.
    """
    if str(weights) in backbone.weights_names:
        return _download(backbone.weights[str(weights)])
    path = as_path(weights)
    if path.is_dir():
        raise WeightsError(f"{path} is a folder: name the file in it. {WAYS}")
    if not path.is_file():
        raise WeightsError(f"no such weights: {path}. {WAYS}")
    network = find_network(read_checkpoint(path), str(path))
    more = f" and {len(network.ignored) - 5} more" if len(network.ignored) > 5 else ""
    ignored = f"ignored: {', '.join(network.ignored[:5])}{more}" if network.ignored else ""
    if said := "; ".join(filter(None, (network.place, ignored))):
        _say_once(f"weights of {path.name}: {said}")
    return network.tensors


_say_once = cache(say)


def _download(member: WeightsEnum) -> dict[str, Any]:
    """torchvision's weights, from torch.hub's folder if they are there; else they are downloaded
    into it.
    """
    name = member.name
    file = Path(torch.hub.get_dir(), "checkpoints", member.url.rsplit("/", 1)[-1])
    was_there = file.exists()
    try:
        if not was_there:
            say(
                f"downloading torchvision's weights {name} ({member.meta['_file_size']:.0f} MB, once)"
            )
            _knock(member.url)
        with (
            _patience(),
            redirect_stdout(StringIO()),
        ):  # torch would print where on this machine they go
            return member.get_state_dict(
                progress=True, check_hash=True, map_location="cpu", weights_only=True
            )
    except Exception as error:  # urllib, SSL, a wrong hash or a full disk: the answer is the same
        if was_there:
            raise WeightsError(
                f"{file} is damaged: delete it, and {name} is downloaded again. {WAYS}"
            ) from error
        reason = error.reason if type(error) is URLError else error
        if "hash" in str(reason):
            reason = "what came is another file, or a part of it: its hash is wrong"
        if isinstance(reason, PermissionError) or getattr(reason, "errno", None) in (
            errno.EROFS,
            errno.ENOSPC,
        ):
            reason = f"{reason}; set TORCH_HOME to a folder that can be written to"
        raise WeightsError(
            f"the weights {name} could not be downloaded ({reason}). {WAYS}"
        ) from error


def _knock(url: str) -> None:
    """TimeoutError where no answer comes in time; urllib alone would wait so long for each of a
    server's addresses.
    """

    def ask() -> None:
        try:
            urlopen(Request(url, method="HEAD"), timeout=2 * PATIENCE).close()
        except Exception:
            return  # an answer, too: the download will say what is wrong

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {PATIENCE} s")


@contextmanager
def _patience() -> Iterator[None]:
    """Inside, a connection that brings nothing for so long ends in TimeoutError: torch.hub itself
    has no limit.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
