"""Transfer learning on Fashion Product Images, one command each for what the notebooks and their readers need."""

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Sequence

from fashion_tl import __version__
from fashion_tl.config import APPROACHES, DEFAULT_WEIGHTS, RECIPES, parse_setting
from fashion_tl.errors import FashionTLError
from fashion_tl.files import as_path
from fashion_tl.machine import say

# Each command imports what it needs, so that --help and summary never wait for torch.


def summary(args: argparse.Namespace) -> None:
    from fashion_tl.catalogue import facts, read_catalogue
    from fashion_tl.dataroot import open_root

    catalogue = read_catalogue(open_root(args.data, args.cache), args.bad_rows)
    numbers = facts(catalogue)
    if args.json:
        print(json.dumps(numbers, indent=2))
        return
    say(f"{catalogue.name}: even years train, odd years test")
    for note in catalogue.notes:
        say(note)
    for name, value in numbers.items():
        print(f"  {name:<20}{value:>12.2%}" if isinstance(value, float) else f"  {name:<20}{value:>12,}")
    if len(catalogue.left_out):
        say("left out, by line of styles.csv:" if catalogue.left_out["line"].any() else "left out:")
    for line in catalogue.named():
        say(f"  {line}")


def sample(args: argparse.Namespace) -> None:
    from fashion_tl.sample import draw_sample

    print(draw_sample(args.to, photos=args.photos, types=args.types, seed=args.seed))


def download(args: argparse.Namespace) -> None:
    from fashion_tl.download import download

    print(download(args.to, small=args.small))


def run(args: argparse.Namespace) -> None:
    from fashion_tl.approaches import RUN
    from fashion_tl.distributed import processes, rank
    from fashion_tl.evaluation import headline
    from fashion_tl.gallery import draw_all
    from fashion_tl.inference import pick_device
    from fashion_tl.runs import default_weights

    out = as_path(args.out)
    weights = args.weights or default_weights(out)
    with processes(pick_device()):
        settings = {"epochs": args.epochs, "seed": args.seed, **dict(map(parse_setting, args.set))}
        runs = RUN[args.approach](args.data, weights, out, args.recipe, args.cache, workers=args.workers, **settings)
        if rank() > 0:
            return
    for finished in runs:
        print(f"{finished.folder}:\n{headline(finished.metrics).to_string()}")
    print(f"{len(draw_all(out, args.data, args.cache))} figures in {out / 'figures'}")


def figures(args: argparse.Namespace) -> None:
    from fashion_tl.gallery import draw_all

    for file in draw_all(args.run, args.data, args.cache):
        print(file)


def report(args: argparse.Namespace) -> None:
    from fashion_tl.report import write_report

    print(write_report(args.run, args.data, args.cache, args.to))


def predict(args: argparse.Namespace) -> None:
    from fashion_tl.model import load_model
    from fashion_tl.predict import predict
    from fashion_tl.runs import open_run

    predict(load_model(open_run(args.run).model_path), args.photos, args.to)


def export(args: argparse.Namespace) -> None:
    from fashion_tl.export import export_onnx
    from fashion_tl.model import load_model
    from fashion_tl.runs import open_run

    run = open_run(args.run)
    print(export_onnx(load_model(run.model_path), args.to or run.folder / "model.onnx"))


def parser() -> argparse.ArgumentParser:
    # The console command's file is called fashion-tl; started with -m, the file is __main__.py.
    prog = (
        "fashion-tl" if os.path.splitext(os.path.basename(sys.argv[0]))[0] == "fashion-tl" else "python -m fashion_tl"
    )
    main = argparse.ArgumentParser(prog=prog, description=__doc__)
    main.add_argument("--version", action="version", version=f"fashion_tl {__version__}")
    commands = main.add_subparsers(required=True, metavar="command")

    def command(function, words: str, data: bool = True) -> argparse.ArgumentParser:
        new = commands.add_parser(function.__name__, help=words, description=words)
        new.set_defaults(function=function)
        if data:
            new.add_argument(
                "--data", required=True, help="folder or zip in Kaggle's layout or with a folder per class, or `sample`"
            )
            new.add_argument("--cache", help="folder for decoded photos (default: FASHION_TL_CACHE or ~/.cache)")
        return new

    new = command(summary, "Count what a data root holds, and what is left out and why.")
    new.add_argument("--bad-rows", choices=("skip", "recover"), default="skip")
    new.add_argument("--json", action="store_true")

    new = command(sample, "Draw the built-in sample.", data=False)
    new.add_argument("--to", required=True, help="folder to draw it into")
    new.add_argument("--photos", type=int, default=1200)
    new.add_argument("--types", type=int, default=30)
    new.add_argument("--seed", type=int, default=2010)

    new = command(download, "Fetch the data set from Kaggle.", data=False)
    new.add_argument("--small", action="store_true", help="the photos of 80×60 (600 MB) instead of the full-size ones")
    new.add_argument("--to", required=True, help="folder to put the zip into")

    new = command(run, "Train and evaluate one approach, as its notebook does.")
    new.add_argument("approach", choices=APPROACHES)
    new.add_argument("--weights", help=f"torchvision's (default: {DEFAULT_WEIGHTS}), a file of a ResNet-50, or `none`")
    new.add_argument("--out", required=True, help="folder of the run")
    new.add_argument("--recipe", choices=RECIPES, default="tuned", help="default: %(default)s")
    new.add_argument("--epochs", type=int, help="default: the recipe's")
    new.add_argument("--seed", type=int, help="default: 0")
    new.add_argument("--workers", type=int, help="processes that decode photos (default: one for each processor)")
    new.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other; repeatable")

    new = command(figures, "Draw the figures of a run again, without training.")
    new.add_argument("run", help="folder of the run")

    new = command(report, "Write one HTML page of a finished run; it needs no network.")
    new.add_argument("run", help="folder of the run")
    new.add_argument("--to", help="the page's file (default: report.html in the run's folder)")

    new = command(predict, "The five most likely classes of any photos, computed in float32.", data=False)
    new.add_argument("run", help="folder of the run")
    new.add_argument("photos", nargs="+", help="image files, and folders of them")
    new.add_argument("--to", help="write the answers into this .csv or .json instead of printing them")

    new = command(export, "Write a model for use without this package.", data=False)
    new.add_argument("run", help="folder of the run")
    new.add_argument("--onnx", action="store_true", required=True, help="as ONNX, the one format there is")
    new.add_argument("--to", help="file to write (default: model.onnx in the run's folder)")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks a letter gets an escape for it, not an end
            stream.reconfigure(errors="backslashreplace")
    args = parser().parse_args(arguments)
    received = [signal.SIGINT]
    # A scheduler's way to end a run is taken as Ctrl-C is.
    signal.signal(signal.SIGTERM, lambda *of: (received.append(of[0]), signal.default_int_handler(*of)))
    try:
        args.function(args)
        if sys.stdout:  # None where it was closed before the program began
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (FashionTLError, OSError) as error:
        say(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        more = "; the same command goes on after the last whole epoch" if args.function is run else ""
        say(f"stopped{more}", file=sys.stderr)
        return 128 + received[-1]
    return 0


if __name__ == "__main__":
    sys.exit(main())
