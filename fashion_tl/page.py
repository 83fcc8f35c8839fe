"""How a figure is laid out: one style, a title and a source line around free space, and rows of marks.

All of it is measuring in inches; whoever wants to know *what* is drawn can skip it and read ``figures``.
"""

import io
import re
import textwrap
from collections.abc import Sequence

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

# After Okabe and Ito: colours which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#A0458A"
INK, GREY, LIGHT = "#222222", "#6B6B6B", "#DDDDDD"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 8.5,  # comes with matplotlib and has every glyph used here
    "text.color": INK, "axes.labelcolor": GREY, "xtick.labelcolor": GREY, "ytick.labelcolor": INK,
    "axes.edgecolor": LIGHT, "xtick.color": LIGHT, "ytick.color": LIGHT, "grid.color": "#EAEAEA",
    "axes.grid": True, "axes.axisbelow": True, "axes.spines.right": False, "axes.spines.top": False,
    "legend.frameon": False, "legend.borderpad": 0, "legend.borderaxespad": 0, "legend.handletextpad": 0.5,
}  # fmt: skip
MARGIN = 0.12  # inches around a figure and between the parts of its head

# "default" first, so that a figure is the same whatever the user's own settings are.
styled = matplotlib.style.context(["default", STYLE])


class Chart(Figure):
    """A figure that Jupyter shows by itself, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        """A PNG of 256 colours, a third as large as one of all: notebooks are committed with many of them."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        image, small = Image.open(buffer).convert("RGB"), io.BytesIO()
        image.quantize(256, Image.Quantize.MEDIANCUT).save(small, "png", optimize=True)
        return small.getvalue()


def wrap(text: str, width: float) -> str:
    """Break ``text`` into lines of ``width`` letters; a formula between dollar signs stays whole."""
    whole = re.sub(r"\$[^$]*\$", lambda formula: formula[0].replace(" ", "\0"), text)
    return "\n".join(textwrap.wrap(whole, int(width), break_on_hyphens=False)).replace("\0", " ")


def page(width: float, height: float, title: str, source: str, note: str = "", legend: Sequence = ()):
    """A figure: title, note and legend, ``height`` free inches, the source. With it comes
    ``add(x, y, width, height)``, which makes axes there, in inches from the lower left of the free part."""
    figure = Chart(figsize=(width, height))
    head = [figure.text(0, 0, wrap(title, width * 9.5), size=12, weight="bold", va="top")]
    if note:
        head.append(figure.text(0, 0, wrap(note, width * 12.5), size=9, color=GREY, va="top"))
    if legend:
        fits = sum(0.6 + 0.075 * len(entry.get_label()) for entry in legend) < width
        head.append(figure.legend(handles=legend, ncols=len(legend) if fits else 2, loc="upper left"))
    foot = figure.text(0, 0, wrap(source, width * 16), size=7, color=GREY, va="bottom", parse_math=False)
    *tall, low = (part.get_window_extent().height / figure.dpi for part in [*head, foot])
    bottom = low + 2 * MARGIN
    total = bottom + height + sum(tall) + MARGIN * (len(head) + 1)
    figure.set_size_inches(width, total)
    foot.set_position((MARGIN / width, MARGIN / total))
    for place, part in enumerate(head):
        corner = (MARGIN / width, 1 - (MARGIN * (place + 1) + sum(tall[:place])) / total)
        part.set_bbox_to_anchor(corner) if part in figure.legends else part.set_position(corner)

    def add(x: float, y: float, wide: float, high: float) -> Axes:
        return figure.add_axes((x / width, (bottom + y) / total, wide / width, high / total))

    return figure, add


def rows_of_marks(
    names: Sequence[str], beside: Sequence[str], marks: list[tuple], xlabel: str, *head: str, legend=True
):
    """A row per name, in as many panels as keep the page readable, ``beside`` to the right of each, with marks:
    (which rows, values of all rows, label, look); a look without a marker is a bar's. ``head`` is title,
    source and note. The figure, and each panel's axes with the positions of its rows."""
    names = [name.replace("$", r"\$") for name in names]  # two would begin and end a formula
    panels = 1 if len(names) <= 36 else 2 if len(names) <= 84 else 3
    rows = -(-len(names) // panels)
    width, high = (7.5, 10, 13)[panels - 1], rows * (0.28 if rows <= 12 else 0.19)
    marks = [mark for mark in marks if mark[0].any()]
    keys = [Line2D([], [], ls="none", label=label, **look) if "marker" in look else Patch(label=label, **look)
            for _, _, label, look in marks if legend]  # fmt: skip
    figure, add = page(width, high + (0.65 if rows > 20 else 0.45), *head, keys)
    probes = [figure.text(0, 0, "\n".join(texts), size=size) for texts, size in ((names, 8.5), (beside, 7.5))]
    left, right = (probe.get_window_extent().width / figure.dpi for probe in probes)
    for probe in probes:
        probe.remove()
    pitch, shown = (width - MARGIN) / panels, []
    for panel, start in enumerate(range(0, len(names), rows)):
        here = range(start, min(start + rows, len(names)))
        ax = add(MARGIN + panel * pitch + left + 0.08, 0.4, pitch - left - right - 0.32, high)
        ax.set(xlabel=xlabel, yticks=here, yticklabels=[names[row] for row in here])
        ax.set_ylim(start + rows - 0.4, start - 0.6)
        ax.tick_params(length=0, labeltop=rows > 20)
        ax.grid(axis="y", visible=False)
        ax.spines["bottom"].set_visible(False)
        side = {"textcoords": "offset points", "va": "center", "size": 7.5, "color": GREY}
        for row in here:
            ax.annotate(beside[row], (1, row), (8, 0), ax.get_yaxis_transform(), **side)
        for where, values, _, look in marks:
            at = [row for row in here if where[row]]
            if "marker" in look:
                ax.plot(values[at], at, ls="none", zorder=3, clip_on=False, **look)
            else:
                ax.barh(at, values[at], height=0.68, **look)
        shown.append((ax, here))
    return figure, shown


def log_ticks(ax: Axes, left: float, right: float) -> None:
    """Limits, and round numbers as ticks, of the sparsest kind that has three between the limits."""
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [0, *(step * 10.0**power for power in range(-3 if left > 0 else 0, 6) for step in steps)]
        ticks = [tick for tick in ticks if left <= tick <= right]
        if len(ticks) >= 3:
            break
    ax.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(left, right)
