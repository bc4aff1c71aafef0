"""What else is in a field."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.physics import get_cosmology, get_pressure_profile, y_to_arcmin2
from szmass.physics.mass_function import SkyAbundance
from szmass.simulations import CLUSTER_MODELS, Environment, FieldSet, from_masses, simulate
from szmass.simulations.bodies._fourier import Window
from szmass.simulations.field.environment import parts_of

PIXEL = 1.7 * u.arcmin
SMOOTH = CLUSTER_MODELS["a10"].smooth()


def fields_of(ids, geometry, window):
    return FieldSet(
        clusters=QTable({"cluster_id": ids}),
        geometry=geometry,
        window=window,
        rotation=np.tile(np.eye(3), (len(ids), 1, 1, 1)),
        shift=np.zeros((len(ids), 1, 2)),
        seed=1,
    )


def test_variance_of_the_sky_is_that_of_its_haloes():
    environment = Environment(
        model=SMOOTH, mass_min=1e14 * u.solMass, redshift=(0.3, 1.0), size=512, seed=3
    )
    sky = environment.sky(PIXEL, Window(30.0))
    assert sky.shape == (512, 512)
    assert abs(sky.mean()) < 1e-3 * sky.std()
    # Through a wide beam haloes are points: white noise of sum(Y^2) per area, times the beam.
    abundance = SkyAbundance((1e14, 5e15), (0.3, 1.0), get_cosmology("PSZ2"))
    mass, redshift = abundance.draw(20000, np.random.default_rng(1))
    y = get_pressure_profile("arnaud2010").y_spherical(
        0.8 * mass * u.solMass, redshift, cosmology="PSZ2", x_max=5
    )
    y = y_to_arcmin2(y, redshift, cosmology="PSZ2").value
    area = 4 * np.pi * (180 * 60 / np.pi) ** 2
    sigma = 30 / np.sqrt(8 * np.log(2))
    variance = abundance.total / area * np.mean(y**2) / (4 * np.pi * sigma**2)
    assert sky.var() == pytest.approx(variance, rel=0.25)


def test_power_of_the_unresolved_sky_is_of_the_known_order():
    sky = Environment(size=1024).sky(PIXEL, Window(10.0))
    sky = np.clip(sky, None, np.percentile(sky, 99.9))
    assert 2e-7 < sky.std() < 8e-7


def test_fields_are_random_pieces():
    geometry = CutoutGeometry(shape=(20, 30))
    environment = Environment(mass_min=1e14 * u.solMass, size=128, clustered=False)
    window = Window(10.0)
    sky = environment.sky(PIXEL, window)

    def pieces(ids):
        maps = np.zeros((len(ids), 1, 20, 30), dtype=np.float32)
        (part,) = (p for p in parts_of(environment, geometry, window) if p.name == "sky")
        part.add(maps, fields_of(ids, geometry, window))
        return maps[:, 0]

    maps = pieces(np.arange(40))
    assert np.isin(maps, sky).all()
    assert len(np.unique(maps[:, 0, 0])) > 35
    np.testing.assert_array_equal(pieces(np.arange(7, 8))[0], maps[7])


def test_everything_that_dims_or_adds():
    sample = from_masses([3e14, 1.2e15] * u.solMass, 0.3)

    def total(**options):
        environment = Environment(mass_min=3e15 * u.solMass, size=128, **options)
        mocks = simulate(
            sample, "clean", model=SMOOTH, cosmology="PSZ2", seed=1, environment=environment
        )
        return mocks.cutouts.data.sum(axis=(1, 2), dtype=float)

    plain = total()
    lost = 1 - total(relativistic=0.1) / plain
    assert 0.02 < lost[0] < 0.06
    assert 0.08 < lost[1] < 0.13
    assert lost[1] / lost[0] == pytest.approx(4 ** (2 / 3), rel=1e-3)
    # The dust reaches further, with 0.1 of the Y5R500 of the smooth body.
    np.testing.assert_allclose(total(cib_fraction=0.1) / plain, 1.1, rtol=2e-3)


def test_radio_sources_are_holes():
    options = {"mass_min": 3e15 * u.solMass, "size": 256}
    window = Window(10.0)
    without = Environment(**options).sky(PIXEL, window)
    sources = Environment(**options, radio_density=1 / u.deg**2, radio_y=1e-3 * u.arcmin**2).sky(
        PIXEL, window
    )
    assert sources.min() < -1e-6 < 2 * without.min()
    assert abs(sources.mean()) < 1e-9


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"redshift": (0.5, 0.1)}, "'redshift' must be a lower"),
        ({"mass_min": 6e15 * u.solMass}, "'mass_min' below"),
        ({"size": 0}, "'size'"),
        ({"cib_fraction": 2}, "'cib_fraction'"),
        ({"relativistic": 0.9}, "'relativistic'"),
        ({"radio_density": -1 / u.deg**2}, "'radio_density'"),
        ({"seed": -3}, "'seed'"),
    ],
)
def test_bad_input(options, text):
    with pytest.raises(InvalidInputError, match=text):
        Environment(**options)


def test_a_patch_smaller_than_a_field_is_refused():
    environment = Environment(mass_min=1e15 * u.solMass, size=64)
    with pytest.raises(InvalidInputError, match="at least that of the fields"):
        simulate(
            from_masses([5e14] * u.solMass, 0.3),
            "clean",
            cosmology="PSZ2",
            seed=1,
            environment=environment,
        )
