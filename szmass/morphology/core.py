"""The table of morphology: one row per cluster, with errors and flags."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError
from szmass.morphology._images import FEWEST_DRAWS, Images, get_draws, one_each
from szmass.morphology._row import GROUPS, Row
from szmass.morphology.definitions import MorphologyDefinition, get_morphology_preset
from szmass.morphology.flags import MorphologyFlag as Flag
from szmass.physics import get_cosmology
from szmass.physics.checks import check_redshift
from szmass.physics.cosmology import angular_diameter_distance

__all__ = ["MORPHOLOGY_COLUMNS", "measure_morphology"]

#: Parameters of a table of morphology, and what they are.
MORPHOLOGY_COLUMNS = {
    "concentration": "Light within the inner over that within the outer radius",
    "centroid_shift": "Scatter of centroids of circles about the centre, in the largest radius",
    "p2_p0": "Power ratio of the quadrupole",
    "p3_p0": "Power ratio of the octupole",
    "p4_p0": "Power ratio of the hexadecapole",
    "asymmetry": "Largest of the four asymmetries that follow",
    "asymmetry_90": "Asymmetry to a quarter turn",
    "asymmetry_180": "Asymmetry to a half turn",
    "asymmetry_flip_x": "Asymmetry to a flip along the columns",
    "asymmetry_flip_y": "Asymmetry to a flip along the rows",
    "zernike": "Sum of the roots of the moduli of Zernike coefficients with m > 0",
    "ellipticity": "1 - b/a of the second moments",
    "position_angle": "Angle of the long axis from the columns towards the rows",
    "strip": "Largest difference between light along lines through the centre",
    "gaussian": "Smaller over larger width of a fitted Gaussian",
    "offset": "Distance of the peak from the centroid of the aperture, in its radius",
}


def measure_morphology(
    images,
    *,
    r500=None,
    center="peak",
    preset="standard",
    parameters=None,
    pixel_scale=None,
    mask=None,
    background=None,
    exposure=None,
    redshift=None,
    cosmology=None,
    noise=None,
    errors=0,
    depth=None,
    seed=0,
    smoothing=0.05,
    search=1.0,
    max_masked=0.3,
    workers=1,
):
    """Measure parameters of morphology on images of clusters.

    Parameters
    ----------
    images : CutoutStack or Cutout or ClusterSample or FieldStack or NDData or path-like or array
        N images of one shape: y-maps, X-ray counts or brightness. A sample gives its cutouts; of a
        FITS file the first image is taken.
    r500 : `~astropy.units.Quantity`, optional
        R500, one or N: angles, or lengths together with ``redshift`` and ``cosmology``. NaN gives a
        flag. It may be left out for cutouts on a relative geometry, whose angle it is.
    center : {"peak", "centroid", "middle"} or SkyCoord or array-like, optional
        The brightest place of the smoothed image, the middle of the circle of one aperture that is
        the centroid of its light, the middle of the image, positions, or pixels (x, y) counted
        from 0, of shape (2,) or (N, 2).
    preset : str or MorphologyDefinition, optional
        The apertures, see `get_morphology_preset`.
    parameters : sequence of str, optional
        What is measured: names among "concentration", "centroid_shift", "power_ratios",
        "asymmetry", "zernike", "ellipticity", "strip" and "gaussian". None measures all.
    pixel_scale : `~astropy.units.Quantity`, optional
        Side of a pixel, for images that do not tell it.
    mask : array-like of bool, optional
        True for bad pixels, such as point sources and chip gaps, of one image or of all.
    background : float or array-like or path-like or (float, float), optional
        What is subtracted from the images, before they are divided by the exposure; with a unit it
        is converted to that of the images. A tuple is the inner and outer radius, in R500 about the
        middle, of a ring whose mean is subtracted after.
    exposure : array-like or path-like, optional
        What the images are divided by; pixels without any are bad.
    redshift : float or array-like, optional
        Redshifts, for lengths.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        Cosmology, for lengths.
    noise : NoiseModel or "planck" or "poisson" or array-like, optional
        Where errors come from: noise of the map with its correlations, counting (then the images
        are counts), or the standard deviation of independent pixels. By default the noise that
        the cutouts are known to have, or the uncertainty of an NDData.
    errors : int, optional
        Number of draws of noise for the errors; 0 for none.
    depth : float or array-like, optional
        Factor of the noise of a NoiseModel, one or N; by default 1, or that of its depth map.
    seed : int, optional
        Seed of the draws: each row has a stream of its own.
    smoothing : float, optional
        Standard deviation of the Gaussian before the peak is looked for, in R500; 0 for none.
    search : float, optional
        Radius about the middle of the image in which it is looked for, in R500.
    max_masked : float, optional
        Largest part of the aperture that may be masked.
    workers : int, optional
        Number of processes; results do not depend on it.

    Returns
    -------
    `~astropy.table.QTable`
        One row per image: ``name``, ``flag`` (see `MorphologyFlag`), ``r500`` [arcmin], ``scale``
        (R500 in pixels, or a kpc where the apertures are in kpc), ``x`` and ``y`` of the centre
        [pixel], ``masked`` (part of the aperture), and the parameters, see `MORPHOLOGY_COLUMNS`;
        NaN where there is none. With errors also ``..._err``, the standard
        deviation of the draws, ``..._bias``, their mean minus the value, and ``snr``, the light
        in the aperture over its error. ``meta`` has the definition and the options, and
        under "failures" what stopped rows that are flagged so.

    Raises
    ------
    InvalidInputError
        An argument does not fit the images, or is out of range.
    InvalidUnitError
        A radius or a pixel scale has no unit, or another kind of one.
    UnknownNameError
        There is no such preset, cosmology or noise.

    Notes
    -----
    Circles cut pixels exactly, and pixels of small circles are divided with cubic interpolation:
    for light that the pixels resolve, sums have errors below 1e-3 from 20 pixels in R500 on.

    * Centroid shift: standard deviation of the distances from the centre to the centroids of
      circles, in the largest radius (Poole et al. 2006).
    * Power ratios: Pm/P0 of Buote & Tsai (1995), P0 = a0^2 unless the definition has a
      ``log_radius``.
    * Asymmetry: sum abs(I - I turned) / sum I; flips are along the axes of the image.
    * Zernike: sum over n and m > 0 of abs(c_nm)^(1/2), c_nm being the modulus of the pair of sine
      and cosine, fitted inside the aperture and divided by the mean light. It follows Capalbo et
      al. (2021), whose text was not at hand; with moduli it does not depend on the orientation.
    * Ellipse: inside an ellipse of its own shape, whose long half-axis is the aperture.
    * Strips, Gaussian fit: as in Cialone et al. (2018), from memory; 24 lines; no constant is
      fitted beside the Gaussian.

    Masked pixels are filled with the mean of their distance from the centre. In asymmetry they and
    their partners, in the fits they alone are left out.

    Noise makes all parameters but the concentration larger. ``..._bias`` is what a second helping
    of the same noise adds, and so about what the first one did.

    References
    ----------
    Buote & Tsai 1995, ApJ 452, 522; Poole et al. 2006, MNRAS 373, 881; Cialone et al. 2018, MNRAS
    477, 139; Capalbo et al. 2021, MNRAS 503, 6155.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from szmass.morphology import measure_morphology
    >>> x = np.arange(81) - 40
    >>> image = np.exp(-((x[:, np.newaxis] / 6) ** 2 + (x / 8) ** 2) / 2)
    >>> table = measure_morphology(image, pixel_scale=10 * u.arcsec, r500=6 * u.arcmin)
    >>> for name in ("concentration", "centroid_shift", "ellipticity", "gaussian"):
    ...     print(name, round(table[name][0], 3))
    concentration 0.261
    centroid_shift 0.0
    ellipticity 0.25
    gaussian 0.75
    """
    images = Images(
        images, pixel_scale=pixel_scale, mask=mask, background=background, exposure=exposure
    )
    definition = get_morphology_preset(preset)
    groups = _groups(parameters)
    options = _options(smoothing=smoothing, search=search, max_masked=max_masked)
    angle, per_kpc, no_redshift = _sizes(images, r500, redshift, cosmology, definition)
    given = None
    if not isinstance(center, str):
        given, center = images.places(center), "given"
    elif center not in ("peak", "centroid", "middle"):
        images.places(center)
    workers = check_workers(workers)
    draws = get_draws(images, noise, errors, depth, check_seed(seed))

    names = [name for group in groups for name in GROUPS[group]] + ["offset"]
    job = _Job(
        images, angle, per_kpc, no_redshift, definition, groups, options, center, given, draws
    )
    pieces = np.array_split(np.arange(images.n), max(1, min(8 * workers, images.n // 4)))
    tasks = [(piece,) for piece in pieces]
    done = run_tasks(_measure_rows, job, tasks, workers=workers, in_order=True)
    rows = [row for piece in done for row in piece]
    values, spread, bias = (
        np.array([getattr(row, name) for row in rows]).reshape(images.n, len(names))
        for name in ("values", "spread", "bias")
    )
    places = np.array([row.place for row in rows]).reshape(images.n, 2)
    masked, scale, light, light_err = (
        np.array([(row.masked, row.scale, row.light, row.light_err) for row in rows])
        .reshape(images.n, 4)
        .T
    )
    flags = np.array([int(row.flag) for row in rows], int)
    failures = [f"{images.names[i]}: {row.failure}" for i, row in enumerate(rows) if row.failure]
    table = QTable(
        {
            "name": images.names,
            "flag": flags,
            "r500": np.degrees(angle) * 60 * u.arcmin,
            "scale": scale,
            "x": places[:, 0],
            "y": places[:, 1],
            "masked": masked,
        }
    )
    for k, name in enumerate(names):
        unit = u.deg if name == "position_angle" else u.one
        for suffix, column in (("", values), ("_err", spread), ("_bias", bias)):
            if suffix and (not errors or name == "position_angle"):
                continue
            table[name + suffix] = column[:, k] << unit if unit != u.one else column[:, k]
            table[name + suffix].info.description = MORPHOLOGY_COLUMNS[name]
    if errors:
        with np.errstate(divide="ignore", invalid="ignore"):
            table["snr"] = light / light_err
    table.meta.update(
        preset=definition.name,
        definition={
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(definition).items()
        },
        center=center,
        cosmology=None if cosmology is None else str(get_cosmology(cosmology).name),
        background=f"ring of {images.ring} R500"
        if images.ring is not None
        else images.background is not None,
        errors=int(errors),
        noise=None if not errors else getattr(draws, "source", None),
        seed=int(seed),
        **options,
    )
    if failures:
        table.meta["failures"] = failures
    return table


class _Job(NamedTuple):
    """What all rows have in common, or one entry for each."""

    images: Images
    angle: np.ndarray
    per_kpc: np.ndarray
    no_redshift: np.ndarray
    definition: MorphologyDefinition
    groups: list
    options: dict
    center: str
    given: np.ndarray | None
    draws: Callable | None


class _Found(NamedTuple):
    """What a row has."""

    values: np.ndarray
    light: float = np.nan
    spread: np.ndarray | None = None
    bias: np.ndarray | None = None
    light_err: float = np.nan
    place: np.ndarray = np.full(2, np.nan)
    masked: float = np.nan
    scale: float = np.nan
    flag: int = 0
    failure: str = ""


def _measure_rows(job, numbers):
    return [_measure_row(job, int(i)) for i in numbers]


def _measure_row(job, i):
    """Measure one row; one that stops with an error is flagged and stops no other."""
    nothing = np.full(sum(len(GROUPS[group]) for group in job.groups) + 1, np.nan)
    found = _Found(nothing, spread=nothing, bias=nothing)
    try:
        row = Row(
            job.images, i, job.angle[i], job.per_kpc[i], job.no_redshift[i],
            job.definition, job.groups, job.options,
        )  # fmt: skip
        row.centring = job.center, None if job.given is None else job.given[i]
        values, light = row.measure()
        facts = {"place": row.place, "masked": row.masked, "scale": row.unit, "flag": row.flag}
        found = found._replace(values=values, light=light, **facts)
        if job.draws is not None and np.isfinite(light):
            drawn = [row.measure(noise) for noise in job.draws(i, row)]
            spread, bias = _spread(np.array([each for each, _ in drawn]), values)
            light_err = np.std([total for _, total in drawn], ddof=1)
            found = found._replace(spread=spread, bias=bias, light_err=light_err)
    except Exception as err:  # noqa: BLE001 - whatever it is, others must be measured
        flag = found.flag | Flag.FAILED
        return found._replace(flag=flag, failure=f"{type(err).__name__}: {err}")
    return found


def _groups(parameters):
    if parameters is None:
        return list(GROUPS)
    groups = list(parameters) if np.iterable(parameters) else [parameters]
    if isinstance(parameters, str):
        groups = [parameters]
    if unknown := [str(name) for name in groups if name not in GROUPS]:
        raise InvalidInputError(
            f"'parameters' must be among {', '.join(GROUPS)}. Received: {', '.join(unknown)}"
        )
    return [name for name in GROUPS if name in groups]


def _options(**given):
    result = {}
    for name, value in given.items():
        value = as_floats(value, "", name, finite=True)
        if value.ndim or value < 0 or (name != "smoothing" and value == 0):
            raise InvalidInputError(f"'{name}' must be a positive number. Received: {value}")
        result[name] = float(value)
    return result


def _sizes(images, r500, redshift, cosmology, definition):
    """R500 [rad], radians per kpc, and which rows lack a redshift that they need, (N,)."""
    length = getattr(r500, "unit", None) is not None and u.Unit(r500.unit).is_equivalent(u.kpc)
    needed = length or definition.unit == "kpc"
    per_kpc = np.full(images.n, np.nan)
    if (redshift is None) != (cosmology is None):
        raise InvalidInputError("Give 'redshift' and 'cosmology' together.")
    if redshift is not None:
        z = one_each(check_redshift(redshift), images.n, "redshift")
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(z > 0, z, np.nan)
            per_kpc = 1e-3 / angular_diameter_distance(z, get_cosmology(cosmology))
    elif needed:
        what = "'r500' is a length" if length else f"Apertures of {definition.name!r} are in kpc"
        raise InvalidInputError(f"{what}: give 'redshift' and 'cosmology' as well.")
    no_redshift = np.isnan(per_kpc) & needed
    if r500 is None:
        if images.scale is None:
            raise InvalidInputError(
                "'r500' must be given: an angle for each image, for instance theta500, or a length "
                "with 'redshift' and 'cosmology'."
            )
        return np.array(images.scale, float), per_kpc, no_redshift
    radius = one_each(as_floats(r500, u.kpc if length else u.rad, "r500"), images.n, "r500")
    return radius * (per_kpc if length else 1), per_kpc, no_redshift


def _spread(drawn, value):
    known = np.isfinite(drawn)
    enough = known.sum(axis=0) >= max(FEWEST_DRAWS, len(drawn) / 2)
    kept = np.where(enough, drawn, 0.0)
    with np.errstate(invalid="ignore"):
        err, mean = np.nanstd(kept, axis=0, ddof=1), np.nanmean(kept, axis=0)
    return np.where(enough, err, np.nan), np.where(enough, mean - value, np.nan)
