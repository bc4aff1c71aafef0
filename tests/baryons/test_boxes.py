"""Haloes of a box on the sky of an observer in it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass.baryons import HaloCatalog, make_lightcone, place_on_sky
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.physics import get_cosmology

PLANCK = get_cosmology("Planck18")


def catalog(places, **columns):
    table = QTable({"redshift": np.full(len(places), 0.1)})
    table["m500c"] = np.full(len(places), 3e14) * u.solMass
    for name, values in zip("xyz", np.transpose(places), strict=True):
        table[name] = values * u.Mpc
    for name, values in columns.items():
        table[name] = values
    return HaloCatalog(table, cosmology=PLANCK)


def test_places_become_positions_and_redshifts():
    halos = place_on_sky(catalog([[900, 500, 500], [500, 500, 200], [20, 500, 500]]), box=1 * u.Gpc)
    # The last is nearer across the border: at 480 Mpc towards -x.
    expected = SkyCoord([0, 0, 180] * u.deg, [0, -90, 0] * u.deg)
    assert halos["coord"].separation(expected).max() < 1e-6 * u.deg
    distance = PLANCK.comoving_distance(halos["redshift"]).to_value("Mpc")
    np.testing.assert_allclose(distance, [400, 300, 480], rtol=1e-5)
    assert halos.meta["snapshot_redshift"] == 0.1
    corner = place_on_sky(catalog([[900, 990, 10]]), box=1 * u.Gpc, observer=[0, 0, 0] * u.Mpc)
    distance = PLANCK.comoving_distance(corner["redshift"]).to_value("Mpc")
    np.testing.assert_allclose(distance, np.linalg.norm([100, 10, 10]), rtol=1e-5)


def test_a_box_that_is_repeated_has_the_density_of_one():
    rng = np.random.default_rng(1)
    box = catalog(rng.uniform(0, 200, (500, 3)), id=np.arange(500))
    halos = place_on_sky(box, box=200 * u.Mpc, distance=450 * u.Mpc, observer=[150, 20, 90] * u.Mpc)
    expected = 500 * 4 * np.pi / 3 * 450**3 / 200**3
    assert len(halos) == pytest.approx(expected, rel=0.03)
    assert halos.meta["copies"] == 125
    # No halo is missed, and none is twice in one place.
    shells = np.unique(np.round(halos["redshift"], 9))
    assert len(shells) > 0.999 * len(halos)
    assert len(np.unique(halos["id"])) == 500
    cone = make_lightcone("tng", halos, cosmology=PLANCK, seed=1)
    assert len(cone) == len(halos)
    assert cone.area.to_value("deg2") == pytest.approx(41253, rel=1e-4)


@pytest.mark.parametrize(
    ("halos", "options", "error", "message"),
    [
        (catalog([[900, 5, 5]]), {"box": 700 * u.Mpc}, InvalidInputError, "must hold all haloes"),
        (catalog([[9, 5, 5]]), {"box": 700}, InvalidUnitError, "'box'"),
        (catalog([[9, 5, 5]]), {"box": -1 * u.Mpc}, InvalidInputError, "'box' must be positive"),
        (catalog([[9, 5, 5]])[:0], {}, InvalidInputError, "no halo"),
        (catalog([[9, 5, 5]]), {"observer": [1] * u.Mpc}, InvalidInputError, "'observer' must be"),
        (QTable({"x": [1]}), {}, InvalidInputError, "must be a HaloCatalog"),
        (HaloCatalog(QTable({"redshift": [0.1]})), {}, InvalidInputError, "lack 'x', 'y', 'z'"),
    ],
)
def test_mistakes(halos, options, error, message):
    with pytest.raises(error, match=message):
        place_on_sky(halos, **{"box": 1000 * u.Mpc} | options)


def test_a_cosmology_is_needed():
    halos = catalog([[900, 500, 500]])
    halos.cosmology = None
    with pytest.raises(InvalidInputError, match="Give a 'cosmology'"):
        place_on_sky(halos, box=1 * u.Gpc)
    assert len(place_on_sky(halos, box=1 * u.Gpc, cosmology="PSZ2")) == 1
