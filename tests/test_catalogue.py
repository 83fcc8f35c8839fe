"""What is read from styles.csv, what is left out and why, who trains and who tests, and what a
class weighs.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fashion_tl.data.catalogue import Catalogue, ceiling, facts, read_catalogue
from fashion_tl.data.dataroot import open_root
from fashion_tl.data.task import class_weights, make_task
from fashion_tl.errors import DataError
from fashion_tl.split import parse_split
from tests import HEADER
from tests.conftest import jpeg, pattern, row_line

ROWS = [(1, 2012, "Shirts"), (2, 2013, "Heels"), (3, 2014, "Heels"), (4, 2011, "Socks")]
COMMAS = row_line(5, 2012, "Shirts", name="Red, Round Neck, Slim")  # 12 fields for a header of 10


def made_of(**classes: tuple[int, int]) -> Catalogue:
    """A catalogue with so many photos of each class in even and in odd years."""
    kinds = [kind for kind, (even, odd) in classes.items() for _ in range(even + odd)]
    years = [year for even, odd in classes.values() for year in [2012] * even + [2013] * odd]
    table = pd.DataFrame(
        {"id": [str(n + 1) for n in range(len(kinds))], "year": years, "label": kinds}
    )
    split = parse_split("even-odd")
    table["part"] = split.parts(table, seed=0)
    return Catalogue(
        "data", len(table), 0, table, pd.DataFrame(columns=["line", "id", "reason"]), split=split
    )


def alone(catalogue: Catalogue) -> np.ndarray:
    """Twin numbers when no photo has a twin."""
    return np.arange(len(catalogue.table))


def reasons(catalogue: Catalogue) -> dict[str, int]:
    return catalogue.left_out["reason"].value_counts().to_dict()


def refusal(folder) -> str:
    """What the DataError says; it must name the file."""
    with pytest.raises(DataError) as caught:
        read_catalogue(open_root(folder))
    assert str(folder) in str(caught.value) and "styles.csv" in str(caught.value)
    return str(caught.value)


# -- rows


def test_whole_rows_are_kept_in_the_files_order(make_root):
    catalogue = read_catalogue(open_root(make_root(ROWS)))
    columns = (catalogue.table[name] for name in ("id", "year", "label"))
    assert list(zip(*columns, strict=True)) == [(str(number), *others) for number, *others in ROWS]
    assert catalogue.table["productDisplayName"].tolist() == [
        "Name 1",
        "Name 2",
        "Name 3",
        "Name 4",
    ]
    assert catalogue.table["line"].tolist() == [2, 3, 4, 5]
    assert (catalogue.rows, catalogue.malformed, len(catalogue.left_out)) == (4, 0, 0)


def test_rows_with_unquoted_commas_are_skipped_and_named(make_root):
    catalogue = read_catalogue(open_root(make_root([*ROWS, COMMAS])), "skip")
    assert "5" not in catalogue.table["id"].tolist()
    assert (catalogue.rows, catalogue.malformed) == (5, 1)
    assert catalogue.left_out.to_dict("records") == [{"line": 6, "id": "5", "reason": "malformed"}]


def test_rows_with_unquoted_commas_are_recovered_on_request(make_root):
    catalogue = read_catalogue(open_root(make_root([COMMAS, *ROWS])), "recover")
    first = catalogue.table.iloc[0]
    assert (first["id"], first["year"], first["label"]) == ("5", 2012, "Shirts")
    assert first["productDisplayName"] == "Red, Round Neck, Slim 5"
    assert (catalogue.rows, catalogue.malformed, len(catalogue.left_out)) == (5, 1, 0)


def test_quoted_commas_need_no_recovery(make_root):
    quoted = COMMAS.replace("Red, Round Neck, Slim 5", '"Red, Round Neck, Slim 5"')
    catalogue = read_catalogue(open_root(make_root([quoted, *ROWS])))
    assert catalogue.malformed == 0
    assert catalogue.table["productDisplayName"][0] == "Red, Round Neck, Slim 5"


def test_rows_with_too_few_fields_cannot_be_recovered(make_root):
    root = open_root(make_root([*ROWS, "5,Men,Apparel"]))
    for bad_rows in ("skip", "recover"):
        assert reasons(read_catalogue(root, bad_rows)) == {"malformed": 1}


def test_whatever_a_row_lacks_is_counted_and_named(make_root):
    rows = [
        *ROWS,
        (6, "", "Heels"),
        (7, 2012, "Heels"),
        (8, 2012, ""),
        (9, "soon", "Heels"),
        (1, 2012, "Heels"),
    ]
    photos = {number: (number, 0, 0) for number in (1, 2, 3, 4, 6, 8, 9)}
    catalogue = read_catalogue(
        open_root(make_root([*rows, "x,", COMMAS.replace("5,", "?,", 1)], photos)), "recover"
    )
    assert catalogue.table["id"].tolist() == ["1", "2", "3", "4"]
    left_out = list(catalogue.left_out.itertuples(index=False, name=None))
    assert left_out == [
        (6, "6", "missing year"),
        (7, "7", "missing image"),
        (8, "8", "missing articleType"),
        (9, "9", "bad year"),
        (10, "1", "duplicate id"),
        (11, "x", "malformed"),
        (12, "?", "missing image"),
    ]
    assert reasons(catalogue)["missing year"] == reasons(catalogue)["bad year"] == 1
    assert catalogue.rows == len(catalogue.table) + len(catalogue.left_out)


def years(make_root, *written):
    """The catalogue of a table whose rows have these years."""
    rows = [(number, year, "Socks") for number, year in enumerate(written, 1)]
    return read_catalogue(open_root(make_root(rows)))


def test_years_may_be_written_as_fractions_of_nothing(make_root):
    catalogue = years(make_root, "2012.0", " 2013 ", "2012.5", "nan", "-2012", "inf")
    assert catalogue.table["year"].tolist() == [2012, 2013]
    assert reasons(catalogue) == {"bad year": 4}


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(make_root):
    plain = "\n".join([HEADER, *(row_line(*row) for row in ROWS), ""])
    expected = read_catalogue(open_root(make_root(plain)))
    for at, text in (
        ("bom", "\ufeff" + plain),
        ("crlf", plain.replace("\n", "\r\n")),
        ("both", "\ufeff" + plain.replace("\n", "\r\n")),
        ("no-last-newline", plain.rstrip()),
        ("blank-last-lines", plain + "\n\r\n"),
    ):
        pd.testing.assert_frame_equal(
            read_catalogue(open_root(make_root(text, at=at))).table, expected.table
        )


def test_a_table_in_latin_1_is_read(make_root):
    text = "\n".join([HEADER, *(row_line(*row, name="Café") for row in ROWS)])
    catalogue = read_catalogue(open_root(make_root(text.encode("latin-1"))))
    assert catalogue.table["productDisplayName"][0] == "Café 1"


def test_a_byte_order_mark_before_latin_1_is_no_part_of_the_header(make_root):
    text = "\n".join([HEADER, *(row_line(*row, name="Café") for row in ROWS)])
    catalogue = read_catalogue(open_root(make_root(b"\xef\xbb\xbf" + text.encode("latin-1"))))
    assert catalogue.table["id"].tolist() == ["1", "2", "3", "4"]


def test_a_byte_that_is_no_utf_8_spoils_no_other_row(make_root):
    lines = [HEADER, row_line(1, 2012, "Café Tops"), row_line(2, 2013, "Heels")]
    content = (
        "\n".join(lines).encode() + b"\xff\n" + row_line(3, 2014, "Café Tops").encode("latin-1")
    )
    assert read_catalogue(open_root(make_root(content))).table["label"].tolist() == [
        "Café Tops",
        "Heels",
        "Café Tops",
    ]


def test_a_label_with_control_characters_is_left_out(make_root):
    rows = [*ROWS, (5, 2012, "Shi\0rts"), (6, 2012, "\x1b[31mShirts")]
    catalogue = read_catalogue(open_root(make_root(rows)))
    assert catalogue.classes == ("Heels", "Shirts", "Socks") and reasons(catalogue) == {
        "bad articleType": 2
    }


def test_a_label_that_hides_what_it_is_or_shows_nothing_is_left_out(make_root):
    labels = ["Shirts\x7f", "\x9b31mShirts", "\u202estrihS", "\u2066Shirts", "\u3164", "\u200d"]
    rows = [*ROWS, *((5 + number, 2012, label) for number, label in enumerate(labels))]
    catalogue = read_catalogue(open_root(make_root(rows)))
    assert catalogue.classes == ("Heels", "Shirts", "Socks")
    assert reasons(catalogue) == {"bad articleType": 4, "missing articleType": 2}


def test_bytes_of_nothing_where_they_do_no_harm_do_none(make_root):
    text = "\n".join([HEADER, *(row_line(*row).replace("Navy", "Na\0vy") for row in ROWS)])
    assert read_catalogue(open_root(make_root(text + "\n" + "\0" * 4096))).table["id"].tolist() == [
        "1",
        "2",
        "3",
        "4",
    ]


def test_years_are_written_in_plain_digits(make_root):
    catalogue = years(make_root, "2_012", "２０１２", "2e3", "2012.00")
    assert catalogue.table["year"].tolist() == [2012] and reasons(catalogue) == {"bad year": 3}


@pytest.mark.parametrize(
    "written",
    [
        "2016-05-01",
        "2016/5/1",
        "2016.05.01",
        "01/05/2016",
        "31.12.2016",
        "12-31-2016",
        "2016-05",
        "05/2016",
        "2016-05-01 00:00:00",
        "2016-05-01T12:30:00.000Z",
        "5/1/2016 0:00",
        "1/5/2016 11:59 PM",
        "25-Nov-2016",
        "25. November 2016",
        "Sept. 5th 2016",
        "3 Ma\u0308rz 2016",
        "1 Mrz 2016",
        "2016-Nov-25",
        "25/NOV/2016 10:30",
        "25.November 2016",
        "May 2016",
        "2016\u00a0",
        "2016.0",
    ],
)
def test_a_date_counts_as_its_year_and_the_program_says_so(make_root, written):
    catalogue = read_catalogue(open_root(make_root([(1, written, "Shirts"), (2, 2013, "Heels")])))
    assert catalogue.table["year"].tolist() == [2016, 2013]
    said = f"Rows whose year was taken from a date: 1, such as {written!r} in line 2."
    assert catalogue.notes == ((said,) if len(written) > 6 else ())


def test_seasons_are_no_months_where_one_of_them_can_be_none(make_root):
    catalogue = years(make_root, "2010-11", "2011-12", "2012-13", "2012", "2012-05")
    assert catalogue.table["year"].tolist() == [2012, 2012]
    rows = [(1, "2011-12", "Socks"), (2, "2012-05", "Socks")]
    months = read_catalogue(open_root(make_root(rows, at="months")))
    assert months.table["year"].tolist() == [2011, 2012]


def test_a_class_whose_rows_are_all_left_out_is_named(make_root):
    rows = [*ROWS, *((n, "FY16", "Hats") for n in (5, 6)), (7, "FY16", "Heels"), (8, "?", "Bags")]
    notes = read_catalogue(open_root(make_root(rows))).notes
    assert notes == ("Classes whose rows are all left out, with their rows: Hats (2), Bags (1).",)


@pytest.mark.parametrize(
    "written",
    [
        "16",
        "FY16",
        "FY2016",
        "01/05/16",
        "5-1-16",
        "2016-13-13",
        "32/01/2016",
        "13/13/2016",
        "2015-2016",
        "2015/16",
        "42491",
        "20160501",
        "2016-05-01 or so",
        "0016",
        "nan",
        "summer 2016",
        "32 May 2016",
        "5 Mayo 2016",
        "00 Nov 2016",
        "1 Nov 45 2016",
        "Nov Dec 2016",
        "٢٥ Nov 2016",
        "25-Nov-16",
        "2016-5/1",
    ],
)
def test_a_year_that_is_not_plain_has_a_reason_of_its_own_and_is_shown(make_root, written):
    catalogue = read_catalogue(
        open_root(make_root([*ROWS, (5, written, "Heels"), (6, " ", "Heels")]))
    )
    assert reasons(catalogue) == {"bad year": 1, "missing year": 1}
    assert (
        f"bad year (1): 6 (id 5); line 6 has {written!r}, not a year such as 2016"
        in catalogue.named()
    )
    assert f"bad year: 1 (line 6 has {written!r}, not a year such as 2016)" in catalogue.tally


def test_labels_that_look_the_same_are_one_class(make_root):
    ways = [
        "Café Tops",
        "Cafe\N{COMBINING ACUTE ACCENT} Tops",
        "Café\u00a0Tops",
        "  Café  Tops ",
        "\ufeffCafé Tops",
        "Café\u200b\u3000Tops",
        '"Café\nTops"',
    ]
    rows = [(number, 2012, kind) for number, kind in enumerate(ways, 1)]
    photos = {number: (number, 0, 0) for number in range(1, len(ways) + 1)}
    catalogue = read_catalogue(open_root(make_root(rows, photos)))
    assert (
        catalogue.classes == ("Café Tops",)
        and len(catalogue.table) == len(ways)
        and catalogue.notes == ()
    )


def test_labels_that_differ_in_capitals_are_two_classes_and_are_named_once(make_root):
    rows = [(1, 2012, "shirt"), (2, 2013, "Shirt"), (3, 2014, "SHIRT"), (4, 2011, "Socks")]
    catalogue = read_catalogue(open_root(make_root(rows)))
    assert len(catalogue.classes) == 4
    (note,) = catalogue.notes
    assert note.endswith("count as different classes: 'SHIRT' and 'Shirt' and 'shirt'.")


def test_a_label_that_cannot_be_used_is_shown(make_root):
    catalogue = read_catalogue(open_root(make_root([*ROWS, (5, 2012, "Shi\0rts")])))
    assert catalogue.named() == [r"bad articleType (1): 6 (id 5); line 6 has 'Shi\x00rts'"]


def test_the_first_malformed_row_is_shown_with_its_width_and_the_headers(make_root):
    catalogue = read_catalogue(open_root(make_root([*ROWS, COMMAS, "6,2012"])))
    assert catalogue.named() == [
        "malformed (2): 6 (id 5), 7 (id 6); line 6 has 12 fields, the header 10"
    ]
    assert catalogue.tally == "4 of 6 rows are used; left out: malformed: 2"


def files_of(folder, *names: str):
    """The same data root with these files in images/ alone."""
    for number, name in enumerate(names):
        (folder / "images" / name).write_bytes(jpeg(pattern(number)))
    return folder


@pytest.mark.parametrize(
    "written, file",
    [
        ("000007", "000007.jpg"),
        ("000007", "7.jpg"),
        ("7", "000007.jpg"),
        ("7.0", "7.jpg"),
        ("007.0", "7.jpg"),
        ("7.jpg", "7.jpg"),
        ("7.JPG", "7.jpg"),
        ("7", "7.JPG"),
        ("7", "7.jpeg"),
        ("7.png", "7.PNG"),
        ("0", "000.jpg"),
        ("SKU-7", "SKU-7.jpg"),
        ("a b.c", "a b.c.webp"),
        ("Été", "Été.jpg"),
        ("シャツ", "シャツ.jpg"),
        ("9" * 30, "9" * 30 + ".jpg"),
        ("images/7.jpg", "7.jpg"),
        ("images\\7.JPG", "7.jpg"),
        ("./7", "7.jpg"),
        ("/data/Images/7", "007.jpg"),
        ("sku-7", "SKU-7.jpg"),
        ("images/ÉTÉ.JPG", "été.png"),
        ("-7", "-7.jpg"),
        ("7.jpg", "7.jpg.jpg"),
        ("7.jpg", "7.png"),
    ],
)
def test_an_id_is_the_name_of_a_photo_in_any_of_the_ways_it_is_written(make_root, written, file):
    folder = files_of(
        make_root(f"id,year,articleType\n{written},2012,Shirts\n", photos={}), file, "8.jpg"
    )
    table = read_catalogue(open_root(folder)).table
    assert table["id"].tolist() == [file.rpartition(".")[0]] and table["label"].tolist() == [
        "Shirts"
    ]


def test_a_number_with_zeros_and_one_without_are_two_photos_where_both_are_there(make_root):
    rows = [
        ("1", 2012, "A"),
        ("001", 2012, "B"),
        ("0001", 2012, "C"),
        ("1.0", 2012, "D"),
        ("2", 2012, "E"),
    ]
    catalogue = read_catalogue(
        open_root(files_of(make_root(rows, photos={}), "1.jpg", "001.jpg", "02.jpg"))
    )
    assert dict(zip(catalogue.table["id"], catalogue.table["label"], strict=True)) == {
        "1": "A",
        "001": "B",
        "02": "E",
    }
    assert catalogue.left_out["id"].tolist() == ["0001", "1.0"] and reasons(catalogue) == {
        "missing image": 2
    }


def test_two_rows_of_one_photo_are_duplicates_however_they_are_written(make_root):
    rows = [("7", 2012, "A"), ("007", 2012, "B"), ("7.jpg", 2012, "C"), ("7.0", 2012, "D")]
    catalogue = read_catalogue(open_root(files_of(make_root(rows, photos={}), "7.jpg")))
    assert catalogue.table["label"].tolist() == ["A"] and reasons(catalogue) == {"duplicate id": 3}


def test_an_id_with_its_ending_names_one_of_two_files(make_root):
    rows = [("7.png", 2012, "A"), ("7.jpg", 2012, "B")]
    catalogue = read_catalogue(open_root(files_of(make_root(rows, photos={}), "7.jpg", "7.png")))
    assert catalogue.table["id"].tolist() == ["7.png", "7"]


def test_capitals_count_where_two_photos_or_two_rows_differ_in_them_alone(make_root):
    rows = [("sku-1", 2012, "A"), ("SKU-2", 2012, "B"), ("sku-2", 2013, "C"), ("Sku-3", 2013, "D")]
    folder = files_of(
        make_root(rows, photos={}), "SKU-1.jpg", "sku-2.jpg", "SKU-3.jpg", "sku-3.jpg"
    )
    catalogue = read_catalogue(open_root(folder))
    assert catalogue.table[["id", "label"]].to_numpy().tolist() == [["SKU-1", "A"], ["sku-2", "C"]]
    assert reasons(catalogue) == {"missing image": 2}


def test_a_table_whose_ids_name_no_photo_is_refused_once_with_an_example_of_each(make_root):
    rows = [(f"SKU-{number}", 2012, "Shirts") for number in range(24)]
    folder = files_of(make_root(rows, photos={}), "shirt_0.jpg", "shirt_1.jpg")
    said = refusal(folder)
    assert "only 0 of 24 ids name a photo. An id is, for example, 'SKU-0'," in said
    assert "and a photo's file 'shirt_0.jpg'" in said
    rows[0] = ("shirt_0", 2012, "Shirts")  # that one is found by chance changes nothing
    (folder / "styles.csv").write_text("\n".join([HEADER, *(row_line(*row) for row in rows)]))
    assert "only 1 of 24 ids name a photo" in refusal(folder)


def test_a_table_of_far_more_rows_than_there_are_photos_is_read(make_root):
    rows = [(number, 2012, "Shirts") for number in range(1, 500)]
    catalogue = read_catalogue(
        open_root(make_root(rows, photos={n: (n, 0, 0) for n in range(1, 11)}))
    )
    assert len(catalogue.table) == 10 and reasons(catalogue) == {"missing image": 489}


def test_a_folder_of_photos_that_are_none_is_named(make_root):
    folder = make_root(ROWS, photos={})
    (folder / "images" / "1.txt").write_text("x")
    assert (
        "there is no photo in images/ beside it, no file whose name ends in one of .jpg"
        in refusal(folder)
    )


def test_a_tally_counts_the_rows_left_out_by_reason(make_root):
    catalogue = read_catalogue(
        open_root(make_root([*ROWS, COMMAS, (6, "", "Heels"), (7, "", "Heels")]))
    )
    assert catalogue.tally == "4 of 7 rows are used; left out: missing year: 2, malformed: 1"
    assert read_catalogue(open_root(make_root(ROWS, at="whole"))).tally == "4 of 4 rows are used"


def test_twenty_rows_are_named_for_each_reason_and_the_others_counted(make_root):
    rows = [
        *ROWS,
        *((number, "", "Heels") for number in range(10, 1234)),
        ("x\x1b[31m", 2012, "Heels"),
    ]
    named = read_catalogue(open_root(make_root(rows))).named()
    assert named[0].startswith("missing year (1,224): 6 (id 10), 7 (id 11), ")
    assert named[0].endswith(", 25 (id 29) and 1,204 more")
    # Nothing that a terminal would obey.
    assert named[1] == r"missing image (1): 1230 (id 'x\x1b[31m')"


def test_a_table_of_a_spreadsheet_with_a_comma_for_a_point_is_read(make_root):
    text = "id;year;articleType\n1,0;2012,0;Shirts\n2,0;2013,0;Heels\n3,0;2012,5;Heels\n"
    catalogue = read_catalogue(open_root(make_root(text, photos={n: (n, 0, 0) for n in (1, 2, 3)})))
    assert catalogue.table["year"].tolist() == [2012, 2013] and reasons(catalogue) == {
        "bad year": 1
    }


def test_a_description_with_line_breaks_is_read_whole(make_root):
    lines = [f'{n},"A fine shirt,\n\nmade of cotton",201{n},Shirts,"Shirt\n{n}"' for n in (1, 2, 3)]
    text = "\n".join(["id,description,year,articleType,productDisplayName", *lines])
    catalogue = read_catalogue(open_root(make_root(text, photos={n: (n, 0, 0) for n in (1, 2, 3)})))
    assert catalogue.table["line"].tolist() == [2, 6, 10] and len(catalogue.left_out) == 0
    assert catalogue.table["productDisplayName"].tolist() == ["Shirt\n1", "Shirt\n2", "Shirt\n3"]


def test_values_protected_from_a_spreadsheet_are_read_as_they_are_meant(make_root):
    rows = ['"=""0001""","=""2012""","=""Shirts"""', '="2",\'2013,Heels', "'3,2014,'90s Tops"]
    text = "\n".join(["id,year,articleType", *rows])
    catalogue = read_catalogue(open_root(make_root(text, photos={n: (n, 0, 0) for n in (1, 2, 3)})))
    found = catalogue.table[["id", "year", "label"]].astype(str).to_numpy().tolist()
    assert found == [["1", "2012", "Shirts"], ["2", "2013", "Heels"], ["3", "2014", "'90s Tops"]]


