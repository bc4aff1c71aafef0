"""Which clusters networks cannot weigh, beyond what every estimator looks at."""

import numpy as np

from szmass.results import MassFlag

__all__ = ["flag_unusable"]


def flag_unusable(card, sample, flag):
    """Flag redshifts outside the card and cutouts with bad pixels.

    Parameters
    ----------
    card : `~szmass.networks.ModelCard`
        Card of the networks.
    sample : `~szmass.clusters.ClusterSample`
        Clusters, with cutouts.
    flag : ndarray of int
        Bits of `MassFlag` that are known, shape (N,).

    Returns
    -------
    ndarray of int
        The same array, with more bits.

    Raises
    ------
    CardMismatchError
        The cutouts are not what the networks were trained on.
    """
    card.check_cutouts(sample.cutouts)
    known = np.isfinite(sample.redshift)
    flag[known & (card.redshift_bin(sample.redshift) < 0)] |= MassFlag.REDSHIFT_OUT_OF_RANGE
    complete = flag & (MassFlag.NO_CUTOUT | MassFlag.INCOMPLETE_CUTOUT) == 0
    bad_pixels = ~np.isfinite(sample.cutouts.data).all(axis=(1, 2))
    flag[complete & bad_pixels] |= MassFlag.INCOMPLETE_CUTOUT
    return flag
