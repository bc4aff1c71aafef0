"""Gas of one physics for haloes on the sky, those of a catalogue or drawn ones."""

import dataclasses
import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._tables.angles import known_positions
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed, generator
from szmass._utils.workers import check_workers, run_tasks
from szmass.baryons.drawing import check_area, draw_halos
from szmass.baryons.halos import HaloCatalog
from szmass.baryons.lightcone import FLUX, LightCone, distance_to
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.physics.baryons import HALO_UNITS, PROPERTIES, get_baryon_model, halo_features
from szmass.physics.checks import check_redshift
from szmass.physics.cooling import CoolingFunction, TabulatedCooling
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, COMPTON, get_cosmology
from szmass.physics.halos import radius_at
from szmass.physics.templates import X_NODES, sphere_weights
from szmass.simulations.bodies.models import get_cluster_model

__all__ = ["make_lightcone"]

# Rows that one task draws: part of what a seed means. Profiles that are integrated together.
_ROWS, _PROFILES = 2**16, 2**13

# kT [keV] in which cooling is asked for.
_COLDEST, _HOTTEST = 0.1, 50.0


def make_lightcone(
    model,
    halos=None,
    *,
    area=None,
    gas="a10-spheres",
    cooling=None,
    reference=None,
    cosmology,
    seed,
    workers=1,
    scheduler=None,
    **limits,
):
    """Give haloes on the sky the gas of one physics: M_gas, T, L_X, Y500, drawn together.

    Parameters
    ----------
    model : str or `~szmass.physics.BaryonModel`
        The physics.
    halos : `~astropy.table.QTable` or `HaloCatalog`, optional
        Haloes with the columns coord, redshift and m500c, and what else the model needs. By default
        they are drawn, by `draw_halos`.
    area : `~astropy.units.Quantity`, optional
        Solid angle that the haloes are from. Needed with haloes of one's own, unless their ``meta``
        has ``area_deg2``.
    gas : str or `~szmass.simulations.ClusterModel`, optional
        Profile of the pressure. Where the physics has a Y500 it has the amplitude of that, at the
        R500 of the true mass (1-b = 1). Where it has none this is where Y500 comes from: the median
        is that of the profile at (1-b) M500, the scatter ``sigma_lny``, without correlation with
        other properties. ``meta`` says which.
    cooling : `~szmass.physics.CoolingFunction`, optional
        Emission in the observed band, by default 0.1 to 2.4 keV; a
        `~szmass.physics.TabulatedCooling` takes a table of one's own.
    reference : `~szmass.physics.CoolingFunction`, optional
        Emission in the band of the model's luminosities, ``model.lx_band``. Needed beside a table,
        to have the same spectra and normalisation.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed. Haloes are the same for every physics.
    workers : int, optional
        Number of processes; nothing depends on it.
    scheduler : str or `distributed.Client`, optional
        A Dask scheduler, instead of ``workers``.
    **limits
        ``mass`` and ``redshift`` of `draw_halos`.

    Returns
    -------
    LightCone
        The haloes with their gas.

    Raises
    ------
    InvalidInputError
        A column is missing, by name, or an argument is out of range. What one row lacks is NaN and
        flagged.
    UnknownNameError
        There is no such model.

    Warns
    -----
    SzmassWarning
        Sub-haloes were left out.

    Notes
    -----
    The flux is L_X / (4 pi D_L^2) times emission in the observed band over that in the band of
    L_X, which is in the frame that the model says, both at the spectroscopic-like temperature, or
    the mass-weighted one where there is no other. It is that inside R500.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.baryons import make_lightcone
    >>> cone = make_lightcone("tng", area=200 * u.deg**2, cosmology="Planck18", seed=1)
    >>> cone.above_flux(1e-12 * u.erg / u.s / u.cm**2).table["flux"].unit
    Unit("erg / (s cm2)")
    """
    model, cosmology = get_baryon_model(model), get_cosmology(cosmology)
    gas, seed = get_cluster_model(gas), check_seed(seed)
    check_workers(workers, scheduler)
    cooling, reference = _check_cooling(cooling, reference, model)
    if halos is None:
        halos = draw_halos(area=area, cosmology=cosmology, seed=seed, **limits)
        area = halos.meta["area_deg2"] * u.deg**2
    elif limits:
        raise InvalidInputError(
            f"'{next(iter(limits))}' is for haloes that are drawn; cut those of your own yourself."
        )
    else:
        halos, area = _own_halos(halos, area, model)
    catalog = HaloCatalog(halos, cosmology=cosmology)
    features = halo_features(catalog, model.features, model.name)
    job = (model, features, seed)
    starts = range(0, max(len(halos), 1), _ROWS)
    tasks = ((i, start, start + _ROWS) for i, start in enumerate(starts))
    if len(starts) == 1:
        workers = 1
    run = {"workers": workers, "scheduler": scheduler, "in_order": True}
    parts = list(run_tasks(_draw_rows, job, tasks, **run))
    values = np.exp(np.concatenate([drawn for drawn, _ in parts]))
    table = halos.copy()
    for name, column in zip(model.properties, values.T, strict=True):
        table[name] = column * PROPERTIES[name]
    gas = _add_y500(table, model, gas, cosmology, seed)
    mass, distance = table["m500c"].to_value("solMass"), distance_to(table["redshift"], cosmology)
    radius = radius_at(gas.one_minus_b * mass, table["redshift"], cosmology)
    table["theta500"] = radius / distance * ARCMIN_PER_RADIAN * u.arcmin
    _add_flux(table, model, cooling, reference, cosmology)
    table["flag"] = np.concatenate([flags for _, flags in parts])
    table.meta.update(
        physics=model.name,
        physics_references=list(model.references),
        mass_definition="500c",
        cosmology=str(cosmology.name),
        h=float(cosmology.h),
        gas=gas.name,
        one_minus_b=gas.one_minus_b,
        seed=seed,
    )
    return LightCone(table=table, area=area, gas=gas, cosmology=cosmology, seed=seed)


