"""Observations of painted clusters: beam, pixels, noise, miscentring, holes."""

import dataclasses
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import vstack

from szmass._utils.kinds import check_kind
from szmass._utils.memory import check_memory
from szmass._utils.progress import progress_bar
from szmass._utils.registry import Registry
from szmass._utils.seeds import check_count, check_seed
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.physics.cosmology import get_cosmology
from szmass.simulations._observer import Observer, check_noise
from szmass.simulations._pixels import box_variance
from szmass.simulations.bodies.fields import get_fields
from szmass.simulations.bodies.models import (
    get_cluster_model,
    name_without,
    set_amounts,
    switched_off,
)
from szmass.simulations.bodies.painting import draw_clusters, needed_beam
from szmass.simulations.field.environment import get_environment
from szmass.simulations.stacks import FieldStack

__all__ = ["OBSERVATIONS", "Observation", "get_observation", "iter_simulate", "simulate"]

#: Observations known by name.
OBSERVATIONS = Registry("observation")

# Parts of an observation, and the options that leave each of them out.
_OFF = {
    "noise": {"noise": None, "noise_sampling": None},
    "centring": {"centring": 0 * u.arcmin},
    "holes": {"hole_density": 0 / u.deg**2},
}


@dataclass(frozen=True, kw_only=True)
class Observation:
    """How a map shows clusters.

    Parameters
    ----------
    name : str
        Its name, which mocks have in their ``meta``.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        The grid of the cutouts; by default that of the published networks.
    beam : `~astropy.units.Quantity` or str, optional
        FWHM of the Gaussian beam.
    sampling : {"point", "nearest", "bilinear"}, optional
        "point" gives the convolved sky at the middle of each pixel. "nearest" and "bilinear" are
        cutouts of a HEALPix map with that interpolation. For "nearest" the map's pixels are those
        at the cluster's position; "bilinear" has its mean window.
    nside : int, optional
        Resolution of that map.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise, of the same beam; its depth differs from field to field as the model says. A column
        ``depth`` of the sample overrides it.
    noise_sampling : {"point", "nearest"}, optional
        "nearest" with the sampling "point": the noise alone is a cutout of a HEALPix map, from
        random places of the sky. By default the noise is sampled as the clusters are.
    sky : `~szmass.maps.CutoutStack`, optional
        Fields of a real map, from `empty_fields`, in the place of noise; see `on_sky`.
    centring : `~astropy.units.Quantity`, optional
        Standard deviation per axis of the distance of the cluster from the middle of the field.
        Where the sample has ``pos_err`` it is scaled by ``pos_err / 2.43 arcmin``.
    hole_density : `~astropy.units.Quantity`, optional
        Mean number of holes per solid angle, at random positions.
    hole_radius : `~astropy.units.Quantity`, optional
        Their radius. Pixels in a hole are NaN with footprint False.

    Raises
    ------
    InvalidInputError
        A value is out of range, or the noise has another beam.
    InvalidUnitError
        A value has no unit, or one of another kind.

    Examples
    --------
    >>> from szmass.maps import CutoutGeometry, NoiseModel
    >>> from szmass.simulations import Observation, draw_flat, simulate
    >>> geometry = CutoutGeometry((64, 64), pixel_scale="3 arcmin", frame="icrs")
    >>> wide = Observation(name="wide", geometry=geometry, noise=NoiseModel.planck("instrument"))
    >>> simulate(draw_flat(2, seed=1), wide, cosmology="PSZ2", seed=1).cutouts.data.shape
    (2, 64, 64)
    """

    name: str
    geometry: CutoutGeometry = dataclasses.field(default_factory=CutoutGeometry)
    beam: u.Quantity = 10 * u.arcmin
    sampling: str = "point"
    nside: int = 2048
    noise: NoiseModel | None = None
    noise_sampling: str | None = None
    sky: CutoutStack | None = None
    centring: u.Quantity = 0 * u.arcmin
    hole_density: u.Quantity = 0 / u.deg**2
    hole_radius: u.Quantity = 10 * u.arcmin

    def __post_init__(self):
        object.__setattr__(self, "beam", needed_beam(self.beam))
        set_amounts(self, centring=u.arcmin, hole_density=u.deg**-2, hole_radius=u.arcmin)
        box_variance(self.sampling, check_count(self.nside, "nside"))
        alone = self.noise_sampling == "nearest" and self.sampling == "point"
        if self.noise_sampling not in (None, self.sampling) and not alone:
            raise InvalidInputError(
                "'noise_sampling' must be 'nearest' with the sampling 'point', or that of the "
                f"clusters. Received: {self.noise_sampling!r} with {self.sampling!r}"
            )
        if self.sky is not None:
            self._check_sky()
        check_noise(self.noise, self.beam, "observation")

    def _check_sky(self):
        sky = self.sky
        if self.noise is not None or not isinstance(sky, CutoutStack) or not len(sky):
            raise InvalidInputError(
                "'sky' must be a CutoutStack of at least one field, with 'noise' None: the fields "
                f"of a map have its noise already. Received: {sky!r} and {self.noise!r}"
            )
        if not sky.complete.all():
            raise InvalidInputError(
                f"{np.count_nonzero(~sky.complete)} fields of 'sky' have pixels without a value; "
                "take complete ones: sky[sky.complete]."
            )
        for name in ("geometry", "beam", "sampling"):
            have = getattr(sky, "interpolation" if name == "sampling" else name)
            asked = getattr(self, name)
            if have != asked:
                raise InvalidInputError(
                    f"The {name!r} must be that of 'sky', {have!r}. Received: {asked!r}. "
                    "Observation.on_sky takes it from there."
                )

    def off(self, *names):
        """Give the observation without some of its parts.

        Parameters
        ----------
        *names : str
            "noise", "centring" (the distance of clusters from the middle) or "holes"; all of them
            by default.

        Returns
        -------
        `Observation`
            What is left is simulated as before.

        Raises
        ------
        UnknownNameError
            There is no such part.
        """
        return switched_off(self, _OFF, names, name=name_without(self.name, names))

    @classmethod
    def on_sky(cls, sky, *, name="real-sky", centring=1 * u.arcmin):
        """Show clusters on fields of a real map: the data set ``real-sky``.

        Each cutout has a field of its own, at random; a column ``sky_field`` of the sample
        overrides which. The cluster is moved there and sampled as the field was.

        Parameters
        ----------
        sky : `~szmass.maps.CutoutStack`
            From `empty_fields`. Geometry, beam and sampling are those of the fields.
        name : str, optional
            Name of the observation.
        centring : `~astropy.units.Quantity`, optional
            As in `Observation`.

        Returns
        -------
        `Observation`
            The observation.

        Raises
        ------
        InvalidInputError
            The fields have no beam, or pixels without a value.
        """
        if not isinstance(sky, CutoutStack) or sky.beam is None:
            raise InvalidInputError(
                "'sky' must be a CutoutStack of a map with a beam: open the map with beam=..., "
                f"such as 10 arcmin. Received: {sky!r}"
            )
        nside = {name: sky.meta[name] for name in ("nside",) if name in sky.meta}
        return cls(
            name=name,
            geometry=sky.geometry,
            beam=sky.beam,
            sampling=sky.interpolation,
            sky=sky,
            centring=centring,
            **nside,
        )


