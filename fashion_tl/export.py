"""A trained run as one ONNX file, which needs nothing of this package: photos in, probabilities out."""

import json
import math
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from fashion_tl.errors import ExportError, how_to_install
from fashion_tl.files import replacing
from fashion_tl.inference import photo_logits
from fashion_tl.model import SavedModel, folded

NAMES = {"input_names": ["photos"], "output_names": ["probabilities"], "dynamic_shapes": ({0: "batch"},)}


class Classifier(nn.Module):
    """All that lies between a decoded photo and its answer, as ``predict`` computes it."""

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model, self.config = folded(saved.model), saved.config
        self.register_buffer("unseen", torch.tensor(saved.train_counts) == 0)

    def forward(self, photos: Tensor) -> Tensor:
        """uint8 RGB [batch, *stored_size, 3] to float32 [batch, num_classes]; classes without training photos get 0."""
        return photo_logits(self.model, photos, self.config).masked_fill(self.unseen, -math.inf).softmax(1)


def export_onnx(saved: SavedModel, path: str | os.PathLike) -> Path:
    """Write a model as a single ONNX file, whole or not at all, and return it.

    Input ``photos``: uint8 RGB [batch, height, width, 3] of the run's ``stored_size``, the batch of any size. Output
    ``probabilities``: float32 [batch, num_classes]. Resizing to ``image_size``, normalisation, the mean with the
    mirror image where ``flip_test`` asks for it and the masking are inside. ``metadata_props`` hold, as JSON,
    ``classes, stored_size, image_size, config``. ExportError when packages for it are missing or torch
    can't, WriteError when the file can't be written.
    """
    try:
        import onnxscript  # noqa: F401  (for torch.onnx; it brings onnx)
    except ImportError as error:
        raise ExportError(f"the export needs another package ({error}): {how_to_install('onnx')}") from error
    path, classifier = Path(path), Classifier(saved).eval()
    sizes = {name: getattr(classifier.config, name) for name in ("stored_size", "image_size")}
    example = torch.zeros(2, *sizes["stored_size"], 3, dtype=torch.uint8)
    classifier(example)  # first of all: constants that batches.py keeps must not be those of a tracing
    about = {"classes": saved.classes, **sizes, "config": saved.config.to_dict()}
    try:
        program = torch.onnx.export(classifier, (example,), dynamo=True, verbose=False, **NAMES)
        program.model.metadata_props.update({name: json.dumps(value) for name, value in about.items()})
    except Exception as error:  # a step without counterpart in ONNX: shrinking is the likeliest
        raise ExportError(f"{path}: can't export this model ({sizes}): {type(error).__name__}: {error}") from error
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
    return path
