"""Catalogues on the command line: match, columns that have to be told, no server asked."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.catalogs import PSZ2Catalog, conf
from szmass.cli import main
from szmass.cli.options import NOTHING_FOUND
from szmass.estimators.checks import make_check_sample


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SZMASS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sample():
    return make_check_sample(6)


@pytest.fixture
def first(sample, tmp_path):
    """Write a sample as szmass does."""
    path = tmp_path / "first.ecsv"
    sample.write(path)
    return path


@pytest.fixture
def second(sample, tmp_path):
    """Write four of its clusters and another one, 2 arcmin off, as a CSV file without units."""
    coord = sample.coord[:4].directional_offset_by(30 * u.deg, 2 * u.arcmin)
    table = Table({"ID": [*(f"X{i}" for i in range(4)), "far"]})
    table["alpha"] = [*coord.ra.deg, 10.0]
    table["delta"] = [*coord.dec.deg, 89.0]
    table["zcl"] = [*sample.redshift[:3], sample.redshift[3] + 0.1, -99]
    table["M"] = [*sample.quantity("msz")[:4].to_value("1e14 solMass"), 5.0]
    table["other"] = [*(f"check{i},NGC {i}" for i in range(4)), ""]
    path = tmp_path / "second.csv"
    table.write(path)
    return path


COLUMNS = (
    "--column", "b.name=ID", "--column", "b.ra=alpha", "--column", "b.dec=delta",
    "--column", "b.redshift=zcl", "--column", "b.msz=M", "--unit", "b.msz=1e14 solMass",
    "--unit", "b.ra=deg", "--unit", "b.dec=deg", "--missing", "b.redshift=-99",
)  # fmt: skip


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_match(first, second, sample, tmp_path, suffix):
    output = tmp_path / f"pairs{suffix}"
    result = run("match", first, second, "-o", output, *COLUMNS)
    assert result.exit_code == 0, result.output
    assert "4 pairs among 6 and 5 rows" in result.output
    assert "4 rows written to" in result.output
    table = read_table(output)
    assert list(table["b_name"]) == ["X0", "X1", "X2", "X3"]
    np.testing.assert_allclose(table["separation"].to_value("arcmin"), 2, rtol=1e-6)
    np.testing.assert_allclose(table["b_msz"].value, sample.quantity("msz")[:4].value)
    assert table["b_msz"].unit == u.solMass
    assert table.meta["crossmatch"]["pairs"] == 4


def test_match_options(first, second, tmp_path):
    output = tmp_path / "pairs.ecsv"
    args = ("match", first, second, "-o", output, "--overwrite", *COLUMNS)
    result = run(*args, "--delta-redshift", 0.03, "--unmatched", "first")
    assert "3 pairs" in result.output
    assert len(read_table(output)) == 6
    result = run(*args, "--unmatched", "both", "--radius", "3 arcmin")
    assert len(read_table(output)) == 7
    result = run(*args, "--unmatched", "second", "--radius", "90 arcsec")
    assert result.exit_code == NOTHING_FOUND
    assert len(read_table(output)) == 5
    result = run(*args, "--by", "name", "--aliases", "b.other")
    assert "4 pairs" in result.output, result.output
    assert set(read_table(output)["matched_by"]) == {"name"}
    prefixed = [str(arg).replace("b.", "mine.") for arg in COLUMNS]
    result = run(
        "match", first, second, "-o", output, "--overwrite", *prefixed, "--prefixes", "sz,mine"
    )
    assert result.exit_code == 0, result.output
    assert {"sz_name", "mine_name"} <= set(read_table(output).colnames)


def test_nothing_matches(first, second, tmp_path):
    output = tmp_path / "pairs.ecsv"
    result = run("match", first, second, "-o", output, *COLUMNS, "--radius", "1 arcsec")
    assert result.exit_code == NOTHING_FOUND
    assert "0 pairs" in result.output
    table = read_table(output)
    assert len(table) == 0
    assert "b_name" in table.colnames


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--radius", "10"], 1, "'radius' must have a unit"),
        (["--radius", "none"], 1, "radius"),
        (["--by", "magic"], 2, "'magic' is not one of"),
        (["--prefixes", "a"], 2, "--prefixes takes two words"),
        (["--prefixes", "a,a"], 1, "prefixes must be 2 different words"),
        (["--column", "msz=M"], 2, "--column: 'msz' must begin with a. or b."),
        (["--column", "b.msz"], 2, "not of the form PREFIX.OURS=THEIRS"),
        (["--missing", "b.redshift=none"], 2, "not of the form PREFIX.COLUMN=NUMBER"),
        (["--aliases", "other"], 2, "must begin with a. or b."),
        (["--column", "a.ra=alpha"], 2, "needs --column for both"),
        (["--unit", "b.msz=Mpc"], 1, "'msz' must have a unit that converts to solMass"),
        (["--column", "b.msz=nothing"], 1, "no column 'nothing' for 'msz'"),
        (["--delta-redshift", "-1"], 1, "'delta_redshift'"),
    ],
)
def test_mistakes_are_told_and_leave_no_output(first, second, tmp_path, args, code, message):
    output = tmp_path / "pairs.ecsv"
    told = [] if "--prefixes" in args else COLUMNS
    second = first if "a,a" in args else second
    result = run("match", first, second, "-o", output, *told, *args)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not output.exists()


def test_duplicate_names_and_unknown_files(first, second, tmp_path):
    rows = Table.read(second)
    rows["ID"][1] = "X0"
    rows.write(second, overwrite=True)
    result = run("match", first, second, "-o", tmp_path / "p.ecsv", *COLUMNS)
    assert result.exit_code == 1
    assert "'X0' in rows 0, 1" in result.stderr
    result = run("match", first, "nothing.fits", "-o", tmp_path / "p.ecsv")
    assert result.exit_code == 1
    assert "neither a file nor a known catalogue" in result.stderr
    result = run("match", first, first, "-o", tmp_path / "p.xlsx")
    assert result.exit_code == 1
    assert ".ecsv" in result.stderr


def test_catalog_with_columns_told(second, tmp_path):
    told = [str(arg).replace("b.", "") for arg in COLUMNS]
    output = tmp_path / "clean.ecsv"
    result = run("catalog", second, "-o", output, *told, "--redshift", 0, 1)
    assert result.exit_code == 0, result.output
    table = read_table(output)
    assert len(table) == 4
    assert table["msz"].unit == u.solMass
    assert {"name", "coord", "redshift", "msz", "other"} == set(table.colnames)
    result = run("catalog", second, "-o", tmp_path / "x.ecsv")
    assert result.exit_code == 1
    assert "'name' or 'cluster'" in result.stderr
    galactic = [arg.replace("ra=", "glon=").replace("dec=", "glat=") for arg in told]
    result = run("catalog", second, "-o", tmp_path / "g.ecsv", *galactic)
    assert result.exit_code == 0, result.output
    assert read_table(tmp_path / "g.ecsv")["coord"].frame.name == "galactic"


def test_estimate_with_columns_told_and_lensing(first, second, sample, tmp_path):
    table = QTable.read(second)
    table["Y"] = [2.0, 3, 4, 5, 6]
    table["Yerr"] = 0.2 * table["Y"]
    table.write(second, overwrite=True)
    told = [str(arg).replace("b.", "") for arg in COLUMNS]
    output = tmp_path / "masses.ecsv"
    result = run(
        "estimate", "--catalog", second, "--estimators", "scaling", "-o", output, *told,
        "--column", "y5r500=Y", "--column", "y5r500_err=Yerr",
        "--unit", "y5r500=1e-3 arcmin2", "--unit", "y5r500_err=1e-3 arcmin2",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "scaling: 4 weighed" in result.output
    lensing = QTable({"cluster": sample.names, "z": sample.redshift})
    lensing["ra_deg"], lensing["dec_deg"] = sample.coord.ra.deg, sample.coord.dec.deg
    for name in ("M500c", "e_M500c", "M200c", "e_M200c"):
        lensing[name] = sample.quantity("msz").to_value("1e14 solMass")
    lensing[:5].write(tmp_path / "wl.csv")
    result = run(
        "estimate", "--catalog", first, "--estimators", "lensing", "-o", output, "--overwrite",
        "--set", f"lensing.table=sereno2017:{tmp_path / 'wl.csv'}",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "lensing: 5 weighed" in result.output
    assert "1 NO_MATCH" in result.stderr


@pytest.mark.parametrize("command", ["catalog", "match", "estimate"])
def test_offline_asks_no_server(first, tmp_path, monkeypatch, command):
    def refuse(*args, **kwargs):
        raise AssertionError("a server was asked")

    monkeypatch.setattr("szmass.catalogs.core.query_vizier", refuse)
    output = tmp_path / "o.ecsv"
    args = {
        "catalog": ["psz2"],
        "match": [first, "psz2"],
        "estimate": ["--catalog", first, "--estimators", "lensing"],
    }[command]
    result = run(command, *args, "-o", output, "--offline")
    assert result.exit_code == 1, result.output
    assert "There is no snapshot of" in result.stderr
    assert not conf.offline  # only for the command


@pytest.mark.real_data
def test_offline_uses_the_snapshot(real_data, tmp_path):
    from szmass.catalogs._remote import write_snapshot

    psz2 = PSZ2Catalog.read(real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits"))
    write_snapshot(psz2.table, "psz2")
    result = run("catalog", "psz2", "-o", tmp_path / "o.ecsv", "--offline", "--redshift", 0, 1)
    assert result.exit_code == 0, result.output
    assert "1094 clusters" in result.output
    result = run(
        "match", "psz2", real_data("lensing/herbonnet2020.csv"), "-o", tmp_path / "m.ecsv",
        "--offline", "--delta-redshift", 0.03, "--prefixes", "psz2,wl",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "68 pairs among 1653 and 100 rows" in result.output
