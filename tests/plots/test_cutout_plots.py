"""Plots of cutouts: what is drawn where, and what is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.maps import Cutout, CutoutGeometry, CutoutStack
from szmass.plots import plot_cutout, plot_gallery

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def bump(shape=(48, 40), **options):
    """Give a cutout with a round source in the middle and noise of 1e-6."""
    geometry = options.pop("geometry", CutoutGeometry(shape))
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(rows - (shape[0] - 1) / 2, columns - (shape[1] - 1) / 2)
    noise = np.random.default_rng(1).normal(0, 1e-6, shape)
    options = {"beam": 10 * u.arcmin, "name": "A1"} | options
    coord = options.pop("coord", SkyCoord(30, 60, unit="deg", frame="galactic"))
    return Cutout(40e-6 * np.exp(-(radius**2) / 30) + noise, coord, geometry, **options)


def circles(ax):
    return [patch for patch in ax.patches if hasattr(patch, "get_radius")]


def contour_levels(ax):
    sets = [c for c in ax.collections if hasattr(c, "levels")]
    return sets[0].levels if sets else []


def test_cutout_is_on_the_sky():
    cutout = bump()
    ax = plot_cutout(cutout, theta500=17 * u.arcmin)
    assert ax.wcs is not None
    np.testing.assert_allclose(ax.images[0].get_array(), cutout.data * 1e6)
    assert ax.images[0].colorbar.ax.get_ylabel() == r"Compton-$y$ [$10^{-6}$]"
    assert [axis.get_axislabel() for axis in ax.coords] == [
        "Galactic longitude",
        "Galactic latitude",
    ]
    size, beam = circles(ax)
    assert size.get_radius() == pytest.approx(10)  # pixels of 1.7 arcmin
    assert size.center == pytest.approx((19.5, 23.5))
    assert beam.get_radius() == pytest.approx(5 / 1.7)
    assert ax.get_title() == "A1"
    # Longitude increases to the left.
    left, right = (ax.wcs.pixel_to_world(x, 23.5).l.deg for x in (0, 39))
    assert left > right
    ax.figure.canvas.draw()


def test_contours_are_multiples_of_the_noise():
    cutout = bump((96, 96))
    levels = contour_levels(plot_cutout(cutout))
    np.testing.assert_allclose(levels, [3, 5, 10, 20, 40, 80], rtol=0.05)
    assert len(contour_levels(plot_cutout(cutout, contours=False))) == 0
    np.testing.assert_allclose(contour_levels(plot_cutout(cutout, contours=[5e-6, 2e-5])), [5, 20])
    # Levels that the image does not reach are not asked of matplotlib, which would warn.
    assert len(contour_levels(plot_cutout(cutout, contours=[1e-3]))) == 0


def test_on_plain_axes_there_are_offsets():
    figure, ax = pyplot.subplots()
    assert plot_cutout(bump(), ax=ax, colorbar=False, theta500=17 * u.arcmin) is ax
    assert ax.images[0].get_extent() == pytest.approx([34, -34, -40.8, 40.8])
    assert "arcmin" in ax.get_xlabel()
    assert r"\Delta l" in ax.get_xlabel()
    size, beam = circles(ax)
    assert size.get_radius() == 17
    # The beam is in the lower left corner, where offsets in longitude are positive.
    assert beam.center[0] > 20
    assert beam.center[1] < -30
    assert len(figure.axes) == 1


def test_a_hole_is_grey_and_the_beam_unknown():
    cutout = bump(beam=None)
    footprint = cutout.footprint.copy()
    footprint[:5] = False
    data = np.where(footprint, cutout.data, np.nan)
    cutout = Cutout(data, cutout.coord, cutout.geometry, footprint=footprint)
    ax = plot_cutout(cutout)
    image = ax.images[0]
    assert image.get_array().mask[:5].all()
    assert not image.get_array().mask[5:].any()
    assert image.get_cmap().get_bad()[0] == pytest.approx(0.75)
    assert not circles(ax)
    assert ax.get_title() == ""
    low, high = image.get_clim()
    assert low == pytest.approx(np.nanmin(data) * 1e6)
    assert high == pytest.approx(np.nanmax(data) * 1e6)
    assert plot_cutout(cutout, limits=(-1e-6, 2e-5)).images[0].get_clim() == pytest.approx((-1, 20))


def test_equatorial_and_relative_cutouts():
    ax = plot_cutout(bump(geometry=CutoutGeometry((48, 40), frame="icrs")))
    assert ax.coords[0].get_axislabel() == "Right ascension"
    stack = CutoutStack(
        bump().data[np.newaxis], None, SkyCoord([30], [60], unit="deg", frame="galactic"),
        geometry=CutoutGeometry((48, 40), 0.2), angular_scale=[5] * u.arcmin,
        beam=10 * u.arcmin,
    )  # fmt: skip
    figure = plot_gallery(stack, theta500=[6] * u.arcmin)
    assert "theta_{500}" in figure.get_supxlabel()
    assert figure.axes[0].images[0].get_extent() == pytest.approx([4, -4, -4.8, 4.8])
    assert [c.get_radius() for c in circles(figure.axes[0])] == pytest.approx([6 / 5, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": (2e-5, 1e-5)}, "'limits' must be a lower and a higher y"),
        ({"contours": [2e-5, 1e-5]}, "'contours' must be True, False, or increasing"),
        ({"contours": 3e-6}, "'contours' must be True, False, or increasing"),
        ({"theta500": -1 * u.arcmin}, "'theta500' must be positive"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_cutout(bump(), **options)


def test_bad_cutouts():
    with pytest.raises(InvalidInputError, match="'cutout' must be a Cutout"):
        plot_cutout(np.zeros((5, 5)))
    with pytest.raises(InvalidUnitError, match="'theta500'"):
        plot_cutout(bump(), theta500=3)
    nothing = Cutout(np.full((4, 4), np.nan), SkyCoord(1, 2, unit="deg"))
    with pytest.raises(InvalidInputError, match="no valid pixel"):
        plot_cutout(nothing)


def test_gallery_has_one_scale():
    sample = make_check_sample(6)
    figure = plot_gallery(sample[:5], columns=3, theta500=[5, 6, np.nan, 8, 9] * u.arcmin)
    panels = [ax for ax in figure.axes if ax.images]
    assert len(panels) == 5
    assert len({ax.images[0].get_clim() for ax in panels}) == 1
    assert "redshift" not in panels[0].get_title()
    assert panels[0].get_title() == f"{sample.names[0]}\n$z$ = {sample.redshift[0]:.3f}"
    assert [len(circles(ax)) for ax in panels] == [2, 1, 0, 1, 1]
    assert r"\Delta b" in figure.get_supylabel()
    # Numbers below the lowest panel of each column only.
    figure.canvas.draw()
    labelled = [any(t.get_visible() for t in ax.get_xticklabels()) for ax in panels]
    assert labelled == [False, False, True, True, True]


def test_gallery_in_a_figure_of_ours():
    figure = pyplot.figure()
    top, bottom = figure.subfigures(2)
    assert plot_gallery(make_check_sample(2).cutouts, fig=top) is top
    assert not bottom.axes
    (one,) = [ax for ax in plot_gallery(make_check_sample(1)).axes if ax.images]
    assert one.get_subplotspec().get_gridspec().ncols == 1


def test_gallery_refuses():
    sample = make_check_sample(2)
    with pytest.raises(InvalidInputError, match="1 to 100 cutouts. Received: 0"):
        plot_gallery(sample[:0])
    with pytest.raises(InvalidInputError, match="'titles' must have one entry per cutout"):
        plot_gallery(sample, titles=["a"])
    with pytest.raises(InvalidInputError, match="'columns' must be a number"):
        plot_gallery(sample, columns=0)
    with pytest.raises(InvalidInputError, match="'theta500' must have one entry per cutout"):
        plot_gallery(sample, theta500=5 * u.arcmin)
    with pytest.raises(InvalidInputError, match="'cutouts' must be a CutoutStack"):
        plot_gallery(list(sample.cutouts))
    sample.cutouts = None
    with pytest.raises(InvalidInputError, match="has no cutouts: call sample.attach_cutouts"):
        plot_gallery(sample)
