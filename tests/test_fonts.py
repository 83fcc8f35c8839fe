"""Letters that DejaVu Sans lacks: drawn with a font of this machine, or it is said once which font
to install.
"""

import warnings

import pandas as pd
import pytest
from matplotlib.font_manager import fontManager

from fashion_tl.reporting import figures, fonts

CHINESE, HINDI = "衬衫", "साड़ी"


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """As in a process that has drawn nothing yet, and without fonts beyond matplotlib's own."""
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    forget()
    yield
    forget()


def forget() -> None:
    fonts._fonts_of.clear()
    fonts.installed.cache_clear()
    fonts._say_lacking.cache_clear()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """``install(name, letters)``: a font of boxes for these letters alone, which matplotlib's own
    list lacks.
    """
    builder = pytest.importorskip("fontTools.fontBuilder")
    pen = pytest.importorskip("fontTools.pens.ttGlyphPen")

    def make(name: str, letters: str, outlines: bool = True) -> None:
        glyphs = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
        box = pen.TTGlyphPen(None)
        box.moveTo((100, 0))
        for corner in ((900, 0), (900, 800), (100, 800)):
            box.lineTo(corner)
        box.closePath()
        font = builder.FontBuilder(1000)
        font.setupGlyphOrder(glyphs)
        font.setupCharacterMap(dict(zip(map(ord, letters), glyphs[1:], strict=True)))
        font.setupGlyf(dict.fromkeys(glyphs, (box if outlines else pen.TTGlyphPen(None)).glyph()))
        font.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
        font.setupHorizontalHeader(ascent=800, descent=-200)
        font.setupNameTable({"familyName": name, "styleName": "Regular"})
        font.setupOS2(usWeightClass=400)
        font.setupPost()
        font.save(tmp_path / f"{name}.ttf")
        files = [str(file) for file in tmp_path.glob("*.ttf")]
        monkeypatch.setattr(fonts, "findSystemFonts", lambda: files)

    return make


def counts(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"label": names, "train": 5, "test": 4})


def test_ordinary_names_take_one_font_and_no_other_is_looked_for(monkeypatch):
    monkeypatch.setattr(fonts, "_look_for", None)  # would fail
    for text in ("Perfume and Body Mist", "Trägerkleid → Юбка", "✓ ✗ … · ×", "حقيبة"):
        assert fonts.family(text) == ["DejaVu Sans"]


def test_a_font_installed_after_matplotlib_made_its_list_is_used(install, capsys):
    install("Made Up Sans", CHINESE)
    assert fonts.family(f"Shirts {CHINESE}") == ["DejaVu Sans", "Made Up Sans"]
    assert capsys.readouterr().out == ""


def test_the_figure_is_drawn_with_it(install, tmp_path):
    boxes = figures.save(
        figures.class_distribution(counts("Shirts", CHINESE), "Data"), tmp_path / "boxes.png"
    )
    forget()
    install("Made Up Sans", CHINESE)
    figure = figures.class_distribution(counts("Shirts", CHINESE), "Data")
    assert figures.save(figure, tmp_path / "drawn.png").read_bytes() != boxes.read_bytes()
    labels = figure.axes[0].get_yticklabels()
    assert labels[1].get_text() == CHINESE and "Made Up Sans" in labels[1].get_fontfamily()


def test_as_few_fonts_as_possible_are_taken_for_a_script_those_without_serifs_first(install):
    install("One Sans", CHINESE[0])
    install("Both Serif", CHINESE)
    install("Both Sans", CHINESE)
    assert fonts.family(CHINESE) == ["DejaVu Sans", "Both Sans"]


def test_fonts_in_colours_are_passed_over_where_matplotlib_would_draw_nothing(install, capsys):
    install("Colourful Sans", "👗", outlines=False)
    assert fonts.family("👗 Dress") == ["DejaVu Sans"]
    assert "emoji" in capsys.readouterr().out


def test_a_damaged_font_file_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    monkeypatch.setattr(
        fonts,
        "findSystemFonts",
        lambda: [str(tmp_path / "damaged.ttf"), str(tmp_path / "gone.ttf")],
    )
    assert fonts.family(CHINESE) == ["DejaVu Sans"]


@pytest.mark.parametrize(
    ("name", "script", "font", "package"),
    [
        (CHINESE, "Chinese, Japanese or Korean letters", "Noto Sans CJK", "fonts-noto-cjk"),
        ("シューズ", "Chinese, Japanese or Korean letters", "Noto Sans CJK", "fonts-noto-cjk"),
        ("신발", "Chinese, Japanese or Korean letters", "Noto Sans CJK", "fonts-noto-cjk"),
        (HINDI, "Devanagari letters", "Noto Sans Devanagari", "fonts-noto-core"),
        ("กระเป๋า", "Thai letters", "Noto Sans Thai", "fonts-noto-core"),
        ("👗 Dress", "emoji or symbols", "Symbola", "fonts-symbola"),
    ],
)
def test_without_a_font_it_is_said_which_one_to_install(name, script, font, package, capsys):
    fonts.family(name)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"no font here has all {script}" in said
    assert f"such as {font} " in said and f"apt-get install {package})" in said


def test_it_is_said_once_for_each_script_whatever_is_drawn_and_matplotlib_warns_of_no_letter(
    tmp_path, capsys
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for names in ((CHINESE, HINDI), (f"{CHINESE}裤", "👗"), (CHINESE, "שמלה")):
            figure = figures.class_distribution(counts(*names), f"Data: {HINDI}")
            figure.draw_without_rendering()
            figures.save(figure, tmp_path / "figure.png")
            assert figure._repr_png_()  # as a notebook shows it
    said = capsys.readouterr().out.splitlines()
    scripts = sorted(line.split(" has all ")[1].split(" of ")[0] for line in said)
    assert scripts == [
        "Chinese, Japanese or Korean letters",
        "Devanagari letters",
        "emoji or symbols",
    ]


def test_other_warnings_are_not_kept_back():
    with pytest.warns(UserWarning, match="something else"), fonts.quiet_on_missing_letters():
        warnings.warn("something else", stacklevel=1)
