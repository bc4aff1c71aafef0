"""Light cones: haloes on the sky with the gas that one physics gives them."""

import contextlib
import dataclasses
import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._tables.columns import column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed, generator
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.maps.compton import ComptonMap
from szmass.physics.baryons import HALO_UNITS, PROPERTIES, get_baryon_model, halo_features
from szmass.physics.checks import check_mass, check_redshift
from szmass.physics.concentration import model_mass, nfw_convert
from szmass.physics.cooling import CoolingFunction, TabulatedCooling
from szmass.physics.cosmology import (
    ARCMIN_PER_RADIAN,
    COMPTON,
    angular_diameter_distance,
    get_cosmology,
)
from szmass.physics.halos import density_at, radius_at
from szmass.physics.mass_function import FULL_SKY, SkyAbundance
from szmass.physics.templates import X_NODES, sphere_weights
from szmass.simulations.bodies.models import ClusterModel, get_cluster_model
from szmass.simulations.population import from_masses
from szmass.simulations.sky import simulate_sky

__all__ = ["LightCone", "draw_halos", "make_lightcone"]

# Rows that one task draws: part of what a seed means.
_ROWS = 2**16

# TNG300, dark matter only, haloes of 5e13 to 3e14 Msun (M200c; Anbajagane et al. 2022): scatter of
# ln c200c at z = 0, 0.5, 1; at z = 0 the median half-mass scale at 1e14 Msun, its slope with ln M,
# the scatter of its logarithm, and its correlation with ln c200c.
_SIGMA_LN_C = ((0.0, 0.5, 1.0), (0.245, 0.265, 0.275))
_FORMATION, _FORMATION_SLOPE, _SIGMA_LN_FORMATION, _WITH_C = 0.58, 0.06, 0.20, -0.54
_DM_RELATIONS = "2022MNRAS.509.3441A"

