"""Export a trained run as one ONNX file that works without this package."""

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fashion_tl.errors import ExportError, how_to_install
from fashion_tl.files import StrPath, replacing
from fashion_tl.network.inference import photo_logits
from fashion_tl.network.layers import folded
from fashion_tl.network.model import SavedModel
from fashion_tl.targets import checked_target

OLDEST_RUNTIME = (1, 18)  # the first onnxruntime that reads the version of ONNX that torch writes
NEEDS = (
    "onnxruntime 1.18 or newer; the lines under `example` need Pillow 10.1 or newer and NumPy too"
)
# The steps of `decoding.decode`, which the example does, too.
PREPARATION = (
    "With Pillow: open the file; call draft('RGB', (side, side)), where side is the longer side of "
    "stored_size; turn the image upright by its EXIF orientation; put transparent parts on white; "
    "keep the upper 8 of 16 bits, inverted if 0 is white; convert it to RGB; "
    "resize it to stored_size, (height, width), with Resampling.BILINEAR and without keeping the "
    "aspect."
)
NO_UNKNOWN = (  # ends the preparation, and the command
    "The file names every photo: it doesn't mark photos as unknown, as `predict` does."
)
EXAMPLE = Path(__file__).parent / "examples" / "onnx_answers.py"
TOLERANCE = 1e-3  # largest difference of a probability between onnxruntime and torch


class Classifier(nn.Module):
    """Everything between a decoded photo and its answer, as ``predict`` computes it."""

    unseen: Tensor

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model = folded(saved.model)
        self.config = saved.config
        self.temperature = saved.temperature
        self.register_buffer("unseen", torch.tensor(saved.fit_counts) == 0)

    def forward(self, photos: Tensor) -> Tensor:
        """Probabilities, float32 [batch, num_classes], of uint8 RGB [batch, *stored_size, 3].

        Classes without training photos get 0.
        """
        logits = photo_logits(self.model, photos, self.config) / self.temperature
        return logits.masked_fill(self.unseen, -math.inf).softmax(1)


def export_onnx(saved: SavedModel, path: StrPath) -> Path:
    """Write a model as a single ONNX file, whole or not at all, and return its path.

    Input ``photos``: uint8 RGB [batch, height, width, 3] of the run's ``stored_size``, with any
    number of photos. Output ``probabilities``: float32 [batch, num_classes]. The file itself
    resizes to ``image_size``, normalises, averages with the mirror image (with ``flip_test``),
    divides by the temperature, and masks classes without training photos. ``metadata_props`` hold,
    as JSON, ``classes, stored_size, image_size, config, temperature``, what the file ``needs``, the
    ``preparation`` of photos in words, and an ``example`` in Python.

    If onnxruntime is installed, the file must give torch's answers before it is kept. ExportError
    if it doesn't, if a package is missing or too old, or if torch can't export the model.
    WriteError if the file can't be written, ConfigError if it is no .onnx file.
    """
    try:
        import onnxscript  # noqa: F401  (for torch.onnx; it brings onnx)
    except ImportError as error:
        raise ExportError(
            f"the export needs another package ({error}): {how_to_install('onnx')}"
        ) from error
    path = checked_target(path, "the model", (".onnx",))
    classifier = Classifier(saved).eval()
    runtime = _runtime()
    config = saved.config
    sizes = {"stored_size": config.stored_size, "image_size": config.image_size}
    example = torch.zeros(2, *config.stored_size, 3, dtype=torch.uint8)
    # Run it once before it is traced, because batches.py must not keep a tracer's constants.
    answers = classifier(example)
    if not answers.isfinite().all():
        model = saved.path or "the model"
        raise ExportError(f"{path}: not written; {model} gives answers that aren't finite numbers")
    about = {
        "classes": saved.classes,
        **sizes,
        "config": config.to_dict(),
        "temperature": saved.temperature,
        "needs": NEEDS,
        "preparation": f"{PREPARATION} {NO_UNKNOWN}",
        "example": EXAMPLE.read_text(encoding="utf-8"),
    }
    program = _exported(classifier, example, about, f"{path}: can't export this model ({sizes})")
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        if runtime:
            _check(runtime, temporary, classifier)
    return path


def _exported(
    classifier: Classifier, example: Tensor, about: dict[str, Any], fault: str
) -> torch.onnx.ONNXProgram:
    """The classifier as an ONNX program with ``about`` in it; ExportError, which says ``fault``."""
    try:
        program = torch.onnx.export(
            classifier,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["photos"],
            output_names=["probabilities"],
            dynamic_shapes=({0: "batch"},),
        )
        assert program is not None, "with dynamo=True, torch returns the program"
        for name, value in about.items():
            program.model.metadata_props[name] = json.dumps(value)
    except Exception as error:  # a step that ONNX lacks; most likely shrinking
        raise ExportError(f"{fault}: {type(error).__name__}: {error}") from error
    return program


def _runtime() -> ModuleType | None:
    """onnxruntime, or None if it isn't installed; ExportError if it is too old for the file."""
    try:
        import onnxruntime
    except ImportError:
        return None
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < OLDEST_RUNTIME:
        oldest = ".".join(map(str, OLDEST_RUNTIME))
        raise ExportError(
            f"onnxruntime {onnxruntime.__version__} can't read what is exported: "
            f"pip install 'onnxruntime>={oldest}'"
        )
    return onnxruntime


def _check(runtime: ModuleType, file: Path, classifier: Classifier) -> None:
    """ExportError unless onnxruntime and this file give torch's answers on photos of noise."""
    shape = (3, *classifier.config.stored_size, 3)
    photos = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with torch.no_grad():
        expected = classifier(torch.from_numpy(photos)).numpy()
    try:
        session = runtime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
        difference = np.abs(session.run(None, {"photos": photos})[0] - expected).max()
    except Exception as error:  # onnxruntime's errors have no common base
        raise ExportError(
            f"{file.name}: not written, onnxruntime {runtime.__version__} can't use it: {error}"
        ) from error
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{file.name}: not written, "
            f"since its probabilities differ from torch's by {difference:.3g}"
        )
