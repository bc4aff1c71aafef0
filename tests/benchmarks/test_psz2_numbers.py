"""Numbers of the real PSZ2 catalogue, from all its forms."""

import numpy as np
import pytest

from szmass._tables.columns import column_parts
from szmass.catalogs import PSZ2Catalog
from szmass.physics.halos import theta500

pytestmark = pytest.mark.real_data

FILES = {"fits": "psz2/HFI_PCCS_SZ-union_R2.08.fits", "cds": "psz2/psz2.dat"}
BINS = [(0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1)]


@pytest.fixture(scope="module", params=FILES)
def psz2(request, real_data):
    return PSZ2Catalog.read(real_data(FILES[request.param]))


def test_counts(psz2):
    table = psz2.table
    assert len(psz2) == PSZ2Catalog.expected_rows == 1653
    assert np.sum(~table["redshift"].mask & ~table["msz"].mask) == 1094
    assert np.sum(~table["redshift"].mask) == np.sum(~table["msz"].mask) == 1094
    assert np.sum(table["cosmo"]) == 507
    assert len(psz2.sample(cosmo=True, redshift=(0, 1))) == 492
    assert np.sum(table["q_neural"] < 0.4) == 171
    assert np.sum(table["ir_flag"]) == 17
    assert np.sum(~table["psz"].mask) == 937
    assert np.sum(table["pipe_det"] == 111) == 830
    assert [np.sum(table["pipeline"] == code) for code in (1, 2, 3)] == [596, 593, 464]
    assert np.sum(~table["mcxc"].mask) == 551


def test_distributions(psz2):
    table = psz2.table
    assert table["snr"].min() == pytest.approx(4.5009, abs=5e-5)
    assert table["snr"][table["cosmo"]].min() == pytest.approx(6.008, abs=5e-4)
    np.testing.assert_allclose(
        np.percentile(table["pos_err"].to_value("arcmin"), [5, 16, 50, 84, 95]),
        [1.56, 2.22, 2.43, 4.11, 5.82],
        atol=5.1e-3,
    )
    sample = psz2.sample(redshift=(0, 1))
    assert sample.redshift.min() == pytest.approx(0.0111, abs=5e-5)
    assert sample.redshift.max() == pytest.approx(0.972)
    assert np.median(sample.quantity("snr").value) == pytest.approx(6.19, abs=5e-3)
    assert np.median(sample.redshift) == pytest.approx(0.224, abs=5e-4)
    mass = sample.quantity("msz").to_value("1e14 solMass")
    assert mass.min() == pytest.approx(0.785, abs=5e-4)
    assert mass.max() == pytest.approx(16.12, abs=5e-3)
    assert np.median(mass) == pytest.approx(4.74, abs=5e-3)


@pytest.mark.parametrize(
    ("number", "n", "log_mass", "percentiles", "sizes"),
    [
        (0, 228, (14.403, 0.188), (1.46, 2.40, 6.10), (8.7, 12.0, 25.1)),
        (1, 245, (14.590, 0.124), (2.51, 3.82, 6.44), (5.4, 6.7, 8.5)),
        (2, 443, (14.732, 0.112), (3.72, 5.31, 8.21), (3.5, 4.4, 5.8)),
        (3, 178, (14.810, 0.094), (4.79, 6.27, 10.32), (2.2, 2.9, 3.7)),
    ],
)
def test_redshift_bins(psz2, number, n, log_mass, percentiles, sizes):
    sample = psz2.sample(redshift=BINS[number])
    mass = sample.quantity("msz")
    assert len(sample) == n
    log10 = np.log10(mass.to_value("solMass"))
    assert (log10.mean(), log10.std()) == pytest.approx(log_mass, abs=5.1e-4)
    np.testing.assert_allclose(
        np.percentile(mass.to_value("1e14 solMass"), [5, 50, 95]), percentiles, atol=5.1e-3
    )
    theta = theta500(mass, sample.redshift, cosmology="PSZ2").to_value("arcmin")
    np.testing.assert_allclose(np.percentile(theta, [5, 50, 95]), sizes, atol=0.051)


def test_worked_example(psz2):
    cluster = psz2["PSZ2 G359.07-32.12"]
    assert cluster.redshift == pytest.approx(0.1496)
    assert cluster.msz.to_value("1e14 solMass") == pytest.approx(4.7210855, abs=1e-6)
    assert cluster.msz_errp.to_value("1e14 solMass") == pytest.approx(0.392, abs=5e-4)
    assert cluster.msz_errn.to_value("1e14 solMass") == pytest.approx(0.389, abs=5e-4)
    assert cluster.y5r500.to_value("arcmin2") == pytest.approx(3.35436e-3, abs=1e-8)
    assert cluster.y5r500_err.to_value("arcmin2") == pytest.approx(0.917e-3, abs=5e-7)
    assert cluster.snr == pytest.approx(7.64, abs=5e-3)
    # The published number is from the fitting formula, 0.02 % above R500 / D_A.
    assert cluster.theta500(cosmology="PSZ2").to_value("arcmin") == pytest.approx(7.2066, rel=3e-4)


def test_both_files_give_the_same_table(real_data):
    one, other = (PSZ2Catalog.read(real_data(name)).table for name in FILES.values())
    for name in one.colnames:
        (values, mask, unit), (others, other_mask, other_unit) = (
            column_parts(table[name]) for table in (one, other)
        )
        assert unit == other_unit
        np.testing.assert_array_equal(mask, other_mask, err_msg=name)
        if values.dtype.kind != "f":
            np.testing.assert_array_equal(values, others, err_msg=name)
        else:  # the CDS file rounds to a fixed number of digits
            scale = {"ami_evidence": 400, "snr": 10, "y5r500": 1e-3, "y5r500_err": 1e-3}
            atol = 5.1e-7 * scale.get(name, 1e14 if name.startswith("msz") else 1)
            np.testing.assert_allclose(values, others, rtol=1e-7, atol=atol, err_msg=name)
