"""Masses looked up in a table of weak-lensing masses."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass.catalogs import Herbonnet2020Table, LC2Table, LensingTable
from szmass.clusters import ClusterSample
from szmass.estimators import ESTIMATORS, LensingMass, estimate_masses
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.exceptions import InvalidInputError, UnknownNameError, UnweighedClustersWarning
from szmass.results import MassFlag


def rows_of(sample, *, shift=0 * u.arcmin, factor=1.2):
    """Make a table of lensing masses of the clusters of a sample."""
    coord = sample.coord.directional_offset_by(0 * u.deg, shift)
    table = QTable({"name": sample.names, "ra": coord.ra, "dec": coord.dec})
    table["redshift"] = sample.redshift
    table["mass"] = factor * sample.quantity("msz")
    table["mass_errn"], table["mass_errp"] = 0.2 * table["mass"], 0.3 * table["mass"]
    return table


def lensing(rows, definition="500c", cosmology="PSZ2"):
    return LensingTable(rows, mass_definition=definition, cosmology=cosmology)


@pytest.fixture(scope="module")
def sample():
    return make_check_sample()


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("definition", ["500c", "200c"])
def test_contract(check, definition, sample):
    check(LensingMass(table=lensing(rows_of(sample), definition)))


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract_by_name_at_any_redshift(check, sample):
    check(LensingMass(table=lensing(rows_of(sample)), delta_redshift=None, by="position_or_name"))


def test_masses_and_errors(sample):
    table = LensingMass(table=lensing(rows_of(sample, shift=3 * u.arcmin))).predict(sample)
    msz = sample.quantity("msz").value
    np.testing.assert_allclose(table["mass"].value, 1.2 * msz, rtol=1e-12)
    np.testing.assert_allclose(table["mass_errn"].value, 0.24 * msz, rtol=1e-12)
    np.testing.assert_allclose(table["mass_errp"].value, 0.36 * msz, rtol=1e-12)
    assert not table["flag"].any()
    meta = table.meta
    assert (meta["table"], meta["column"], meta["conversion"]) == ("LensingTable", "mass", ["none"])


def test_what_has_no_match_is_flagged(sample):
    rows = rows_of(sample)[2:]
    rows["redshift"][0] += 0.1  # of row 2
    rows["mass_errp"][1] = np.nan  # of row 3
    rows["mass"][2] = np.nan  # of row 4
    with pytest.warns(UnweighedClustersWarning, match="4 of 12 .*3 NO_MATCH, 1 NO_MEASUREMENT"):
        table = LensingMass(table=lensing(rows)).predict(sample)
    assert table["flag"][:5].tolist() == [
        MassFlag.NO_MATCH,
        MassFlag.NO_MATCH,
        MassFlag.NO_MATCH,
        MassFlag.NO_ERROR,
        MassFlag.NO_MEASUREMENT,
    ]
    assert not table["flag"][5:].any()
    assert np.isnan(table["mass"][[0, 1, 2, 4]].value).all()
    assert np.isfinite(table["mass"][3].value)
    with pytest.warns(UnweighedClustersWarning, match="3 of 12"):
        loose = LensingMass(table=lensing(rows), delta_redshift=None).predict(sample)
    assert np.isfinite(loose["mass"][2].value)


def test_all_outside_the_tolerance(sample):
    rows = rows_of(sample)
    rows["redshift"] += 0.5
    with pytest.warns(UnweighedClustersWarning, match="12 of 12 .*12 NO_MATCH"):
        table = LensingMass(table=lensing(rows)).predict(sample)
    assert np.isnan(table["mass"].value).all()


def test_a_sample_of_one_and_a_table_of_one(sample):
    table = LensingMass(table=lensing(rows_of(sample)[3:4])).predict(sample[3:4])
    assert np.isfinite(table["mass"].value).all()


def test_matching_options(sample):
    far = lensing(rows_of(sample, shift=12 * u.arcmin))
    with pytest.warns(UnweighedClustersWarning, match="12 NO_MATCH"):
        LensingMass(table=far).predict(sample)
    for options in ({"radius": 15 * u.arcmin}, {"by": "name"}, {"by": "position_or_name"}):
        assert not LensingMass(table=far, **options).predict(sample)["flag"].any()
    with pytest.raises(InvalidInputError, match="'by' must be"):
        LensingMass(table=far, by="magic").predict(sample)


def test_table_without_positions(sample):
    rows = rows_of(sample)["name", "redshift", "mass"]
    with pytest.raises(InvalidInputError, match="no positions"):
        LensingMass(table=lensing(rows)).predict(sample)
    table = LensingMass(table=lensing(rows), by="name").predict(sample)
    assert set(table["flag"]) == {MassFlag.NO_ERROR}


def test_two_clusters_may_share_a_row(sample):
    twice = sample.table[[0, 0]]
    twice["name"] = ["one", "two"]
    table = LensingMass(table=lensing(rows_of(sample))).predict(ClusterSample(twice))
    assert table["mass"][0] == table["mass"][1]


def test_conversions_are_written_down(sample):
    table = lensing(rows_of(sample), "200c", "Planck18")
    estimator = LensingMass(table=table, cosmology="PSZ2", concentration=4.0)
    result = estimator.predict(sample)
    np.testing.assert_allclose(
        result["mass"].value,
        table.masses(cosmology="PSZ2", concentration=4.0)["mass"].value,
        rtol=1e-12,
    )
    cosmology, definition = result.meta["conversion"]
    assert "Planck18" in cosmology
    assert definition == "M200c to M500c: NFW with concentration 4.0"
    assert result.meta["published_definition"] == "200c"
    assert result.meta["cosmology"] == "PSZ2 (H0 = 70, Om0 = 0.3)"


def test_file_and_column(sample, tmp_path):
    path = tmp_path / "h.csv"
    table = QTable({"Cluster": sample.names, "z": sample.redshift})
    table["RA_BCG_deg"], table["Dec_BCG_deg"] = sample.coord.ra.deg, sample.coord.dec.deg
    for name in (c.fits for c in Herbonnet2020Table.columns if c.fits.startswith(("M", "e_M"))):
        table[name] = (0.5 if "NFW" in name else 1) * sample.quantity("msz").value / 1e14
    table["State"] = table["survey"] = "x"
    table.write(path)
    first = LensingMass(table=path).predict(sample)
    nfw = LensingMass(table=str(path), column="m500c_nfw").predict(sample)
    np.testing.assert_allclose((nfw["mass"] / first["mass"]).value, 0.5, rtol=1e-6)
    assert first.meta["table"] == "h.csv"
    assert first.meta["references"] == list(Herbonnet2020Table.references)
    assert first.meta["column"] == "m500c_aperture"
    with pytest.raises(InvalidInputError, match="'column' must be one of m500c_aperture"):
        LensingMass(table=path, column="mass").predict(sample)


def test_fetched_table_is_asked_for_once(sample, monkeypatch):
    calls = []

    def fetch(cls, **options):
        calls.append(options)
        table = lensing(rows_of(sample))
        table.tag = "lc2"
        return table

    monkeypatch.setattr(LC2Table, "fetch", classmethod(fetch))
    estimator = LensingMass()
    estimator.predict(sample)
    table = estimate_masses(sample, [estimator])
    assert len(calls) == 1
    assert table.meta["methods"]["lensing"]["table"] == "lc2"
    assert ESTIMATORS["lensing"] is LensingMass


def test_bad_tables(sample, tmp_path):
    with pytest.raises(UnknownNameError, match="neither a file nor a known catalogue.*lc2"):
        LensingMass(table="lc3").predict(sample)
    with pytest.raises(InvalidInputError, match="'table' must be a LensingTable.*Received: 3"):
        LensingMass(table=3).predict(sample)
    sample.write(tmp_path / "s.ecsv", overwrite=True)
    with pytest.raises(InvalidInputError, match="no known table of lensing masses .*herbonnet2020"):
        LensingMass(table=tmp_path / "s.ecsv").predict(sample)