def _check_cooling(cooling, reference, model):
    if cooling is None:
        cooling = CoolingFunction(band=(0.1, 2.4) * u.keV)
    if reference is None:
        reference = CoolingFunction(band=model.lx_band[:2] * u.keV)
        if isinstance(cooling, TabulatedCooling):
            low, high, frame = model.lx_band
            raise InvalidInputError(
                "'reference' must be given beside a 'cooling' of a table: the emission of the same "
                f"spectra in {low:g} to {high:g} keV ({frame} frame), the band of L_X."
            )
    for name, value in (("cooling", cooling), ("reference", reference)):
        check_kind(value, "CoolingFunction", name)
    return cooling, reference


def _draw_rows(job, i, start, end):
    model, features, seed = job
    rows = {name: values[start:end] for name, values in features.items()}
    return model.draw(rows, generator(seed, "baryons", i)), model.flags(rows)


def _own_halos(halos, area, model):
    """Give haloes of the user's as a table with what a model needs; without sub-haloes."""
    if not isinstance(halos, HaloCatalog):
        halos = HaloCatalog(check_kind(halos, "Table", "halos"), meta=halos.meta)
    if area is None:
        if "area_deg2" not in halos.meta:
            raise InvalidInputError("Give the 'area' of the sky that 'halos' are from.")
        area = halos.meta["area_deg2"] * u.deg**2
    area = check_area(area) * u.deg**2
    if "host" in halos and (lost := np.count_nonzero(~halos.is_host)):
        warnings.warn(
            f"{lost} of {len(halos)} haloes are sub-haloes and were left out: what they hold is "
            "in their hosts.",
            SzmassWarning,
            stacklevel=3,
        )
        halos = halos.hosts
        halos.meta["subhalos_left_out"] = int(lost)
    names = list(dict.fromkeys(("m500c", "redshift", *model.features)))
    halos.require(names, f"a light cone with {model.name!r}")
    table = halos.table.copy()
    table.meta = dict(halos.meta)
    if "id" not in table.colnames:
        table["id"] = np.arange(len(table))
    table["coord"] = _positions(halos)
    for name, values in halo_features(halos, names, model.name).items():
        table[name] = values * HALO_UNITS.get(name, 1)
    check_redshift(table["redshift"], positive=True)
    placed = known_positions(table["coord"])
    if lost := np.count_nonzero(~placed):
        warnings.warn(
            f"{lost} of {len(table)} haloes have no position on the sky and were left out.",
            SzmassWarning,
            stacklevel=3,
        )
        table = table[placed]
    if not np.any(np.isfinite(table["redshift"] * table["m500c"])):
        raise InvalidInputError(
            f"No host of the {len(table)} 'halos' has both a redshift and an m500c."
            + ("" if len(table) else " Draw from a larger area, or give some.")
        )
    return table, area


