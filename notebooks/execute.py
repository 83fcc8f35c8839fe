"""Execute the notebooks that train, on the sample or on other data, and print what they reached.

    python notebooks/execute.py --out runs/demo
    python notebooks/execute.py --out runs/mine --data ROOT --weights WEIGHTS --epochs 20

Executed copies, run folders and figures lie under --out. Only --refresh (``make demo``) touches the
committed notebooks and ``images/``, and only with the built-in sample in them: photos of a real run
stay out of git.
"""

import argparse
import copy
import io
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

import nbformat
import pandas as pd
import papermill
import torch
from nbformat import NotebookNode

from fashion_tl.commandline import GOES_ON, exit_code
from fashion_tl.config import DEFAULT_WEIGHTS, parse_settings
from fashion_tl.data.catalogue import read_catalogue
from fashion_tl.data.dataroot import SAMPLE, DataRoot, open_root
from fashion_tl.files import as_path
from fashion_tl.network.model import available_weights
from fashion_tl.network.weights import default_weights
from fashion_tl.recipes import APPROACHES, approach_configs, suiting_random_weights
from fashion_tl.reporting.evaluation import headline
from fashion_tl.runs import Run, open_run

WITH_NOTEBOOKS = [name for name, row in APPROACHES.items() if row.notebook]
# One more notebook, which goes on with the run of an approach. It needs classes that only test
# photos show, so it is executed on the sample, or if it is asked for.
NEW_CLASSES, GOES_ON_WITH = "new_classes", "fc_only"
NOTEBOOKS = {name: APPROACHES[name].notebook for name in WITH_NOTEBOOKS}
NOTEBOOKS[NEW_CLASSES] = "05_new_classes"
HERE = Path(__file__).resolve().parent