def test_ids_that_are_paths_lead_nowhere(make_root):
    rows = [
        *ROWS,
        ("../1", 2012, "Shirts"),
        ("/etc/passwd", 2012, "Shirts"),
        ("..\\1", 2012, "Shirts"),
    ]
    catalogue = read_catalogue(open_root(make_root(rows)))
    assert catalogue.left_out["id"].tolist() == ["../1", "/etc/passwd", "..\\1"]
    assert reasons(catalogue) == {"missing image": 3}


@pytest.mark.parametrize("bad_rows", ["skip", "recover"])
def test_a_field_of_a_million_letters_costs_its_own_row_alone(make_root, bad_rows):
    giant = row_line(5, 2012, "Shirts", name="x" * 1_000_000)
    catalogue = read_catalogue(open_root(make_root([ROWS[0], giant, *ROWS[1:]])), bad_rows)
    assert catalogue.table["id"].tolist() == ["1", "2", "3", "4"]
    assert (catalogue.rows, catalogue.malformed) == (5, 1)
    assert catalogue.left_out.to_dict("records") == [{"line": 3, "id": "", "reason": "malformed"}]


def test_a_malformed_row_is_named_by_its_id_wherever_that_stands(make_root):
    text = "year,articleType,id\n2012,Shirts,7\n2013,Heels,8,more\n2013\n"
    catalogue = read_catalogue(open_root(make_root(text, photos={7: (0, 0, 0)})))
    assert catalogue.left_out.to_numpy().tolist() == [[3, "8", "malformed"], [4, "", "malformed"]]


