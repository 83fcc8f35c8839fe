"""Charts of the runs on record, from their files alone: ``images/results/``. They show no product
photo.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

from fashion_tl.recipes import TRAININGS
from fashion_tl.reporting.figures import confused_pairs, loss_curves, per_class_accuracy, save
from fashion_tl.reporting.layout import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    Chart,
    log_ticks,
    new_figure,
    styled,
)
from study.compare import BINS
from study.minutes import Timed, timed
from study.published import read_published
from study.records import METRICS, TITLES, Record, read_measured, read_records

# What larger photos change, in the chart and in the table.
DETAILS = {name: title for name, title in METRICS.items() if name != "top5"}
POINTS: dict[str, Any] = {"textcoords": "offset points", "size": 7}  # of small labels


def draw_all(results: Path, images: Path) -> list[Path]:
    """Draw every chart; returns the files."""
    files, records = [], read_records(results)
    shown = [records[name] for name in TITLES if name in records]
    for record in shown:
        title, source = TITLES[record.name], record.source
        charts = {
            "loss": loss_curves(record.history, f"{title}: loss and accuracy", source),
            "per_class": per_class_accuracy(
                record.per_class, f"{title}: accuracy per class", source
            ),
            "confused": confused_pairs(
                record.confusions.head(12), f"{title}: most confused pairs", source
            ),
        }
        files += [
            save(figure, images / f"{chart}_{record.name}.png") for chart, figure in charts.items()
        ]
    if shown:
        source = shown[0].data
        files.append(
            save(merit_chart(shown, read_published(results), source), images / "approaches.png")
        )
    runs, bench = timed(results)
    if bench:
        ceiling = records["direct"].about["ceiling"]
        figure = minutes_chart(runs, ceiling, read_published(results), bench["machine"])
        files.append(save(figure, images / "minutes.png"))
    if detail := read_measured(results, "detail"):
        files.append(save(detail_chart(detail), images / "larger_photos.png"))
    whole = [record for record in shown if is_of_all(record)]
    if whole:
        files.append(save(photos_chart(whole, whole[0].data), images / "training_photos.png"))
    return files


def is_of_all(record: Record) -> bool:
    """Whether a run learned all classes."""
    return not (record.config.largest or record.config.without_largest)


@styled
def merit_chart(
    records: Sequence[Record], published: dict[str, list[dict[str, Any]]], source: str
) -> Chart:
    """Each figure of merit of each result with its 95 % interval, the published ones, and the
    ceiling.

    ``published`` is as from :func:`read_published`: by the run's name, one dict of figures for each
    ring to draw.
    """
    note = (
        "Dot and line: ours with its 95 % interval over test photos. "
        "Rings: published (without flips; for two_step with them, too). Red line: ceiling"
    )
    height = 0.3 * len(records) + 0.5
    figure, add = new_figure(10, height, "The approaches side by side", source, note)
    for place, (key, title) in enumerate(METRICS.items()):
        ax = add(1.55 + 2.1 * place, 0.4, 1.85, height - 0.6)
        for row, record in enumerate(records):
            if record.about[key] is not None:
                ax.plot(record.about["interval95"][key], [row, row], color=BLUE, lw=2)
                ax.plot(record.about[key], row, "o", color=BLUE, ms=5)
            rings = [each[key] for each in published.get(record.name, []) if key in each]
            ax.plot(rings, [row] * len(rings), "o", color=ORANGE, mfc="none", mew=1.6, ms=7)
            if key.startswith("top"):
                ax.plot([record.about["ceiling"]] * 2, [row - 0.4, row + 0.4], color=RED, lw=1.5)
        ax.set(ylim=(len(records) - 0.5, -0.5), yticks=range(len(records)))
        ax.set_yticklabels([record.name for record in records] if place == 0 else [])
        ax.set_title(title, loc="left", size=9, color=INK)
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.tick_params(length=0)
    return figure


@styled
def minutes_chart(
    runs: Sequence[Timed],
    ceiling: float,
    published: dict[str, list[dict[str, Any]]],
    machine: str,
) -> Chart:
    """Accuracy of each run against its minutes, and the published accuracies."""
    note = "A dot per run, with the step before it. Dashed: published. Red: ceiling"
    figure, add = new_figure(10, 4.2, "What accuracy a run reaches, and when", machine, note)
    ax = add(0.7, 0.55, 9.0, 3.3)
    for place, run in enumerate(runs):
        dot = (run.minutes, run.top1)
        ax.plot(*dot, "o", color=BLUE, ms=6)
        # Labels of neighbours are above and below their dots in turn.
        ax.annotate(run.name, dot, (4, 6 if place % 2 else -12), **POINTS, color=INK)
    for name in ("fc_only", "direct", "two_step"):
        best = max(each["top1"] for each in published[name])
        ax.axhline(best, color=ORANGE, lw=1, ls="--")
        ax.annotate(f"published: {TITLES[name]}", (1.02, best), (0, 2), **POINTS)
    ax.axhline(ceiling, color=RED, lw=1.2)
    ax.set_xscale("log")
    log_ticks(ax, 1, 600)
    ax.set(ylim=(0.45, 0.92), xlabel="minutes on two cores, log scale")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.tick_params(length=0, labelcolor=GREY)
    return figure


def title_of(name: str, own: dict[str, Any]) -> str:
    """The title of a training in ``detail.json``, and its blocks where recipes have others now."""
    blocks = own["config"].get("blocks", 1)
    is_of_now = blocks == TRAININGS[name].tuned.get("blocks", 1)
    return TITLES[name] + ("" if is_of_now else f" (blocks={blocks})")


@styled
def detail_chart(measured: dict[str, dict[str, Any]]) -> Chart:
    """What larger photos change in each training's figures, with 95 % intervals: a panel each.

    ``measured`` is ``detail.json``.
    """
    note = "Dot and line: large photos minus the same photos small, with its 95 % interval"
    source = next(iter(measured.values()))["sources"]["large"]["data"]
    height = 0.3 * len(measured) + 0.7
    figure, add = new_figure(10, height, "What larger photos are worth", source, note)
    changes = [own["paired"].get(key, {}) for own in measured.values() for key in DETAILS]
    ends = [abs(end) for change in changes for end in change.get("interval", ())]
    widest = max(5, math.ceil(100 * max(ends, default=0)))
    for place, key in enumerate(DETAILS):
        ax = add(1.55 + 2.8 * place, 0.55, 2.5, height - 0.75)
        ax.axvline(0, color=GREY, lw=1)
        for row, own in enumerate(measured.values()):
            if key not in own["paired"]:  # a mean over no classes
                continue
            change = own["paired"][key]
            ax.plot([100 * end for end in change["interval"]], [row, row], color=BLUE, lw=2)
            ax.plot(100 * change["difference"], row, "o", color=BLUE, ms=5)
        ax.set(
            ylim=(len(measured) - 0.5, -0.5), yticks=range(len(measured)), xlim=(-widest, widest)
        )
        ax.set_yticklabels([*map(title_of, measured, measured.values())] if place == 0 else [])
        ax.set_title(METRICS[key], loc="left", size=9, color=INK)
        ax.set_xlabel("points")
        ax.tick_params(length=0)
    return figure


@styled
def photos_chart(records: Sequence[Record], source: str) -> Chart:
    """Accuracy of every class against its number of training photos, and the means by bins, a panel
    per run.
    """
    note = (
        "A dot per class with training and test photos, larger with more test photos. "
        "Lines: means over classes"
    )
    figure, add = new_figure(10, 3.1, "Accuracy against training photos", source, note)
    wide = 9.2 / len(records)
    for place, record in enumerate(records):
        table = record.per_class[(record.per_class["train"] > 0) & (record.per_class["test"] > 0)]
        ax = add(0.6 + place * wide, 0.45, wide - 0.25, 2.3)
        ax.scatter(
            table["train"],
            table["accuracy"],
            6 + table["test"] ** 0.6,
            color=BLUE,
            alpha=0.35,
            lw=0,
        )
        for low, high in zip(BINS, (*BINS[1:], 3000), strict=True):
            mean = table.loc[table["train"].between(low, high, inclusive="left"), "accuracy"].mean()
            ax.plot([low, high], [mean, mean], color=ORANGE, lw=2)
        ax.set_xscale("log")
        log_ticks(ax, 0.8, 4000)
        ax.set(ylim=(-0.03, 1.05), xlabel="training photos, log scale")
        ax.set_title(record.name, loc="left", size=9, color=INK)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.tick_params(length=0, labelleft=place == 0, labelcolor=GREY)
    return figure
