"""A run exported to ONNX: one file that holds all it takes, and gives the answers that PyTorch gives."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from fashion_tl import batches
from fashion_tl.__main__ import main
from fashion_tl.approaches import load_data, run_fc_only
from fashion_tl.batches import prepare_photos
from fashion_tl.config import Config
from fashion_tl.errors import ExportError
from fashion_tl.export import export_onnx
from fashion_tl.inference import photo_logits
from fashion_tl.model import SavedModel, load_model

WHY = "to export, and to test what was: pip install onnx onnxscript onnxruntime"
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)

QUICK = {"epochs": 2, "image_size": (32, 32), "batch_size": 32, "precision": "fp32", "lr": 1e-4, "flip_test": True}
TOLERANCE = 1e-4  # of a probability


def command(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def run(sample_root, tmp_path_factory):
    return run_fc_only(sample_root, "none", tmp_path_factory.mktemp("runs") / "fc_only", **QUICK)[0]


@pytest.fixture(scope="module")
def exported(run):
    assert command("export", run.folder, "--onnx") == 0
    return onnxruntime.InferenceSession(run.folder / "model.onnx")


@pytest.fixture(scope="module")
def test_photos(run, sample_root):
    """The run's test photos, in the order of its predictions."""
    data = load_data(sample_root, run.config)
    return data.photos.array[data.task.test]


def small_model(**sizes):
    """A saved model of one convolution, for sizes to be tried."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(1), nn.Linear(36, 3))
    config = Config("direct", flip_test=True, **sizes).to_dict()
    return SavedModel(model, ("Shirts", "Belts", "Ties"), (5, 0, 5), config)


def photos_of(size, n=3):
    return np.random.default_rng(0).integers(0, 256, (n, *size, 3), dtype=np.uint8)


def of_pytorch(saved, photos):
    with torch.no_grad():
        logits = photo_logits(saved.model.eval(), torch.from_numpy(photos), Config(**saved.config))
    return logits.masked_fill(torch.tensor(saved.train_counts) == 0, -torch.inf).softmax(1).numpy()


def test_its_answers_on_the_test_photos_are_those_of_the_run(run, exported, test_photos):
    (shares,) = exported.run(None, {"photos": test_photos})
    own, classes = run.predictions, np.array(load_model(run.model_path).classes)
    assert len(own) == len(shares) > 100
    assert (classes[shares.argmax(1)] == own["top1"]).all()
    assert np.abs(np.sort(shares)[:, :-6:-1] - own[[f"p{k}" for k in range(1, 6)]].to_numpy()).max() < TOLERANCE


def test_its_probabilities_are_those_of_pytorch_for_a_batch_of_any_size(run, exported, test_photos):
    expected = of_pytorch(load_model(run.model_path), test_photos[:7])
    for n in (1, 2, 7):
        (shares,) = exported.run(None, {"photos": test_photos[:n]})
        assert shares.dtype == np.float32 and shares.shape == (n, 8)
        assert np.abs(shares - expected[:n]).max() < TOLERANCE


def test_classes_without_training_photos_are_never_predicted(run, exported, test_photos):
    (shares,) = exported.run(None, {"photos": test_photos})
    unseen = np.array(load_model(run.model_path).train_counts) == 0
    assert unseen.sum() == 2  # the sample has two types that are sold in odd years only
    assert (shares[:, unseen] == 0).all() and np.abs(shares.sum(1) - 1).max() < 1e-5


def test_the_file_says_what_it_takes_and_holds_classes_sizes_and_settings(run, exported):
    (photos,), (shares,) = exported.get_inputs(), exported.get_outputs()
    assert (photos.name, photos.type, photos.shape[1:]) == ("photos", "tensor(uint8)", [80, 60, 3])
    assert (shares.name, shares.type, shares.shape[1:]) == ("probabilities", "tensor(float)", [8])
    assert isinstance(photos.shape[0], str)  # any
    about = {name: json.loads(value) for name, value in exported.get_modelmeta().custom_metadata_map.items()}
    assert about["classes"] == list(load_model(run.model_path).classes)
    assert (about["stored_size"], about["image_size"]) == ([80, 60], [32, 32])
    assert Config(**about["config"]) == run.config


@pytest.mark.parametrize(
    ("stored_size", "image_size"),
    [((40, 30), (64, 48)), ((40, 32), (40, 32)), ((80, 60), (53, 37)), ((40, 60), (64, 32))],
    ids=["enlarged", "as they are", "shrunk", "both"],
)
def test_photos_are_resized_as_in_training(tmp_path, stored_size, image_size):
    saved, photos = small_model(stored_size=stored_size, image_size=image_size), photos_of(stored_size)
    session = onnxruntime.InferenceSession(export_onnx(saved, tmp_path / "model.onnx"))
    (shares,) = session.run(None, {"photos": photos})
    assert np.abs(shares - of_pytorch(saved, photos)).max() < 1e-5


def test_it_is_one_file_and_nothing_lies_beside_it(run, exported, tmp_path, capsys):
    assert command("export", run.folder, "--onnx", "--to", tmp_path / "mine.onnx") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.onnx"]
    assert (tmp_path / "mine.onnx").stat().st_size > 90_000_000  # all weights are in it
    assert {path.name for path in run.folder.glob("*onnx*")} == {"model.onnx"}


def test_photos_are_prepared_after_an_export_as_before(tmp_path):
    config = Config("direct", stored_size=(32, 32), image_size=(32, 32), mean=(0.1, 0.2, 0.3))
    batches._constant.cache_clear()
    export_onnx(small_model(stored_size=(32, 32), image_size=(32, 32), mean=(0.1, 0.2, 0.3)), tmp_path / "model.onnx")
    photos = photos_of((32, 32))
    expected = (photos / 255 - config.mean) / config.std
    assert np.abs(prepare_photos(torch.from_numpy(photos), config).permute(0, 2, 3, 1).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("package", ["onnxscript", "onnx"])
def test_without_the_packages_for_it_the_error_says_what_to_install(run, tmp_path, monkeypatch, capsys, package):
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert command("export", run.folder, "--onnx", "--to", tmp_path / "model.onnx") == 2
    error = capsys.readouterr().err
    assert package in error and "pip install onnx onnxscript" in error
    assert list(tmp_path.iterdir()) == []


def test_what_torch_can_not_export_is_an_error_that_names_the_sizes(tmp_path, monkeypatch):
    def refuse(*args, **settings):
        raise RuntimeError("no ONNX function for aten._upsample_bilinear2d_aa")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(ExportError, match=r"stored_size.*\(80, 60\).*image_size.*\(53, 37\).*no ONNX function"):
        export_onnx(small_model(stored_size=(80, 60), image_size=(53, 37)), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_not_be_written_whole_leaves_the_one_before(tmp_path, monkeypatch):
    def half(program, destination, **settings):
        destination.write_bytes(b"half")
        raise OSError("no space left on device")

    (tmp_path / "model.onnx").write_text("earlier")
    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", half)
    with pytest.raises(OSError, match="no space left"):
        export_onnx(small_model(stored_size=(32, 32), image_size=(32, 32)), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "earlier"


def test_a_run_that_is_none_is_named(tmp_path, capsys):
    assert command("export", tmp_path, "--onnx") == 2
    assert f"{tmp_path} is no run folder" in capsys.readouterr().err
