"""Full-size photos are decoded at a reduced scale, and all but the same as whole."""

import numpy as np
import pytest
from PIL.JpegImagePlugin import JpegImageFile

from fashion_tl.data.photos import decode
from tests.checks.scale_photos import FULL, MEAN, MOST, decode_whole, differences, enlarge


@pytest.fixture(scope="module")
def contents(sample_root):
    """Three drawings as JPEGs of 1440×1080."""
    grain = np.random.default_rng(0).normal(0, 6, FULL).astype(np.float32)
    return [enlarge(photo, grain) for photo in sorted((sample_root / "images").iterdir())[:3]]


@pytest.fixture
def decoded_sizes(monkeypatch):
    """A list that each JPEG decoded from now on joins with the (width, height) it is decoded at."""
    sizes, load = [], JpegImageFile.load

    def spy(image):
        sizes.append(image.size)
        return load(image)

    monkeypatch.setattr(JpegImageFile, "load", spy)
    return sizes


@pytest.mark.parametrize(("stored", "decoded"), [((224, 168), (270, 360)), ((80, 60), (135, 180))])
def test_a_full_size_photo_is_decoded_at_a_quarter_or_an_eighth(
    contents, decoded_sizes, stored, decoded
):
    assert decode(contents[0], stored).shape == (*stored, 3)
    assert set(decoded_sizes) == {decoded}
    decoded_sizes.clear()
    decode_whole(contents[0], stored)
    assert set(decoded_sizes) == {FULL[::-1]}


@pytest.mark.parametrize("stored", [(181, 60), (300, 300), (721, 540), (1440, 1080), (1500, 1100)])
def test_it_is_never_decoded_at_less_than_the_size_asked_for(contents, decoded_sizes, stored):
    assert decode(contents[0], stored).shape == (*stored, 3)
    assert all(
        width >= min(stored[1], 1080) and height >= min(stored[0], 1440)
        for width, height in decoded_sizes
    )


@pytest.mark.parametrize("stored", [(80, 60), (224, 168), (400, 300)])
def test_its_pixels_are_all_but_those_of_decoding_it_whole(contents, stored):
    apart = differences(contents, stored)
    assert 0 < apart.mean() <= MEAN and np.quantile(apart, 0.999) <= MOST
