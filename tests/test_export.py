"""A run exported to ONNX: one file that holds all it takes, and gives the answers that PyTorch
gives.
"""

import functools
import io
import json
import re
import runpy
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fashion_tl import export
from fashion_tl.__main__ import main
from fashion_tl.config import Config
from fashion_tl.data import batches
from fashion_tl.data.dataset import load_data
from fashion_tl.data.photos import FORMATS
from fashion_tl.errors import ConfigError, ExportError, WriteError, how_to_install
from fashion_tl.export import EXAMPLE, NEEDS, OLDEST_RUNTIME, export_onnx
from fashion_tl.network.inference import photo_logits
from fashion_tl.network.model import load_model
from fashion_tl.predict import answers
from tests import REPOSITORY
from tests.made_runs import small_model
from tests.test_photos import tiff
from tests.test_photos_as_seen import TRANSPARENT, bmp, png

WHY = f"to export, and to test what was: {how_to_install('onnx')}"
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)

TOLERANCE = 1e-4  # of a probability
DOCUMENT = REPOSITORY / "docs" / "onnx.md"


def command(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def exported(tiny_run):
    assert command("export", tiny_run.folder, "--onnx") == 0
    return onnxruntime.InferenceSession(tiny_run.folder / "model.onnx")


@pytest.fixture(scope="module")
def unseen_photos(tiny_run, sample_root):
    """The run's test photos, in the order of its predictions."""
    data = load_data(sample_root, tiny_run.config)
    return data.photos.array[data.task.test]


@pytest.fixture(scope="module")
def shares(exported, unseen_photos):
    """Its probabilities for them, float32 [photos, classes]."""
    return exported.run(None, {"photos": unseen_photos})[0]


def photos_of(size, n=3):
    return np.random.default_rng(0).integers(0, 256, (n, *size, 3), dtype=np.uint8)


def of_pytorch(saved, photos):
    with torch.no_grad():
        logits = photo_logits(saved.model.eval(), torch.from_numpy(photos), saved.config)
    unseen = torch.tensor(saved.fit_counts) == 0
    return (logits / saved.temperature).masked_fill(unseen, -torch.inf).softmax(1).numpy()


def test_its_answers_on_the_test_photos_are_those_of_the_run(tiny_run, shares):
    own, classes = tiny_run.predictions, np.array(load_model(tiny_run.model_path).classes)
    assert len(own) == len(shares) > 100
    assert (classes[shares.argmax(1)] == own["top1"]).all()
    assert (
        np.abs(np.sort(shares)[:, :-6:-1] - own[[f"p{k}" for k in range(1, 6)]].to_numpy()).max()
        < TOLERANCE
    )


def test_its_probabilities_are_those_of_pytorch_for_a_batch_of_any_size(
    tiny_run, exported, unseen_photos
):
    expected = of_pytorch(load_model(tiny_run.model_path), unseen_photos[:7])
    for n in (1, 2, 7):
        (shares,) = exported.run(None, {"photos": unseen_photos[:n]})
        assert shares.dtype == np.float32 and shares.shape == (n, 8)
        assert np.abs(shares - expected[:n]).max() < TOLERANCE


def test_classes_without_training_photos_are_never_predicted(tiny_run, shares):
    unseen = np.array(load_model(tiny_run.model_path).fit_counts) == 0
    assert unseen.sum() == 2  # the sample has two types that are sold in odd years only
    assert (shares[:, unseen] == 0).all() and np.abs(shares.sum(1) - 1).max() < 1e-5


def test_the_file_says_what_it_takes_and_holds_classes_sizes_and_settings(tiny_run, exported):
    (photos,), (shares,) = exported.get_inputs(), exported.get_outputs()
    assert (photos.name, photos.type, photos.shape[1:]) == ("photos", "tensor(uint8)", [80, 60, 3])
    assert (shares.name, shares.type, shares.shape[1:]) == ("probabilities", "tensor(float)", [8])
    assert isinstance(photos.shape[0], str)  # any
    about = {
        name: json.loads(value)
        for name, value in exported.get_modelmeta().custom_metadata_map.items()
    }
    assert about["classes"] == list(load_model(tiny_run.model_path).classes)
    assert (about["stored_size"], about["image_size"]) == ([80, 60], [32, 32])
    assert Config(**about["config"]) == tiny_run.config
    assert "onnxruntime 1.18" in about["needs"] and "BILINEAR" in about["preparation"]


@pytest.mark.parametrize(
    ("stored_size", "image_size"),
    [((40, 30), (64, 48)), ((40, 32), (40, 32)), ((80, 60), (53, 37)), ((40, 60), (64, 32))],
    ids=["enlarged", "as they are", "shrunk", "both"],
)
def test_photos_are_resized_as_in_training_which_an_export_leaves_as_it_was(
    tmp_path, stored_size, image_size
):
    saved = small_model(stored_size=stored_size, image_size=image_size)
    photos = photos_of(stored_size)
    expected = of_pytorch(saved, photos)
    batches._constant.cache_clear()  # as in a fresh process, where an export may come first
    session = onnxruntime.InferenceSession(export_onnx(saved, tmp_path / "model.onnx"))
    (shares,) = session.run(None, {"photos": photos})
    assert np.abs(shares - expected).max() < 1e-5
    assert (of_pytorch(saved, photos) == expected).all()


def test_trimmed_photos_give_its_answers_in_batches_of_any_size(tmp_path):
    saved = small_model(stored_size=(40, 32), image_size=(36, 32), trim=True)
    photos = np.full((7, 40, 32, 3), 255, np.uint8)
    for number, photo in enumerate(photos_of((40, 32), 7)):
        photos[number, 10 : 14 + number, 5:20] = photo[10 : 14 + number, 5:20]
    session = onnxruntime.InferenceSession(export_onnx(saved, tmp_path / "model.onnx"))
    for n in (1, 2, 7):
        (shares,) = session.run(None, {"photos": photos[:n]})
        assert np.abs(shares - of_pytorch(saved, photos[:n])).max() < 1e-5
    plain = replace(saved, config=saved.config.change(trim=False))
    assert np.abs(of_pytorch(plain, photos) - of_pytorch(saved, photos)).max() > 1e-3


def test_its_probabilities_are_those_at_the_temperature_of_the_model_as_those_of_predict_are(
    tmp_path,
):
    plain = small_model(stored_size=(40, 32), image_size=(40, 32))
    saved = replace(plain, temperature=0.05)
    photos = []
    for number, pixels in enumerate(photos_of((40, 32))):
        photos.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(photos[-1])
    session = onnxruntime.InferenceSession(export_onnx(saved, tmp_path / "model.onnx"))
    (shares,) = session.run(None, {"photos": photos_of((40, 32))})
    rows = list(answers(saved, photos))
    for row, before, own in zip(rows, answers(plain, photos), shares, strict=True):
        assert row["top1"] == before["top1"] == saved.classes[own.argmax()]
        assert abs(row["p1"] - own.max()) < TOLERANCE and abs(row["p1"] - before["p1"]) > 0.01
    assert json.loads(session.get_modelmeta().custom_metadata_map["temperature"]) == 0.05


def test_it_is_one_file_and_nothing_lies_beside_it(tiny_run, exported):
    (file,) = (path for path in tiny_run.folder.rglob("*") if "onnx" in path.name)
    assert file == tiny_run.folder / "model.onnx"
    # All weights are in it.
    assert file.stat().st_size > 0.9 * tiny_run.model_path.stat().st_size


def test_the_command_the_file_and_the_document_say_that_no_photo_is_marked_as_unknown(
    exported, tiny_run, monkeypatch, capsys
):
    words = "names every photo: it doesn't mark photos as"
    monkeypatch.setattr(export, "export_onnx", lambda saved, path: path)
    assert command("export", tiny_run.folder, "--onnx") == 0
    assert words in capsys.readouterr().err
    assert words in exported.get_modelmeta().custom_metadata_map["preparation"]
    assert words in DOCUMENT.read_text(encoding="utf-8")


def test_it_goes_where_it_is_told_to_go(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "export_onnx", lambda saved, path: path)
    assert command("export", tiny_run.folder, "--onnx", "--to", tmp_path / "mine.onnx") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.onnx")


@pytest.mark.parametrize("package", ["onnxscript", "onnx"])
def test_without_the_packages_for_it_the_error_says_what_to_install(
    tiny_run, tmp_path, monkeypatch, capsys, package
):
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
    with pytest.raises(
        ExportError, match=r"stored_size.*\(80, 60\).*image_size.*\(53, 37\).*no ONNX function"
    ):
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
    assert f"{tmp_path} is not a run folder" in capsys.readouterr().err


@functools.cache
def product(width, height, mode="RGB"):
    """A product on white, with details that a careless resizing loses, the same upright only."""
    down, right = np.mgrid[:height, :width] / [[[height]], [[width]]]
    colour = np.stack([down, right, np.sin(down * right * 400) / 2 + 0.5], 2)
    shape = (abs(right - 0.5) < 0.2 + 0.2 * down) & (down > 0.2)
    picture = Image.fromarray(np.where(shape[..., None], colour * 255, 255).astype(np.uint8))
    if mode in ("RGBA", "LA", "PA"):
        picture.putalpha(Image.fromarray((shape * 255).astype(np.uint8)))
        # On hidden black.
        picture = Image.composite(picture, Image.new("RGBA", picture.size), picture.getchannel("A"))
    if mode == "PA":
        return picture.quantize(64)
    if mode == "I;16":
        return Image.fromarray((shape * right * 65535).astype(np.uint16))
    return picture.convert(mode)


def photos_that_people_have(folder):
    """One of each kind, most far larger than ``stored_size``."""
    folder.mkdir()
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        product(900, 1200).save(folder / f"turned {number}.jpg", quality=90, exif=exif)
    for width, height in [
        (60, 80),
        (61, 83),
        (333, 77),
        (1203, 901),
        (2000, 300),
        (120, 1999),
        (7, 5),
    ]:
        product(width, height).save(folder / f"{width}x{height}.jpg", quality=95)
        product(width, height).save(folder / f"{width}x{height}.png")
    for mode in ("RGBA", "LA", "PA", "L", "I;16", "1", "P"):
        product(900, 1200, mode).save(folder / f"{mode.replace(';', '')}.png")
    product(900, 1200).save(folder / "progressive.jpg", progressive=True)
    product(900, 1200).save(folder / "blocks.jpg", subsampling=0)
    product(900, 1200, "CMYK").save(folder / "cmyk.jpg")
    product(900, 1200, "L").save(folder / "grey.jpg")
    product(900, 1200, "RGBA").save(folder / "cut out.webp")
    product(900, 1200, "I;16").save(folder / "scan.tif")
    product(900, 1200, "RGBA").save(
        folder / "moving.gif", save_all=True, append_images=[product(900, 1200)]
    )
    turned = np.random.default_rng(0).integers(0, 256, (90, 60, 4), dtype=np.uint8)
    Image.fromarray(turned).save(folder / "turned.tif", tiffinfo={0x0112: 6})  # by its tags
    (folder / "white is zero.tif").write_bytes(tiff(bytes(range(240)) * 40, 16, 0))
    (folder / "dark.pgm").write_bytes(b"P5 60 80 65535\n" + b"\0\xc8" * 4800)
    (folder / "16 bits with a sign.tif").write_bytes(
        tiff(bytes((90, 0, 200, 0)) * 2400, 16, 1, signed=True)
    )
    (folder / "no alpha.bmp").write_bytes(bmp((0, 0)))
    (folder / "half.bmp").write_bytes(bmp((0, 255)))
    (folder / "12 bits.tif").write_bytes(tiff(bytes(range(240)) * 30, 12, 1))
    for kind, (bits, colours, pixel, transparent) in TRANSPARENT.items():
        pixels = (pixel + bytes(len(pixel))) * (
            60 * 80 * (3 if colours else 1) * bits // 16 // len(pixel)
        )
        (folder / f"transparent {kind}.png").write_bytes(png(bits, colours, pixels, transparent))
    hole = product(900, 1200, "I;16")
    hole.save(folder / "grey with a hole.png", transparency=0)
    damaged = io.BytesIO()
    product(900, 1200).save(damaged, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    (folder / "damaged exif.jpg").write_bytes(damaged.getvalue())
    if "AVIF" in FORMATS:
        product(900, 1200, "RGBA").save(folder / "shop.avif")
    return sorted(folder.iterdir())


def lines_of_the_document():
    (first, *_) = re.findall(
        r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL
    )
    return first


RUN_THE_LINES = """
import json, runpy, sys
names = runpy.run_path("lines.py")
from pathlib import Path

def run(path):
    return names["session"].run(None, {"photos": names["read_photo"](path)[None]})[0][0].tolist()

answers = {path.name: run(path) for path in Path("photos").iterdir()}
Path("probabilities.json").write_text(json.dumps(answers))
assert not any(name.startswith(("fashion_tl", "torch")) for name in sys.modules)
"""


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_the_lines_of_the_document_give_the_answers_of_predict_for_photos_as_people_have_them(
    tmp_path,
):
    saved = small_model(stored_size=(80, 60), image_size=(64, 48))
    saved.model[0].weight.data *= 3  # so that small changes of a photo change the answer
    saved.model[-1].weight.data *= 5
    photos = photos_that_people_have(tmp_path / "photos")
    export_onnx(saved, tmp_path / "model.onnx")
    (tmp_path / "lines.py").write_text(lines_of_the_document(), encoding="utf-8")
    words = [sys.executable, "-I", "-c", RUN_THE_LINES]
    printed = subprocess.run(
        words, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()
    shares = json.loads((tmp_path / "probabilities.json").read_text())
    assert len(printed) == len(photos) == len(shares) > 30
    rows = list(answers(saved, photos))
    for photo, row, line in zip(photos, rows, printed, strict=True):
        assert (
            row["error"] is None and line == f"photos/{photo.name}: {row['top1']} ({row['p1']:.1%})"
        )
        for place in (1, 2):
            share = shares[photo.name][saved.classes.index(row[f"top{place}"])]
            assert abs(share - row[f"p{place}"]) < TOLERANCE, photo.name
    naive = [np.asarray(Image.open(photo).convert("RGB").resize((60, 80))) for photo in photos]
    off = np.abs(of_pytorch(saved, np.stack(naive)) - [shares[photo.name] for photo in photos]).max(
        1
    )
    assert (off > 0.01).mean() > 0.5 and off.max() > 0.3  # so a careless way is seen here


def photos_that_can_not_be_read(folder):
    """Damaged ones, huge ones, and those of formats that `predict` refuses."""
    folder.mkdir()
    buffer = io.BytesIO()
    product(60, 80).save(buffer, "PNG")
    content = buffer.getvalue()
    (folder / "a broken chunk.png").write_bytes(content[:33] + bytes(12) + content[45:])
    (folder / "b cut.png").write_bytes(content[: len(content) // 2])
    (folder / "c empty.jpg").write_bytes(b"")
    (folder / "d text.jpg").write_bytes(b"no photo")
    for ending in ("ico", "tga", "jp2"):
        product(60, 80).save(folder / f"e.{ending}")
    header = struct.pack(">II", 30_000, 30_000)
    huge = content[:16] + header + content[24:29]
    check = struct.pack(">I", zlib.crc32(huge[12:29]))
    (folder / "f huge.png").write_bytes(huge + check + content[33:])
    if "AVIF" in FORMATS:
        product(60, 80).save(buffer := io.BytesIO(), "AVIF")
        (folder / "g.avif").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    (folder / "h a folder.jpg").mkdir()
    (folder / "i 8 bits with a sign.tif").write_bytes(tiff(bytes(60 * 80), 8, 1, signed=True))
    (folder / "i below 0.tif").write_bytes(tiff(b"\xff" * 9600, 16, 1, signed=True))
    return sorted(folder.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_photos_that_predict_can_not_read_are_named_and_the_others_get_their_answers(tmp_path):
    saved = small_model(stored_size=(80, 60), image_size=(64, 48))
    bad = photos_that_can_not_be_read(tmp_path / "photos")
    product(60, 80).save(tmp_path / "photos" / "last.jpg")
    assert all(row["error"] for row in answers(saved, bad))
    export_onnx(saved, tmp_path / "model.onnx")
    (tmp_path / "lines.py").write_text(lines_of_the_document(), encoding="utf-8")
    words = [sys.executable, "-W", "ignore", "lines.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("photos/last.jpg: ") and done.stdout.count("\n") == 1
    named = [line.partition(": ")[0] for line in done.stderr.splitlines()]
    assert named == [f"photos/{photo.name}" for photo in bad]


def test_the_document_and_the_file_hold_the_same_lines(exported):
    lines = EXAMPLE.read_text(encoding="utf-8")
    assert lines_of_the_document() == lines
    assert json.loads(exported.get_modelmeta().custom_metadata_map["example"]) == lines


def test_one_oldest_onnxruntime_is_named_everywhere_and_it_reads_what_is_written(
    exported, tiny_run
):
    import onnx

    oldest = ".".join(map(str, OLDEST_RUNTIME))
    assert f"onnxruntime {oldest} or newer" in NEEDS
    assert (
        f"< {OLDEST_RUNTIME}:" in lines_of_the_document()
        and f"**{oldest} or newer**" in DOCUMENT.read_text("utf-8")
    )
    model = onnx.load(tiny_run.folder / "model.onnx", load_external_data=False)
    # As onnxruntime 1.18 has them.
    assert model.ir_version <= 10 and [opset.version <= 21 for opset in model.opset_import] == [
        True
    ]


@pytest.mark.parametrize("version", ["1.17.3", "1.8.0", "0.9"])
def test_an_onnxruntime_that_is_too_old_is_refused_in_plain_words(tmp_path, monkeypatch, version):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(__version__=version))
    with pytest.raises(
        SystemExit, match=rf"model.onnx needs onnxruntime 1.18 or newer, and this is {version}"
    ):
        runpy.run_path(str(EXAMPLE))
    with pytest.raises(
        ExportError, match=rf"onnxruntime {version} can't read .* pip install 'onnxruntime>=1.18'"
    ):
        export_onnx(small_model(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_the_file_is_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert export_onnx(
        small_model(stored_size=(40, 32), image_size=(40, 32)), tmp_path / "model.onnx"
    ).is_file()


@pytest.mark.parametrize("fault", ["other answers", "no answers"])
def test_a_file_that_gives_other_answers_never_takes_its_place(tmp_path, monkeypatch, fault):
    class Session:
        def __init__(self, *args, **options):
            if fault == "no answers":
                raise RuntimeError("unsupported model")

        def run(self, names, inputs):
            return [np.full((len(inputs["photos"]), 3), 0.5, np.float32)]

    (tmp_path / "model.onnx").write_text("earlier")
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with pytest.raises(ExportError, match=r"model\.onnx: not written.*(0\.5|unsupported model)"):
        export_onnx(small_model(stored_size=(40, 32), image_size=(40, 32)), tmp_path / "model.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


def test_a_model_never_takes_the_place_of_a_file_of_another_kind(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"1\.jpg: the model is written into a \.onnx file"):
        export_onnx(small_model(), tmp_path / "1.jpg")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"mine"]
