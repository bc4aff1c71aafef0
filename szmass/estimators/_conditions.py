"""Conditions on clusters, masses and tables: flags, errors and warnings where they do not hold."""

import warnings
from collections import Counter

import numpy as np

from szmass.exceptions import MixedScalesWarning, SzmassWarning, UnweighedClustersWarning
from szmass.physics.checks import MASS_RANGE
from szmass.results import MassFlag, masses_of, methods_of

# Clusters whose cutouts are looked at together.
_AT_ONCE = 256
# The largest |y| that a cluster may show: ten times that of the hottest centres.
_LARGEST_Y = 0.01
# Masses [solMass] outside are beyond what relations, filters and networks are made for.
_USUAL = (1e13, 1e16)


def lacking(sample, need, redshift_range):
    """Flags (N,) of clusters that lack an input; ``need`` is a word of `MassEstimator.requires`."""
    flag = np.zeros(len(sample), dtype=int)
    if need == "redshift":
        known, (low, high) = np.isfinite(sample.redshift), redshift_range
        flag[~known] |= MassFlag.NO_REDSHIFT
        outside = known & ~((sample.redshift >= low) & (sample.redshift <= high))
        flag[outside] |= MassFlag.REDSHIFT_OUT_OF_RANGE
    elif need in ("cutout", "complete_cutout"):
        covered, complete, plausible = _pixels(sample.cutouts)
        flag[~covered] |= MassFlag.NO_CUTOUT
        # No method was made for such pixels: they are not weighed.
        flag[~plausible] |= MassFlag.IMPLAUSIBLE | MassFlag.EXTRAPOLATED
        if need == "complete_cutout":
            flag[covered & ~complete] |= MassFlag.INCOMPLETE_CUTOUT
    else:
        flag[~np.isfinite(sample.quantity(need).value)] |= MassFlag.NO_MEASUREMENT
    return flag


def _pixels(cutouts):
    """Tell which cutouts have valid pixels, have all, and have only values that y may have."""
    covered, complete, plausible = np.ones((3, len(cutouts)), dtype=bool)
    for start in range(0, len(cutouts), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        data, footprint = cutouts.data[part], cutouts.footprint[part]
        # NaN or infinite where any pixel is: the others need no closer look.
        largest = np.maximum(data.max(axis=(1, 2)), -data.min(axis=(1, 2)))
        complete[part] = np.isfinite(largest) & footprint.all(axis=(1, 2))
        for i in np.flatnonzero(~complete[part]):
            valid = footprint[i] & np.isfinite(data[i])
            covered[start + i] = valid.any()
            largest[i] = np.abs(data[i][valid]).max(initial=0.0)
        plausible[part] = largest <= _LARGEST_Y
    return covered, complete, plausible


def flag_beyond_bounds(found):
    """Flag what no cluster has in `MassEstimates`, which are changed; it is NaN thereafter."""
    low, high = MASS_RANGE
    with np.errstate(invalid="ignore"):
        found.flag[found.mass <= 0] |= MassFlag.NOT_POSITIVE
        found.flag[(found.mass > 0) & ~((found.mass >= low) & (found.mass <= high))] |= (
            MassFlag.IMPLAUSIBLE
        )
        weighed = (found.mass >= low) & (found.mass <= high)
        unusual = weighed & ~((found.mass >= _USUAL[0]) & (found.mass <= _USUAL[1]))
        found.flag[unusual] |= MassFlag.EXTRAPOLATED
        found.flag[~weighed & (found.flag == 0)] |= MassFlag.FAILED
        for error in (found.errn, found.errp):
            bad = ~(np.isfinite(error) & (error >= 0))
            found.flag[weighed & bad] |= MassFlag.NO_ERROR
            error[bad | ~weighed] = np.nan
    found.mass[~weighed] = found.mean[~weighed] = np.nan


def warn_of_unweighed(tag, estimates):
    """Warn once of clusters that were not weighed: how many, and why."""
    lost = estimates.flag[np.isnan(estimates.mass)]
    if len(lost):
        reasons = Counter(MassFlag.describe(value) or "unknown reason" for value in lost)
        warnings.warn(
            f"{tag}: {len(lost)} of {len(estimates.mass)} clusters were not weighed ("
            + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            + ")",
            UnweighedClustersWarning,
            stacklevel=3,
        )


def warn_of_failure(method, err):
    """Warn that an estimator stopped; its error in one line."""
    text = f"{type(err).__name__}: {err}"
    warnings.warn(
        f"{method} stopped with an error and has weighed no cluster; the other estimators did. "
        f"{text}",
        SzmassWarning,
        stacklevel=3,
    )
    return text


def warn_of_mixed_scales(table):
    """Warn once if methods of a table are on different mass scales; unknown ones do not count."""
    scales = {method: masses_of(table, method).mass_scale for method in methods_of(table)}
    if len({scale for scale in scales.values() if scale.known}) > 1:
        told = ", ".join(f"{method}: {scale}" for method, scale in scales.items())
        warnings.warn(
            f"The masses are on different scales ({told}), and so differ by more than their "
            "errors. one_minus_b=0.8 brings those with a 1-b to a "
            "common one.",
            MixedScalesWarning,
            stacklevel=3,
        )
