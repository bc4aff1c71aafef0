"""Numbers of clusters in a light cone, with their Poisson and sample variance."""

import numpy as np
from astropy.table import QTable

from szmass._utils.kinds import check_kind
from szmass._utils.names import did_you_mean
from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics.concentration import colossus_for
from szmass.physics.mass_function import FULL_SKY

__all__ = ["cumulative_counts", "redshift_counts"]

_VARIANCES = ("linear", "jackknife")

# Thickness of shells in redshift whose densities are correlated with each other, and how many more
# there are where some do not reach; covariances are kept, for they take a second.
_SHELL, _AT_ONCE, _KEPT = 0.05, 10, 8
_known = {}
# Wave numbers [1 / Mpc] and steps of distance [Mpc] of the integrals over the power spectrum.
_WAVES, _STEP = np.arange(2.5e-4, 0.25, 5e-4), 12.0
# Nodes of multipoles, and the last one times the radius of the disc [rad].
_NODES, _REACH = 16, 20.0
# Clusters below so many times the lowest mass that was drawn say that lighter ones would count.
_NEAR = 1.5
# Patches that a jackknife needs, pixels along their sides that tell whether the light cone fills
# them, and haloes in each of these.
_PATCHES, _FINE, _PER_PIXEL = 24, 4, 8
# What a light cone says of itself that its counts say as well.
_HANDED_ON = (
    "xray", "y500", "seed", "gas", "physics_references", "halo_references", "cooling_references",
)  # fmt: skip


def cumulative_counts(cone, values, thresholds, *, variance="linear"):
    """Count the clusters above thresholds, N(>S), with errors.

    Parameters
    ----------
    cone : LightCone
        The clusters, or some of them.
    values : str or `~astropy.units.Quantity` or array-like
        Name of a column, such as "flux", or a value of each, such as its S/N. NaN counts nowhere.
    thresholds : `~astropy.units.Quantity` or array-like
        Rising values.
    variance : str, optional
        Where the sample variance is from. "linear": linear theory, with the bias of Tinker et al.
        (2010) at mass and redshift of each cluster and the variance of matter in a disc of the
        area. "jackknife": equal patches of the sky, for cones whose haloes are clustered.

    Returns
    -------
    `~astropy.table.QTable`
        Columns threshold, n, n_err_poisson (the square root of n), n_err_sample and n_err, both
        together. ``meta`` has what they are from, and in ``near_lowest_mass`` the share of counted
        clusters within a factor of 1.5 of the lowest mass drawn: if that is not small, lighter ones
        are missing.

    Raises
    ------
    InvalidInputError
        Thresholds do not rise, the column is missing, or there are too few haloes or patches for
        a jackknife.
    UnknownNameError
        There is no such variance.

    Notes
    -----
    The number that a survey sees has both errors; that of one drawn cone is known to the Poisson
    one, for its haloes are drawn without clustering. Of two physics with the same haloes most of
    both is common.

    References
    ----------
    Hu & Kravtsov 2003, ApJ 584, 702; Tinker et al. 2010, ApJ 724, 878.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.baryons import cumulative_counts, make_lightcone
    >>> cone = make_lightcone("tng", area=300 * u.deg**2, cosmology="Planck18", seed=1)
    >>> counts = cumulative_counts(cone, "m500c", [1e14, 3e14] * u.solMass)
    >>> bool(counts["n"][0] == len(cone) > counts["n"][1])
    True
    """
    check_kind(cone, "LightCone", "cone")
    name = values if isinstance(values, str) else "value"
    values = cone.column(values) if isinstance(values, str) else values
    unit = getattr(values, "unit", None) or ""
    values = as_floats(values, unit, name)
    at = as_floats(thresholds, unit, "thresholds", finite=True)
    if values.shape != (len(cone),):
        raise InvalidInputError(
            f"'values' must have one value per halo ({len(cone)}). Received: {values.shape}"
        )
    _check_rising(at, "thresholds", 1)
    # The column of a halo is that of the highest threshold below its value.
    column = np.where(np.isnan(values), 0, np.searchsorted(at, values, side="left")) - 1
    table = QTable({"threshold": at * unit if unit else at})
    return _counted(table, cone, column, len(at), variance, above=True, quantity=name)


