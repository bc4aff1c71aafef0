"""Plots: what is drawn, from which numbers, with which labels."""

import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass.exceptions import InvalidInputError, MissingDependencyError
from szmass.maps import CutoutGeometry, CutoutStack
from szmass.maps.measure.photometry import radial_profile
from szmass.maps.measure.stacking import stack
from szmass.maps.noise import NoiseModel
from szmass.plots import plot_profile, plot_stack

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

EDGES = [0, 10, 20, 40] * u.arcmin
NOISE = NoiseModel.planck(depth=None)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def make(n, **options):
    data = np.random.default_rng(0).normal(1e-6, 1e-6, (n, 48, 40))
    coord = SkyCoord(np.arange(n), 20, unit="deg", frame="galactic")
    names = [f"PSZ2 G{i:03d}" for i in range(n)]
    options = {"geometry": CutoutGeometry((48, 40)), "beam": 10 * u.arcmin} | options
    return CutoutStack(data, None, coord, names=names, **options)


def test_profiles_of_a_few_clusters():
    table = radial_profile(make(3), EDGES, noise=NOISE)
    ax = plot_profile(table, beam=10 * u.arcmin)
    assert ax.get_xlabel() == "radius [arcmin]"
    assert "Compton" in ax.get_ylabel()
    assert "10^{-6}" in ax.get_ylabel()
    assert len(ax.containers) == 3
    for row, (line, _, (bars,)) in zip(table, ax.containers, strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(y, row["y"] * 1e6)
        np.testing.assert_allclose(x, row["radius"].value, atol=0.5)
        lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2e6 * row["y_err"])
    colours = {line.get_color() for line, _, _ in ax.containers}
    markers = {line.get_marker() for line, _, _ in ax.containers}
    assert len(colours) == len(markers) == 3
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(labels) == {"PSZ2 G000", "PSZ2 G001", "PSZ2 G002", "half the beam"}


def test_profiles_of_many_clusters_and_their_mean():
    table = radial_profile(make(9), EDGES)
    table["y"][0, 2] = np.nan
    ax = plot_profile(table)
    assert not ax.containers
    mean = next(line for line in ax.lines if line.get_label() == "mean of 9")
    np.testing.assert_allclose(mean.get_ydata(), np.nanmean(table["y"], axis=0) * 1e6)


def test_profile_of_a_stack_without_errors_and_of_a_file(tmp_path):
    plain = radial_profile(make(1), EDGES)
    assert plot_profile(plain, labels=["mine"]).get_legend().get_texts()[0].get_text() == "mine"
    result = stack(make(4), noise=NOISE, bootstrap=0, edges=EDGES)
    (_, _, (bars,)) = plot_profile(result).containers[0]
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2e6 * result.profile["y_noise_err"][0])
    relative = make(2, geometry=CutoutGeometry((48, 40), 0.2), angular_scale=[5, 9] * u.arcmin)
    table = radial_profile(relative, [0, 1, 2])
    table.write(tmp_path / "profile.ecsv")
    ax = plot_profile(QTable.read(tmp_path / "profile.ecsv"), beam=10 * u.arcmin)
    assert "theta_{500}" in ax.get_xlabel()
    assert not ax.patches  # a beam in arcmin has no place here


def test_given_axes_are_drawn_on():
    figure, (left, right) = pyplot.subplots(1, 2)
    assert plot_profile(radial_profile(make(2), EDGES), ax=left) is left
    assert plot_stack(stack(make(4), rng=1), ax=right) is right
    assert pyplot.get_fignums() == [figure.number]


def test_map_of_a_stack():
    result = stack(make(4), noise=NOISE, background=[20, 30] * u.arcmin, rng=1)
    ax = plot_stack(result)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), result.image * 1e6)
    # As on the sky: row 0 at the bottom, longitude to the left.
    assert image.origin == "lower"
    assert image.get_extent() == pytest.approx([34, -34, -40.8, 40.8])
    assert ax.get_xlim() == pytest.approx((34, -34))
    assert ax.get_xlabel() == "offset in longitude [arcmin]"
    assert ax.get_ylabel() == "offset in latitude [arcmin]"
    low, high = image.get_clim()
    assert -low == high == pytest.approx(np.abs(result.image).max() * 1e6)
    assert "Compton" in image.colorbar.ax.get_ylabel()
    radii = [np.hypot(*line.get_data()).mean() for line in ax.lines]
    np.testing.assert_allclose(radii, [10, 20, 30])
    assert ax.get_title() == rf"4 clusters, {result.noise_significance:.1f}$\sigma$ (noise)"
    assert plot_stack(result, limit=5e-6).images[0].get_clim() == pytest.approx((-5, 5))


def test_map_in_units_of_r500():
    result = stack(make(4), scale="r500", angular_scale=8 * u.arcmin, rng=1)
    ax = plot_stack(result)
    assert "theta_{500}" in ax.get_xlabel()
    assert "bootstrap" in ax.get_title()
    turned = make(1, geometry=CutoutGeometry((48, 40), rotation=30 * u.deg))
    ax = plot_stack(stack(turned, bootstrap=0))
    assert ax.get_xlabel() == "offset [arcmin]"
    assert ax.get_title() == "1 cluster"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_profile(3), "'profile' must be a table from radial_profile"),
        (lambda: plot_profile(QTable({"radius": [1], "y": [2]})), "'profile' must be a table"),
        (lambda: plot_profile(radial_profile(make(2)[:0], EDGES)), "has no rows"),
        (lambda: plot_profile(radial_profile(make(2), EDGES), labels=["a"]), "one entry per row"),
        (lambda: plot_stack(make(2)), "'result' must be a StackResult"),
        (lambda: plot_stack(stack(make(2), rng=1), limit=-1), "'limit' must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_matplotlib_is_asked_for_only_when_needed(monkeypatch):
    code = "import sys, szmass.plots; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "False"
    table = radial_profile(make(2), EDGES)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[plot\]"):
        plot_profile(table)
