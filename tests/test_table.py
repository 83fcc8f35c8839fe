"""Tables as people have them: their separators, encodings, headers and line breaks; errors that say
what was found.
"""

import pytest

from fashion_tl.data.table import parse_table
from fashion_tl.errors import DataError

NEEDED = ("id", "year", "articleType")
KNOWN = (*NEEDED, "productDisplayName")
PLAIN = "id,year,articleType,productDisplayName\n1,2012,Shirts,Café\n2,2013,Heels,Größe\n"
PHOTOS = {"1", "2", "3", "4"}


def read(content: str | bytes):
    content = content if isinstance(content, bytes) else content.encode()
    return parse_table(
        content, "styles.csv", NEEDED, KNOWN, lambda text: text if text in PHOTOS else None
    )


def rows(content: str | bytes) -> list[list[str]]:
    """The known fields of each record, in the order of ``KNOWN``."""
    table = read(content)
    return [[fields[i] for i in table.column.values()] for _, fields in table.records]


def refusal(content: str | bytes) -> str:
    with pytest.raises(DataError, match=r"styles\.csv") as caught:
        read(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("stated", [False, True], ids=["", "stated"])
def test_the_separator_is_told_from_the_header(separator, stated):
    text = PLAIN.replace(",", separator)
    assert rows(f"sep={separator}\n{text}" if stated else text) == rows(PLAIN)


def test_excels_own_line_names_any_separator_and_counts_as_a_line():
    table = read("sep=^\r\n" + PLAIN.replace(",", "^").replace("\n", "\r\n"))
    assert table.separator == "^" and [line for line, _ in table.records] == [3, 4]


def test_where_excels_own_line_is_wrong_the_header_counts():
    assert rows("sep=;\n" + PLAIN) == rows(PLAIN)
    assert "is empty" in refusal("sep=,\n")


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        "cp1252",
        "latin-1",
    ],
)
def test_encodings_are_told_from_the_first_bytes(encoding):
    assert rows(PLAIN.encode(encoding)) == rows(PLAIN)
    assert bool(read(PLAIN.encode(encoding)).notes) == (encoding in ("cp1252", "latin-1"))


def test_utf_16_with_the_mark_of_either_order_is_read():
    for order, mark in (("le", b"\xff\xfe"), ("be", b"\xfe\xff")):
        assert rows(mark + PLAIN.encode(f"utf-16-{order}")) == rows(PLAIN)


def test_letters_of_windows_alone_are_read():
    assert (
        rows("id,year,articleType\n1,2012,Women’s “Tops” – 5 €\n".encode("cp1252"))[0][2]
        == "Women’s “Tops” – 5 €"
    )
    # A byte that means nothing there.
    assert rows(b"id,year,articleType\n1,2012,A\x81B\n")[0][2] == "A\x81B"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(ends):
    assert rows(PLAIN.replace("\n", ends)) == rows(PLAIN)
    assert [line for line, _ in read(PLAIN.replace("\n", ends)).records] == [2, 3]


def test_letters_that_only_look_like_line_ends_are_none():
    text = PLAIN.replace("Café", "Ca\u2028f\x0b\x0c\x85é")
    for encoding in ("utf-8", "utf-16"):
        assert [row[3] for row in rows(text.encode(encoding))] == [
            "Ca\u2028f\x0b\x0c\x85é",
            "Größe",
        ]


@pytest.mark.parametrize(
    "header",
    [
        "ID,Year,ArticleType",
        "Id,YEAR,article_type",
        '"id"," year ",Article Type',
        "id,year,article-type",
        "\u00a0id,year,ARTICLETYPE",
        '"id","year","article\ntype"',
    ],
)
def test_columns_are_known_in_any_capitals_and_however_their_words_are_joined(header):
    table = read(f"{header}\n1,2012,Shirts\n")
    assert list(table.column) == list(NEEDED) and table.records[0][1] == ["1", "2012", "Shirts"]


def test_two_columns_that_match_one_name_are_refused_and_named():
    assert "more than one column 'id' in the header ('Id, ID')" in refusal(
        "Id,ID,year,articleType\n1,1,2012,Shirts\n"
    )
    assert "more than one column 'year'" in refusal("id,year,year,articleType\n1,1,1,Shirts\n")


