"""The register of catalogues, and samples from whatever names one."""

import numpy as np
import pytest
from astropy.table import Table

from szmass.catalogs import (
    CATALOGS,
    Catalog,
    CatalogColumn,
    DeAndres2022Catalog,
    PSZ2Catalog,
    load_sample,
    register_catalog,
)
from szmass.exceptions import (
    DuplicateNameError,
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    UnknownNameError,
)


def test_register():
    assert CATALOGS["psz2"] is PSZ2Catalog
    assert CATALOGS["deandres2022"] is DeAndres2022Catalog
    with pytest.raises(UnknownNameError, match="Did you mean 'psz2'"):
        _ = CATALOGS["psz"]
    with pytest.raises(DuplicateNameError, match="'psz2' is taken"):
        register_catalog(type("Other", (Catalog,), {"tag": "psz2"}))


@pytest.mark.parametrize("cls", list(CATALOGS.values()), ids=lambda cls: cls.tag)
def test_descriptions_are_complete(cls):
    assert cls.tag
    assert cls.description
    assert cls.expected_rows > 0
    assert all(len(bibcode) == 19 for bibcode in cls.references)
    names = [column.name for column in cls.columns]
    assert len(set(names)) == len(names)
    aliases = [alias for column in cls.columns for alias in set(column.aliases)]
    assert len(set(aliases)) == len(aliases), "one name would mean two columns"
    assert all(column.description for column in cls.columns)


class Tiny(Catalog):
    tag = "tiny"
    columns = (
        CatalogColumn(name="name", fits="ID", dtype="str", required=True, description="Name"),
        CatalogColumn(name="ra", fits="RA", unit="deg", required=True, description="RA"),
        CatalogColumn(name="dec", fits="DE", unit="deg", required=True, description="Dec"),
        CatalogColumn(name="redshift", fits="Z", missing=-9, description="Redshift"),
        CatalogColumn(name="known", fits="F", dtype="bool", description="Flag"),
        CatalogColumn(name="n", fits="N", dtype="int", description="Count"),
    )


def tiny(**columns):
    table = Table(
        {
            "ID": [b"a ", b" b", b"c"],
            "RA": [1.0, 2.0, 3.0],
            "DE": [1.0, 2.0, 3.0],
            "Z": [0.1, -9, np.nan],
            "F": ["T", "false", "1"],
            "N": [1.0, 2.0, 3.0],
        }
    )
    for name in ("RA", "DE"):
        table[name].unit = "degrees"
    for name, values in columns.items():
        table[name] = values
    return Tiny(table)


@pytest.mark.filterwarnings("ignore:'degrees' did not parse")
def test_odd_but_clear_values():
    table = tiny().table
    assert list(table["name"]) == ["a", "b", "c"]
    assert list(table["redshift"].mask) == [False, True, True]
    assert list(table["known"]) == [True, False, True]
    assert table["n"].dtype == int
    assert tiny()["B"].redshift is None
    assert tiny(Z=np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])).table["redshift"].mask[1]
    with pytest.raises(FileFormatError, match="'F' does not hold .*neither true nor false"):
        tiny(F=["T", "maybe", ""])
    with pytest.raises(FileFormatError, match="'ID' has no value in 1 rows, the first .* row 1"):
        tiny(ID=["a", " ", "c"])


@pytest.mark.parametrize("form", ["fits", "cds", "votable"])
def test_sample_of_a_catalogue_file(published, form):
    sample = load_sample(published[form], redshift=(0, 0.3))
    whole = PSZ2Catalog.read(published[form])
    assert list(sample.names) == list(whole.sample(redshift=(0, 0.3)).names)
    assert len(load_sample(str(published[form]))) == 60


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_sample_of_a_file_of_our_own(catalog, tmp_path, suffix):
    sample = catalog.sample(redshift=(0, 1))
    catalog.write(tmp_path / f"catalog{suffix}")
    sample.write(tmp_path / f"sample{suffix}")
    for again in (
        load_sample(tmp_path / f"catalog{suffix}", redshift=(0, 1)),
        load_sample(tmp_path / f"sample{suffix}"),
    ):
        assert again.table.colnames == sample.table.colnames
        assert list(again.names) == list(sample.names)
        assert again.coord.frame.name == "galactic"
        assert again.coord.separation(sample.coord).max().arcsec < 1e-6
        np.testing.assert_array_equal(again.quantity("msz"), sample.quantity("msz"))


def test_sample_of_any_table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("cluster,RAdeg,DEdeg,z,M500\nA1,10,20,0.1,3\nA2,30,-40,0.3,5\n")
    sample = load_sample(
        path, redshift=(0.1, 0.3), columns={"msz": "M500"}, units={"msz": "1e14 solMass"}
    )
    assert list(sample.names) == ["A2"]
    assert sample[0].msz.value == 5e14
    with pytest.raises(InvalidUnitError, match="'msz' has no unit"):
        load_sample(path, columns={"msz": "M500"})


def test_name_of_a_catalogue_fetches_it(monkeypatch, catalog):
    monkeypatch.setattr(PSZ2Catalog, "fetch", classmethod(lambda cls, **options: catalog))
    assert len(load_sample("psz2")) == 60


def test_neither_file_nor_catalogue(tmp_path):
    with pytest.raises(UnknownNameError, match="neither a file .* known catalogue .*psz2"):
        load_sample(tmp_path / "nothing.fits")
    (tmp_path / "x.txt").write_text("a b\n1 2\n")
    with pytest.raises(FileFormatError, match="Known forms are"):
        load_sample(tmp_path / "x.txt")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="no column 'name' or 'cluster'"):
        load_sample(tmp_path / "x.csv")
