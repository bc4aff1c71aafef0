"""Plot of an image with its apertures: what is drawn where."""

import astropy.units as u
import numpy as np
import pytest

from szmass.exceptions import InvalidInputError
from szmass.morphology import get_morphology_preset, measure_morphology
from szmass.plots import plot_morphology

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[:61, :61] - 30
    return (1 + ((x - 2) ** 2 + (y / 0.7) ** 2) / 16) ** -1.5


def measured(image, **options):
    return measure_morphology(image, pixel_scale=1 * u.arcmin, r500=20 * u.arcmin, **options)


def test_apertures_are_where_they_were(image):
    preset = get_morphology_preset("standard", power=0.5)
    ax = plot_morphology(image, measured(image, preset=preset, errors=3, noise=0.01))
    *circles, ellipse = ax.patches
    assert [circle.get_radius() for circle in circles] == pytest.approx([3, 20, 10], rel=1e-4)
    for patch in (*circles, ellipse):
        assert patch.get_center() == pytest.approx((32, 30), abs=0.01)
    assert ellipse.get_height() / ellipse.get_width() == pytest.approx(0.7, abs=0.002)
    text = ax.texts[0].get_text()
    assert r"$\epsilon$ = 0.30 $\pm$" in text
    assert ax.get_title() == "0"


def test_a_row_without_centre_is_drawn_plainly(image):
    table = measured(np.stack([image, np.full_like(image, np.nan)]))
    ax = plot_morphology(np.full_like(image, np.nan), table, 1)
    assert not ax.patches
    shape_only = measured(image, parameters="concentration")
    assert len(plot_morphology(image, shape_only, values=False).patches) == 2


def test_what_is_refused(image):
    table = measured(image)
    with pytest.raises(InvalidInputError, match="shape"):
        plot_morphology(image[0], table)
    with pytest.raises(InvalidInputError, match="row 3 of 1"):
        plot_morphology(image, table, 3)
    with pytest.raises(InvalidInputError, match="no column 'flag'"):
        plot_morphology(image, table["name", "x"])
