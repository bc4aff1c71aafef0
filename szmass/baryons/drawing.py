"""Haloes on the sky: drawn from the mass function, or put there from a box."""

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats, as_limits
from szmass._utils.seeds import check_seed, generator
from szmass.baryons.halos import HaloCatalog
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.physics.checks import check_mass, check_redshift
from szmass.physics.concentration import model_mass, nfw_convert
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import density_at
from szmass.physics.mass_function import FULL_SKY, SkyAbundance

__all__ = ["check_area", "draw_halos", "place_on_sky"]

# TNG300, dark matter only, haloes of 5e13 to 3e14 Msun (M200c; Anbajagane et al. 2022): scatter of
# ln c200c at z = 0, 0.5, 1; at z = 0 the median half-mass scale at 1e14 Msun, its slope with ln M,
# the scatter of its logarithm, and its correlation with ln c200c.
_SIGMA_LN_C = ((0.0, 0.5, 1.0), (0.245, 0.265, 0.275))
_FORMATION, _FORMATION_SLOPE, _SIGMA_LN_FORMATION, _WITH_C = 0.58, 0.06, 0.20, -0.54
_DM_RELATIONS = "2022MNRAS.509.3441A"


def draw_halos(
    *,
    area=None,
    mass=(1e14, 5e15) * u.solMass,
    redshift=(0.01, 1.5),
    cosmology,
    seed,
):
    """Draw haloes of the mass function on the sky, with concentration and formation time.

    Positions are without clustering. An area that is less than the sky is a disc around the North
    Galactic pole.

    Parameters
    ----------
    area : `~astropy.units.Quantity`, optional
        Solid angle; the whole sky by default.
    mass : `~astropy.units.Quantity`, optional
        Lower and upper limit of M500c.
    redshift : (float, float), optional
        Lower and upper limit.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name; with Ob0. sigma8 and n come from its ``meta``, where missing
        from Planck 2018.
    seed : int
        Seed.

    Returns
    -------
    `~astropy.table.QTable`
        Columns id, coord, redshift, m500c, m200c [solMass], c200c, and half_mass_scale, the scale
        factor at which a halo had half of its M200c.

    Raises
    ------
    InvalidInputError
        A limit is out of range, limits are reversed, or the area is larger than the sky.
    InvalidUnitError
        A value has no unit, or one of another kind.

    Notes
    -----
    The median concentration is that of Diemer & Joyce (2019) at the M200c that belongs to M500c.
    Scatter of ln c (0.245 at z = 0, 0.275 at 1), half-mass scale (0.58 at 1e14 Msun, a scatter of
    0.20 in ln) and their correlation (-0.54) are those of TNG300 without gas, of which there are
    haloes up to 3e14 Msun. Before z = 0 the half-mass scale has the same part of the scale factor.
    M200c follows from M500c and the halo's own concentration, for an NFW profile.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709; Diemer & Joyce 2019, ApJ 871, 168; Anbajagane et al. 2022,
    MNRAS 509, 3441.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.baryons import draw_halos
    >>> halos = draw_halos(area=500 * u.deg**2, cosmology="Planck18", seed=1)
    >>> halos.colnames
    ['id', 'coord', 'redshift', 'm500c', 'm200c', 'c200c', 'half_mass_scale']
    """
    cosmology, seed = get_cosmology(cosmology), check_seed(seed)
    area = check_area(FULL_SKY * u.deg**2 if area is None else area)
    mass = as_limits(check_mass(mass), "mass")
    redshift = as_limits(check_redshift(redshift), "redshift")
    rng = generator(seed, "halos")
    abundance = SkyAbundance(mass, redshift, cosmology)
    n = rng.poisson(abundance.total * area / FULL_SKY)
    m500c, z = abundance.draw(n, rng)
    height = 1 - 2 * area / FULL_SKY * rng.random(n)
    lon, lat = 360 * rng.random(n), np.degrees(np.arcsin(np.clip(height, -1, 1)))
    normal, other = rng.standard_normal((2, n))

    c200c = _median_concentration(m500c, z, cosmology) * np.exp(np.interp(z, *_SIGMA_LN_C) * normal)
    m200c = m500c / nfw_convert(np.ones(n), c200c, 200.0, 500.0) if n else m500c
    # Of the scale factor of the halo itself, in which half-mass scales end.
    share = _FORMATION * (m200c / 1e14) ** _FORMATION_SLOPE
    deviation = _WITH_C * normal + np.sqrt(1 - _WITH_C**2) * other
    logit = np.log(share / (1 - share)) + _SIGMA_LN_FORMATION / (1 - share) * deviation
    table = QTable()
    table["id"] = np.arange(n)
    table["coord"] = SkyCoord(lon * u.deg, lat * u.deg, frame="galactic")
    table["redshift"] = z
    table["m500c"] = m500c * u.solMass
    table["m200c"] = m200c * u.solMass
    table["c200c"] = c200c
    table["half_mass_scale"] = 1 / (1 + np.exp(-logit)) / (1 + z)
    table.meta.update(
        area_deg2=area,
        footprint="disc around the North Galactic pole" if area < FULL_SKY else "whole sky",
        halos="Tinker et al. (2008), without clustering",
        mass_limits=[float(m) for m in mass],
        redshift_limits=[float(z) for z in redshift],
        cosmology=str(cosmology.name),
        halo_seed=seed,
        halo_references=["2008ApJ...688..709T", "2019ApJ...871..168D", _DM_RELATIONS],
    )
    return table


