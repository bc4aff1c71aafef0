"""Ingredients of simulated fields beside the clusters: form, streams and registry."""

import abc
import hashlib
from dataclasses import dataclass, field

import numpy as np
from astropy.table import QTable

from szmass._utils.registry import Registry
from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.maps.geometry import CutoutGeometry

__all__ = ["INGREDIENTS", "FieldSet", "Ingredient", "get_ingredient"]

#: Classes of ingredients known by name; other packages add theirs through the entry-point group
#: ``szmass.ingredients``.
INGREDIENTS = Registry("ingredient", "szmass.ingredients")

# For options of later releases: left out of records where they have their default, so that data
# sets of earlier ones stay what they are.
UNRECORDED_DEFAULT = {"recorded": "unless default"}


@dataclass(frozen=True, kw_only=True)
class FieldSet:
    """Fields of simulated clusters that ingredients add to.

    Parameters
    ----------
    clusters : `~astropy.table.QTable`
        From `draw_clusters`, a row per cluster.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the maps; its shape has the margin that sampling needs.
    window : callable
        Gaussian window of beam and pixels as a function of k^2 [arcmin-2], with its standard
        deviation ``sigma`` [arcmin] and the highest wave number ``k_max``.
    rotation : ndarray
        From each cluster's body to the sky (right, up, along the line of sight), shape
        (N, projections, 3, 3).
    shift : ndarray
        Place of the clusters right of and above the middle [arcmin], shape (N, projections, 2).
    seed : int
        Seed of the simulation.
    model : ClusterModel, optional
        What the clusters are made of.
    cosmology : `~astropy.cosmology.FLRW`, optional
        The cosmology.
    grid : object, optional
        What paints on these maps; see `draw`.
    made : dict, optional
        What one of several fields has made for all of them.
    """

    clusters: QTable
    geometry: CutoutGeometry
    window: object
    rotation: np.ndarray
    shift: np.ndarray
    seed: int
    model: object = None
    cosmology: object = None
    grid: object = None
    made: dict = field(default_factory=dict)

    def draw(self, bodies):
        """Paint bodies as the gas is painted, seen from the same directions.

        Parameters
        ----------
        bodies : iterable
            For each cluster: transforms of the profile of its ellipsoid and of its spheres, the
            amplitudes of these C bodies, semi-axes of the ellipsoid, sizes of the spheres, and the
            places of all [arcmin] in the frame of the axes.

        Returns
        -------
        ndarray
            Maps, float32, shape (N, projections, ny, nx).
        """
        maps = np.empty((*self.shift.shape[:2], *self.geometry.shape), dtype=np.float32)
        for views, body, matrix, shift in zip(maps, bodies, self.rotation, self.shift, strict=True):
            for j, image in enumerate(views):
                image[:] = self.grid.draw(*body, matrix[j], shift[j])
        return maps

    def generator(self, ingredient, cluster, projection=None):
        """Give the stream of an ingredient for one cluster, or for one view of it.

        Parameters
        ----------
        ingredient : Ingredient
            Whose stream: it depends on the ingredient's ``name`` and on no other ingredient.
        cluster : int
            Row of the cluster. The stream depends on its ``cluster_id``.
        projection : int, optional
            Number of the view; by default the stream is that of the cluster.

        Returns
        -------
        `~numpy.random.Generator`
            Always the same for the same seed.
        """
        digest = hashlib.sha256(ingredient.name.encode()).digest()
        indices = [int(self.clusters["cluster_id"][cluster])]
        indices += [] if projection is None else [projection]
        return generator(self.seed, "ingredient", int.from_bytes(digest[:8], "big"), *indices)

    def points(self, x, y, integrated_y):
        """Show point sources through the window of beam and pixels.

        Parameters
        ----------
        x, y : array-like
            Places right of and above the middle of the field [arcmin], shape (n,).
        integrated_y : array-like
            Integrated Compton parameter of each [arcmin2], negative for radio sources.

        Returns
        -------
        ndarray
            Compton-y of their sum on the grid, shape (ny, nx).
        """
        ny, nx = self.geometry.shape
        pixel = self.geometry.pixel_scale.to_value("arcmin")
        rows, columns = (
            np.exp(-0.5 * ((at - np.reshape(place, (-1, 1))) / self.window.sigma) ** 2)
            for at, place in (
                ((np.arange(ny) - (ny - 1) / 2) * pixel, y),
                ((np.arange(nx) - (nx - 1) / 2) * pixel, x),
            )
        )
        peak = np.reshape(integrated_y, (-1, 1)) / (2 * np.pi * self.window.sigma**2)
        return (peak * rows).T @ columns


class Ingredient(abc.ABC):
    """Something that changes the fields of simulated clusters, from a random stream of its own.

    A subclass is a frozen dataclass with its options, so that data sets can record them, and gives
    `add`. It is used by ``Environment(ingredients=[...])``, by name after
    ``INGREDIENTS.add(name, cls)`` or through an entry point ``name = module:cls`` of the group
    ``szmass.ingredients``. What is drawn from `FieldSet.generator` leaves everything else that is
    simulated as it is without the ingredient.

    Attributes
    ----------
    name : str
        What its stream is known by, and what `Environment.off` calls it.
    """

    name = None

    @abc.abstractmethod
    def add(self, maps, fields):
        """Change maps in place.

        Parameters
        ----------
        maps : ndarray
            Compton-y seen through the window, float32, shape (N, projections, ny, nx).
        fields : FieldSet
            What they show, and on which grid.

        Returns
        -------
        dict or None
            Columns for the truth, if any: arrays or quantities of shape (N, projections, ...).
        """


def get_ingredient(ingredient, options=None):
    """Make an ingredient of a name and its options, or pass one through.

    Parameters
    ----------
    ingredient : str or `Ingredient`
        A key of `INGREDIENTS`, or an ingredient.
    options : dict, optional
        Options of the one that has the name.

    Returns
    -------
    `Ingredient`
        The ingredient.

    Raises
    ------
    UnknownNameError
        No ingredient has that name; the message lists them.
    InvalidInputError
        Neither a name nor an ingredient was given, or it does not have such options.
    """
    if isinstance(ingredient, str):
        try:
            ingredient = INGREDIENTS[ingredient](**(options or {}))
        except TypeError as err:
            raise InvalidInputError(
                f"The ingredient {ingredient!r} cannot be made of the options {options or {}!r}: "
                f"{err}"
            ) from err
    if not isinstance(ingredient, Ingredient) or not isinstance(ingredient.name, str):
        raise InvalidInputError(
            "An ingredient must be a name of szmass.simulations.INGREDIENTS, or an Ingredient "
            f"with a 'name'. Received: {ingredient!r}"
        )
    return ingredient
