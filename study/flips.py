"""What averaging over mirror images in testing is worth: trained networks scored on the odd years
without it.

python -m study flips runs/results/direct_80x60 … --data …     # writes results/flips.json
"""

from collections.abc import Sequence
from pathlib import Path

from fashion_tl.files import as_path
from fashion_tl.network.inference import forward, pick_device
from fashion_tl.network.trained import load_network
from fashion_tl.reporting.evaluation import metrics, prediction_table
from fashion_tl.reporting.gallery import open_steps
from fashion_tl.runs import commit, open_run, write_json
from study.record import look, name_of, refuse_unmeasured
from study.records import one_at_a_time, read_measured, read_record


def without_flips(
    folder: Path, data_path: str, cache: str | None = None
) -> dict[str, float | int | None]:
    """The figures of merit of a finished run's network (of two steps, the second's), each test
    photo predicted once.

    RunError when the run was made on other data.
    """
    run, data = open_steps(folder, data_path, cache)[-1]
    saved = load_network(run)
    model = saved.model.to(pick_device())
    logits = forward(model, data.batches("test", run.config), run.config.precision).numpy()
    answers = prediction_table(
        data.table("test"),
        logits,
        saved.classes,
        saved.fit_counts,
        temperature=saved.temperature,
    )
    return metrics(answers, data.counts)


def main(runs: Sequence[str], data: str, cache: str | None, results: Path) -> None:
    """Score these finished runs again, whose folders have the names of their records; write
    ``flips.json``. Other runs that it has stay.

    RunError where one is not on record, isn't finished, was extended, or was made on other data.
    """
    folders = [as_path(run) for run in runs]
    for folder in folders:
        refuse_unmeasured(folder)
        read_record(results, name_of(folder))
    read_measured(results, "flips")  # a damaged file is an error before the work
    for folder in folders:
        run, figures = open_run(folder), without_flips(folder, data, cache)
        own = {
            # Older runs lack some figures.
            "with": {figure: run.metrics[figure] for figure in figures if figure in run.metrics},
            "without": figures,
        }
        about = run.metrics | figures | {"commit": commit()}
        name = name_of(folder)
        look(name, about, run.config, "without flips in testing", results)
        with one_at_a_time(results):
            found = read_measured(results, "flips") or {}
            write_json(results / "flips.json", found | {name: own})
