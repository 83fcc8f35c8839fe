"""What each command of ``python -m study bench`` calls. Each imports what it needs."""

import argparse


def speed(args: argparse.Namespace) -> None:
    from study.bench import speed

    speed.main(args.data, args.results)


def company(args: argparse.Namespace) -> None:
    from study.bench import company

    company.main(args.results)


def gpu(args: argparse.Namespace) -> None:
    from study.bench import gpu

    gpu.main(args.data, args.tiny, args.results)


def precision(args: argparse.Namespace) -> None:
    from study.bench import precision

    precision.main(args.runs, args.data, args.results)
