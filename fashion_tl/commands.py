"""Transfer learning on Fashion Product Images: train, report, predict, extend, serve, export."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from fashion_tl import __version__, commandline
from fashion_tl.actions import (
    audit,
    download,
    export,
    extend,
    figures,
    predict,
    remember,
    report,
    run,
    sample,
    serve,
    similar,
    summary,
)
from fashion_tl.backbones import BACKBONES, DEFAULT_BACKBONE
from fashion_tl.config import CHOICES, DEFAULT_LABEL, DEFAULT_WEIGHTS, RECIPES
from fashion_tl.recipes import APPROACHES
from fashion_tl.split import EVEN_ODD, for_a_shell


def parser() -> argparse.ArgumentParser:
    # The installed command is a file fashion-tl. With python -m, the file is __main__.py.
    is_script = os.path.splitext(os.path.basename(sys.argv[0]))[0] == "fashion-tl"
    main = argparse.ArgumentParser(
        prog="fashion-tl" if is_script else "python -m fashion_tl", description=__doc__
    )
    main.add_argument("--version", action="version", version=f"fashion_tl {__version__}")
    commands = main.add_subparsers(required=True, metavar="command")

    command = partial(commandline.add_command, commands)
    _commands_of_data(command)
    _command_of_training(command)
    _commands_of_a_run(command)
    _commands_of_photos(command)
    return main


def _commands_of_data(command: Callable[..., argparse.ArgumentParser]) -> None:
    new = command(summary, "Count the photos of a data root, and say what is left out and why.")
    _label_and_split(new)
    new.add_argument("--bad-rows", choices=CHOICES["bad_rows"], default="skip")
    new.add_argument("--json", action="store_true")

    new = command(
        audit, "Find labels to check, which may be wrong: a table, and a page with the photos."
    )
    new.add_argument("--to", required=True, help="folder for labels.csv and labels.html")
    _label(new)
    _weights_and_settings(new)

    new = command(sample, "Draw the built-in sample.", data=False)
    new.add_argument("--to", required=True, help="folder to draw it into")
    new.add_argument("--photos", type=int, default=1200)
    new.add_argument("--types", type=int, default=30)
    new.add_argument("--seed", type=int, default=2010)

    new = command(download, "Download the data set from Kaggle.", data=False)
    new.add_argument(
        "--small",
        action="store_true",
        help="the photos of 80×60 (600 MB) instead of the full-size ones",
    )
    new.add_argument("--to", required=True, help="folder to put the zip into")


def _label(new: argparse.ArgumentParser) -> None:
    new.add_argument(
        "--label",
        help=f"the column that names the classes (default: {DEFAULT_LABEL})",
    )


def _weights_and_settings(new: argparse.ArgumentParser) -> None:
    new.add_argument(
        "--weights",
        help=f"torchvision's (default: {DEFAULT_WEIGHTS}), a file of such a network, or `none`",
    )
    words = "any other setting; may be repeated"
    new.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=words)


def _label_and_split(new: argparse.ArgumentParser) -> None:
    _label(new)
    new.add_argument(
        "--split",
        help=f"which photos train and which test: {for_a_shell()} (default: {EVEN_ODD})",
    )


def _command_of_training(command: Callable[..., argparse.ArgumentParser]) -> None:
    new = command(run, "Train and evaluate one approach, as its notebook does.")
    new.set_defaults(goes_on=commandline.GOES_ON)
    new.add_argument("approach", choices=APPROACHES)
    new.add_argument("--out", required=True, help="folder of the run")
    _label_and_split(new)
    new.add_argument("--backbone", choices=BACKBONES, help=f"default: {DEFAULT_BACKBONE}")
    new.add_argument("--recipe", choices=RECIPES, default="tuned", help="default: %(default)s")
    new.add_argument("--epochs", type=int, help="default: the recipe's")
    new.add_argument("--seed", type=int, help="default: 0")
    new.add_argument(
        "--workers", type=int, help="processes that decode photos (default: one for each processor)"
    )
    _weights_and_settings(new)


def _commands_of_a_run(command: Callable[..., argparse.ArgumentParser]) -> None:
    new = command(figures, "Draw the figures of a run again, without training.", of_a_run=True)
    new.add_argument("run", help="folder of the run")

    words = "Write a finished run as one HTML page that needs no network."
    new = command(report, words, of_a_run=True)
    new.add_argument("run", help="folder of the run")
    new.add_argument("--to", help="the page's file (default: report.html in the run's folder)")

    words = "Give a run that has no memory of its training photos one."
    new = command(remember, words, of_a_run=True)
    new.add_argument("run", help="folder of the run")

    new = command(export, "Write a model for use without this package.", data=False)
    new.add_argument("run", help="folder of the run")
    new.add_argument(
        "--onnx", action="store_true", required=True, help="as ONNX, the only format so far"
    )
    new.add_argument("--to", help="file to write (default: model.onnx in the run's folder)")


def _commands_of_photos(command: Callable[..., argparse.ArgumentParser]) -> None:
    words = "Name the five most likely classes of any photos, computed in float32."
    new = command(predict, words, data=False)
    new.add_argument("run", help="folder of the run")
    new.add_argument("photos", nargs="+", help="image files, and folders of them")
    new.add_argument(
        "--to", help="write the answers into this .csv or .json instead of printing them"
    )

    words = "Name the training photos that are nearest to any photos."
    new = command(similar, words, data=False)
    new.add_argument("run", help="folder of the run")
    new.add_argument("photos", nargs="+", help="image files, and folders of them")
    new.add_argument("--top", type=int, default=10, help="how many of them (default: %(default)s)")
    new.add_argument("--json", action="store_true", help="print them as JSON")
    new.add_argument("--out", help="a .png file for a picture of them, for a single photo")
    new.add_argument("--data", help="the run's data, for the picture: folder, zip or `sample`")
    new.add_argument("--cache", help="folder for decoded photos, for the picture")

    words = "Teach a run more classes from a few photos, without training."
    new = command(extend, words, data=False)
    new.add_argument("run", help="folder of the run; it stays as it is")
    new.add_argument("--photos", required=True, help="a folder with a folder for each class")
    new.add_argument("--out", required=True, help="folder for the extended run")
    new.add_argument(
        "--known", action="store_true", help="allow more photos of classes that the run knows"
    )

    words = "Show a page on this machine that names dropped photos, and learns classes from a few."
    new = command(serve, words, data=False)
    new.add_argument("run", help="folder of the run; it stays as it is")
    new.add_argument("--port", type=int, default=8765, help="default: %(default)s")
    new.add_argument("--data", help="the run's data, to show the training photos")
    new.add_argument("--cache", help="folder for decoded photos")