def test_the_very_name_counts_before_names_that_are_like_it():
    table = read("ID,id,articleType,article type,year\n7,1,Shirts,Tops,2012\n")
    assert [table.records[0][1][table.column[name]] for name in NEEDED] == ["1", "2012", "Shirts"]


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        ("id,की,का", "का", "b"),  # vowels are marks there
        ("id,price ($),price (€)", "price (€)", "b"),
        ("id,#,x", "#", "a"),
        ("id,cate\u0301gorie,x", "catégorie", "a"),  # as macOS may write it
    ],
)
def test_names_in_any_script_and_with_symbols_are_told_apart(header, name, value):
    table = parse_table(f"{header}\n1,a,b\n".encode(), "t", ("id", name), ("id", name), str)
    assert table.records[0][1][table.column[name]] == value


def test_all_missing_columns_are_named_at_once_with_their_ways_out():
    with pytest.raises(
        DataError, match=r"no columns 'id', 'year' in the header\. A way\. Another\. "
    ):
        hints = {"id": "A way.", "year": "Another.", "articleType": "None."}
        parse_table(b"x,articleType\n1,Tops\n", "t", NEEDED, NEEDED, str, hints)


@pytest.mark.parametrize(
    "letters", ["Рубашки", "一本のシャツ", "ΜΕΓΑΛΗ_ΚΑΤΗΓΟΡΙΑ_ΠΡΟΪΟΝΤΟΣ_ΑΠΟΘΗΚΗΣ"]
)
def test_utf_16_without_a_mark_is_told_in_any_script(letters):
    text = f"id,year,articleType\n1,2012,{letters}\n"
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le"):
        assert rows(text.encode(encoding))[0][2] == letters
        header = f"{letters}," + text.replace("1,2012", "x,1,2012")
        assert rows(header.encode(encoding))[0][2] == letters


def test_an_error_names_the_separator_and_encoding_found_and_the_way_out():
    said = refusal("id;year;class\n1;2012;Shirts\n".encode("utf-16"))
    assert (
        "no column 'articleType'" in said
        and "read as UTF-16, separated by semicolons: 'id;year;class'" in said
    )
    said = refusal("id^year^articleType\n1^2012^Shirts\n")
    assert "separated by '^', which isn't known" in said and "save it as CSV in UTF-8" in said
    assert "separated by ' ', which isn't known" in refusal("id year articleType\n1 2012 Shirts\n")


