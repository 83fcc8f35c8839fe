"""How well networks learn classes that come later, from a few photos each."""

from pathlib import Path
from typing import Any

from study.blocks.markdown import markdown, percent
from study.records import read_measured

BLOCKS = {"last": "the last block's features", "last two": "the last two blocks' features"}
COLUMNS = ("known", "new", "new_macro", "harmonic", "all")


def few_shot(results: Path) -> str:
    """Each network on the odd years, and the methods on hidden classes of even years."""
    if (measured := read_measured(results, "few_shot")) is None:
        return "Not measured yet; `python -m study few-shot --data … --weights …` does."
    parts = []
    for name, network in measured["networks"].items():
        if "hidden" in network:
            parts.append(_hidden(network["hidden"], (network.get("method"), network.get("scale"))))
        parts += [_odd(name, BLOCKS[block], rows) for block, rows in network["odd_years"].items()]
    return "\n\n".join(parts)


def _odd(name: str, words: str, rows: list[dict[str, Any]]) -> str:
    before = rows[0]["before"]
    lines = []
    for row in rows:
        shares = [
            f"{percent(row['after'][figure])} ({_between(row['interval95'][figure])})"
            for figure in COLUMNS
        ]
        lines.append([row["shots"], row["classes"], *shares])
    head = ["photos each", "new classes", "known", "new", "new, mean of classes"]
    head += ["harmonic mean of known and new", "all photos"]
    said = (
        f"`{name}`, {words}, {rows[0]['draws']} draws; in brackets, what 95 % of the draws gave. "
        f"Before: known {percent(before['known'])}, all photos {percent(before['all'])}."
    )
    return f"{said}\n\n{markdown(head, lines)}"


def _hidden(rows: list[dict[str, Any]], shipped: tuple[str | None, float | None]) -> str:
    """Each method at its best scale, by hidden classes; then ``extend``, without a bias.

    ``shipped`` is the method and the scale that ``extend`` uses. Older measurements don't name the
    method, and did not try that scale.
    """
    shots = sorted({row["shots"] for row in rows})
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own: dict[float, dict[int, float]] = {}
        for row in rows:
            if row["method"] == method:
                own.setdefault(row["scale"], {})[row["shots"]] = row["new"]
        best = max(own, key=lambda each: sum(own[each].values()))
        lines.append([method, f"{best:.2g}", *(percent(own[best][n]) for n in shots)])
    said = (
        "Mean accuracy of hidden classes. A bias is added to the new logits, so that the known "
        "photos lose 0.5 points; each method is at its best scale."
    )
    plain = {row["shots"]: row for row in rows if (row["method"], row["scale"]) == shipped}
    if plain:
        cells = [percent(plain[n]["plain_new"]) for n in shots]
        lines.append([f"**`extend`**: {shipped[0]}, no bias", f"{shipped[1]:.2g}", *cells])
        costs = ", ".join(f"{100 * plain[n]['plain_cost']:.2f}" for n in shots)
        said += (
            " The last row is what `extend` does. It has no bias, so its known photos lose another "
            f"share: {costs} points, from {shots[0]} to {shots[-1]} photos each."
        )
    head = ["hidden classes of even years", "scale", *(f"{n} each" for n in shots)]
    return f"{said}\n\n{markdown(head, lines)}"


def _between(interval: list[float]) -> str:
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f}"
