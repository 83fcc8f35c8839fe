"""Name the photos in the folder photos/ with model.onnx alone: the answers are those of `predict`."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 18):
    raise SystemExit(f"model.onnx needs onnxruntime 1.18 or newer, and this is {onnxruntime.__version__}")
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
height, width = about["stored_size"]


def read_photo(path):
    """uint8 RGB [height, width, 3]: upright, on white, and resized just as for the training."""
    with Image.open(path) as image:
        image.draft("RGB", (max(height, width), max(height, width)))  # a large JPEG is decoded at a reduced scale
        image.load()
        with suppress(Exception):  # EXIF data may be damaged
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers, of unknown scale")
        if image.mode.startswith("I"):  # 16 bits of grey; or 8 bits kept in 32
            values = np.asarray(image)
            scaled = values if image.mode == "I" and values.max() <= 255 else values >> 8
            grey = np.where(values == image.info.get("transparency"), 255, scaled.clip(0, 255))
            image = Image.fromarray(grey.astype(np.uint8))
        elif image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))


for path in sorted(Path("photos").glob("[!.]*")):
    try:
        photo = read_photo(path)
    except (OSError, ValueError) as error:  # no photo, or a damaged one
        print(f"{path}: {error}")
        continue
    (probabilities,) = session.run(None, {"photos": photo[np.newaxis]})
    best = probabilities[0].argmax()
    print(f"{path}: {about['classes'][best]} ({probabilities[0, best]:.1%})")
