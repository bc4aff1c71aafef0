"""Lensing masses of published tables beside PSZ2: matches, ratios and known clusters."""

import numpy as np
import pytest

from szmass.catalogs import (
    Herbonnet2020Table,
    LensingTable,
    MCXCCatalog,
    PSZ2Catalog,
    Umetsu2016Table,
    crossmatch,
    crossmatch_many,
)
from szmass.comparison.regression import fit_mass_ratio
from szmass.estimators import LensingMass
from szmass.exceptions import UnweighedClustersWarning

pytestmark = pytest.mark.real_data

# Left out by the paper: unresolved halves of two clusters, and an extreme merger.
EXCLUDED = ["A115N", "A115S", "A223N", "A223S", "A2163"]


@pytest.fixture(scope="module")
def psz2(real_data):
    return PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))


@pytest.fixture(scope="module")
def herbonnet(real_data):
    return Herbonnet2020Table.read(real_data("lensing/herbonnet2020.csv"))


@pytest.fixture(scope="module")
def pairs(psz2, herbonnet):
    """Give the PSZ2 row of each lensing cluster."""
    return crossmatch(
        herbonnet.masses(),
        psz2,
        radius="10 arcmin",
        delta_redshift=0.03,
        mode="nearest",
        prefixes=("wl", "psz2"),
    )


def test_published_tables(herbonnet, real_data):
    assert len(herbonnet) == herbonnet.expected_rows
    umetsu = Umetsu2016Table.read(real_data("lensing/umetsu2016.csv"))
    assert len(umetsu) == umetsu.expected_rows
    assert umetsu.row("Abell 209")["m500c"].to_value("1e14 solMass") == pytest.approx(9.64)
    assert umetsu.row("Abell 209")["ra"].value == pytest.approx(22.968917, abs=1e-6)


def test_generic_reader_gives_the_same(herbonnet, real_data):
    table = LensingTable.read(
        real_data("lensing/herbonnet2020.csv"),
        columns={
            "name": "Cluster",
            "ra": "RA_BCG_deg",
            "dec": "Dec_BCG_deg",
            "mass": "M500_ap",
            "mass_errn": "M500_ap_em",
            "mass_errp": "M500_ap_ep",
        },
        mass_definition="500c",
        cosmology="PSZ2",
        units={"mass": "1e14 solMass", "ra": "deg", "dec": "deg"},
    )
    for name in ("mass", "mass_errn", "mass_errp", "ra"):
        np.testing.assert_array_equal(table.masses()[name], herbonnet.masses()[name])


def test_nfw_masses_convert_into_each_other(herbonnet):
    """Dutton & Maccio (2014) concentrations there, Diemer & Joyce (2019) here."""
    converted = herbonnet.masses(column="m200c_nfw")["mass"]
    ratio = (converted / herbonnet.masses(column="m500c_nfw")["mass"]).value
    assert abs(np.median(ratio) - 1) < 0.03
    assert np.all(np.abs(ratio - 1) < 0.11)  # masses are published with two digits


def test_cosmology_of_clash_hardly_matters(real_data):
    umetsu = Umetsu2016Table.read(real_data("lensing/umetsu2016.csv"))
    there, here = umetsu.masses(cosmology="PSZ2"), umetsu.masses()
    ratio = (there["mass"] / here["mass"]).value
    assert np.all((ratio > 0.99) & (ratio < 1))
    other = umetsu.masses(cosmology="PSZ2", source_redshift=1.5)
    assert np.all(np.abs(other["mass"] / there["mass"] - 1) < 1.5e-3)


def test_number_of_matches(pairs, psz2, herbonnet):
    assert len(pairs) == 70
    assert np.count_nonzero(~np.isin(pairs["wl_name"], EXCLUDED)) == 65
    # A115N/S and A223N/S share a PSZ2 row: seen from there it is two fewer.
    sample = psz2.sample(redshift=(0, 1))
    with pytest.warns(UnweighedClustersWarning, match="1026 of 1094 .*1026 NO_MATCH"):
        masses = LensingMass(table=herbonnet).predict(sample)
    assert np.isfinite(masses["mass"]).sum() == 68


def test_one_minus_b(pairs):
    """Published with re-extracted SZ masses: 0.84 +- 0.04, scatter 28 +- 5 %."""
    chosen = pairs[~np.isin(pairs["wl_name"], EXCLUDED)]
    msz = [chosen[f"psz2_msz{end}"].unmasked for end in ("", "_errn", "_errp")]
    fit = fit_mass_ratio(
        msz[0],
        chosen["wl_mass"],
        err_a=msz[1:],
        err_b=(chosen["wl_mass_errn"], chosen["wl_mass_errp"]),
    )
    assert fit.n == 65
    assert fit.value == pytest.approx(0.80, abs=0.01)
    assert fit.errn == pytest.approx(0.04, abs=0.01)
    assert fit.errp == pytest.approx(0.04, abs=0.01)
    assert fit.scatter == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("name", "lensing", "msz"),
    [("A2142", 11.3, 8.77), ("A1689", 12.3, 8.77), ("A85", 7.4, 4.92), ("A2029", 10.8, 7.04)],
)
def test_known_clusters(pairs, name, lensing, msz):
    row = pairs[list(pairs["wl_name"]).index(name)]
    assert row["wl_mass"].to_value("1e14 solMass") == pytest.approx(lensing)
    assert row["psz2_msz"].unmasked.to_value("1e14 solMass") == pytest.approx(msz, abs=0.005)


def test_clash(psz2, real_data):
    estimator = LensingMass(table=real_data("lensing/umetsu2016.csv"))
    sample = psz2.sample(redshift=(0, 1))
    with pytest.warns(UnweighedClustersWarning):
        masses = estimator.predict(sample)
    found = np.isfinite(masses["mass"])
    assert np.count_nonzero(found) == 13
    ratio = (sample.quantity("msz") / masses["mass"])[found]
    assert np.median(ratio.value) == pytest.approx(0.715, abs=0.001)


def test_three_catalogues(psz2, herbonnet, real_data):
    mcxc = MCXCCatalog.read(
        real_data("crossmatch/mcxc.dat"), readme=real_data("crossmatch/mcxc_ReadMe")
    )
    table = crossmatch_many(
        {"psz2": psz2, "mcxc": mcxc, "wl": herbonnet.masses()},
        reference="psz2",
        radius="10 arcmin",
        delta_redshift={"wl": 0.03},
        mode="nearest",
        unmatched=False,
    )
    named = table[~table["psz2_mcxc"].mask]
    assert len(named) == 551
    np.testing.assert_array_equal(named["psz2_mcxc"].data.data, named["mcxc_name"].data.data)
    weighed = ~table["wl_mass"].mask
    assert np.count_nonzero(weighed) == 68
    assert np.count_nonzero(weighed & ~table["mcxc_name"].mask) == 66
