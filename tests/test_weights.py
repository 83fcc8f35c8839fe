"""Weights in the wrappings that people have: unwrapped and said so, or refused with the way out.
Downloads that end.
"""

import argparse
import hashlib
import http.server
import socket
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import (
    ResNet50_Weights,
    densenet121,
    resnet18,
    resnet50,
    resnet101,
    vit_b_32,
)

from fashion_tl import approaches
from fashion_tl.__main__ import main
from fashion_tl.config import DEFAULT_WEIGHTS, Config
from fashion_tl.errors import WeightsError
from fashion_tl.network import weights as weights_module
from fashion_tl.network.model import available_weights, build_network, read_weights, save_model
from fashion_tl.network.weights import default_weights
from fashion_tl.recipes import make_config
from fashion_tl.runs import create_run


@cache
def shapes(network):
    with torch.device("meta"):
        return {name: each.shape for name, each in network(weights=None).state_dict().items()}


def light(value=0.5, dtype=torch.float32, network=resnet50):
    """The tensors of a network, each one number that is only said to be many: small in a file."""
    number = torch.full((), value, dtype=dtype)
    return {name: number.expand(shape) for name, shape in shapes(network).items()}


def under(prefix, state=None):
    return {prefix + name: tensor for name, tensor in (state or light()).items()}


def without_head(state=None):
    return {
        name: tensor for name, tensor in (state or light()).items() if not name.startswith("fc.")
    }


def by_number(prefix, state=None):
    """As nn.Sequential(*resnet.children()) calls them."""
    numbers = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    parts = ((name.split(".", 1), tensor) for name, tensor in without_head(state).items())
    return {f"{prefix}{numbers[first]}.{rest}": tensor for (first, rest), tensor in parts}