def test_columns_may_come_in_any_order_and_only_three_are_needed(make_root):
    catalogue = read_catalogue(
        open_root(make_root("articleType,year,id\nShirts,2012,7\n", photos={7: (0, 0, 0)}))
    )
    assert catalogue.table[["id", "year", "label"]].to_numpy().tolist() == [["7", 2012, "Shirts"]]


def test_an_opened_quote_that_is_never_closed_does_not_swallow_the_rest(make_root):
    opened = row_line(5, 2012, "Shirts").replace("Name", '"Name')
    root = open_root(
        make_root(
            [ROWS[0], opened, *ROWS[1:]], photos={number: pattern(number) for number in range(1, 6)}
        )
    )
    catalogue = read_catalogue(root)
    assert {"1", "2", "3", "4"} <= set(catalogue.table["id"])


def test_photos_found_undecodable_later_join_the_others_left_out(make_root):
    catalogue = read_catalogue(open_root(make_root([*ROWS, COMMAS]))).without(
        {"2": "undecodable image"}
    )
    assert catalogue.table["id"].tolist() == ["1", "3", "4"]
    assert catalogue.table.index.tolist() == [0, 1, 2]
    assert reasons(catalogue) == {"malformed": 1, "undecodable image": 1}
    assert catalogue.left_out.iloc[-1].tolist() == [3, "2", "undecodable image"]