# kT [keV] in which cooling is asked for.
_COLDEST, _HOTTEST = 0.1, 50.0
_FLUX = u.erg / u.s / u.cm**2


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
    area = _check_area(FULL_SKY * u.deg**2 if area is None else area)
    mass = _check_limits(check_mass(mass), "mass")
    redshift = _check_limits(check_redshift(redshift), "redshift")
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
        mass_limits_msun=[float(m) for m in mass],
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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LightCone:
    """Haloes on the sky, with gas as one physics has it. Slices and masks give parts of it.

    Made by `make_lightcone`.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        One row per halo: columns of the haloes, the properties of the model, drawn (with units),
        ``y500`` [Mpc2], ``theta500`` and, where the model has a luminosity and a temperature,
        ``flux`` in the observed band; ``flag``, a `~szmass.physics.BaryonFlag`.
    area : `~astropy.units.Quantity`
        Solid angle that the haloes are from.
    gas : `~szmass.simulations.ClusterModel`
        What maps show clusters with.
    cosmology : `~astropy.cosmology.FLRW`
        The cosmology.
    seed : int
        Seed.
    """

    table: QTable
    area: u.Quantity
    gas: ClusterModel
    cosmology: object
    seed: int

    def __len__(self):
        return len(self.table)

    def __repr__(self):
        return (
            f"<LightCone: {len(self)} haloes with the gas of {self.physics!r} in "
            f"{self.area.to_value('deg2'):.0f} deg2>"
        )

    def __getitem__(self, rows):
        return dataclasses.replace(self, table=self.table[rows])

    @property
    def physics(self):
        """Name of the baryon model."""
        return self.table.meta["physics"]

    def ymap(
        self,
        *,
        nside=2048,
        beam="10 arcmin",
        noise=None,
        frame="galactic",
        workers=1,
        scheduler=None,
    ):
        """Paint the Compton-y map: every halo with the drawn Y500.

        Parameters
        ----------
        nside : int, optional
            Resolution, a power of two.
        beam : `~astropy.units.Quantity` or str, optional
            FWHM of the Gaussian beam.
        noise : `~szmass.maps.NoiseModel`, optional
            Noise, of the same beam.
        frame : str, optional
            Frame of the pixels: "galactic", "icrs" or "ecliptic".
        workers : int, optional
            Number of processes. The map is the same to the bit.
        scheduler : str or `distributed.Client`, optional
            A Dask scheduler, instead of ``workers``.

        Returns
        -------
        `~szmass.maps.ComptonMap`
            The map, which `~szmass.simulations.write_sky` writes. Pixels outside of the disc that
            `draw_halos` filled are NaN; haloes without a Y500 are left out.

        Raises
        ------
        InvalidInputError
            See `~szmass.simulations.simulate_sky`.
        """
        y500 = self.y500_angle
        known = np.isfinite(y500)
        table = self.table[known]
        sample = from_masses(table["m500c"], table["redshift"], coord=table["coord"])
        ymap, _ = simulate_sky(
            sample,
            nside=nside,
            model=self.gas,
            beam=beam,
            noise=noise,
            frame=frame,
            y500=y500[known],
            truth=False,
            cosmology=self.cosmology,
            seed=self.seed,
            workers=workers,
            scheduler=scheduler,
        )
        if table.meta.get("footprint", "").startswith("disc"):
            ymap = _inside_disc(ymap, self.area.to_value("deg2"))
        ymap.meta.update(PHYSICS=self.physics, AREADEG2=float(self.area.to_value("deg2")))
        return ymap

    @property
    def y500_angle(self):
        """Spherical Y500 as a solid angle [arcmin2]."""
        distance = _distance(self.table["redshift"], self.cosmology)
        return (
            self.table["y500"].to_value("Mpc2") / (distance / ARCMIN_PER_RADIAN) ** 2 * u.arcmin**2
        )

    def above_flux(self, limit):
        """Give the haloes above an X-ray flux, brightest first: a catalogue.

        Parameters
        ----------
        limit : `~astropy.units.Quantity`
            Lowest flux in the observed band.

        Returns
        -------
        LightCone
            Its table may be empty.

        Raises
        ------
        InvalidInputError
            The physics has no luminosity, or the limit is not positive.
        InvalidUnitError
            The limit is no flux.
        """
        limit = as_floats(limit, _FLUX, "limit", positive=True, finite=True)
        flux = self.column("flux").to_value(_FLUX)
        order = np.argsort(-flux, kind="stable")
        part = self[order[flux[order] > limit]]
        part.table.meta["flux_limit"] = f"{float(limit):g} erg / (s cm2)"
        return part

    def observed_snr(self, selection, *, seed=None):
        """Draw the signal-to-noise ratio that a matched filter gives, somewhere in its survey.

        Parameters
        ----------
        selection : `~szmass.simulations.SZSelection`
            Noise of the survey.
        seed : int, optional
            Seed of places and noise; by default that of the light cone.

        Returns
        -------
        ndarray
            S/N of each halo; above ``selection.q_cut`` it is detected. Numbers of haloes are those
            in ``area`` at the mean depth of the survey, all of it being surveyed.
        """
        seed = self.seed if seed is None else seed
        return selection.draw_snr(self.y500_angle, self.table["theta500"], seed=seed)

    def column(self, name):
        """Give a column, or say why the light cone has none.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        `~astropy.units.Quantity` or `~astropy.table.Column`
            The values.

        Raises
        ------
        InvalidInputError
            There is no such column.
        """
        if name in self.table.colnames:
            return self.table[name]
        reason = self.table.meta.get("xray", "") if name in ("flux", "lx") else ""
        raise InvalidInputError(
            f"The light cone of {self.physics!r} has no column {name!r}. {reason}".rstrip()
            + f" It has {', '.join(self.table.colnames)}."
        )


def _inside_disc(ymap, area):
    """The same map, with NaN outside a disc around the North Galactic pole."""
    import healpy

    from szmass.maps.frames import frame_named

    centre = SkyCoord(0 * u.deg, 90 * u.deg, frame="galactic").transform_to(frame_named(ymap.frame))
    lon, lat = centre.spherical.lon.to_value("rad"), centre.spherical.lat.to_value("rad")
    npix = 12 * ymap.nside**2
    values = ymap.values(np.arange(npix))
    radius = np.arccos(1 - 2 * area / FULL_SKY)
    outside = np.ones(npix, dtype=bool)
    vector = [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]
    outside[healpy.query_disc(ymap.nside, vector, radius)] = False
    values[outside] = np.nan
    facts = {"beam": ymap.beam, "noise": ymap.noise, "sampling": "window", "zeros": "observed"}
    cut = ComptonMap.from_healpix(values, ordering="ring", frame=ymap.frame, **facts)
    cut.meta.update(ymap.meta)
    return cut


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
    features = halo_features(halos, model.features, model.name)
    job = (model, features, seed)
    tasks = ((start,) for start in range(0, max(len(halos), 1), _ROWS))
    run = {"workers": workers, "scheduler": scheduler, "in_order": True}
    parts = list(run_tasks(_draw_rows, job, tasks, **run))
    values = np.exp(np.concatenate([drawn for drawn, _ in parts]))
    table = halos.copy()
    for name, column in zip(model.properties, values.T, strict=True):
        table[name] = column * PROPERTIES[name]
    gas = _add_y500(table, model, gas, cosmology, seed)
    mass, distance = table["m500c"].to_value("solMass"), _distance(table["redshift"], cosmology)
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


