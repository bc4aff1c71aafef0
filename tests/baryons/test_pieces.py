"""Predictions from file to file: the same for any number of workers, in Python and on the shell."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.baryons import HaloCatalog, predict_in_pieces
from szmass.cli import main
from szmass.cli.options import NOTHING_FOUND
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning
from szmass.physics import BaryonFlag, get_baryon_model
from tests.baryons.conftest import ROCKSTAR, H, write_ahf, write_rockstar


@pytest.fixture
def path(haloes, tmp_path):
    return write_rockstar(tmp_path / "out_3.list", haloes)


def test_pieces_are_the_prediction_of_the_whole(path, tmp_path):
    told = predict_in_pieces(path, "tng", tmp_path / "a.fits", rows=7, keep=["x", "m200c"])
    table, halos = read_table(tmp_path / "a.fits"), HaloCatalog.read(path)
    expected = get_baryon_model("tng").predict(halos)
    for name in expected.colnames:
        assert np.array_equal(table[name], expected[name]), name
    assert np.array_equal(table["x"], halos["x"])
    assert np.array_equal(table["host"], np.where(halos.is_host, -1, 0))
    assert table.meta["baryon_model"] == expected.meta["baryon_model"]
    assert table.meta["halos"]["file"] == "out_3.list"
    assert told["haloes"] == told["tng"]["predicted"] == 30
    assert told["tng"]["flags"]["SUBHALO"] == 9
    mass = table["m500c"].to_value("solMass")
    assert np.all(table["mgas500"].to_value("solMass") / mass > 0.03)


def test_several_models_and_hosts_only(path, tmp_path):
    predict_in_pieces(path, ["tng", "flamingo"], tmp_path / "a.ecsv", hosts_only=True)
    table, hosts = read_table(tmp_path / "a.ecsv"), HaloCatalog.read(path).hosts
    assert len(table) == 21
    for name in ("tng", "flamingo"):
        expected = get_baryon_model(name).predict(hosts)
        assert np.array_equal(table[f"mgas500_{name}"], expected["mgas500"])
        assert table.meta["baryon_models"][name]["name"] == name
    assert not np.any(table["flag_tng"] & BaryonFlag.SUBHALO)


def test_masses_are_derived_where_a_model_needs_them(haloes, tmp_path):
    path = write_ahf(tmp_path / "s.z0.250.AHF_halos", haloes)
    options = {"mass_definition": "200c", "h": H, "cosmology": "TheThreeHundred"}
    predict_in_pieces(path, "tng", tmp_path / "a.fits", rows=11, **options)
    table = read_table(tmp_path / "a.fits")
    expected = HaloCatalog.read(path, **options)["m500c"]
    assert np.allclose(table["m500c"], expected, rtol=1e-12)
    assert table.meta["halos"]["derived"]["m500c"] == "NFW profile of m200c and c200c"


def test_draws_depend_on_the_seed_alone(path, tmp_path):
    tables = {}
    for seed in (1, 1, 2):
        predict_in_pieces(path, "tng", tmp_path / "a.fits", draw=True, seed=seed, overwrite=True)
        content = (tmp_path / "a.fits").read_bytes()
        assert tables.setdefault(seed, content) == content
    assert tables[1] != tables[2]
    rows = 10
    predict_in_pieces(path, "tng", tmp_path / "b.fits", draw=True, seed=1, rows=rows)
    drawn, mean = read_table(tmp_path / "b.fits"), HaloCatalog.read(path)
    mean = get_baryon_model("tng").predict(mean)
    off = np.log(drawn["mgas500"] / mean["mgas500"]).value
    assert drawn.meta["baryon_model"]["seed"] == 1
    assert 0.02 < off.std() < 0.12
    assert np.unique(off).size == 30


def test_the_file_is_the_same_for_any_number_of_workers(path, tmp_path):
    contents = []
    for workers in (None, 2):
        output = tmp_path / f"{workers}.fits"
        options = {"rows": 4, "draw": True, "seed": 3}
        predict_in_pieces(path, ["tng", "flamingo"], output, workers=workers, **options)
        contents.append(output.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same(path, tmp_path):
    distributed = pytest.importorskip("distributed")
    predict_in_pieces(path, "tng", tmp_path / "a.fits", rows=4)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        predict_in_pieces(path, "tng", tmp_path / "b.fits", rows=4, scheduler=address)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_nothing_is_written_where_something_is_wrong(path, haloes, tmp_path):
    output = tmp_path / "a.fits"
    text = path.read_text()
    cases = [
        (text[:-30], "tng", {}, FileFormatError, "truncated"),
        (text, "tng", {"draw": True}, InvalidInputError, "'seed' must be"),
        (text, ["tng", "tng"], {}, InvalidInputError, "once"),
        (text, [], {}, InvalidInputError, "one model or some"),
        (text, "tng", {"keep": ["colour"]}, InvalidInputError, "'colour', which 'keep' needs"),
        (text.replace("M500c", "Mfoo").replace(" Rs ", " Foo "), "tng", {}, InvalidInputError,
         "lack 'm500c', which the model 'tng' needs"),
    ]  # fmt: skip
    for content, models, options, error, message in cases:
        path.write_text(content)
        with pytest.raises(error, match=message):
            predict_in_pieces(path, models, output, rows=7, **options)
        assert [p.name for p in tmp_path.iterdir()] == ["out_3.list"]
    path = write_rockstar(path, haloes, ROCKSTAR.removesuffix(" PID"))
    with pytest.warns(SzmassWarning, match="find_parents"):
        predict_in_pieces(path, "tng", output)
    with pytest.raises(InvalidInputError, match="find_parents"):
        predict_in_pieces(path, "tng", output, hosts_only=True, overwrite=True)


def test_a_catalogue_in_memory(path, tmp_path):
    halos = HaloCatalog.read(path)
    predict_in_pieces(path, "tng", tmp_path / "a.fits")
    predict_in_pieces(halos, "tng", tmp_path / "b.fits", rows=4)
    tables = [read_table(tmp_path / f"{name}.fits") for name in "ab"]
    for name in tables[0].colnames:
        assert np.array_equal(tables[0][name], tables[1][name]), name


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_shell(path, tmp_path):
    output = tmp_path / "a.ecsv"
    result = run("baryons", path, "--model", "tng", "-o", output, "--hosts-only", "--keep", "x,y")
    assert result.exit_code == 0, result.output
    assert "21 haloes written to" in result.output
    assert "tng: 21 predicted" in result.output
    table = read_table(output)
    assert {"id", "host", "x", "y", "mgas500", "mgas500_errn", "flag"} <= set(table.colnames)
    assert run("baryons", path, "--model", "tng", "-o", output).exit_code == 1
    args = ("--model", "tng", "--model", "flamingo", "--draw", "--seed", 4, "--overwrite")
    result = run("baryons", path, "-o", output, *args)
    assert "9 SUBHALO" in result.output
    assert len(read_table(output)) == 30
    result = run("baryons", path, "--model", "tng", "-o", tmp_path / "out_3.csv", "--all")
    assert "CSV keeps neither units" in result.stderr


def test_shell_with_a_table_of_ones_own(tmp_path):
    Table({"n": [7, 8], "M": [3e14, np.nan], "zz": [0.1, 0.2]}).write(tmp_path / "t.fits")
    args = ("baryons", tmp_path / "t.fits", "--model", "tng", "-o", tmp_path / "a.fits")
    how = ("--column", "id=n", "--column", "m500c=M", "--column", "redshift=zz")
    result = run(*args, *how)
    assert result.exit_code == 1
    assert "--unit m500c=solMass, with '/h'" in result.stderr
    result = run(*args, *how, "--unit", "m500c=solMass/h")
    assert result.exit_code == 1
    assert "Give --h" in result.stderr
    result = run(*args, *how, "--unit", "m500c=solMass/h", "--h", 0.7)
    assert result.exit_code == 0, result.output
    assert "tng: 1 predicted; flags: 1 MISSING_FEATURE" in result.output
    assert np.isclose(read_table(tmp_path / "a.fits")["m500c"][0], 3e14 / 0.7 * u.solMass)
    QTable({"id": [1], "redshift": [0.1], "m500c": [np.nan] * u.solMass}).write(tmp_path / "n.fits")
    result = run("baryons", tmp_path / "n.fits", "--model", "tng", "-o", tmp_path / "b.fits")
    assert result.exit_code == NOTHING_FOUND
    assert (tmp_path / "b.fits").exists()


@pytest.fixture
def own(tmp_path):
    """Write a table of a simulation with gas, in other names and units."""
    rng = np.random.default_rng(1)
    mass = 10 ** rng.uniform(14, 15, 200)
    table = Table({"M": mass * 0.7, "z": rng.uniform(0, 1, 200), "region": np.arange(200) // 4})
    table["gas"] = 0.1 * table["M"] * (mass / 3e14) ** 0.1 * np.exp(rng.normal(0, 0.05, 200))
    table["n"], table["up"] = np.arange(200), np.where(np.arange(200) == 5, 3, -1)
    table.write(tmp_path / "own.fits")
    return tmp_path / "own.fits"


def test_shell_fits_and_predicts(own, tmp_path):
    how = ["--h", 0.7]
    for pair in ("m500c=M", "redshift=z", "mgas500=gas", "id=n", "host=up"):
        how += ["--column", pair]
    how += ["--unit", "m500c=solMass/h", "--unit", "mgas500=solMass/h", "--cosmology", "PSZ2"]
    args = ("baryons", "--fit", own, "--targets", "mgas", "--groups", "region")
    result = run(*args, "-o", tmp_path / "mine", *how, "--hosts-only")
    assert result.exit_code == 0, result.output
    assert "199 haloes in 50 groups" in result.output
    assert "mgas500: scatter of ln in held-out groups 0.05" in result.output
    assert run(*args, "-o", tmp_path / "mine", *how).exit_code == 1
    output = tmp_path / "a.fits"
    result = run("baryons", own, "--model", tmp_path / "mine", "-o", output, *how)
    assert "mine: 200 predicted; flags: " in result.output
    assert "1 SUBHALO" in result.output
    table, mass = read_table(output), Table.read(own)["M"] / 0.7
    expected = 0.1 * mass * (mass / 3e14) ** 0.1
    assert np.allclose(table["mgas500"].value / expected, 1, atol=0.03)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--targets", "mgas"], "--fit needs --cosmology"),
        (["--cosmology", "PSZ2"], "--fit needs --targets"),
        (["--targets", "mgas", "--model", "tng"], "leave it or --fit out"),
    ],
)
def test_fits_that_cannot_be(own, tmp_path, args, message):
    result = run("baryons", "--fit", own, "-o", tmp_path / "mine", *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "mine").exists()


def test_one_of_both(own, tmp_path):
    for args in ([own, "--fit", own], ["--model", "tng"]):
        result = run("baryons", "-o", tmp_path / "x.fits", *args)
        assert (result.exit_code, "either HALOS" in result.stderr) == (2, True)
    result = run("baryons", own, "-o", tmp_path / "x.fits", "--model", "tng", "--targets", "mgas")
    assert (result.exit_code, "are for --fit" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--model", "tgn"], 1, "Did you mean 'tng'"),
        (["--model", "tng", "--redshift", 0.9], 1, "and --redshift 0.9 says otherwise"),
        (["--model", "tng", "--h", 0.5], 1, "Give it once"),
        (["--model", "tng", "--column", "mass=Mvir"], 1, "must name columns of haloes"),
        (["--model", "tng", "--column", "mvir"], 2, "not of the form"),
        (["--model", "tng", "--workers", 2, "--scheduler", "tcp://x:1"], 1, "not both"),
        (["--model", "tng", "--format", "foo"], 1, "'--format' must be one of"),
        ([], 2, "Missing option '--model'"),
    ],
)
def test_mistakes_on_the_shell(path, tmp_path, args, code, message):
    output = tmp_path / "a.fits"
    result = run("baryons", path, "-o", output, *args)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not output.exists()


def test_outputs_are_looked_at_first(path, tmp_path):
    result = run("baryons", path, "--model", "tng", "-o", tmp_path / "a.vot")
    assert (result.exit_code, ".parquet" in result.stderr) == (1, True)
    table = tmp_path / "t.fits"
    QTable({"id": [1], "redshift": [0.1], "m500c": [3e14] * u.solMass}).write(table)
    result = run("baryons", table, "--model", "tng", "-o", table, "--overwrite")
    assert result.exit_code == 2
    assert "this command reads it" in result.stderr