def test_an_empty_table_is_refused(make_root):
    assert "is empty" in refusal(make_root("", photos={}))
    assert "is empty" in refusal(make_root("\ufeff\r\n\n", photos={}, at="blank"))
    assert "no rows" in refusal(make_root(HEADER + "\n", photos={}, at="header"))


def test_a_table_without_a_needed_column_is_refused(make_root):
    for name in ("articleType", "year", "id"):
        message = refusal(make_root(ROWS, header=HEADER.replace(name, "other"), at=name))
        assert f"no column '{name}'" in message
    assert "more than one column 'year'" in refusal(
        make_root(ROWS, header=HEADER.replace("season", "year"))
    )


def test_a_table_that_is_no_table_is_refused(make_root):
    assert "no columns 'id'" in refusal(make_root(bytes(range(256)) * 20, photos={}))
    assert "line 1" in refusal(make_root(ROWS, header=HEADER + "x" * 200_000, at="huge"))


def test_what_is_missing_for_a_training_is_said(make_root):
    for rows, words in (
        (
            [(1, 2012, "A"), (2, 2014, "B")],
            "nothing to test on, no photo of odd years. The split: even years train",
        ),
        ([(1, 2013, "A"), (2, 2015, "B")], "nothing to train on, no photo of even years"),
        ([(1, 2012, "A"), (2, 2013, "B")], "a single articleType"),
        (
            [(1, "FY16", "A"), (2, "FY17", "B")],
            "none of its 2 rows can be used "
            "(bad year: 2 (line 2 has 'FY16', not a year such as 2016))",
        ),
    ):
        assert words in read_catalogue(open_root(make_root(rows, at=words[:20]))).fault
    assert read_catalogue(open_root(make_root(ROWS, at="good"))).fault is None


