"""Plots of counts and of whole skies."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.plots import plot_counts, plot_sky

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
FLUX = u.erg / u.s / u.cm**2


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def cumulative(factor=1):
    n = np.array([400, 90, 10, 0]) * factor
    table = QTable({"threshold": [1e-12, 3e-12, 1e-11, 1e-10] * FLUX, "n": n})
    table["n_err"] = 1.5 * np.sqrt(n)
    table.meta.update(quantity="flux", physics="tng")
    return table


def binned():
    table = QTable({"z_low": [0, 0.1, 0.2], "z_high": [0.1, 0.2, 0.4], "n": [5, 30, 20]})
    table["n_err"] = np.sqrt(table["n"])
    return table


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_cumulative_counts_are_lines_with_bands():
    points = {"REFLEX": (3e-15 * u.W / u.m**2, 447)}
    ax = plot_counts({"a": cumulative(), "b": cumulative(3)}, points=points, scale=2)
    assert labels(ax) == ["a", "b", "REFLEX"]
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(x, [1e-12, 3e-12, 1e-11])
    np.testing.assert_allclose(y, [800, 180, 20])  # none where there is no cluster
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert "flux [" in ax.get_xlabel()
    point = ax.containers[0].lines[0].get_xydata()[0]
    np.testing.assert_allclose(point, [3e-12, 447])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(800 + 2 * 30)


def test_bins_of_redshift_are_steps():
    ax = plot_counts(binned(), points={"seen": (0, [4, 33, 18])})
    values, edges, _ = ax.patches[0].get_data()
    np.testing.assert_allclose(values, [5, 30, 20])
    np.testing.assert_allclose(edges, [0, 0.1, 0.2, 0.4])
    np.testing.assert_allclose(
        ax.containers[0].lines[0].get_xydata(), [[0.05, 4], [0.15, 33], [0.3, 18]]
    )
    assert ax.get_xlabel() == "redshift"


def test_what_is_no_counts_is_refused():
    with pytest.raises(InvalidInputError, match="none"):
        plot_counts({})
    for counts in (None, cumulative()[:0], binned()[:0]):
        with pytest.raises(InvalidInputError, match="'counts' must"):
            plot_counts(counts)
    with pytest.raises(InvalidInputError, match="'points' must be pairs"):
        plot_counts(binned(), points={"seen": ([0.1, 0.2], [1, 2, 3, 4])})
    with pytest.raises(InvalidInputError, match="n_err"):
        plot_counts({"a": cumulative()["threshold", "n"]})
    with pytest.raises(InvalidInputError, match="z_low"):
        plot_counts({"a": binned(), "b": cumulative()})


@pytest.mark.parametrize("ordering", ["ring", "nested"])
def test_a_sky_has_east_left_and_its_holes_grey(ordering):
    import healpy

    lon, lat = healpy.pix2ang(16, np.arange(12 * 16**2), nest=ordering == "nested", lonlat=True)
    values = np.where((lon > 30) & (lon < 90) & (np.abs(lat) < 30), 2e-5, 1e-6)
    values[lat < -60] = np.nan
    ymap = ComptonMap.from_healpix(values.astype("f4"), ordering=ordering, frame="galactic")
    ymap.meta["PHYSICS"] = "tng"
    ax = plot_sky(ymap)
    image = np.ma.filled(ax.images[0].get_array(), np.nan)
    ny, nx = image.shape
    assert image[ny // 2, int(nx * (0.5 - 60 / 360))] == pytest.approx(20, rel=1e-3)
    assert image[ny // 2, int(nx * (0.5 + 60 / 360))] == pytest.approx(1, rel=1e-3)
    assert np.isnan(image[2, nx // 2])  # the South is below
    assert np.isnan(image[-1, 0])
    assert ax.get_title() == "tng, galactic"


def test_an_image_is_no_sky():
    wcs = CutoutGeometry(shape=(8, 8)).wcs(SkyCoord(0 * u.deg, 0 * u.deg))
    with pytest.raises(InvalidInputError, match="must be a HEALPix map"):
        plot_sky(ComptonMap.from_image(np.zeros((8, 8)), wcs))
