"""What matching needs of a table: unit vectors, redshifts, position errors, name keys."""

import functools
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import ConvertError, SkyCoord
from astropy.table import QTable, Table

from szmass._utils import sample_columns
from szmass._utils.attributes import column_parts, known_positions
from szmass._utils.quantities import as_floats
from szmass.catalogs.crossmatch._name_keys import name_keys
from szmass.exceptions import InvalidInputError

__all__ = ["Sources", "read_sources"]

_ROLES = ("name", "coord", "redshift", "pos_err", "aliases", "frame", "units")
# A cluster's peculiar velocity cannot do this: -1 and the like mean "not known".
_LOWEST_REDSHIFT = -0.01


@dataclass
class Sources:
    """The rows of one table as plain arrays.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table.
    label : str
        How messages call it.
    names : list of str
        Columns of names, the first the name itself.
    positions : tuple of str
        Columns of the position; empty without one.
    frame, units : str, dict
        What the caller says about the position.
    redshift : `~numpy.ndarray`
        Redshifts, NaN where unknown.
    pos_err : `~numpy.ndarray` or None
        Position errors [arcmin]; None without such a column.
    """

    table: QTable
    label: str
    names: list
    positions: tuple
    frame: str | None
    units: dict
    redshift: np.ndarray
    pos_err: np.ndarray | None

    def __len__(self):
        return len(self.table)

    @functools.cached_property
    def vectors(self):
        """ICRS unit vectors, shape (N, 3), NaN where the position is not known."""
        vectors = np.full((len(self), 3), np.nan)
        if not self.positions or not len(self):
            return vectors
        if len(self.positions) == 1:
            coord = self.table[self.positions[0]]
        else:
            frame = self.frame or sample_columns._frame_of(self.positions)
            lon, lat = (
                sample_columns._angle(self.table[column], column, frame, which, self.units)
                for which, column in enumerate(self.positions)
            )
            beyond = np.abs(lat) > 90
            if beyond.any():
                raise InvalidInputError(
                    f"'{self.label}': the latitude '{self.positions[1]}' is beyond 90 deg in "
                    f"{np.count_nonzero(beyond)} rows, the first of them {np.argmax(beyond)}."
                )
            coord = SkyCoord(lon * u.deg, np.where(beyond, np.nan, lat) * u.deg, frame=frame)
        known = known_positions(coord)
        if known.any():
            coord = coord[known]
            unmasked = getattr(coord, "unmasked", coord)
            try:
                sky = unmasked.icrs.spherical
            except (ConvertError, AttributeError) as err:  # the latter for AltAz without a place
                raise InvalidInputError(
                    f"'{self.label}': positions in the frame {coord.frame.name!r} cannot be "
                    f"converted to ICRS: {err}"
                ) from err
            lon, lat = sky.lon.rad, sky.lat.rad
            vectors[known] = np.stack(
                (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1
            )
        return vectors

    @functools.cached_property
    def known(self):
        """Where the position is known, shape (N,)."""
        return np.isfinite(self.vectors[:, 0])

    @functools.cached_property
    def keys(self):
        """Rows and keys of all names, see `szmass.catalogs.crossmatch._name_keys.name_keys`."""
        if not self.names:
            raise InvalidInputError(
                f"'{self.label}' has no column 'name' or 'cluster' to match names by. Say which "
                f"it is, for instance {{'name': '{(self.table.colnames or ['column'])[0]}'}} in "
                f"'columns'. It has {', '.join(self.table.colnames) or 'no columns'}."
            )
        columns = [column_parts(self.table[name])[:2] for name in self.names]
        return name_keys(columns, split=range(1, len(columns)))


def read_sources(catalog, columns, label):
    """Find in a table what matching needs of it.

    Parameters
    ----------
    catalog : `~astropy.table.Table` or object with ``table``
        The rows; they are not changed.
    columns : dict or None
        Its columns by role, where their names do not tell.
    label : str
        How messages call the table.

    Returns
    -------
    Sources
        Names and positions are looked at when they are needed.

    Raises
    ------
    InvalidInputError
        It is no table, a column is not there, or holds values that cannot be.
    """
    table = getattr(catalog, "table", catalog)
    if not isinstance(table, Table):
        raise InvalidInputError(
            f"'{label}' must be a Table, a Catalog or a ClusterSample. "
            f"Received: {type(catalog).__name__}"
        )
    columns = dict(columns or {})
    unknown = sorted(set(columns).difference(_ROLES))
    if unknown:
        raise InvalidInputError(
            f"'columns' of '{label}' takes {', '.join(_ROLES)}. Received: {', '.join(unknown)}"
        )
    aliases = columns.get("aliases", ())
    names = [
        _column(table, columns.get("name"), ("name", "cluster"), label),
        *([aliases] if isinstance(aliases, str) else aliases),
    ]
    names = [_column(table, name, (), label) for name in names if name is not None]
    redshift = _column(table, columns.get("redshift"), ("redshift", "z"), label)
    pos_err = _column(table, columns.get("pos_err"), ("pos_err",), label)
    return Sources(
        table=QTable(table, copy=False),
        label=label,
        names=names,
        positions=_positions(table, columns),
        frame=columns.get("frame"),
        units=dict(columns.get("units") or {}),
        redshift=_redshifts(table, redshift, label),
        pos_err=None if pos_err is None else _errors(table[pos_err], pos_err, label),
    )


def _column(table, given, usual, label):
    if given is not None:
        if given not in table.colnames:
            raise InvalidInputError(
                f"'{label}' has no column {given!r}. It has "
                f"{', '.join(table.colnames) or 'no columns'}."
            )
        return given
    for name in usual:
        found = [column for column in table.colnames if column.lower() == name]
        if len(found) == 1 or name in found:
            return name if name in found else found[0]
    return None


def _positions(table, columns):
    coord, frame = columns.get("coord"), columns.get("frame")
    try:
        return tuple(sample_columns._position_columns(table, coord, frame))
    except InvalidInputError:
        has_skycoord = any(isinstance(column, SkyCoord) for column in table.itercols())
        if coord is not None or frame is not None or has_skycoord:
            raise
        return ()  # matched by name only, or an error when positions are asked for


def _redshifts(table, column, label):
    if column is None:
        return np.full(len(table), np.nan)
    redshift = as_floats(table[column], u.dimensionless_unscaled, column)
    marks = redshift < _LOWEST_REDSHIFT
    if marks.any():
        raise InvalidInputError(
            f"'{label}': the redshift '{column}' is {redshift[marks][0]:g} in "
            f"{np.count_nonzero(marks)} rows. Mask what is not known; szmass catalogues do."
        )
    return redshift


def _errors(column, name, label):
    errors = as_floats(column, u.arcmin, name)
    if np.any(errors < 0):
        raise InvalidInputError(
            f"'{label}': the position error '{name}' must not be negative. "
            f"Received: {np.nanmin(errors)} arcmin"
        )
    return errors
