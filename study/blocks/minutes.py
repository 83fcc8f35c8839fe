"""Minutes until a published accuracy is passed, beside the published loop's own time for it."""

from pathlib import Path

from study.blocks.markdown import markdown, percent
from study.minutes import published_minutes, timed, whole_minutes
from study.published import read_published
from study.records import read_records

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
    published = read_published(results)
    records = read_records(results)
    rows = []
    for name, trainings, goal in GOALS:
        figure = max(each["top1"] for each in published[name])
        passing = {
            whole_minutes(record, records): record
            for record in runs.values()
            if record.about["top1"] > figure
            and (trainings is None or record.config.training in trainings)
        }
        row = [percent(figure), WORDS[trainings]]
        if passing:
            ours = min(passing)
            times = theirs[name] / ours
            row += [f"`{passing[ours].name}`, {percent(passing[ours].about['top1'])}"]
            row += [f"{ours:.0f}", f"{theirs[name]:,.0f}", f"{times:,.0f}×"]
        else:
            times = 0
            row += ["–", "–", f"{theirs[name]:,.0f}", "–"]
        rows.append([*row, f"{goal}×: {'met' if times >= goal else 'missed'}"])
    head = ["published", "passed by", "quickest run on record", "its minutes"]
    head += ["published loop, minutes", "times faster", "goal"]
    return f"{bench['machine']}:\n\n{markdown(head, rows)}"
