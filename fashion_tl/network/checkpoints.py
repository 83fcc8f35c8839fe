"""Read a file of weights without running code, and find the ResNet in its usual wrappings."""

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
FIRST = "layer1.0.conv1.weight"
BODY = re.compile(r"(conv1|bn1|layer\d+)\.")
# The same in nn.Sequential(*resnet.children()), which numbers the children. Other numbers belong to
# a head.
FIRST_NUMBERED = "4.0.conv1.weight"
NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
# Beside the body, these may be left out: heads of all kinds, and the counter of averaged networks.
HEADS = re.compile("fc|head|classif|proj|predict|prototype|linear|logit|embed|queue|n_averaged")
# A second copy of the network: a moving average of the first.
AVERAGE = re.compile(r"(?:^|[._])(?:ema|swa|momentum|encoder_k|target|avg|averaged?)(?:[._]|$)")
DEEPEST = 4  # levels of nested dicts that are searched
MOST = 10  # networks that are examined

OTHER_NAMES = {
    r"\bembedder\.": "Hugging Face's",
    r"\bres2\.0\.": "Detectron2's",
    r"\b(cls_token|class_token|pos_embed)": "those of a vision transformer",
}
OTHER_FORMATS = {
    b"version https://git-lfs": (
        "it is a pointer of Git LFS: `git lfs pull` fetches the file itself"
    ),
    b"\x89HDF": "it is an HDF5 file, as Keras writes them: torch can't read it",
    b"\x1f\x8b": "it is compressed with gzip: unpack it first",
}


@dataclass(frozen=True)
class Network:
    """A ResNet in a file, by torchvision's names.

    ``keys`` lead to the dict that held the tensors, under names with ``prefix``; ``numbered`` says
    that the names were nn.Sequential's. ``ignored`` are the names of everything else in the file.
    ``is_average`` is true for a moving average of a network. The values in ``tensors`` may not fit,
    and may not even be tensors.
    """

    tensors: dict[str, Any]
    keys: tuple[Any, ...]
    prefix: str
    numbered: bool
    ignored: tuple[str, ...]
    is_average: bool

    @property
    def place(self) -> str:
        """Where the tensors were, in words; empty if they were unwrapped."""
        parts = []
        if self.keys:
            parts.append("from " + ", ".join(f"`{_word(key)}`" for key in self.keys))
        if self.prefix:
            parts.append(f"names without `{_word(self.prefix)}`")
        if self.numbered:
            parts.append("names of nn.Sequential's children")
        return ", ".join(parts)


