"""What fits of the dynamical state look at: morphology of y and X-rays, and their noise."""

from typing import NamedTuple

import numpy as np
from astropy.table import Table

from szmass.morphology._state_signal import XRAY_RING, radii, signal_to_noise, xrays
from szmass.morphology.core import measure_morphology
from szmass.morphology.flags import MorphologyFlag, StateFlag
from szmass.morphology.states import STATE_PARAMETERS

__all__ = ["StateMeasurement", "measure_for_states"]

_STATE_SHIFTS = {  # flags of morphology: those of states
    MorphologyFlag.NO_IMAGE: StateFlag.NO_IMAGE,
    MorphologyFlag.TOO_LARGE: StateFlag.INCOMPLETE,
    MorphologyFlag.MASKED: StateFlag.INCOMPLETE,
    MorphologyFlag.MOSTLY_MASKED: StateFlag.INCOMPLETE,
    MorphologyFlag.UNRESOLVED: StateFlag.UNRESOLVED,
    MorphologyFlag.CONSTANT: StateFlag.NOT_MEASURED,
    MorphologyFlag.NOT_POSITIVE: StateFlag.NOT_MEASURED,
    MorphologyFlag.NO_CENTER: StateFlag.NOT_MEASURED,
    MorphologyFlag.NO_BACKGROUND: StateFlag.NOT_MEASURED,
    MorphologyFlag.FAILED: StateFlag.NOT_MEASURED,
}


class StateMeasurement(NamedTuple):
    """What estimators of the state look at, one row per cluster.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns ``log10_mass``, ``redshift``, and of each band and parameter, as ``y:offset``.
    snr : dict of str to `~numpy.ndarray`
        Signal over noise in R500 of each band; NaN where it is not known.
    flag : `~numpy.ndarray` of int
        Bits of `StateFlag`.
    """

    table: Table
    snr: dict
    flag: np.ndarray


def measure_for_states(sample, mass, *, cosmology, noise=None, depth=None, bands=("y", "X"),
                       preset="standard", center="peak", workers=1):  # fmt: skip
    """Measure what a fit of states looks at.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        N clusters with cutouts of Compton-y and, for the band "X", counts of X-rays as the field
        ``"xray"``.
    mass : `~astropy.units.Quantity`
        M500c, which R500 is computed from, one per cluster.
    cosmology : str or `~astropy.cosmology.FLRW`
        For R500.
    noise : NoiseModel, optional
        Noise of the y-map; by default that of the cutouts.
    depth : float or array-like, optional
        Factor of its amplitude.
    bands : sequence of str, optional
        Of "y" and "X".
    preset, center : optional
        As in `measure_morphology`.
    workers : int, optional
        Number of processes.

    Returns
    -------
    StateMeasurement
        The measurement; a band that is not there is NaN.

    Raises
    ------
    InvalidInputError
        The noise is not known, or is that of another map; X-rays are no `FieldStack
        <szmass.simulations.FieldStack>` of the clusters.
    """
    mass, radius = radii(sample, mass, cosmology)
    table = Table({"log10_mass": np.log10(mass), "redshift": sample.redshift})
    flag, snr = np.zeros(len(sample), int), {}
    options = {"r500": radius, "preset": preset, "center": center, "workers": workers}
    for band in bands:
        stack = sample.cutouts if band == "y" else xrays(sample)
        snr[band] = signal_to_noise(band, stack, radius, noise, depth, flag)
        if stack is None:
            for name in STATE_PARAMETERS:
                table[f"{band}:{name}"] = np.nan
            continue
        background = None if band == "y" else XRAY_RING
        found = measure_morphology(stack, background=background, **options)
        for theirs, ours in _STATE_SHIFTS.items():
            flag[(found["flag"] & theirs) > 0] |= ours
        for name in STATE_PARAMETERS:
            table[f"{band}:{name}"] = np.asarray(found[name], float)
        unknown = np.isnan(snr[band]) & ((flag & StateFlag.NO_IMAGE) == 0)
        flag[unknown] |= StateFlag.NOT_MEASURED  # it is left out
    return StateMeasurement(table, snr, flag)