SGD = {
    "state": {0: {"momentum_buffer": torch.zeros(3)}},
    "param_groups": [{"lr": 0.1, "params": [0]}],
}
LIGHTNING = {
    "epoch": 3,
    "global_step": 1200,
    "pytorch-lightning_version": "2.5.0",
    "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 4}}}},
    "callbacks": {
        "ModelCheckpoint{'monitor': 'val_loss'}": {
            "best_model_score": torch.tensor(0.3),
            "dirpath": None,
        }
    },
    "optimizer_states": [SGD],
    "lr_schedulers": [],
    "hyper_parameters": {"lr": 0.1, "name": "resnet50"},
}
# The file, and what is said of it: nothing where nothing was unwrapped.
WRAPPINGS = {
    "plain.pth": (light(), ""),
    "no_fc.pt": (without_head(), ""),
    "no ending": (light(), ""),
    "data parallel.pth": (under("module."), "names without `module.`"),
    "compiled.pth": (under("_orig_mod."), "names without `_orig_mod.`"),
    "both.bin": (under("_orig_mod.module."), "names without `_orig_mod.module.`"),
    "imagenet_example.pth.tar": (
        {
            "epoch": 90,
            "arch": "resnet50",
            "state_dict": under("module."),
            "best_acc1": 76.1,
            "optimizer": SGD,
        },
        "from `state_dict`, names without `module.`; ignored: epoch, arch, best_acc1, optimizer",
    ),
    "torchvision_reference.pth": ({"model": light(), "epoch": 5}, "from `model`; ignored: epoch"),
    "lightning.ckpt": (
        LIGHTNING | {"state_dict": under("model.")},
        "from `state_dict`, names without `model.`",
    ),
    "two levels.pt": (
        {"model": {"state_dict": under("net.resnet.")}},
        "from `model`, `state_dict`, names without",
    ),
    "any name at all.pt": ({"my_network": light()}, "from `my_network`"),
    "moco.pth.tar": (
        {
            "state_dict": under("module.encoder_k.", light(7.0)) | under("module.encoder_q."),
            "epoch": 200,
        },
        "without `module.encoder_q.`; ignored: epoch, module.encoder_k",
    ),
    "ema beside it.pth": (
        {"state_dict": light(), "state_dict_ema": light(7.0)},
        "from `state_dict`; ignored: state_dict_ema",
    ),
    "ema alone.pth": (
        {"epoch": 1, "model_ema": under("module.")},
        "from `model_ema`, names without `module.`",
    ),
    "averaged.pth": (under("module.") | {"n_averaged": torch.tensor(9)}, "ignored: n_averaged"),
    "swa beside it.pth": (
        {
            "model": light(),
            "swa_model": under("module.", light(7.0)) | {"n_averaged": torch.tensor(9)},
        },
        "from `model`; ignored: swa_model",
    ),
    "averaged under any name.ckpt": (
        {
            "state_dict": under("net.")
            | under("second.module.", light(7.0))
            | {"second.n_averaged": torch.tensor(9)}
        },
        "from `state_dict`, names without `net.`; ignored: second",
    ),
    "swa alone.pth": (
        {"swa_model": under("module.") | {"n_averaged": torch.tensor(9)}, "epoch": 1},
        "from `swa_model`, names without `module.`; ignored: epoch, n_averaged",
    ),
    "segmentation.pth": (
        {"model": under("backbone.", without_head()) | {"classifier.0.weight": torch.ones(1)}},
        "from `model`, names without `backbone.`; ignored: classifier",
    ),
    "swav.pth.tar": (
        under(
            "module.",
            without_head()
            | {"projection_head.0.bias": torch.ones(1), "prototypes.weight": torch.ones(1)},
        ),
        "names without `module.`; ignored: module.projection_head, module.prototypes",
    ),
    "numbered.pt": (by_number(""), "names of nn.Sequential's children"),
    "feature extractor.ckpt": (
        {"state_dict": by_number("feature_extractor.") | {"classifier.weight": torch.ones(1)}},
        "from `state_dict`, names without `feature_extractor.`, "
        "names of nn.Sequential's children; ignored: classifier",
    ),
    "one network under two names.pt": (
        under("backbone.") | under("model.0."),
        "names without `backbone.`",
    ),
    "scalars beside the tensors.pt": (light() | {"epoch": 5, "arch": None}, "ignored: epoch, arch"),
    "half.pt": (light(dtype=torch.float16), ""),
    "bfloat16.pt": (light(dtype=torch.bfloat16), ""),
    "parameters.pt": ({name: nn.Parameter(tensor) for name, tensor in light().items()}, ""),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_weights_are_found_in_the_wrapping_they_have_and_it_says_so(name, tmp_path, capsys):
    content, said = WRAPPINGS[name]
    torch.save(content, tmp_path / name)
    assert read_weights(tmp_path / name)["conv1.weight"].float().unique().tolist() == [0.5]
    printed = capsys.readouterr().out
    assert said in printed and bool(said) == (f"weights of {name}: " in printed)
    read_weights(tmp_path / name)
    assert capsys.readouterr().out == ""  # once is enough


@pytest.mark.parametrize("name", ["plain.pth", "imagenet_example.pth.tar"])
def test_files_of_the_format_before_torch_1_6_are_read(name, tmp_path):
    torch.save(WRAPPINGS[name][0], tmp_path / name, _use_new_zipfile_serialization=False)
    assert len(read_weights(tmp_path / name)) == 265


def test_what_is_unwrapped_is_what_the_network_starts_from(tmp_path):
    torch.manual_seed(3)
    state = resnet50(weights=None).state_dict()
    torch.save({"state_dict": under("module.", state)}, tmp_path / "w.pth.tar")
    built = build_network(7, tmp_path / "w.pth.tar", Config("direct")).state_dict()
    assert all(torch.equal(built[name], state[name]) for name in without_head(state))


def test_a_file_is_read_by_its_content_whatever_its_ending(tmp_path):
    dense = {name: tensor.half().contiguous() for name, tensor in without_head().items()}
    for name in ("w.pth", "w", "w.bin"):
        save_file(under("model.", dense), tmp_path / name)
        assert len(read_weights(tmp_path / name)) == 265
    torch.save(light(), tmp_path / "w.safetensors")
    assert len(read_weights(tmp_path / "w.safetensors")) == 265


def test_a_path_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(light(), tmp_path / "w.pth")
    assert available_weights("~/w.pth", is_sample=False) == "~/w.pth"


def test_the_model_of_a_run_is_weights_too(tmp_path):
    model = build_network(2, None, Config("direct"))
    save_model(
        tmp_path / "model.safetensors", model, ("Shirts", "Belts"), [5, 0], make_config("direct")
    )
    assert torch.equal(
        read_weights(tmp_path / "model.safetensors")["conv1.weight"], model.conv1.weight
    )


class Own:
    """A class of somebody's project."""

    def __init__(self):
        self.lr = 0.1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"state_dict": light(), "args": argparse.Namespace(lr=0.1)}, r"argparse\.Namespace"),
        ({"state_dict": light(), "best_acc1": np.float64(76.1)}, r"numpy\..*"),
        ({"state_dict": light(), "config": Own()}, r".*Own"),
        (nn.Sequential(nn.Linear(2, 2)), r"torch\.nn\.modules\.container\.Sequential"),
        ({"model": nn.Sequential(nn.Linear(2, 2))}, r"torch\.nn\.modules\.container\.Sequential"),
    ],
    ids=["namespace", "numpy scalar", "own class", "whole network", "whole network in a dict"],
)
def test_a_file_that_needs_classes_is_refused_with_the_way_to_save_it_plainly(
    content, what, tmp_path
):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=rf"w\.pth can't be read as weights: .*run code.*\({what}\)"
    ) as caught:
        read_weights(tmp_path / "w.pth")
    assert "weights_only=False" in str(caught.value) and 'torch.save(content["state_dict"]' in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_archive_is_refused_with_the_way_to_save_it_plainly(tmp_path):
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"TorchScript.*torch\.jit\.load\(.*state_dict"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"\xef\xbb\xbf<head>", "a web page"),
        (b"<\x9c\0\0\0\0\0\0{", "damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "Keras"),
        (b"\x1f\x8b" + bytes(99), "unpack it"),
        (b"\xff" * 100, "damaged"),
    ],
    ids=[
        "empty",
        "git lfs",
        "html",
        "html with a mark",
        "safetensors broken off",
        "hdf5",
        "gzip",
        "noise",
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_what_is_no_file_of_weights_is_called_by_its_name(name, content, why, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name} can't be read as weights: .*{why}"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize(
    "length", [0x3C, 0x20, 0x0A, 0x8B1F, 0x4850], ids=["<", "space", "newline", "gzip", "PH"]
)
def test_safetensors_are_read_whatever_the_first_byte_of_their_length_looks_like(length, tmp_path):
    """The header is padded with spaces, as the format allows, to a length whose first bytes are
    those.
    """
    save_file(
        {name: tensor.half().contiguous() for name, tensor in without_head().items()},
        tmp_path / "w",
    )
    whole = (tmp_path / "w").read_bytes()
    old = int.from_bytes(whole[:8], "little")
    new = next(
        n
        for n in range(old, 2**17)
        if n.to_bytes(8, "little").startswith(length.to_bytes(2, "little").rstrip(b"\0"))
    )
    (tmp_path / "w").write_bytes(
        new.to_bytes(8, "little") + whole[8 : 8 + old].ljust(new) + whole[8 + old :]
    )
    assert len(read_weights(tmp_path / "w")) == 265


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.qint8])
@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_called_so(dtype, tmp_path):
    quantised = torch.zeros(64, 64, 1, 1)
    quantised = (
        torch.quantize_per_tensor(quantised, 0.1, 0, dtype)
        if dtype is torch.qint8
        else quantised.to(dtype)
    )
    torch.save(light() | {"layer1.0.conv1.weight": quantised}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError,
        match=rf"w\.pth holds quantised weights \({str(dtype)[6:]}\), which can't learn",
    ):
        read_weights(tmp_path / "w.pth")


