"""MCXC, ACT, SPT and eRASS1: what their files need beside a description."""

import numpy as np
import pytest
from astropy.table import Table

from szmass.catalogs import (
    CATALOGS,
    ACTDR5Catalog,
    ACTED56Catalog,
    ERASS1Catalog,
    MCXCCatalog,
    SPTSZCatalog,
    load_catalog,
    load_sample,
)
from szmass.exceptions import (
    FileFormatError,
    InvalidInputError,
    SzmassWarning,
    UnknownNameError,
)

SURVEYS = [ACTDR5Catalog, ACTED56Catalog, ERASS1Catalog, MCXCCatalog, SPTSZCatalog]


def published_rows(cls, n=3):
    """Make rows with the published columns; numbers without units, as in the FITS files."""
    table = Table()
    for column in cls.columns:
        name = column.fits or column.vizier[0]
        if column.dtype == "str":
            table[name] = [f"{name} {i}" for i in range(n)]
        elif column.dtype == "bool":
            table[name] = np.arange(n) % 2
        else:
            table[name] = 1.0 + np.arange(n)
    return table


def erass1_rows():
    table = published_rows(ERASS1Catalog)
    table["M500"], table["M500_L"], table["M500_H"] = [30.0, 20, -1], [25.0, 10, -1], [40.0, 21, -1]
    table["BEST_Z"] = [0.1, -1, 0.3]
    return table


@pytest.mark.parametrize("cls", [ACTDR5Catalog, ACTED56Catalog, SPTSZCatalog])
def test_fits_file_without_units(cls, tmp_path):
    path = tmp_path / "t.fits"
    published_rows(cls).write(path)
    catalog = cls.read(path)
    assert len(catalog) == 3
    assert catalog.table["m500"].unit == "solMass"
    np.testing.assert_allclose(catalog.table["m500"].value, [1e14, 2e14, 3e14])
    assert catalog.table["ra"].unit == "deg"
    assert isinstance(load_catalog(path), cls)
    for suffix in (".ecsv", ".fits", ".vot"):
        catalog.write(tmp_path / f"back{suffix}")
        again = cls.read(tmp_path / f"back{suffix}")
        np.testing.assert_array_equal(again.table["m500"].value, catalog.table["m500"].value)


@pytest.mark.parametrize("cls", SURVEYS)
def test_a_csv_file_without_units_is_refused(cls, tmp_path):
    path = tmp_path / "t.csv"
    (erass1_rows() if cls is ERASS1Catalog else published_rows(cls)).write(path)
    with pytest.raises(FileFormatError, match="must be in deg. Received: no unit"):
        cls.read(path)


def test_vizier_names_without_their_prefix():
    table = Table({"ACT-CL": ["J0001.4-0306", "ACT-CL J0003.1-0605"]})
    assert list(ACTDR5Catalog._prepare(table)["ACT-CL"]) == [
        "ACT-CL J0001.4-0306", "ACT-CL J0003.1-0605",
    ]  # fmt: skip
    table = Table({"SPT-CL": ["J0000-4356", "SPT-CLJ0000-5748"]})
    assert list(SPTSZCatalog._prepare(table)["SPT-CL"]) == ["SPT-CLJ0000-4356", "SPT-CLJ0000-5748"]


def test_spt_keeps_the_better_of_two_detections(tmp_path):
    rows = published_rows(SPTSZCatalog, 4)
    rows["SPT_ID"] = ["B", "A", "B", "C"]
    rows["xi"] = [5.0, 6, 7, 4.6]
    rows["redshift"] = [0.3, 0, 0.3, 0.4]
    rows["M500"] = [4.0, 0, 5, 6]
    rows.write(tmp_path / "t.fits")
    catalog = SPTSZCatalog.read(tmp_path / "t.fits")
    assert list(catalog.table["name"]) == ["A", "B", "C"]
    assert catalog.table.meta["rows_left_out"] == [0]
    assert catalog.row("B")["m500"].value == 5e14
    assert catalog.table["redshift"].mask.tolist() == [True, False, False]
    assert catalog.table["m500"].mask.tolist() == [True, False, False]


def test_erass1_limits_become_errors(tmp_path):
    erass1_rows().write(tmp_path / "t.fits")
    table = ERASS1Catalog.read(tmp_path / "t.fits").table
    np.testing.assert_allclose(table["m500"].unmasked.value[:2], [3e14, 2e14])
    np.testing.assert_allclose(table["m500_errn"].unmasked.value[:2], [5e13, 1e14])
    np.testing.assert_allclose(table["m500_errp"].unmasked.value[:2], [1e14, 1e13])
    for name in ("m500", "m500_errn", "m500_errp"):
        assert table[name].mask.tolist() == [False, False, True]
    assert table["redshift"].mask.tolist() == [False, True, False]


