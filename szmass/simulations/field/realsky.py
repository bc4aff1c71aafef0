"""Fields of a real Compton-y map with its noise and foregrounds, and clusters injected there."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_count, generator
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.geometry import CutoutGeometry
from szmass.simulations.observe import Observation, simulate
from szmass.simulations.population import even_positions

__all__ = ["empty_fields", "empty_positions", "inject"]

# Candidates looked at per position wanted before the map is said to be full.
_PATIENCE = 200


def empty_positions(
    ymap, n, *, exclude, radius="30 arcmin", geometry=None, interpolation="nearest", seed
):
    """Find random positions of a map away from known clusters.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        The map.
    n : int
        How many. Their fields may overlap.
    exclude : `~astropy.coordinates.SkyCoord`
        Positions of known clusters.
    radius : `~astropy.units.Quantity` or str, optional
        How far from them: one angle, or one per cluster.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        The field that must lie in the map, with valid pixels only.
    interpolation : {"nearest", "bilinear"}, optional
        How cutouts will be made.
    seed : int
        Seed.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`
        Galactic, shape (n,).

    Raises
    ------
    InvalidInputError
        There are none, or too few to find.
    """
    options = {"geometry": geometry, "interpolation": interpolation, "seed": seed}
    return empty_fields(ymap, n, exclude=exclude, radius=radius, **options).coord


def empty_fields(
    ymap, n, *, exclude, radius="30 arcmin", geometry=None, interpolation="nearest", seed
):
    """Cut random fields out of a map, away from known clusters: its noise and foregrounds.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        As in `empty_positions`.
    n : int
        As in `empty_positions`.
    exclude : `~astropy.coordinates.SkyCoord`
        As in `empty_positions`.
    radius : `~astropy.units.Quantity` or str, optional
        As in `empty_positions`.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        As in `empty_positions`.
    interpolation : {"nearest", "bilinear"}, optional
        How the cutouts are made.
    seed : int
        Seed.

    Returns
    -------
    `~szmass.maps.CutoutStack`
        Around the positions that `empty_positions` gives. ``meta`` has the ``nside`` of the map.

    Raises
    ------
    InvalidInputError
        There are none, or too few to find.

    See Also
    --------
    Observation : With these as ``sky`` it shows clusters on them, in any number.
    """
    check_kind(ymap, "ComptonMap", "ymap")
    check_kind(exclude, "SkyCoord", "exclude")
    geometry = CutoutGeometry() if geometry is None else geometry
    check_count(n, "n")
    radius = np.broadcast_to(as_floats(radius, u.rad, "radius", positive=True), exclude.shape)
    known = exclude.galactic.cartesian.xyz.value.reshape(3, -1)
    rng = generator(seed, "sky", 1)
    found, data, tried = [], [], 0
    while sum(map(len, found)) < n:
        if tried >= _PATIENCE * n + 1000:
            raise InvalidInputError(
                f"Only {sum(map(len, found))} empty positions were found for {n} in {tried} tries: "
                "reduce 'radius', or give a larger map or a smaller field."
            )
        candidates = _candidates(ymap, min(2 * n, 1024), geometry, rng)
        tried += min(2 * n, 1024)
        cosine = candidates.cartesian.xyz.value.T @ known
        candidates = candidates[np.all(cosine < np.cos(radius.ravel()), axis=1)]
        candidates = candidates[: n - sum(map(len, found))]
        if len(candidates):
            stack = ymap.cutouts(candidates, geometry=geometry, interpolation=interpolation)
            found.append(candidates[stack.complete])
            data.append(stack.data[stack.complete])
    lon, lat = (np.concatenate([getattr(part, name).deg for part in found]) for name in "lb")
    coord = SkyCoord(lon, lat, unit="deg", frame="galactic")
    return CutoutStack(
        np.concatenate(data),
        None,
        coord,
        geometry=geometry,
        **stack.facts,
        meta={**ymap.meta, **({} if ymap.nside is None else {"nside": ymap.nside})},
    )


def _candidates(ymap, n, geometry, rng):
    if ymap.wcs is None:
        return even_positions(n, rng)
    # A field of any orientation reaches at least this far from its middle.
    pixel = np.sqrt(ymap.wcs.celestial.proj_plane_pixel_area())
    margin = 0.5 * (geometry.size.min() / pixel).to_value("")
    rows, columns = (
        rng.uniform(margin, length - 1 - margin, n) if length - 1 > 2 * margin else rng.random(0)
        for length in ymap.shape
    )
    if not rows.size * columns.size:
        raise InvalidInputError(
            f"The map of {ymap.shape[0]} x {ymap.shape[1]} pixels is smaller than a cutout of "
            f"{geometry!r}: there is no room for empty positions."
        )
    coord = ymap.pixel_to_world(columns, rows).galactic
    return coord[np.isfinite(coord.l.deg) & np.isfinite(coord.b.deg)]


def inject(
    sample,
    ymap,
    *,
    exclude,
    radius="30 arcmin",
    interpolation="nearest",
    geometry=None,
    centring=1 * u.arcmin,
    model="a10",
    cosmology,
    seed,
    **options,
):
    """Make mock cutouts with the sky of a real map: the data set ``real-sky``.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        Clusters, as for `simulate`. They are moved to empty positions.
    ymap : `~szmass.maps.ComptonMap`
        The map; its beam must be known.
    exclude : `~astropy.coordinates.SkyCoord`
        Known clusters to keep away from.
    radius : `~astropy.units.Quantity` or str, optional
        How far, see `empty_positions`.
    interpolation : {"nearest", "bilinear"}, optional
        How cutouts of the map are made; the clusters are sampled alike.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        The grid of the cutouts.
    centring : `~astropy.units.Quantity`, optional
        As in `Observation`.
    model, cosmology, seed : see `simulate`
        What clusters are made of, cosmology and seed.
    **options : dict
        As in `simulate`.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        As `simulate` gives it.

    Raises
    ------
    InvalidInputError
        The map has no beam, or no empty positions; or see `simulate`.

    See Also
    --------
    empty_fields : With `Observation` for samples that are larger than memory.

    Notes
    -----
    The map keeps its own unknown clusters, and every selection that they imply. All projections of
    a cluster see the same field: train with one projection each, or keep them on one side of a
    split.
    """
    if check_kind(ymap, "ComptonMap", "ymap").beam is None:
        raise InvalidInputError(
            "'ymap' must have a beam: open it with beam=..., such as 10 arcmin."
        )
    options |= {"model": model, "cosmology": cosmology, "seed": seed}
    fields = empty_fields(
        ymap,
        len(sample),
        exclude=exclude,
        radius=radius,
        geometry=geometry,
        interpolation=interpolation,
        seed=seed,
    )
    table = sample.table.copy()
    table["sky_field"] = np.arange(len(sample))
    mocks = simulate(ClusterSample(table), Observation.on_sky(fields, centring=centring), **options)
    mocks.cutouts.meta = {**ymap.meta, **mocks.cutouts.meta}
    return mocks
