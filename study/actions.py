"""What each command of the study does: from the words of the command line to the measurement.

Each imports what it needs, so that --help waits for nothing.
"""

import argparse

from fashion_tl.config import parse_settings
from fashion_tl.data.dataroot import SAMPLE
from fashion_tl.errors import ConfigError


def train(args: argparse.Namespace) -> None:
    from study import train

    train.main(args.data, args.weights, args.out, args.results, args.cache, args.only, args.gpu)


def tune(args: argparse.Namespace) -> None:
    from study import tune

    named = {"only": args.only, "trials": args.trial}
    tune.main(args.data, args.weights, args.out, args.results, cache=args.cache, **named)


def trials(args: argparse.Namespace) -> None:
    from study import trials

    trials.main(args.data, args.weights, args.out, args.results, cache=args.cache, only=args.only)


def fewer(args: argparse.Namespace) -> None:
    from study import fewer

    fewer.main(args.data, args.weights, args.out, args.results, args.cache)


def heads(args: argparse.Namespace) -> None:
    from study import heads

    heads.main(args.data, args.weights, args.cache, args.results)


def minutes(args: argparse.Namespace) -> None:
    from study import fresh

    fresh.main(args.data, args.weights, args.results)


def calibration(args: argparse.Namespace) -> None:
    from study import calibration

    calibration.main(args.data, args.weights, args.cache, args.results, args.run)


def few_shot(args: argparse.Namespace) -> None:
    from study import few_shot

    settings = parse_settings(args.set)
    few_shot.main(args.data, args.weights, args.cache, args.results, args.run, **settings)


def episodes(args: argparse.Namespace) -> None:
    from study import episodes

    settings = parse_settings(args.set)
    episodes.main(args.data, args.weights, args.out, args.cache, args.results, **settings)


def unknown(args: argparse.Namespace) -> None:
    from study import unknown

    settings = parse_settings(args.set)
    unknown.main(args.data, args.weights, args.cache, args.results, args.run, **settings)


def detail(args: argparse.Namespace) -> None:
    from study import detail

    named = {"cache": args.cache, "results": args.results, "only": args.only}
    detail.main(args.data, args.large, args.weights, args.out, **named)


def flips(args: argparse.Namespace) -> None:
    from study import flips

    flips.main(args.runs, args.data, args.cache, args.results)


def data_check(args: argparse.Namespace) -> None:
    from study import data_check

    data_check.main(args.data, args.cache, args.results)


def audit(args: argparse.Namespace) -> None:
    from study import audit

    audit.main(args.data, args.weights, args.cache, args.results, args.set)


def record(args: argparse.Namespace) -> None:
    from study import record

    record.main(args.runs, args.results, args.name, args.why, args.base, args.group)


def check(args: argparse.Namespace) -> None:
    from study import check

    check.main(args.results, args.data, args.cache, args.pair)


def compare(args: argparse.Namespace) -> None:
    from study import compare

    compare.main(args.results, args.runs)


def render(args: argparse.Namespace) -> None:
    from study import render

    render.main()


def speed(args: argparse.Namespace) -> None:
    from study.bench import speed

    speed.main(args.data, args.results)


def company(args: argparse.Namespace) -> None:
    from study.bench import company

    company.main(args.results)


def profile(args: argparse.Namespace) -> None:
    from study.bench import profile

    profile.main(args.data, args.results, args.cache)


def gpu(args: argparse.Namespace) -> None:
    from study.bench import gpu

    if not (args.data or args.tiny):
        raise ConfigError("name the data with --data; only --tiny takes the sample without it")
    gpu.main(args.data or SAMPLE, args.tiny, args.results)


def precision(args: argparse.Namespace) -> None:
    from study.bench import precision

    precision.main(args.runs, args.data, args.results)
