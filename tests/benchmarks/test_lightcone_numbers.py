"""Light cones beside surveys, and beside integrals by code of the benchmark.

Painted skies at l = 300 to 3000, X-ray counts and times are in benchmarks/lightcone.py.
"""

import importlib.util
from pathlib import Path

import astropy.units as u
import healpy
import numpy as np
import pytest

from szmass.baryons import make_lightcone
from szmass.physics import CoolingFunction, get_baryon_model, get_cosmology
from szmass.simulations import SZSelection, get_cluster_model

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "lightcone.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_of_lightcones", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.real_data
def test_sz_counts_beside_planck(benchmark, real_data):
    """438 clusters above S/N 6 are those of 1-b = 0.62; 492 of PSZ2 have redshifts."""
    folder = real_data("planck_mmf_noise/SZ_thetas.txt").parent
    redshift = benchmark.psz2_redshifts(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits").parents[1])
    assert len(redshift) == 492
    numbers = benchmark.expected_by_redshift(SZSelection(folder, q_cut=6), 0.62)
    assert numbers.sum() == pytest.approx(438, rel=0.03)
    observed = np.histogram(redshift, benchmark.BINS)[0]
    sample = np.array([0.15, 0.07, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02, 0.015, 0.01])
    value, _ = benchmark.shape_chi2(observed, numbers, sample)
    # 52 at 0.1 < z < 0.15 where 78 are expected, and half of those beyond 0.6.
    assert value == pytest.approx(23.3, abs=1.5)
    off = observed / observed.sum() - numbers / numbers.sum()
    assert np.abs(off).argmax() == 2
    assert np.abs(np.delete(off, 2)).max() < 0.04


@pytest.mark.real_data
def test_closed_form_of_cooling_beside_a_table(benchmark, real_data):
    """Table by metallicity, of the package hydromass: its shape, and what lines make of a band."""
    path = real_data("halos/misc/hydromass_coolfunc_table.fits")
    kt, rate, without = benchmark.cooling_table(path.parents[2])
    form = CoolingFunction(band=(1e-5, 1e3) * u.keV).emission(kt, 0.0)
    ratio = form / rate
    hot, warm = (kt > 1.9) & (kt < 8), (kt > 0.9) & (kt < 1.9)
    assert np.all(np.abs(ratio[hot] - 1) < 0.07)
    assert ratio[warm].min() == pytest.approx(0.69, abs=0.03)
    # 0.1-2.4 over 0.5-2 keV is that of a continuum; if all lines were in the inner band, at worst:
    narrow = CoolingFunction().emission(kt, 0.0)
    plain = CoolingFunction(band=(0.1, 2.4) * u.keV).emission(kt, 0.0) / narrow
    lines, inner = rate - without, without * narrow / form
    worst = plain * (inner + lines) / (plain * inner + lines)
    at = np.interp([1.0, 2.0, 5.0, 8.0], kt, worst)
    np.testing.assert_allclose(at, [1.68, 1.22, 1.12, 1.114], atol=0.02)


@pytest.fixture(scope="module")
def heavy():
    options = {"mass": (5e14, 5e15) * u.solMass, "redshift": (0.05, 0.8)}
    gas = get_cluster_model("a10").smooth()
    return [
        make_lightcone("flamingo", gas=gas, cosmology="Planck18", seed=seed, **options)
        for seed in range(30)
    ]


def squares(benchmark, cone, ell):
    """C_l of a sky as the sum over its haloes."""
    x = np.concatenate([[0], np.geomspace(1e-3, 100, 300)])
    shape = benchmark.profile_transform(x)
    y, theta = cone.y500_angle.to_value("sr"), cone.table["theta500"].to_value("rad")
    return np.array([np.sum((y * np.interp(one * theta, x, shape)) ** 2) for one in ell]) / (
        4 * np.pi
    )


def test_drawn_skies_have_the_power_of_the_halo_model(benchmark, heavy):
    ell = np.array([300.0, 1000.0, 3000.0])
    model, cosmology = get_baryon_model("flamingo"), get_cosmology("Planck18")
    expected = benchmark.halo_model(ell, model, (5e14, 5e15), (0.05, 0.8), cosmology)
    ratio = np.array([squares(benchmark, cone, ell) for cone in heavy]) / expected
    error = ratio.std(axis=0) / np.sqrt(len(heavy))
    assert np.all(error < 0.03)
    assert np.all(np.abs(ratio.mean(axis=0) - 1) < 3 * error)


def test_painted_skies_have_the_power_of_their_haloes(benchmark, heavy):
    ymap = heavy[0].ymap(nside=512)
    sky = ymap.values(np.arange(12 * 512**2)).astype(float)
    ell = np.arange(701)
    sigma = np.radians(1 / 6) / np.sqrt(8 * np.log(2))
    window = np.exp(-ell * (ell + 1) * sigma**2)
    window *= benchmark.square_pixel(ell * healpy.nside2resol(512))
    found = healpy.anafast(sky, lmax=700, iter=1) / window
    for low, high in ((100, 200), (300, 400), (600, 700)):
        band = ell[low : high + 1]
        expected = squares(benchmark, heavy[0], band)
        # Chance alignments leave sqrt(2 / number of modes), about 1 %.
        assert found[band].mean() == pytest.approx(expected.mean(), rel=0.03)