def find_network(content: Any, name: str) -> Network:
    """The one ResNet in the content of a file of this name.

    A moving average is taken only if there is no other network. WeightsError if there is no
    network, or more than one.
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
        keys = "".join(f"[{_word(key)!r}]" for key in different[0].keys)
        chosen = f'k.startswith("{_word(different[0].prefix)}")'
        raise WeightsError(
            f"{name} holds {len(different)} networks: {places}. "
            "Save the tensors of one alone; of the first: "
            f"content = torch.load({name!r}){keys}; "
            f'torch.save({{k: v for k, v in content.items() if {chosen}}}, "one.pth")'
        )
    raise _no_network(content, name)


def _no_network(content: Any, name: str) -> WeightsError:
    """An error that says what is there instead of a ResNet."""
    names = []
    for _, table in _tables(content):
        names += [key for key, value in table.items() if torch.is_tensor(value)]
    if not names or not all(isinstance(key, str) for key in names):
        return WeightsError(f"{name} holds no plain table of tensors (a state dict)")
    shown = ", ".join(map(_word, names[:3])) + (", …" if len(names) > 3 else "")
    for known, whose in OTHER_NAMES.items():
        if any(re.search(known, key) for key in names):
            shown += f" ({whose})"
            break
    return WeightsError(
        f"{name} holds no ResNet by torchvision's names "
        f"(conv1.weight, layer1.0.conv1.weight, …): its names are {shown}"
    )


def _networks(content: Any) -> list[Network]:
    """Every ResNet in the content of a file, in any dicts and under any prefix."""
    found: list[Network] = []
    for keys, table in _tables(content):
        for name in table:
            for first in (FIRST, FIRST_NUMBERED):
                if isinstance(name, str) and f".{name}".endswith(f".{first}") and len(found) < MOST:
                    prefix = name.removesuffix(first)
                    ignored = [_word(key) for key in _beside(content, keys)]
                    found.append(_network(table, keys, prefix, first == FIRST_NUMBERED, ignored))
    return found


def _tables(content: Any) -> list[tuple[tuple[Any, ...], dict]]:
    """All dicts in the content of a file, with the keys that lead to them.

    Each dict comes once, also one that holds itself.
    """
    if not isinstance(content, dict):
        return []
    found: list[tuple[tuple[Any, ...], dict]] = [((), content)]
    seen = {id(content)}
    for keys, table in found:  # the loop adds dicts to its own list
        for key, value in table.items():
            if isinstance(value, dict) and id(value) not in seen and len(keys) < DEEPEST:
                seen.add(id(value))
                found.append(((*keys, key), value))
    return found


def _beside(content: dict, keys: tuple[Any, ...]) -> Iterator[Any]:
    """The other keys of the dicts on the way that these keys lead."""
    for key in keys:
        yield from (other for other in content if other is not key)
        content = content[key]


def _network(
    table: dict, keys: tuple[Any, ...], prefix: str, numbered: bool, ignored: list[str]
) -> Network:
    """The ResNet whose names begin with ``prefix``: its whole body, without heads."""
    tensors = {}
    depth = prefix.count(".")
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
    # torch's AveragedModel has this counter.
    is_counted = f"{prefix.rpartition('module.')[0]}n_averaged" in table
    is_average = is_counted or AVERAGE.search(".".join([*map(_word, keys), prefix])) is not None
    return Network(tensors, keys, prefix, numbered, tuple(dict.fromkeys(ignored)), is_average)


def _word(key: Any) -> str:
    """A key of any type as a short text."""
    return str(key)[:80] if isinstance(key, (str, int, float)) else type(key).__name__


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two networks are one that was saved under two names."""
    try:
        return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    except (RuntimeError, TypeError):  # a value is no plain tensor
        return False


def read_checkpoint(path: Path) -> Any:
    """The content of a file: safetensors, or tensors and plain values that torch.save wrote.

    The content alone decides which, not the file's name. No code in the file is ever run.
    WeightsError, with the way out, if it can't be read in this way.
    """
    try:
        why = _other_format(path)
        if not why:
            return _load(path)
    except Exception as error:  # torch's own message would advise running the file's code
        raise WeightsError(f"{path} can't be read as weights: {_why(path, error)}") from error
    raise WeightsError(f"{path} can't be read as weights: {why}")


def _load(path: Path) -> Any:
    with open(path, "rb") as file:  # given a path, torch would judge by its ending
        if _is_safetensors(file.read(9)):
            return load_file(path)
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def _is_safetensors(start: bytes) -> bool:
    """Whether a file begins like safetensors: the length of a header, then the header in JSON."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= 100_000_000


def _other_format(path: Path) -> str:
    """What a file is that holds no weights, and the way out; empty for any other file."""
    with open(path, "rb") as file:
        start = file.read(64)
    if not start:
        return "it is empty"
    if _is_safetensors(start):  # checked first: its first byte may be any, also a web page's
        return ""
    for begin, words in OTHER_FORMATS.items():
        if start.startswith(begin):
            return words
    if b"\0" not in start and start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return "it is a web page: download the file again, perhaps signed in"
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if any(part.filename.endswith("/constants.pkl") for part in parts):
        return (
            "it is TorchScript. Save its tensors: "
            f'torch.save(torch.jit.load({str(path)!r}).state_dict(), "plain.pth")'
        )
    # torch compresses nothing. A compressed zip could unpack to more than fits into memory.
    is_compressed = any(part.compress_type for part in parts)
    if is_compressed or not any(part.filename.endswith("data.pkl") for part in parts):
        return "torch didn't write this zip; if the weights lie in it, unpack it first"
    return ""


def _why(path: Path, error: Exception) -> str:
    """Why a file can't be read, and the way out."""
    if isinstance(error, PermissionError):
        return str(error.strerror)
    if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"it would run code ({named[1]}). "
            "If you trust where it comes from, save its tensors alone: "
            f"content = torch.load({str(path)!r}, weights_only=False); "
            'torch.save(content["state_dict"], "plain.pth"), '
            "with content.state_dict() where it holds a whole network"
        )
    kind = type(error).__name__
    return f"it is damaged, or no file of weights ({kind}); download or copy it again"
