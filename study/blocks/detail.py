"""What larger photos are worth: the same photos, small and large."""

from pathlib import Path

from study.blocks.markdown import markdown, percent
from study.charts import DETAILS, title_of
from study.compare import points
from study.records import read_measured


def detail(results: Path) -> str:
    """Each training's figures on both, and what the large photos change."""
    if (measured := read_measured(results, "detail")) is None:
        return "Not measured yet; the command below does."
    rows = []
    for name, own in measured.items():
        small, large, paired = own["small"], own["large"], own["paired"]
        title = title_of(name, own)
        for words, figures in (("small", small), ("large", large)):
            right = f"{figures['correct']:,} of {figures['n_test']:,}"
            rows.append([title, words, right, *(percent(figures[key]) for key in DETAILS)])
        alone = f"{paired['only_second']:,} gained, {paired['only_first']:,} lost"
        changes = [points(paired[key]) if key in paired else "–" for key in DETAILS]
        rows.append([title, "large minus small", alone, *changes])
    first = next(iter(measured.values()))
    said = (
        f"{first['train']:,} photos train, {first['val']:,} validate and "
        f"{first['small']['n_test']:,} test; on these, the ceiling is "
        f"{percent(first['small']['ceiling'], 2)}. The changes are in points, with 95 % intervals."
    )
    head = ["training", "photos", "right", *DETAILS.values()]
    return f"{said}\n\n{markdown(head, rows)}"