def test_photos_drawn_to_test_train_where_a_twin_of_theirs_does():
    catalogue = replace(made_of(Shirts=(3, 1), Ties=(2, 1)), split=parse_split("random:0.2"))
    twins = np.array([0, 1, 2, 0, 4, 5, 6])  # the first of those that train, and the one that tests
    together = catalogue.with_twins_together(twins)
    assert together.trains.tolist() == [True, True, True, True, True, True, False]
    assert together.notes[-1].endswith("the same as one that trains: 1. They train too.")
    stated = made_of(Shirts=(3, 1), Ties=(2, 1))
    assert stated.with_twins_together(twins) is stated
    assert catalogue.with_twins_together(alone(catalogue)) is catalogue


# -- classes


def test_the_label_space_covers_all_usable_rows_most_photos_first():
    catalogue = made_of(Socks=(1, 1), Heels=(0, 3), Shirts=(4, 4), Belts=(2, 0))
    assert catalogue.classes == ("Shirts", "Heels", "Belts", "Socks")  # ties by name
    assert catalogue.counts.to_numpy().tolist() == [
        ["Shirts", 4, 4],
        ["Heels", 0, 3],
        ["Belts", 2, 0],
        ["Socks", 1, 1],
    ]


def test_facts_count_classes_that_are_never_trained_on():
    catalogue = made_of(Shirts=(6, 4), Heels=(0, 3), Belts=(2, 0), Socks=(1, 1))
    numbers = facts(catalogue)
    assert (numbers["train"], numbers["test"], numbers["classes"]) == (9, 8, 4)
    assert (numbers["train_classes"], numbers["test_classes"]) == (3, 3)
    assert (numbers["unseen_classes"], numbers["unseen_test_rows"]) == (1, 3)
    assert numbers["ceiling_top1"] == ceiling(catalogue.counts) == 5 / 8