def _positions(halos):
    if "coord" in halos and isinstance(halos["coord"], SkyCoord):
        return halos["coord"]
    if "ra" in halos and "dec" in halos:
        dec = as_floats(halos["dec"], u.deg, "dec")
        wrong = np.abs(dec) > 90
        if np.any(wrong):
            raise InvalidInputError(
                f"'dec' must be between -90 and 90 deg. Received: {dec[wrong][0]:g} deg "
                f"({np.count_nonzero(wrong)} such values)"
            )
        return SkyCoord(halos["ra"], dec * u.deg)
    raise InvalidInputError(
        "'halos' must have positions on the sky: the column 'coord', a SkyCoord, or 'ra' and "
        f"'dec'. They have {', '.join(halos.colnames)}."
    )


def _add_y500(table, model, gas, cosmology, seed):
    """Add Y500 [Mpc2] where the physics has none; give the gas to paint."""
    if "y500" in model.properties:
        table.meta["y500"] = f"{model.name}, drawn with its other properties"
        return dataclasses.replace(gas, one_minus_b=1.0, sigma_ln_one_minus_b=0.0)
    mass = gas.one_minus_b * table["m500c"].to_value("solMass")
    redshift = np.asarray(table["redshift"])
    amplitude, *parameters = gas.profile.amplitude(mass, redshift, cosmology)
    integral = np.empty(len(mass))
    for start in range(0, len(mass), _PROFILES):
        rows = slice(start, start + _PROFILES)
        shape = gas.profile.shape(X_NODES, *(p[rows, np.newaxis] for p in parameters))
        integral[rows] = shape @ sphere_weights(1.0)
    volume = 4 * np.pi / 3 * radius_at(mass, redshift, cosmology) ** 3
    normal = generator(seed, "baryons", 0, 1).standard_normal(len(table))
    y500 = COMPTON * amplitude * volume * integral * np.exp(gas.sigma_lny * normal)
    table["y500"] = y500 * u.Mpc**2
    table.meta["y500"] = (
        f"profile {gas.profile.name} at 1-b = {gas.one_minus_b:g}, sigma_lny = {gas.sigma_lny:g}, "
        f"without correlation: {model.name} has none"
    )
    return gas


def _add_flux(table, model, cooling, reference, cosmology):
    """Add the flux in the observed band, or say in ``meta`` why there is none."""
    temperature = next((name for name in ("t_sl", "t_mw") if name in table.colnames), None)
    lacking = "luminosity" if "lx" not in table.colnames else "temperature"
    if lacking == "luminosity" or temperature is None:
        table.meta["xray"] = f"No X-ray flux: the physics of {model.name} has no {lacking}."
        return
    kt = np.clip(table[temperature].to_value("keV"), _COLDEST, _HOTTEST)
    z = np.asarray(table["redshift"])
    low, high, frame = model.lx_band
    in_band = cooling.emission(kt, z) / reference.emission(kt, z if frame == "observer" else 0 * z)
    distance = distance_to(z, cosmology) * (1 + z) ** 2 * u.Mpc
    table["flux"] = (table["lx"] * in_band / (4 * np.pi * distance**2)).to(FLUX)
    if papers := dict.fromkeys((*cooling.references, *reference.references)):
        table.meta["cooling_references"] = list(papers)
    observed = "{:g} to {:g} keV at the observer".format(*cooling.band.to_value("keV"))
    table.meta["xray"] = (
        f"Flux inside R500 in {observed}, from L_X in {low:g} to {high:g} keV ({frame} frame) at "
        f"the temperature {temperature}"
    )
