"""A trained run as one ONNX file, which needs nothing of this package: photos in, probabilities
out.
"""

import json
import math
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from fashion_tl.errors import ExportError, how_to_install
from fashion_tl.files import as_path, replacing
from fashion_tl.network.inference import photo_logits
from fashion_tl.network.model import SavedModel, folded
from fashion_tl.runs import refuse_own_file

NAMES = {
    "input_names": ["photos"],
    "output_names": ["probabilities"],
    "dynamic_shapes": ({0: "batch"},),
}
OLDEST_RUNTIME = (1, 18)  # the first onnxruntime that reads the version of ONNX that torch writes
NEEDS = (
    "onnxruntime 1.18 or newer; the lines under `example` need Pillow 10.1 or newer and NumPy too"
)
# As `photos.decode` does it. The example does the same.
PREPARATION = (
    "With Pillow: open the file; call draft('RGB', (side, side)), side being the longer one of stored_size; turn the "
    "image upright by its EXIF orientation; put what is transparent on white; keep the upper 8 of 16 bits, inverted "
    "where 0 is white; convert it to RGB; resize it to stored_size, (height, width), with Resampling.BILINEAR and "
    "without keeping the aspect."
)
EXAMPLE = Path(__file__).parent / "examples" / "onnx_answers.py"
TOLERANCE = 1e-3  # of a probability, between onnxruntime and torch on photos of noise


class Classifier(nn.Module):
    """All that lies between a decoded photo and its answer, as ``predict`` computes it."""

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model, self.config = folded(saved.model), saved.config
        self.register_buffer("unseen", torch.tensor(saved.fit_counts) == 0)

    def forward(self, photos: Tensor) -> Tensor:
        """uint8 RGB [batch, *stored_size, 3] to float32 [batch, num_classes]; classes without
        training photos get 0.
        """
        return (
            photo_logits(self.model, photos, self.config)
            .masked_fill(self.unseen, -math.inf)
            .softmax(1)
        )


def export_onnx(saved: SavedModel, path: str | os.PathLike) -> Path:
    """Write a model as a single ONNX file, whole or not at all, and return it.

    Input ``photos``: uint8 RGB [batch, height, width, 3] of the run's ``stored_size``, the batch of
    any size. Output ``probabilities``: float32 [batch, num_classes]. Resizing to ``image_size``,
    normalisation, the mean with the mirror image where ``flip_test`` asks for it and the masking
    are inside. ``metadata_props`` hold, as JSON, ``classes, stored_size, image_size, config``, what
    the file ``needs``, the ``preparation`` of photos in words, and an ``example`` in Python.

    Where onnxruntime is installed, the file must give torch's answers before it takes its place.
    ExportError when it doesn't, when packages for it are missing or too old, or torch can't;
    WriteError when the file can't be written.
    """
    try:
        import onnxscript  # noqa: F401  (for torch.onnx; it brings onnx)
    except ImportError as error:
        raise ExportError(
            f"the export needs another package ({error}): {how_to_install('onnx')}"
        ) from error
    path, classifier, runtime = as_path(path), Classifier(saved).eval(), _runtime()
    refuse_own_file(path)
    sizes = {name: getattr(classifier.config, name) for name in ("stored_size", "image_size")}
    example = torch.zeros(2, *sizes["stored_size"], 3, dtype=torch.uint8)
    answers = classifier(
        example
    )  # first of all: constants that batches.py keeps must not be those of a tracing
    if not answers.isfinite().all():
        raise ExportError(
            f"{path}: not written; {saved.path or 'the model'} gives answers that aren't finite numbers"
        )
    about = {"classes": saved.classes, **sizes, "config": saved.config.to_dict()}
    about |= {
        "needs": NEEDS,
        "preparation": PREPARATION,
        "example": EXAMPLE.read_text(encoding="utf-8"),
    }
    try:
        program = torch.onnx.export(classifier, (example,), dynamo=True, verbose=False, **NAMES)
        program.model.metadata_props.update(
            {name: json.dumps(value) for name, value in about.items()}
        )
    except Exception as error:  # a step without counterpart in ONNX: shrinking is the likeliest
        raise ExportError(
            f"{path}: can't export this model ({sizes}): {type(error).__name__}: {error}"
        ) from error
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        if runtime:
            _check(runtime, temporary, classifier)
    return path


def _runtime() -> ModuleType | None:
    """onnxruntime where it is installed; ExportError where it is too old for the file."""
    try:
        import onnxruntime
    except ImportError:
        return None
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < OLDEST_RUNTIME:
        oldest = ".".join(map(str, OLDEST_RUNTIME))
        raise ExportError(
            f"onnxruntime {onnxruntime.__version__} can't read what is exported: pip install 'onnxruntime>={oldest}'"
        )
    return onnxruntime


def _check(runtime: ModuleType, file: Path, classifier: Classifier) -> None:
    """ExportError unless onnxruntime gives torch's answers by this file, on photos of noise."""
    photos = np.random.default_rng(0).integers(
        0, 256, (3, *classifier.config.stored_size, 3), dtype=np.uint8
    )
    with torch.no_grad():
        expected = classifier(torch.from_numpy(photos)).numpy()
    try:
        session = runtime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
        difference = np.abs(session.run(None, {"photos": photos})[0] - expected).max()
    except Exception as error:  # its errors have no common base
        raise ExportError(
            f"{file.name}: not written, onnxruntime {runtime.__version__} can't use it: {error}"
        ) from error
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{file.name}: not written, since its probabilities differ from torch's by {difference:.3g}"
        )