def test_a_table_without_a_usable_row_has_facts_too(make_root):
    root = open_root(make_root([(number, "", kind) for number, _, kind in ROWS]))
    numbers = facts(read_catalogue(root))
    assert (numbers.pop("rows"), numbers.pop("missing_year")) == (4, 4)
    assert set(numbers.values()) == {0}


def test_the_largest_classes_keep_their_numbers():
    catalogue = made_of(**{f"class {n:02}": (30 - n, 30 - n) for n in range(25)})
    task = make_task(catalogue, alone(catalogue))
    top = task.largest(20)
    assert top.num_classes == 20 and top.classes == task.classes[:20]
    for part in ("train", "val", "test"):
        rows = getattr(task, part)
        assert getattr(top, part).tolist() == rows[task.labels[rows] < 20].tolist()
    assert top.fit_counts.tolist() == task.fit_counts[:20].tolist()
    numbers = facts(catalogue)
    assert numbers["top20_train"] == len(top.train) + len(top.val) == sum(range(11, 31))
    assert numbers["top20_test"] == len(top.test)


# -- parts


def test_even_years_train_and_odd_years_test():
    catalogue = made_of(Shirts=(40, 30), Heels=(20, 10))
    task = make_task(catalogue, alone(catalogue))
    years = catalogue.table["year"].to_numpy()
    assert (years[task.test] == 2013).all() and len(task.test) == 40
    assert (years[np.union1d(task.train, task.val)] == 2012).all() and len(task.train) + len(
        task.val
    ) == 60
    assert not set(task.train) & set(task.val)
    assert [catalogue.classes[label] for label in task.labels] == catalogue.table["label"].tolist()


