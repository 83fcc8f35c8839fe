"""What makes the numbers on record: trainings, trials, checks, and the tables and charts that are
made of them.
"""

import argparse
from collections.abc import Callable
from functools import wraps

from fashion_tl import commandline
from fashion_tl.files import as_path
from fashion_tl.recipes import APPROACHES
from study.actions import (
    audit,
    calibration,
    check,
    company,
    compare,
    data_check,
    detail,
    episodes,
    few_shot,
    fewer,
    flips,
    gpu,
    heads,
    minutes,
    precision,
    profile,
    record,
    render,
    speed,
    train,
    trials,
    tune,
    unknown,
)
from study.places import RESULTS, refuse_unfit, writable


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    commands = main.add_subparsers(required=True, metavar="command")
    add_trainings(commands)
    add_trials(commands)
    add_measurements(commands)
    add_comparisons(commands)
    add_records(commands)
    bench = commands.add_parser(
        "bench", help="How fast it is, beside what.", description="How fast it is, beside what."
    )
    add_benches(bench.add_subparsers(required=True, metavar="what"))
    return main


def add(
    commands: argparse._SubParsersAction,
    function: Callable,
    words: str,
    data: bool = True,
    writes: bool = True,
    stated: bool = True,
    years: bool = False,
) -> argparse.ArgumentParser:
    """A command with a function's name that calls it, and ``writes`` where it is told.

    One that writes refuses data whose figures can't go on record: see :func:`on_fit_data`.
    """
    measure = on_fit_data(function, stated, years) if writes else function
    new = commandline.add_command(commands, measure, words, data)
    folder = writable if writes else as_path
    about = "folder of the records (default: results/)"
    new.add_argument("--results", type=folder, default=str(RESULTS), help=about)
    return new


def on_fit_data(function: Callable, stated: bool, years: bool) -> Callable:
    """The same function, which first looks at each data root that its words name, however.

    :func:`study.places.refuse_unfit` says what is refused, and what ``stated`` and ``years`` are. A
    finished run has its own split, so its network needs no years. ``--tiny`` puts nothing on
    record.
    """

    @wraps(function)
    def measure(args: argparse.Namespace) -> None:
        given = vars(args)
        roots = [given[name] for name in ("data", "large") if given.get(name) is not None]
        needs = {"stated": stated, "years": years and not given.get("run")}
        for root in roots if not given.get("tiny") else ():
            refuse_unfit(root, args.results, given.get("set", ()), **needs)
        function(args)

    return measure


def add_trainings(commands: argparse._SubParsersAction) -> None:
    new = add(commands, train, "Make every run on record again, or what a GPU has time for.")
    new.set_defaults(goes_on=commandline.GOES_ON)
    new.add_argument(
        "--weights",
        nargs="+",
        required=True,
        help="torchvision's, or a file of such a network; one after the other if there are several",
    )
    new.add_argument("--out", required=True, help="folder for the runs")
    new.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this run alone; repeatable"
    )
    new.add_argument(
        "--gpu",
        action="store_true",
        help="both recipes with three sizes and three seeds each, instead",
    )


def add_measurements(commands: argparse._SubParsersAction) -> None:
    words = "FC only over five seeds, five folds and each even year: fc_head.json."
    new = add(commands, heads, words, years=True)
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")

    words = "FC only from an empty cache, everything included: minutes.json."
    new = add(commands, minutes, words, data=False)
    new.add_argument("--data", required=True, help="folder or zip in Kaggle's layout")
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")

    words = "What probabilities are worth, before and after a temperature: calibration.json."
    new = add(commands, calibration, words, years=True)
    new.add_argument("--weights", help="torchvision's, or a file of such a network")
    new.add_argument("--run", help="measure this finished run instead of FC only's head")

    new = add(commands, few_shot, "Learn classes from a few photos: few_shot.json.")
    new.add_argument("--weights", help="torchvision's, or a file of such a network")
    new.add_argument("--run", help="measure this finished run's network instead")
    new.add_argument("--set", action="append", default=[], help="NAME=VALUE, as for `run`")

    words = "Name classes never learned, N-way k-shot: episodes.json."
    new = add(commands, episodes, words, stated=False)  # it takes the photos of all years
    new.set_defaults(goes_on=commandline.GOES_ON)
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    new.add_argument("--out", required=True, help="folder for its two trainings")
    words = "another setting than direct's; repeatable"
    new.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=words)

    new = add(commands, unknown, "Tell photos that are like nothing it learned: unknown.json.")
    new.add_argument("--weights", help="torchvision's, or a file of such a network")
    new.add_argument("--run", help="score this finished run instead, as chosen before")
    new.add_argument("--set", action="append", default=[], help="NAME=VALUE, as for `run`")


