"""N-way k-shot episodes: what others state for them, and ours."""

from pathlib import Path
from typing import Any

from fashion_tl.backbones import find_backbone
from fashion_tl.config import Config
from study.blocks.markdown import markdown, percent
from study.records import read_measured

GOALS = {"5-way 1-shot": 0.82, "5-way 5-shot": 0.94, "15-way 1-shot": 0.65, "15-way 5-shot": 0.82}
OURS = {
    "ImageNet": "ImageNet's, never trained on these data",
    "background classes": "fine-tuned on the background classes",
}


def episodes(results: Path) -> str:
    """The figures that others state, ours and the goals; then what was chosen on held-out classes,
    and what both sides share.
    """
    if (stated := read_measured(results, "others")) is None:
        return "`others.json` is missing; it is part of the repository."
    rows = [
        [each["who"], each["network"], each["photos"], *(f"{each[name]} %" for name in GOALS)]
        for each in stated["episodes"]["reported"]
    ]
    measured = read_measured(results, "episodes")
    if measured is not None:
        rows += _ours(measured)
    rows.append(["*goals*", "", "", *(percent(goal, 0) for goal in GOALS.values())])
    table = markdown(["who", "network", "photos", *GOALS], rows)
    if measured is None:
        return f"{table}\n\nOurs are not measured yet; `python -m study episodes` does."
    return "\n\n".join([table, _shared(measured), _held_out(measured)])


def _ours(measured: dict[str, Any]) -> list[list[str]]:
    config = Config.from_dict(measured["config"])
    size = "{}x{}".format(*config.image_size)
    title = find_backbone(config.backbone).title
    rows = []
    for name, network in measured["networks"].items():
        cells = []
        for setting, goal in GOALS.items():
            own = network["evaluation"][setting]
            met = " (met)" if own["accuracy"] >= goal else ""
            cells.append(f"**{percent(own['accuracy'])}** ± {100 * own['margin95']:.1f}{met}")
        rows.append(["**ours**", f"{title}, {OURS[name]}", f"small, at {size}", *cells])
    return rows


def _shared(measured: dict[str, Any]) -> str:
    photos, odd, alike = (measured[name] for name in ("photos", "of_odd_years", "alike"))
    drawn = next(iter(measured["networks"].values()))["evaluation"]["5-way 1-shot"]["episodes"]
    return (
        f"Ours: means over {drawn:,} episodes of each kind, with 95 % intervals over the "
        f"episodes. The episodes draw from {photos['test']:,} photos, {odd['test']:,} of them of "
        f"odd years. {photos['train']:,} photos trained ({odd['train']:,} of odd years) and "
        f"{photos['val']:,} validated. Evaluation photos that are pixel "
        f"for pixel the same as one of a background class: {alike['exact']['photos']:,}; its copy "
        f"was left out. Almost the same (below 2 of 255 levels): {alike['below 2']['photos']:,} "
        f"more, and below 4 levels: {alike['below 4']['photos']:,}; these stayed."
    )


def _held_out(measured: dict[str, Any]) -> str:
    """Each method's mean accuracy on background classes that were held out; bold is the choice."""
    networks = measured["networks"]
    lines = []
    for method in next(iter(networks.values()))["held_out"]:
        shares = [
            f"**{percent(own['held_out'][method])}**"
            if method == own["chosen"]
            else percent(own["held_out"][method])
            for own in networks.values()
        ]
        lines.append([*method.split("; "), *shares])
    head = ["an episode's photos are named by", "features", "of the"]
    said = (
        f"Mean over the four kinds of episodes of {len(measured['held_out'])} background classes, "
        "which the network did not learn from here. Bold is what was chosen."
    )
    return f"{said}\n\n{markdown([*head, *(OURS[name] for name in networks)], lines)}"
