"""One galaxy cluster, whose attributes are checked; the same checks serve for columns."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import astropy.units as u
import numpy as np
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from szmass._tables.angles import known_positions
from szmass._tables.columns import describe_rows, is_nothing, number_column
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_doubles, as_quantity
from szmass.exceptions import InvalidInputError

if TYPE_CHECKING:
    from astropy.cosmology import FLRW

__all__ = ["Cluster", "as_clusters"]

_ERRORS = ("y5r500_err", "msz_errn", "msz_errp")


class Attribute:
    """A class attribute whose every assignment is checked."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, obj: object, owner: type | None = None) -> Any:
        return self if obj is None else obj.__dict__[self.name]

    def __set__(self, obj: object, value: object) -> None:
        obj.__dict__[self.name] = self.check(value)

    def check(self, value: Any) -> Any:
        """Give the value as it is stored, or raise an error that names the attribute."""
        raise NotImplementedError


class Text(Attribute):
    """A string that is not empty."""

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise InvalidInputError(
                f"'{self.name}' must be a string that is not empty. Received: {value!r}"
            )
        return str(value).strip()


class Position(Attribute):
    """One position on the sky, as a `~astropy.coordinates.SkyCoord`."""

    def check(self, value: Any) -> SkyCoord:
        if not isinstance(value, SkyCoord | BaseCoordinateFrame):
            raise InvalidInputError(f"'{self.name}' must be a SkyCoord. Received: {value!r}")
        value = value if isinstance(value, SkyCoord) else SkyCoord(value)
        if not value.isscalar:
            raise InvalidInputError(
                f"'{self.name}' must be one position. Received: an array of shape {value.shape}"
            )
        if not known_positions(value):
            raise InvalidInputError(f"'{self.name}' must not be masked or NaN. Received: {value!r}")
        return value


