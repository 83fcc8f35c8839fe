"""What a file that we can't read as a photo really is, judged by its content, and the way out."""

IMAGES = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"\0\0\1\0": "ICO",
    b"IIRO": "a camera's raw format",
    b"IIU\0": "a camera's raw format",
    b"FUJIFILM": "a camera's raw format",
    b"\x1aE\xdf\xa3": "a video",
}
# ISO base media files by the brands that their first box names. The first brand in this table that
# a file names counts.
BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"crx ": "a camera's raw format",
}
OTHERS = {
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"PK\3\4": "a zip: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"<!doctype html": "a web page: download the photo again, perhaps signed in",
    b"<html": "a web page: download the photo again, perhaps signed in",
}


# What is read here, by how its files begin.
OURS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    **{b"P%d" % kind: "PPM" for kind in range(1, 8)},
}


def what_it_is(content: bytes) -> str:
    """What the bytes of a whole file are, in words, with the way out; empty if that isn't known."""
    if not content:
        return "the file is empty: copy it again"
    if not content.strip(b"\0"):
        return "the file holds only zeros: copy it again"
    text = content[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, words in OTHERS.items():
        if content.startswith(start) or text.startswith(start):
            return f"it is {words}"
    name = "SVG" if text.startswith(b"<") and b"<svg" in text else _image(content)
    if name:
        return f"it is {name}, which can't be read here; convert it to JPEG or PNG"
    if content[:4] == b"RIFF" and content[8:12] != b"WEBP":
        return ""
    if own := next((own for start, own in OURS.items() if content.startswith(start)), ""):
        return f"it is {own}, but damaged or of a kind that can't be read; convert it to plain PNG"
    return ""


def _image(content: bytes) -> str:
    """The name of an image or video format; empty if that isn't known."""
    if content[4:8] == b"ftyp":
        boxed = content[8 : min(int.from_bytes(content[:4], "big"), 200)]
        brands = {boxed[start : start + 4] for start in range(0, len(boxed), 4)}
        return next((name for brand, name in BRANDS.items() if brand in brands), "a video")
    if content[8:10] == b"CR":  # Canon's, which begins as a TIFF does
        return "a camera's raw format"
    return next((name for start, name in IMAGES.items() if content.startswith(start)), "")
