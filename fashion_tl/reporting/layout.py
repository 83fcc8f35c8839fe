"""The layout of a figure: its style, its title and source line, and rows of marks.

Everything here is about sizes, in inches. ``figures`` and ``photo_figures`` say what is drawn.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from PIL import Image

from fashion_tl.reporting.fonts import FONT, family, quiet_on_missing_letters
from fashion_tl.reporting.text import Width, from_left, ruler, shorten, wrap, wrap_into

# Colours that colour-blind readers can tell apart, after Okabe and Ito.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#A0458A"
INK, GREY, LIGHT = "#222222", "#6B6B6B", "#DDDDDD"
STYLE = {
    "font.family": FONT,
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "xtick.labelcolor": GREY,
    "ytick.labelcolor": INK,
    "axes.edgecolor": LIGHT,
    "xtick.color": LIGHT,
    "ytick.color": LIGHT,
    "grid.color": "#EAEAEA",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.frameon": False,
    "legend.borderpad": 0,
    "legend.borderaxespad": 0,
    "legend.handletextpad": 0.5,
}
MARGIN = 0.12  # inches around a figure, and between its title, note and legend
NAMES = 0.45  # the largest part of a panel's width for the names of its rows

Look = dict[str, Any]  # how something is drawn: arguments of matplotlib


class Marks(NamedTuple):
    """The marks of one kind in a figure's rows.

    ``where`` says which rows have one, bool [rows], and ``values`` [rows] how far to the right. A
    ``look`` without a marker is a bar's.
    """

    where: Any
    values: Any
    label: str
    look: Look


def need(table: pd.DataFrame, name: str, *columns: str, rows: int = 1) -> None:
    """ValueError if a table lacks one of the columns, or has fewer rows."""
    if missing := [column for column in columns if column not in table.columns]:
        raise ValueError(f"{name} lacks the column {', '.join(missing)}")
    if len(table) < rows:
        raise ValueError(f"{name} has no rows")


@contextmanager
def _style() -> Iterator[None]:
    # "default" comes first, so that the user's own settings change nothing.
    with matplotlib.style.context(["default", STYLE]), quiet_on_missing_letters():
        yield


styled = _style()


class Chart(Figure):
    """A figure that Jupyter shows, also if pyplot was never imported."""

    _png = b""

    def draw(self, renderer: RendererBase) -> None:
        self._png = b""  # any drawing ends what `stale` says of changes since the last
        with quiet_on_missing_letters():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """A PNG with 256 colours: a third as large as a full one, so notebooks stay small.

        It is kept until something in the figure changes: notebooks save a figure and show it.
        """
        if self.stale or not self._png:
            before, canvas = self.canvas, FigureCanvasAgg(self)
            try:
                canvas.draw()
            finally:
                self.set_canvas(before)
            image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
            small = io.BytesIO()
            image.quantize(256, Image.Quantize.MEDIANCUT).save(small, "png", optimize=True)
            self._png = small.getvalue()
        return self._png


def new_figure(
    width: float,
    height: float,
    title: str,
    source: str,
    note: str = "",
    legend: Sequence[Artist] = (),
) -> tuple[Chart, Callable[[float, float, float, float], Axes]]:
    """A figure with title, note and legend, ``height`` free inches, and the source line.

    The function ``add(x, y, width, height)`` that comes with it adds axes in the free part, in
    inches from its lower left corner.
    """
    figure = Chart(figsize=(width, height))
    head: list[Text | Legend] = [
        figure.text(0, 0, wrap(title, width * 9.5), size=12, weight="bold", va="top")
    ]
    if note:
        head.append(figure.text(0, 0, wrap(note, width * 12.5), size=9, color=GREY, va="top"))
    if legend:
        fits = sum(0.6 + 0.075 * len(str(entry.get_label())) for entry in legend) < width
        columns = len(legend) if fits else 2
        head.append(figure.legend(handles=legend, ncols=columns, loc="upper left"))
    small: Look = {"size": 7, "family": family(source)}
    lines = wrap_into(width - 2 * MARGIN, source, width * 16, ruler(**small))
    foot = figure.text(0, 0, lines, color=GREY, va="bottom", parse_math=False, **small)
    *tall, low = (part.get_window_extent().height / figure.dpi for part in [*head, foot])
    bottom = low + 2 * MARGIN
    total = bottom + height + sum(tall) + MARGIN * (len(head) + 1)
    figure.set_size_inches(width, total)
    foot.set_position((MARGIN / width, MARGIN / total))
    for place, part in enumerate(head):
        corner = (MARGIN / width, 1 - (MARGIN * (place + 1) + sum(tall[:place])) / total)
        if isinstance(part, Legend):
            part.set_bbox_to_anchor(corner)
        else:
            part.set_position(corner)

    def add(x: float, y: float, wide: float, high: float) -> Axes:
        return figure.add_axes((x / width, (bottom + y) / total, wide / width, high / total))

    return figure, add


def _labels(rows: Sequence[tuple[str, ...]], width: Width, room: float) -> list[str]:
    """The names of each row with arrows between them, shortened if wider than ``room``."""
    labels = [from_left(names, " → ") for names in rows]
    if width("\n".join(labels)) <= room:
        return labels
    n = len(rows[0])
    room_of_name = (room - (n - 1) * width(" → ")) / n
    short = shorten([name for names in rows for name in names], width, room_of_name)
    return [
        label if width(label) <= room else from_left([short[name] for name in names], " → ")
        for label, names in zip(labels, rows, strict=True)
    ]


def rows_of_marks(
    names: Sequence[tuple[str, ...]],
    beside: Sequence[str],
    marks: Sequence[Marks],
    xlabel: str,
    title: str,
    source: str,
    note: str,
    legend: bool = True,
) -> tuple[Chart, list[tuple[Axes, range]]]:
    """A figure with a row for each entry of ``names``: a class, or a true and a predicted class.

    The rows are spread over one to three panels. The text ``beside`` a row stands to its right.
    Returns the figure, and the axes of each panel with the positions of its rows.
    """
    panels = 1 if len(names) <= 36 else 2 if len(names) <= 84 else 3
    rows = -(-len(names) // panels)
    width = (7.5, 10, 13)[panels - 1]
    high = rows * (0.28 if rows <= 12 else 0.19)
    marks = [kind for kind in marks if kind.where.any()]
    keys = [_key(kind) for kind in marks] if legend else []
    axes_and_ticks = high + (0.65 if rows > 20 else 0.45)
    figure, add = new_figure(width, axes_and_ticks, title, source, note, keys)
    pitch = (width - MARGIN) / panels
    letters: Look = {"size": 8.5, "family": family("".join(name for row in names for name in row))}
    labels = _labels(names, ruler(**letters), NAMES * pitch)
    left = ruler(**letters)("\n".join(labels))
    right = ruler(size=7.5)("\n".join(beside))
    side: Look = {"textcoords": "offset points", "va": "center", "size": 7.5, "color": GREY}
    shown = []
    for panel, start in enumerate(range(0, len(names), rows)):
        here = range(start, min(start + rows, len(names)))
        ax = add(MARGIN + panel * pitch + left + 0.08, 0.4, pitch - left - right - 0.32, high)
        plain = [labels[row].replace("$", r"\$") for row in here]  # dollar signs are no formulas
        ax.set(xlabel=xlabel, yticks=here, yticklabels=plain)
        for label in ax.get_yticklabels():
            label.set(**letters)
        ax.set_ylim(start + rows - 0.4, start - 0.6)
        ax.tick_params(length=0, labeltop=rows > 20)
        ax.grid(axis="y", visible=False)
        ax.spines["bottom"].set_visible(False)
        for row in here:
            ax.annotate(beside[row], (1, row), (8, 0), ax.get_yaxis_transform(), **side)
        for kind in marks:
            _draw(ax, kind, here)
        shown.append((ax, here))
    return figure, shown


def _key(kind: Marks) -> Artist:
    """The entry of these marks in the legend."""
    if "marker" in kind.look:
        return Line2D([], [], ls="none", label=kind.label, **kind.look)
    return Patch(label=kind.label, **kind.look)


def _draw(ax: Axes, kind: Marks, rows: range) -> None:
    at = [row for row in rows if kind.where[row]]
    if "marker" in kind.look:
        ax.plot(kind.values[at], at, ls="none", zorder=3, clip_on=False, **kind.look)
    else:
        ax.barh(at, kind.values[at], height=0.68, **kind.look)


def log_ticks(ax: Axes, left: float, right: float) -> None:
    """Set the limits, and round numbers as ticks: the fewest that are at least three."""
    powers = range(-3 if left > 0 else 0, 6)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        numbers = [0, *(step * 10.0**power for power in powers for step in steps)]
        ticks = [number for number in numbers if left <= number <= right]
        if len(ticks) >= 3:
            break
    ax.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(left, right)
