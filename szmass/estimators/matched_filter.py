"""Masses from matched filters: the signal of a known shape, and the mass that fits it."""

from dataclasses import dataclass
from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._utils.pieces import row_products
from szmass._utils.quantities import as_floats
from szmass.estimators._catalogue_errors import (
    position_errors,
    redshift_errors,
    redshift_shifts,
)
from szmass.estimators.core import MassEstimator, register_estimator
from szmass.estimators.filters._banks import OffsetBank, centring_losses, cluster_templates
from szmass.estimators.filters._likelihoods import (
    peak_and_interval,
    slice_log_likelihood,
)
from szmass.estimators.filters._setup import (
    MatchedFilters,
    NeedsDepth,
    depth_factors,
    field_flags,
)
from szmass.estimators.filters._templates import SIZES, at_sizes, radial_templates
from szmass.estimators.filters.scan import FilterScan
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry, CutoutStack
from szmass.maps.cutouts import as_stack
from szmass.physics.checks import check_one_minus_b
from szmass.physics.cosmology import get_cosmology
from szmass.physics.curves import mass_curve
from szmass.physics.scaling import get_scaling_relation
from szmass.physics.templates import disc_transform
from szmass.results import MassEstimates, MassFlag

__all__ = ["MatchedFilterMass"]

_LOG10_MASS = np.linspace(12.5, 16.5, 401)

# Least part of the lower error that is left where positions are so wrong that the mass is too low.
_LEAST_LOWER = 0.25

# Distance of the positions that a search tries, in units of the beam, and how far filters reach
# [arcmin]: the next of these, whatever the other clusters ask for.
_SEARCH_STEP, _REACHES = 0.1, (3.0, 6.0, 12.0)
_FARTHEST = _REACHES[-1]


_offset_bank = lru_cache(maxsize=len(_REACHES))(OffsetBank)


