"""Populations of clusters: true masses, redshifts and positions.

Every function gives a `~szmass.clusters.ClusterSample` with the column ``mass_true`` (M500c). For
one seed it is the same whatever is done with it later.
"""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_limits
from szmass._utils.seeds import check_count, generator
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError
from szmass.physics.checks import broadcast, check_mass, check_one_minus_b, check_redshift
from szmass.physics.cosmology import get_cosmology
from szmass.physics.mass_function import FULL_SKY, SkyAbundance

__all__ = ["draw_flat", "draw_mass_function", "from_masses", "twin"]


def from_masses(mass, redshift, *, coord=None, names=None, seed=0):
    """Make a sample of clusters of given masses and redshifts.

    Parameters
    ----------
    mass : `~astropy.units.Quantity`
        True M500c.
    redshift : float or array-like
        Redshifts > 0, broadcast against ``mass``.
    coord : `~astropy.coordinates.SkyCoord`, optional
        Positions; drawn evenly over the sky if not given.
    names : sequence of str, optional
        Names; numbers with a prefix if not given.
    seed : int, optional
        Seed of the positions.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        With columns name, coord, redshift, mass_true and cluster_id: the number that, beside the
        seed, everything drawn for the cluster depends on.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        A value is out of range or missing, lengths differ, or the mass has no unit of mass.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import from_masses
    >>> sample = from_masses([8e14, 3e14] * u.solMass, [0.1, 0.4], names=["heavy", "light"])
    >>> print(f"{sample['heavy'].measurements['mass_true']:.2g}")
    8e+14 solMass
    """
    mass, redshift = broadcast(
        mass=np.atleast_1d(check_mass(mass)),
        redshift=np.atleast_1d(check_redshift(redshift, positive=True)),
    )
    if mass.ndim != 1 or not np.all(np.isfinite(mass) & np.isfinite(redshift)):
        raise InvalidInputError(
            "'mass' and 'redshift' must be one-dimensional and known for every cluster. Received: "
            f"shape {mass.shape}, {np.count_nonzero(~np.isfinite(mass + redshift))} not finite"
        )
    n = len(mass)
    if coord is None:
        coord = even_positions(n, generator(seed, "positions"))
    if coord.shape != (n,):
        raise InvalidInputError(
            f"'coord' must have one position per cluster ({n}). Received: shape {coord.shape}"
        )
    width = len(str(max(n - 1, 0)))
    table = QTable()
    table["name"] = [f"MOCK {i:0{width}d}" for i in range(n)] if names is None else list(names)
    table["coord"] = coord
    table["redshift"] = redshift
    table["mass_true"] = mass * u.solMass
    table["cluster_id"] = np.arange(n)
    table.meta["seed"] = int(seed)
    return ClusterSample(table)


def draw_flat(n, *, mass=(1e14, 2e15) * u.solMass, redshift=(0.01, 1.0), seed):
    """Draw clusters evenly in log M: the prior to train on.

    Parameters
    ----------
    n : int
        Number of clusters.
    mass : `~astropy.units.Quantity`, optional
        Lower and upper limit of the true M500c.
    redshift : (float, float) or array-like, optional
        Two numbers are limits between which redshifts are even; three or more are redshifts to
        draw from, for instance those of a catalogue.
    seed : int
        Seed of masses, redshifts and positions.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        As `from_masses` gives it.

    Raises
    ------
    InvalidInputError, InvalidUnitError
        A limit is out of range or without a unit, or upper and lower are exchanged.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import draw_flat
    >>> sample = draw_flat(1000, mass=[2e14, 1e15] * u.solMass, redshift=(0.05, 0.5), seed=1)
    >>> len(sample), round(float(sample.redshift.max()), 1)
    (1000, 0.5)
    """
    rng = generator(seed, "population")
    low, high = np.log(as_limits(check_mass(mass), "mass"))
    log_mass = rng.uniform(low, high, check_count(n, "n"))
    redshift = np.asarray(check_redshift(redshift, positive=True))
    if redshift.size == 2:
        redshift = rng.uniform(*as_limits(redshift, "redshift"), n)
    elif redshift.ndim == 1 and redshift.size and np.all(np.isfinite(redshift)):
        redshift = rng.choice(redshift, n)
    else:
        raise InvalidInputError(
            "'redshift' must be two limits, or known redshifts to draw from. Received: an array "
            f"of shape {redshift.shape} with {np.count_nonzero(np.isnan(redshift))} unknown"
        )
    return from_masses(np.exp(log_mass) * u.solMass, redshift, seed=seed)


