"""Flags of tables of morphology and of dynamical states, and what each means in words."""

from szmass._utils.flags import WordedFlag

__all__ = ["MorphologyFlag", "StateFlag"]


class MorphologyFlag(WordedFlag):
    """Bits of the column ``flag`` of a table of morphology; 0 means that nothing is to be said.

    Examples
    --------
    >>> from szmass.morphology import MorphologyFlag
    >>> MorphologyFlag.describe(5)
    'NO_R500|NO_IMAGE'
    >>> MorphologyFlag.NO_IMAGE.words
    'The image has no valid pixel around the cluster.'
    """

    NO_R500 = 1, "R500 is not known, or not positive."
    NO_REDSHIFT = 2, "The apertures are in kpc, and no redshift is known."
    NO_IMAGE = 4, "The image has no valid pixel around the cluster."
    CONSTANT = 8, "All valid pixels around the cluster have one value."
    NOT_POSITIVE = 16, "The light inside the aperture, background subtracted, is not positive."
    NO_CENTER = 32, "No centre was found: it is off the image, or the centroid runs away."
    TOO_LARGE = 64, "An aperture reaches beyond the image: what needs it is missing."
    MASKED = 128, "Pixels inside the aperture are masked, and were filled with the mean profile."
    MOSTLY_MASKED = 256, "More of the aperture is masked than was allowed: nothing is measured."
    UNRESOLVED = 512, "R500 is within the beam or three pixels, or the core within half a pixel."
    PEAK_AT_EDGE = 1024, "The brightest place is at the edge of where it was searched."
    NO_FIT = 2048, "The ellipse or the Gaussian was not found: its value is missing."
    FAILED = 4096, "The measurement stopped with an error."
    NO_BACKGROUND = 8192, "The ring of the background has no valid pixel: nothing is measured."


class StateFlag(WordedFlag):
    """Bits of the column ``flag`` of a table of states; 0 means that nothing is to be said.

    Examples
    --------
    >>> from szmass.morphology import StateFlag
    >>> StateFlag.describe(24)
    'LOW_SNR|PRIOR'
    >>> StateFlag.PRIOR.words
    'The map told nothing: the result is the prior at this mass and redshift.'
    """

    NO_REDSHIFT = 1, "No redshift, or none that a cluster has: nothing is told."
    NO_MASS = 2, "The mass, and with it R500, is not known or none of a cluster: nothing is told."
    NO_IMAGE = 4, "A map has no valid pixel around the cluster."
    LOW_SNR = 8, "The signal in R500 of a map is below its noise: that map was left out."
    PRIOR = 16, "The map told nothing: the result is the prior at this mass and redshift."
    BEYOND_MOCKS = 32, "Mass or redshift is beyond those of the clusters that were learned from."
    EXTRAPOLATED = 64, "What was measured is beyond nearly all clusters that were learned from."
    INCOMPLETE = 128, "Part of what is measured is masked, or beyond the map."
    UNRESOLVED = 256, "R500 is within the beam or three pixels."
    NOT_MEASURED = 512, "Nothing could be measured on a map: that map was left out."
    NO_XRAY = 1024, "There is no X-ray image, which the fit knows how to use."
    FAILED = 2048, "The estimator gave no number."
