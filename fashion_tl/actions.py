"""What each command does: from the words of the command line to the work and what is printed.

Each imports what it needs, so that --help and summary never wait for torch.
"""

import argparse
import json
from typing import TYPE_CHECKING

from fashion_tl.config import DEFAULT_LABEL, DEFAULT_WEIGHTS, parse_settings
from fashion_tl.errors import ConfigError, DataError
from fashion_tl.files import as_path
from fashion_tl.machine import say, warn
from fashion_tl.split import EVEN_ODD

if TYPE_CHECKING:
    from fashion_tl.data.dataset import Data

RANDOM = "NOTE: this network started from random weights, so its answers mean little."
OPTIONS = ("epochs", "seed", "label", "split", "backbone")  # settings that `run` has options for


def _check_paths(*paths: str | None) -> None:
    """ConfigError for a path that can't be one, also where the command doesn't need it."""
    for path in paths:
        if path is not None:
            as_path(path)


def _check_run(args: argparse.Namespace) -> None:
    """RunError if there is no run; it comes before anything that takes seconds to import."""
    from fashion_tl.runfiles import about_run

    about_run(args.run)


def _data_of(args: argparse.Namespace) -> str:
    """The data that a run was made on: those named or, for a run on it, the built-in sample."""
    from fashion_tl.data.dataroot import SAMPLE
    from fashion_tl.runs import open_run

    if args.data is not None:
        return args.data
    run = open_run(args.run)
    if not run.is_sample:
        name = run.about["data"]["name"]
        raise ConfigError(f"{run.folder} was made on {name}; name these data with --data")
    return SAMPLE


def summary(args: argparse.Namespace) -> None:
    from fashion_tl.data.catalogue import facts, print_account, read_catalogue
    from fashion_tl.data.dataroot import open_root

    root = open_root(args.data, args.cache)
    label = DEFAULT_LABEL if args.label is None else args.label
    split = EVEN_ODD if args.split is None else args.split
    catalogue = read_catalogue(root, args.bad_rows, label, split)
    numbers = facts(catalogue)
    if args.json:
        print(json.dumps(numbers, indent=2))
    else:
        print_account(catalogue, numbers)
    if catalogue.fault:
        raise DataError(catalogue.fault)


def audit(args: argparse.Namespace) -> None:
    from fashion_tl.audit import write_audit

    weights = DEFAULT_WEIGHTS if args.weights is None else args.weights
    settings = parse_settings(args.set, label=args.label)
    write_audit(args.data, weights, args.to, args.cache, **settings)


def sample(args: argparse.Namespace) -> None:
    from fashion_tl.data.sample import draw_sample

    print(draw_sample(args.to, photos=args.photos, types=args.types, seed=args.seed))


def download(args: argparse.Namespace) -> None:
    from fashion_tl.data.download import download

    print(download(args.to, small=args.small))


def run(args: argparse.Namespace) -> None:
    from fashion_tl.approaches import run_approach
    from fashion_tl.distributed import processes, rank
    from fashion_tl.network.inference import pick_device
    from fashion_tl.network.weights import default_weights
    from fashion_tl.reporting.evaluation import headline
    from fashion_tl.reporting.gallery import draw

    data: list[Data] = []  # reading them again for the figures would take long
    out = as_path(args.out)
    weights = default_weights(out) if args.weights is None else args.weights
    with processes(pick_device()):
        options = {name: getattr(args, name) for name in OPTIONS}
        settings = parse_settings(args.set, **options)
        runs = run_approach(
            args.approach,
            args.data,
            weights,
            out,
            recipe=args.recipe,
            cache=args.cache,
            workers=args.workers,
            note_data=data.append,
            **settings,
        )
        if rank() > 0:
            return
    for finished in runs:
        print(f"{finished.folder}:\n{headline(finished.metrics).to_string()}")
    steps = [(finished, data[0].of_classes(finished.config)) for finished in runs]
    print(f"{len(draw(steps))} figures in {out / 'figures'}")


def figures(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.reporting.gallery import draw_all

    for file in draw_all(args.run, _data_of(args), args.cache):
        print(file)


def report(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.reporting.report import write_report

    print(write_report(args.run, _data_of(args), args.cache, args.to))


def predict(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.network.trained import load_trained
    from fashion_tl.predict import predict
    from fashion_tl.runs import open_run

    run = open_run(args.run)
    saved, memory = load_trained(run)
    if run.is_random:
        warn(RANDOM)
    predict(saved, args.photos, args.to, memory)


def similar(args: argparse.Namespace) -> None:
    _check_paths(args.data, args.cache)
    _check_run(args)
    from fashion_tl.similar import similar

    similar(args.run, args.photos, args.top, args.json, args.out, args.data, args.cache)


def remember(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.similar import remember

    for file in remember(args.run, _data_of(args), args.cache):
        print(file)


def extend(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.extend import extend, findings
    from fashion_tl.extension import extension_of, in_a_sentence, new_classes
    from fashion_tl.runs import open_run

    if open_run(args.run).is_random:
        warn(RANDOM)
    run = extend(args.run, args.photos, args.out, args.known)
    earlier = extension_of(open_run(args.run))
    for row in extension_of(run)[len(earlier) :]:
        say(findings(row))
    if new := new_classes(earlier):
        say(f"It also knows the classes of earlier extensions: {in_a_sentence(new)}.")
    say(run.folder)


def serve(args: argparse.Namespace) -> None:
    _check_paths(args.data, args.cache)
    _check_run(args)
    from fashion_tl.serve import serve

    serve(args.run, args.data, args.cache, args.port)


def export(args: argparse.Namespace) -> None:
    _check_run(args)
    from fashion_tl.export import NO_UNKNOWN, export_onnx
    from fashion_tl.network.trained import load_network
    from fashion_tl.runs import open_run

    run = open_run(args.run)
    to = run.folder / "model.onnx" if args.to is None else args.to
    print(export_onnx(load_network(run), to))
    warn(f"NOTE: {NO_UNKNOWN}")