@register_estimator
@dataclass(kw_only=True, eq=False, repr=False)
class MatchedFilterMass(NeedsDepth, MassEstimator):
    """Masses as Planck's MSZ: the signal of a matched filter, cut along the Y-M relation.

    A template of the pressure profile through beam and pixels is fitted to the cutout, weighted
    with the inverse covariance of the noise on the pixels that are there; a constant offset is
    marginalised. The likelihood of size and signal is strongly degenerate. A known redshift leaves
    one curve of it, on which Y500 and theta500 belong to one mass: the mass is its maximum, the
    errors reach to the 16 % and 84 % quantiles.

    Parameters
    ----------
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the map, of its beam; "planck" is ``NoiseModel.planck()``, the median of the sky.
        By default that of the map that the cutouts are from; if not known there, it must be said.
    profile : str or `~szmass.physics.GNFWProfile`, optional
        Pressure profile of the template.
    relation : str or `~szmass.physics.ScalingRelation`, optional
        Mean Y500 of a mass.
    one_minus_b : float, optional
        Ratio 1-b of the mass of the relation to the mass that comes out. The default
        of 1 gives masses on the scale of the PSZ2 column ``msz``.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For sizes and distances.
    depth : float or str, optional
        Factor of the noise amplitude: a number, the name of a column, or "field", measured in each
        cutout to about 10 %. By default that of the model where it is known by position, else 1.
        It scales errors and signal-to-noise ratios; masses hardly depend on it.
    search : `~astropy.units.Quantity` or str, optional
        Look for the highest signal-to-noise ratio within this angle of the position, or, with
        "pos_err", within the position error in that column; at most 12 arcmin. A maximum over
        positions is biased high. By default the position is taken as it is.
    map_pixel : `~astropy.units.Quantity`, optional
        Side of the pixels of the map. By default that which the cutouts know, or else their own.

    Notes
    -----
    The errors are statistical: neither the scatter of the relation nor the error of its
    calibration is in them. `LikelihoodMass` has the scatter. Where the sample has ``redshift_err``,
    a standard error, they hold how far the mass moves with the redshift; 0, negative and unknown
    ones count as exact. Where it has ``pos_err``, a 95 % radius, and no ``search`` is made, they
    hold the signal that is lost to a wrong position: the mass stays that at the position as it is,
    its upper error grows, and the lower one shrinks, at most to a quarter.

    Flags: ``NOT_POSITIVE`` for a signal that no mass has, ``BLENDED`` where a neighbour may change
    the signal by more than its error and 5 % of it, ``CUTOUT_TOO_SMALL`` for 5
    theta500 beyond the cutout, ``INCOMPLETE_CUTOUT`` where pixels were missing; the filters are
    then those that are optimal on what is there. Where the maximum lies outside of the quantiles,
    as it may where there is little but noise, that error reaches to where ln L is lower by 1/2.

    References
    ----------
    Melin, Bartlett & Delabrouille 2006, A&A 459, 341; Planck Collaboration 2014, A&A 571, A29,
    section 7.2.2; 2016, A&A 594, A27, section 5.4.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.estimators import MatchedFilterMass
    >>> from szmass.simulations import from_masses, simulate
    >>> clusters = from_masses([8e14] * u.solMass, 0.12, names=["Mock"])
    >>> sample = simulate(clusters, "planck-total", cosmology="PSZ2", seed=5)
    >>> table = MatchedFilterMass(one_minus_b=0.8).predict(sample)
    >>> print(f"{table['mass'][0]:.2g}, {table['mass_errp'][0]:.1g}")
    8.6e+14 solMass, 3e+13 solMass
    """

    tag = "matched_filter"
    description = "matched filter on Compton-y cutouts and Y500-M500 relation, as Planck's MSZ"
    requires = frozenset({"redshift", "cutout"})
    kind = "filter"
    errors_hold = ("noise",)
    point_estimate = "maximum of the likelihood along the relation"
    at_a_time = 1024
    references = ("2006A&A...459..341M", "2014A&A...571A..29P", "2016A&A...594A..27P")

    noise: object = None
    profile: object = "arnaud2010"
    relation: object = "planck2015"
    one_minus_b: float = 1.0
    cosmology: object = "PSZ2"
    depth: object = None
    search: object = None
    map_pixel: object = None

    def _setup(self, stack):
        return MatchedFilters(stack, self.noise, self.profile, self.map_pixel)

    def _extra_meta(self, sample):
        setup = self._setup(sample.cutouts)
        relation = get_scaling_relation(self.relation)
        return {
            "references": list(
                dict.fromkeys((*relation.references, *setup.profile.references, *self.references))
            ),
            "mass_scale": check_one_minus_b(self.one_minus_b, one=True),
            "errors_hold": [
                "noise",
                *(["centring"] if np.any(self._centring(sample) > 0) else []),
                *(["redshift"] if np.any(redshift_errors(sample) > 0) else []),
            ],
            "relation": relation.name,
            "profile": setup.profile.name,
            "one_minus_b": check_one_minus_b(self.one_minus_b, one=True),
            "cosmology": str(get_cosmology(self.cosmology).name or self.cosmology),
            **setup.meta,
        }

    def _measured(self, setup, sample):
        """SNR (N, S), 1 / sigma (N or 1, S) at depth 1, depths (N,), places (N, 2), Measured."""
        stack = sample.cutouts
        measured = setup.bank.measure(stack.data, stack.footprint)
        snr, root = measured.snr, measured.root
        offset = np.zeros((len(sample), 2))
        if self.search is not None:
            radius = self._radius(sample)
            splines = cluster_templates(setup.field, setup.profile, setup.variance)
            step = _SEARCH_STEP * setup.field.beam
            root = np.broadcast_to(root, snr.shape).copy()
            whole = setup.bank.measure(np.zeros_like(stack.data[:1])).root
            reach = np.searchsorted(_REACHES, radius)
            for i in np.unique(reach):
                bank = _offset_bank(setup.field, splines, _REACHES[i], step)
                rows = np.flatnonzero((reach == i) & (measured.gram[:, 0, 0, 0] > 0))
                best, projection, gram = bank.search(
                    stack.data[rows], stack.footprint[rows], radius[rows]
                )
                moved, gram, projection = rows[best > 0], gram[best > 0], projection[best > 0]
                ratio = root[moved] / whole
                root[moved] = np.sqrt(gram) * ratio
                # The projection is on the field as filled, so that holes are in it already.
                snr[moved] = projection / np.sqrt(gram) / ratio
                offset[moved] = bank.positions[best[best > 0]]
        return snr, root, depth_factors(self.depth, setup, sample), offset, measured

    def _radius(self, sample):
        if isinstance(self.search, str) and self.search == "pos_err":
            radius = np.nan_to_num(sample.quantity("pos_err").to_value(u.arcmin))
        else:
            radius = as_floats(self.search, u.arcmin, "search", finite=True)
            if radius.ndim or not 0 <= radius <= _FARTHEST:
                raise InvalidInputError(
                    f"'search' must be one angle of at most {_FARTHEST:g} arcmin, or 'pos_err'. "
                    f"Received: {self.search!r}"
                )
        return np.minimum(np.broadcast_to(radius, len(sample)), _FARTHEST)

    def scan(self, sample):
        """Fit templates of all sizes of a grid; redshifts are not needed.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters with cutouts.

        Returns
        -------
        FilterScan
            Signals, errors and signal-to-noise ratios; NaN where a cutout has no valid pixels.

        Raises
        ------
        InvalidInputError
            There are no cutouts, or beam, geometry and noise do not go together.
        """
        parts, setup = [], self._setup(as_stack(sample))
        for piece in self._pieces(sample) or [slice(None)]:
            part = sample[piece]
            snr, root, depth, offset, _ = self._measured(setup, part)
            unseen = ~(root[:, -1:] > 1e-100)
            snr = np.where(unseen, np.nan, snr / depth[:, np.newaxis])
            error = np.where(unseen, np.nan, depth[:, np.newaxis] / root)
            parts.append((snr, np.broadcast_to(error, snr.shape), offset))
        snr, error, offset = (np.concatenate(p) for p in zip(*parts, strict=True))
        return FilterScan(
            sample.names,
            SIZES * u.arcmin,
            snr * error * u.arcmin**2,
            error * u.arcmin**2,
            snr,
            offset * u.arcmin,
        )

    def measure(self, sample, theta500):
        """Fit the template of a given size.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters with cutouts.
        theta500 : `~astropy.units.Quantity`
            One size, or one per cluster, between 0.5 and 200 arcmin; NaN gives NaN.

        Returns
        -------
        `~astropy.table.QTable`
            Columns name, theta500, y500, y500_err, snr, offset.

        Raises
        ------
        InvalidInputError
            A size is out of range, or see `scan`.
        """
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True)
        if theta.shape not in ((), (len(sample),)):
            raise InvalidInputError(
                f"'theta500' must be one size or one per cluster ({len(sample)}). "
                f"Received: shape {theta.shape}"
            )
        theta = np.broadcast_to(theta, len(sample))
        if np.any((theta < SIZES[0]) | (theta > SIZES[-1])):
            raise InvalidInputError(
                f"'theta500' must be between {SIZES[0]:g} and {SIZES[-1]:g} arcmin. Received: "
                f"{np.nanmin(theta):g} to {np.nanmax(theta):g}"
            )
        scan = self.scan(sample)
        known = np.isfinite(theta)
        at = np.where(known, theta, SIZES[0])[:, np.newaxis]
        snr = at_sizes(scan.snr, at)[:, 0] if len(scan) else np.zeros(0)
        error = np.exp(at_sizes(np.log(scan.y500_err.value), at)[:, 0]) if len(scan) else snr
        snr, error = (np.where(known, value, np.nan) for value in (snr, error))
        return QTable(
            {
                "name": scan.names,
                "theta500": theta * u.arcmin,
                "y500": snr * error * u.arcmin**2,
                "y500_err": error * u.arcmin**2,
                "snr": snr,
                "offset": scan.offset,
            }
        )

    def surface(self, sample, row, *, y500=None):
        """Give the probability of size and signal of one cluster, and the curve of the relation.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            The clusters.
        row : int or str
            Number or name of the cluster.
        y500 : `~astropy.units.Quantity`, optional
            Signals at which to give it, evenly spaced [arcmin2].

        Returns
        -------
        SignalSurface
            The curve is None where the redshift is not known.

        Raises
        ------
        InvalidInputError
            See `scan` and `FilterScan.surface`.
        """
        if isinstance(row, str):
            row = int(np.flatnonzero(sample.names == sample[row].name)[0])
        one = sample[row : row + 1] if row >= 0 else sample[len(sample) + row :][:1]
        curve = None
        if np.isfinite(one.redshift[0]):
            theta, signal = self._curve(one.redshift)
            inside = (theta[0] >= SIZES[0]) & (theta[0] <= SIZES[-1])
            curve = theta[0, inside] * u.arcmin, signal[0, inside] * u.arcmin**2
        return self.scan(one).surface(0, y500=y500, curve=curve)

    def snr_map(self, sample, theta500):
        """Make maps of the signal-to-noise ratio that a cluster of given size has anywhere.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters with cutouts.
        theta500 : `~astropy.units.Quantity`
            The size.

        Returns
        -------
        `~szmass.maps.CutoutStack`
            Signal-to-noise ratios instead of y, on the blocks of pixels that the filters use.
            Positions next to the edge see only a part of the template, and their noise is larger
            accordingly. Positions in holes of the footprint are NaN.

        Raises
        ------
        InvalidInputError
            The size is not one, or see `scan`.
        """
        stack = as_stack(sample)
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True, finite=True)
        if theta.ndim:
            raise InvalidInputError(f"'theta500' must be one size. Received: {theta500!r}")
        setup = self._setup(stack)
        field = setup.field
        weights, root = _map_filter(field, setup.profile, setup.variance, float(theta))
        depth = depth_factors(self.depth, setup, sample)
        snr = row_products(field.fill_all(stack.data, stack.footprint).astype(np.float32), weights)
        snr = (snr / root / depth[:, np.newaxis]).reshape(-1, *field.counts)
        covered = np.array([field.covered(f) for f in stack.footprint], dtype=bool)
        covered = covered.reshape(snr.shape) & np.isfinite(snr)
        return CutoutStack(
            np.where(covered, snr, np.nan),
            covered,
            stack.coord,
            names=stack.names,
            geometry=CutoutGeometry(
                shape=field.counts,
                pixel_scale=field.block * stack.geometry.pixel_scale,
                frame=stack.geometry.frame,
                rotation=stack.geometry.rotation,
            ),
            beam=stack.beam,
            meta={"quantity": "signal-to-noise ratio", "theta500_arcmin": float(theta)},
        )

    def _curve(self, redshift):
        return mass_curve(
            _LOG10_MASS, redshift, self.relation, self.one_minus_b, get_cosmology(self.cosmology)
        )

    def _weigh(self, sample):
        setup = self._setup(sample.cutouts)
        snr, root, depth, _, measured = self._measured(setup, sample)
        theta, y500 = self._curve(sample.redshift)
        log_likelihood = slice_log_likelihood(snr, root, theta, y500, depth)
        peak, low, high = (10**x for x in peak_and_interval(_LOG10_MASS, log_likelihood))
        root = np.broadcast_to(root, snr.shape)
        at_top = np.argmax(log_likelihood, axis=1) == len(_LOG10_MASS) - 1
        unseen = ~(root[:, -1] > 1e-100)
        peak[unseen] = np.nan
        found = np.isfinite(peak)
        size = np.full(len(peak), np.nan)
        size[found] = theta[found, 0] * np.cbrt(peak[found] / 10 ** _LOG10_MASS[0])
        flag = field_flags(setup, sample, size, depth, measured)
        flag |= np.where(~found & ~at_top & ~unseen, MassFlag.NOT_POSITIVE, 0)
        flag |= np.where(at_top, MassFlag.EXTRAPOLATED, 0)
        errn, errp = peak - low, high - peak

        def mass(redshift, rows):
            curve = self._curve(redshift)
            log_likelihood = slice_log_likelihood(snr[rows], root[rows], *curve, depth[rows])
            return 10 ** peak_and_interval(_LOG10_MASS, log_likelihood)[0]

        nearer, farther = redshift_shifts(
            mass, peak, sample.redshift, redshift_errors(sample), self.redshift_range
        )
        least, middle, most = self._losses(setup, size, self._centring(sample))
        more = (nearer != 0) | (farther != 0) | (most > 0)
        with np.errstate(invalid="ignore"):
            down, up = -np.log1p(-errn / peak), np.log1p(errp / peak)
            lower = np.sqrt(down**2 + nearer**2 + (middle - least) ** 2) - middle
            down = np.maximum(lower, _LEAST_LOWER * down)
            up = np.sqrt(up**2 + farther**2 + (most - middle) ** 2) + middle
        errn = np.where(more, -peak * np.expm1(-down), errn)
        errp = np.where(more, peak * np.expm1(up), errp)
        flag |= np.where(found & np.isnan(errn + errp), MassFlag.NO_ERROR, 0)
        return MassEstimates(peak, errn, errp, flag)

    def _losses(self, setup, size, sigma):
        """What a wrong position takes from ln M: 16 %, 50 % and 84 % quantiles (3, N)."""
        losses = np.zeros((3, len(size)))
        rows = np.flatnonzero((sigma > 0) & np.isfinite(size))
        if len(rows):
            radii, table = centring_losses(setup.field, setup.profile, setup.variance)
            nearest = np.abs(np.log(SIZES) - np.log(size[rows, np.newaxis])).argmin(axis=1)
            quantiles = np.sqrt(-2 * np.log([[0.841345], [0.5], [0.158655]])) * sigma[rows]
            slope = get_scaling_relation(self.relation).alpha
            for row, at, column in zip(rows, quantiles.T, nearest, strict=True):
                losses[:, row] = np.interp(at, radii, table[:, column]) / slope
        return losses

    def _centring(self, sample):
        """Standard errors of positions per axis [arcmin] that errors hold."""
        return position_errors(sample) if self.search is None else np.zeros(len(sample))


@lru_cache(maxsize=4)
def _map_filter(field, profile, variance, theta):
    """Weights (blocks, positions) and 1 / sigma (positions) of one size at every block."""
    reach = 10 + 2 * field.reach
    spline = radial_templates(
        lambda k: disc_transform(k, profile), np.array([theta]), variance, reach
    )
    templates = field.shifted(spline, 1)[1][..., 0].astype(float)
    weights = field.weights(templates)
    root = np.sqrt(np.einsum("bp,bp->p", templates, weights))
    return weights.astype(np.float32), root