class Number(Attribute):
    """A number stored in ``unit`` (a plain float without one), or None where it is not known.

    ``sign`` is what is asked of known values: "positive", "not negative" or None.
    """

    def __init__(self, doc: str, unit: str | None = None, sign: str | None = None) -> None:
        super().__init__(doc)
        self.unit = None if unit is None else u.Unit(unit)
        self.sign = sign

    def check(self, value: Any) -> float | u.Quantity | None:
        if is_nothing(value) or np.any(getattr(value, "mask", False)):
            return None
        if isinstance(value, Masked):
            value = value.unmasked
        quantity = as_quantity(value, self.unit or u.dimensionless_unscaled, self.name)
        if not quantity.isscalar:
            raise InvalidInputError(f"'{self.name}' must be one number. Received: {value!r}")
        number = float(as_doubles(quantity.value))
        if np.isnan(number):
            return None
        if np.isinf(number) or self._wrong_sign(number):
            raise InvalidInputError(
                f"'{self.name}' must be finite{self._wanted()}, or None where it is not known. "
                f"Received: {value!r}"
            )
        return number if self.unit is None else number * self.unit

    def check_column(
        self,
        column: Any,
        names: NDArray[np.str_],
        *,
        unit: str | u.UnitBase | None = None,
        missing: Any = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Check a column of a table; give its values in our unit, NaN where masked, and the mask.

        ``names`` are those of the rows, ``unit`` is for a column that has none, and ``missing`` has
        numbers that stand for "not known", in the unit of the column.
        """
        values, mask = number_column(
            column, self.name, self.unit, unit=unit, missing=missing, names=names
        )
        wrong = ~mask & (np.isinf(values) | self._wrong_sign(values))
        if wrong.any():
            example = np.asarray(column)[wrong][0]
            raise InvalidInputError(
                f"The column '{self.name}' must be finite{self._wanted()} where it is known. "
                f"Received: {describe_rows(names, wrong)}, for instance {example}. If that stands "
                f"for 'not known', mask these rows or pass missing={{'{self.name}': {example}}}."
            )
        return values, mask

    def _wrong_sign(self, values: Any) -> Any:
        if self.sign == "positive":
            return values <= 0
        return (values < 0) if self.sign == "not negative" else np.zeros_like(values, dtype=bool)

    def _wanted(self) -> str:
        return f" and {self.sign}" if self.sign else ""


class Cluster:
    """A galaxy cluster: where it is and what was measured of it.

    Every attribute is checked when it is set, in the constructor and later. What is masked
    or NaN becomes None.

    Parameters
    ----------
    name : str
        Its name.
    coord : `~astropy.coordinates.SkyCoord`
        Its position, a scalar.
    redshift : float, optional
        Its redshift; None where unknown.
    y5r500, y5r500_err : `~astropy.units.Quantity`, optional
        Compton parameter integrated over the sphere of 5 R500, and its error [arcmin2].
    msz, msz_errn, msz_errp : `~astropy.units.Quantity`, optional
        M500c from the Sunyaev-Zel'dovich signal, and the distances down and up to the ends
        of its 68 % interval [solMass].
    snr : float, optional
        Signal-to-noise ratio of the detection.
    pos_err : `~astropy.units.Quantity`, optional
        Radius of the position error [arcmin].
    measurements : dict, optional
        Anything else by name, kept as it is.
    cutout : `~szmass.maps.Cutout`, optional
        The Compton-y map around it.

    Raises
    ------
    InvalidInputError
        A value is of the wrong kind, sign or shape; the message names the attribute.
    InvalidUnitError
        A quantity has no unit or one that does not convert.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from szmass import Cluster
    >>> coord = SkyCoord(44.2048, 48.6557, unit="deg", frame="galactic")
    >>> cluster = Cluster("PSZ2 G044.20+48.66", coord, 0.0894, msz=8.77e14 * u.solMass)
    >>> print(f"{cluster.theta500(cosmology='PSZ2'):.1f}")
    14.1 arcmin
    """

    name = Text("Its name.")
    coord = Position("Its position.")
    redshift = Number("Its redshift, or None.", sign="not negative")
    y5r500 = Number("Compton parameter inside 5 R500 [arcmin2], or None.", "arcmin2")
    y5r500_err = Number("Error of ``y5r500`` [arcmin2], or None.", "arcmin2", "not negative")
    msz = Number("M500c from the SZ signal [solMass], or None.", "solMass", "positive")
    msz_errn = Number("Distance down to the 16 % quantile [solMass].", "solMass", "not negative")
    msz_errp = Number("Distance up to the 84 % quantile [solMass].", "solMass", "not negative")
    snr = Number("Signal-to-noise ratio of the detection, or None.")
    pos_err = Number("Radius of the position error [arcmin], or None.", "arcmin", "not negative")

    def __init__(
        self,
        name: str,
        coord: SkyCoord,
        redshift: float | None = None,
        *,
        y5r500: u.Quantity | None = None,
        y5r500_err: u.Quantity | None = None,
        msz: u.Quantity | None = None,
        msz_errn: u.Quantity | None = None,
        msz_errp: u.Quantity | None = None,
        snr: float | None = None,
        pos_err: u.Quantity | None = None,
        measurements: Mapping[str, Any] | None = None,
        cutout: Any = None,
    ) -> None:
        self.name, self.coord, self.redshift = name, coord, redshift
        self.y5r500, self.y5r500_err = y5r500, y5r500_err
        self.msz, self.msz_errn, self.msz_errp = msz, msz_errn, msz_errp
        self.snr, self.pos_err = snr, pos_err
        self.measurements = dict(measurements or {})
        self.cutout = cutout

    @classmethod
    def from_name(
        cls,
        name: str,
        *,
        catalog: Any = None,
        redshift: float | None = None,
        offline: bool = False,
        timeout: float | None = None,
    ) -> Self:
        """Find a cluster by any of its usual names, as `szmass.catalogs.find_cluster` does.

        Parameters
        ----------
        name : str
            The name, for instance ``"Abell 2142"``.
        catalog, redshift, offline, timeout : optional
            As for `szmass.catalogs.find_cluster`.

        Returns
        -------
        Cluster
            The cluster. ``measurements["found_as"]`` says where it was found.

        Raises
        ------
        UnknownNameError, RemoteDataError, InvalidInputError
            As from `szmass.catalogs.find_cluster`.

        Examples
        --------
        >>> from szmass import Cluster
        >>> cluster = Cluster.from_name("Abell 2142")  # doctest: +SKIP
        >>> cluster.attach_cutouts(ymap)  # doctest: +SKIP
        """
        # Catalogues are made of clusters: who knows only clusters comes to them when it asks.
        catalogs = importlib.import_module("szmass.catalogs")
        options = {"redshift": redshift, "offline": offline, "timeout": timeout}
        return catalogs.find_cluster(name, catalog=catalog, **options)

    def attach_cutouts(self, ymap: Any, **options: Any) -> Self:
        """Cut the surroundings out of a map and keep them in ``cutout``.

        Parameters
        ----------
        ymap : `~szmass.maps.ComptonMap`
            The map.
        **options : dict
            Passed to its method ``cutout``: geometry, interpolation, ...

        Returns
        -------
        Cluster
            This cluster.

        Raises
        ------
        InvalidInputError
            ``ymap`` is no map, or an option of ``cutout`` cannot be.
        """
        check_kind(ymap, "ComptonMap", "ymap", able="cutout")
        self.cutout = ymap.cutout(self, **options)
        return self

    def theta500(self, *, mass: u.Quantity | None = None, cosmology: "str | FLRW") -> u.Quantity:
        """Compute the angular size theta500 = R500 / D_A.

        Parameters
        ----------
        mass : `~astropy.units.Quantity`, optional
            M500c; ``msz`` if None.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, for instance ``"PSZ2"``.

        Returns
        -------
        `~astropy.units.Quantity`
            The angle in arcmin.

        Raises
        ------
        InvalidInputError
            The redshift is not known, or no mass is.
        """
        from szmass.physics.halos import theta500

        mass = self.msz if mass is None else mass
        for value, what in ((self.redshift, "redshift"), (mass, "mass")):
            if value is None:
                raise InvalidInputError(
                    f"The size of {self.name!r} needs its {what}, which is not known."
                )
        return theta500(mass, self.redshift, cosmology=cosmology)

    def _facts(self) -> dict[str, str]:
        position = self.coord.spherical
        names = list(self.coord.frame.get_representation_component_names())[:2]
        angles = zip(names, (position.lon, position.lat), strict=True)
        facts = {"coord": ", ".join(f"{name} = {angle.deg:.4f} deg" for name, angle in angles)}
        for name in NUMBERS:
            value = getattr(self, name)
            if value is not None or name == "redshift":
                facts[name] = "unknown" if value is None else f"{value:.4g}"
        return facts

    def __repr__(self) -> str:
        facts = self._facts()
        return f"<Cluster {self.name!r}: {facts['coord']}, redshift {facts['redshift']}>"

    def _repr_html_(self) -> str:
        from szmass._utils import html as _html

        position = self.coord.icrs.to_string("hmsdms", precision=1)
        rows = {
            "position": _html.short(self._facts()["coord"]),
            "ICRS": _html.short(position),
            "redshift": "unknown" if self.redshift is None else f"{self.redshift:.4g}",
        }
        for name, check in NUMBERS.items():
            value = getattr(self, name)
            if name not in ("redshift", *_ERRORS) and value is not None:
                ends = [getattr(self, f"{name}_{end}", None) for end in ("errn", "errp")]
                if ends == [None, None]:
                    ends = [getattr(self, f"{name}_err", None), None]
                number, errn, errp = (getattr(v, "value", v) for v in (value, *ends))
                rows[name] = _html.measured(number, errn, errp, str(check.unit or ""))
        rows |= {name: _html.short(value) for name, value in self.measurements.items()}
        picture = ""
        if self.cutout is not None:
            shown = np.where(self.cutout.footprint, self.cutout.data, np.nan)
            picture = _html.picture(shown, title=f"Compton-y of {self.name}")
        return _html.facts(self.name, rows, beside=picture)


# The checks of one cluster serve for the columns of a sample as well.
NUMBERS = {name: check for name, check in vars(Cluster).items() if isinstance(check, Number)}


def as_clusters(value: Any) -> list[Cluster] | None:
    """Give a list of clusters for one or several of them.

    Parameters
    ----------
    value : Cluster or list of Cluster
        What a caller passed.

    Returns
    -------
    list of Cluster or None
        The clusters, None for anything else.
    """
    if isinstance(value, Cluster):
        return [value]
    if isinstance(value, list | tuple) and value and all(isinstance(v, Cluster) for v in value):
        return list(value)
    return None
