"""Install the package into empty environments, as a user does, and try it there: `make package`.

    python -m tests.checks.install         # both of these: half an hour, several GB to download
    python -m tests.checks.install newest  # the newest versions within pyproject.toml's bounds
    python -m tests.checks.install lowest  # the lowest ones; and all tests with them

The environments lie in runs/package, and are removed in the end.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests import REPOSITORY
from tests.checks.installing import EXTRAS, bounds, build_wheel, check_output

HOME = REPOSITORY / "runs" / "package"
RUN = "run fc_only --data sample --weights none --out run --epochs 1 --set image_size=32x32"


def install(stack: str, wheel: Path, home: Path) -> Path:
    """Make an environment of what the package needs and nothing else; the folder of its
    programs."""
    check_output(sys.executable, "-m", "venv", home / "environment", at=home)
    programs = home / "environment" / ("Scripts" if os.name == "nt" else "bin")
    lowest = [
        f"{need.name}=={bound.version}"
        for need in bounds(*EXTRAS).values()
        for bound in need.specifier
    ]
    (home / "constraints.txt").write_text("\n".join(lowest) if stack == "lowest" else "")
    pip(programs, home, wheel)
    return programs


def pip(programs: Path, home: Path, what: object) -> None:
    words = [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--constraint",
        home / "constraints.txt",
    ]
    check_output(programs / "python", *words, what, at=home)
    check_output(programs / "python", "-m", "pip", "check", at=home)


def try_commands(programs: Path, home: Path) -> None:
    """From the drawn sample to a report and answers, with what the package says it needs and no
    more.
    """
    draw = "sample --to drawn --photos 60 --types 6"
    predict = "predict run drawn/images --to answers.csv"
    for words in (RUN, "report run --data sample", draw, predict):
        check_output(
            programs / "fashion-tl", *words.split(), at=home, FASHION_TL_CACHE=home / "cache"
        )
    assert (home / "run" / "report.html").is_file() and (home / "answers.csv").is_file()
    print(check_output(programs / "python", "-m", "pip", "freeze", at=home), flush=True)


def try_tests(programs: Path, home: Path, wheel: Path) -> None:
    """All tests but the browser's, with the packages that were installed with the wheel."""
    pip(programs, home, f"{wheel}[dev]")
    # As in a clone after `make install`: notebook 04 imports study, which isn't in the wheel.
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(
        [programs / "pytest", "-m", "not browser", "-n", "auto", "--dist", "loadfile"],
        cwd=REPOSITORY,
        env=environment,
        check=True,
    )


def main(stacks: list[str]) -> None:
    for stack in stacks or ["newest", "lowest"]:
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        start = time.monotonic()
        try:
            wheel = build_wheel(HOME)
            programs = install(stack, wheel, HOME)
            try_commands(programs, HOME)
            if stack == "lowest":
                try_tests(programs, HOME, wheel)
        finally:
            shutil.rmtree(HOME, ignore_errors=True)
        print(
            f"{stack}: installs and runs ({(time.monotonic() - start) / 60:.0f} minutes)",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