def add_comparisons(commands: argparse._SubParsersAction) -> None:
    new = add(commands, detail, "The same trainings on small and on large photos: detail.json.")
    new.set_defaults(goes_on=commandline.GOES_ON)
    new.add_argument("--large", required=True, help="folder or zip of the same photos, larger")
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    new.add_argument("--out", required=True, help="folder for the runs")
    new.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this training alone; repeatable",
    )

    new = add(commands, flips, "Score finished runs without mirror images in testing: flips.json.")
    new.add_argument("runs", nargs="+", help="folders with the names of their records")

    words = "Count what even and odd years share: data_check.json."
    add(commands, data_check, words, years=True)

    new = add(commands, audit, "Find labels to check: labels.csv and audit.json.")
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    words = "another setting than FC only's; repeatable"
    new.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=words)


def add_trials(commands: argparse._SubParsersAction) -> None:
    new = add(commands, tune, "Make the tuning's trials, which see no photo of an odd year.")
    new.set_defaults(goes_on=commandline.GOES_ON)
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    new.add_argument("--out", required=True, help="folder for the trials")
    new.add_argument(
        "--only",
        action="append",
        default=[],
        choices=APPROACHES,
        help="this approach alone; repeatable",
    )
    new.add_argument(
        "--trial", action="append", default=[], metavar="NAME", help="this trial alone; repeatable"
    )

    new = add(
        commands,
        trials,
        "Try changes of the recipes, judged by years left out: trials.csv.",
        years=True,
    )
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    new.add_argument("--out", required=True, help="folder that several processes may share")
    new.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this trial alone; repeatable"
    )

    words = "Train with fewer operations, seed by seed, judged by years left out: fewer.csv."
    new = add(commands, fewer, words, years=True)
    new.add_argument("--weights", required=True, help="torchvision's, or a file of such a network")
    new.add_argument("--out", required=True, help="folder that several processes may share")


def add_records(commands: argparse._SubParsersAction) -> None:
    new = add(commands, record, "Put finished runs on record.", data=False)
    new.add_argument("runs", nargs="+", help="folders of the runs")
    new.add_argument("--name", help="of the record, for a single run (default: its training's)")
    new.add_argument(
        "--base",
        action="append",
        metavar="NAME",
        help="a record that it is compared with; repeatable",
    )
    new.add_argument(
        "--group", metavar="NAME", help="what runs share that differ in the seed alone"
    )
    new.add_argument("--why", default="on record", help="the test photos were looked at")

    words = "Compute every metric on record again, from predictions and styles.csv alone."
    new = add(commands, check, words, writes=False)
    new.add_argument(
        "--pair", action="store_true", help="and compare the runs photo by photo: paired.json"
    )

    new = add(commands, compare, "Print runs on record side by side.", data=False, writes=False)
    new.add_argument("runs", nargs="*", help="names of records (default: all)")

    words = "Make the documents' marked blocks and images/results/ from results/."
    commandline.add_command(commands, render, words, data=False)


def add_benches(commands: argparse._SubParsersAction) -> None:
    new = add(
        commands,
        speed,
        "Beside the published way and the bare network, on this machine (20 to 30 minutes).",
        data=False,
        stated=False,  # no photo is named
    )
    new.add_argument("--data", required=True, help="a .zip in Kaggle's layout")

    add(
        commands,
        company,
        "Only the rows beside other busy programs, in a file of their own.",
        data=False,
    )

    words = "Where the time of a training goes on this machine's processor (3 minutes)."
    add(commands, profile, words, stated=False)

    words = "All that a GPU should be measured on (8 minutes)."
    new = add(commands, gpu, words, data=False, stated=False)
    new.add_argument("--data", help="folder or zip (with --tiny, by default the built-in sample)")
    new.add_argument(
        "--tiny", action="store_true", help="try this program itself; nothing is put on record"
    )

    new = add(
        commands,
        precision,
        "What bf16 changes in the answers of finished runs: precision.json.",
        data=False,
    )
    new.add_argument("runs", nargs="+", help="folders of the runs")
    new.add_argument("--data", required=True, help="folder or zip of the photos and styles.csv")
