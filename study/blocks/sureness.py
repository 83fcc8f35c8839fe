"""How sure the figures are, and how sure the network: FC only over seeds, folds and years, and what
its probabilities are worth; what even and odd years share.
"""

from pathlib import Path

from study.blocks.markdown import markdown, percent, spread
from study.records import METRICS, read_measured


def head(results: Path) -> str:
    """FC only over seeds, folds and years."""
    if (measured := read_measured(results, "fc_head")) is None:
        return "Not measured yet; `python -m study heads --data … --weights …` does."
    rows = []
    for part, key, words in (
        ("seeds", "seed", "seed {}"),
        ("folds", "fold", "fold {} of 5"),
        ("years", "year", "{}"),
    ):
        scored = "odd years" if part == "seeds" else "held out"
        for each in measured[part]:
            shares = [
                percent(each[figure])
                for figure in ("top1", "top1_learnable", "top5", "macro", "few_shot")
            ]
            photos = f"{each['n_test']:,} ({scored})"
            ceiling = percent(each["ceiling"], 2)
            rows.append([words.format(each[key]), f"{each['train']:,}", photos, *shares, ceiling])
    same = [
        (METRICS[key], [each[key] for each in measured["seeds"]])
        for key in ("top1", "macro", "few_shot")
    ]
    titles = [
        "",
        "trained on",
        "scored on",
        "top-1",
        "of learnable",
        "top-5",
        "macro",
        "few-shot",
        "ceiling",
    ]
    said = ", ".join(f"{title} {spread(shares, 2)}" for title, shares in same)
    said = f"Over the {len(measured['seeds'])} seeds (mean ± standard deviation): {said}."
    return f"{markdown(titles, rows)}\n\n{said}"


def calibration(results: Path) -> str:
    """What FC only's probabilities are worth, before and after a temperature fitted in two ways."""
    if (measured := read_measured(results, "calibration")) is None:
        return "Not measured yet; `python -m study calibration --data … --weights …` does."
    scored = {f"{each['year']}, left out": each for each in measured["left_out"]}
    scored |= {"validation photos": measured["validation"], "odd years": measured["odd_years"]}
    rows = []
    for words, each in scored.items():
        found = (each[name] for name in ("before", "validation", "years"))
        rows.append([words, f"{each['photos']:,}", *(f"{error:.3f}" for error in found)])
    head = ["scored on", "learnable photos", "softmax", "fitted to validation photos"]
    ways = {"validation": "to validation photos", "years": "to years that were left out"}
    temperatures = ", ".join(
        f"{temperature:.3f} if fitted {ways[way]}"
        for way, temperature in measured["temperatures"].items()
    )
    said = f"Temperatures: {temperatures}. Chosen on even years: the one fitted "
    table = markdown([*head, "fitted to left-out years"], rows)
    return f"{table}\n\n{said}{ways[measured['chosen']]}."


def honest(results: Path) -> str:
    """What even and odd years share, and how they differ."""
    if (measured := read_measured(results, "data_check")) is None:
        return "Not measured yet; `python -m study data-check --data …` does."
    rows = [[words, *each.values()] for words, each in measured["shared"].items()]
    shared = markdown(
        ["duplicates within or between", "pairs", "photos", "pairs whose labels differ"], rows
    )
    noise, shift = ([list(each.values()) for each in measured[part]] for part in ("noise", "shift"))
    noise = markdown(["years", "one twin is", "the other", "pairs"], noise)
    years = ", ".join(f"{year}: {photos:,}" for year, photos in measured["years"].items())
    moved = markdown(["class", "even years", "odd years"], shift)
    stored = measured["as_stored"]
    turned = (
        f"Of the {stored['photos']:,} photos, {stored['on_their_side']} are stored on their side "
        f"(by their EXIF data) and {stored['transparent']} have transparent pixels. "
        "Only such photos are turned upright or put on white."
    )
    return f"{shared}\n\n{noise}\n\nPhotos by year: {years}.\n\n{moved}\n\n{turned}"
