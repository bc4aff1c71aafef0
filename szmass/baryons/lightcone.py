"""Light cones: haloes on the sky with the gas that one physics gives them."""

import dataclasses
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.maps.compton import ComptonMap
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.mass_function import FULL_SKY
from szmass.simulations.bodies.models import ClusterModel
from szmass.simulations.population import from_masses
from szmass.simulations.sky import simulate_sky

__all__ = ["LightCone"]

#: Unit of fluxes.
FLUX = u.erg / u.s / u.cm**2


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LightCone:
    """Haloes on the sky, with gas as one physics has it.

    Made by `~szmass.baryons.make_lightcone`. ``cone["flux"]`` is a column; numbers, slices and
    masks give parts.

    Parameters
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

    def __getitem__(self, item):
        if isinstance(item, str):
            return self.column(item)
        return dataclasses.replace(
            self, table=self.table[np.atleast_1d(np.arange(len(self))[item])]
        )

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
        workers, scheduler : optional
            As for `~szmass.simulations.simulate_sky`.

        Returns
        -------
        `~szmass.maps.ComptonMap`
            The map, which `~szmass.simulations.write_sky` writes. Pixels outside of the disc that
            `~szmass.baryons.draw_halos` filled are NaN; haloes without a Y500 are left out.

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
        distance = distance_to(self.table["redshift"], self.cosmology)
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
        limit = as_floats(limit, FLUX, "limit", positive=True, finite=True)
        flux = self.column("flux").to_value(FLUX)
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


def distance_to(redshift, cosmology):
    """Angular-diameter distance [Mpc], interpolated to 1e-9: exact ones take 10 us each."""
    from scipy.interpolate import CubicSpline

    z = np.asarray(redshift, dtype=float)
    known = np.isfinite(z)
    low, high = (z[known].min(), z[known].max()) if known.any() else (0.1, 0.2)
    nodes = np.linspace(low, high + 1e-3, 400)
    return CubicSpline(nodes, angular_diameter_distance(nodes, cosmology))(z)
