"""Cases of weights: that run code, lie, don't fit, aren't numbers or are damaged."""

import json
import os
import pickle
import struct
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from fashion_tl.errors import WeightsError
from tests.checks.fuzz.bombs import zeros
from tests.checks.fuzz.damage import damage
from tests.checks.fuzz.zips import raw_zip


class Code:
    """Pickled, it is a call that leaves a file behind when it is made."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@cache
def shapes() -> dict[str, tuple[int, ...]]:
    """Of a ResNet-50's tensors, BatchNorm's counters left out."""
    import torch
    from torchvision.models import resnet50

    with torch.device("meta"):
        state = resnet50(weights=None).state_dict()
    return {
        name: tuple(tensor.shape) for name, tensor in state.items() if "num_batches" not in name
    }


def light_state(**changed):
    """The tensors of a ResNet-50, each a single number that is only said to be many: small in a
    file.
    """
    import torch

    return {name: torch.zeros(1).expand(shape) for name, shape in shapes().items()} | changed


def safetensors_header(rng: Random) -> dict[str, dict]:
    header, start = {}, 0
    for name, shape in shapes().items():
        end = start + 2 * int(np.prod(shape))
        header[name] = {
            "dtype": rng.choice(("F16", "BF16")),
            "shape": list(shape),
            "data_offsets": [start, end],
        }
        start = end
    return header


def write_safetensors(path: Path, header: bytes, length: int | None = None, body: int = 0) -> None:
    """The header as it is, its length as told, and a body of zeros that takes no space."""
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header) if length is None else length) + header)
        file.truncate(file.tell() + body)


def make_weights(rng: Random, folder: Path) -> tuple[Path, bool]:
    """A file, and whether it must be read."""
    import torch

    if rng.random() < 0.5:
        return _make_safetensors(rng, folder)
    path, marker = folder / "w.pth", folder / "ran"
    name = rng.choice(list(shapes()))
    shape = shapes()[name]
    way = rng.choice(
        "good wrapped code bare_code shape missing extra not_a_number type form key bomb".split()
    )
    legacy = way != "bomb" and rng.random() < 0.3

    def save(state: object) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        return path

    def number(value: float, dtype: torch.dtype = torch.float32):
        return torch.full((1,), value, dtype=dtype).expand(shape)

    if name.startswith("fc.") and way in ("shape", "missing", "not_a_number", "type"):
        way = "good"  # the last layer is replaced anyway
    if way == "good":
        dtype = rng.choice((torch.float16, torch.bfloat16, torch.float32, torch.float64))
        return save(light_state(**{name: number(0.5, dtype)})), True
    if way in ("code", "bare_code"):
        opening = f"open({str(marker)!r}, 'w')"
        code = rng.choice(
            (
                Code(Path.touch, marker),
                Code(os.system, f"touch {marker}"),
                Code(eval, opening),
                Code(exec, opening),
                Code(subprocess.check_call, ["touch", str(marker)]),
            )
        )
        state = rng.choice(
            (code, [code], light_state(**{name: code}), {code: 1}, {"a": {"b": (code,)}})
        )
        if way == "bare_code":
            path.write_bytes(
                pickle.dumps(code if isinstance(state, dict) else state, rng.randrange(2, 6))
            )
            return path, False
        return save(state), False
    if way == "shape":
        wrong = rng.choice(
            ((), (0,), (*shape, 1), (*shape[:-1], shape[-1] + 1), (2**33,), (*shape[::-1], 2))
        )
        return save(
            light_state(
                **{name: torch.zeros(()).expand(wrong) if wrong != (0,) else torch.zeros(0)}
            )
        ), False
    if way == "bomb":
        return _unpacking_to_gigabytes(path, save(light_state())), False
    if way == "missing":
        state = light_state()
        del state[name]
        return save(state), False
    if way == "extra":
        return save(
            light_state(**{rng.choice(("layer5.weight", "../x", "y" * 1_000_000)): torch.zeros(1)})
        ), False
    if way == "not_a_number":
        values = (
            number(np.nan),
            number(np.inf),
            number(-np.inf, torch.bfloat16),
            number(1e300, torch.float64),
        )
        return save(light_state(**{name: rng.choice(values)})), False
    if way == "type":
        values = (
            *(number(1, t) for t in (torch.int64, torch.bool, torch.complex64, torch.uint8)),
            torch.zeros(shape, device="meta"),
            torch.sparse_coo_tensor(size=shape),
            7,
            "weights",
            None,
        )
        return save(light_state(**{name: rng.choice(values)})), False
    if way == "key":
        return save(
            light_state() | {rng.choice((1, None, ("a", "b"), b"conv1", 1.5)): torch.zeros(1)}
        ), False
    if way == "wrapped":
        prefix = rng.choice(("", "module.", "_orig_mod.model."))
        state = {f"{prefix}{k}": v for k, v in light_state().items()}
        return save(rng.choice(({"state_dict": state}, {"model": state, "epoch": 1}, state))), True
    return save(
        rng.choice(([], [light_state()], torch.zeros(3), "x", None, {}, 7, {"state_dict": {}}))
    ), False


def _unpacking_to_gigabytes(path: Path, light: Path) -> Path:
    """The same file, its first tensor's numbers replaced by two gigabytes of zeros, deflated."""
    with zipfile.ZipFile(light) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    first = next(name for name, _ in files if "/data/" in name)
    path.write_bytes(
        raw_zip(first, zeros(2048), 8, 2**31, [file for file in files if file[0] != first])
    )
    return path


