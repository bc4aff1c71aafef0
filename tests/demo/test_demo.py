"""The demonstration: what it writes, what it finds, and what it leaves behind when it cannot."""

import shlex
import sys

import astropy.units as u
import numpy as np
import pytest
from click.testing import CliRunner

from szmass._tables.files import read_table
from szmass.cli import main
from szmass.clusters import ClusterSample
from szmass.demo import core as module
from szmass.demo import make_demo, run_demo
from szmass.estimators import ScalingRelationMass
from szmass.exceptions import InvalidInputError, MissingDependencyError
from szmass.maps import ComptonMap

pytest.importorskip("matplotlib")

FILES = {
    "catalog.ecsv", "compton_y.fits", "cutouts.png", "masses.ecsv", "masses.png", "residuals.png",
    "sky.png", "summary.txt",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Give the folder of a small demonstration, and what was written there."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        # Heavy clusters are few.
        patch.setattr(module, "_MASS", (6e14, 5e15) * u.solMass)
        return folder, run_demo(folder, nside=512, clusters=120, seed=4)


def test_files_are_what_was_made(written):
    folder, demo = written
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    table = read_table(folder / "masses.ecsv")
    assert len(table) == 120
    assert table.meta["methods"].keys() == demo.table.meta["methods"].keys()
    np.testing.assert_array_equal(table["mass_scaling"], demo.table["mass_scaling"])
    sample = ClusterSample.read(folder / "catalog.ecsv")
    ymap = ComptonMap.read(folder / "compton_y.fits")
    assert (ymap.nside, ymap.frame, ymap.beam) == (512, "galactic", 10 * u.arcmin)
    sample.attach_cutouts(ymap, interpolation="nearest")
    np.testing.assert_array_equal(sample.cutouts.data, demo.sample.cutouts.data)
    assert (folder / "summary.txt").read_text() == demo.summary() + "\n"
    for name in FILES:
        if name.endswith(".png"):
            assert (folder / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_masses_are_near_the_truth(written):
    _, demo = written
    assert {"scaling", "matched_filter"} <= set(demo.methods)
    # What would have to be fetched, or has weights, is not run.
    assert not {"lensing", "cnn-deandres2022"} & set(demo.methods)
    for method in ("scaling", "matched_filter"):
        everything = demo.differences(method)[-1]
        assert everything["n"] == 120
        assert abs(everything["median"]) < 0.12
        assert everything["std"] < 0.3
        assert demo.table.meta["methods"][method]["one_minus_b"] == 0.8


def test_catalogue_is_what_a_survey_has(written):
    _, demo = written
    sample = demo.sample
    assert sample.quantity("snr").min() > 4.5
    assert sample.meta["detected"] >= 120
    pull = (sample.quantity("y500") - sample.quantity("y500_true")) / sample.quantity("y500_err")
    # Clusters are not round and have neighbours; selection lifts the mean a little.
    assert -0.3 < np.median(pull) < 0.8
    assert 0.7 < np.percentile(pull, 84) - np.median(pull) < 2.0
    assert np.std(np.log(sample.quantity("depth").value)) == pytest.approx(0.18, rel=0.4)


def test_summary_has_a_row_per_bin_and_method(written):
    _, demo = written
    text = demo.summary()
    assert text.startswith("(M - M_true) / M of 120 clusters")
    for method in demo.methods:
        assert f"{method}: 120 weighed" in text
    assert text.count("0.2-0.4") == len(demo.methods)


def test_same_seed_same_masses_and_other_files_stay(written, tmp_path, monkeypatch):
    _, demo = written
    monkeypatch.setattr(module, "_MASS", (6e14, 5e15) * u.solMass)
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "summary.txt").write_text("old")
    with pytest.raises(InvalidInputError, match="has something in it"):
        run_demo(tmp_path, nside=512)
    # One estimator is enough here; filters take their time.
    monkeypatch.setattr(
        module, "_estimators", lambda sample, known: {"scaling": ScalingRelationMass(y="y500")}
    )
    again = run_demo(tmp_path, nside=512, clusters=120, seed=4, overwrite=True)
    for name in ("name", "mass_true", "y500", "snr"):
        np.testing.assert_array_equal(again.sample.table[name], demo.sample.table[name])
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"mine.txt"}
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "summary.txt").read_text() == again.summary() + "\n"


def test_command(written, tmp_path, monkeypatch):
    _, demo = written

    def write(folder, **options):
        asked.update(options, folder=folder)
        return demo

    asked = {}
    with monkeypatch.context() as patch:
        patch.setattr("szmass.demo.run_demo", write)
        args = ["demo", "--folder", "here", "--nside", "512", "--clusters", "9", "--seed", "3"]
        result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    assert demo.summary() in result.output
    assert asked == {
        "folder": "here", "nside": 512, "clusters": 9, "seed": 3, "overwrite": False
    }  # fmt: skip
    (tmp_path / "mine.txt").write_text("mine")
    result = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "(--overwrite)" in result.output
    assert "Traceback" not in result.output
    assert CliRunner().invoke(main, ["demo", "--nside", "fine"]).exit_code == 2


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "make_demo", fail)
    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="is a file"):
        run_demo(tmp_path / "file")
    with pytest.raises(InvalidInputError, match="does not exist"):
        run_demo(tmp_path / "none" / "demo")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nside": 256}, "do not resolve the beam"),
        ({"nside": 1000}, "power of two"),
        ({"clusters": 0}, "'clusters'"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_bad_arguments(changed, message, monkeypatch):
    monkeypatch.setattr(module, "_MASS", (2e15, 5e15) * u.solMass)
    with pytest.raises(InvalidInputError, match=message):
        make_demo(**changed)


def test_without_matplotlib_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[plot\]"):
        run_demo(tmp_path / "demo")
    assert not list(tmp_path.iterdir())


def test_the_shell_names_the_next_command(written, monkeypatch):
    folder, demo = written
    monkeypatch.setattr("szmass.demo.run_demo", lambda *args, **options: demo)
    output = CliRunner().invoke(main, ["demo", "--folder", str(folder)]).output
    (line,) = (line for line in output.splitlines() if line.startswith("  szmass "))
    words = shlex.split(line)[1:]
    result = CliRunner().invoke(main, [*words, "--no-figures", "--max-pages", "0"])
    assert result.exit_code == 0, result.output
    assert (folder / "report" / "index.html").exists()
