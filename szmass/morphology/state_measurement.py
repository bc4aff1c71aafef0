"""What estimators of the dynamical state look at: morphology of y and X-rays, and its noise."""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import Table

from szmass._tables.samples import cutout_rows
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps import aperture_photometry
from szmass.morphology.core import measure_morphology
from szmass.morphology.flags import MorphologyFlag, StateFlag
from szmass.morphology.states import STATE_PARAMETERS
from szmass.physics.halos import theta500

__all__ = ["XRAY_RING", "StateMeasurement", "measure_for_states"]

#: Inner and outer radius [R500] of the ring that the background of X-rays is taken from.
XRAY_RING = (1.2, 1.5)
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
    mass = as_floats(mass, u.solMass, "mass")
    radius = theta500(mass * u.solMass, sample.redshift, cosmology=cosmology)
    table = Table({"log10_mass": np.log10(mass), "redshift": sample.redshift})
    flag, snr = np.zeros(len(sample), int), {}
    options = {"r500": radius, "preset": preset, "center": center, "workers": workers}
    for band in bands:
        stack = sample.cutouts if band == "y" else _xrays(sample)
        if stack is None:
            flag |= StateFlag.NO_XRAY
            snr[band] = np.full(len(sample), np.nan)
            for name in STATE_PARAMETERS:
                table[f"{band}:{name}"] = np.nan
            continue
        background = None if band == "y" else XRAY_RING
        found = measure_morphology(stack, background=background, **options)
        for theirs, ours in _STATE_SHIFTS.items():
            flag[(found["flag"] & theirs) > 0] |= ours
        for name in STATE_PARAMETERS:
            table[f"{band}:{name}"] = np.asarray(found[name], float)
        snr[band] = _y_snr(stack, radius, noise, depth) if band == "y" else _xray_snr(stack, radius)
        unknown = np.isnan(snr[band]) & ((flag & StateFlag.NO_IMAGE) == 0)
        flag[unknown] |= StateFlag.NOT_MEASURED  # it is left out
    return StateMeasurement(table, snr, flag)


def _y_snr(stack, radius, noise, depth):
    noise = stack.noise if noise is None else noise
    if noise is None:
        raise InvalidInputError(
            "The noise of the cutouts' map is not known, and the result depends on it. Say it with "
            "noise=..., to the estimator or when the map is opened: 'planck' for the Planck "
            "y-maps, or a NoiseModel, for instance "
            "NoiseModel.from_empty_fields(ymap, exclude=sample.coord, radius='30 arcmin')."
        )
    found = aperture_photometry(stack, 1.0, angular_scale=radius, noise=noise, depth=depth)
    y, err = (np.asarray(found[name].value, float) for name in ("y", "y_err"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(y) & (err > 0), y / err, np.nan)


def _xrays(sample):
    """X-ray images in the order of clusters, also where one was put into the dict by hand."""
    stack = sample.fields.get("xray")
    if stack is None:
        return None
    if len(check_kind(stack, "FieldStack", "fields['xray']")) != len(sample):
        raise InvalidInputError(
            f"'fields' must hold an image per cluster ({len(sample)}). Received: {len(stack)} of "
            "'xray'"
        )
    return stack[cutout_rows(stack, sample.names, sample.coord)]


def _xray_snr(stack, radius):
    """Counts in R500 above those of a ring around it, over the root of all counts in R500."""
    ny, nx = stack.geometry.shape
    row, column = np.mgrid[:ny, :nx]
    far = np.hypot(row - (ny - 1) / 2, column - (nx - 1) / 2)
    sizes = (radius / stack.geometry.pixel_scale).to_value(u.one)
    result = np.full(len(stack), np.nan)
    for i, size in enumerate(sizes):
        image = np.asarray(stack.data[i], float)
        good = np.isfinite(image)
        inside = good & (far < size)
        ring = good & (far > XRAY_RING[0] * size) & (far < XRAY_RING[1] * size)
        if inside.any() and ring.any():
            total = image[inside].sum()
            net = total - image[ring].mean() * inside.sum()
            result[i] = net / np.sqrt(total) if total > 0 else 0.0
    return result
