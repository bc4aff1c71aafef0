"""Clusters injected into the real full-mission map, by a painter that is not the package's.

Profile (Arnaud et al. 2010), sizes, signals (Planck 2015 XXIV), beam and the pixel window of the
map are written down here, and the cutouts are those of a pixelised sky, as a user makes them.
"""

from itertools import pairwise

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from scipy import integrate
from scipy.interpolate import CubicSpline
from scipy.special import j0

from szmass.catalogs import PSZ2Catalog
from szmass.clusters import ClusterSample
from szmass.estimators import CNNMass, LikelihoodMass, MatchedFilterMass
from szmass.maps import ComptonMap
from szmass.results import MassFlag

pytestmark = pytest.mark.real_data

NUMBER = 400
NSIDE, BEAM = 2048, 10.0
ARCMIN = np.pi / 180 / 60
SCATTER, ONE_MINUS_B = 0.173, 0.8
BINS = (0.01, 0.1, 0.2, 0.4, 0.9)


def efunc(z):
    return np.sqrt(0.3 * (1 + z) ** 3 + 0.7)


def angular_distance(z):
    """Mpc, for H0 = 70 and a matter density of 0.3."""
    return 2.99792458e5 / 70 / (1 + z) * integrate.quad(lambda x: 1 / efunc(x), 0, z)[0]


def size_and_signal(mass, z):
    """Theta500 [arcmin] and Y500 [arcmin2] of (1-b) M [Msun]."""
    distance, biased = angular_distance(z), ONE_MINUS_B * mass
    critical = 2.77536627e11 * 0.7**2 * efunc(z) ** 2  # Msun / Mpc^3
    radius = (3 * biased / (4 * np.pi * 500 * critical)) ** (1 / 3)
    y500 = 1e-4 * 10**-0.19 * efunc(z) ** (2 / 3) * (biased / 6e14) ** 1.79
    return radius / distance / ARCMIN, y500 / distance**2 / ARCMIN**2


def pressure(x):
    c = 1.177 * x
    return c**-0.3081 * (1 + c**1.0510) ** ((0.3081 - 5.4905) / 1.0510)


def transform():
    """Spline of the transform of the projected profile to 5 R500, of unit Y500, in l theta500."""
    x = np.geomspace(1e-4, 5, 3000)
    inside = np.geomspace(1e-6, 1, 20_000)
    unit = 4 * np.pi * integrate.trapezoid(inside**2 * pressure(inside), inside)
    k = np.concatenate([[0], np.geomspace(1e-2, 2000, 400)])
    values = [integrate.trapezoid(4 * np.pi * x**2 * pressure(x) * np.sinc(q * x / np.pi), x)
              for q in k]  # fmt: skip
    return CubicSpline(k, np.array(values) / unit)


def radial(theta, y500, profile):
    """Spline of y over the angle [arcmin], behind the beam and in the mean over pixels."""
    ell = np.arange(3.0, 6000.0, 6.0)
    variance = BEAM**2 / (8 * np.log(2)) + (healpy.nside2resol(NSIDE, arcmin=True) ** 2) / 12
    weight = ell * profile(ell * theta * ARCMIN) * np.exp(-0.5 * ell**2 * variance * ARCMIN**2)
    angle = np.linspace(0, 130, 200)
    y = j0(np.multiply.outer(angle * ARCMIN, ell)) @ weight * 6 / (2 * np.pi)
    return CubicSpline(angle, y * y500 * ARCMIN**2)


