"""Haloes that AHF found in The Three Hundred: units that are told apart, and their gas."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from szmass.baryons import HaloCatalog
from szmass.exceptions import InvalidInputError
from szmass.physics import get_baryon_model, overdensity_radius

pytestmark = pytest.mark.real_data
OPTIONS = {"h": 0.6777, "redshift": 0.0, "cosmology": "TheThreeHundred"}
UNITS = {
    "m200c": "solMass/h", "m500c": "1e10 solMass/h", "r200c": "kpc/h (comoving)",
    "r500c": "kpc/h (comoving)", "x": "kpc/h", "y": "kpc/h", "z": "kpc/h",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(real_data):
    """The table of Gadget-X at z = 0."""
    data = np.load(real_data("halos/the300/G3X_Mbh_snap_128-with_BH-info.npy"))
    names = ("region", "id", "host", "m200c", "x", "y", "z", "r200c")
    table = Table({name: data[:, i] for i, name in enumerate(names)})
    for name, i in (("m500c", 12), ("r500c", 13), ("fgas", 14)):
        table[name] = data[:, i]
    return table


def test_radii_are_those_of_the_masses(rows):
    halos = HaloCatalog.from_table(rows, units=UNITS, also=["fgas"], **OPTIONS)
    assert len(halos.hosts) == len(rows)
    for mass, radius, definition in (("m200c", "r200c", "200c"), ("m500c", "r500c", "500c")):
        expected = overdensity_radius(
            halos[mass], 0.0, cosmology="TheThreeHundred", mass_definition=definition
        )
        ratio = (halos[radius] / expected).to_value("")
        assert np.median(ratio) == pytest.approx(1, abs=2e-3)
    expected = 1e10 * np.asarray(rows["m500c"]) / 0.6777
    assert np.allclose(halos["m500c"].to_value("solMass"), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"m500c": "solMass/h"}, "1e-10 times|solMass in the median"),
        ({"m200c": "solMass", "m500c": "1e10 solMass"}, "for h = 0.558, and h is 0.6777"),
        ({"r200c": "kpc", "r500c": "kpc"}, "h is 0.6777"),
        ({"m200c": "1e10 solMass/h"}, "solMass in the median"),
    ],
)
def test_other_units_are_noticed(rows, units, message):
    with pytest.raises(InvalidInputError, match=message):
        HaloCatalog.from_table(rows, units=UNITS | units, **OPTIONS)


def test_their_gas_is_predicted(rows):
    halos = HaloCatalog.from_table(rows, units=UNITS, also=["fgas"], **OPTIONS)
    halos = halos[halos["m500c"] > 2e14 * u.solMass]
    table = get_baryon_model("the300-gadgetx").predict(halos)
    off = np.log(halos["fgas"] * halos["m500c"] / table["mgas500"]).value
    assert abs(np.median(off)) < 0.01
    assert off.std() < 0.06
