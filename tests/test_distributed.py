"""Several processes train as one does: two of them on the CPU, started by torchrun; from random but
given weights.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.distributed as dist
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import update_bn
from torchvision.models.resnet import Bottleneck, ResNet
from tqdm import tqdm

from fashion_tl import distributed
from fashion_tl.approaches import run_approach
from fashion_tl.config import Config
from fashion_tl.data.batches import photo_batches
from fashion_tl.data.dataset import load_data
from fashion_tl.data.sample import draw_sample
from fashion_tl.distributed import everyone, main_first, processes, share
from fashion_tl.network import loss, training
from fashion_tl.network.loss import classification_loss, loss_of_share, make_per_class
from fashion_tl.network.training import train_epoch
from fashion_tl.runs import open_run
from tests.made_runs import FILES

# With the same batches, two processes add up the same numbers in another order: that is all of the
# difference. How far it grows is up to the training: in one that is wild, a change of 1e-7 in the
# weights it starts from does as much.
WEIGHTS, HISTORY = 1e-5, 1e-4  # largest difference of any weight, and of any number of the history
# Everything that could be shared out wrongly: pairs, flips, the batch's sum of weights, an
# optimiser with a memory.
SETTINGS = {
    "image_size": (32, 32),
    "batch_size": 13,  # 22 photos train: shares of 6 and 7, then of 4 and 5
    "epochs": 2,
    "precision": "fp32",
    "optimizer": "sgd",
    "lr": 0.001,
    "backbone_lr_ratio": 0.5,
    "weight_decay": 1e-4,
    "warmup_epochs": 0.0,
    "flip_test": False,
    "balance": "weighted mean",
    "balance_power": 0.5,
    "val_fraction": 0.2,
}
SCRIPT = """
import hashlib, os, signal, sys
from torchvision.models.resnet import Bottleneck, ResNet
from fashion_tl import approaches, backbones, running
from fashion_tl.network import training
from fashion_tl.__main__ import main

backbones.Backbone.build = lambda self: ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=16)

rank, place = os.environ["RANK"], sys.argv[1]

def say(*words):  # past what silences all but rank 0
    os.write(1, (" ".join(["SAID", rank, *map(str, words)]) + "\\n").encode())

def audit(event, args):
    written = event in ("os.rename", "os.mkdir", "os.remove")
    if event == "open":
        written = bool(set(str(args[1])) & set("wax+"))
    if written and str(args[0]).startswith(place):
        say("wrote", args[0])

sys.addaudithook(audit)
whole, run_approach = running.finish_run, approaches.run_approach

def finish_run(run, model, *rest):
    state = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    say("state", run.folder.name, hashlib.sha256(state).hexdigest())
    return whole(run, model, *rest)

running.finish_run = finish_run
"""
TOGETHER = """
def several(name, data, weights, folder, recipe, cache, **settings):
    run_approach("two_step", data, weights, place + "/two_step", recipe, cache, **settings)
    run_approach("fc_only", data, weights, place + "/fc_only", recipe, cache, **settings)
    random = ("direct", data, "none", place + "/random", recipe, cache)
    run_approach(*random, **settings | {"epochs": 1})
    say("trained")
    run_approach(*random, **settings | {"epochs": 3})

approaches.run_approach = several
"""
KILLED = """
validate, calls = training.validate, []

def killed(*args):
    calls.append(1)
    if len(calls) == 2 and rank == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return validate(*args)

training.validate = killed
"""


def small_resnet():
    return ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=16)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A tiny sample, weights for it, and where runs and caches of one and of two processes go.

    In the place of ResNet-50 there is one with a single, narrow block in each stage: it takes a
    tenth of the time.
    """
    threads = torch.get_num_threads()
    # Several threads add in another order: a difference of 2e-4 where two pixels tie.
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("processes")
    root = draw_sample(home / "sample", photos=60, types=6)
    config = Config("direct", image_size=(32, 32))
    rng = np.random.default_rng(0)
    # In even areas, rounding decides which pixel is the largest.
    for file in sorted((root / "images").iterdir()):
        Image.fromarray(rng.integers(0, 256, (80, 60, 3), dtype=np.uint8)).save(file)
    torch.manual_seed(5)
    model = small_resnet()
    for name, values in model.named_parameters():
        if name.endswith("bn3.weight"):
            # As drawn, what is rounded differently explodes from layer to layer.
            nn.init.constant_(values, 0.2)
    update_bn(load_data(root, config).batches("train", config).in_order(torch.device("cpu")), model)
    torch.save(model.state_dict(), home / "w.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fashion_tl.backbones.Backbone.build", lambda self: small_resnet())
        patch.setenv("OMP_NUM_THREADS", "1")
        yield SimpleNamespace(home=home, data=root, weights=home / "w.pth")
    torch.set_num_threads(threads)