def redshift_counts(cone, edges, *, where=None, variance="linear"):
    """Count the clusters in bins of redshift, dN/dz, with errors.

    Parameters
    ----------
    cone : LightCone
        The clusters.
    edges : array-like
        Rising redshifts.
    where : array-like of bool, optional
        Which of them count, ``cone.table["flux"] > limit`` for instance. For a jackknife the others
        tell where the light cone is.
    variance : str, optional
        As in `cumulative_counts`.

    Returns
    -------
    `~astropy.table.QTable`
        Columns z_low, z_high, n, n_err_poisson, n_err_sample and n_err.

    Raises
    ------
    InvalidInputError
        Edges do not rise, or as in `cumulative_counts`.
    UnknownNameError
        There is no such variance.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.baryons import make_lightcone, redshift_counts
    >>> cone = make_lightcone("tng", area=300 * u.deg**2, cosmology="Planck18", seed=1)
    >>> counts = redshift_counts(cone, [0, 0.3, 0.6, 5])
    >>> bool(counts["n"].sum() == len(cone))
    True
    """
    check_kind(cone, "LightCone", "cone")
    edges = as_floats(edges, "", "edges", finite=True)
    _check_rising(edges, "edges", 2)
    redshift = np.asarray(cone.table["redshift"], dtype=float)
    column = np.searchsorted(edges, np.nan_to_num(redshift, nan=np.inf), side="right") - 1
    column[column == len(edges) - 1] = -1
    if where is not None:
        where = np.asarray(where)
        if where.dtype != bool or where.shape != column.shape:
            raise InvalidInputError(
                f"'where' must be a mask with one entry per halo ({len(cone)}). Received: shape "
                f"{where.shape} of {where.dtype}"
            )
        column[~where] = -1
    table = QTable({"z_low": edges[:-1], "z_high": edges[1:]})
    return _counted(table, cone, column, len(edges) - 1, variance, above=False, quantity="redshift")


def _check_rising(values, name, least):
    if values.ndim != 1 or len(values) < least or np.any(np.diff(values) <= 0):
        raise InvalidInputError(
            f"'{name}' must be {least} or more rising values. Received: {values.tolist()}"
        )


def _counted(table, cone, column, n, variance, *, above, quantity):
    """Complete a table of counts: ``column`` is where each cluster counts, -1 for nowhere."""
    if variance not in _VARIANCES:
        raise UnknownNameError(
            f"No variance is named {variance!r}.{did_you_mean(variance, _VARIANCES)} "
            f"Known: {', '.join(_VARIANCES)}."
        )
    here = column >= 0

    def collected(groups, n_groups, weights=None):
        """Sum of weights by column and group, (n, groups)."""
        index = column[here] * n_groups + groups[here]
        total = np.bincount(index, weights, minlength=n * n_groups).reshape(n, n_groups)
        return np.cumsum(total[::-1], axis=0)[::-1] if above else total

    number = collected(np.zeros(len(cone), dtype=int), 1)[:, 0]
    if variance == "linear":
        sample, words = _linear_variance(cone, here, collected)
    else:
        sample, words = _jackknife_variance(cone, number, collected)
    table["n"] = number
    table["n_err_poisson"] = np.sqrt(number)
    table["n_err_sample"] = np.sqrt(sample)
    table["n_err"] = np.sqrt(number + sample)
    meta = cone.table.meta
    if "mass_limits" in meta and here.any():
        mass = cone.table["m500c"][here].to_value("solMass")
        near = np.mean(mass < _NEAR * meta["mass_limits"][0])
        table.meta["near_lowest_mass"] = round(float(near), 4)
    table.meta.update(
        quantity=quantity,
        physics=cone.physics,
        area_deg2=float(cone.area.to_value("deg2")),
        sample_variance=words,
        cosmology=str(cone.cosmology.name),
        **{name: meta[name] for name in _HANDED_ON if name in meta},
    )
    return table


def _linear_variance(cone, here, collected):
    """Variance of the sums of bias, over shells of redshift."""
    redshift = np.nan_to_num(np.asarray(cone.table["redshift"], dtype=float))
    mass = np.asarray(cone.table["m500c"].to_value("solMass"))
    # In steps, so that covariances serve again.
    last = _AT_ONCE * max(1, int(np.ceil(redshift[here].max(initial=0) / _SHELL / _AT_ONCE)))
    shell = np.minimum((redshift / _SHELL).astype(int), last - 1)
    area = float(cone.area.to_value("deg2"))
    words = f"linear theory, bias of Tinker et al. (2010), a disc of {area:.0f} deg2"
    if not here.any():
        return np.zeros(len(collected(shell, last))), words
    bias = _bias(mass[here], redshift[here], cone.cosmology)
    sums = collected(shell, last, bias)
    key = (last, area, repr(cone.cosmology), repr(sorted(cone.cosmology.meta.items())))
    if key not in _known:
        if len(_known) >= _KEPT:
            _known.pop(next(iter(_known)))
        _known[key] = _matter_covariance(last, area, cone.cosmology)
    covariance = _known[key]
    return np.einsum("ni,ij,nj->n", sums, covariance, sums), words


