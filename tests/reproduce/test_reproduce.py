"""The reproduction: which numbers come from which data, what is written, what is refused."""

import json
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.catalogs import DeAndres2022Catalog, LensingTable
from szmass.cli import main
from szmass.clusters import ClusterSample
from szmass.comparison import relative_difference_table
from szmass.estimators import MassEstimator, MatchedFilterMass
from szmass.exceptions import InvalidInputError, MissingDependencyError
from szmass.maps import NoiseModel
from szmass.reproduce import reproduce
from szmass.results import MassEstimates, MassFlag
from szmass.simulations import draw_flat, from_masses, make_dataset, simulate, simulate_sky

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

NOISE = NoiseModel.planck("instrument", depth=None)
FIGURES = {"residuals", "sz_masses", "error_distributions", "relative_errors", "y500"}


class Peak(MassEstimator):
    """Masses from the highest pixel: fast, and right to a factor of two."""

    tag = "peak"
    requires = frozenset({"redshift", "complete_cutout"})

    def __init__(self, *, scale=1.0):
        self.scale = scale

    def _weigh(self, sample):
        peak = np.clip(sample.cutouts.data.max(axis=(1, 2)), 1e-6, None).astype(float)
        mass = self.scale * 5e14 * np.sqrt(peak / 1e-5)
        return MassEstimates(mass, 0.2 * mass, 0.2 * mass)


@pytest.fixture(scope="module")
def result():
    """Give a reproduction from mocks alone."""
    chosen = {"filter": MatchedFilterMass(noise=NOISE, one_minus_b=0.8), "peak": Peak()}
    return reproduce(chosen, n=80, seed=3)


@pytest.fixture(scope="module")
def sky():
    """Give a small map of a few heavy clusters, and their catalogue with MSZ."""
    rng = np.random.default_rng(1)
    population = from_masses(
        rng.uniform(8e14, 1.5e15, 24) * u.solMass, rng.uniform(0.05, 0.9, 24), seed=5
    )
    ymap, mocks = simulate_sky(
        population, nside=512, model="a10", noise=NOISE, cosmology="PSZ2", seed=2
    )
    catalog = ClusterSample(mocks.table["name", "coord", "redshift", "mass_true", "y5r500_true"])
    catalog.table["msz"] = 0.8 * mocks.quantity("mass_true")
    catalog.table["msz_errn"] = catalog.table["msz_errp"] = 0.1 * catalog.quantity("msz")
    catalog.table["y5r500"] = mocks.quantity("y5r500_true")
    return ymap, catalog


def published(catalog, factor=1.25):
    """Give a table of published masses of all clusters but the last two."""
    table = Table({"name": catalog.names[:-2]})
    table["redshift"] = catalog.redshift[:-2]
    msz = catalog.quantity("msz")[:-2].value
    for name, values in (
        ("msz", msz),
        ("cnn_mass", factor * msz),
        ("cnn_mass_errn", 0.1 * msz),
        ("cnn_mass_errp", 0.1 * msz),
    ):
        table[name] = values
        table[name].unit = "solMass"
    for name in ("log10_cnn_mass", "log10_cnn_mass_errn", "log10_cnn_mass_errp"):
        table[name] = np.log10(factor * msz)
    table["y500_uncalibrated"] = table["y500_uncalibrated_err"] = msz / 1e14
    return DeAndres2022Catalog(table)


def lensing(catalog, rows, ratio=0.8):
    """Give lensing masses of which MSZ is ``ratio`` times as large."""
    table = QTable({"name": [f"WL {i}" for i in rows]})
    table["ra"], table["dec"] = catalog.coord[rows].icrs.ra, catalog.coord[rows].icrs.dec
    table["redshift"] = catalog.redshift[rows]
    scatter = np.exp(np.random.default_rng(0).normal(0, 0.05, len(rows)))
    table["mass"] = catalog.quantity("msz")[rows] / ratio * scatter
    table["mass_err"] = 0.05 * table["mass"]
    return LensingTable(table, mass_definition="500c", cosmology="PSZ2")


def rows_of(result, method, data):
    table = result.table1
    return table[(table["method"] == method) & (table["data"] == data)]