class Terminal:
    """A stream for any letter, on which a line that begins with NOTE appears once, though each
    notebook says it.
    """

    def __init__(self, stream: TextIO) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        self.stream, self.said, self.rest = stream, set(), ""

    def write(self, text: str) -> int:
        *lines, self.rest = f"{self.rest}{text}".split("\n")  # a line may come in parts
        for line in lines:
            if line not in self.said:
                self.stream.write(f"{line}\n")
            if line.startswith("NOTE"):
                self.said.add(line)
        return len(text)

    def flush(self) -> None:
        self.stream.write(self.rest)
        self.rest = ""
        self.stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def execute(name: str, out: Path, parameters: dict) -> Path:
    """Run one notebook in a fresh kernel, show its output as it comes, return the executed copy."""
    target = out / f"{NOTEBOOKS[name]}.ipynb"
    notebook = nbformat.read(HERE / target.name, 4)
    notebook.cells = [  # without what an earlier execution said of its weights
        cell for cell in notebook.cells if cell.metadata.get("tags") != ["executed-from"]
    ]
    papermill.execute_notebook(
        notebook,
        target,
        parameters | {"out": relative(run_folders(name, out)[-1])},
        cwd=str(HERE),
        progress_bar=False,
        extra_arguments=["--log-level=ERROR"],
        stdout_file=sys.stdout,
        stderr_file=sys.stderr,
    )
    notebook = nbformat.read(target, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = tidy(cell.outputs)
    nbformat.write(notebook, target)
    return target


def tidy(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """One output per stream, as a terminal shows it in the end: progress bars draw themselves over
    and over.
    """
    kept, streams = [], {}
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            streams[output.name] = output
            kept.append(output)
    for output in streams.values():
        lines = (line.rsplit("\r", 1)[-1].rstrip() for line in output.text.split("\n"))
        output.text = "".join(f"{line}\n" for line in lines if line.strip())
    return [output for output in kept if output.output_type != "stream" or output.text]


def relative(path: Path) -> str:
    """A path as the notebooks see it; one in this repository without the machine's folders."""
    path = path.resolve()
    inside = path.is_relative_to(HERE.parent)
    return f"../{path.relative_to(HERE.parent).as_posix()}" if inside else str(path)


def refresh(executed: Path, runs: list[Run]) -> None:
    """Put an executed notebook and the figures of its runs in the place of the committed ones."""
    notebook = committed_form(nbformat.read(executed, 4), runs[-1].about["weights"]["name"])
    (HERE / executed.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    (HERE.parent / "images").mkdir(exist_ok=True)
    for run in runs:
        for figure in (run.folder / "figures").glob("*.png"):
            shutil.copyfile(figure, HERE.parent / "images" / figure.name)


def committed_form(notebook: NotebookNode, weights: str) -> NotebookNode:
    """Without this machine's folders, this execution's parameters and papermill's notes; its cells
    are counted from 1.

    A line in the place of those parameters says which weights it was executed from.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("papermill", None)
    cells, count = [], 0
    for cell in notebook.cells:
        tags = cell.metadata.pop("tags", [])
        cell.metadata.clear()
        if tags == ["executed-from"]:
            continue
        if "injected-parameters" in tags:
            said = (
                f"*The output below was made from `{weights}`. From other weights, yours differs.*"
            )
            cell = nbformat.v4.new_markdown_cell(
                said, id="executed-from", metadata={"tags": ["executed-from"]}
            )
        elif tags:
            cell.metadata["tags"] = tags
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [without_folders(output, count) for output in cell.outputs]
        cells.append(cell)
    notebook.cells = cells
    return notebook


def without_folders(output: NotebookNode, count: int) -> NotebookNode:
    """An output as anybody's machine would have given it, as the ``count``-th."""
    if "execution_count" in output:
        output.execution_count = count
    if "text" in output:
        for private in sorted(
            {str(HERE.parent), str(Path.home()), torch.hub.get_dir()} - {"/"}, key=len, reverse=True
        ):
            output.text = output.text.replace(private, "…")
    return output


def table(runs: list[Run]) -> pd.DataFrame:
    """What each approach reached, beside the ceiling."""
    shown = {
        "top1": "top-1",
        "top5": "top-5",
        "macro": "macro",
        "ceiling": "ceiling",
        "minutes": "minutes",
    }
    return (
        pd.concat(headline(run.metrics) for run in runs)[[*shown]]
        .rename(columns=shown)
        .rename_axis("approach")
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=as_path, required=True, help="folder for executed notebooks and runs"
    )
    parser.add_argument("--data", default=SAMPLE, help="default: the built-in sample")
    parser.add_argument(
        "--weights",
        help=f"default: {DEFAULT_WEIGHTS}, downloaded once; random if that fails on the sample",
    )
    parser.add_argument("--recipe", default="tuned")
    parser.add_argument(
        "--epochs", type=int, help="default: the recipe's own; the notebook's own on the sample"
    )
    parser.add_argument("--cache")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other; repeatable"
    )
    parser.add_argument(
        "--only", choices=NOTEBOOKS, action="append", help="leave out the other notebooks"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="replace the committed notebooks and images/"
    )
    return parser.parse_args()


def main() -> int:
    args = arguments()
    is_sample = args.data == SAMPLE
    if args.refresh and not is_sample:
        raise SystemExit("--refresh is for the built-in sample alone")
    if is_sample and not args.refresh:
        print("The notebooks run on the built-in sample; DATA=PATH names other data.")
    settings, root, backbone = checked(args)
    weights = args.weights
    if weights is None:
        weights = default_weights(*(args.out / approach for approach in WITH_NOTEBOOKS))
    # Here, not in each notebook: a download is tried once.
    weights = available_weights(weights, root.is_sample, backbone)
    chosen = args.only or (NOTEBOOKS if root.is_sample else WITH_NOTEBOOKS)
    own = dict.fromkeys(map(approach_of, chosen), settings)
    # `--weights none` on the sample shows what happens without a network.
    gentler = weights is None and root.is_sample and args.recipe != "published"
    if gentler:
        own = {name: suiting_random_weights(name, args.recipe, settings) for name in own}
    given = parameters(args, weights)
    args.out.mkdir(parents=True, exist_ok=True)
    done: dict[Path, list[Run]] = {}
    for name in chosen:
        print(f"\n=== notebooks/{NOTEBOOKS[name]}.ipynb", flush=True)
        try:
            executed = execute(name, args.out, given | {"settings": own[approach_of(name)]})
        except papermill.PapermillExecutionError as error:
            way_out = " (make: OUT=runs/other)" if error.ename == "RunError" else ""
            said = f"{error.ename}: {error.evalue}{way_out}"
            print(f"error: {NOTEBOOKS[name]}.ipynb: {said}", file=sys.stderr)
            return 1
        folders = run_folders(name, args.out)
        done[executed] = [
            open_run(folder) for folder in folders if (folder / "metrics.json").exists()
        ]
    for executed in done if args.refresh else ():
        refresh(executed, done[executed])
    by_folder = {run.folder: run for both in done.values() for run in both}
    summary([*by_folder.values()], args, gentler)
    return 0


def approach_of(name: str) -> str:
    """The approach whose runs a notebook makes, or goes on with."""
    return GOES_ON_WITH if name == NEW_CLASSES else name


def run_folders(name: str, out: Path) -> list[Path]:
    """Where a notebook's runs lie, one for each training of its approach, in order."""
    approach = approach_of(name)
    folder = out / approach
    return [*(folder / step for step in APPROACHES[approach].trainings[:-1]), folder]


def checked(args: argparse.Namespace) -> tuple[dict, DataRoot, str]:
    """The settings given, the data root and the backbone, checked as each notebook checks them.

    So a mistake ends the whole program before one notebook starts. ``epochs`` is a parameter of its
    own in the notebooks: it becomes ``args.epochs``.
    """
    settings = parse_settings(args.set, epochs=args.epochs)
    args.epochs = settings.pop("epochs")
    for approach in WITH_NOTEBOOKS:
        config = approach_configs(approach, args.recipe, epochs=args.epochs, **settings)[-1]
    root = open_root(args.data, args.cache)
    read_catalogue(root, config.bad_rows, config.label, config.split, config.split_seed)
    return settings, root, config.backbone


def parameters(args: argparse.Namespace, weights: str | None) -> dict:
    """What is put in the place of the notebooks' own parameters, alike for all of them."""
    file = as_path(weights or "none")
    given = {
        "data_root": SAMPLE if args.data == SAMPLE else str(as_path(args.data).resolve()),
        "weights": str(file.resolve()) if file.is_file() else weights or "none",
        "recipe": args.recipe,
        "cache": str(as_path(args.cache).resolve()) if args.cache else None,
    }
    return given | ({"epochs": args.epochs} if args.epochs or args.data != SAMPLE else {})


def summary(runs: list[Run], args: argparse.Namespace, gentler: bool) -> None:
    """Print what came out and where it is."""
    print(f"\n{table(runs).reset_index().to_string(index=False)}\n")
    print(f"run folders:        {', '.join(str(run.folder) for run in runs)}")
    print(
        f"executed notebooks: {args.out}/*.ipynb\nfigures:            {args.out}/**/figures/*.png"
    )
    if any(run.is_random for run in runs):
        own = ", with gentler settings than the recipe's" if gentler else ""
        print(
            f"NOTE: these runs started from RANDOM weights{own}: nothing was transferred. "
            f"{DEFAULT_WEIGHTS} is downloaded where there is a network; WEIGHTS=FILE takes a file."
        )
    if args.refresh:
        print(
            "images/ and notebooks/ now hold these; "
            "`git restore images notebooks` brings the committed ones back"
        )


if __name__ == "__main__":
    with redirect_stdout(Terminal(sys.stdout)):
        sys.exit(exit_code(main, lambda: f"stopped{GOES_ON} (`make demo` starts anew)"))