def test_each_class_gives_its_share_to_validation_and_small_ones_nothing():
    catalogue = made_of(
        Shirts=(200, 1), Heels=(50, 1), Socks=(6, 1), Belts=(5, 1), Caps=(4, 1), Ties=(1, 1)
    )
    task = make_task(catalogue, alone(catalogue), val_fraction=0.1)
    assert np.bincount(task.labels[task.val], minlength=6).tolist() == [20, 5, 1, 1, 0, 0]
    assert task.fit_counts.tolist() == [180, 45, 5, 4, 4, 1]
    assert len(make_task(catalogue, alone(catalogue), val_fraction=0).val) == 0


def test_a_seed_decides_the_split():
    catalogue = made_of(Shirts=(60, 5), Heels=(40, 5))
    first, again, other = (make_task(catalogue, alone(catalogue), seed=seed) for seed in (0, 0, 1))
    assert first.val.tolist() == again.val.tolist()
    assert first.val.tolist() != other.val.tolist()
    assert len(first.val) == len(other.val) == 10
    assert first.test.tolist() == other.test.tolist()


def test_exact_twins_stay_on_one_side():
    catalogue = made_of(Shirts=(60, 5), Heels=(40, 5), Ties=(3, 0))
    # Pairs; one of Shirts' last even and first odd, one across classes.
    twins = np.arange(len(catalogue.table)) // 2
    twins[catalogue.table["label"] == "Ties"] = twins[:3]  # and some in a class that trains whole
    for seed in range(20):
        task = make_task(catalogue, twins, val_fraction=0.2, seed=seed)
        assert not set(twins[task.train]) & set(twins[task.val])
        assert not set(task.labels[task.val]) & {task.classes.index("Ties")}
        shares = np.bincount(task.labels[task.val], minlength=3)
        assert abs(shares[0] - 12) <= 1 and abs(shares[1] - 8) <= 1