def words(given, folder, cache):
    plain = {
        name: "x".join(map(str, v)) if isinstance(v, tuple) else str(v).lower()
        for name, v in SETTINGS.items()
    }
    words = [
        "run",
        "direct",
        "--data",
        given.data,
        "--weights",
        given.weights,
        "--out",
        folder,
        "--cache",
        cache,
    ]
    return [str(word) for word in words] + [
        w for n, v in plain.items() for w in ("--set", f"{n}={v}")
    ]


def torchrun(given, name, script):
    """Two processes of a script that ends with the command line ``run direct``; their output, and
    the exit code.
    """
    place = given.home / name
    place.mkdir()
    file = given.home / f"{name}.py"
    command = words(given, place / "direct", given.home / f"{name} cache")
    file.write_text(
        f"{SCRIPT}{script}\nif __name__ == '__main__':\n    sys.exit(main({command}))\n"
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", file, place]
    ended = subprocess.run([sys.executable, *torchrun], capture_output=True, text=True, timeout=300)
    said = [line.split() for line in ended.stdout.splitlines() if line.startswith("SAID")]
    return SimpleNamespace(place=place, said=[line[1:] for line in said], **vars(ended))


@pytest.fixture(scope="module")
def torchruns(given):
    """One in which all goes well, and one with a process that dies; at the same time, since both
    mostly wait.
    """
    with ThreadPoolExecutor(2) as pool:
        together = pool.submit(torchrun, given, "together", TOGETHER)
        dead = pool.submit(torchrun, given, "dead", KILLED)
    return SimpleNamespace(together=together.result(), dead=dead.result())


@pytest.fixture(scope="module")
def together(torchruns):
    return torchruns.together


@pytest.fixture(scope="module")
def alone(given):
    """The same by one process."""
    for name in ("two_step", "fc_only"):
        run_approach(
            name,
            given.data,
            given.weights,
            given.home / "alone" / name,
            cache=given.home / "alone cache",
            **SETTINGS,
        )
    return given.home / "alone"


def assert_alike(one, other):
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    for name in first:
        torch.testing.assert_close(
            first[name], second[name], rtol=0, atol=WEIGHTS, msg=lambda m, n=name: f"{n}: {m}"
        )
    first, second = (
        open_run(folder).history.drop(columns="seconds").astype(float) for folder in (one, other)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=False, rtol=0, atol=HISTORY)


@pytest.mark.parametrize("training", ["two_step/top20", "two_step", "fc_only"])
def test_two_processes_end_with_the_history_and_weights_of_one(alone, together, training):
    assert_alike(alone / training, together.place / training)


@pytest.mark.parametrize("training", ["two_step/top20", "two_step", "fc_only"])
def test_every_test_photo_is_predicted_exactly_once_and_as_by_one_process(
    alone, together, training
):
    one, two = (open_run(folder / training).predictions for folder in (alone, together.place))
    assert two["id"].is_unique and one["id"].equals(two["id"])
    assert np.abs(one["p1"] - two["p1"]).max() < 1e-4


def test_the_network_learned_by_far_more_than_that_tolerance(given, alone):
    start = torch.load(given.weights)
    end = load_file(alone / "two_step" / "top20" / "model.safetensors")
    assert (start["conv1.weight"] - end["conv1.weight"]).abs().max() > 10 * WEIGHTS


def test_all_processes_end_with_the_same_weights_and_statistics_also_where_batchnorm_learns(
    together,
):
    states = [tuple(rest) for _, what, *rest in together.said if what == "state"]
    assert len(states) == 8 and len(set(states)) == 4  # of four trainings, by two processes


def test_only_rank_0_writes_and_prints(together):
    assert {rank for rank, what, *_ in together.said if what == "wrote"} == {"0"}
    assert together.stdout.count("epoch  1/1 ") == 1 and together.stdout.count("epoch  2/2 ") == 3
    # The refused run says it, too.
    assert together.stdout.count("NOTE: on CPUs, BatchNorm that learns") == 1
    assert {path.name for path in (together.place / "fc_only").iterdir()} == FILES


def test_a_refused_run_ends_all_processes_with_one_message(together):
    assert [rank for rank, what in (line[:2] for line in together.said) if what == "trained"].count(
        "0"
    ) == 1
    assert together.returncode == 1
    assert len(re.findall("^error: ", together.stderr, re.MULTILINE)) == 1
    assert "holds a run with other settings: epochs (1, now 3)" in together.stderr
    assert together.stderr.count("Traceback") == 1  # torchrun's own


def test_a_process_that_dies_ends_the_run_with_a_message_and_another_number_of_them_goes_on(
    given, torchruns, alone, capsys
):
    """Where there are no more than 20 classes, two steps' first one is the same training as the
    direct one.
    """
    dead = torchruns.dead
    assert dead.returncode == 1 and "SIGKILL" in dead.stderr  # torchrun's message, and ours:
    said = r"error: stopped, or another process ended( \([^;]+\))?: the same command goes on"
    assert len(re.findall(said, dead.stderr)) == 1
    folder = dead.place / "direct"
    files = {path.name for path in folder.iterdir()}
    assert {"run.json", "checkpoint.pt"} <= files <= {"run.json", "checkpoint.pt", "history.csv"}
    run_approach(
        "direct", given.data, given.weights, folder, cache=given.home / "alone cache", **SETTINGS
    )
    assert "going on after epoch 1 of 2" in capsys.readouterr().out
    assert_alike(alone / "two_step" / "top20", folder)


def test_without_torchrun_nothing_of_torch_distributed_is_set_up():
    with processes(torch.device("cpu")), main_first():
        assert not dist.is_initialized() and everyone("own") == ["own"]
        assert share(7) == (slice(0, 7), slice(0, 7))
    assert not {"RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"} & set(os.environ)


@pytest.fixture
def become(monkeypatch):
    """``become(rank, size)``: this process takes itself for one of several."""

    def become(rank, size):
        monkeypatch.setattr(distributed, "rank", lambda: rank)
        for module in (distributed, loss, training):
            monkeypatch.setattr(module, "world_size", lambda: size)

    return become


@pytest.mark.parametrize("size", [2, 3, 8])
def test_every_sample_is_one_processs_own_in_order_and_each_runs_two_where_there_are_two(
    become, size
):
    for n in range(40):
        own = []
        for rank in range(size):
            become(rank, size)
            run, mine = share(n)
            samples = list(range(n))[run]
            assert len(samples) >= min(n, 2)
            own += samples[mine]
        assert own == list(range(n))


@pytest.mark.parametrize("balance", ["loss", "weighted mean"])
def test_the_mean_of_the_processes_losses_is_the_loss_of_the_whole_batch(become, balance):
    config = Config("direct", balance=balance, label_smoothing=0.1)
    logits, targets = torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 0, 1, 0])
    weights, losses = torch.tensor([0.5, 1.0, 4.0]), []
    for rank in range(4):
        become(rank, 4)
        run, own = share(7)
        losses.append(loss_of_share(logits[run][own], targets[run][own], targets, weights, config))
    whole = classification_loss(logits, targets, weights, balance, 0.1)
    assert torch.allclose(torch.stack(losses).mean(), whole)


