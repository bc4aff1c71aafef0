"""Published relations of observed clusters: power laws in mass and redshift."""

import astropy.units as u
import numpy as np

from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.model import BARYON_MODELS, PROPERTIES, BaryonModel
from szmass.physics.cosmology import efunc, get_cosmology

__all__ = ["PowerLawBaryonModel"]


class PowerLawBaryonModel(BaryonModel):
    """Power laws A (M500c / M_p)^B (E(z) / E(z_p))^D ((1 + z) / (1 + z_p))^C.

    Parameters
    ----------
    name : str
        Name of the model.
    physics : str
        The sample, in words.
    relations : dict
        By property: A in the units of `PROPERTIES`, B, C, D and the scatter of the logarithm.
    pivot : (`~astropy.units.Quantity`, float)
        M_p and z_p.
    mass_range : `~astropy.units.Quantity`
        Lowest and highest M500c of the sample.
    redshift_range : (float, float)
        Lowest and highest redshift of the sample.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        That of the measurements.
    correlation : array-like, optional
        Of the scatter of the properties; the papers at hand give none, and independent is assumed.
    lx_band : tuple, optional
        As in `BaryonModel`.
    references : tuple of str, optional
        ADS bibcodes.

    Raises
    ------
    InvalidInputError
        A property is not known, a number is missing, or the matrix is none of correlations.
    """

    def __init__(
        self,
        name,
        physics,
        relations,
        *,
        pivot,
        mass_range,
        redshift_range,
        cosmology="PSZ2",
        correlation=None,
        lx_band=(0.5, 2.0, "rest"),
        references=(),
    ):
        self.name, self.physics, self.properties = name, physics, tuple(relations)
        self.cosmology, self.lx_band, self.references = cosmology, lx_band, tuple(references)
        self.mass_range, self.redshift_range = mass_range, redshift_range
        numbers = np.array(list(relations.values()), dtype=float)
        if set(relations) - set(PROPERTIES) or numbers.shape != (len(relations), 5):
            raise InvalidInputError(
                f"'relations' must have five numbers for each of some of {', '.join(PROPERTIES)}. "
                f"Received: {relations!r}"
            )
        self._norm, *self._slopes, scatter = numbers.T
        self._pivot = pivot[0].to_value(u.solMass), pivot[1]
        matrix = np.eye(len(relations)) if correlation is None else np.array(correlation, float)
        self._covariance = matrix * scatter * scatter[:, np.newaxis]
        if matrix.shape != self._covariance.shape or np.linalg.eigvalsh(self._covariance)[0] <= 0:
            raise InvalidInputError("'correlation' must be a matrix of correlations.")

    def _moments(self, features):
        mass, redshift = features["m500c"], features["redshift"]
        cosmology = get_cosmology(self.cosmology)
        m, z = self._pivot
        of_mass, of_z, of_efunc = self._slopes
        mean = np.log(self._norm) + np.multiply.outer(np.log(mass / m), of_mass)
        mean += np.multiply.outer(np.log((1 + redshift) / (1 + z)), of_z)
        if np.any(of_efunc):
            ratio = efunc(redshift, cosmology) / cosmology.efunc(z)
            mean += np.multiply.outer(np.log(ratio), of_efunc)
        return mean, np.broadcast_to(self._covariance, (len(mass), *self._covariance.shape))


for _model in (
    PowerLawBaryonModel(
        "chiu2018",
        "91 clusters of SPT-SZ: gas by Chandra, stars by DES and WISE or Spitzer; masses by SZ",
        {
            "mgas500": (5.69e13, 1.33, -0.15, 0, 0.11),
            "mstar500": (4.00e12, 0.80, 0.05, 0, 0.22),
        },
        pivot=(4.8e14 * u.solMass, 0.6),
        mass_range=[2.5e14, 1.4e15] * u.solMass,
        redshift_range=(0.2, 1.25),
        references=("2018MNRAS.478.3072C",),
    ),
    PowerLawBaryonModel(
        "bulbul2019",
        "59 clusters of SPT-SZ by XMM-Newton, cores included; t_sl: spectroscopic; masses by SZ",
        {
            "mgas500": (7.37e13, 1.26, 0.18, 0, 0.10),
            "t_sl": (6.41, 0.80, -0.36, 2 / 3, 0.18),
            "lx": (4.12e44, 1.89, -0.20, 2, 0.27),
        },
        pivot=(6.35e14 * u.solMass, 0.45),
        mass_range=[3e14, 1.4e15] * u.solMass,
        redshift_range=(0.2, 1.5),
        references=("2019ApJ...871...50B",),
    ),
):
    BARYON_MODELS.add(_model.name, _model)
