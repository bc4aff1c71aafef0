"""The U-Net of mass maps: the contract, its two forms, and what it must find on mocks."""

import json

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators.checks import make_check_sample
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.massmaps import MAP_NETWORKS, MassMapFlag, NFWMaps, UNetMaps
from szmass.massmaps.checks import MAP_ESTIMATOR_CHECKS
from szmass.massmaps.unet import _DATA
from szmass.networks import MassUNet, build_mass_unet
from szmass.results import LogMassPosterior
from szmass.simulations import FieldStack, Observation, from_masses, simulate

GRID = CutoutGeometry((80, 80), 0.3 * u.arcmin)


@pytest.fixture(scope="module")
def check_sample():
    return make_check_sample(3)


@pytest.fixture(scope="module")
def mocks():
    sample = from_masses(np.full(16, 7e14) * u.solMass, np.full(16, 0.2), seed=1)
    sharp = Observation(name="sharp", beam=0.4 * u.arcmin, geometry=GRID)
    fields = ["mass", "xray", "galaxies"]
    return simulate(sample, sharp, model="a10-the300", cosmology="PSZ2", seed=77, fields=fields)


def posterior_of(sample, mass=7e14, error=0.02):
    grid = np.linspace(13.5, 15.9, 481)
    density = np.exp(-0.5 * ((grid - np.log10(mass)) / error) ** 2)
    density = np.tile(density, (len(sample), 1))
    meta = {"mass_scale": 0.8}
    return LogMassPosterior(grid, density, np.ones(481), names=sample.names, meta=meta)