def test_erass1_errors_instead_of_limits_are_refused(tmp_path):
    rows = erass1_rows()
    rows["M500_L"] = [5.0, 5, -1]
    rows["M500_H"] = [5.0, 5, -1]
    rows.write(tmp_path / "t.fits")
    with pytest.raises(FileFormatError, match="not the limits of 'M500'.*another version"):
        ERASS1Catalog.read(tmp_path / "t.fits")


def test_the_larger_description_wins(tmp_path):
    """A table that has the columns of two catalogues is read as the one with more of them."""
    both = published_rows(ACTED56Catalog)
    for name in (c for c in published_rows(SPTSZCatalog).colnames if c not in both.colnames):
        both[name] = published_rows(SPTSZCatalog)[name]
    both["RA_"], both["DEC_"] = both["RADeg"], both["decDeg"]
    both.write(tmp_path / "t.fits")
    with pytest.warns(SzmassWarning, match="as the catalogue 'act-ed56', without .* SPT_ID, xi"):
        assert isinstance(load_catalog(tmp_path / "t.fits"), ACTED56Catalog)


def test_load_with_options_does_not_guess(tmp_path):
    rows = published_rows(ACTED56Catalog)
    rows.remove_column("name")
    rows.write(tmp_path / "t.fits")
    sample = load_sample(
        tmp_path / "t.fits",
        name="AltName",
        coord=("RADeg", "decDeg"),
        frame="icrs",
        units={"RADeg": "deg", "decDeg": "deg"},
    )
    assert list(sample.names) == ["AltName 0", "AltName 1", "AltName 2"]
    with pytest.raises(InvalidInputError, match="columns of the catalogue 'mcxc' are known"):
        load_catalog("mcxc", name="x")
    with pytest.raises(UnknownNameError, match="neither a file nor a known catalogue.*mcxc"):
        load_catalog("mcxx")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("cls", "file", "readme", "rows", "with_redshift", "with_mass"),
    [
        (MCXCCatalog, "mcxc.dat", "mcxc_ReadMe", 1743, 1743, 1743),
        (ACTED56Catalog, "E-D56Clusters.fits", None, 182, 182, 182),
        (SPTSZCatalog, "SPT2500d.fits", None, 677, 516, 516),
    ],
)
def test_real_files(real_data, cls, file, readme, rows, with_redshift, with_mass):
    readme = real_data(f"crossmatch/{readme}") if readme else None
    catalog = cls.read(real_data(f"crossmatch/{file}"), readme=readme)
    assert len(catalog) == rows == cls.expected_rows
    sample = catalog.sample()
    assert np.isfinite(sample.redshift).sum() == with_redshift
    mass = sample.quantity("m500").to_value("1e14 solMass")
    assert np.isfinite(mass).sum() == with_mass
    assert 0.5 < np.nanmedian(mass) < 6
    assert CATALOGS[cls.tag] is cls


@pytest.mark.real_data
def test_real_values(real_data):
    spt = SPTSZCatalog.read(real_data("crossmatch/SPT2500d.fits"))
    assert spt.table.meta["rows_left_out"] == [1, 6, 46, 243, 294, 496, 510, 601]
    el_gordo = spt.row("SPT-CL J0102-4915")
    assert float(el_gordo["redshift"]) == pytest.approx(0.87008, abs=1e-5)
    assert el_gordo["m500"].unmasked.to_value("1e14 solMass") == pytest.approx(13.52, abs=0.01)
    act = ACTED56Catalog.read(real_data("crossmatch/E-D56Clusters.fits"))
    assert act.table["psz2"].sum() == 30
    assert act.row("ACT-CL J0003.1-0605")["alternative_names"] == "ABELL 2697"
    ratio = act.sample().quantity("m500") / act.sample().quantity("m500_cal")
    np.testing.assert_allclose(ratio, 0.68, atol=1e-3)
    mcxc = MCXCCatalog.read(
        real_data("crossmatch/mcxc.dat"), readme=real_data("crossmatch/mcxc_ReadMe")
    )
    row = mcxc.row("J0000.1+0816")
    assert row["other_name"] == "RXC J0000.1+0816"
    assert row["l500"].to_value("1e44 erg/s") == pytest.approx(0.196280)
    assert row["m500"].to_value("1e14 solMass") == pytest.approx(0.7373)
