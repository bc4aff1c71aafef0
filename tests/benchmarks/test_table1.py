"""Table 1 of de Andres et al. (2022), real-Planck column, from the published catalogue."""

import itertools

import numpy as np
import pytest

from szmass.catalogs import DeAndres2022Catalog, PSZ2Catalog
from szmass.comparison import format_difference_table, relative_difference_table

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def catalog(real_data):
    return DeAndres2022Catalog.read(real_data("deepplanck/DeepPlanck.csv"))


@pytest.fixture(scope="module")
def table(catalog):
    t = catalog.table
    return relative_difference_table(t["cnn_mass"], t["msz"], t["redshift"])


def test_all_clusters(table):
    assert list(table["n"]) == [228, 245, 443, 178, 1094]
    assert [f"{x:.3f}" for x in table["mean"]] == ["0.029", "0.149", "0.127", "0.142", "0.114"]
    assert [f"{x:.3f}" for x in table["std"]] == ["0.289", "0.141", "0.133", "0.121", "0.182"]
    assert [f"{x:.3f}" for x in table["median"]] == ["0.047", "0.143", "0.126", "0.136", "0.120"]
    assert table.meta["n_invalid"] == table.meta["n_outside"] == 0


def test_massive_clusters(table):
    assert list(table["n_massive"]) == [33, 82, 403, 178, 696]
    means, stds = table["mean_massive"], table["std_massive"]
    assert [f"{x:.3f}" for x in means] == ["0.259", "0.180", "0.125", "0.142", "0.142"]
    assert [f"{x:.3f}" for x in stds] == ["0.254", "0.133", "0.129", "0.121", "0.139"]


def test_layout(table):
    assert format_difference_table(table).splitlines()[1:] == [
        "     0-0.1    228   0.029 +- 0.289     33   0.259 +- 0.254",
        "   0.1-0.2    245   0.149 +- 0.141     82   0.180 +- 0.133",
        "   0.2-0.4    443   0.127 +- 0.133    403   0.125 +- 0.129",
        "     0.4-1    178   0.142 +- 0.121    178   0.142 +- 0.121",
        "       0-1   1094   0.114 +- 0.182    696   0.142 +- 0.139",
    ]


def test_same_clusters_as_psz2(catalog, real_data):
    """Redshifts to the last bit, and masses to single precision of their logarithm."""
    psz2 = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    sample = psz2.sample(names=catalog.table["name"])
    assert len(sample) == 1094
    np.testing.assert_array_equal(sample.redshift, catalog.table["redshift"])
    np.testing.assert_allclose(sample.quantity("msz"), catalog.table["msz"], rtol=3e-6)


def test_ratio_and_slope_of_the_masses(catalog):
    """PHYSICS: median MSZ / M_CNN per bin, and Y_500 as a function of M_CNN of slope 1.63."""
    t = catalog.table
    ratio = (t["msz"] / t["cnn_mass"]).value
    edges = [0, 0.1, 0.2, 0.4, 1]
    medians = [
        np.median(ratio[(t["redshift"] > low) & (t["redshift"] <= high)])
        for low, high in itertools.pairwise(edges)
    ]
    assert [f"{x:.3f}" for x in medians] == ["0.953", "0.857", "0.874", "0.864"]
    assert f"{np.median(ratio):.3f}" == "0.880"
    slope, intercept = np.polyfit(
        t["log10_cnn_mass"] - np.log10(6e14), np.log10(t["y500_uncalibrated"]), 1
    )
    assert slope == pytest.approx(1.63, abs=0.002)
    assert intercept == pytest.approx(0.5556, abs=0.001)