def first_epoch(model, data, config, class_weights):
    """Train for an epoch; its sums."""
    per_class = make_per_class(class_weights, data.labels, config, torch.device("cpu"))
    optimizer = training.make_optimizer(model, config)
    return train_epoch(model, data, optimizer, config, per_class, 0, tqdm(disable=True))


@pytest.mark.parametrize("mixup", [0.0, 0.4])
@pytest.mark.parametrize("size", [2, 5])
def test_the_mean_of_the_processes_gradients_is_that_of_one_even_if_some_have_no_sample(
    become, monkeypatch, size, mixup
):
    """One step of plain SGD on a batch of three, flips and all: five processes can't have a sample
    each.
    """
    settings = {
        "batch_size": 3,
        "image_size": (32, 32),
        "precision": "fp32",
        "flip": True,
        "momentum": 0.0,
    }
    config = Config(
        "direct", mixup=mixup, balance="weighted mean", frozen_batchnorm=True, **settings
    )
    photos = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    labels = np.array([0, 2, 1])
    monkeypatch.setattr(training, "everyone", lambda own: [own])

    def step(rank, size):
        become(rank, size)
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 3)
        )
        data = photo_batches(photos, np.arange(3), labels, config)
        sums = first_epoch(model, data, config, np.array([0.5, 1.0, 3.0]))
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach(), torch.tensor(sums)

    whole = step(0, 1)
    shares = [step(rank, size) for rank in range(size)]
    assert torch.allclose(
        torch.stack([weights for weights, _ in shares]).mean(0), whole[0], atol=1e-6
    )
    assert torch.allclose(torch.stack([sums for _, sums in shares]).sum(0), whole[1])


def test_a_process_prepares_only_its_share_of_a_batch_and_what_is_mixed_with_it(become):
    prepared = []
    config = Config(
        "direct", batch_size=64, mixup=0.2, image_size=(32, 32), precision="fp32", optimizer="adamw"
    )
    photos = np.random.default_rng(0).integers(0, 256, (64, 8, 6, 3), dtype=np.uint8)
    labels = np.arange(64) % 3
    become(1, 8)
    data = photo_batches(photos, np.arange(64), labels, config)
    plain = data.prepare
    data = replace(data, prepare=lambda photos: prepared.append(len(photos)) or plain(photos))
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "everyone", lambda own: [own])
        first_epoch(model, data, config, np.ones(3))
    assert prepared and prepared[0] <= 16