def test_twins_never_take_a_whole_class_out_of_training():
    catalogue = made_of(Shirts=(60, 5), Heels=(6, 5))
    twins = alone(catalogue)
    twins[catalogue.table["label"] == "Heels"] = 1000
    task = make_task(catalogue, twins)
    assert task.fit_counts[task.classes.index("Heels")] == 6


def test_nothing_to_train_on_or_to_test_on_or_to_tell_apart_is_refused():
    for catalogue, words in (
        (made_of(Shirts=(0, 5), Heels=(0, 5)), "train on, no photo of even years"),
        (made_of(Shirts=(5, 0), Heels=(5, 0)), "test on, no photo of odd years"),
        (made_of(Shirts=(5, 5)), "single articleType"),
        (made_of(Shirts=(5, 5), Heels=(0, 5)), "single articleType"),
    ):
        with pytest.raises(DataError, match=f"data: .*{words}"):
            make_task(catalogue, alone(catalogue))


def test_largest_classes_that_live_in_one_kind_of_year_are_refused():
    for largest, words in (((0, 90), "to train on"), ((90, 0), "to test on")):
        catalogue = made_of(Shirts=largest, Heels=(6, 5), Ties=(6, 5))
        with pytest.raises(DataError, match=f"the 1 largest classes have no photo {words}"):
            make_task(catalogue, alone(catalogue)).largest(1)


# -- weights


def test_published_weights_are_total_by_count():
    counts = np.array([600, 300, 100])
    weights = class_weights(counts, 1.0)
    assert weights / weights[0] == pytest.approx([1, 2, 6])


def test_square_root_weights_and_none():
    counts = np.array([900, 400, 100])
    weights = class_weights(counts, 0.5)
    assert weights / weights[0] == pytest.approx([1, 1.5, 3])
    assert class_weights(counts, 0.0) == pytest.approx([1, 1, 1])


def test_weights_average_to_one_over_the_training_photos_and_unseen_classes_weigh_nothing():
    counts = np.array([700, 0, 41, 1, 0])
    for power in (1.0, 0.5, 0.0):
        weights = class_weights(counts, power)
        assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
        assert weights[1] == weights[4] == 0 and (weights[counts > 0] > 0).all()


def test_trials_can_do_with_a_part_of_every_class_that_learns():
    catalogue = made_of(Shirts=(200, 1), Heels=(50, 1), Socks=(6, 1), Ties=(1, 1))
    whole = make_task(catalogue, alone(catalogue))
    part = make_task(catalogue, alone(catalogue), train_fraction=0.25)
    assert set(part.train) < set(whole.train) and part.val.tolist() == whole.val.tolist()
    assert part.fit_counts.tolist() == np.ceil(whole.fit_counts / 4).tolist()
    again = make_task(catalogue, alone(catalogue), train_fraction=0.25)
    assert part.train.tolist() == again.train.tolist()


def test_a_blank_before_a_quoted_field_is_no_part_of_it(make_root):
    rows = ['1, 2010, "Shirts"', '2, "2011", "Tops, Tees"', "3, 2012, Shoes"]
    photos = {number: pattern(number) for number in (1, 2, 3)}
    root = open_root(make_root("\n".join(["id,year,articleType", *rows, ""]), photos))
    assert read_catalogue(root).table["label"].tolist() == ["Shirts", "Tops, Tees", "Shoes"]
