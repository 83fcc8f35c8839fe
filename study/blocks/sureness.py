"""How sure the figures are, and how sure the network: FC only over seeds, folds and years, and what
its probabilities are worth; what even and odd years share.
"""

from pathlib import Path
from typing import Any

from study.blocks.markdown import markdown, percent, spread
from study.records import METRICS, read_measured

GOAL = 0.06  # calibration error


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
    """What probabilities are worth, before and after a temperature, and what they could do alone.

    FC only's temperature is fitted in two ways.
    """
    if (measured := read_measured(results, "calibration")) is None:
        return "Not measured yet; the command below does."
    parts = [_two_ways(measured["fc_only"])] if measured["fc_only"] else []
    parts += [_temperature(name, own) for name, own in measured["runs"].items()]
    networks = {"fc_only": measured["fc_only"]} | measured["runs"]
    parts.append(_unattended({name: own for name, own in networks.items() if own}))
    return "\n\n".join(parts)


def _two_ways(own: dict[str, Any]) -> str:
    scored = {f"{each['year']}, left out": each for each in own["left_out"]}
    scored |= {"validation photos": own["validation"], "odd years": own["odd_years"]}
    rows = []
    for words, each in scored.items():
        found = (each[name] for name in ("before", "validation", "years"))
        rows.append([words, f"{each['photos']:,}", *(f"{error:.3f}" for error in found)])
    head = ["FC only, scored on", "learnable photos", "softmax", "fitted to validation photos"]
    ways = {"validation": "to validation photos", "years": "to years that were left out"}
    temperatures = ", ".join(
        f"{temperature:.3f} if fitted {ways[way]}"
        for way, temperature in own["temperatures"].items()
    )
    error = own["odd_years"][own["chosen"]]
    said = (
        f"Temperatures: {temperatures}. Chosen on even years: the one fitted {ways[own['chosen']]}."
    )
    table = markdown([*head, "fitted to left-out years"], rows)
    return f"{table}\n\n{said} {_against_goal(error)}"


def _temperature(name: str, own: dict[str, Any]) -> str:
    scored = {"validation photos": own["validation"], "odd years": own["odd_years"]}
    rows = [
        [words, f"{each['photos']:,}", f"{each['before']:.3f}", f"{each['validation']:.3f}"]
        for words, each in scored.items()
    ]
    head = [f"`{name}`, scored on", "learnable photos", "softmax", "fitted to validation photos"]
    said = f"Temperature: {own['temperature']:.3f}."
    return f"{markdown(head, rows)}\n\n{said} {_against_goal(own['odd_years']['validation'])}"


def _against_goal(error: float) -> str:
    word = "met" if error <= GOAL else "missed"
    return f"Goal, at most {GOAL} on the odd years: {word}."


def _unattended(networks: dict[str, dict[str, Any]]) -> str:
    """How many photos of odd years get a label alone, by thresholds from validation photos."""
    rows = []
    for name, own in networks.items():
        temperature = own["unattended"]["temperature"]
        for each in own["unattended"]["after"]:
            given = each["given"]["all"]
            rows.append(
                [
                    f"`{name}`",
                    f"{temperature:.3f}",
                    percent(each["accuracy"], 0),
                    "–" if each["threshold"] is None else f"{each['threshold']:.2f}",
                    percent(given["coverage"]),
                    percent(given["accuracy"]),
                    percent(each["best"]["all"]["coverage"]),
                ]
            )
    head = ["network", "temperature", "accuracy asked for", "threshold from validation photos"]
    head += ["answered of all odd-year photos", "right of these"]
    return markdown([*head, "could be answered at that accuracy"], rows)


def honest(results: Path) -> str:
    """What even and odd years share, and how they differ."""
    if (measured := read_measured(results, "data_check")) is None:
        return "Not measured yet; `python -m study data-check --data …` does."
    rows = [[words, *each.values()] for words, each in measured["shared"].items()]
    shared = markdown(
        ["duplicates within or between", "pairs", "photos", "pairs whose labels differ"], rows
    )
    pairs, shift = ([list(each.values()) for each in measured[part]] for part in ("noise", "shift"))
    noise = markdown(["years", "one twin is", "the other", "pairs"], pairs)
    years = ", ".join(f"{year}: {photos:,}" for year, photos in measured["years"].items())
    moved = markdown(["class", "even years", "odd years"], shift)
    stored = measured["as_stored"]
    turned = (
        f"Of the {stored['photos']:,} photos, {stored['on_their_side']} are stored on their side "
        f"(by their EXIF data) and {stored['transparent']} have transparent pixels. "
        "Only such photos are turned upright or put on white."
    )
    return f"{shared}\n\n{noise}\n\nPhotos by year: {years}.\n\n{moved}\n\n{turned}"
