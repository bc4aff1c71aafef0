"""Masses in pieces: what is the same as at once, and what a run that was ended leaves."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.wcs import WCS
from click.testing import CliRunner

from szmass import ClusterSample, ComptonMap
from szmass.cli import main
from szmass.estimators import (
    LikelihoodMass,
    MatchedFilterMass,
    estimate_in_pieces,
    estimate_masses,
    pieces,
)
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError, MixedScalesWarning, UnweighedClustersWarning
from szmass.maps import CutoutGeometry
from szmass.results import masses_of, read_masses

pytestmark = pytest.mark.filterwarnings("ignore::szmass.exceptions.UnweighedClustersWarning")

FAST = {
    "scaling": "scaling",
    "filter": MatchedFilterMass(noise="planck"),
    "likelihood": LikelihoodMass(noise="planck", diversity=None, centring=0 * u.arcmin),
}


def equal(a, b):
    """Whether two mass tables are the same to the bit, but for their date."""
    assert a.colnames == b.colnames
    for name in a.colnames:
        x, y = (np.ma.getdata(np.asarray(t[name])) for t in (a, b))
        np.testing.assert_array_equal(x, y)
    without = [json.loads(json.dumps(t.meta)) for t in (a, b)]
    for meta in without:
        for about in meta["methods"].values():
            about.pop("date")
    assert without[0] == without[1]


@pytest.fixture(scope="module")
def whole():
    sample = make_check_sample(7)
    sample.table["redshift"][3] = np.nan
    return sample


@pytest.fixture(scope="module")
def patch():
    """Give a map of noise and a sample in it, some of it beyond the edge."""
    rng = np.random.default_rng(3)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---CAR", "DEC--CAR"], [30, 0], [150, 150]
    wcs.wcs.cdelt = [-2 / 60, 2 / 60]
    ymap = ComptonMap.from_image(
        rng.normal(0, 1e-6, (300, 300)), wcs, beam=10 * u.arcmin, noise="planck"
    )
    coord = SkyCoord(30 + rng.uniform(-5.5, 5.5, 11), rng.uniform(-3, 3, 11), unit="deg")
    columns = [f"c{i}" for i in range(11)], coord, rng.uniform(0.1, 0.9, 11)
    sample = ClusterSample(QTable(columns, names=["name", "coord", "redshift"]))
    return ymap, sample


@pytest.mark.parametrize(
    "options", [{}, {"one_minus_b": 0.8, "mean": True, "posterior_samples": 4}]
)
def test_pieces_give_what_all_at_once_gives(whole, options):
    expected = estimate_masses(whole, FAST, **options)
    with pytest.warns(UnweighedClustersWarning) as caught:
        table = estimate_in_pieces(whole, FAST, at_a_time=3, **options)
    told = [str(w.message) for w in caught if w.category is UnweighedClustersWarning]
    assert len(told) == 3
    assert all("1 of 7 clusters" in message for message in told)
    equal(table, expected)


def test_posteriors_are_those_of_all(whole):
    expected, found = {}, {}
    estimate_masses(whole, FAST, posteriors=expected, one_minus_b=0.9)
    estimate_in_pieces(whole, FAST, at_a_time=2, posteriors=found, one_minus_b=0.9)
    assert list(found) == ["likelihood"]
    ours, theirs = found["likelihood"], expected["likelihood"]
    assert list(ours.names) == list(theirs.names)
    for name in ("log10_mass", "density", "prior", "flag", "redshift"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.meta["mass_scale"] == theirs.meta["mass_scale"] == 0.9


def test_number_of_processes_changes_nothing(patch):
    ymap, sample = patch
    # Coarse pixels: each process makes filters of its own, in a time that goes with their cube.
    kwargs = {"cutouts": {"geometry": CutoutGeometry((32, 32), 4 * u.arcmin)}, "at_a_time": 4}
    chosen = {"filter": FAST["filter"]}
    one = estimate_in_pieces(sample, chosen, ymap, workers=1, **kwargs)
    two = estimate_in_pieces(sample, chosen, ymap, workers=2, **kwargs)
    here = estimate_in_pieces(sample, chosen, ymap, **kwargs)
    equal(one, two)
    assert sample.cutouts is None
    assert 0 < np.isfinite(masses_of(one, "filter").mass).sum() < 11
    for name in ("mass", "errn", "flag"):
        ours, theirs = (getattr(masses_of(t, "filter"), name) for t in (here, one))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_run_that_was_ended_goes_on(whole, tmp_path, monkeypatch):
    folder, done = tmp_path / "kept", []
    weigh = pieces._weigh_piece

    def until_killed(job, start, *rest):
        if len(done) == 3:  # that on no clusters is one
            raise KeyboardInterrupt
        done.append(start)
        return weigh(job, start, *rest)

    monkeypatch.setattr(pieces, "_weigh_piece", until_killed)
    with pytest.raises(KeyboardInterrupt):
        estimate_in_pieces(whole, "scaling", at_a_time=2, folder=folder)
    assert len(list(folder.glob("masses-*.fits"))) == 2
    done.clear()
    monkeypatch.setattr(pieces, "_weigh_piece", lambda *args: done.append(args[1]) or weigh(*args))
    table = estimate_in_pieces(whole, "scaling", at_a_time=2, folder=folder)
    expected = estimate_masses(whole, "scaling")
    assert done == [0, 4, 6]
    equal(table, expected)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"at_a_time": 3}, "at_a_time"),
        ({"one_minus_b": 0.7}, "options"),
        ({}, "estimators"),
        ({"rows": slice(1, None)}, "clusters"),
        ({"rows": [1, 0, 2, 3, 4, 5, 6]}, "sample"),
        ({"dimmed": True}, "map"),
    ],
)
def test_pieces_of_another_job_are_refused(whole, tmp_path, changes, word):
    options = {"at_a_time": 4, "estimators": {"scaling": FAST["filter"]}, "folder": tmp_path / "f"}
    before = options | {"estimators": "scaling"} if word == "estimators" else options
    estimate_in_pieces(whole, **before)
    changes = dict(changes)
    other = whole[changes.pop("rows", slice(None))]
    if changes.pop("dimmed", False):
        other.cutouts = other.cutouts[np.arange(7)]
        other.cutouts.data[:] *= 0.5
    with pytest.raises(InvalidInputError, match=f"another job, which differs in .*{word}"):
        estimate_in_pieces(other, **(options | changes))


def test_what_is_wrong_comes_up_before_anything_is_weighed(whole, tmp_path, monkeypatch):
    bare = ClusterSample(whole.table["name", "coord", "redshift"])
    for sample, args, kwargs in (
        (bare, ("matched_filter",), {}),
        (bare, ("scaling",), {}),
        (whole, ("scaling",), {"mean": True}),
        (whole, ("scaling",), {"one_minus_b": -1}),
        (whole, ("scaling", "map.fits"), {}),
        (whole, ("scaling",), {"at_a_time": 0}),
        (whole, ("scaling",), {"workers": 0}),
        (whole, ("scaling",), {"folder": tmp_path / "no" / "folder"}),
    ):
        with pytest.raises(InvalidInputError):
            estimate_in_pieces(sample, *args, **kwargs)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused(whole, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("mine")
    for folder in (file, file / "below"):
        with pytest.raises(InvalidInputError, match="is a file|does not exist"):
            estimate_in_pieces(whole, "scaling", folder=folder)
    assert file.read_text() == "mine"


def test_mixed_scales_are_told_once(whole):
    mixed = {"a": "scaling", "b": MatchedFilterMass(noise="planck", one_minus_b=0.8)}
    with pytest.warns(MixedScalesWarning) as caught:
        estimate_in_pieces(whole, mixed, at_a_time=2)
    assert [w.category for w in caught].count(MixedScalesWarning) == 1


def test_no_clusters(whole):
    table = estimate_in_pieces(whole[:0], "scaling")
    assert len(table) == 0
    assert table.colnames == estimate_masses(whole[:0], "scaling").colnames


def test_shell_weighs_in_pieces_and_goes_on(whole, tmp_path, monkeypatch):
    from szmass.cli import estimate

    monkeypatch.setattr(estimate, "_AT_A_TIME", 3)
    catalog, output = tmp_path / "c.fits", tmp_path / "m.fits"
    whole.write(catalog)
    options = ["--catalog", str(catalog), "--estimators", "scaling", "-o", str(output)]
    weigh, done = pieces._weigh_piece, []

    def until_killed(job, start, *rest):
        if start == 6:
            raise MemoryError
        done.append(start)
        return weigh(job, start, *rest)

    monkeypatch.setattr(pieces, "_weigh_piece", until_killed)
    assert CliRunner().invoke(main, ["estimate", *options]).exit_code != 0
    kept = tmp_path / "m.fits.pieces"
    assert len(list(kept.glob("masses-*.fits"))) == 2
    assert not output.exists()
    monkeypatch.setattr(pieces, "_weigh_piece", weigh)
    changed = CliRunner().invoke(main, ["estimate", *options, "--one-minus-b", "0.7"])
    assert changed.exit_code == 1
    assert "pieces of another job" in changed.output
    done.clear()
    result = CliRunner().invoke(main, ["estimate", *options])
    assert result.exit_code == 0, result.output
    assert not kept.exists()
    equal(read_masses(output), estimate_masses(whole, "scaling"))
