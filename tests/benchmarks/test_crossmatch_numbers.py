"""Matches and mass ratios of the published tables: PSZ2, Herbonnet 2020, Umetsu 2016, MCXC."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from szmass.catalogs.crossmatch import crossmatch, crossmatch_many
from szmass.comparison.regression import fit_mass_ratio

pytestmark = pytest.mark.real_data

MASS = u.Unit("1e14 solMass")
# Pairs of clusters inside one Planck beam, and one merger (Herbonnet et al. 2020, section 5).
EXCLUDED = ["A115N", "A115S", "A223N", "A223S", "A2163"]


@pytest.fixture(scope="module")
def psz2(real_data):
    rows = fits.getdata(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    table = QTable({"name": np.char.strip(rows["NAME"])})
    table["coord"] = SkyCoord(rows["GLON"], rows["GLAT"], unit="deg", frame="galactic")
    table["pos_err"] = rows["POS_ERR"] * u.arcmin
    known = rows["REDSHIFT"] > -1
    table["redshift"] = MaskedColumn(rows["REDSHIFT"].astype(float), mask=~known)
    for ours, theirs in (("msz", "MSZ"), ("msz_errn", "MSZ_ERR_LOW"), ("msz_errp", "MSZ_ERR_UP")):
        table[ours] = Masked(rows[theirs].astype(float) * MASS, mask=rows["MSZ"] == 0)
    mcxc = np.char.strip(rows["MCXC"])
    table["mcxc"] = MaskedColumn(mcxc, mask=mcxc == "")
    return table


@pytest.fixture(scope="module")
def herbonnet(real_data):
    rows = Table.read(real_data("lensing/herbonnet2020.csv"))
    table = QTable({"name": rows["Cluster"], "redshift": rows["z"]})
    table["coord"] = SkyCoord(rows["RA_BCG_deg"], rows["Dec_BCG_deg"], unit="deg")
    names = {"m500": "M500_ap", "errn": "M500_ap_em", "errp": "M500_ap_ep"}
    names |= {"m500_nfw": "M500_NFW", "err_nfw": "e_M500_NFW"}
    for ours, theirs in names.items():
        table[ours] = np.asarray(rows[theirs], dtype=float) * MASS
    return table


@pytest.fixture(scope="module")
def mcxc(real_data):
    readme = str(real_data("crossmatch/mcxc_ReadMe"))
    table = Table.read(real_data("crossmatch/mcxc.dat"), readme=readme, format="ascii.cds")
    return table["MCXC", "OName", "AName", "RAdeg", "DEdeg", "z", "M500"]


MCXC_COLUMNS = {"name": "MCXC", "coord": ("RAdeg", "DEdeg"), "aliases": ["OName", "AName"]}


@pytest.fixture(scope="module")
def lensing_pairs(psz2, herbonnet):
    single = herbonnet[~np.isin(herbonnet["name"], EXCLUDED)]
    return crossmatch(single, psz2, delta_redshift=0.03, prefixes=("wl", "sz"))


def test_psz2_herbonnet(psz2, herbonnet):
    options = {"delta_redshift": 0.03, "prefixes": ("wl", "sz")}
    matched = crossmatch(herbonnet, psz2, mode="nearest", **options)
    assert len(matched) == 70
    assert len(crossmatch(herbonnet, psz2, mode="all", **options)) == 70
    # A115 and A223 are two lensing clusters each and one PSZ2 source.
    best = crossmatch(herbonnet, psz2, **options)
    assert len(best) == 68
    assert {*matched["wl_name"]}.difference(best["wl_name"]) == {"A115N", "A223N"}
    assert matched["p_chance"].max() < 0.005


def test_65_without_the_exclusions(lensing_pairs):
    assert len(lensing_pairs) == 65


@pytest.mark.parametrize(
    ("name", "m500", "msz"),
    [("A2142", 11.3, 8.77), ("A1689", 12.3, 8.77), ("A85", 7.4, 4.92), ("A2029", 10.8, 7.04)],
)
def test_known_clusters(lensing_pairs, name, m500, msz):
    row = lensing_pairs[lensing_pairs["wl_name"] == name]
    np.testing.assert_allclose(row["wl_m500"].to_value(MASS), m500)
    np.testing.assert_allclose(row["sz_msz"].unmasked.to_value(MASS), msz, atol=0.005)


def test_psz2_umetsu(psz2, real_data):
    rows = Table.read(real_data("lensing/umetsu2016.csv"))
    table = QTable({"name": rows["cluster"], "redshift": rows["z"]})
    table["coord"] = SkyCoord(rows["ra_hms"], rows["dec_dms"], unit=("hourangle", "deg"))
    table["m500"] = np.asarray(rows["M500c"], dtype=float) * MASS
    matched = crossmatch(table, psz2, delta_redshift=0.03)  # one PSZ2 source has no redshift
    assert len(matched) == 13
    ratio = matched["b_msz"].unmasked / matched["a_m500"]
    np.testing.assert_allclose(np.median(ratio.to_value("")), 0.715, atol=5e-4)


def test_psz2_mcxc_names(psz2, mcxc):
    options = {"prefixes": ("sz", "x"), "columns": (None, MCXC_COLUMNS)}
    matched = crossmatch(psz2, mcxc, mode="nearest", **options)
    named = ~matched["sz_mcxc"].mask
    assert np.count_nonzero(~psz2["mcxc"].mask) == 551
    assert np.count_nonzero(named) == 551
    assert np.all(matched["sz_mcxc"][named] == matched["x_MCXC"][named])


def test_psz2_mcxc_by_the_names_alone(psz2, mcxc):
    other = QTable({"name": psz2["mcxc"], "psz2": psz2["name"], "coord": psz2["coord"]})
    matched = crossmatch(other, mcxc, by="name", mode="all", columns=(None, MCXC_COLUMNS))
    assert len(matched) == 551
    assert matched["separation"].max() < 10 * u.arcmin


def test_abell_names_of_mcxc_and_herbonnet(herbonnet, mcxc):
    matched = crossmatch(herbonnet, mcxc, by="name", mode="all", columns=(None, MCXC_COLUMNS))
    assert len(matched) == 71  # "A7" is "A0007" there
    assert matched["separation"].max() < 10 * u.arcmin  # and every one is the cluster of that name
    other = np.abs(matched["delta_redshift"]) > 0.02
    assert list(matched["a_name"][other]) == ["A959"]  # 0.286 and 0.353


def test_position_errors_of_psz2(psz2, mcxc):
    # POS_ERR holds the true position with 95 %; MCXC positions and clusters' extents add to it.
    columns = (None, MCXC_COLUMNS)
    near = crossmatch(psz2, mcxc, radius=None, n_sigma=2, columns=columns)
    named = ~near["a_mcxc"].mask
    assert np.count_nonzero(near["a_mcxc"][named] == near["b_MCXC"][named]) > 0.95 * 551


def test_three_catalogues(psz2, herbonnet, mcxc):
    table = crossmatch_many(
        {"sz": psz2, "x": mcxc, "wl": herbonnet},
        reference="sz",
        columns={"x": MCXC_COLUMNS},
        delta_redshift={"wl": 0.03},
    )
    assert len(table) == 1653
    coma = table[table["sz_name"] == "PSZ2 G057.80+88.00"]
    assert coma["x_MCXC"][0] == "J1259.7+2756"
    both = ~table["x_MCXC"].mask & ~table["wl_name"].mask
    assert np.count_nonzero(~table["wl_name"].mask) == 68
    assert np.count_nonzero(both) > 55


def test_one_minus_b_of_the_65(lensing_pairs):
    fit = fit_mass_ratio(
        lensing_pairs["sz_msz"],
        lensing_pairs["wl_m500"],
        err_a=(lensing_pairs["sz_msz_errn"], lensing_pairs["sz_msz_errp"]),
        err_b=(lensing_pairs["wl_errn"], lensing_pairs["wl_errp"]),
    )
    # The paper, with SZ masses extracted at the lensing positions: 0.84 +- 0.04, 28 +- 5 %.
    assert fit.n == 65
    assert abs(fit.value - 0.80) < 0.01
    assert 0.03 < fit.errn < 0.05
    assert 0.03 < fit.errp < 0.05
    assert abs(fit.scatter - 0.28) < fit.scatter_errp


def test_one_minus_b_bootstrap_and_slope(lensing_pairs):
    values = {
        "mass_a": lensing_pairs["sz_msz"],
        "mass_b": lensing_pairs["wl_m500"],
        "err_a": (lensing_pairs["sz_msz_errn"], lensing_pairs["sz_msz_errp"]),
        "err_b": (lensing_pairs["wl_errn"], lensing_pairs["wl_errp"]),
    }
    profile = fit_mass_ratio(**values)
    bootstrap = fit_mass_ratio(**values, method="bootstrap", n_bootstrap=200)
    assert bootstrap.value == profile.value
    np.testing.assert_allclose(
        [bootstrap.errn, bootstrap.errp], [profile.errn, profile.errp], rtol=0.25
    )
    free = fit_mass_ratio(**values, slope=None)
    assert free.slope + 2 * free.slope_errp > 1  # 0.79 -0.11 +0.12
    assert abs(free.value - profile.value) < 0.01
