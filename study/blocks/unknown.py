"""How well photos that are like nothing a network learned from are told from others."""

from pathlib import Path
from statistics import mean
from typing import Any

from study.blocks.markdown import markdown, percent
from study.records import read_measured

AUROC_GOAL, ACCEPTED_GOAL = 0.96, 0.2  # of all unknown photos
PARTS = {
    "all": "all unknown photos",
    "near": "near: their master category has training photos",
    "far": "far: it has none",
}


def unknown(results: Path) -> str:
    """Every score on hidden classes of even years, and the chosen one on the odd years."""
    if (measured := read_measured(results, "unknown")) is None:
        return "Not measured yet; `python -m study unknown --data … --weights …` does."
    others = measured.get("other_sizes", {})
    parts = [_hidden(measured), *(_again(each) for each in others.values())]
    networks = [("FC only", each["odd_years"], each) for each in (measured, *others.values())]
    networks += [(name, each, each) for name, each in measured["runs"].items()]
    parts += [_odd(name, each, _size(made)) for name, each, made in networks]
    return "\n\n".join(parts)


def _size(made: dict[str, Any]) -> str:
    return "×".join(map(str, made["config"]["image_size"]))


def _again(other: dict[str, Any]) -> str:
    """What the same choice would have been at another size, after it had been made."""
    used, here = other["odd_years"]["score"], other["chosen"]
    hidden = {
        score: mean(each["scores"][score]["auroc"] for each in other["hidden"])
        for score in (used, here)
    }
    said = f"The same comparison at {_size(other)}, made later: "
    if used == here:
        return f"{said}it chooses the same score."
    odd = other["by_own_choice"]["unknown"]["all"]
    return (
        f"{said}it would choose {here} (AUROC on hidden classes {percent(hidden[here])}, and "
        f"{percent(hidden[used])} for the {used}). On the odd years, {here} has an AUROC of "
        f"{percent(odd['auroc'])} there, and {percent(odd['accepted_at_95'])} are accepted. "
        f"The choice was not made again."
    )


def _hidden(measured: dict[str, Any]) -> str:
    rows = []
    for score, odd in measured["odd_years"]["scores"].items():
        own = [each["scores"][score] for each in measured["hidden"]]
        name = f"**{score}**" if score == measured["chosen"] else score
        found = [mean(each[figure] for each in own) for figure in ("auroc", "accepted")]
        rows.append([name, *map(percent, found), percent(odd["auroc"]), percent(odd["accepted"])])
    head = ["score", "AUROC, hidden classes", "accepted", "AUROC, odd years", "accepted"]
    sets = len(measured["hidden"])
    words = (
        f"FC only's network at {_size(measured)}. Means over {sets} sets of hidden classes of even "
        "years, and the odd years. *Accepted*: with a threshold that accepts 95 % of the known "
        "photos, this share of the unknown ones is accepted, too. The score in bold was chosen on "
        "the hidden classes."
    )
    return f"{words}\n\n{markdown(head, rows)}"


def _odd(name: str, each: dict[str, Any], size: str) -> str:
    rows = []
    for part, words in PARTS.items():
        if not (own := each["unknown"][part]):
            continue
        figures = [
            f"{percent(own[figure])} ({_between(own[f'{figure}_interval'])})"
            for figure in ("auroc", "accepted_at_95", "accepted")
        ]
        rows.append([words, f"{own['photos']:,}", *figures])
    known, unknown = each["known"], each["unknown"]["all"]
    is_met = [
        "met" if reached else "missed"
        for reached in (
            unknown["auroc"] >= AUROC_GOAL,
            unknown["accepted_at_95"] <= ACCEPTED_GOAL,
        )
    ]
    head = ["odd years", "photos", "AUROC", "accepted where 95 % of the known are", "accepted"]
    said = (
        f"{name} at {size}, by the {each['score']}, with 95 % intervals. The last column is by the "
        f"threshold that accepts 95 % of the validation photos. It accepts "
        f"{percent(known['accepted'])} of the {known['photos']:,} known photos of odd years. "
        f"Goals, AUROC at least {percent(AUROC_GOAL, 0)}: {is_met[0]}; "
        f"at most {percent(ACCEPTED_GOAL, 0)} accepted: {is_met[1]}."
    )
    return f"{said}\n\n{markdown(head, rows)}"


def _between(interval: list[float]) -> str:
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f}"
