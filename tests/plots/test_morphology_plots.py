"""Plot of an image with its apertures: what is drawn where."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass.exceptions import InvalidInputError
from szmass.morphology import get_morphology_preset, measure_morphology
from szmass.plots import plot_mass_state, plot_morphology

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


def test_masses_against_the_state():
    rng = np.random.default_rng(0)
    true = np.full(100, 5e14) * u.solMass
    table = QTable({"mass_true": true, "log_chi": rng.normal(0, 0.2, 100)})
    table["mass_a"] = true * 10 ** (0.3 * table["log_chi"])
    table["mass_b"] = true * 10**0.1
    table["log_chi"][3] = np.nan
    ax = plot_mass_state(table, ["a", "b"], labels=["A", "B"])
    points, means = ax.lines[0].get_xydata(), ax.containers[0].lines[0].get_xydata()
    assert len(points) == 99
    np.testing.assert_allclose(points[:, 1], 0.3 * points[:, 0])
    np.testing.assert_allclose(means[:, 1], 0.3 * means[:, 0])
    assert len(means) == 5
    np.testing.assert_allclose(ax.containers[1].lines[0].get_ydata(), 0.1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A", "B"]
    with pytest.raises(InvalidInputError, match="no column 'chi'"):
        plot_mass_state(table, "a", state="chi")
    with pytest.raises(InvalidInputError, match="one number per row"):
        plot_mass_state(table, "a", state=[1.0])
    with pytest.raises(InvalidInputError, match="one entry per method"):
        plot_mass_state(table, "a", labels=[])
    with pytest.raises(InvalidInputError, match="and a state"):
        plot_mass_state(table, "a", state=np.full(100, np.nan))
