"""Pressure profiles fitted to the simulations of Battaglia et al. (2012)."""

from dataclasses import dataclass, field

from szmass._utils.quantities import as_floats
from szmass.exceptions import InvalidInputError
from szmass.physics._profile import PressureProfile
from szmass.physics.background import virial_pressure
from szmass.physics.checks import broadcast, check_mass, check_redshift
from szmass.physics.halos import _M500C, MassDefinition, _convert_mass

__all__ = ["Battaglia2012Profile"]

# Electron over thermal pressure at a hydrogen mass fraction of 0.76.
_ELECTRON_SHARE = 0.518


@dataclass(frozen=True, kw_only=True)
class Battaglia2012Profile(PressureProfile):
    """Thermal pressure whose shape depends on mass and redshift.

    P_th = P_D P0 (x/xc)^-0.3 (1 + x/xc)^-beta with x = r / R_D and P_D = G M_D D rho_c f_b /
    (2 R_D); P0, xc and beta are each A (M_D / 1e14 Msun)^am (1+z)^az. The electrons have 0.518 of
    P_th.

    The methods take M500c; for a profile fitted in another definition the mass is converted
    by `convert_mass` with the concentrations of Diemer & Joyce (2019).

    Parameters
    ----------
    name : str
        Name of the profile.
    p0, xc, beta : tuple of float
        (A, am, az) of each.
    fitted_definition : str
        Mass definition D of the fit, ``"200c"`` or ``"500c"``.
    baryon_fraction : float, optional
        The f_b above; by default Ob0 / Om0 of the cosmology.
    truncation : float, optional
        Radius of the edge [R500c].
    references : tuple of str, optional
        ADS bibcodes of the papers to cite.

    Raises
    ------
    InvalidInputError
        A parameter is out of range.

    References
    ----------
    Battaglia, Bond, Pfrommer & Sievers (2012), ApJ 758, 75, table 1.
    """

    name: str
    p0: tuple
    xc: tuple
    beta: tuple
    fitted_definition: str
    baryon_fraction: float | None = None
    truncation: float = 5.0
    references: tuple = field(default=(), repr=False)

    _inner_slope = 0.3
    _self_similar = False

    def __post_init__(self):
        self._check_truncation()
        definition = MassDefinition.parse(self.fitted_definition)
        if definition.reference != "critical":
            raise InvalidInputError(
                "'fitted_definition' must refer to the critical density, such as '200c'. "
                f"Received: {self.fitted_definition!r}"
            )
        if self.baryon_fraction is not None and not 0 < self.baryon_fraction < 1:
            raise InvalidInputError(
                f"'baryon_fraction' must lie between 0 and 1. Received: {self.baryon_fraction!r}"
            )

    def _parameters(self, mass, redshift):
        for amplitude, mass_slope, redshift_slope in (self.p0, self.xc, self.beta):
            yield amplitude * (mass / 1e14) ** mass_slope * (1 + redshift) ** redshift_slope

    def p(self, x, mass, redshift):
        """Dimensionless profile.

        Parameters
        ----------
        x : float or array-like
            Radius r / R_D > 0, in the definition that the profile is fitted in.
        mass : `~astropy.units.Quantity`
            Mass in that definition.
        redshift : float or array-like
            Redshift; all three broadcast.

        Returns
        -------
        ndarray or float
            P_th / P_D, not truncated.

        Raises
        ------
        InvalidInputError
            A value is out of range, or the shapes do not broadcast.
        InvalidUnitError
            The mass has no unit, or one of another kind.
        """
        x, mass, redshift = broadcast(
            x=as_floats(x, "", "x", positive=True),
            mass=check_mass(mass),
            redshift=check_redshift(redshift),
        )
        p0, xc, beta = self._parameters(mass, redshift)
        return (p0 * self._shape(x, xc, beta))[()]

    def _shape(self, x, xc, beta):
        x = x / xc
        return x**-0.3 * (1 + x) ** -beta

    def _amplitude(self, mass, redshift, cosmology):
        definition = MassDefinition.parse(self.fitted_definition)
        fraction = self.baryon_fraction
        if fraction is None:
            if not cosmology.Ob0:
                raise InvalidInputError(
                    f"The profile {self.name!r} needs the baryon fraction: give a 'cosmology' with "
                    f"Ob0, or the profile a 'baryon_fraction'. Received: {cosmology!r}"
                )
            fraction = cosmology.Ob0 / cosmology.Om0
        radius500 = _M500C._radius(mass, redshift, cosmology)
        if definition != _M500C:
            mass = _convert_mass(mass, redshift, _M500C, definition, cosmology)
        radius = definition._radius(mass, redshift, cosmology)
        thermal = fraction * virial_pressure(mass, definition._density(redshift, cosmology))
        p0, xc, beta = self._parameters(mass, redshift)
        return _ELECTRON_SHARE * thermal * p0, xc * radius / radius500, beta
