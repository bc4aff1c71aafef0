"""UPCluster-SZ, MCXC-II, ComPRASS, ACT DR5 by MCMF, ACT DR6, SPT-ECS: forms with unlike columns.

None of their files was at hand. Rows with a page are as that page quotes them.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

from szmass._tables.columns import column_parts
from szmass.catalogs import (
    ACTDR5Catalog,
    ACTDR5MCMFCatalog,
    ACTDR6Catalog,
    ComPRASSCatalog,
    MCXCIICatalog,
    SPTECSCatalog,
    UPClusterSZCatalog,
    core,
    load_catalog,
    load_sample,
)
from szmass.cli import main
from szmass.exceptions import FileFormatError, InvalidInputError, RemoteDataError, SzmassWarning

ALL = [
    ACTDR5MCMFCatalog,
    ACTDR6Catalog,
    ComPRASSCatalog,
    MCXCIICatalog,
    SPTECSCatalog,
    UPClusterSZCatalog,
]
# Of MCXC-II as github.com/cssearth quotes its rows, and R500 in Mpc; masses are made up.
MCXC2 = {
    "MCXC": ["J0014.3-3023", "J0416.1-2403", "J1604.5+1743", "J1144.6+1945"],
    "OName": ["A2744", "MACS J0416.1-2403", "A2151", "A1367"],
    "RAJ2000": [3.5783, 64.0375, 241.14, 176.15],
    "DEJ2000": [-30.3834, -24.0661, 17.73, 19.76],
    "z": [0.3066, 0.3972, 0.037, 0.0214],
    "M500": [9.0, 8.0, 1.3, 2.1],
    "R500": [1.2, 1.1, 0.7666, 0.9034],
}


# What the forms lack of classes that have two.
LACKING = {
    ("mcxc2", "fits"): {"other_name", "r500"},
    ("mcxc2", "vizier"): {"redshift_type", "m500_errn", "m500_errp"},
    ("spt-ecs", "vizier"): {
        *("redshift_err", "m500_errn", "m500_errp", "richness", "richness_err"),
    },
}


def rows_of(cls, form, n=4):
    """Make rows under the labels of a form, at places that their names say."""
    table = Table()
    for i, column in enumerate(cls.columns):
        labels = column.aliases[1:]
        if not labels or column.name in LACKING.get((cls.tag, form), ()):
            continue
        ends = {"fits": (labels[0],), "vizier": ("J2000", labels[-1]), "cds": ("deg", labels[-1])}
        label = next(label for end in ends[form] for label in labels if label.endswith(end))
        if column.name == "name":
            values = [f"J{hour:02d}00.0+10{hour:02d}" for hour in range(n)]
        elif column.dtype == "str":
            values = [f"text {k}" for k in range(n)]
        elif column.unit == "deg":
            values = 15.0 * np.arange(n) if column.name == "ra" else 10 + np.arange(n) / 60
        else:
            values = 0.1 * (1 + i + np.arange(n)) if column.dtype == "float" else np.arange(n)
        table[label] = values
        if form != "fits" and column.unit is not None:
            table[label].unit = column.published_unit or column.unit
    return table


@pytest.mark.parametrize("cls", [c for c in ALL if c.vizier_id])
def test_answer_of_vizier(cls, monkeypatch, tmp_path):
    rows = rows_of(cls, "vizier", 4)
    monkeypatch.setattr(cls, "expected_rows", 4)
    monkeypatch.setattr(core, "query_vizier", lambda *args, **options: (rows, {"source": "test"}))
    monkeypatch.setattr(core, "write_snapshot", lambda *args: None)
    catalog = cls.fetch(refresh=True)
    assert len(catalog) == 4
    np.testing.assert_allclose(catalog.table["ra"].value, 15 * np.arange(4.0))
    for name in LACKING.get((cls.tag, "vizier"), ()):
        assert np.all(catalog.table[name].mask)
    assert np.isfinite(catalog.sample().redshift).all()
    for suffix in (".ecsv", ".fits", ".vot"):
        catalog.write(tmp_path / f"back{suffix}")
        again = load_catalog(tmp_path / f"back{suffix}")
        assert type(again) is cls
        for name in catalog.table.colnames:
            for mine, theirs in zip(
                column_parts(catalog.table[name]), column_parts(again.table[name]), strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)
    monkeypatch.setattr(cls, "expected_rows", 5)
    with pytest.raises(RemoteDataError, match="gave 4 rows .* instead of 5"):
        cls.fetch(refresh=True)


@pytest.mark.parametrize("cls", [ACTDR6Catalog, MCXCIICatalog, SPTECSCatalog])
def test_fits_file_without_units(cls, tmp_path):
    path = tmp_path / "t.fits"
    rows_of(cls, "fits").write(path)
    catalog = cls.read(path)
    assert isinstance(load_catalog(path), cls)
    assert catalog.table["m500"].unit == "solMass"
    index = [c.name for c in cls.columns].index("m500")
    expected = 0.1e14 * (1 + index + np.arange(4))
    np.testing.assert_allclose(np.ma.getdata(catalog.table["m500"].value), expected)


def test_a_file_of_act_dr5_is_not_taken_for_dr6(tmp_path):
    rows = rows_of(ACTDR5Catalog, "fits")
    for name in ("y_c", "err_y_c", "fixed_y_c", "fixed_err_y_c"):
        rows[name] = 1.0
    rows["template"] = "a"
    rows.write(tmp_path / "t.fits")
    with pytest.warns(SzmassWarning, match="as the catalogue 'act-dr5'"):
        assert isinstance(load_catalog(tmp_path / "t.fits"), ACTDR5Catalog)


def test_quoted_rows_of_mcxc2():
    table = Table(
        MCXC2, units={"RAJ2000": "deg", "DEJ2000": "deg", "M500": "1e14 Msun", "R500": "Mpc"}
    )
    catalog = MCXCIICatalog(MCXCIICatalog._prepare(table))
    a2744 = catalog["MCXC J0014.3-3023"]
    assert a2744.coord.to_string() == "3.5783 -30.3834"
    assert a2744.redshift == 0.3066
    assert catalog.row("MCXC J1604.5+1743")["r500"].unmasked == 0.7666 * u.Mpc
    assert catalog.table["m500_errn"].mask.all()


def test_redshifts_of_mcmf(tmp_path):
    rows = rows_of(ACTDR5MCMFCatalog, "cds")
    rows["zsp1"], rows["z1C"] = [0.31, np.nan, -1, 0], [0.3, 0.5, 0.7, np.nan]
    table = ACTDR5MCMFCatalog(ACTDR5MCMFCatalog._prepare(rows)).table
    assert table["redshift"].tolist() == [0.31, 0.5, 0.7, None]
    assert table["redshift_type"].tolist() == ["spec", "phot", "phot", None]
    rows.remove_column("zsp1")
    with pytest.raises(FileFormatError, match="lacks the columns redshift, redshift_type"):
        ACTDR5MCMFCatalog(ACTDR5MCMFCatalog._prepare(rows))


@pytest.fixture
def upcluster(catalog):
    """Redshifts for all rows of a made-up PSZ2 but the last, one of them uncertain."""
    names = np.asarray(catalog.table["name"], dtype=str)[:-1]
    return UPClusterSZCatalog(
        Table(
            {
                "name": names,
                "ra": catalog.table["ra"][:-1],
                "dec": catalog.table["dec"][:-1],
                "redshift": 0.5 + np.arange(len(names)) / 1000,
                "redshift_type": ["unct", "phot", *["spec"] * (len(names) - 2)],
            }
        )
    )


def test_psz2_takes_updated_redshifts(catalog, upcluster, monkeypatch):
    before = catalog.table.copy()
    sample = catalog.sample(redshifts=upcluster)
    plain = catalog.sample()
    assert catalog.table.colnames == before.colnames
    assert len(sample) == len(plain) == 60
    np.testing.assert_array_equal(sample.redshift[[0, -1]], plain.redshift[[0, -1]])
    np.testing.assert_array_equal(sample.redshift[1:-1], 0.5 + np.arange(1, 59) / 1000)
    assert sample.table["redshift_type"][:3].tolist() == [None, "phot", "spec"]
    release = np.ma.filled(sample.table["redshift_release"], np.nan)
    np.testing.assert_array_equal(release, plain.redshift)
    assert "2024ApJS..272....7B" in sample.meta["references"]
    picked = catalog.sample(redshifts=upcluster, redshift=(0.5, 0.51))
    assert set(sample.names[1:11]) <= set(picked.names)
    monkeypatch.setattr(UPClusterSZCatalog, "fetch", classmethod(lambda cls: upcluster))
    assert len(catalog.sample(redshifts="upcluster-sz", redshift=(0.5, 0.51))) == len(picked)


def test_updated_redshifts_that_are_none(catalog, upcluster):
    for wrong in ("psz2", [0.1, 0.2], catalog):
        with pytest.raises(InvalidInputError, match="'redshifts' must be a UPClusterSZCatalog"):
            catalog.sample(redshifts=wrong)
    table = upcluster.table.copy()
    table["name"] = [f"PSZ2 G{i:03d}" for i in range(len(table))]
    with pytest.warns(SzmassWarning, match="None of 60 rows .* the redshifts of upcluster-sz"):
        sample = catalog.sample(redshifts=UPClusterSZCatalog(table))
    np.testing.assert_array_equal(sample.redshift, catalog.sample().redshift)
    with pytest.warns(SzmassWarning, match="None of 60 rows"):
        nothing = catalog.sample(redshifts=UPClusterSZCatalog(upcluster.table[:0]))
    np.testing.assert_array_equal(nothing.redshift, sample.redshift)


def test_samples_take_updated_redshifts(catalog, upcluster, monkeypatch, tmp_path):
    catalog.write(tmp_path / "psz2.ecsv")
    upcluster.write(tmp_path / "upcluster.ecsv")
    sample = catalog.sample(redshifts=upcluster)
    named = f"upcluster-sz:{tmp_path / 'upcluster.ecsv'}"
    for redshifts in (named, tmp_path / "upcluster.ecsv"):
        loaded = load_sample(tmp_path / "psz2.ecsv", redshifts=redshifts)
        np.testing.assert_array_equal(loaded.redshift, sample.redshift)
    fetched = {}
    monkeypatch.setattr(
        UPClusterSZCatalog,
        "fetch",
        classmethod(lambda cls, **how: fetched.update(how) or upcluster),
    )
    bright = load_sample(
        tmp_path / "psz2.ecsv", redshifts="upcluster-sz", redshift=(0.5, 0.51), offline=True
    )
    assert fetched == {"offline": True}
    assert 0 < len(bright) < len(sample)
    arguments = ["catalog", str(tmp_path / "psz2.ecsv"), "--redshifts", named]
    result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "new.ecsv")])
    assert result.exit_code == 0, result.output
    written = load_sample(tmp_path / "new.ecsv")
    np.testing.assert_array_equal(written.redshift, sample.redshift)
    with pytest.raises(InvalidInputError, match="'redshifts' are for the catalogue 'psz2'"):
        load_sample(tmp_path / "upcluster.ecsv", redshifts=named)