@pytest.fixture(scope="module")
def injected(real_data):
    catalog = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    ymap = ComptonMap.read(
        real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits"),
        beam=BEAM * u.arcmin,
        noise="planck",
    )
    rng = np.random.default_rng(20)
    n, known = NUMBER, catalog.sample().coord.galactic
    middle = known[list(catalog.sample().names).index("PSZ2 G057.80+88.00")]
    coord = []
    while len(coord) < n:
        place = middle.directional_offset_by(
            rng.uniform(0, 360) * u.deg, 8.3 * np.sqrt(rng.random()) * u.deg
        )
        if place.separation(known).min() > 45 * u.arcmin:
            coord.append(place)
    which = rng.integers(0, 4, n)
    table = QTable({"name": [f"INJECTED {i}" for i in range(n)], "coord": SkyCoord(coord)})
    table["redshift"] = rng.uniform(np.take(BINS, which), np.take(BINS, which + 1))
    table["mass_true"] = 10 ** rng.uniform(np.log10(5e13), np.log10(3.2e15), n) * u.solMass
    sample = ClusterSample(table)
    sample.attach_cutouts(ymap)
    sample = sample[sample.cutouts.complete]
    profile = transform()
    for i in range(len(sample)):
        mass, z = sample.quantity("mass_true")[i].value, sample.redshift[i]
        theta, y500 = size_and_signal(mass, z)
        y = radial(theta, y500 * np.exp(SCATTER * rng.standard_normal()), profile)
        extent = 5 * theta + 3 * BEAM  # nothing is left of it beyond
        where = np.nonzero(np.hypot(*(np.indices((96, 96)) - 47.5)) * 1.7 < extent)
        place = sample.cutouts[i].wcs.pixel_to_world(*where[::-1])
        pixels, weights = healpy.get_interp_weights(NSIDE, place.l.deg, place.b.deg, lonlat=True)
        lon, lat = healpy.pix2ang(NSIDE, pixels, lonlat=True)
        centre = sample.coord[i].galactic
        away = healpy.rotator.angdist(
            [lon.ravel(), lat.ravel()], [centre.l.deg, centre.b.deg], lonlat=True
        )
        values = y(np.minimum(np.rad2deg(away) * 60, 130)).reshape(pixels.shape)
        sample.cutouts.data[i][where] += (weights * values).sum(axis=0)
    return sample


@pytest.fixture(scope="module")
def found(injected):
    """Posteriors of 'cnn' and 'likelihood', and the expected S/N of the masses of 'cnn'."""
    cnn = CNNMass(depth="field").predict_posterior(injected)
    exact = LikelihoodMass(one_minus_b=ONE_MINUS_B, log10_mass=cnn.log10_mass, depth="field")
    noise = injected.cutouts.noise
    theta, y500 = np.transpose(
        [size_and_signal(m.to_value(u.solMass), z)
         for m, z in zip(cnn.mean_mass(), injected.redshift, strict=True)]
    )  # fmt: skip
    snr = y500 / noise.sigma_y500(theta * u.arcmin).to_value(u.arcmin**2)
    return cnn, exact.predict_posterior(injected), snr


def test_masses_are_true_in_each_redshift_bin(injected, found, record_property):
    cnn, exact, snr = found
    truth = injected.quantity("mass_true")
    for low, high in pairwise(BINS):
        seen = (injected.redshift > low) & (injected.redshift <= high) & (snr > 4.5)
        relative = (1 - truth / cnn.mean_mass()).value[seen]
        other = (1 - truth / exact.mean_mass()).value[seen]
        error = relative.std() / np.sqrt(seen.sum())
        values = seen.sum(), relative.mean(), error, other.mean()
        record_property(f"z ({low}, {high}]: n, bias, error, likelihood", list(map(float, values)))
        assert abs(relative.mean()) < 0.02 + 2 * error


def test_errors_are_those_of_the_likelihood(injected, found, record_property):
    cnn, exact, snr = found
    truth = np.log10(injected.quantity("mass_true").value)
    seen = snr > 4.5
    rmse = [np.sqrt(np.mean((np.log10(p.median().value) - truth)[seen] ** 2)) for p in (cnn, exact)]
    inside = np.abs(cnn.cdf(injected.quantity("mass_true")) - 0.5)[seen] < 0.34
    chance = np.sqrt(0.68 * 0.32 / seen.sum())
    strange = (cnn.flag & MassFlag.OUT_OF_DOMAIN) > 0
    values = *rmse, inside.mean(), strange.mean(), strange[seen].mean()
    record_property("rmse, likelihood, coverage, flagged", list(map(float, values)))
    assert rmse[0] < 1.05 * rmse[1]
    assert abs(inside.mean() - 0.68) < 2.5 * chance
    assert strange.mean() < 0.05


def test_the_filter_finds_the_signal(injected):
    bright = injected[injected.quantity("mass_true") > 1e15 * u.solMass]
    mass = MatchedFilterMass(one_minus_b=ONE_MINUS_B).predict(bright)["mass"]
    ratio = np.log((mass / bright.quantity("mass_true")).value)
    assert abs(np.nanmedian(ratio)) < 0.03
