"""Ingredients of fields: of other packages, in records, and left out."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import astropy.units as u
import numpy as np
import pytest

from szmass._utils import registry
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.maps import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.simulations import (
    CLUSTER_MODELS,
    INGREDIENTS,
    Environment,
    Ingredient,
    Observation,
    draw_flat,
    from_masses,
    get_environment,
    get_ingredient,
    get_observation,
    make_dataset,
    simulate,
)
from szmass.simulations.dataset.origin import plain
from szmass.simulations.field import ingredients

SMALL = {"mass_min": 1e14 * u.solMass, "size": 128, "clustered": False}


@dataclass(frozen=True, kw_only=True)
class Lobes(Ingredient):
    """Two radio lobes left and right of each cluster, as another package might add them."""

    flux: float = 1e-4
    name: str = "lobes"

    def add(self, maps, fields):
        total = np.zeros(maps.shape[:2])
        for i, views in enumerate(maps):
            flux = self.flux * fields.generator(self, i).exponential()
            for j, image in enumerate(views):
                angle = fields.generator(self, i, j).uniform(0, np.pi)
                x, y = 2 * np.cos(angle), 2 * np.sin(angle)
                image += fields.points([x, -x], [y, -y], [-flux, -flux])
                total[i, j] = -2 * flux
        return {"lobes_y": total * u.arcmin**2}


@pytest.fixture
def registered():
    INGREDIENTS.add("lobes", Lobes)
    yield
    del INGREDIENTS._objects["lobes"]


def mocks(environment, observation="clean", n=4, **options):
    sample = draw_flat(n, seed=3)
    options = {"cosmology": "PSZ2", "seed": 5, "projections": 2} | options
    return simulate(sample, observation, environment=environment, **options)


@pytest.mark.parametrize("name", ["clean", "planck-like", "planck-total"])
def test_a_foreign_ingredient_changes_nothing_else(name):
    small = SMALL | {"clustered": name == "clean"}
    alone = mocks(Environment(**small), name)
    with_lobes = mocks(Environment(ingredients=[Lobes()], **small), name)
    nothing = mocks(Environment(ingredients=[Lobes(flux=0.0)], **small), name)
    np.testing.assert_array_equal(nothing.cutouts.data, alone.cutouts.data)
    for column in alone.table.colnames:
        if column != "coord":
            np.testing.assert_array_equal(alone.table[column], with_lobes.table[column])
    assert [*alone.table.colnames, "lobes_y"] == with_lobes.table.colnames
    # Far from the lobes not a bit is different: clusters, haloes and noise are the same.
    change = with_lobes.cutouts.data - alone.cutouts.data
    assert not change[:, 0].any()
    assert not change[:, -1].any()
    # And what is added is what the ingredient says, through the beam.
    total = change.sum(axis=(1, 2), dtype=float) * 1.7**2
    np.testing.assert_allclose(total, with_lobes.table["lobes_y"].value, rtol=2e-2)
    assert len(np.unique(with_lobes.table["lobes_y"].value)) == 4


def test_its_stream_depends_on_the_cluster_and_its_own_name_alone():
    whole = mocks(Environment(ingredients=[Lobes()], **SMALL))
    sample = draw_flat(4, seed=3)
    environment = Environment(ingredients=[Lobes(name="other"), Lobes()], haloes=False, **SMALL)
    with pytest.raises(InvalidInputError, match="not there yet"):
        simulate(sample, "clean", environment=environment, cosmology="PSZ2", seed=5)
    alone = simulate(
        sample[2:3], "clean", environment=environment.off("other"), cosmology="PSZ2", seed=5
    )
    assert alone.table["lobes_y"][0] == whole.table["lobes_y"][4]


def test_points_are_seen_through_beam_and_pixels():
    @dataclass(frozen=True, kw_only=True)
    class Source(Ingredient):
        name: str = "source"

        def add(self, maps, fields):
            maps[:, :] = fields.points(x=[3.4], y=[-17.0], integrated_y=[1e-3])

    observation = Observation(name="odd", geometry=CutoutGeometry(shape=(61, 41)))
    image = mocks(Environment(ingredients=[Source()], **SMALL), observation, n=1).cutouts.data[0]
    assert np.unravel_index(image.argmax(), image.shape) == (20, 22)
    sigma = 10 / np.sqrt(8 * np.log(2))
    assert image.max() == pytest.approx(1e-3 / (2 * np.pi * sigma**2), rel=1e-3)
    assert image.sum() * 1.7**2 == pytest.approx(1e-3, rel=1e-4)


def test_data_sets_record_it(registered, tmp_path):
    pytest.importorskip("zarr")
    sample = draw_flat(3, seed=1)

    def make(environment):
        options = {"cosmology": "PSZ2", "seed": 1, "environment": environment}
        return make_dataset(tmp_path / "data.zarr", sample, **options)

    made = make({**SMALL, "mass_min": "1e14 solMass", "ingredients": {"lobes": {"flux": 2e-4}}})
    assert made.origin["environment"]["ingredients"] == [
        {"class": "Lobes", "ingredient": "lobes", "flux": 2e-4, "name": "lobes"}
    ]
    assert "lobes_y" in made.columns
    # The same again, as objects; and another one is not taken for it.
    make(Environment(ingredients=[Lobes(flux=2e-4)], **SMALL))
    with pytest.raises(InvalidInputError, match="environment.ingredients"):
        make(Environment(ingredients=["lobes"], **SMALL))


def test_records_of_earlier_releases_are_those_of_today():
    assert set(plain(Environment())) == {
        *("class", "model", "cosmology", "mass_min", "clustered", "redshift", "size"),
        *("radio_density", "radio_y", "cib_fraction", "relativistic", "seed"),
    }
    assert plain(Environment(haloes=False))["haloes"] is False


def test_parts_of_an_environment_can_be_left_out():
    everything = Environment(
        mass_min=1e14 * u.solMass,
        size=128,
        cib_fraction=0.1,
        relativistic=0.1,
        radio_density=20 / u.deg**2,
        ingredients=[Lobes()],
    )
    bare, whole = mocks(None), mocks(everything)
    np.testing.assert_array_equal(mocks(everything.off()).cutouts.data, bare.cutouts.data)
    rest = ("haloes", "neighbours", "radio", "dust", "hot-electrons", "lobes")
    for name in rest:
        assert np.any(mocks(everything.off(name)).cutouts.data != whole.cutouts.data)
    with pytest.raises(UnknownNameError, match="no part 'halo'.*dust, haloes"):
        everything.off("halo")


def test_radio_sources_stand_where_they_stood_without_haloes():
    window = type("Window", (), {"sigma": 4.0, "k_max": 1.3})
    window.__call__ = lambda self, square: np.exp(-0.5 * self.sigma**2 * square)
    options = {"radio_density": 5 / u.deg**2, "size": 128}
    pixel = 1.7 * u.arcmin
    haloes = Environment(mass_min=1e14 * u.solMass, **options)
    alone = haloes.off("haloes").sky(pixel, window())
    difference = haloes.sky(pixel, window()) - haloes.off("radio").sky(pixel, window())
    np.testing.assert_allclose(difference, alone, atol=2e-5 * np.abs(alone).max())


def test_noise_with_a_distribution_of_depths_moves_no_hole():
    holes = {"hole_density": 2 / u.deg**2, "hole_radius": 6 * u.arcmin}
    observation = Observation(name="deep", noise=NoiseModel.planck("total"), **holes)
    with_noise, without = (mocks(None, o) for o in (observation, observation.off("noise")))
    assert with_noise.table.meta["observation"] == "deep"
    assert without.table.meta["observation"] == "deep-no-noise"
    np.testing.assert_array_equal(with_noise.cutouts.footprint, without.cutouts.footprint)
    assert not without.cutouts.complete.all()
    assert mocks(None, observation.off()).cutouts.complete.all()


def test_what_is_off_changes_no_other_stream():
    total = get_observation("planck-total")
    shifted, centred = (mocks(None, o) for o in (total, total.off("centring")))
    np.testing.assert_array_equal(shifted.table["depth"], centred.table["depth"])
    assert not centred.table["shift"].value.any()
    model = CLUSTER_MODELS["a10"]
    a, b = (mocks(None, model=m).table for m in (model, model.off("subhaloes")))
    for name in ("axes", "state", "profile_deviation", "companion_ratio", "gas_offset", "ln_y"):
        np.testing.assert_array_equal(a[name], b[name])
    assert np.isnan(b["subhalo_ratio"]).all()


@pytest.mark.parametrize("name", ["triaxiality", "merging", "gas-offset", "scatter", "states"])
def test_parts_of_a_model(name):
    model = CLUSTER_MODELS["a10"].off(name)
    assert model.name == f"a10-no-{name}"
    assert model != CLUSTER_MODELS["a10"]
    with pytest.raises(UnknownNameError, match="no part"):
        model.off("gas")


def test_entry_points_of_other_packages(monkeypatch):
    fresh = Registry("ingredient", "szmass.ingredients")
    monkeypatch.setattr(ingredients, "INGREDIENTS", fresh)
    point = EntryPoint("lobes", f"{__name__}:Lobes", "szmass.ingredients")
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [point] if group == point.group else []
    )
    assert Environment(ingredients={"lobes": {"flux": 2.0}}).ingredients == (Lobes(flux=2.0),)


def test_environments_of_recipes():
    assert get_environment(None, cosmology="PSZ2") is None
    assert get_environment(False, cosmology="PSZ2") is None
    assert get_environment(True, cosmology="Planck18").cosmology.name == "Planck18"
    made = get_environment({"radio_density": "0.1 / deg2", "cosmology": "WMAP9"}, cosmology="PSZ2")
    assert made.radio_density == 0.1 / u.deg**2
    assert made.cosmology.name == "WMAP9"
    assert get_environment(made, cosmology="PSZ2") is made


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Environment(ingredients=["smoke"]), UnknownNameError, "No ingredient is named"),
        (lambda: Environment(ingredients=[3]), InvalidInputError, "must be a name of"),
        (lambda: Environment(ingredients=3), InvalidInputError, "'ingredients' must be"),
        (lambda: Environment(ingredients=[Lobes()] * 2), InvalidInputError, "'lobes' is taken"),
        (lambda: Environment(ingredients=[Lobes(name="dust")]), InvalidInputError, "is taken"),
        (lambda: Environment(ingredients=[Lobes(name="sky")]), InvalidInputError, "is taken"),
        (lambda: Environment(haloes=1), InvalidInputError, "'haloes' must be True or False"),
        (lambda: get_ingredient("lobes", {"size": 3}), InvalidInputError, "cannot be made of"),
        (lambda: mocks({"patch": 3}), InvalidInputError, "'environment' must be"),
        (lambda: mocks("dusty"), InvalidInputError, "'environment' must be"),
    ],
)
def test_bad_input(registered, make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_columns_must_fit():
    @dataclass(frozen=True)
    class Wrong(Ingredient):
        columns: dict
        name: str = "wrong"

        def add(self, maps, fields):
            return self.columns

    sample = from_masses([5e14] * u.solMass, 0.3)
    for columns in ({"depth_of_it": np.zeros(3)}, {"axes": [[0]]}, {"depth": [[0]]}):
        environment = Environment(ingredients=[Wrong(columns)], **SMALL)
        with pytest.raises(InvalidInputError, match="'wrong' must give columns"):
            simulate(sample, "clean", cosmology="PSZ2", seed=1, environment=environment)
    environment = Environment(ingredients=[Wrong({"fine": [[7]]})], **SMALL)
    mocks = simulate(sample, "clean", cosmology="PSZ2", seed=1, environment=environment)
    assert mocks.table["fine"].tolist() == [7]
