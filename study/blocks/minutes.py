"""Minutes until a published accuracy is passed, beside the published loop's own time for it."""

from pathlib import Path
from typing import Any

from study.blocks.markdown import markdown, percent
from study.minutes import SHARED, Timed, fc_only_minutes, published_minutes, timed
from study.published import read_published

# The goals: whose figure, the trainings that may pass it (None for any), and how many times faster.
GOALS = (
    ("fc_only", ("fc_only",), 300),
    ("direct", None, 300),
    ("two_step", ("two_step",), 40),
)
WORDS = {None: "any approach", ("fc_only",): "FC only", ("two_step",): "two steps"}


def minutes(results: Path) -> str:
    """The quickest run on record that passes each published figure, and the published loop."""
    runs, bench = timed(results)
    if bench is None:
        return "Not measured yet; `make bench DATA=…` does, on the machine of the runs on record."
    theirs = published_minutes(results, bench)
    measured = fc_only_minutes(results, bench["machine"])
    published = read_published(results)
    rows = []
    for name, trainings, goal in GOALS:
        figure = max(each["top1"] for each in published[name])
        allowed = [run for run in runs if trainings is None or run.training in trainings]
        row = [percent(figure), WORDS[trainings]]
        cells, times = _quickest([run for run in allowed if run.top1 > figure], theirs[name])
        # FC only may still meet a goal that the others miss.
        is_open = not measured and "fc_only" in (trainings or ("fc_only",))
        verdict = "met" if times >= goal else "open" if is_open else "missed"
        rows.append([*row, *cells, f"{goal}×: {verdict}"])
    head = ["published", "passed by", "quickest run on record", "its minutes"]
    head += ["published loop, minutes", "times faster", "goal"]
    said = f"{_of_fc_only(measured)} {_left_out()}"
    return f"{bench['machine']}:\n\n{markdown(head, rows)}\n\n{said}"


def _quickest(passing: list[Timed], theirs: float) -> tuple[list[str], float]:
    """The cells of the quickest of these runs, and how many times faster it is; 0 without one."""
    if not passing:
        return ["–", "–", f"{theirs:,.0f}", "–"], 0.0
    run = min(passing, key=lambda each: each.minutes)
    times = theirs / run.minutes
    ours = f"`{run.name}`, {percent(run.top1)}"
    return [ours, f"{run.minutes:.0f}", f"{theirs:,.0f}", f"{times:,.0f}×"], times


def _of_fc_only(measured: dict[str, Any] | None) -> str:
    if not measured:
        return (
            "FC only is not measured from an empty cache yet; "
            "`python -m study minutes --data … --weights …` does."
        )
    return (
        f"FC only started from an empty cache (commit {measured['commit']}). It took "
        f"{measured['minutes']:.1f} minutes, {60 * measured['loading']:.0f} seconds of them to "
        "load and decode the photos. For the other runs, that comes on top."
    )


def _left_out() -> str:
    *names, last = (f"`{name}`" for name in SHARED)
    return (
        f"{', '.join(names)} and {last} shared the machine with other work. So they are left out, "
        "here and in the chart."
    )