def _draw_rows(job, start):
    model, features, seed = job
    rows = {name: values[start : start + _ROWS] for name, values in features.items()}
    rng = generator(seed, "baryons", start // _ROWS)
    return model.draw(rows, rng), model.flags(rows)


def _own_halos(halos, area, model):
    """Give haloes of the user's as a table with what a model needs; without sub-haloes."""
    if area is None:
        area = getattr(halos, "meta", {}).get("area_deg2")
        if area is None:
            raise InvalidInputError("Give the 'area' of the sky that 'halos' are from.")
        area = area * u.deg**2
    area = _check_area(area) * u.deg**2
    table = QTable(meta=dict(getattr(halos, "meta", {})))
    for name in getattr(halos, "colnames", ("id", "coord", "host")):
        with contextlib.suppress(LookupError):
            table[name] = halos[name]
    if not isinstance(table.columns.get("coord"), SkyCoord):
        raise InvalidInputError(
            "'halos' must be a QTable or a HaloCatalog with the column 'coord', a SkyCoord. "
            f"Received: {type(halos).__name__} with {', '.join(table.colnames) or 'no columns'}"
        )
    names = dict.fromkeys(("m500c", "redshift", *model.features))
    for name, values in halo_features(halos, names, model.name).items():
        table[name] = values * HALO_UNITS.get(name, u.dimensionless_unscaled)
    table["redshift"] = check_redshift(table["redshift"], positive=True)
    keep = np.ones(len(table), dtype=bool)
    if "host" in table.colnames:
        host, mask, _ = column_parts(table["host"])
        # Those of haloes that are nobody's are masked, -1 or 0.
        keep = mask | (np.asarray(host) <= 0)
    if lost := np.count_nonzero(~keep):
        warnings.warn(
            f"{lost} of {len(table)} haloes are sub-haloes and were left out: what they hold is "
            "in their hosts.",
            SzmassWarning,
            stacklevel=3,
        )
    if not np.any(np.isfinite(table["redshift"] * table["m500c"])[keep]):
        raise InvalidInputError("No host of 'halos' has both a redshift and an m500c.")
    table.meta["subhalos_left_out"] = lost
    return table[keep], area


def _add_y500(table, model, gas, cosmology, seed):
    """Add Y500 [Mpc2] where the physics has none; give the gas to paint."""
    if "y500" in model.properties:
        table.meta["y500"] = f"{model.name}, drawn with its other properties"
        return dataclasses.replace(gas, one_minus_b=1.0, sigma_ln_one_minus_b=0.0)
    mass = gas.one_minus_b * table["m500c"].to_value("solMass")
    redshift = np.asarray(table["redshift"])
    amplitude, *parameters = gas.profile.amplitude(mass, redshift, cosmology)
    columns = [np.asarray(p).reshape(len(mass), 1) for p in parameters]
    integral = gas.profile.shape(X_NODES, *columns) @ sphere_weights(1.0)
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
    distance = _distance(z, cosmology) * (1 + z) ** 2 * u.Mpc
    table["flux"] = (table["lx"] * in_band / (4 * np.pi * distance**2)).to(_FLUX)
    observed = "{:g} to {:g} keV at the observer".format(*cooling.band.to_value("keV"))
    table.meta["xray"] = (
        f"Flux inside R500 in {observed}, from L_X in {low:g} to {high:g} keV ({frame} frame) at "
        f"the temperature {temperature}"
    )


def _distance(redshift, cosmology):
    """Angular-diameter distance [Mpc], interpolated to 1e-9: exact ones take 10 us each."""
    from scipy.interpolate import CubicSpline

    z = np.asarray(redshift, dtype=float)
    known = np.isfinite(z)
    low, high = (z[known].min(), z[known].max()) if known.any() else (0.1, 0.2)
    nodes = np.linspace(low, high + 1e-3, 400)
    return CubicSpline(nodes, angular_diameter_distance(nodes, cosmology))(z)


def _check_area(area):
    area = float(as_floats(area, u.deg**2, "area", positive=True, finite=True))
    if area > FULL_SKY * (1 + 1e-5):
        raise InvalidInputError(
            f"'area' must be at most that of the sky, {FULL_SKY:.0f} deg2. Received: {area:g} deg2"
        )
    return min(area, FULL_SKY)


def _check_limits(values, name):
    values = np.asarray(values, dtype=float)
    if values.shape != (2,) or not values[0] < values[1]:
        raise InvalidInputError(
            f"'{name}' must be a lower and a higher limit. Received: {values.tolist()}"
        )
    return values
