"""What estimators of the dynamical state from maps have in common: their options and inputs."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import astropy.units as u
from scipy.special import ndtr

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps import CutoutGeometry
from szmass.maps.noise import get_noise_model
from szmass.morphology._state_signal import check_images
from szmass.morphology.state_estimators import StateEstimates, StateEstimator
from szmass.physics import get_cosmology
from szmass.physics.checks import check_one_minus_b

__all__ = ["Learned", "MapState"]


class Learned(NamedTuple):
    """What was learned from mock clusters, and on which images.

    Parameters
    ----------
    kind, name : str
        What it is, such as "fits", and its name.
    shape : (int, int)
        Rows and columns of cutouts.
    pixel_arcmin, beam_arcmin : float
        Side of their pixels, and FWHM of the beam.
    bands : sequence of str
        Of "y" and "X".
    training : dict
        What the mocks were.
    metrics : dict
        Figures of merit by the name of the definition.
    """

    kind: str
    name: str
    shape: tuple
    pixel_arcmin: float
    beam_arcmin: float
    bands: tuple
    training: dict
    metrics: dict

    @property
    def words(self):
        """Kind and name, for messages."""
        return f"{self.kind} {self.name!r}"


@dataclass(kw_only=True, eq=False, repr=False)
class MapState(StateEstimator):
    """Dynamical states from y-maps and X-ray images, learned from mock clusters.

    A sub-class has what was learned, and implements `_learned` and `_told`.

    Parameters
    ----------
    definition : str, optional
        Definition of the state: one that was learned, "deluca2021" or "cui2018".
    mass : str, optional
        Column of the masses M500c that R500 is computed from.
    one_minus_b : float, optional
        Ratio 1-b of these masses to the true ones: R500 is that of the mass over it. Masses such
        as MSZ of PSZ2 have about 0.8.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For R500.
    noise : `~szmass.maps.NoiseModel` or {"planck"}, optional
        Noise of the y-map; by default that of the map that the cutouts are from.
    depth : float or str, optional
        Factor of the noise amplitude: a number, or the name of a column. By default that of the
        model where it is known by position, else 1.
    """

    references = ("2018MNRAS.480.2898C",)  # whose clusters the states of the mocks are of

    definition: str = "deluca2021"
    mass: str = "msz"
    one_minus_b: float = 0.8
    cosmology: object = "PSZ2"
    noise: object = None
    depth: object = None

    @abstractmethod
    def _learned(self):
        """Give what was learned, a `Learned`."""

    @abstractmethod
    def _told(self, sample, mass, levels, **options):
        """Give what `quantiles` does.

        ``mass`` are those that R500 is computed from; options are ``cosmology``, ``noise``,
        ``depth`` and ``bands``.
        """

    @property
    def geometry(self):
        """The grid of the mocks that were learned from."""
        learned = self._learned()
        return CutoutGeometry(tuple(learned.shape), learned.pixel_arcmin * u.arcmin)

    @property
    def bands(self):
        """Bands of the images that were learned from: "y", and perhaps "X" for X-rays."""
        return tuple(self._learned().bands)

    @property
    def needs(self):
        """A redshift, cutouts, and the column of masses."""
        return frozenset({"redshift", "cutout", self.mass})

    def _noise(self, sample):
        stack = sample.cutouts
        return stack.noise if self.noise is None else get_noise_model(self.noise)

    def _extra_meta(self, sample):
        learned, noise = self._learned(), self._noise(sample)
        return {
            learned.kind: learned.name,
            "trained_on": dict(learned.training),
            "metrics": {
                name: dict(found["all"])
                for name, found in learned.metrics.items()
                if name == self.definition
            },
            "prior": "mocks of the training at the mass and redshift of the cluster",
            "bands": list(learned.bands),
            "xray": "xray" in sample.fields,
            "noise": None if noise is None else str(noise.meta.get("source", "user")),
            "noise_rms": None if noise is None else float(noise.rms()),
            "mass_column": self.mass,
            "one_minus_b": check_one_minus_b(self.one_minus_b, one=True),
            "cosmology": str(get_cosmology(self.cosmology).name or self.cosmology),
        }

    def quantiles(self, sample, levels):
        """Give quantiles of the number of the state of clusters whose mass and redshift are known.

        Parameters
        ----------
        sample : `~szmass.clusters.ClusterSample`
            N clusters with cutouts.
        levels : sequence of float
            L probabilities.

        Returns
        -------
        quantiles : `~numpy.ndarray`
            log10 of the number, (N, L).
        p_relaxed, p_prior : `~numpy.ndarray`
            Probability of being relaxed, and that without the map, (N,).
        flag : `~numpy.ndarray` of int
            Bits of `StateFlag`.

        Raises
        ------
        CardMismatchError
            The cutouts are others than those that were learned from.
        InvalidInputError
            The column of masses has another unit, or the noise is not known.
        UnknownNameError
            The definition was not learned.
        """
        learned = self._learned()
        xrays = sample.fields.get("xray") if "X" in learned.bands else None
        for stack in (sample.cutouts, xrays):
            if stack is sample.cutouts or getattr(stack, "beam", None) is not None:
                check_images(stack, learned.words, learned.beam_arcmin, learned.pixel_arcmin)
        depth = sample.quantity(self.depth).value if isinstance(self.depth, str) else self.depth
        if depth is not None:
            depth = as_floats(depth, "", "depth", positive=True, finite=True)
        mass = sample.quantity(self.mass)
        if not mass.unit.is_equivalent(u.solMass):
            raise InvalidInputError(
                f"'mass' must be a column of masses. Received: {self.mass!r}, in {mass.unit}"
            )
        mass = mass / check_one_minus_b(self.one_minus_b, one=True)
        options = {"cosmology": self.cosmology, "noise": self._noise(sample), "depth": depth}
        return self._told(sample, mass, levels, bands=learned.bands, **options)

    def _tell(self, sample):
        found, p_relaxed, p_prior, flag = self.quantiles(sample, ndtr([-1.0, 0.0, 1.0]))
        low, middle, high = found.T
        return StateEstimates(middle, middle - low, high - middle, p_relaxed, p_prior, flag)
