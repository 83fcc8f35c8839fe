"""How a figure is laid out: one style, a title and a source line around free space, and rows of
marks.

All of it is measuring in inches; whoever wants to know *what* is drawn can skip it and read
``figures``.
"""

import io
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count, pairwise

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from fashion_tl.reporting.fonts import FONT, family, quiet_on_missing_letters

# After Okabe and Ito: colours which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#A0458A"
INK, GREY, LIGHT = "#222222", "#6B6B6B", "#DDDDDD"
STYLE = {
    "font.family": FONT, "font.size": 8.5,
    "text.color": INK, "axes.labelcolor": GREY, "xtick.labelcolor": GREY, "ytick.labelcolor": INK,
    "axes.edgecolor": LIGHT, "xtick.color": LIGHT, "ytick.color": LIGHT, "grid.color": "#EAEAEA",
    "axes.grid": True, "axes.axisbelow": True, "axes.spines.right": False, "axes.spines.top": False,
    "legend.frameon": False, "legend.borderpad": 0, "legend.borderaxespad": 0, "legend.handletextpad": 0.5,
}  # fmt: skip
MARGIN = 0.12  # inches around a figure and between the parts of its head
NAMES = 0.45  # of a panel's width, at most, is for the names of its rows


@contextmanager
def _style() -> Iterator[None]:
    # "default" first, so that a figure is the same whatever the user's own settings are.
    with matplotlib.style.context(["default", STYLE]), quiet_on_missing_letters():
        yield


styled = _style()


class Chart(Figure):
    """A figure that Jupyter shows by itself, also where pyplot was never imported."""

    def draw(self, renderer: RendererBase) -> None:
        with quiet_on_missing_letters():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """A PNG of 256 colours, a third as large as one of all: notebooks are committed with many
        of them.
        """
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        image, small = Image.open(buffer).convert("RGB"), io.BytesIO()
        image.quantize(256, Image.Quantize.MEDIANCUT).save(small, "png", optimize=True)
        return small.getvalue()


def wrap(text: str, width: float) -> str:
    """Break ``text`` into lines of ``width`` letters; a formula between dollar signs stays
    whole."""
    whole = re.sub(r"\$[^$]*\$", lambda formula: formula[0].replace(" ", "\0"), text)
    return "\n".join(textwrap.wrap(whole, int(width), break_on_hyphens=False)).replace("\0", " ")


def ruler(**look) -> Callable[[str], float]:
    """A function that gives the width of a text in inches, of its longest line, as it is drawn with
    this look.
    """
    figure = Figure()
    text = figure.text(0, 0, "", parse_math=False, **look)

    @cache
    def width(words: str) -> float:
        text.set_text(words)
        return text.get_window_extent().width / figure.dpi

    return width


def wrap_into(room: float, text: str, letters: float, width: Callable[[str], float]) -> str:
    """``wrap`` into lines of so many letters, or of fewer where these are too wide for ``room``."""
    letters = int(letters)
    while (wide := width(lines := wrap(text, letters))) > room and letters > 1:
        letters = max(1, min(letters - 1, int(letters * room / wide)))
    return lines


def shorten(names: Sequence[str], width: Callable[[str], float], room: float) -> dict[str, str]:
    """Each name as it can be shown: where it is wider than ``room``, “…” takes the place of some of
    its letters.

    Its beginning stays, and either its end or, where names differ before that, what tells it from
    the name most like it. Different names stay different: where no letters that are left do that, a
    number does.
    """
    unique, apart = sorted(set(names)), dict.fromkeys(names, 0)
    for one, other in pairwise(unique):
        alike = next(n for n in count() if one[n : n + 1] != other[n : n + 1])
        apart[one], apart[other] = max(apart[one], alike), max(apart[other], alike)
    shown = {name: name for name in unique if width(name) <= room}
    taken, numbers = set(shown), Counter()
    for name in unique:
        if name not in shown:
            version = plain = _cut(name, apart[name], width, room)
            while version in taken:
                numbers[plain] += 1
                version = _cut(name, apart[name], width, room, f" ({numbers[plain] + 1})")
            shown[name] = version
            taken.add(version)
    return shown


