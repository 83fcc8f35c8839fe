"""A network's weights: torchvision's by name, downloaded once, or a file."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import torch
from torchvision.models import WeightsEnum

from fashion_tl.backbones import Backbone
from fashion_tl.config import DEFAULT_WEIGHTS
from fashion_tl.errors import RunError, WeightsError, fault_of_file, some_of
from fashion_tl.files import StrPath, as_path
from fashion_tl.machine import say, say_once
from fashion_tl.network.checkpoints import find_network, read_checkpoint
from fashion_tl.runs import open_run

PATIENCE = 10  # seconds without an answer or a byte after which a download is given up


def ways_to_give(backbone: Backbone) -> str:
    """The sentence that ends an error on weights: what may be given instead."""
    return (
        "Give the weights in one of three ways: "
        f"a torchvision name ({', '.join(backbone.weights_names)}: downloaded once), "
        "a file of such a network (.safetensors, .pth, .pt, .ckpt), "
        "or `none` to start from random weights (a recipe then needs lr=0.01 or less)."
    )


def is_random(weights: StrPath | None) -> bool:
    """Whether training starts from random weights."""
    return weights is None or str(weights).lower() == "none"


def weights_name(weights: StrPath | None) -> str:
    """What figures and tables call the weights, without any machine's path."""
    return "random weights" if weights is None or is_random(weights) else as_path(weights).name


def default_weights(*folders: StrPath) -> str:
    """DEFAULT_WEIGHTS, or the torchvision weights that a run in one of these folders began with."""
    for folder in folders:
        with suppress(RunError, KeyError, TypeError):
            name = open_run(as_path(folder)).about["weights"]["name"]
            if name.startswith("IMAGENET1K_"):
                return name
    return DEFAULT_WEIGHTS


def find_tensors(weights: StrPath, backbone: Backbone) -> dict[str, Any]:
    """The tensors of the one ResNet in these weights, by torchvision's names.

    They may not fit the backbone. What was unwrapped and ignored is printed, once for each file.
    WeightsError if the file can't be read, if it holds no ResNet or several, or if the download
    fails.
    """
    if str(weights) in backbone.weights_names:
        return _download(backbone.weights[str(weights)], ways_to_give(backbone))
    path = as_path(weights)
    if path.is_dir():
        raise WeightsError(f"{path} is a folder: name the file in it. {ways_to_give(backbone)}")
    if not path.is_file():
        raise WeightsError(f"no such weights: {path}. {ways_to_give(backbone)}")
    network = find_network(read_checkpoint(path), str(path))
    ignored = f"ignored: {some_of(network.ignored, 5)}" if network.ignored else ""
    if said := "; ".join(filter(None, (network.place, ignored))):
        say_once(f"weights of {path.name}: {said}")
    return network.tensors


def _download(member: WeightsEnum, ways: str) -> dict[str, Any]:
    """torchvision's weights from torch.hub's folder, or downloaded into it if they are missing.

    WeightsError, which ends with ``ways``, if they can't be downloaded.
    """
    name = member.name
    file = Path(torch.hub.get_dir(), "checkpoints", member.url.rsplit("/", 1)[-1])
    was_there = file.exists()
    try:
        if not was_there:
            size = member.meta["_file_size"]
            say(f"downloading torchvision's weights {name} ({size:.0f} MB, once)")
            _knock(member.url)
        # torch would print the path on this machine.
        with _patience(), redirect_stdout(StringIO()):
            return member.get_state_dict(
                progress=True, check_hash=True, map_location="cpu", weights_only=True
            )
    except Exception as error:  # from urllib, SSL, a wrong hash or a full disk
        if was_there:
            way = f"delete it, and {name} is downloaded again"
            raise WeightsError(f"{fault_of_file(file, error, way)}. {ways}") from error
        reason = _reason(error)
        raise WeightsError(
            f"the weights {name} could not be downloaded ({reason}). {ways}"
        ) from error


def _reason(error: Exception) -> str:
    """Why a download failed, with the way out if the disk is the reason."""
    cause = error.reason if type(error) is URLError else error
    if "hash" in str(cause):
        return "what came is another file, or a part of it: its hash is wrong"
    no_place = (errno.EROFS, errno.ENOSPC)
    if isinstance(cause, PermissionError) or getattr(cause, "errno", None) in no_place:
        return f"{cause}; set TORCH_HOME to a folder that can be written to"
    return str(cause)


def _knock(url: str) -> None:
    """TimeoutError if the server doesn't answer in time.

    urllib alone would wait as long for each of the server's addresses.
    """

    def ask() -> None:
        try:
            urlopen(Request(url, method="HEAD"), timeout=2 * PATIENCE).close()
        except Exception:
            return  # this is an answer too: the download will say what is wrong

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {PATIENCE} s")


@contextmanager
def _patience() -> Iterator[None]:
    """Let a connection that brings nothing for ``PATIENCE`` seconds end in TimeoutError.

    torch.hub itself has no limit.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