@pytest.mark.parametrize("check", MAP_ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_contract(check, check_sample):
    check(UNetMaps(mass="scaling", one_minus_b=0.8, noise="planck"), check_sample)


def test_keras_and_numpy_agree(tmp_path):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    model = build_mass_unet((16, 16, 3), 5, filters=(4, 6, 8))
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((5, 16, 16, 3)).astype(np.float32)
    numbers = rng.standard_normal((5, 5)).astype(np.float32)
    MassUNet.write(model, tmp_path / "w.npz")
    network = MassUNet(MassUNet.read_arrays(tmp_path / "w.npz"), filters=(4, 6, 8))
    for mine, theirs in zip(
        network(maps, numbers), model.predict([maps, numbers], verbose=0), strict=True
    ):
        # Weights are kept in half precision.
        np.testing.assert_allclose(mine, theirs, atol=5e-3 * np.abs(theirs).max())
    alone = network(maps[2:3], numbers[2:3])
    np.testing.assert_array_equal(alone[0][0], network(maps, numbers)[0][2])


def rms(maps, sample):
    place = (np.arange(80) - 39.5) * 0.3
    far = np.hypot(place[:, np.newaxis], place)
    found = []
    for i, size in enumerate(maps.r500):
        inside = (far > 0.1 * size) & (far < 1.3 * size)
        away = np.log(maps.data[i][inside] / sample.fields["mass"].data[i][inside])
        found.append(np.sqrt(np.mean(away**2)))
    return np.array(found)


def test_bands_tell_more_than_the_halo(mocks):
    options = {"mass": posterior_of(mocks), "geometry": GRID}
    halo = rms(NFWMaps(**options).predict(mocks), mocks)
    seen = UNetMaps(noise="none", **options).predict(mocks)
    found = rms(seen, mocks)
    # The mean of 16 ratios scatters by 0.03.
    assert np.mean(found / halo) < 0.9
    assert not np.any(seen.flag)
    assert seen.meta["bands"] == ["y", "xray", "galaxies"]
    # Bands are told from the outside too: fewer of them know less.
    blind = UNetMaps(noise="none", bands=["y"], **options).predict(mocks)
    assert np.mean(blind.std / blind.data) > np.mean(seen.std / seen.data)


def test_mass_is_that_of_the_posterior_or_of_the_network(mocks):
    wrong = posterior_of(mocks, 5e14, 0.1)
    options = {"mass": wrong, "geometry": GRID, "noise": "none"}
    given = UNetMaps(**options).predict(mocks)
    own = UNetMaps(normalisation="network", **options).predict(mocks)
    mass, error = (v.value for v in given.mass_within(given.r500 * u.arcmin))
    found, less = (v.value for v in own.mass_within(given.r500 * u.arcmin))
    halo, _ = NFWMaps(mass=wrong, geometry=GRID).predict(mocks).mass_within(given.r500 * u.arcmin)
    assert np.mean(mass / halo.value) == pytest.approx(1, abs=0.1)
    # The clusters are heavier than the posterior says, as bands show.
    assert np.mean(found / mass) > 1.1
    assert np.mean(less / found) < np.mean(error / mass)


def test_what_is_missing_is_flagged_and_what_is_wrong_is_named(mocks):
    part = mocks[[0, 1, 2]]
    options = {"mass": posterior_of(part), "noise": "none"}
    holes = part[:]
    holes.cutouts.data[0], holes.cutouts.footprint[0] = np.nan, False
    holes.cutouts.footprint[1, :20] = False
    maps = UNetMaps(bands=["y"], **options).predict(holes)
    assert maps.flag[0] & MassMapFlag.NO_CUTOUT
    assert maps.flag[1] & MassMapFlag.INCOMPLETE
    assert np.isfinite(maps.data).all()
    heavy = UNetMaps(mass=posterior_of(part, 7e15), noise="none").predict(part)
    assert np.all(heavy.flag & MassMapFlag.BEYOND_MOCKS)
    for changed, word in (
        ({"noise": None}, "noise"),
        ({"noise": 3}, "noise"),
        ({"bands": ["radio"]}, "bands"),
        ({"bands": []}, "bands"),
        ({"normalisation": "mine"}, "normalisation"),
        ({"network": "/nowhere/card.json"}, "network"),
    ):
        with pytest.raises(InvalidInputError, match=word):
            UNetMaps(**options | changed).predict(part)
    strange = part[:]
    xray = part.fields["xray"]
    about = {"geometry": xray.geometry, "names": xray.names}
    strange.fields = {"xray": FieldStack("xray", xray.data, "solMass", xray.coord, **about)}
    with pytest.raises(InvalidInputError, match="ct"):
        UNetMaps(**options).predict(strange)


def test_damaged_cards_are_refused(tmp_path, mocks):
    card = tmp_path / "card.json"
    options = {"mass": posterior_of(mocks[:1]), "noise": "none"}
    for text, kind in (("{}", FileFormatError), ("not json", FileFormatError)):
        card.write_text(text)
        with pytest.raises(kind, match="card"):
            UNetMaps(network=str(card), **options).predict(mocks[:1])
        card.unlink()
    assert MAP_NETWORKS == ("resolved",)


@pytest.mark.parametrize("lost", ["filters", "shape", "redshift", "training"])
def test_cards_without_a_part_are_refused(tmp_path, mocks, lost):
    card = json.loads((_DATA / "resolved.json").read_text(encoding="utf-8"))
    del card[lost]
    (tmp_path / "card.json").write_text(json.dumps(card))
    estimator = UNetMaps(network=tmp_path / "card.json", mass=posterior_of(mocks), noise="none")
    with pytest.raises(InvalidInputError, match="weights are missing"):
        estimator.predict(mocks[:1])
    (tmp_path / "card.npz").write_bytes((_DATA / "resolved.npz").read_bytes())
    with pytest.raises(FileFormatError, match=rf"card\.json.*'{lost}'"):
        estimator.predict(mocks[:1])


def test_bands_and_fields_are_compared_with_the_sample(mocks):
    options = {"mass": posterior_of(mocks), "noise": "none"}
    with pytest.raises(InvalidInputError, match="'bands'"):
        UNetMaps(bands=None, **options).predict(mocks[:1])
    part = mocks[[0, 1, 2]]
    part.table["redshift"][0] = np.nan
    expected = UNetMaps(**options).predict(part)
    # Put into the dict in another order, and too few of them.
    part.fields["xray"] = part.fields["xray"][[2, 0, 1]]
    np.testing.assert_array_equal(UNetMaps(**options).predict(part).data, expected.data)
    part.fields["xray"] = part.fields["xray"][:1]
    with pytest.raises(InvalidInputError, match="'fields'"):
        UNetMaps(**options).predict(part)


def test_bands_of_a_few_pixels_tell_nothing(mocks):
    part = mocks[[0, 1, 2]]
    options = {"mass": posterior_of(mocks), "noise": "none", "bands": ["y"]}
    row, column = np.indices(GRID.shape) - 40
    part.cutouts.footprint[0] = False
    part.cutouts.footprint[1] &= np.maximum(abs(row), abs(column)) < 2
    none, few, whole = UNetMaps(**options).predict(part)
    np.testing.assert_array_equal([none.flag, few.flag], MassMapFlag.NO_CUTOUT)
    assert whole.flag == 0
    ratio = [one.mass_within(one.r500)[0].value for one in (none, few)]
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-6)
