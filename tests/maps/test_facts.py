"""Noise and sampling of maps: known or said, handed on to cutouts, kept in files."""

import dataclasses
import pickle

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable

from szmass import ClusterSample
from szmass.estimators import MatchedFilterMass
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning
from szmass.maps import (
    MAP_PRODUCTS,
    ComptonMap,
    Cutout,
    CutoutGeometry,
    CutoutStack,
    DepthMap,
    MapProduct,
    NoiseModel,
)
from szmass.maps.sampling import Sampling, Windows, get_sampling, healpix_pixel

COORD = SkyCoord([10, 200], [5, -60], unit="deg", frame="galactic")
NOISE = NoiseModel(
    [10, 5000], [2e-17, 1e-17] * u.sr, beam=10 * u.arcmin, depth=DepthMap(np.arange(1.0, 13))
)


def make_map(**options):
    facts = {"beam": 10 * u.arcmin, "noise": NOISE, "sampling": "window"} | options
    return ComptonMap.from_healpix(np.zeros(12 * 64**2), ordering="ring", frame="galactic", **facts)


def make_stack(**options):
    return make_map(**options).cutouts(COORD, geometry=CutoutGeometry((12, 12)))


def test_facts_flow_from_the_map_to_what_is_made_of_it():
    ymap = make_map()
    stack = ymap.cutouts(COORD, interpolation="nearest")
    assert stack.noise is NOISE
    assert stack.sampling == Sampling("nearest", healpix_pixel(64), "window")
    assert stack.interpolation == "nearest"
    for part in (stack[1:], stack[0], CutoutStack.from_cutouts(stack), stack.with_data(stack.data)):
        assert part.facts == stack.facts
    assert pickle.loads(pickle.dumps(stack)).facts["sampling"] == stack.sampling  # noqa: S301
    with pytest.raises(InvalidInputError, match="one noise"):
        CutoutStack.from_cutouts([stack[0], make_map(noise="planck").cutouts(COORD)[0]])


def test_what_is_not_said_is_unknown():
    ymap = make_map(noise=None, sampling=None)
    assert (ymap.noise, ymap.sampling) == (None, Sampling("unknown"))
    assert CutoutStack(np.zeros((2, 3, 3)), None, COORD).sampling.kind == "unknown"
    assert CutoutStack(np.zeros((2, 3, 3)), None, COORD, sampling="point").interpolation is None
    ymap.noise = "planck"
    assert ymap.cutouts(COORD).noise.meta["source"] == "planck total"


@pytest.mark.parametrize("noise", [None, "planck", NOISE])
@pytest.mark.parametrize("sampling", ["point", "window", "unknown"])
def test_facts_survive_files(tmp_path, noise, sampling):
    stack = make_stack(noise=noise, sampling=sampling)
    stack.write(tmp_path / "stack.fits")
    stack[0].write(tmp_path / "cutout.fits")
    found = CutoutStack.read(tmp_path / "stack.fits"), Cutout.read(tmp_path / "cutout.fits")
    for one in found:
        assert one.sampling == stack.sampling
        assert (one.noise is None) == (noise is None)
        if noise is not None:
            np.testing.assert_array_equal(one.noise.ell, stack.noise.ell)
            assert one.noise.beam == 10 * u.arcmin
            assert repr(one.noise.depth) == repr(stack.noise.depth)


def test_files_from_before_say_what_they_said(tmp_path):
    stack = make_stack(noise=None)
    stack.write(tmp_path / "stack.fits")
    with fits.open(tmp_path / "stack.fits", mode="update") as hdus:
        for key in ("SAMPLING", "MAPSAMP", "MAPPIX", "NOISE"):
            del hdus[0].header[key]
        hdus[0].header["INTERPOL"] = "nearest"
    found = CutoutStack.read(tmp_path / "stack.fits")
    assert (found.noise, found.sampling) == (None, Sampling("nearest"))


def test_a_file_that_lost_its_noise_is_refused(tmp_path):
    make_stack(noise="planck").write(tmp_path / "stack.fits")
    with fits.open(tmp_path / "stack.fits") as hdus:
        hdus[:-1].writeto(tmp_path / "cut.fits")
    with pytest.raises(FileFormatError, match="lacks NOISE"):
        CutoutStack.read(tmp_path / "cut.fits")


