"""Flags of mass maps, and what each means in words."""

from szmass._utils.flags import WordedFlag

__all__ = ["MassMapFlag"]


class MassMapFlag(WordedFlag):
    """Bits of the flag of a mass map; 0 means that nothing is to be said.

    Examples
    --------
    >>> from szmass.massmaps import MassMapFlag
    >>> MassMapFlag.describe(12)
    'ROUND|INCOMPLETE'
    >>> MassMapFlag.NO_MASS.words
    'No mass is known, or none that a cluster has: there is no map.'
    """

    NO_REDSHIFT = 1, "No redshift, or none that a cluster has: there is no map."
    NO_MASS = 2, "No mass is known, or none that a cluster has: there is no map."
    ROUND = 4, "The map resolves no shape: the halo is round."
    INCOMPLETE = 8, "Part of a band is not known inside 1.6 R500, or beyond its map."
    NO_CUTOUT = 16, "No band is known in a tenth of R500: the map is that of the baseline."
    BEYOND_MOCKS = 32, "Mass, redshift, beam or noise is beyond those that were learned from."
    NO_POSITION = 64, "The position is not known: there is no map."
    FAILED = 128, "The estimator gave no map."
    COARSE = 256, "Pixels are larger than R500: there is no map."