def _observations():
    planck = {"noise": NoiseModel.planck("instrument"), "noise_sampling": "nearest"}
    total = {"noise": NoiseModel.planck("total"), "centring": 1 * u.arcmin}
    yield Observation(name="clean")
    yield Observation(name="planck-like", **planck)
    yield Observation(name="planck-total", sampling="nearest", **total)


for _entry in _observations():
    OBSERVATIONS.add(_entry.name, _entry)


@OBSERVATIONS.getter(Observation, "planck-like")
def get_observation(observation):
    """Look an observation up by name, or pass one through.

    Parameters
    ----------
    observation : str or `Observation`
        ``"clean"``: beam alone. ``"planck-like"``: with noise of the instrument, as the published
        networks were trained: smooth clusters, and noise from the pixels of a HEALPix map.
        ``"planck-total"``: with the total noise of the Planck y-maps, the
        pixels of their HEALPix grid and the centring of PSZ2, as real cutouts are.

    Examples
    --------
    >>> from szmass.simulations import get_observation
    >>> get_observation("planck-total").off("noise").noise is None
    True
    """


def simulate(sample, observation="planck-like", *, model="a10", cosmology, seed, **options):
    """Make mock cutouts of a sample.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        From `draw_flat`, `draw_mass_function`, `from_masses` or `twin`.
    observation : str or `Observation`, optional
        How the map shows the clusters.
    model : str or `ClusterModel`, optional
        What the clusters are made of.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed. A cutout depends on it, on cluster_id and on the projection alone.
    **options : dict
        ``projections`` (1 by default), ``environment`` and ``fields``, as in `iter_simulate`.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        One row per cutout, with the cutouts, the columns of ``sample`` and the truth: those of
        `draw_clusters`, ``projection``, ``orientation``, ``shift`` and ``depth``. It goes into
        estimators as it is. Other fields are in its attribute ``fields``, a `FieldStack` each.

    Raises
    ------
    InvalidInputError
        An argument is out of range or of the wrong kind, a column is missing, or the maps do not
        fit into memory.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import from_masses, simulate
    >>> sample = from_masses([8e14] * u.solMass, 0.12, names=["Mock"])
    >>> mocks = simulate(sample, "planck-total", cosmology="PSZ2", seed=5)
    >>> mocks.cutouts.data.shape
    (1, 96, 96)
    >>> print(mocks.quantity("theta500_true").round(2))
    [9.92] arcmin
    """
    if not len(sample):
        raise InvalidInputError("'sample' must have at least one cluster. Received: none")
    observation, fields = get_observation(observation), get_fields(options.get("fields"))
    maps = len(sample) * check_count(options.get("projections", 1), "projections")
    # Parts, and what they are joined to: y, footprint and fields.
    check_memory(
        2 * maps * np.prod(observation.geometry.shape, dtype=float) * (5 + 4 * len(fields)),
        f"{maps} maps with {len(fields)} fields beside y",
        "Take them in parts (iter_simulate), or keep them on disk (make_dataset).",
    )
    parts = list(
        iter_simulate(sample, observation, model=model, cosmology=cosmology, seed=seed, **options)
    )
    if len(parts) == 1:
        return parts[0]
    result = ClusterSample(vstack([part.table for part in parts], metadata_conflicts="silent"))
    stack = parts[0].cutouts
    result.cutouts = CutoutStack(
        np.concatenate([part.cutouts.data for part in parts]),
        np.concatenate([part.cutouts.footprint for part in parts]),
        result.coord,
        names=result.names,
        geometry=stack.geometry,
        meta=stack.meta,
        **stack.facts,
    )
    result.fields = {
        name: FieldStack.joined([part.fields[name] for part in parts]) for name in parts[0].fields
    }
    return result


