"""HTML pages that need no network: a template of ``web/`` filled in, with photos inside it."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from fashion_tl.data.dataset import Data
from fashion_tl.files import replacing
from fashion_tl.reporting import layout
from fashion_tl.reporting.gallery import photos_of

PHOTO = (180, 240)  # the largest width and height of a photo in pixels; smaller ones stay


def write_page(target: Path, template: str, **values: Any) -> None:
    """Fill in a template as :func:`filled_in` does, and write the page whole or not at all."""
    html = filled_in(template, **values)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(html, encoding="utf-8")


def filled_in(template: str, **values: Any) -> str:
    """A page from a template.

    The templates also know the module ``layout`` as ``colours``, and the filters ``percent`` and
    ``thousands``.
    """
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": _percent, "thousands": "{:,}".format}
    return templates.get_template(template).render(colours=layout, **values)


def photo_cards(table: pd.DataFrame, data: Data) -> list[dict[str, Any]]:
    """The rows of a table with the column ``id``, and what a page needs to show their photos.

    That is a small ``photo`` as data URI, its ``size``, and the product's ``name``.
    """
    known = data.catalogue.table.astype({"id": str}).set_index("id")
    names = known["productDisplayName"].fillna("")
    rows = table.to_dict("records")
    return [
        row | picture(pixels) | {"name": names[row["id"]]}
        for row, pixels in zip(rows, photos_of(table, data), strict=True)
    ]


def picture(pixels: np.ndarray) -> dict[str, Any]:
    """A small ``photo`` of uint8 [height, width, 3] as data URI, and its ``size``."""
    photo = Image.fromarray(pixels)
    photo.thumbnail(PHOTO)
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=80)
    content = base64.b64encode(file.getvalue()).decode()
    return {"photo": f"data:image/jpeg;base64,{content}", "size": photo.size}


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
