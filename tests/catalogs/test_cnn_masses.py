"""The published masses of de Andres et al. (2022)."""

import hashlib

import astropy.units as u
import numpy as np
import pytest

from szmass.catalogs import DeAndres2022Catalog, cnn_masses
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError

HEADER = "cluster,Planck_mass,CNN_mass,err+,err-,redshift,Y_500,err_Y\n"
ROWS = (
    "PSZ2G000.04+45.13.fits,14.5,14.7,0.06,0.05,0.1198000013828278,2.69,0.63\n"
    "PSZ2G359.07-32.12.fits,14.6,14.643734,0.08,0.07,0.1496000,2.5,0.6\n"
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "DeepPlanck.csv"
    path.write_text(HEADER + ROWS)
    return path


def test_masses_and_errors_become_linear(path):
    table = DeAndres2022Catalog.read(path).table
    assert list(table["name"]) == ["PSZ2 G000.04+45.13", "PSZ2 G359.07-32.12"]
    mass = table["cnn_mass"]
    assert mass.unit == u.solMass
    np.testing.assert_allclose(mass.value, [10**14.7, 10**14.643734], rtol=1e-14)
    upper = (mass + table["cnn_mass_errp"]).value
    lower = (mass - table["cnn_mass_errn"]).value
    np.testing.assert_allclose(np.log10(upper), [14.76, 14.723734], rtol=1e-14)
    np.testing.assert_allclose(np.log10(lower), [14.65, 14.573734], rtol=1e-14)
    np.testing.assert_array_equal(table["log10_cnn_mass"], [14.7, 14.643734])
    assert table["redshift"][0] == np.float32(0.1198)
    assert table["y500_uncalibrated"].unit is None


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_written_table_comes_back(path, tmp_path, suffix):
    catalog = DeAndres2022Catalog.read(path)
    catalog.write(tmp_path / f"masses{suffix}")
    again = DeAndres2022Catalog.read(tmp_path / f"masses{suffix}")
    for name in catalog.table.colnames:
        np.testing.assert_array_equal(catalog.table[name], again.table[name])


def test_no_positions(path):
    catalog = DeAndres2022Catalog.read(path)
    assert catalog.row("psz2 g359.07-32.12")["redshift"] == np.float32(0.1496)
    with pytest.raises(InvalidInputError, match="'deandres2022' has no positions.*other.sample"):
        catalog.sample()
    with pytest.raises(InvalidInputError, match="has no positions"):
        _ = catalog["PSZ2 G359.07-32.12"]


def test_missing_column(path):
    path.write_text((HEADER + ROWS).replace("err-", "error"))
    with pytest.raises(FileFormatError, match="It lacks the columns err-"):
        DeAndres2022Catalog.read(path)


def test_row_cut_short(path):
    path.write_text((HEADER + ROWS)[:-30])
    with pytest.raises(FileFormatError, match="could not be read as csv|no value"):
        DeAndres2022Catalog.read(path)


def test_fetch_uses_the_copy_that_is_there(path, monkeypatch):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(cnn_masses, "_SHA256", sha256)
    catalog = DeAndres2022Catalog.fetch(folder=path.parent)
    assert len(catalog) == 2
    assert catalog.table.meta["sha256"] == sha256
    assert catalog.table.meta["url"].endswith("DeepPlanck.csv")


def test_fetch_refuses_another_file(path):
    with pytest.raises(IntegrityError, match="SHA-256"):
        DeAndres2022Catalog.fetch(folder=path.parent)


@pytest.mark.real_data
def test_fetch_knows_the_real_file(real_data):
    catalog = DeAndres2022Catalog.fetch(folder=real_data("deepplanck/DeepPlanck.csv").parent)
    assert len(catalog) == catalog.expected_rows
