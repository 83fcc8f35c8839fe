"""Data as their owners have them go the whole way: loaded, trained on, and reported with their
photos.
"""

from pathlib import Path

import pytest

from fashion_tl.__main__ import main
from fashion_tl.data.dataset import load_data
from fashion_tl.recipes import make_config
from fashion_tl.runs import open_run
from study.__main__ import main as study
from tests.conftest import jpeg, pattern

SMALL = [
    f"--set={setting}"
    for setting in ("image_size=32x32", "precision=fp32", "lr=0.0001", "backbone=tiny")
]


def class_folders(folder: Path) -> Path:
    for number in range(24):
        place = folder / ("train" if number % 4 < 2 else "test") / ("Shirts", "Shoes")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:03}.jpg").write_bytes(jpeg(pattern(number)))
    (folder / "cover.jpg").write_bytes(jpeg((1, 2, 3)))
    return folder


def without_parts(folder: Path) -> Path:
    class_folders(folder)
    for kind in ("Shirts", "Shoes"):
        (folder / kind).mkdir()
        for photo in [*folder.glob(f"*/{kind}/*.jpg")]:
            photo.rename(folder / kind / photo.name)
    return folder


def ids_with_zeros(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    rows = [f"{n:06};{2000 + n // 2 % 2};{('Shirts', 'Shoes')[n % 2]}" for n in range(24)]
    (folder / "styles.csv").write_bytes(
        "\n".join(["ID;Year;ArticleType", *rows, "000099;2001;Shoes"]).encode("utf-16")
    )
    for number in range(24):
        (folder / "images" / f"{number:06}.JPEG").write_bytes(jpeg(pattern(number)))
    return folder


@pytest.mark.parametrize(
    "make, first, said",
    [
        (class_folders, "test/Shirts/002", "24 of 25 rows are used; left out: no class folder: 1"),
        (ids_with_zeros, "000002", "24 of 25 rows are used; left out: missing image: 1"),
    ],
)
def test_a_run_keeps_the_ids_as_they_are_says_what_it_left_out_and_has_a_report(
    tmp_path, one_figure, capsys, make, first, said
):
    root, run = str(make(tmp_path / "root")), str(tmp_path / "run")
    assert (
        main(
            [
                "run",
                "fc_only",
                "--data",
                root,
                "--weights",
                "none",
                "--out",
                run,
                "--epochs",
                "1",
                *SMALL,
            ]
        )
        == 0
    )
    assert said in capsys.readouterr().out.splitlines()
    predictions = open_run(run).predictions
    assert predictions["id"].tolist()[0] == first and len(predictions) == 12
    assert main(["report", run, "--data", root]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'run' / 'report.html'}\n"
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("data:image/jpeg") >= 24  # mistakes, samples, and what is near to mistakes


@pytest.mark.parametrize("make, goes", [(class_folders, True), (without_parts, False)])
def test_a_run_goes_on_record_if_folders_say_which_photos_test_and_not_if_chance_does(
    tmp_path, one_figure, capsys, make, goes
):
    root, run, results = (str(tmp_path / name) for name in ("root", "run", "results"))
    make(tmp_path / "root")
    (tmp_path / "results").mkdir()
    words = ("--weights", "none", "--out", run, "--epochs", "1", *SMALL)
    assert main(["run", "fc_only", "--data", root, *words]) == 0
    assert study(["record", run, "--results", results]) == (0 if goes else 2)
    assert ("has a split that was drawn" in capsys.readouterr().err) is not goes


def test_loading_names_no_more_than_twenty_photos_that_cannot_be_decoded(tmp_path, capsys):
    root = ids_with_zeros(tmp_path / "root")
    rows = [f"{n:06};2000;Shirts" for n in range(100, 130)]
    (root / "styles.csv").write_bytes(
        (root / "styles.csv").read_bytes() + ("\n" + "\n".join(rows)).encode("utf-16-le")
    )
    for number in range(100, 130):
        (root / "images" / f"{number:06}.JPEG").write_bytes(b"no photo")
    data = load_data(root, make_config("direct"))
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("left out: images/0001") for line in said) == 20
    assert said[-1] == "24 of 55 rows are used; left out: undecodable image: 30, missing image: 1"
    assert (
        data.photos.ids.tolist()
        == data.catalogue.table["id"].tolist()
        == [f"{n:06}" for n in range(24)]
    )