def test_columns_of_mocks(result):
    assert result.methods == ["filter", "peak"]
    clean, noisy = result.table("clean"), result.table("planck_like")
    assert len(clean) == len(noisy) == 80
    np.testing.assert_array_equal(clean["mass_true"], noisy["mass_true"])
    assert noisy["snr"].min() > 4.5
    assert noisy["mass_true"].value.min() > 1e14
    assert noisy["mass_true"].value.max() < 2e15
    # The filter is told 1-b; the SZ mass is not, as MSZ.
    expected = relative_difference_table(
        noisy["mass_filter"], noisy["mass_true"], noisy["redshift"]
    )
    found = rows_of(result, "filter", "planck_like")
    for name in ("n", "mean", "std", "mean_massive"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert abs(found["mean"][-1]) < 0.1
    assert rows_of(result, "filter", "planck_like_sz")["mean"][-1] == pytest.approx(0.2, abs=0.01)
    assert rows_of(result, "filter", "clean")["std"][-1] < 0.2
    np.testing.assert_allclose(found["published_mean"], [-0.02, 0.01, -0.01, -0.02, -0.02])
    np.testing.assert_allclose(found["published_std_massive"], [0.16, 0.16, 0.13, 0.15, 0.17])


def test_a_column_without_data_says_so(result):
    found = rows_of(result, "peak", "planck")
    assert list(found["n"]) == [0] * 5
    assert np.isnan(found["mean"]).all()
    assert result.about["planck"] == dict.fromkeys(
        ("filter", "peak"), "no data: neither a catalogue nor a map was given"
    )
    text = result.summary()
    assert "no data: neither a catalogue nor a map was given" in text
    assert "80 simulated clusters (model 'a10', 1-b = 0.8" in text
    assert "no data: no lensing table was given" in text
    row = next(line for line in text.splitlines() if line.startswith("| 0-1 | -0.02"))
    assert row.endswith("| 0.08 ± 0.21 (1094) |")
    mean = rows_of(result, "peak", "clean")[-1]
    assert f"{mean['mean']:.2f} ± {mean['std']:.2f} (80)" in text
    assert result.table("planck") is None


def test_the_seed_decides():
    first, again, other = (
        reproduce({"peak": Peak()}, n=20, seed=seed).table("planck_like") for seed in (3, 3, 4)
    )
    for name in ("mass_true", "mass_peak", "y500_blind"):
        np.testing.assert_array_equal(again[name], first[name])
        assert not np.array_equal(other[name], first[name])


def test_estimators_are_told_the_noise_of_the_mocks(sky):
    ymap, catalog = sky[0], sky[1][:6]
    chosen = {
        "plain": MatchedFilterMass(noise="planck"),
        "mine": MatchedFilterMass(noise=NOISE, depth=0.9),
    }
    result = reproduce(chosen, n=5, catalog=catalog, ymap=ymap, population="twin")
    mocks, real = (result.table(name).meta["methods"] for name in ("planck_like", "planck"))
    assert mocks["plain"]["noise_rms"] == pytest.approx(NOISE.rms(), rel=1e-6)
    assert "depth='depth'" in mocks["plain"]["estimator"]
    assert "depth=0.9" in mocks["mine"]["estimator"]
    assert real["plain"]["noise_rms"] == pytest.approx(NoiseModel.planck().rms(), rel=1e-6)
    assert "depth=None" in real["plain"]["estimator"]


def test_figures(result):
    figures = result.figures()
    assert set(figures) == FIGURES
    panels = [ax.get_title() for ax in figures["residuals"].axes]
    assert panels == ["filter, Planck-like mocks", "peak, Planck-like mocks"]
    for figure in figures.values():
        figure.canvas.draw()


def test_folder(result, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    result.write(folder)
    names = {path.name for path in folder.iterdir()}
    pictures = {f"{name}.{form}" for name in FIGURES for form in ("png", "pdf")}
    tables = {"table1.ecsv", "masses_clean.ecsv", "masses_planck_like.ecsv"}
    assert names == pictures | tables | {"summary.md", "provenance.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (folder / "summary.md").read_text(encoding="utf-8") == result.summary() + "\n"
    back = read_table(folder / "table1.ecsv")
    np.testing.assert_array_equal(back["mean"], result.table1["mean"])
    record = json.loads((folder / "provenance.json").read_text())
    assert set(record["files"]) == names
    assert record["arguments"]["seed"] == 3
    assert record["methods"]["clean"]["peak"]["estimator"] == "Peak(scale=1.0)"
    assert record["columns"]["planck"]["peak"].startswith("no data")
    for path in folder.glob("*.png"):
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    # The same numbers give the same files.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    figure = result.figures()["residuals"]
    monkeypatch.setattr(type(result), "figures", lambda self: {"residuals": figure})
    result.write(folder, overwrite=True)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    # Figures that are no longer drawn are gone.
    assert set(after) == tables | {
        "summary.md",
        "provenance.json",
        "residuals.png",
        "residuals.pdf",
    }
    assert all(after[name] == before[name] for name in after if name != "provenance.json")


def test_a_folder_that_is_not_ours_stays(result, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInputError, match="has something in it. Choose another name"):
        reproduce("nothing", folder=folder)  # before anything else is looked at
    with pytest.raises(InvalidInputError, match=r"no 'provenance.json' that would tell"):
        result.write(folder, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    (folder / "provenance.json").write_text('{"files": ["old.png", "../x", "provenance.json"]}')
    (folder / "old.png").write_text("")
    (tmp_path / "x").write_text("")
    monkeypatch.setattr(type(result), "figures", lambda self: {})  # they take long
    result.write(folder, overwrite=True)
    # What an earlier one left goes, other files do not.
    assert (folder / "thesis.tex").read_text() == "mine"
    assert not (folder / "old.png").exists()
    assert (tmp_path / "x").exists()
    with pytest.raises(InvalidInputError, match="is a file; give a folder"):
        result.write(tmp_path / "x")
    with pytest.raises(InvalidInputError, match="does not exist"):
        result.write(tmp_path / "none" / "out")
    monkeypatch.setattr(type(result), "figures", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        result.write(tmp_path / "other")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "x"}
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[plot\]"):
        reproduce("peak", folder=tmp_path / "new")


def test_real_clusters_in_a_map(sky):
    ymap, catalog = sky
    result = reproduce(
        {"peak": Peak()}, n=0, catalog=catalog, ymap=ymap, published=published(catalog)
    )
    table = result.table("planck")
    assert len(table) == 24
    assert np.isfinite(table["mass_peak"]).all()
    expected = relative_difference_table(table["mass_peak"], table["msz"], table["redshift"])
    np.testing.assert_array_equal(rows_of(result, "peak", "planck")["mean"], expected["mean"])
    found = rows_of(result, "published", "planck")
    assert found["n"][-1] == 22
    assert found["mean"][-1] == pytest.approx(0.2)
    assert list(table["flag_published"]) == [0] * 22 + [MassFlag.NO_MATCH] * 2
    assert result.about["planck"] == {
        "peak": "24 of 24 clusters of the catalogue are wholly in the map",
        "published": "published table of 22 masses (de Andres et al. 2022), 22 of them in the "
        "catalogue",
    }
    assert result.about["clean"]["published"].startswith("no data: a table of masses")
    assert result.table("clean") is None
    assert set(result.figures()) == {"sz_masses", "error_distributions", "relative_errors", "y500"}


def test_published_masses_alone(sky):
    _, catalog = sky
    result = reproduce({"peak": Peak()}, n=0, published=published(catalog))
    assert rows_of(result, "published", "planck")["n"][-1] == 22
    assert rows_of(result, "peak", "planck")["n"][-1] == 0
    assert "y500" not in result.figures()


def test_lensing(sky):
    _, catalog = sky
    first, second = list(range(12)), list(range(8, 20))
    result = reproduce(
        {"peak": Peak()},
        n=0,
        catalog=catalog,
        published=published(catalog),
        lensing=[lensing(catalog, first), lensing(catalog, second, ratio=0.7)],
        exclude_lensing=("WL 0",),
    )
    fits = result.lensing_fits
    assert set(fits) == {("msz", "lensing"), ("published", "lensing")}
    assert "WL 0" not in result.lensing["wl_name"]
    assert result.about["lensing"]["all"] == (
        "19 clusters of the catalogue with a lensing mass, 23 pairs in 2 tables"
    )
    one = reproduce(
        {"peak": Peak()}, n=0, catalog=catalog, published=published(catalog),
        lensing=[lensing(catalog, first)],
    )  # fmt: skip
    fit = one.lensing_fits["msz", "lensing"]
    assert fit.n == 12
    assert fit.value == pytest.approx(0.8, abs=0.05)
    assert one.lensing_fits["published", "lensing"].value == pytest.approx(1.0, abs=0.06)
    assert f"| MSZ (1-b) | lensing | 12 | {fit.value:.2f}" in one.summary()
    assert "lensing" in one.figures()


def test_several_lensing_clusters_in_one_source_are_left_out(sky):
    _, catalog = sky
    table = lensing(catalog, [0, 1, 2, 3, 4, 5]).table
    twice = QTable(table["name", "ra", "dec", "redshift", "mass", "mass_errn", "mass_errp"])
    twice["ra"][5] = twice["ra"][4]
    twice["dec"][5] = twice["dec"][4] + 1 * u.arcmin
    twice["redshift"][5] = twice["redshift"][4]
    both = LensingTable(twice, mass_definition="500c", cosmology="PSZ2")
    result = reproduce({"peak": Peak()}, n=0, catalog=catalog, lensing=[both])
    assert sorted(result.lensing["wl_name"]) == [f"WL {i}" for i in range(4)]
    nowhere = QTable(twice[:1])
    nowhere["dec"] = -nowhere["dec"]
    far = LensingTable(nowhere, mass_definition="500c", cosmology="PSZ2")
    result = reproduce({"peak": Peak()}, n=0, catalog=catalog, lensing=[far])
    assert len(result.lensing) == 0
    assert result.lensing_fits == {}
    assert "lensing" not in result.figures()


def test_mocks_that_are_given(tmp_path):
    population = draw_flat(30, mass=(5e14, 1e15) * u.solMass, seed=1)
    make_dataset(tmp_path / "noisy.zarr", population, "planck-like", cosmology="PSZ2", seed=3)
    clean = simulate(population, "clean", cosmology="PSZ2", seed=3)
    options = {"planck_like": tmp_path / "noisy.zarr", "clean": clean}
    result = reproduce({"peak": Peak()}, n=1000, **options)
    assert len(result.table("planck_like")) == len(result.table("clean")) == 30
    np.testing.assert_allclose(
        np.sort(result.table("planck_like")["mass_true"]), np.sort(population.table["mass_true"])
    )
    assert result.about["planck_like"]["peak"].startswith("30 maps of the data set 'noisy.zarr'")
    assert "M_SZ by a matched filter" in result.about["planck_like_sz"]["peak"]
    assert np.isfinite(result.table("planck_like")["mass_sz"]).sum() > 20
    fewer = reproduce({"peak": Peak()}, n=10, **options)
    assert len(fewer.table("clean")) == 10
    assert fewer.about["clean"]["peak"].startswith("10 of 30 clusters of a sample")
    alone = reproduce({"peak": Peak()}, n=10, clean=clean)
    assert alone.table("planck_like") is None
    assert "given for another column" in alone.about["planck_like"]["peak"]


def test_twins_of_a_catalogue(sky):
    _, catalog = sky
    result = reproduce({"peak": Peak()}, n=100, catalog=catalog, population="twin", min_snr=None)
    table = result.table("planck_like")
    assert len(table) == 24
    np.testing.assert_allclose(
        np.sort(table["mass_true"]), np.sort(catalog.quantity("mass_true")), rtol=1e-6
    )
    assert "with redshifts and MSZ / (1-b) of the catalogue" in result.about["clean"]["peak"]


def test_masses_that_are_not_known_are_left_out():
    class Blind(Peak):
        tag = "blind"

        def _weigh(self, sample):
            estimates = super()._weigh(sample)
            estimates.mass[:] = np.nan
            return estimates

    with pytest.warns(UserWarning, match="were not weighed"):
        result = reproduce({"blind": Blind(), "peak": Peak()}, n=15, seed=1)
    assert rows_of(result, "blind", "clean")["n"][-1] == 0
    assert rows_of(result, "peak", "clean")["n"][-1] == 15
    assert all("blind" not in ax.get_title() for ax in result.figures()["sz_masses"].axes)


def test_one_mock_cluster():
    result = reproduce({"peak": Peak()}, n=1)
    assert "(1)" in result.summary()
    # There is nothing to average.
    assert set(result.figures()) == {"residuals", "sz_masses", "error_distributions"}


def test_training_figures():
    models = Table({"redshift_bin": ["(0, 0.1]"] * 3, "model": [0, 1, 2], "bias_max": [1, 2, 3.0]})
    models.meta["threshold"] = 2.5
    history = {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0]}
    result = reproduce({"peak": Peak()}, n=0, models=models, histories={"a": history})
    (figure,) = result.figures().values()
    selection, training = figure.axes
    assert any(line.get_label() == "threshold 2.5" for line in selection.lines)
    assert training.get_xlabel() == "epoch"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": {}}, "'estimators' must hold at least one"),
        ({"estimators": {"sz": Peak()}}, "none may be called .*'sz'"),
        ({"n": -1}, "'n' must be a number of at least 0"),
        ({"n": True}, "'n' must be a number of at least 0"),
        ({"population": "twin"}, "'twin' where a catalogue is given"),
        ({"population": "x"}, "'population' must be 'flat'"),
        ({"observation": "clean"}, "'observation' must have noise"),
        ({"min_snr": 1e6, "n": 1}, "signal-to-noise ratio above 'min_snr' = 1e\\+06: lower it"),
        ({"ymap": "x.fits"}, "'ymap' needs 'catalog'"),
        ({"lensing": ["lc2"]}, "'lensing' needs 'catalog'"),
        ({"published": 3}, "'published' must be a DeAndres2022Catalog"),
        ({"clean": 3}, "'clean' must be a data set, its folder, or a ClusterSample"),
        ({"clean": draw_flat(2, seed=1)}, "'clean' has no cutouts"),
        ({"catalog": draw_flat(2, seed=1)}, "'catalog' has no column 'msz'"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InvalidInputError, match=message):
        reproduce(**{"estimators": {"peak": Peak()}, **options})


def test_catalogues_that_do_not_do(sky):
    _, catalog = sky
    far = catalog[:]
    far.table["redshift"] = far.redshift + 1
    with pytest.raises(InvalidInputError, match="No cluster of 'catalog' has an MSZ"):
        reproduce({"peak": Peak()}, n=0, catalog=far)
    with pytest.raises(InvalidInputError, match="'lensing' must hold lensing tables"):
        reproduce({"peak": Peak()}, n=0, catalog=catalog, lensing=[3])
    sample = simulate(draw_flat(2, seed=1), "clean", cosmology="PSZ2", seed=1)
    sample.table.remove_column("mass_true")
    with pytest.raises(InvalidInputError, match="'clean' has no column 'mass_true'"):
        reproduce({"peak": Peak()}, clean=sample)


def run(*arguments):
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


def test_command(tmp_path, sky):
    _, catalog = sky
    catalog.write(tmp_path / "catalog.ecsv")
    models = Table({"redshift_bin": ["a", "a"], "model": [0, 1], "bias_max": [0.1, 0.2]})
    models.write(tmp_path / "models.csv")
    Table({"loss": [2, 1.0], "val_loss": [2, 1.5]}).write(tmp_path / "log.csv")
    folder = tmp_path / "out"
    done = run(
        "-o", folder, "--estimators", "matched_filter", "-n", 12, "--seed", 2,
        "--set", "matched_filter.one_minus_b=0.8", "--catalog", tmp_path / "catalog.ecsv",
        "--models", tmp_path / "models.csv", "--history", f"a={tmp_path / 'log.csv'}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "### matched_filter" in done.output
    assert "no data: no map was given" in done.output
    assert (folder / "selection.pdf").exists()
    record = json.loads((folder / "provenance.json").read_text())
    assert record["arguments"]["n"] == 12
    again = run("-o", folder)
    assert again.exit_code == 1
    assert "has something in it" in again.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--full", "-n", 3), "give --number or --full, not both"),
        (("--map", "x.fits"), "--map needs --catalog"),
        (("--estimators", "scaling", "--set", "likelihood.noise=1"), "is not in --estimators"),
        (("--estimators", "matched_filter", "--weights", "."), "--weights needs cnn-deandres2022"),
        (("--estimators", "matched_filter", "--history", "a"), "is not of the form NAME=FILE"),
    ],
)
def test_wrong_usage(arguments, message, tmp_path):
    done = run("-o", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "out").exists()
