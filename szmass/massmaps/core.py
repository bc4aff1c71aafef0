"""The contract of estimators of mass maps, and the register of them."""

from abc import abstractmethod

import astropy.units as u
import numpy as np

from szmass._utils.kinds import check_kind
from szmass._utils.registry import Registry
from szmass.estimators import ESTIMATORS, Estimator, MassEstimator, find_estimator
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.maps.frames import lonlat
from szmass.massmaps._draws import probabilities
from szmass.massmaps._halo import theta_arcmin
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.mass_map_stack import MassMapStack
from szmass.physics import get_cosmology
from szmass.physics.checks import MASS_RANGE
from szmass.results import LogMassPosterior, MassScale

__all__ = ["MAP_ESTIMATORS", "MapEstimator", "get_map_estimator"]

#: All estimators of mass maps by tag: our own, and those that other packages declare under the
#: entry-point group ``szmass.map_estimators``.
MAP_ESTIMATORS = Registry("map estimator", entry_point_group="szmass.map_estimators")

# Grid of maps by default: so many pixels, so many in R500.
_SHAPE, _FINE = (96, 96), 16
# Grid of log10 M on which masses with errors are made into densities.
_GRID = np.linspace(13.0, 16.2, 321)


class MapEstimator(Estimator):
    """A way to map the projected mass of clusters.

    A sub-class sets the class attributes, takes its options as keyword-only arguments of
    ``__init__``, stores each under its own name unchanged, and implements `_map`. Among its options
    are those that are class attributes here.
    """

    #: Where the mass is from: the tag of a mass estimator, a `~szmass.estimators.MassEstimator`, or
    #: a `~szmass.results.LogMassPosterior` that has the clusters by name.
    mass = "likelihood"
    #: Scale that masses of a known 1-b are brought to first; None leaves them as they are.
    one_minus_b = None
    #: Grid of the maps, a `~szmass.maps.CutoutGeometry`, whose pixels may be a part of R500; None
    #: for 96 x 96 pixels of R500 / 16.
    geometry = None
    #: For sizes and distances.
    cosmology = "PSZ2"
    at_a_time = 64

    @abstractmethod
    def _map(self, sample, posterior):
        """Map clusters that have a redshift, a position and a mass.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            At least one cluster.
        posterior : `~szmass.results.LogMassPosterior`
            Their masses, M500c.

        Returns
        -------
        `MassMapStack`
            One map per cluster, in order.
        """

    def predict(self, sample):
        """Map the projected mass of the clusters of a sample.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters; it is not changed.

        Returns
        -------
        `MassMapStack`
            One map per cluster in the order of the sample; NaN with a flag where none can be made.

        Raises
        ------
        InvalidInputError
            The sample lacks a whole input: no cutouts attached, no such column, no redshifts at
            all for the mass; or an option makes no sense.
        """
        check_kind(sample, "ClusterSample", "sample")
        grid, cosmology = self._grid_of(sample), get_cosmology(self.cosmology)
        if sample.fields:  # what was put into the dict has not been compared with the clusters
            fields, sample = sample.fields, sample[:]
            sample.fields = fields
        flag = self._missing(sample)
        unknown = ~np.isfinite(lonlat(sample.coord, grid.frame)).all(axis=0)
        flag[unknown] |= MassMapFlag.NO_POSITION
        posterior, meta = self._posterior(sample), self._meta(sample)
        median = posterior.median().to_value(u.solMass)
        with np.errstate(invalid="ignore"):
            fine = (median > 10 * MASS_RANGE[0]) & (median < MASS_RANGE[1] / 10)
        flag[~fine] |= MassMapFlag.NO_MASS
        some = np.flatnonzero(flag == 0)
        if not grid.relative:
            theta = theta_arcmin(median[some], sample.redshift[some], cosmology)
            flag[some[grid.pixel_side("arcmin") > theta]] |= MassMapFlag.COARSE
        n, shape = len(sample), grid.shape
        result = MassMapStack(
            np.full((n, *shape), np.nan, np.float32),
            np.full((n, *shape), np.nan, np.float32),
            np.zeros((n, 0, *shape), np.float32),
            sample.coord,
            grid,
            names=sample.names,
            redshift=sample.redshift,
            r500=np.full(n, np.nan),
            flag=flag,
            cosmology=cosmology,
            meta=meta,
        )
        rows = np.flatnonzero(flag == 0)
        for piece in self._pieces(rows):
            place = rows[piece]
            made = self._map(sample[place], posterior[place])
            if not isinstance(made, MassMapStack) or len(made) != len(place):
                raise InvalidInputError(
                    f"The estimator {self.tag!r} must give a MassMapStack of {len(place)} "
                    f"clusters. Received: {made!r:.80}"
                )
            if not result.modes.shape[1]:
                modes = (n, *made.modes.shape[1:])
                result.modes = np.full(modes, np.nan, np.float32)
            lost = ~np.isfinite(made.data).all(axis=(1, 2)) & (made.flag == 0)
            for name in ("data", "std", "modes", "r500"):
                getattr(result, name)[place] = getattr(made, name)
            result.flag[place] = made.flag | np.where(lost, MassMapFlag.FAILED, 0)
        return result

    def _grid_of(self, sample):
        """The grid of the maps, with the directions of the cutouts."""
        stack = sample.cutouts
        if self.geometry is None:
            like = {} if stack is None else _directions(stack.geometry)
            return CutoutGeometry(_SHAPE, 1 / _FINE, **like)
        grid = check_kind(self.geometry, "CutoutGeometry", "geometry")
        if grid.relative and grid.pixel_scale > 1:
            raise InvalidInputError(
                f"Pixels of 'geometry' must not be larger than R500. Received: {grid!r}"
            )
        if stack is not None and _directions(grid) != _directions(stack.geometry):
            raise InvalidInputError(
                "'geometry' must have the frame and the rotation of the cutouts, "
                f"{stack.geometry!r}. Received: {grid!r}"
            )
        return grid

    def _mass_source(self):
        if isinstance(self.mass, LogMassPosterior):
            return self.mass
        return find_estimator(ESTIMATORS, MassEstimator, self.mass)

    def _posterior(self, sample):
        """Posteriors of the masses of all clusters, on the scale that is asked for."""
        source = self._mass_source()
        if isinstance(source, LogMassPosterior):
            posterior = _rows_of(source, sample)
        elif not len(sample):
            posterior = LogMassPosterior(_GRID, np.empty((0, len(_GRID))), np.ones(len(_GRID)))
        elif source.gives_posterior:
            posterior = source.predict_posterior(sample)
        else:
            posterior = _of_masses(source.predict(sample))
        return posterior if self.one_minus_b is None else posterior.rescaled(self.one_minus_b)

    def _y_scale(self, posterior):
        """1-b of the Y500 that is expected of the masses; that of the mocks where it is unknown."""
        scale = MassScale(posterior.meta.get("mass_scale", "unknown")).one_minus_b
        return 0.8 if scale is None else scale

    def _lacking(self, sample, need):
        flag = np.zeros(len(sample), int)
        if need == "redshift":
            low, high = self.redshift_range
            with np.errstate(invalid="ignore"):
                fine = (sample.redshift >= low) & (sample.redshift <= high)
            flag[~fine] = MassMapFlag.NO_REDSHIFT
        return flag

    def _family_meta(self, sample):
        source = self._mass_source()
        named = "LogMassPosterior" if isinstance(source, LogMassPosterior) else source.tag
        return {
            "szmass": "massmaps",
            "mass_from": named,
            "one_minus_b": self.one_minus_b,
            "mass_definition": "500c",
            "cosmology": str(get_cosmology(self.cosmology).name),
            "maps_are": "posterior means under the simulator of szmass",
        }

    @staticmethod
    def _masses(posterior):
        """log10 M of the median and of each of the haloes that stand for all, (N,) and (N, DRAWS).

        ``error`` is half the distance of the 16 % and 84 % quantiles.
        """
        at = np.concatenate([[0.5, 0.1587, 0.8413], probabilities()])
        found = np.log10(posterior.quantile(at).to_value(u.solMass))
        return found[:, 0], 0.5 * (found[:, 2] - found[:, 1]), found[:, 3:]


