"""A run exported to ONNX: one file that holds all it takes, and gives the answers that PyTorch gives."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from fashion_tl import batches, export
from fashion_tl.__main__ import main
from fashion_tl.approaches import load_data
from fashion_tl.config import Config
from fashion_tl.errors import ExportError, WriteError, how_to_install
from fashion_tl.export import export_onnx
from fashion_tl.inference import photo_logits
from fashion_tl.model import SavedModel, load_model

WHY = f"to export, and to test what was: {how_to_install('onnx')}"
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)

TOLERANCE = 1e-4  # of a probability


def command(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def exported(tiny_run):
    assert command("export", tiny_run.folder, "--onnx") == 0
    return onnxruntime.InferenceSession(tiny_run.folder / "model.onnx")


@pytest.fixture(scope="module")
def test_photos(tiny_run, sample_root):
    """The run's test photos, in the order of its predictions."""
    data = load_data(sample_root, tiny_run.config)
    return data.photos.array[data.task.test]


@pytest.fixture(scope="module")
def shares(exported, test_photos):
    """Its probabilities for them, float32 [photos, classes]."""
    return exported.run(None, {"photos": test_photos})[0]


def small_model(**sizes):
    """A saved model of one convolution, for sizes to be tried."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(1), nn.Linear(36, 3))
    config = Config("direct", flip_test=True, **sizes)
    return SavedModel(model, ("Shirts", "Belts", "Ties"), (5, 0, 5), config)


def photos_of(size, n=3):
    return np.random.default_rng(0).integers(0, 256, (n, *size, 3), dtype=np.uint8)


def of_pytorch(saved, photos):
    with torch.no_grad():
        logits = photo_logits(saved.model.eval(), torch.from_numpy(photos), saved.config)
    return logits.masked_fill(torch.tensor(saved.train_counts) == 0, -torch.inf).softmax(1).numpy()


def test_its_answers_on_the_test_photos_are_those_of_the_run(tiny_run, shares):
    own, classes = tiny_run.predictions, np.array(load_model(tiny_run.model_path).classes)
    assert len(own) == len(shares) > 100
    assert (classes[shares.argmax(1)] == own["top1"]).all()
    assert np.abs(np.sort(shares)[:, :-6:-1] - own[[f"p{k}" for k in range(1, 6)]].to_numpy()).max() < TOLERANCE


def test_its_probabilities_are_those_of_pytorch_for_a_batch_of_any_size(tiny_run, exported, test_photos):
    expected = of_pytorch(load_model(tiny_run.model_path), test_photos[:7])
    for n in (1, 2, 7):
        (shares,) = exported.run(None, {"photos": test_photos[:n]})
        assert shares.dtype == np.float32 and shares.shape == (n, 8)
        assert np.abs(shares - expected[:n]).max() < TOLERANCE


def test_classes_without_training_photos_are_never_predicted(tiny_run, shares):
    unseen = np.array(load_model(tiny_run.model_path).train_counts) == 0
    assert unseen.sum() == 2  # the sample has two types that are sold in odd years only
    assert (shares[:, unseen] == 0).all() and np.abs(shares.sum(1) - 1).max() < 1e-5


def test_the_file_says_what_it_takes_and_holds_classes_sizes_and_settings(tiny_run, exported):
    (photos,), (shares,) = exported.get_inputs(), exported.get_outputs()
    assert (photos.name, photos.type, photos.shape[1:]) == ("photos", "tensor(uint8)", [80, 60, 3])
    assert (shares.name, shares.type, shares.shape[1:]) == ("probabilities", "tensor(float)", [8])
    assert isinstance(photos.shape[0], str)  # any
    about = {name: json.loads(value) for name, value in exported.get_modelmeta().custom_metadata_map.items()}
    assert about["classes"] == list(load_model(tiny_run.model_path).classes)
    assert (about["stored_size"], about["image_size"]) == ([80, 60], [32, 32])
    assert Config(**about["config"]) == tiny_run.config


@pytest.mark.parametrize(
    ("stored_size", "image_size"),
    [((40, 30), (64, 48)), ((40, 32), (40, 32)), ((80, 60), (53, 37)), ((40, 60), (64, 32))],
    ids=["enlarged", "as they are", "shrunk", "both"],
)
def test_photos_are_resized_as_in_training_which_an_export_leaves_as_it_was(tmp_path, stored_size, image_size):
    saved, photos = small_model(stored_size=stored_size, image_size=image_size), photos_of(stored_size)
    expected = of_pytorch(saved, photos)
    batches._constant.cache_clear()  # as in a fresh process, where an export may be what comes first
    session = onnxruntime.InferenceSession(export_onnx(saved, tmp_path / "model.onnx"))
    (shares,) = session.run(None, {"photos": photos})
    assert np.abs(shares - expected).max() < 1e-5
    assert (of_pytorch(saved, photos) == expected).all()


def test_it_is_one_file_and_nothing_lies_beside_it(tiny_run, exported):
    (file,) = (path for path in tiny_run.folder.rglob("*") if "onnx" in path.name)
    assert file == tiny_run.folder / "model.onnx"
    assert file.stat().st_size > 90_000_000  # all weights are in it


def test_it_goes_where_it_is_told_to_go(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "export_onnx", lambda saved, path: path)
    assert command("export", tiny_run.folder, "--onnx", "--to", tmp_path / "mine.onnx") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.onnx")


@pytest.mark.parametrize("package", ["onnxscript", "onnx"])
def test_without_the_packages_for_it_the_error_says_what_to_install(tiny_run, tmp_path, monkeypatch, capsys, package):
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert command("export", tiny_run.folder, "--onnx", "--to", tmp_path / "model.onnx") == 2
    error = capsys.readouterr().err
    assert package in error and how_to_install("onnx") in error
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
    with pytest.raises(WriteError, match=r"model\.onnx can't be written.*no space left"):
        export_onnx(small_model(stored_size=(32, 32), image_size=(32, 32)), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "earlier"


def test_a_run_that_is_none_is_named(tmp_path, capsys):
    assert command("export", tmp_path, "--onnx") == 2
    assert f"{tmp_path} is no run folder" in capsys.readouterr().err