@pytest.mark.parametrize(
    "start, what",
    [
        (b"PK\x03\x04", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0", "old Excel workbook"),
        (b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_another_files_content_in_the_tables_place_is_called_by_its_name(start, what):
    said = refusal(start + bytes(range(256)))
    assert what in said and "Save the table as CSV" in said


def test_a_line_break_in_a_quoted_field_is_part_of_it_wherever_the_field_stands():
    text = '"A fine shirt,\r\n\r\nmade of ""cotton"""'
    for columns in (
        ["id", "x", "year", "articleType"],
        ["x", "id", "year", "articleType"],
        ["id", "year", "articleType", "x"],
    ):
        value = {"id": "1", "year": "2012", "articleType": "Shirts", "x": text}
        lines = [",".join(columns), ",".join(value[name] for name in columns), "2,a,b,c"]
        table = read("\r\n".join(lines))
        line, fields = table.records[0]
        assert line == 2 and fields[columns.index("x")] == 'A fine shirt,\n\nmade of "cotton"'
        assert [fields[table.column[name]] for name in NEEDED] == ["1", "2012", "Shirts"]
        assert [line for line, _ in table.records] == [2, 5]


def test_lines_of_blanks_or_of_empty_fields_are_no_records():
    text = "id,year,articleType\n  \n1,2012,Shirts\n\t\n\u00a0\n,,\n , ,\n2,2013,Heels\n,\n"
    assert [line for line, _ in read(text).records] == [3, 8]
    assert [line for line, _ in read(" \n" + text.replace(",", "\t")).records] == [4, 9]


def test_a_separator_at_the_end_of_each_row_or_of_the_header_alone_costs_no_row():
    """Programs write both. A field that isn't empty still makes a row too long."""
    header, *lines = PLAIN.splitlines()
    for text in (
        "\n".join([header, *(f"{line},, " for line in lines)]),
        "\n".join([f"{header},,", *lines]),
        "\n".join([f"{header},", *(f"{line},,," for line in lines)]),
    ):
        assert rows(text) == rows(PLAIN)
    table = read(f"{header}\n{lines[0]},\n{lines[1]},x\n3,2013,Heels,,,\n4,2014,Heels,\n")
    assert [len(fields) for _, fields in table.records] == [5, 5, 6, 4]


@pytest.mark.parametrize(
    ("header", "usual", "odd"),
    [
        ("id,name,articleType,year", "1,Shirt,Shirts,", "2,Blue, striped shirt,Shirts,"),
        ("id,name,articleType,year,,", "1,Shirt,Shirts,2012,,", "2,Blue, shirt,Shirts,2012,,"),
        ("id,name,articleType,year,,", "1,Shirt,Shirts,2012", "2,Blue, shirt,Shirts,2012"),
    ],
)
def test_one_comma_too_many_in_a_row_never_moves_its_values(header, usual, odd):
    """Its last field may be empty as well: only what most rows have can be read otherwise."""
    table = read("\n".join([header, usual, odd, usual, usual]))
    fit = [len(fields) == table.width for _, fields in table.records]
    assert fit == [True, False, True, True]


def test_if_many_rows_have_no_separator_at_their_end_one_too_many_is_a_mistake():
    odd, whole = "1,Blue, shirt,Shirts,,", "2,Shirt,Shirts,,"
    table = read("\n".join(["id,name,articleType,year,use", odd, odd, odd, whole]))
    assert [len(fields) == table.width for _, fields in table.records] == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("header", "ends"), [("id,x,year,articleType,", ""), ("id,x,year,articleType", ",")]
)
def test_quoted_line_breaks_and_separators_at_the_end_go_together(header, ends):
    rows = [f'{n},"a\nb, c",2012,Shirts{ends}' for n in (1, 2, 3)]
    table = read("\n".join([header, *rows]))
    assert [fields[:4] for _, fields in table.records] == [
        [str(n), "a\nb, c", "2012", "Shirts"] for n in (1, 2, 3)
    ]
    assert table.width == 4


def test_a_text_of_hundreds_of_lines_is_one_field():
    text = "\n".join(f"line {n}, and more" for n in range(900))
    assert len(read(f'id,year,articleType,x\n1,2012,Shirts,"{text}"\n2,2013,Heels,\n').records) == 2


def test_an_open_quote_spoils_no_more_than_its_own_row():
    lines = [
        "id,year,articleType,x",
        '1,2012,Shirts,"5 inch',
        "2,2012,Shirts,plain",
        '3,2012,Shirts,6"',
    ]
    assert [(line, fields[0]) for line, fields in read("\n".join(lines)).records] == [
        (2, "1"),
        (3, "2"),
        (4, "3"),
    ]
    lines[3:] = ["3,2012,Shirts", "free text", '4,2012,Shirts,""']
    assert [line for line, _ in read("\n".join(lines)).records] == [2, 3, 4, 5, 6]
    closed_at_last = [
        "id,year,articleType,x",
        '1,2012,"Shirts,x',
        "2,2012,Shirts,x",
        "3,2012,Shirts,x",
        'end",x',
    ]
    assert [line for line, _ in read("\n".join(closed_at_last)).records] == [2, 3, 4, 5]


def test_joined_lines_that_make_no_row_as_wide_as_the_header_stay_apart():
    assert [line for line, _ in read('id,year,articleType\n1,"20\n12",x,Shirts\n').records] == [
        2,
        3,
    ]


def test_many_quotes_left_open_take_no_time():
    lines = [f'{n},2012,Shirts,"open' for n in range(20_000)]
    assert len(read("\n".join(["id,year,articleType,x", *lines])).records) == 20_000
