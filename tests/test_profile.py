"""Where the time of a training goes: each of torch's operators counts once, as what it does."""

import json
from copy import deepcopy

import pytest
import torch

from fashion_tl.data.dataset import load_data
from fashion_tl.errors import ConfigError
from fashion_tl.network.model import build_network
from fashion_tl.recipes import make_config
from study.bench import profile
from study.bench.limit import operations
from study.blocks.speed import profiles, speed
from tests import REPOSITORY


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("aten::addmm", profile.MATRICES),
        ("aten::mkldnn_convolution", profile.MATRICES),
        ("aten::convolution_backward", profile.MATRICES),
        ("aten::native_batch_norm_backward", "BatchNorm"),
        ("aten::clamp_min_", "ReLU, sums and other arithmetic"),
        ("aten::threshold_backward", "ReLU, sums and other arithmetic"),
        ("aten::add_", "ReLU, sums and other arithmetic"),
        ("aten::copy_", "copies, other layouts and dtypes"),
        ("aten::_fused_adamw_", "the optimizer"),
        ("aten::max_pool2d_with_indices", profile.REST),
        ("torch::autograd::AccumulateGrad", profile.REST),
    ],
)
def test_an_operator_counts_as_the_kind_of_work_that_it_does(operator, kind):
    assert profile.kind_of(operator) == kind


def test_counting_operations_leaves_the_network_as_it_is_and_counts_no_frozen_part():
    frozen, whole = (
        build_network(5, None, make_config("direct", backbone="tiny", frozen_children=n))
        for n in (6, 0)
    )
    before = deepcopy(frozen.state_dict())
    needed = operations(frozen, (32, 32), learns=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.state_dict().items())
    assert frozen.training and all(p.grad is None for p in frozen.parameters())
    forward, all_of_it = (operations(whole, (32, 32), learns=way) for way in (False, True))
    assert forward < needed < all_of_it


def test_the_kinds_of_work_share_all_of_the_time(sample_root, monkeypatch):
    monkeypatch.setattr(profile, "ROUNDS", 1)
    config = make_config("direct", backbone="tiny")
    monkeypatch.setattr(profile, "make_config", lambda *_, **own: config.change(**own))
    data = load_data(sample_root, config, quiet=True)
    rows = profile.where_time_goes(data, (32, 32), batch=8, batches=1, side=64)
    parts = [row["ours"] for row in rows if ": time in " in row["name"]]
    assert len(parts) == len(profile.KINDS) + 1
    assert sum(parts) == pytest.approx(100, abs=0.1)
    loop, matrices = (row["ours"] for row in rows if "part of the rate" in row["name"])
    assert 0 < loop < matrices


def test_a_profile_has_a_table_of_its_own(tmp_path):
    bench = tmp_path / "bench"
    bench.mkdir()
    (measured,) = (REPOSITORY / "results" / "bench").glob("profile-*.json")
    about = json.loads(measured.read_text())
    (bench / measured.name).write_text(json.dumps(about))
    assert speed(tmp_path) == ""
    shown = profiles(tmp_path)
    assert "|  | fine-tuning, 80×60 | fine-tuning, 160×120 |" in shown
    assert shown.count("time in ") == len(profile.KINDS) + 1


def test_a_gpu_is_no_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(profile, "pick_device", lambda: profile.torch.device("cuda"))
    with pytest.raises(ConfigError, match="set FASHION_TL_DEVICE=cpu"):
        profile.main("sample", tmp_path)
