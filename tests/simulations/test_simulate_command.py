"""Data sets from the shell."""

import pytest
from click.testing import CliRunner

from szmass.cli import main
from szmass.estimators.checks import make_check_sample
from szmass.simulations import SimulationDataset

pytest.importorskip("zarr")


def run(path, *args):
    arguments = ["simulate", "--seed", 1, "--shard-size", 16, "--output", path, *args]
    return CliRunner().invoke(main, [str(arg) for arg in arguments])


def test_flat(tmp_path):
    path = tmp_path / "data.zarr"
    args = ("--population", "flat", "--number", 5, "--projections", 3, "--mass", 2e14, 1e15)
    result = run(path, *args, "--redshift", 0.1, 0.2)
    assert result.exit_code == 0, result.output
    assert "15 maps of 5 clusters in" in result.output
    dataset = SimulationDataset.open(path)
    assert dataset.origin["model"]["name"] == "a10"
    assert dataset.origin["observation"]["name"] == "clean"
    masses = dataset.table()["mass_true"].to_value("solMass")
    assert 2e14 <= masses.min() < masses.max() <= 1e15
    assert 0.1 <= dataset.redshift.min() < dataset.redshift.max() <= 0.2
    assert run(path, *args, "--redshift", 0.1, 0.2).exit_code == 0
    result = run(path, *args, "--redshift", 0.1, 0.3)
    assert result.exit_code == 1
    assert "is another data set" in result.stderr
    assert run(path, *args, "--redshift", 0.1, 0.3, "--overwrite").exit_code == 0


def test_fields(tmp_path):
    path = tmp_path / "data.zarr"
    args = ("--population", "flat", "--number", 3, "--field", "mass", "--field", "galaxies")
    assert run(path, *args).exit_code == 0
    dataset = SimulationDataset.open(path)
    assert list(dataset.fields) == ["mass", "galaxies"]
    assert dataset.maps([2], field="mass").shape == (1, 96, 96)
    result = run(path, *args, "--field", "light")
    assert result.exit_code != 0
    assert "mass, xray" in result.stderr


def test_other_populations(tmp_path):
    args = ("--population", "mass-function", "--number", 4, "--observation", "planck-like")
    assert run(tmp_path / "a.zarr", *args, "--model", "he2021").exit_code == 0
    assert len(SimulationDataset.open(tmp_path / "a.zarr")) == 4
    make_check_sample(6).write(tmp_path / "mine.ecsv")
    result = run(tmp_path / "b.zarr", "--population", tmp_path / "mine.ecsv")
    assert result.exit_code == 0, result.output
    assert "msz" in SimulationDataset.open(tmp_path / "b.zarr").columns


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--population", "flat"], 2, "needs --number"),
        (
            ["--population", "flat", "--number", "0"],
            1,
            "'--number' must be an integer of at least 1",
        ),
        (["--population", "psz3"], 1, "neither a file nor a known catalogue"),
        (["--population", "psz2", "--number", "3"], 2, "for populations that are drawn"),
        (["--population", "flat", "--number", "3", "--model", "a11"], 1, "'a10'"),
        (["--population", "flat", "--number", "3", "--observation", "x"], 1, "planck-like"),
        (["--population", "flat", "--number", "3", "--workers", "0"], 2, "'--workers'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, args, code, message):
    result = run(tmp_path / "data.zarr", *args)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert not (tmp_path / "data.zarr").exists()
