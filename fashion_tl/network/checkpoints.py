"""The ResNet in a file of weights: read without running code, and found in the wrappings that
people have.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from fashion_tl.errors import WeightsError

# torchvision's names of a ResNet's tensors: one that every ResNet has, and those of its body.
FIRST, BODY = "layer1.0.conv1.weight", re.compile(r"(conv1|bn1|layer\d+)\.")
# The same in nn.Sequential(*resnet.children()), which numbers the children; what has another number
# belongs to a head.
FIRST_NUMBERED = "4.0.conv1.weight"
NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
# What lies beside the body and may be left out: heads of all kinds, and the counter of averaged
# networks.
HEADS = re.compile("fc|head|classif|proj|predict|prototype|linear|logit|embed|queue|n_averaged")
# A second copy of the network, which is a moving average of the first.
AVERAGE = re.compile(r"(?:^|[._])(?:ema|swa|momentum|encoder_k|target|avg|averaged?)(?:[._]|$)")
DEEPEST = 4  # dicts within dicts that are searched
MOST = 10  # networks that are looked at

OTHER_NAMES = {
    r"\bembedder\.": "Hugging Face's",
    r"\bres2\.0\.": "Detectron2's",
    r"\b(cls_token|class_token|pos_embed)": "those of a vision transformer",
}
OTHER_FORMATS = {
    b"version https://git-lfs": "it is a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"\x89HDF": "it is an HDF5 file, as Keras writes them: torch can't read it",
    b"\x1f\x8b": "it is compressed with gzip: unpack it first",
}


@dataclass(frozen=True)
class Network:
    """A ResNet in a file: its tensors by torchvision's names, where they were, and what else is in
    the file.

    They lay in the dict that ``keys`` lead to, under names with ``prefix``; ``numbered`` when by
    nn.Sequential's names. ``is_average`` where it is a moving average of a network. Whether the
    tensors fit is not known yet: what stands in the place of one need not be one.
    """

    tensors: dict[str, Any]
    keys: tuple
    prefix: str
    numbered: bool
    ignored: tuple[str, ...]
    is_average: bool

    @property
    def place(self) -> str:
        """Where they were, in words; empty where the file holds the tensors and nothing else."""
        parts = [f"from {', '.join(f'`{_word(key)}`' for key in self.keys)}"] if self.keys else []
        parts += [f"names without `{_word(self.prefix)}`"] if self.prefix else []
        parts += ["names of nn.Sequential's children"] if self.numbered else []
        return ", ".join(parts)


def find_network(content: Any, name: str) -> Network:
    """The one ResNet in what a file of this name holds. A moving average is taken only where
    nothing else is there.

    WeightsError where there is none, or more than one.
    """
    found = _networks(content)
    different: list[Network] = []
    for each in [each for each in found if not each.is_average] or found:
        if not any(_same(each.tensors, other.tensors) for other in different):
            different.append(each)
    if len(different) == 1:
        return different[0]
    if different:
        places = "; ".join(each.place or "at the top" for each in different)
        keys, prefix = (
            "".join(f"[{_word(key)!r}]" for key in different[0].keys),
            _word(different[0].prefix),
        )
        raise WeightsError(
            f"{name} holds {len(different)} networks: {places}. Save the tensors of one alone; of the first: "
            f"content = torch.load({name!r}){keys}; "
            f'torch.save({{k: v for k, v in content.items() if k.startswith("{prefix}")}}, "one.pth")'
        )
    raise _no_network(content, name)


def _no_network(content: Any, name: str) -> WeightsError:
    """What is there instead of a ResNet."""
    names = [
        key
        for _, table in _tables(content)
        for key, value in table.items()
        if torch.is_tensor(value)
    ]
    if not names or not all(isinstance(key, str) for key in names):
        return WeightsError(f"{name} holds no plain table of tensors (a state dict)")
    whose = next(
        (
            words
            for known, words in OTHER_NAMES.items()
            if any(re.search(known, key) for key in names)
        ),
        "",
    )
    shown = ", ".join(map(_word, names[:3])) + (", …" if len(names) > 3 else "")
    return WeightsError(
        f"{name} holds no ResNet by torchvision's names (conv1.weight, layer1.0.conv1.weight, …): its names are "
        f"{shown}{f' ({whose})' if whose else ''}"
    )


def likeness(tensors: dict[str, Any]) -> str:
    """Which other ResNet it looks like, such as ``"ResNet-18"``; empty where that can't be told."""
    blocks = [
        len({key.split(".")[1] for key in tensors if key.startswith(f"layer{i}.")})
        for i in range(1, 5)
    ]
    known = {(2, 2, 2, 2): 18, (3, 4, 6, 3): 34, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
    size = known.get(tuple(blocks), 0)
    has_bottlenecks = "layer1.0.conv3.weight" in tensors
    return f"ResNet-{size}" if size and has_bottlenecks == (size > 34) else ""


def quantised(tensors: dict[str, Any]) -> str:
    """The type of quantised weights among these, such as ``"int8"``; empty where there are none."""
    weights = (
        value
        for name, value in tensors.items()
        if name.endswith("weight") and torch.is_tensor(value)
    )
    found = (
        value.dtype
        for value in weights
        if value.is_quantized or value.dtype in (torch.int8, torch.uint8)
    )
    return str(next(found, "")).removeprefix("torch.")


def _networks(content: Any) -> list[Network]:
    """Every ResNet in what a file holds: in whatever dicts, under whatever prefix."""
    found = []
    for keys, table in _tables(content):
        for name in table:
            for first in (FIRST, FIRST_NUMBERED):
                if isinstance(name, str) and f".{name}".endswith(f".{first}") and len(found) < MOST:
                    ignored = [_word(key) for key in _beside(content, keys)]
                    found.append(
                        _network(
                            table, keys, name.removesuffix(first), first == FIRST_NUMBERED, ignored
                        )
                    )
    return found


def _tables(content: Any) -> list[tuple[tuple, dict]]:
    """All dicts that a file holds, with the keys that lead to them; each once, also where one holds
    itself.
    """
    if not isinstance(content, dict):
        return []
    found, seen = [((), content)], {id(content)}
    for keys, table in found:  # which grows meanwhile
        for key, value in table.items():
            if isinstance(value, dict) and id(value) not in seen and len(keys) < DEEPEST:
                seen.add(id(value))
                found.append(((*keys, key), value))
    return found


def _beside(content: dict, keys: tuple) -> Iterator[Any]:
    """What lies beside the dicts on the way that these keys lead."""
    for key in keys:
        yield from (other for other in content if other is not key)
        content = content[key]


def _network(table: dict, keys: tuple, prefix: str, numbered: bool, ignored: list[str]) -> Network:
    """The ResNet whose names begin with ``prefix``: all of its body, whether it fits or not,
    without heads.
    """
    tensors, depth = {}, prefix.count(".")
    for key, value in table.items():
        name = key if isinstance(key, str) else _word(key)
        if not name.startswith(prefix):
            ignored.append(_word(".".join(name.split(".")[:depth])))
            continue
        first, dot, rest = name.removeprefix(prefix).partition(".")
        part = NUMBERED.get(first, "fc") if numbered and first.isdigit() else first
        if BODY.match(f"{part}.") or (torch.is_tensor(value) and not HEADS.search(part)):
            tensors[f"{part}{dot}{rest}"] = value
        elif part != "fc":
            ignored.append(_word(f"{prefix}{first}"))
    counted = (
        f"{prefix.rpartition('module.')[0]}n_averaged" in table
    )  # torch's AveragedModel, whatever its name
    is_average = counted or AVERAGE.search(".".join([*map(_word, keys), prefix])) is not None
    return Network(tensors, keys, prefix, numbered, tuple(dict.fromkeys(ignored)), is_average)


def _word(key: Any) -> str:
    """A key in few letters, whatever it is."""
    return str(key)[:80] if isinstance(key, (str, int, float)) else type(key).__name__


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether these are one network, which two modules share and which was saved under the names of
    both.
    """
    try:
        return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    except (RuntimeError, TypeError):  # what stands there is no plain tensor
        return False


def read_checkpoint(path: Path) -> Any:
    """What a file holds, told by its content alone: safetensors, or what torch.save wrote, of
    tensors and plain values.

    No code in it is ever run. WeightsError, with the way out, where it can't be read so.
    """
    try:
        why = _other_format(path)
        if not why:
            return _load(path)
    except Exception as error:  # torch's own message would advise to let the file run its code
        raise WeightsError(f"{path} can't be read as weights: {_why(path, error)}") from error
    raise WeightsError(f"{path} can't be read as weights: {why}")


def _load(path: Path) -> Any:
    with open(path, "rb") as file:  # given a path, torch would go by its ending
        if _is_safetensors(file.read(9)):
            return load_file(path)
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def _is_safetensors(start: bytes) -> bool:
    """Whether a file begins with the length of a header, as safetensors bounds it, and the header,
    in JSON.
    """
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= 100_000_000


def _other_format(path: Path) -> str:
    """What a file that is known to be no weights is, and the way out; empty for any other."""
    with open(path, "rb") as file:
        start = file.read(64)
    if not start:
        return "it is empty"
    if _is_safetensors(start):  # the length's first byte may be any, also that of a web page
        return ""
    if words := next(
        (words for begin, words in OTHER_FORMATS.items() if start.startswith(begin)), ""
    ):
        return words
    if b"\0" not in start and start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return "it is a web page: download the file again, perhaps signed in"
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if any(part.filename.endswith("/constants.pkl") for part in parts):
        return f'it is TorchScript. Save its tensors: torch.save(torch.jit.load({str(path)!r}).state_dict(), "plain.pth")'
    # torch compresses nothing: what is compressed could unpack to more than there is memory
    if any(part.compress_type for part in parts) or not any(
        part.filename.endswith("data.pkl") for part in parts
    ):
        return "torch didn't write this zip; if the weights lie in it, unpack it first"
    return ""


def _why(path: Path, error: Exception) -> str:
    """Why it can't be read, and the way out."""
    if isinstance(error, PermissionError):
        return str(error.strerror)
    if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"it would run code ({named[1]}). If you trust where it comes from, save its tensors alone: "
            f'content = torch.load({str(path)!r}, weights_only=False); torch.save(content["state_dict"], "plain.pth"), '
            "with content.state_dict() where it holds a whole network"
        )
    return (
        f"it is damaged, or no file of weights ({type(error).__name__}); download or copy it again"
    )