def test_a_file_that_broke_off_is_refused(tmp_path):
    save_file(
        {name: tensor.half().contiguous() for name, tensor in light().items()},
        tmp_path / "a.safetensors",
    )
    torch.save(light(), tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(WeightsError, match=rf"{name} can't be read as weights: it is damaged"):
            read_weights(tmp_path / name)


def test_a_folder_and_a_zip_around_the_file_are_refused_with_the_way_out(tmp_path):
    with pytest.raises(WeightsError, match="is a folder: name the file in it"):
        read_weights(tmp_path)
    with zipfile.ZipFile(tmp_path / "w.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("resnet50.pth", b"x" * 1000)
    with pytest.raises(WeightsError, match=r"w\.zip can't be read as weights: .*[Uu]npack it"):
        read_weights(tmp_path / "w.zip")


def test_two_networks_in_a_file_are_refused_and_named(tmp_path):
    torch.save(
        {"student": under("module."), "teacher": under("module.", light(7.0))}, tmp_path / "w.pth"
    )
    with pytest.raises(
        WeightsError,
        match=r"2 networks.*`student`.*; from `teacher`.*torch\.load\(.*\['student'\].*torch\.save",
    ):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (resnet18, "It looks like a ResNet-18"),
        (resnet101, "It looks like a ResNet-101"),
        (vit_b_32, "vision transformer"),
        (densenet121, r"features\.conv0"),
    ],
)
def test_another_network_is_called_by_its_name(network, words, tmp_path):
    torch.save({"state_dict": under("module.", light(network=network))}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=rf"w\.pth .*{words}"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("resnet.embedder.embedder.convolution.weight", "Hugging Face"),
        ("backbone.bottom_up.res2.0.conv1.weight", "Detectron2"),
        ("params.conv_init.kernel", "params.conv_init.kernel"),
    ],
)
def test_other_names_for_the_same_tensors_are_refused_and_named(first, words, tmp_path):
    torch.save({"model": {first: torch.zeros(1)}}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=rf"w\.pth .*torchvision's names.*{words}"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("extra", ["layer5.weight", "layer1.0.se.fc1.weight", "conv2.weight"])
def test_a_network_with_more_in_its_body_is_refused(extra, tmp_path):
    torch.save(
        {"state_dict": under("module.", light() | {extra: torch.zeros(1)})}, tmp_path / "w.pth"
    )
    with pytest.raises(WeightsError, match=f"{extra} is not in a ResNet-50"):
        read_weights(tmp_path / "w.pth")


def test_what_stands_in_the_place_of_a_tensor_is_named(tmp_path):
    torch.save({"model": light() | {"bn1.weight": 7}}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"bn1\.weight is not a tensor"):
        read_weights(tmp_path / "w.pth")


def test_a_table_that_holds_itself_is_searched_once(tmp_path):
    content = {"state_dict": light(), "epoch": 1}
    content["again"] = {"itself": content}
    torch.save(content, tmp_path / "w.pth")
    assert len(read_weights(tmp_path / "w.pth")) == 265


# -- torchvision's


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder for downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(weights_module, "PATIENCE", 0.5)


@contextmanager
def serving(monkeypatch, respond, name="resnet50-01234567.pth"):
    """torchvision's weights are at this machine, where ``respond(handler)`` answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            respond(self)

        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_to(monkeypatch, server.server_port, name)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def point_to(monkeypatch, port, name="resnet50-01234567.pth"):
    url = f"http://127.0.0.1:{port}/{name}"
    monkeypatch.setattr(ResNet50_Weights[DEFAULT_WEIGHTS].value, "url", url)


def sending(content, length=None, wait=0.0):
    def respond(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(length or len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        handler.wfile.flush()
        time.sleep(wait)

    return respond


def test_the_default_is_the_weights_of_the_published_study():
    assert DEFAULT_WEIGHTS == "IMAGENET1K_V1"


def test_weights_are_downloaded_once_and_then_read_offline(hub, tmp_path, monkeypatch, capsys):
    torch.save(light(), tmp_path / "w.pth")
    content = (tmp_path / "w.pth").read_bytes()
    name = f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    with serving(monkeypatch, sending(content), name):
        assert len(read_weights(DEFAULT_WEIGHTS)) == 265
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "98 MB, once" in out and str(tmp_path) not in out
    assert [file.name for file in hub.iterdir()] == [name]
    # Nothing answers any more.
    assert available_weights(DEFAULT_WEIGHTS, is_sample=False) == DEFAULT_WEIGHTS
    assert capsys.readouterr().out == ""


def test_a_server_that_accepts_and_never_answers_is_given_up(hub, patience, monkeypatch):
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as server:
        point_to(monkeypatch, server.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(
            WeightsError, match=r"IMAGENET1K_V1 could not be downloaded \(no answer within 0\.5 s"
        ):
            read_weights(DEFAULT_WEIGHTS)
    assert (
        time.monotonic() - start < 3
        and socket.getdefaulttimeout() == before
        and not list(hub.glob("*"))
    )


def test_a_download_that_stops_amid_is_given_up_and_leaves_nothing(hub, patience, monkeypatch):
    slow = serving(monkeypatch, sending(b"x" * 100, length=200, wait=2))
    with slow, pytest.raises(WeightsError, match=r"could not be downloaded \(.*timed out"):
        read_weights(DEFAULT_WEIGHTS)
    assert list(hub.iterdir()) == []


@pytest.mark.parametrize(
    "respond", [sending(b"<html>Sign in</html>"), sending(b"x" * 100, length=200)]
)
def test_something_else_than_the_weights_is_not_kept(hub, respond, monkeypatch):
    wrong = serving(monkeypatch, respond)
    with (
        wrong,
        pytest.raises(
            WeightsError, match=r"could not be downloaded .*(its hash is wrong|Incomplete)"
        ),
    ):
        read_weights(DEFAULT_WEIGHTS)
    assert list(hub.iterdir()) == []


def test_what_the_server_answers_is_said(hub, monkeypatch):
    forbidden = serving(monkeypatch, lambda handler: handler.send_error(403))
    with (
        forbidden,
        pytest.raises(WeightsError, match=r"could not be downloaded \(HTTP Error 403: Forbidden\)"),
    ):
        read_weights(DEFAULT_WEIGHTS)


def test_a_refused_connection_is_said_once_and_the_sample_goes_on(hub, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    point_to(monkeypatch, port)
    assert available_weights(DEFAULT_WEIGHTS, is_sample=True) is None
    out = capsys.readouterr().out
    assert (
        out.count("NOTE") == 1
        and "RANDOM weights" in out
        and "refused" in out
        and "urlopen" not in out
    )
    with pytest.raises(WeightsError, match="three ways"):
        available_weights(DEFAULT_WEIGHTS, is_sample=False)


def test_a_damaged_file_of_an_earlier_download_is_named_and_runs_no_code(hub, monkeypatch):
    hub.mkdir(parents=True)
    file = hub / ResNet50_Weights[DEFAULT_WEIGHTS].url.rsplit("/", 1)[-1]
    for content in (b"x" * 100, argparse.Namespace()):
        file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
        with pytest.raises(WeightsError, match=rf"{file.name} .*\(\w+\); delete it") as error:
            read_weights(DEFAULT_WEIGHTS)
        assert "weights_only" not in str(error.value)


def test_a_run_that_began_with_the_other_weights_of_torchvision_goes_on_with_them(
    tmp_path, monkeypatch
):
    data = {"name": "mine", "photos": 1, "fingerprint": "x"}
    for folder, name in (("old", "IMAGENET1K_V2"), ("own", "mine.pth")):
        create_run(
            tmp_path / folder, make_config("direct"), data, {"name": name, "fingerprint": None}
        )
    assert default_weights(tmp_path / "none", tmp_path / "own") == DEFAULT_WEIGHTS
    asked = []
    monkeypatch.setattr(
        approaches,
        "run_approach",
        lambda name, data, given, *of, **more: asked.append(given) or sys.exit(0),
    )
    for words in ([], ["--weights", "none"]):
        with pytest.raises(SystemExit):
            main(["run", "direct", "--data", "sample", "--out", str(tmp_path / "old"), *words])
    assert asked == ["IMAGENET1K_V2", "none"]


def test_a_folder_for_downloads_that_cannot_be_written_is_named_with_the_way_to_another(
    hub, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(hub))

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", refuse)
    monkeypatch.setattr(weights_module, "_knock", lambda _: None)
    with pytest.raises(
        WeightsError, match=r"Permission denied.*set TORCH_HOME to a folder that can be written to"
    ):
        read_weights(DEFAULT_WEIGHTS)