def iter_simulate(
    sample, observation="planck-like", *, model="a10", cosmology, seed, projections=1,
    environment=None, fields=None, chunk_size=256,
):  # fmt: skip
    """Make mock cutouts of any number of clusters in bounded memory.

    Parameters
    ----------
    sample, observation, model, cosmology, seed : see `simulate`
        Clusters, map, what clusters are made of, cosmology and seed.
    projections : int, optional
        From how many random directions each cluster is seen; 27 in de Andres et al. (2022).
    environment : `Environment` or bool or dict, optional
        What else is in the field, as in `get_environment`.
    fields : str or ClusterField or sequence of them or dict, optional
        What is shown beside Compton-y: "mass" (`MassField`), "xray" (`XRayField`), "galaxies"
        (`GalaxyField`), or these with options. None of them changes the cutouts.
    chunk_size : int, optional
        Number of clusters at a time; it does not change the cutouts.

    Yields
    ------
    `~szmass.clusters.ClusterSample`
        As `simulate` gives it, for the next clusters.

    Raises
    ------
    InvalidInputError
        An argument is out of range or of the wrong kind, or a column is missing.
    """
    check_kind(sample, "ClusterSample", "sample")
    observation, model = get_observation(observation), get_cluster_model(model)
    cosmology, seed = get_cosmology(cosmology), check_seed(seed)
    environment = get_environment(environment, cosmology=cosmology)
    projections = check_count(projections, "projections")
    chunk_size = check_count(chunk_size, "chunk_size")
    fields = get_fields(fields)
    observer = Observer(observation, model, environment, seed, cosmology=cosmology, fields=fields)
    with progress_bar(total=len(sample) * projections, desc="simulate", unit="map") as bar:
        for start in range(0, len(sample), chunk_size):
            part = sample[start : start + chunk_size]
            clusters = draw_clusters(part, model, cosmology=cosmology, seed=seed)
            yield observer.observe(part, clusters, projections)
            bar.update(len(part) * projections)
