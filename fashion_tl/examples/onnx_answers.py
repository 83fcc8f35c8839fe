"""Name the photos in the folder photos/ with model.onnx alone. The answers are `predict`'s."""

import io
import json
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, features

if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 18):
    raise SystemExit(
        f"model.onnx needs onnxruntime 1.18 or newer, and this is {onnxruntime.__version__}"
    )
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
about = {
    name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()
}
height, width = about["stored_size"]
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]
if features.check("avif"):
    FORMATS.append("AVIF")


def read_photo(path):
    """uint8 RGB [height, width, 3]: upright, on white, and resized as for the training."""
    content = path.read_bytes()  # opened by name, some TIFFs would lie on their side
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > 1 << 26:
            raise ValueError("too many pixels for a product photo")
        side = max(height, width)
        image.draft("RGB", (side, side))  # a large JPEG is decoded at a reduced scale
        image.load()
        with suppress(Exception):  # EXIF data may be damaged
            ImageOps.exif_transpose(image, in_place=True)
        tags = getattr(image, "tag_v2", {})  # only a TIFF has tags
        bits, signed = tags.get(258, (0,))[0], tags.get(339) == (2,)
        if image.mode == "F" or (bits == 8 and signed):
            raise ValueError("its pixels are signed or no whole numbers, of unknown scale")
        if image.mode.startswith("I"):  # 12 or 16 bits of grey, or 8 bits kept in more
            values = np.asarray(image)
            most = 255 if signed and bits == 16 else 65535
            if not 0 <= values.min() <= values.max() <= most:
                raise ValueError("its pixels are whole numbers of unknown scale")
            if tags.get(262) == 0:  # 0 is white
                values = 65535 - values
            upper = values >> (4 if bits == 12 else 8)
            scaled = values if image.mode == "I" and tags and values.max() <= 255 else upper
            grey = np.where(values == image.info.get("transparency"), 255, scaled.clip(0, 255))
            image = Image.fromarray(grey.astype(np.uint8))
        elif image.has_transparency_data:
            if image.format == "PNG" and image.mode in ("L", "RGB"):
                # Pillow scales the pixels to 8 bits, but not this colour.
                colour = np.asarray(image.info["transparency"])
                bits = content[24]
                most = 2**bits - 1
                colour = colour >> 8 if bits == 16 else (colour & most) * 255 // most
                image.info["transparency"] = tuple(colour.tolist()) if colour.ndim else int(colour)
            form, image = image.format, image.convert("RGBA")
            if form != "BMP" or image.getextrema()[3] != (0, 0):  # such a BMP has no real alpha
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))


for path in sorted(Path("photos").glob("[!.]*")):
    try:
        photo = read_photo(path)
    except Exception as error:  # not a photo, or a damaged one: Pillow raises errors of many kinds
        print(f"{path}: {type(error).__name__}: {error}", file=sys.stderr)
        continue
    (probabilities,) = session.run(None, {"photos": photo[np.newaxis]})
    best = probabilities[0].argmax()
    print(f"{path}: {about['classes'][best]} ({probabilities[0, best]:.1%})")