def test_windows_of_samplings():
    box = 2.0**2 / 12
    assert Sampling("point").windows() == Sampling().windows() == Windows(0, 0, 0)
    assert Sampling("window").windows("2 arcmin") == Windows(box, 0, 0)
    for kind, map_kind, expected in (
        ("bilinear", "window", (3, 2, 0)),
        ("bilinear", "point", (2, 2, 0)),
        ("nearest", "unknown", (2, 1, 1)),
        ("nearest", "point", (1, 1, 1)),
    ):
        windows = Sampling(kind, 2 * u.arcmin, map_kind).windows()
        np.testing.assert_allclose(windows, np.array(expected) * box)
    with pytest.raises(InvalidInputError, match="'pixel' is needed"):
        Sampling("bilinear").windows()
    for bad, match in (
        (lambda: Sampling("cubic"), "'kind' of a sampling must be one of 'point'"),
        (lambda: Sampling("nearest", -1 * u.arcmin), "'pixel' must be positive"),
        (lambda: get_sampling(3), "must be a Sampling or one of"),
        (lambda: make_map(sampling="bilinear"), "of a map must be 'point', 'window' or 'unknown'"),
        (lambda: make_map(noise=1e-6), "'noise' must be a NoiseModel of the map"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            bad()


@pytest.mark.parametrize(
    ("name", "options", "known"),
    [
        ("milca_ymaps.fits", {}, True),
        ("COM_CompMap_Compton-SZMap-nilc-ymaps_2048_R2.00.fits", {}, True),
        ("milca_ymaps.fits", {"column": "FIRST"}, False),
        ("milca_ymaps.fits", {"beam": "7 arcmin"}, False),
        ("my_ymap.fits", {}, False),
        ("my_ymap.fits", {"noise": "planck"}, True),
    ],
)
def test_releases_of_planck_have_their_noise(tmp_path, name, options, known):
    columns = {"column_names": ["FULL", "FIRST"], "coord": "G", "dtype": np.float32}
    healpy.write_map(tmp_path / name, [np.zeros(12 * 8**2)] * 2, **columns)
    ymap = ComptonMap.read(tmp_path / name, **{"beam": "10 arcmin"} | options)
    assert (ymap.noise is not None) == known
    assert (pickle.loads(pickle.dumps(ymap)).noise is not None) == known  # noqa: S301


def test_products_may_have_noise():
    assert MAP_PRODUCTS["milca"].read_options["noise"] == "planck"
    assert "noise" not in MAP_PRODUCTS["act-dr6"].read_options
    ours = MapProduct(tag="o", title="", filename="o.fits", homepage="", noise=NOISE)
    assert ours.read_options["noise"] is NOISE
    assert ours.has_file("o.fits")


def test_equal_models_are_equal():
    assert NoiseModel.planck() == NoiseModel.planck("total")
    assert hash(NoiseModel.planck()) == hash(NoiseModel.planck())
    assert NoiseModel.planck() != NoiseModel.planck(depth=None)
    assert NoiseModel.planck() != "planck"


def test_estimators_say_what_they_did_not_know():
    geometry = CutoutGeometry((24, 24), 4 * u.arcmin)
    stack = make_map(noise="planck").cutouts(COORD, geometry=geometry)
    sample = ClusterSample(QTable({"name": ["a", "b"], "coord": COORD, "redshift": [0.1, 0.2]}))
    sample.cutouts = stack.with_data(stack.data, sampling="unknown")
    with pytest.warns(SzmassWarning, match="not known, and they are taken as points"):
        MatchedFilterMass().scan(sample)
    sample.cutouts = stack.with_data(stack.data, sampling=dataclasses.replace(stack.sampling))
    assert MatchedFilterMass().scan(sample).snr.shape[0] == 2


def test_narrow_beams_get_pixels_that_resolve_them():
    assert CutoutGeometry.for_beam(None) == CutoutGeometry.for_beam("10 arcmin") == CutoutGeometry()
    narrow = CutoutGeometry.for_beam("1.6 arcmin")
    assert (narrow.shape, narrow.pixel_scale) == ((100, 100), 0.32 * u.arcmin)
    assert make_map(beam="1.6 arcmin", noise=None).cutouts(COORD).geometry == narrow
