"""The command 'lightcone'."""

import json
from importlib.util import find_spec

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from click.testing import CliRunner

from szmass.baryons import draw_halos
from szmass.citations import cite
from szmass.cli import main
from szmass.maps import ComptonMap


def run(*args):
    return CliRunner().invoke(main, ["lightcone", *map(str, args)])


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    theta = np.geomspace(0.9, 100, 12)
    sigma = 0.5e-4 * theta[:, np.newaxis] ** 0.7 * np.array([0.8, 1.3])
    np.savetxt(folder / "SZ_thetas.txt", theta)
    np.savetxt(folder / "SZ_skyfracs.txt", [0.2, 0.4])
    np.savetxt(folder / "SZ_ylims.txt", sigma.ravel())
    return folder


OPTIONS = ("--area", 600, "--nside", 32, "--mass", 2e14, 5e15, "--flux-limit", 1e-12, "--seed", 3)


def test_several_physics_side_by_side(tmp_path, noise):
    models = ("--model", "flamingo", "--model", "the300-gadgetx")
    models = (*models, "--mmf-noise", noise, "--q-cut", 5)
    first = run(*models, *OPTIONS, "-o", tmp_path / "one")
    assert first.exit_code == 0, first.output
    assert "No X-ray flux: the physics of the300-gadgetx has no luminosity" in first.output
    assert "without correlation: the300-gadgetx has none" in first.output
    folder = tmp_path / "one"
    record = json.loads((folder / "lightcone.json").read_text())
    assert record["models"] == ["flamingo", "the300-gadgetx"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(record["files"])
    assert "xray_the300-gadgetx.fits" not in record["files"]

    ymap = ComptonMap.read(folder / "ymap_flamingo.fits")
    assert (ymap.nside, ymap.beam) == (32, 10 * u.arcmin)
    seen = np.isfinite(ymap.values(np.arange(12 * 32**2)))
    assert seen.mean() == pytest.approx(600 / 41253, rel=0.05)
    bright = QTable.read(folder / "xray_flamingo.fits")
    assert bright["flux"].min() > 1e-12 * u.erg / u.s / u.cm**2
    counts = QTable.read(folder / "counts_flux.ecsv")
    assert counts["n"][0] == len(bright) > 3
    assert counts.meta["physics"] == ["flamingo"]
    found = QTable.read(folder / "sz_flamingo.fits")
    assert found["snr"].min() > 5
    by_redshift = QTable.read(folder / "counts_redshift_snr.ecsv")
    assert set(by_redshift["physics"]) == {"flamingo", "the300-gadgetx"}
    assert by_redshift["n"][by_redshift["physics"] == "flamingo"].sum() == len(found)
    if find_spec("matplotlib"):
        assert (folder / "counts_snr.png").stat().st_size > 10_000
    else:
        assert "No counts_snr.png: " in first.output

    # A folder is replaced only if asked for, and what the new one lacks goes.
    refused = run("--model", "tng", *OPTIONS, "-o", folder)
    assert refused.exit_code == 1
    assert "--overwrite" in refused.output
    done = run("--model", "tng", *OPTIONS, "--nside", 0, "--overwrite", "-o", folder)
    assert done.exit_code == 0, done.output
    assert not list(folder.glob("ymap*"))


def test_files_are_the_same_whoever_works(tmp_path):
    options = ("--model", "tng", *OPTIONS, "--mass", 3e14, 5e15)
    for n in (1, 2):
        assert run(*options, "--workers", n, "-o", tmp_path / str(n)).exit_code == 0
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        address = client.scheduler.address
        assert run(*options, "--scheduler", address, "-o", tmp_path / "3").exit_code == 0
    names = {path.name for path in (tmp_path / "1").iterdir()}
    for name in names - {"lightcone.json"}:
        first, *others = ((tmp_path / n / name).read_bytes() for n in "123")
        assert all(other == first for other in others), name


def test_haloes_of_ones_own(tmp_path):
    halos = draw_halos(area=4000 * u.deg**2, cosmology="Planck18", seed=2)
    table = QTable({name: halos[name] for name in ("id", "redshift", "m500c")})
    table["ra"], table["dec"] = halos["coord"].icrs.ra, halos["coord"].icrs.dec
    table.write(tmp_path / "halos.fits")
    options = ("--model", "tng", "--halos", tmp_path / "halos.fits", "--nside", 0)
    done = run(*options, "--area", 4000, "-o", tmp_path / "sky")
    assert done.exit_code == 0, done.output
    counts = QTable.read(tmp_path / "sky" / "counts_flux.ecsv")
    assert "jackknife" in counts.meta["sample_variance"]
    lacking = run(*options, "-o", tmp_path / "none")
    assert lacking.exit_code == 2
    assert "--halos needs --area" in lacking.output


def test_no_cluster_above_the_limit_is_a_count(tmp_path):
    found = run(
        "--model", "tng", "--area", 20, "--nside", 0, "--flux-limit", 1, "-o", tmp_path / "s"
    )
    assert found.exit_code == 0, found.output
    assert "0 above 1 erg" in found.output
    assert not np.any(QTable.read(tmp_path / "s" / "counts_flux.ecsv")["n"])


def test_papers_of_physics_haloes_and_emission_are_cited(tmp_path):
    models = ("--model", "tng", "--model", "bulbul2019")
    found = run(*models, "--area", 20, "--nside", 0, "-o", tmp_path / "s")
    assert found.exit_code == 0, found.output
    papers = ["2025MNRAS.544...67A", "2008ApJ...688..709T", "2001ApJ...546...63T"]
    text = CliRunner().invoke(main, ["cite", str(tmp_path / "s" / "xray_tng.fits")]).output
    assert [paper for paper in papers if paper not in text] == []
    text = cite(QTable.read(tmp_path / "s" / "counts_flux.ecsv"))
    assert [paper for paper in [*papers, "2019ApJ...871...50B"] if paper not in text] == []


def test_haloes_without_a_place_stop_no_other(tmp_path):
    halos = QTable(
        {
            "m500c": [3e14, 5e14, 4e14] * u.solMass,
            "redshift": [0.1, 0.2, 0.3],
            "ra": [10.0, np.nan, 30.0] * u.deg,
            "dec": [0.0, 5.0, 10.0] * u.deg,
        }
    )
    halos.write(tmp_path / "cone.fits")
    options = ("--model", "tng", "--area", 30, "--nside", 0, "--variance", "linear", "--halos")
    found = run(*options, tmp_path / "cone.fits", "-o", tmp_path / "s")
    assert found.exit_code == 0, found.output
    assert "1 of 3 haloes have no position on the sky" in found.output
    assert "tng: 2 haloes in 30 deg2" in found.output
    halos["dec"][2] = 95 * u.deg
    halos.write(tmp_path / "cone.fits", overwrite=True)
    found = run(*options, tmp_path / "cone.fits", "-o", tmp_path / "other")
    assert found.exit_code == 1
    assert "'dec' must be between -90 and 90 deg. Received: 95 deg (1 such values)" in found.output
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--model", "tgn"), 1, "No baryon model is named 'tgn'. Did you mean 'tng'"),
        (("--model", "tng", "--area", "5e4"), 1, "'--area' must be at most that of the sky"),
        (("--model", "tng", "--mass", 2e15, 1e14), 1, "'--mass' must be a lower and a higher"),
        (("--model", "tng", "--band", 2, 1), 1, "must be the lower and the higher energy"),
        (("--model", "tng", "--nside", 3), 2, "--nside must be a power of two"),
        (("--model", "tng", "--flux-limit", "nan"), 2, "--flux-limit must be positive"),
        (("--model", "tng", "--workers", 2, "--scheduler", "tcp://x:1"), 1, "not both"),
    ],
)
def test_mistakes_leave_nothing(tmp_path, options, code, message):
    found = run("--area", 5, "--nside", 0, *options, "-o", tmp_path / "sky")
    assert found.exit_code == code
    assert message in found.output
    assert not list(tmp_path.iterdir())
