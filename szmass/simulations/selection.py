"""Selection of clusters by a matched filter whose noise depends on size and on the place."""

import astropy.units as u
import numpy as np
from scipy.integrate import trapezoid

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.maps.noise.mmf import MMFNoiseTable
from szmass.physics.checks import check_mass, check_redshift
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import theta500
from szmass.physics.mass_function import SkyAbundance
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2

__all__ = ["SZSelection"]

# Steps of ln Y in the table of detection probabilities.
_STEP = 0.03


class SZSelection:
    """Detection of clusters above a signal-to-noise ratio in a survey of patches.

    A cluster is detected if Y500 / sigma(theta500, patch) + N(0, 1) exceeds ``q_cut``.

    Parameters
    ----------
    noise : `~szmass.maps.MMFNoiseTable` or path-like
        Noise of Y500 by size and patch, or the folder with Planck's three files of it.
    q_cut : float, optional
        Lowest signal-to-noise ratio.

    Raises
    ------
    InvalidInputError
        The cut is not positive.
    FileNotFoundError, FileFormatError
        See `~szmass.maps.MMFNoiseTable.read`.

    References
    ----------
    Planck Collaboration XX 2014, A&A 571, A20; XXIV 2016, A&A 594, A24.
    """

    def __init__(self, noise, *, q_cut=4.5):
        if not 0 < q_cut < np.inf:
            raise InvalidInputError(f"'q_cut' must be positive. Received: {q_cut!r}")
        self.noise = noise if isinstance(noise, MMFNoiseTable) else MMFNoiseTable.read(noise)
        self.q_cut = float(q_cut)

    def __repr__(self):
        return f"<SZSelection: q > {self.q_cut:g} in {self.noise!r}>"

    @property
    def sky_fraction(self):
        """Part of the sky that is surveyed."""
        return float(self.noise.sky_fraction.sum())

    def completeness(self, y500, theta500, *, sigma_lny=0.0):
        """Probability that a cluster somewhere in the survey is detected.

        Parameters
        ----------
        y500 : `~astropy.units.Quantity`
            Spherical Y500, a solid angle.
        theta500 : `~astropy.units.Quantity`
            Angular size, broadcast against ``y500``.
        sigma_lny : float, optional
            Scatter of ln Y500 about ``y500``.

        Returns
        -------
        ndarray
            Between 0 and 1.
        """
        y500 = as_floats(y500, u.arcmin**2, "y500", positive=True)
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True)
        y500, theta = np.broadcast_arrays(y500, theta)
        # In units of the median patch's noise the probability hardly depends on the size.
        sizes = self.noise.theta500
        ratio = self.noise.sigma_y500(sizes, patch="all") / self.noise.sigma_y500(sizes)[:, None]
        # Outside this range nothing, or everything, is detected.
        low = np.log(0.05 * ratio.value.min()) - 6 * sigma_lny
        high = np.log((self.q_cut + 8) * ratio.value.max()) + 6 * sigma_lny
        grid = np.arange(low, high + _STEP, _STEP)
        table = self._table(grid, ratio.value)
        log_y = np.log(y500 / self.noise.sigma_y500(theta * u.arcmin).value)
        log_y = np.clip(log_y, grid[0], grid[-1])
        if sigma_lny:
            from scipy.ndimage import gaussian_filter1d

            table = gaussian_filter1d(table, sigma_lny / _STEP, axis=1, mode="nearest", truncate=6)
        from scipy.interpolate import RegularGridInterpolator

        log_theta = np.log(sizes.value)
        points = np.clip(np.log(theta), log_theta[0], log_theta[-1])
        return RegularGridInterpolator((log_theta, grid), table)(np.stack([points, log_y], axis=-1))

    def _table(self, log_y, sigma):
        """Detection probability at the filter sizes, averaged over the patches."""
        from scipy.special import ndtr

        weight = self.noise.sky_fraction / self.sky_fraction
        y500 = np.exp(log_y)[:, np.newaxis]
        return np.array([ndtr(y500 / row - self.q_cut) @ weight for row in sigma])

    def expected_counts(
        self,
        *,
        cosmology,
        one_minus_b,
        relation="planck2015",
        sigma_lny=None,
        mass=(2e13, 1e16) * u.solMass,
        redshift=(0.005, 1.5),
    ):
        """Count the clusters that the mass function predicts above the cut.

        Parameters
        ----------
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology.
        one_minus_b : float
            Ratio of the mass that the relation is calibrated in to the true mass.
        relation : str or `ScalingRelation`, optional
            Mean Y500 of a mass.
        sigma_lny : float, optional
            Scatter of ln Y500; that of the relation by default.
        mass : `~astropy.units.Quantity`, optional
            Limits of the true M500c.
        redshift : (float, float), optional
            Limits of the redshift.

        Returns
        -------
        float
            Number in the whole survey.
        """
        cosmology = get_cosmology(cosmology)
        relation = get_scaling_relation(relation)
        sigma_lny = relation.sigma_lny if sigma_lny is None else sigma_lny
        grid = SkyAbundance(check_mass(mass), check_redshift(redshift), cosmology)
        # Both are power laws of mass: one distance per redshift is enough.
        pivots = np.exp(grid.log_mass) / 1e14
        y500, theta = self._signal(
            1e14 * u.solMass, grid.redshift, relation, one_minus_b, cosmology
        )
        detected = self.completeness(
            y500[:, np.newaxis] * pivots**relation.alpha,
            theta[:, np.newaxis] * np.cbrt(pivots),
            sigma_lny=sigma_lny,
        )
        per_redshift = trapezoid(grid.density * detected, grid.log_mass, axis=1)
        return float(trapezoid(per_redshift, grid.redshift) * self.sky_fraction)

    @staticmethod
    def _signal(mass, redshift, relation, one_minus_b, cosmology):
        y500 = relation.y500(mass, redshift, one_minus_b=one_minus_b, cosmology=cosmology)
        return (
            y_to_arcmin2(y500, redshift, cosmology=cosmology),
            theta500(one_minus_b * mass, redshift, cosmology=cosmology),
        )

    def _places(self, n, rng):
        """Draw a patch, and noise in units of its own, for each of n clusters."""
        weight = np.cumsum(self.noise.sky_fraction / self.sky_fraction)
        patch = np.minimum(np.searchsorted(weight, rng.random(n)), len(weight) - 1)
        return patch, rng.standard_normal(n)

    def draw_snr(self, y500, theta500, *, seed):
        """Put clusters into patches, and give their signal-to-noise ratio there.

        Parameters
        ----------
        y500 : `~astropy.units.Quantity`
            Spherical Y500 of each cluster, a solid angle; NaN gives NaN.
        theta500 : `~astropy.units.Quantity`
            Angular sizes.
        seed : int
            Seed. What `apply` draws of it for as many clusters is the same.

        Returns
        -------
        ndarray
            S/N; above ``q_cut`` clusters are detected.
        """
        y500 = as_floats(y500, u.arcmin**2, "y500", positive=True)
        theta = as_floats(theta500, u.arcmin, "theta500", positive=True)
        patch, noise = self._places(len(y500), generator(seed, "selection"))
        return y500 / self.noise.sigma_y500(theta * u.arcmin, patch=patch).value + noise

    def apply(
        self,
        sample,
        *,
        cosmology,
        one_minus_b=0.8,
        relation="planck2015",
        sigma_lny=None,
        seed,
    ):
        """Put clusters into patches, and tell the detected ones from the missed.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            With the column ``mass_true``. Columns ``y500_true`` (spherical, a solid angle) and
            ``theta500_true``, which painted clusters have, are taken for the signal; else it is
            drawn from the relation.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology.
        one_minus_b : float, optional
            As in `expected_counts`; used, as the next two, where there is no ``y500_true``.
        relation : str or `ScalingRelation`, optional
            As in `expected_counts`.
        sigma_lny : float, optional
            As in `expected_counts`.
        seed : int
            Seed.

        Returns
        -------
        selected : `~szmass.clusters.ClusterSample`
            Those detected, with the columns ``snr``, ``y500_true`` and ``depth``: the noise of the
            cluster's patch over that of the median patch at its size, for `simulate`.
        missed : `~szmass.clusters.ClusterSample`
            The others, with the same columns.

        Notes
        -----
        All clusters are put into the surveyed part of the sky. To count those of the whole sky,
        draw ``sky_fraction`` of them.
        """
        rng = generator(seed, "selection")
        sample = sample[:]
        patch, noise = self._places(len(sample), rng)
        scatter = rng.standard_normal(len(sample))
        if "y500_true" in sample.table.colnames:
            y500 = sample.quantity("y500_true")
            theta = sample.quantity("theta500_true")
        else:
            relation = get_scaling_relation(relation)
            sigma_lny = relation.sigma_lny if sigma_lny is None else sigma_lny
            mass = sample.quantity("mass_true")
            y500, theta = self._signal(
                mass, sample.redshift, relation, one_minus_b, get_cosmology(cosmology)
            )
            y500 = y500 * np.exp(sigma_lny * scatter)
        sigma = self.noise.sigma_y500(theta, patch=patch)
        snr = (y500 / sigma).to_value("") + noise
        sample.table["snr"] = snr
        sample.table["y500_true"] = y500
        sample.table["depth"] = (sigma / self.noise.sigma_y500(theta)).to_value("")
        return sample[snr > self.q_cut], sample[~(snr > self.q_cut)]
