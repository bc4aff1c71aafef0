"""The plot of what a network looks at."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutStack
from szmass.networks import occlusion_map, stack_saliency
from szmass.plots import plot_saliency

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture
def saliency():
    maps = np.zeros((2, 24, 24))
    maps[:, 13, 17] = 1.0
    coord = SkyCoord([10, 20], [30, 40], unit="deg", frame="galactic")
    stack = CutoutStack(maps, None, coord, names=["first", "second"])
    return occlusion_map(lambda maps, rows: 14 + 0.1 * maps.sum(axis=(1, 2)), stack, patches=6)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_one_map(saliency):
    ax = plot_saliency(saliency[0], theta500=6 * u.arcmin, numbers=True)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), saliency.data[0])
    # A half-width of 12 pixels of 1.7 arcmin, longitude to the left.
    assert image.get_extent() == pytest.approx([20.4, -20.4, -20.4, 20.4])
    assert image.get_clim() == pytest.approx((-image.get_clim()[1], saliency.data[0].max()))
    assert np.hypot(*ax.lines[0].get_data()) == pytest.approx(6.0)
    brightest = max(ax.texts, key=lambda text: float(text.get_text()))
    # Columns and rows 4 and 3 of 6: right and above the middle.
    assert brightest.get_position() == pytest.approx((-10.2, 3.4))
    assert ax.get_title() == "first"


def test_stacks(saliency):
    ax = plot_saliency(stack_saliency(saliency), limit=0.05)
    assert ax.images[0].get_clim() == (-0.05, 0.05)
    assert ax.get_title() == "mean of 2 clusters"
    scaled = stack_saliency(saliency, theta500=[3, 4] * u.arcmin, patches=4, width=2.0)
    ax = plot_saliency(scaled)
    assert "theta_{500}" in ax.get_xlabel()
    assert np.hypot(*ax.lines[0].get_data()) == pytest.approx(1.0)


def test_other_things_are_refused(saliency):
    with pytest.raises(InvalidInputError, match="one map of occlusion_map"):
        plot_saliency(saliency)
    with pytest.raises(InvalidInputError, match="'limit' must be positive"):
        plot_saliency(saliency[0], limit=0.0)