def _median_concentration(mass, redshift, cosmology):
    """c200c of haloes of given M500c [Msun] (Diemer & Joyce 2019), interpolated in a table."""
    from scipy.interpolate import RegularGridInterpolator

    if not len(mass):
        return np.ones(0)
    ends = np.log([mass.min() * 0.999, mass.max() * 1.001])
    log_m = np.linspace(*ends, 3 + int(np.ptp(ends) / 0.15))
    z = np.linspace(redshift.min(), redshift.max() + 1e-6, 3 + int(np.ptp(redshift) / 0.04))
    grid_z, grid_m = (x.ravel() for x in np.meshgrid(z, np.exp(log_m), indexing="ij"))
    critical = density_at(grid_z, cosmology) / 500
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SzmassWarning)
        c = model_mass(grid_m, grid_z, 500 * critical, 200 * critical, "diemer19", cosmology)[1]
    table = RegularGridInterpolator((z, log_m), np.log(c).reshape(len(z), -1))
    return np.exp(table(np.stack([redshift, np.log(mass)], axis=-1)))


def place_on_sky(halos, *, box, distance=None, observer=None, cosmology=None):
    """Put the haloes of a box, of one snapshot, on the sky of an observer in it.

    The box is periodic and is repeated where it does not reach far enough: the same haloes are
    then seen more than once, from other sides.

    Parameters
    ----------
    halos : HaloCatalog
        With x, y, z (comoving).
    box : `~astropy.units.Quantity`
        Comoving length of its sides; divide a length in Mpc/h by h first.
    distance : `~astropy.units.Quantity`, optional
        Comoving distance up to which haloes are taken; half of the box by default.
    observer : `~astropy.units.Quantity`, optional
        Where the observer is, three comoving lengths; the middle of the box by default.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        The cosmology, by default that of the haloes.

    Returns
    -------
    HaloCatalog
        The whole sky (``meta["area_deg2"]``) up to the distance: the columns of the haloes, with
        ``coord`` (icrs) and ``redshift`` from their places, without peculiar velocities. Masses and
        all else are those of the snapshot, whose redshift is ``meta["snapshot_redshift"]``.

    Raises
    ------
    InvalidInputError
        There is no position, cosmology or halo, or a halo is outside of the box, as where h was
        forgotten.
    InvalidUnitError
        A length has no unit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass.baryons import HaloCatalog, place_on_sky
    >>> table = QTable({"m500c": [3e14] * u.solMass, "redshift": [0.1]})
    >>> table["x"], table["y"], table["z"] = [[900.0], [500.0], [500.0]] * u.Mpc
    >>> halos = HaloCatalog(table, cosmology="Planck18")
    >>> place_on_sky(halos, box=1000 * u.Mpc)["redshift"].round(4).tolist()
    [0.0923]
    """
    check_kind(halos, "HaloCatalog", "halos")
    halos.require(("x", "y", "z"), "the sky of an observer")
    cosmology = halos.cosmology if cosmology is None else get_cosmology(cosmology)
    if cosmology is None:
        raise InvalidInputError(
            "Give a 'cosmology': distances become redshifts, and none is known."
        )
    side = float(as_floats(box, u.Mpc, "box", positive=True, finite=True))
    far = side / 2
    if distance is not None:
        far = float(as_floats(distance, u.Mpc, "distance", positive=True, finite=True))
    middle = np.full(3, side / 2)
    if observer is not None:
        middle = as_floats(observer, u.Mpc, "observer", finite=True)
        if middle.shape != (3,):
            raise InvalidInputError(f"'observer' must be three lengths. Received: {observer}")
    place = np.stack([as_floats(halos[name], u.Mpc, name, finite=True) for name in "xyz"], axis=1)
    if not len(place) or place.min() < -0.001 * side or place.max() > 1.001 * side:
        raise InvalidInputError(
            f"'box' must hold all haloes: positions from 0 to {side:g} Mpc. Received: "
            + (f"from {place.min():g} to {place.max():g} Mpc" if len(place) else "no halo")
        )
    # The nearest copy of each halo, then those of the boxes around it.
    nearest = (place - middle + side / 2) % side - side / 2
    copies = np.arange(-int(np.ceil(far / side - 0.5)), int(np.ceil(far / side - 0.5)) + 1)
    rows, vectors = [], []
    for shift in np.stack(np.meshgrid(*[copies] * 3), axis=-1).reshape(-1, 3):
        vector = nearest + side * shift
        length = np.linalg.norm(vector, axis=1)
        row = np.flatnonzero((length > 0) & (length < far))
        rows.append(row)
        vectors.append(vector[row])
    rows, vectors = np.concatenate(rows), np.concatenate(vectors)
    length = np.linalg.norm(vectors, axis=1)
    part = halos[rows]
    table = part.table.copy()
    table["coord"] = SkyCoord(*(vectors / length[:, np.newaxis]).T, representation_type="cartesian")
    table["coord"].representation_type = "unitspherical"
    z = np.linspace(0, _redshift_at(far, cosmology), 2000)
    table["redshift"] = np.interp(length, cosmology.comoving_distance(z).to_value("Mpc"), z)
    meta = halos.meta | {
        "area_deg2": FULL_SKY,
        "footprint": "whole sky",
        "snapshot_redshift": float(np.median(np.asarray(halos["redshift"]))),
        "box_mpc": side,
        "distance_mpc": far,
        "copies": int(len(copies) ** 3),
    }
    return HaloCatalog(table, cosmology=cosmology, meta=meta)


def _redshift_at(distance, cosmology):
    from astropy.cosmology import z_at_value

    return float(z_at_value(cosmology.comoving_distance, distance * u.Mpc, zmax=20)) * (1 + 1e-9)


def check_area(area):
    """Give an area of the sky.

    Parameters
    ----------
    area : `~astropy.units.Quantity`
        Solid angle.

    Returns
    -------
    float
        The area [deg2].

    Raises
    ------
    InvalidInputError
        It is not positive, or larger than the sky.
    """
    area = float(as_floats(area, u.deg**2, "area", positive=True, finite=True))
    if area > FULL_SKY * (1 + 1e-5):
        raise InvalidInputError(
            f"'area' must be at most that of the sky, {FULL_SKY:.0f} deg2. Received: {area:g} deg2"
        )
    return min(area, FULL_SKY)