def _bias(mass, redshift, cosmology):
    """Linear bias of haloes of M500c [Msun], interpolated in a table."""
    from scipy.interpolate import RegularGridInterpolator

    log_m = np.linspace(np.log(mass.min()) - 1e-3, np.log(mass.max()) + 1e-3, 24)
    z = np.linspace(redshift.min(), redshift.max() + 1e-3, 24)
    with colossus_for(cosmology):
        from colossus.lss.bias import haloBias

        rows = [
            haloBias(np.exp(log_m) * cosmology.h, float(at), mdef="500c", model="tinker10")
            for at in z
        ]
    return RegularGridInterpolator((z, log_m), rows)(np.stack([redshift, np.log(mass)], axis=-1))


def _matter_covariance(shells, area, cosmology):
    """Covariance of the mean matter contrast in shells of redshift of a disc of an area [deg2].

    sum_l w_l^2 / Omega^2 (2 / pi) int k^2 P(k) J_i J_j dk, where J is D j_l(k chi) over the volume
    of a shell and w_l the transform of the disc: exact in linear theory, on curved sky.
    """
    from scipy.special import eval_legendre, spherical_jn

    edges = _SHELL * np.arange(shells + 1)
    far = cosmology.comoving_distance(edges).to_value("Mpc")
    number = np.maximum(4, np.ceil(np.diff(far) / _STEP).astype(int))
    middles = [
        low + (high - low) * (np.arange(m) + 0.5) / m
        for low, high, m in zip(far[:-1], far[1:], number, strict=True)
    ]
    chi, starts = np.concatenate(middles), np.concatenate([[0], np.cumsum(number)[:-1]])
    weight = chi**2
    weight = weight / np.repeat(np.add.reduceat(weight, starts), number)
    with colossus_for(cosmology):
        from colossus.cosmology.cosmology import getCurrent

        power = getCurrent().matterPowerSpectrum(_WAVES / cosmology.h) / cosmology.h**3
        weight *= getCurrent().growthFactor(np.interp(chi, far, edges))

    height = max(1 - 2 * area / FULL_SKY, -1.0)
    solid = 4 * np.pi * area / FULL_SKY
    ell = np.arange(int(_REACH / np.arccos(height)) + 2)
    before = np.where(ell > 0, eval_legendre(np.maximum(ell - 1, 0), height), 1.0)
    window = np.pi / (2 * ell + 1) * (before - eval_legendre(ell + 1, height)) ** 2 / solid**2
    nodes = np.unique(np.rint(np.geomspace(1, len(ell), _NODES)).astype(int)) - 1
    total = np.zeros((shells, shells))
    argument = np.outer(_WAVES, chi)
    for node, hat in zip(nodes, np.eye(len(nodes)), strict=True):
        # Spectra are smooth in l: those between nodes are on lines.
        share = window @ np.interp(ell, nodes, hat)
        if share < 1e-15:
            continue
        j = np.add.reduceat(spherical_jn(node, argument) * weight, starts, axis=1)
        total += share * 2 / np.pi * (j * (_WAVES**2 * power)[:, np.newaxis]).T @ j
    return total * (_WAVES[1] - _WAVES[0])


def _jackknife_variance(cone, number, collected):
    """Variance between equal patches that haloes fill, beyond the Poisson variance."""
    import healpy

    coord = cone.table["coord"].galactic
    area = float(cone.area.to_value("deg2"))
    nside, full = 1, np.zeros(0, dtype=int)
    while len(full) < _PATCHES:
        nside *= 2
        fine = _FINE * nside
        if len(cone) < _PER_PIXEL * 12 * fine**2 * area / FULL_SKY:
            raise InvalidInputError(
                f"A jackknife needs {_PATCHES} patches that are full of haloes; {len(cone)} haloes "
                f"in {area:.0f} deg2 have {len(full)}. Use variance='linear'."
            )
        pixels = healpy.ang2pix(fine, coord.l.deg, coord.b.deg, lonlat=True, nest=True)
        patches, filled = np.unique(np.unique(pixels) // _FINE**2, return_counts=True)
        full = patches[filled == _FINE**2]
    place = np.searchsorted(full, pixels // _FINE**2)
    place = np.where(np.isin(pixels // _FINE**2, full), place, len(full))
    by_patch = collected(place, len(full) + 1)[:, :-1]
    total = by_patch.var(axis=1, ddof=1) * 12 * nside**2 * area / FULL_SKY
    words = f"jackknife over {len(full)} patches (HEALPix, nside {nside}) that the cone fills"
    return np.maximum(total - number, 0), words