def _directions(geometry):
    return {"frame": geometry.frame, "rotation": geometry.rotation}


def _rows_of(posterior, sample):
    """The posteriors of the clusters of a sample, by their names; NaN for those it lacks."""
    places = {name: i for i, name in enumerate(posterior.names)}
    if len(places) < len(posterior):
        raise InvalidInputError("The posterior 'mass' must have a name for each cluster, once.")
    rows = np.array([places.get(name, -1) for name in sample.names], int)
    if len(rows) and not np.any(rows >= 0):
        raise InvalidInputError(
            f"The posterior 'mass' is of other clusters than the sample: none is named "
            f"{str(sample.names[0])!r}."
        )
    found = np.flatnonzero(rows >= 0)
    return LogMassPosterior.joined(
        [posterior[rows[found]]],
        [found],
        names=sample.names,
        redshift=sample.redshift,
        flag=np.zeros(len(sample), int),
        meta=posterior.meta,
    )


def _of_masses(table):
    """Densities of masses with errors: normal in log M, of two widths."""
    mass, low, high = (
        np.ma.filled(np.ma.asarray(u.Quantity(table[name], u.solMass).value, float), np.nan)
        for name in ("mass", "mass_errn", "mass_errp")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        down, up = -np.log10(1 - low / mass), np.log10(1 + high / mass)
        # Without an error a mass is taken as good to a hundredth.
        down, up = (np.where(np.isfinite(v), np.maximum(v, 0.004), 0.004) for v in (down, up))
        away = _GRID - np.log10(mass)[:, np.newaxis]
        width = np.where(away < 0, down[:, np.newaxis], up[:, np.newaxis])
        # Steps of the grid must resolve the width.
        density = np.exp(-0.5 * (away / np.maximum(width, 0.008)) ** 2)
        outside = ~(density.max(axis=1, initial=0) > 1e-3)
    density[outside] = np.nan
    return LogMassPosterior(
        _GRID,
        density,
        np.ones(len(_GRID)),
        names=table["name"],
        meta={"mass_scale": table.meta.get("mass_scale", "unknown")},
    )


def get_map_estimator(estimator, **options):
    """Look an estimator of mass maps up by its tag, or pass one through.

    Parameters
    ----------
    estimator : str or MapEstimator
        A tag in `MAP_ESTIMATORS`, or an instance.
    **options : dict
        Options, for a tag.

    Returns
    -------
    MapEstimator
        The estimator.

    Raises
    ------
    UnknownNameError, InvalidInputError
        As `~szmass.estimators.find_estimator` raises them.

    Examples
    --------
    >>> from szmass.massmaps import get_map_estimator
    >>> get_map_estimator("nfw", mass="scaling").tag
    'nfw'
    """
    return find_estimator(MAP_ESTIMATORS, MapEstimator, estimator, **options)