def _make_safetensors(rng: Random, folder: Path) -> tuple[Path, bool]:
    path, header = folder / "w.safetensors", safetensors_header(rng)
    body = max(about["data_offsets"][1] for about in header.values())
    name = rng.choice([name for name in header if not name.startswith("fc.")])
    about = header[name]
    start, end = about["data_offsets"]
    length, good, text = None, False, None
    way = rng.randrange(14)
    if way == 0:
        good = True
    elif way == 1:
        length = rng.choice((0, 1, 10**6, 2**31, 2**32, 2**40, 2**63, 2**64 - 1))
    elif way == 2:
        about["data_offsets"] = rng.choice(
            ([start, end + 2**40], [body, body + end - start], [2**63, 2**63 + end - start])
        )
    elif way == 3:
        about["data_offsets"] = list(rng.choice(list(header.values()))["data_offsets"])
        good = about["data_offsets"] == [start, end]
    elif way == 4:
        about["data_offsets"] = rng.choice(
            ([-2, end - start - 2], [end, start], [start], "all", [start, end, end], [0.5, 9])
        )
    elif way == 5:
        about["shape"] = rng.choice(
            ([2**62, 2**62], [-1, *about["shape"]], [], [0], about["shape"] * 2, "any", [2**64])
        )
    elif way == 6:
        about["dtype"] = rng.choice(("F128", "", 7, None, "I8", "BOOL", "F64", "I16", "U16"))
    elif way == 7:
        text = rng.choice(
            (
                b"",
                b"{",
                b"null",
                b"[]",
                b"{}",
                b"[" * 100_000,
                b'{"a":' * 100_000,
                b"\xff" * 50,
                b"\0" * 50,
            )
        )
    elif way == 8:
        body = rng.choice((0, body - 1, body + 1, body // 2, body + 1000))
    elif way == 9:
        del header[name]
    elif way == 10:
        header["../../x"] = {"dtype": "F16", "shape": [0], "data_offsets": [body, body]}
    elif way == 11:
        header["__metadata__"] = rng.choice((7, {"a": 7}, {"a": {"b": "c"}}, ["x"]))
    elif way == 12:
        about["shape"] = [*about["shape"], 1]
    else:
        header["__metadata__"], good = {"format": "pt", "x": "y" * 1_000_000}, True
    write_safetensors(path, json.dumps(header).encode() if text is None else text, length, body)
    return path, good


def try_weights(rng: Random, folder: Path) -> str:
    path, good = make_weights(rng, folder)
    if rng.random() < 0.4:
        with open(path, "r+b") as file:  # the head of it: behind it, safetensors hold numbers alone
            head = file.read(40_000)
            file.seek(0)
            file.write(damage(rng, head)[: len(head)])
        good = None
    return _read_weights(path, good)


def _read_weights(path: Path, good: bool | None) -> str:
    import torch

    from fashion_tl.network.model import read_weights

    try:
        state = read_weights(path)
    except WeightsError as error:
        assert not good, str(error)
        assert (
            path.name in str(error) and len(str(error)) < 5000
        )  # of memory that ran out, too, if it was never used
        return "refused"
    finally:
        assert not (path.parent / "ran").exists(), "the file's code ran"
    assert good is not False, "it was read"
    assert all(
        tuple(state[name].shape) == shape
        for name, shape in shapes().items()
        if not name.startswith("fc.")
    )
    assert all(torch.isfinite(tensor.float()).all() for tensor in state.values())
    return "whole"