def draw_mass_function(
    n=None,
    *,
    mass=(1e14, 5e15) * u.solMass,
    redshift=(0.01, 1.0),
    area=None,
    cosmology,
    seed,
):
    """Draw clusters from the mass function on the sky.

    Parameters
    ----------
    n : int, optional
        Number of clusters. Without it the number is a Poisson draw for ``area``.
    mass : `~astropy.units.Quantity`, optional
        Lower and upper limit of the true M500c.
    redshift : (float, float), optional
        Lower and upper limit.
    area : `~astropy.units.Quantity`, optional
        Solid angle in which to count, where ``n`` is not given; the whole sky by default. Positions
        are drawn over the whole sky all the same.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name; with Ob0. sigma8 and n come from its ``meta``, where missing
        from Planck 2018.
    seed : int
        Seed of number, masses, redshifts and positions.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        See `from_masses`.

    Raises
    ------
    InvalidInputError
        A limit is out of range, or both ``n`` and ``area`` are given.
    InvalidUnitError
        A value has no unit, or one of another kind.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709, in the definition 500c; Diemer 2018 for colossus.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import draw_mass_function
    >>> mass = [2e14, 5e15] * u.solMass
    >>> sample = draw_mass_function(500, mass=mass, cosmology="Planck18", seed=1)
    >>> bool((sample.quantity("mass_true") < 3e14 * u.solMass).mean() > 0.5)
    True
    """
    cosmology = get_cosmology(cosmology)
    rng = generator(seed, "population")
    limits = as_limits(check_mass(mass), "mass")
    abundance = SkyAbundance(limits, as_limits(check_redshift(redshift), "redshift"), cosmology)
    if n is None:
        area = FULL_SKY if area is None else u.Quantity(area).to_value("deg2")
        n = rng.poisson(abundance.total * area / FULL_SKY)
    elif area is not None:
        raise InvalidInputError("Give 'n' or 'area', not both: one of them sets the number.")
    mass, redshift = abundance.draw(check_count(n, "n"), rng)
    return from_masses(mass * u.solMass, redshift, seed=seed)


def twin(sample, *, one_minus_b=0.8, mass="msz"):
    """Make a sample with the positions, redshifts and masses of a catalogue.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        The catalogue. Clusters without redshift or mass are left out.
    one_minus_b : float, optional
        Ratio of the catalogue's mass to the true mass.
    mass : str, optional
        The column to take for (1-b) M_true.

    Returns
    -------
    `~szmass.clusters.ClusterSample`
        A copy of the known clusters with the columns ``mass_true`` and ``cluster_id`` added,
        without cutouts.

    Raises
    ------
    InvalidInputError
        No cluster has both redshift and mass, or a value is out of range.

    Notes
    -----
    The catalogue's mass is taken as it is: its own noise and the selection of the catalogue are not
    undone. To keep them apart, select from `draw_mass_function` with `SZSelection`.
    """
    check_kind(sample, "ClusterSample", "sample")
    one_minus_b = check_one_minus_b(one_minus_b, one=True)
    values = check_mass(sample.quantity(mass), mass)
    known = np.isfinite(values) & (sample.redshift > 0)
    if not known.any():
        raise InvalidInputError(f"No cluster of 'sample' has both a redshift and {mass!r}.")
    copy = sample[known]
    copy.table["mass_true"] = values[known] / one_minus_b * u.solMass
    copy.table["cluster_id"] = np.flatnonzero(known)
    copy.cutouts = None
    copy.meta["one_minus_b"] = one_minus_b
    return copy


def even_positions(n, rng):
    """Draw n positions evenly over the sky."""
    lon = rng.uniform(0, 360, n)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return SkyCoord(lon * u.deg, lat * u.deg, frame="galactic")


def mass_columns(sample):
    """Give mass [Msun], redshift and cluster_id of a sample that can be simulated, all known."""
    check_kind(sample, "ClusterSample", "sample")
    missing = [name for name in ("mass_true", "cluster_id") if name not in sample.table.colnames]
    if missing:
        raise InvalidInputError(
            f"'sample' has no column {missing[0]!r}: make it with draw_flat, draw_mass_function, "
            f"from_masses or twin. It has {', '.join(sample.table.colnames)}."
        )
    mass = check_mass(sample.quantity("mass_true"), "mass_true")
    redshift = check_redshift(sample.redshift, positive=True)
    if bad := np.count_nonzero(~np.isfinite(mass + redshift)):
        raise InvalidInputError(
            f"'mass_true' and 'redshift' must be known for every cluster; {bad} of {len(mass)} "
            "lack one."
        )
    return mass, redshift, np.asarray(sample.table["cluster_id"], dtype=int)