def _cut(
    name: str, apart: int, width: Callable[[str], float], room: float, number: str = ""
) -> str:
    """As much of a name as fits; ``apart`` is the place of the letter that tells it from the
    others.
    """
    short, keep = name, len(name)
    while (wide := width(short)) > room and keep > 1:
        keep = max(1, min(keep - 1, int(keep * room / wide)))
        head = keep // 3
        start = len(name) - (keep - head)
        if head <= apart < start:  # that letter would be left out
            start = max(head, apart - keep // 6)
        rest = name[start : start + keep - head]
        more = "…" if start + len(rest) < len(name) else ""
        short = f"{name[:head].rstrip()}…{rest.strip()}{more}{number}"
    return short


def new_figure(
    width: float, height: float, title: str, source: str, note: str = "", legend: Sequence = ()
):
    """A figure: title, note and legend, ``height`` free inches, the source. With it comes ``add(x,
    y, width, height)``, which makes axes there, in inches from the lower left of the free part.
    """
    figure = Chart(figsize=(width, height))
    head = [figure.text(0, 0, wrap(title, width * 9.5), size=12, weight="bold", va="top")]
    if note:
        head.append(figure.text(0, 0, wrap(note, width * 12.5), size=9, color=GREY, va="top"))
    if legend:
        fits = sum(0.6 + 0.075 * len(entry.get_label()) for entry in legend) < width
        head.append(
            figure.legend(handles=legend, ncols=len(legend) if fits else 2, loc="upper left")
        )
    small = {"size": 7, "family": family(source)}
    lines = wrap_into(width - 2 * MARGIN, source, width * 16, ruler(**small))
    foot = figure.text(0, 0, lines, color=GREY, va="bottom", parse_math=False, **small)
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


def _arrowed(names: Sequence[str]) -> str:
    """Names with an arrow between them, the first one to the left also where a name is written from
    right to left.
    """
    from_right = any(
        unicodedata.bidirectional(letter) in ("R", "AL") for name in names for letter in name
    )
    mark = "\N{LEFT-TO-RIGHT MARK}" if from_right and len(names) > 1 else ""
    return mark + f"{mark} → {mark}".join(names)


def _labels(
    rows: Sequence[tuple[str, ...]], width: Callable[[str], float], room: float
) -> list[str]:
    """The names of each row, with arrows between them and shortened where they are wider than
    ``room``.
    """
    labels, n = [_arrowed(names) for names in rows], len(rows[0])
    if width("\n".join(labels)) <= room:
        return labels
    short = shorten(
        [name for names in rows for name in names], width, (room - (n - 1) * width(" → ")) / n
    )
    return [
        label if width(label) <= room else _arrowed([short[name] for name in names])
        for label, names in zip(labels, rows, strict=True)
    ]


def rows_of_marks(
    names: Sequence[tuple[str, ...]],
    beside: Sequence[str],
    marks: list[tuple],
    xlabel: str,
    *head: str,
    legend=True,
):
    """A row per entry of ``names`` (of one class, or of one taken for another), in as many panels
    as keep the page readable, ``beside`` to the right of each, with marks: (which rows, values of
    all rows, label, look); a look without a marker is a bar's. ``head`` is title, source and note.
    The figure, and each panel's axes with the positions of its rows.
    """
    panels = 1 if len(names) <= 36 else 2 if len(names) <= 84 else 3
    rows = -(-len(names) // panels)
    width, high = (7.5, 10, 13)[panels - 1], rows * (0.28 if rows <= 12 else 0.19)
    marks = [mark for mark in marks if mark[0].any()]
    keys = [Line2D([], [], ls="none", label=label, **look) if "marker" in look else Patch(label=label, **look)
            for _, _, label, look in marks if legend]  # fmt: skip
    figure, add = new_figure(width, high + (0.65 if rows > 20 else 0.45), *head, keys)
    pitch, shown = (width - MARGIN) / panels, []
    letters = {"size": 8.5, "family": family("".join(name for row in names for name in row))}
    labels = _labels(names, ruler(**letters), NAMES * pitch)
    left, right = ruler(**letters)("\n".join(labels)), ruler(size=7.5)("\n".join(beside))
    for panel, start in enumerate(range(0, len(names), rows)):
        here = range(start, min(start + rows, len(names)))
        ax = add(MARGIN + panel * pitch + left + 0.08, 0.4, pitch - left - right - 0.32, high)
        ax.set(
            xlabel=xlabel,
            yticks=here,
            yticklabels=[labels[row].replace("$", r"\$") for row in here],
        )  # no formula
        for label in ax.get_yticklabels():
            label.set(**letters)
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
    """Limits, and round numbers as ticks, of the sparsest kind that has three between the
    limits."""
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [
            0,
            *(step * 10.0**power for power in range(-3 if left > 0 else 0, 6) for step in steps),
        ]
        ticks = [tick for tick in ticks if left <= tick <= right]
        if len(ticks) >= 3:
            break
    ax.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(left, right)
