"""Charts of the recorded runs, from the result files alone: ``images/results/``. They show no product photo."""

from pathlib import Path

from compare import merit_chart, photos_chart, read_published, read_result
from words import TITLES

from fashion_tl.reporting.figures import confused_pairs, loss_curves, per_class_accuracy, save

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "images" / "results"


def draw_all(results: Path = HERE, images: Path = IMAGES) -> list[Path]:
    """Draw every chart; returns the files."""
    files = []
    shown = [read_result(results, name) for name in TITLES if (results / f"{name}_history.csv").exists()]
    for result in shown:
        title, source = TITLES[result.name], result.source
        charts = {
            "loss": loss_curves(result.history, f"{title}: loss and accuracy", source),
            "per_class": per_class_accuracy(result.per_class, f"{title}: accuracy per class", source),
            "confused": confused_pairs(result.confusions.head(12), f"{title}: most confused pairs", source),
        }
        files += [save(figure, images / f"{chart}_{result.name}.png") for chart, figure in charts.items()]
    if shown:
        source = shown[0].data
        files.append(save(merit_chart(shown, read_published(results), source), images / "approaches.png"))
        whole = [result for result in shown if result.name != "top20"]
        if whole:
            files.append(save(photos_chart(whole, source), images / "training_photos.png"))
    return files
