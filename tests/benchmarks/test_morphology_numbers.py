"""Morphology of A3158 in its ROSAT image."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.morphology import get_morphology_preset, measure_morphology
from szmass.physics import get_cosmology, theta500

pytestmark = pytest.mark.real_data

# PSZ2 G265.02-48.96: mass and redshift of the Planck catalogue.
R500 = theta500(4.22e14 * u.solMass, 0.059, cosmology="PSZ2")
COSMOLOGY = {"redshift": 0.059, "cosmology": "PSZ2"}


@pytest.fixture(scope="module")
def a3158(real_data):
    def measure(**options):
        folder = real_data("halos/real_xray_image/b_37.fits.gz").parent
        options = {
            "r500": R500,
            "background": folder / "back_37.fits.gz",
            "exposure": folder / "expose_mask_37.fits.gz",
        } | options
        return measure_morphology(folder / "b_37.fits.gz", **options)[0]

    return measure


def test_a3158_is_relaxed_or_mildly_disturbed(a3158):
    row = a3158(
        noise="poisson",
        errors=40,
        parameters=("concentration", "centroid_shift", "power_ratios"),
        preset=get_morphology_preset("standard", log_radius=1000),
    )
    assert row["snr"] > 50
    assert row["concentration"] == pytest.approx(0.257, abs=0.006)
    assert row["concentration_err"] == pytest.approx(0.006, abs=0.002)
    # Relaxed clusters have w < 0.01, disturbed ones more; the error tells it from neither.
    assert row["centroid_shift"] == pytest.approx(0.008, abs=0.002)
    assert 0.001 < row["centroid_shift_err"] < 0.006
    # Without a logarithm 4e-7 +- 1e-6: no octupole is seen.
    assert row["p3_p0"] < 1e-7
    assert row["p3_p0"] < 2 * row["p3_p0_err"] + row["p3_p0_bias"]


def test_a3158_does_not_hang_on_the_centre(a3158):
    what = {"parameters": ("concentration", "centroid_shift", "power_ratios")}
    peak = a3158(**what)
    assert np.hypot(peak["x"] - 271.5, peak["y"] - 280.0) < 1
    # Half of the resolution, 0.015 R500. A shift about a moved centre is another one: w is between
    # 0.004 and 0.014 there, with an error of 0.003, and the cluster stays what it is.
    for angle in np.radians(np.arange(0, 360, 60)):
        center = peak["x"] + np.cos(angle), peak["y"] + np.sin(angle)
        row = a3158(center=center, **what)
        assert row["concentration"] == pytest.approx(peak["concentration"], abs=0.006)
        assert 0.003 < row["centroid_shift"] < 0.015
        assert row["p2_p0"] == pytest.approx(peak["p2_p0"], rel=0.02)
        assert row["p3_p0"] == pytest.approx(peak["p3_p0"], rel=0.05)
    smoother = a3158(smoothing=0.1, **what)
    assert np.hypot(smoother["x"] - peak["x"], smoother["y"] - peak["y"]) < 3
    centroid = a3158(center="centroid", **what)
    assert centroid["centroid_shift"] == pytest.approx(0.009, abs=0.001)


def test_a3158_with_apertures_in_kpc(a3158):
    row = a3158(preset="yuan2020", **COSMOLOGY, noise="poisson", errors=20)
    assert row["centroid_shift"] == pytest.approx(0.007, abs=0.003)
    assert row["p3_p0"] < 3e-7
    assert row["ellipticity"] == pytest.approx(0.19, abs=0.06)


def test_a3158_is_what_xmm_sees(a3158):
    # LoVoCCS-27 in the tables of github.com/LoVoCCS/X-LoVoCCS-Analyses: its peak, c and w.
    scale = get_cosmology("PSZ2").kpc_proper_per_arcmin(0.059).value * R500.value
    row = a3158(
        preset="lovoccs",
        **COSMOLOGY,
        center=SkyCoord([55.721], [-53.6318], unit="deg"),
        background=(800 / scale, 1000 / scale),
        noise="poisson",
        errors=40,
        parameters=("concentration", "centroid_shift"),
    )
    # ROSAT blurs the inner 100 kpc, 88 arcsec, by 25 arcsec.
    assert row["concentration"] == pytest.approx(0.212, abs=0.03)
    assert row["centroid_shift"] == pytest.approx(0.0124, abs=2.5 * row["centroid_shift_err"])
    assert row["centroid_shift_err"] < 0.003
